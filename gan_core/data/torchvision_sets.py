"""The well-known sets that torchvision knows: addresses, file names, checksums and class names are its own tables'.

Our downloader fetches them, so that they show progress, can be cancelled and go on later. The idx files of the four MNISTs are
read here, straight from the .gz or .zip and in slices: torchvision would unpack them first and hold them twice. What lies
in the folder as torchvision would have left it is taken as well. All of them are the training split.
torchvision, and torch with it, is imported when a set is asked for.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from . import memory, resize
from .download import fetch
from .types import DataError, DataRequest, LoadedData, data_folder

CLASSES = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST", "kmnist": "KMNIST", "emnist": "EMNIST", "cifar10": "CIFAR10",
           "svhn": "SVHN"}  # a data set's name -> torchvision's class, whose tables are read
SPLITS = ("letters", "balanced", "digits", "mnist", "byclass", "bymerge")  # of EMNIST
IDX = ("images-idx3-ubyte", "labels-idx1-ubyte")
EMNIST_ZIP = "gzip.zip"
CIFAR_FILES = (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch", "batches.meta")  # what torchvision checks before it reads
SVHN_FILE = "train_32x32.mat"
DEBIAN = Path("/usr/share/datasets/fashion-mnist")  # where the package dataset-fashion-mnist puts its files
MOST = 64 << 20  # bytes of one unpacked file of CIFAR-10; they have 31 MB
# What a damaged idx, .gz or .zip raises while it is read.
DAMAGE = (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile, KeyError, NotImplementedError)

Opener = Callable[[], contextlib.AbstractContextManager[BinaryIO]]
Pair = tuple[Opener, Opener]  # pictures, labels


def source(request: DataRequest) -> LoadedData:
    """An entry of the registry: the first `limit` of the training pictures, with labels and names. Raises DataError."""
    if request.name in ("cifar10", "svhn"):
        return _colored(request)
    request = _in_lower_case(request)
    if request.name == "emnist" and request.argument not in SPLITS:
        raise DataError("no_split", split=request.argument[:40], splits=SPLITS)
    damaged = False
    for pair in _pairs(request):
        try:
            return _read(pair, request)
        except DAMAGE:
            damaged = True
    pair = _fetched(request, afresh=damaged)
    try:
        return _read(pair, request)
    except DAMAGE as error:
        raise DataError("set_unreadable", dataset={"dataset": request.name}, reason=error) from error


def _in_lower_case(request: DataRequest) -> DataRequest:
    """A split may be written in any case, as a category of Quick, Draw! may."""
    return replace(request, argument=request.argument.lower())


def is_downloaded(request: DataRequest) -> bool:
    """Whether `source` needs no network now, as far as names and sizes tell."""
    root = root_folder()
    if request.name == "cifar10":
        return all((root / "cifar-10-batches-py" / name).is_file() for name in CIFAR_FILES)
    if request.name == "svhn":
        return (root / SVHN_FILE).is_file()
    request = _in_lower_case(request)
    return (request.name != "emnist" or request.argument in SPLITS) and any(True for _ in _pairs(request))


def downloaded_datasets(name: str, limit: int) -> list[str]:
    """The data sets of this kind that are here."""
    if name == "emnist":
        return [f"emnist:{split}" for split in SPLITS if is_downloaded(DataRequest(name, split))]
    return [name] if is_downloaded(DataRequest(name)) else []


def root_folder() -> Path:
    """What torchvision calls `root`."""
    return data_folder() / "torchvision"


def _table(name: str) -> Any:
    from torchvision import datasets

    return getattr(datasets, CLASSES[name])


def _addresses(name: str, urls: list[str]) -> list[str]:
    """Where a file of torchvision's table is fetched: there, or from the mirror that the environment names."""
    mirror = os.environ.get("GAN_PLAYGROUND_MIRROR", "").rstrip("/")
    return [f"{mirror}/{name}/{urls[0].rpartition('/')[2]}"] if mirror else urls


# The four MNISTs: a file of pictures and one of labels, in LeCun's idx form.

def _stems(request: DataRequest) -> list[str]:
    return [f"{f'emnist-{request.argument}-train' if request.name == 'emnist' else 'train'}-{kind}" for kind in IDX]


def _raw(request: DataRequest) -> Path:
    return root_folder() / CLASSES[request.name] / "raw"


def _files(request: DataRequest) -> list[str]:
    """What is fetched of a set: EMNIST is one archive of all its splits."""
    return [EMNIST_ZIP] if request.name == "emnist" else [f"{stem}.gz" for stem in _stems(request)]


def _pairs(request: DataRequest) -> Iterator[Pair]:
    """What is here, the quickest first: files that torchvision unpacked, those that we fetched, the system's."""
    stems = _stems(request)
    if all((_raw(request) / stem).is_file() for stem in stems):
        yield tuple(_plain(_raw(request) / stem) for stem in stems)
    if all((_raw(request) / file).is_file() for file in _files(request)):
        yield _ours(request)
    if request.name == "fashion-mnist" and all((DEBIAN / file).is_file() for file in _files(request)):
        yield tuple(_packed(DEBIAN / file) for file in _files(request))


def _ours(request: DataRequest) -> Pair:
    if request.name == "emnist":
        return tuple(_zipped(_raw(request) / EMNIST_ZIP, stem) for stem in _stems(request))
    return tuple(_packed(_raw(request) / file) for file in _files(request))


def _fetched(request: DataRequest, afresh: bool) -> Pair:
    """The set's files, fetched where they are not here; `afresh`: those that are here are damaged."""
    table = _table(request.name)
    if request.name == "emnist":
        known = {EMNIST_ZIP: ([table.url], table.md5)}
    else:
        known = {file: ([mirror + file for mirror in table.mirrors], md5) for file, md5 in table.resources}
    for file in _files(request):
        urls, md5 = known[file]
        if afresh:
            (_raw(request) / file).unlink(missing_ok=True)
        fetch(_addresses(request.name, urls), _raw(request) / file, request, md5=md5)
    return _ours(request)


def _plain(path: Path) -> Opener:
    return lambda: open(path, "rb")


def _packed(path: Path) -> Opener:
    return lambda: gzip.open(path, "rb")


def _zipped(path: Path, stem: str) -> Opener:
    @contextlib.contextmanager
    def opened() -> Iterator[BinaryIO]:
        with zipfile.ZipFile(path) as archive, archive.open(f"gzip/{stem}.gz") as member, gzip.open(member, "rb") as file:
            yield file
    return opened


def _read(pair: Pair, request: DataRequest) -> LoadedData:
    """Both files. Raises one of DAMAGE where they are not whole, DataError where they have no room."""
    with pair[1]() as file:
        (found,) = _header(file, 1)
        labels = np.frombuffer(file.read(found), np.uint8)
        if len(labels) != found or file.read(1):
            raise ValueError("the labels have another length than their header says")
    with pair[0]() as file:
        count, *shape = _header(file, 3)
        if count != found or shape != [28, 28]:
            raise ValueError(f"{count} pictures of {shape} beside {found} labels")
        take = min(request.limit or found, found)
        memory.check_pictures(take, resize.output_shape((1, 28, 28), request), {"dataset": request.name})
        slices = _slices(file, take, last=take == found, turned=request.name == "emnist")
        data = resize.fit_slices(slices, take, (1, 28, 28), request)
    names = _names(request)
    first = 1 if request.name == "emnist" and request.argument == "letters" else 0  # 1 is A; 0 is nothing
    labels = labels[:take].astype(np.int64) - first
    if labels.min() < 0 or labels.max() >= len(names):
        raise ValueError("a label is none of the classes")
    return LoadedData(data, labels, names, found_count=found)


def _header(file: BinaryIO, dimensions: int) -> list[int]:
    """The sizes that an idx file of bytes announces (yann.lecun.com/exdb/mnist, "THE IDX FILE FORMAT")."""
    if file.read(4) != bytes([0, 0, 8, dimensions]):
        raise ValueError("this is no idx file of bytes")
    sizes = np.frombuffer(file.read(4 * dimensions), ">u4")
    if len(sizes) != dimensions or not sizes.all():
        raise ValueError("the header is cut")
    return [int(size) for size in sizes]


def _slices(file: BinaryIO, take: int, last: bool, turned: bool) -> Iterator[np.ndarray]:
    """uint8 (n, 1, 28, 28). `last`: the file ends here, where gzip looks at its checksum. `turned`: lines are columns."""
    for at in range(0, take, resize.SLICE):
        n = min(resize.SLICE, take - at)
        images = np.frombuffer(file.read(n * 784), np.uint8).reshape(n, 1, 28, 28)
        yield images.swapaxes(2, 3) if turned else images
    if last and file.read(1):
        raise ValueError("the pictures are more than their header says")


def _names(request: DataRequest) -> tuple[str, ...]:
    table = _table(request.name)
    if request.name == "emnist":
        return tuple(name for name in table.classes_split_dict[request.argument] if name != "N/A")
    return tuple(name.partition(" - ")[0] for name in table.classes)  # "0 - zero"


# CIFAR-10 and SVHN: torchvision reads them, which looks at every file's checksum first.

def _colored(request: DataRequest) -> LoadedData:
    table, root = _table(request.name), root_folder()
    take = {"cifar10": _cifar10, "svhn": _svhn}[request.name]
    data, labels, names = take(table, root, request)
    count = min(request.limit or len(data), len(data))
    memory.check_pictures(count, resize.output_shape(data.shape[1:], request), {"dataset": request.name})
    images = resize.fit_images(np.ascontiguousarray(data[:count]), request)
    return LoadedData(images, labels[:count], names, found_count=len(data))


def _opened(make: Callable[[], Any]) -> Any:
    """torchvision's data set, or None where its files are not here or not whole."""
    try:
        return make()
    except RuntimeError:
        return None


def _cifar10(table: Any, root: Path, request: DataRequest) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    memory.check_bytes(50_000 * 3072 * 2, {"dataset": request.name})  # five files, then one array
    made = _opened(lambda: table(root, train=True))
    if made is None:
        archive = root / table.filename
        fetch(_addresses(request.name, [table.url]), archive, request, md5=table.tgz_md5)
        _unpack(archive, root, table.base_folder, request)
        made = _opened(lambda: table(root, train=True))
        archive.unlink(missing_ok=True)  # whole or not, it is of no more use
    if made is None:
        raise DataError("cifar10_broken", folder=root / table.base_folder)
    return made.data.transpose(0, 3, 1, 2), np.asarray(made.targets, np.int64), tuple(made.classes)


def _unpack(archive: Path, root: Path, folder: str, request: DataRequest) -> None:
    """The files that torchvision reads, and nothing else that an archive may hold."""
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for number, member in enumerate(tar):
                request.report_progress("reading", number, len(CIFAR_FILES) + 1, archive.name)
                base, _, name = member.name.rpartition("/")
                if base == folder and name in CIFAR_FILES and member.isfile() and member.size <= MOST:
                    tar.extract(member, root, filter="data")
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        archive.unlink(missing_ok=True)
        raise DataError("unpack", file=archive.name, folder=root, reason=error) from error


def _svhn(table: Any, root: Path, request: DataRequest) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    memory.check_bytes(73_257 * 3072 * 2, {"dataset": request.name})  # as it lies in the file, then as we want it
    url, file, md5 = table.split_list["train"]
    made = _opened(lambda: table(root, split="train"))
    if made is None:
        (root / file).unlink(missing_ok=True)
        fetch(_addresses(request.name, [url]), root / file, request, md5=md5)
        made = _opened(lambda: table(root, split="train"))
    if made is None:
        raise DataError("set_broken", file=file)
    return made.data, made.labels, tuple("0123456789")

"""The well-known sets of torchvision, whose tables hold addresses, file names, checksums and class names.

Our downloader fetches them, with progress, cancel and resume. The idx files of the four MNISTs are read here in slices,
straight from the .gz or .zip: torchvision would unpack them first and hold them twice. Files that torchvision itself left in the
folder are used as well. All sets are the training split. torchvision, and with it torch, is imported once a set is requested.
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
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from . import memory, resize
from .download import fetch
from .types import ByteReader, DataError, DataRequest, LoadedData, data_folder

CLASSES = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST", "kmnist": "KMNIST", "emnist": "EMNIST", "cifar10": "CIFAR10",
           "svhn": "SVHN"}  # a data set's name -> torchvision's class
SPLITS = ("letters", "balanced", "digits", "mnist", "byclass", "bymerge")  # of EMNIST
IDX = ("images-idx3-ubyte", "labels-idx1-ubyte")
EMNIST_ZIP = "gzip.zip"
CIFAR_FILES = (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch", "batches.meta")  # what torchvision checks before it reads
SVHN_FILE = "train_32x32.mat"
DEBIAN = Path("/usr/share/datasets/fashion-mnist")  # where the package dataset-fashion-mnist installs its files
MAX_CIFAR_FILE = 64 << 20  # bytes of one unpacked file of CIFAR-10; they have 31 MB
# What a damaged idx, .gz or .zip raises while it is read.
DAMAGE = (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile, KeyError, NotImplementedError)

Opener: TypeAlias = Callable[[], contextlib.AbstractContextManager[ByteReader]]
Arrays: TypeAlias = tuple[np.ndarray, np.ndarray, tuple[str, ...]]  # pictures uint8 (N, C, H, W), labels (N,), class names


class _IdxFiles(NamedTuple):
    """How to open the two files of an MNIST."""

    pictures: Opener
    labels: Opener


def source(request: DataRequest) -> LoadedData:
    """The registry's entry: the first `limit` training pictures, with labels and names. Raises DataError."""
    if request.name in ("cifar10", "svhn"):
        return _color_set(request)
    request = _lower_case(request)
    if request.name == "emnist" and request.argument not in SPLITS:
        raise DataError("no_split", split=request.argument[:40], splits=SPLITS)
    damaged = False
    for files in _local_files(request):
        try:
            return _read(files, request)
        except DAMAGE:
            damaged = True
    files = _fetch(request, again=damaged)
    try:
        return _read(files, request)
    except DAMAGE as error:
        raise DataError("set_unreadable", dataset={"dataset": request.name}, reason=error) from error


def _lower_case(request: DataRequest) -> DataRequest:
    """A split may be written in any case, as a category of Quick, Draw! may."""
    return replace(request, argument=request.argument.lower())


def is_downloaded(request: DataRequest) -> bool:
    """Whether `source` needs no network now, judged by names and sizes."""
    root = root_folder()
    if request.name == "cifar10":
        return all((root / "cifar-10-batches-py" / name).is_file() for name in CIFAR_FILES)
    if request.name == "svhn":
        return (root / SVHN_FILE).is_file()
    request = _lower_case(request)
    return (request.name != "emnist" or request.argument in SPLITS) and any(True for _ in _local_files(request))


def downloaded_datasets(name: str, limit: int) -> list[str]:
    """The data sets of this kind that are here."""
    if name == "emnist":
        return [f"emnist:{split}" for split in SPLITS if is_downloaded(DataRequest(name, split))]
    return [name] if is_downloaded(DataRequest(name)) else []


def root_folder() -> Path:
    """What torchvision calls `root`."""
    return data_folder() / "torchvision"


def _table(name: str) -> Any:
    """torchvision's class for a data set."""
    from torchvision import datasets

    return getattr(datasets, CLASSES[name])


def _urls(name: str, urls: list[str]) -> list[str]:
    """Where a file of torchvision's table is fetched: from there, or from the mirror in the environment."""
    mirror = os.environ.get("GAN_PLAYGROUND_MIRROR", "").rstrip("/")
    return [f"{mirror}/{name}/{urls[0].rpartition('/')[2]}"] if mirror else urls


# The four MNISTs: a file of pictures and one of labels, in LeCun's idx format.

def _stems(request: DataRequest) -> list[str]:
    prefix = f"emnist-{request.argument}-train" if request.name == "emnist" else "train"
    return [f"{prefix}-{kind}" for kind in IDX]


def _raw(request: DataRequest) -> Path:
    return root_folder() / CLASSES[request.name] / "raw"


def _file_names(request: DataRequest) -> list[str]:
    """What is fetched of a set: EMNIST is one archive of all its splits."""
    return [EMNIST_ZIP] if request.name == "emnist" else [f"{stem}.gz" for stem in _stems(request)]


def _local_files(request: DataRequest) -> Iterator[_IdxFiles]:
    """The set's files that are here, the fastest first: unpacked by torchvision, fetched by us, installed by the system."""
    stems = _stems(request)
    if all((_raw(request) / stem).is_file() for stem in stems):
        yield _IdxFiles(*(_open_plain(_raw(request) / stem) for stem in stems))
    if all((_raw(request) / name).is_file() for name in _file_names(request)):
        yield _fetched_files(request)
    if request.name == "fashion-mnist" and all((DEBIAN / name).is_file() for name in _file_names(request)):
        yield _IdxFiles(*(_open_gzip(DEBIAN / name) for name in _file_names(request)))


def _fetched_files(request: DataRequest) -> _IdxFiles:
    if request.name == "emnist":
        return _IdxFiles(*(_open_zipped(_raw(request) / EMNIST_ZIP, stem) for stem in _stems(request)))
    return _IdxFiles(*(_open_gzip(_raw(request) / name) for name in _file_names(request)))


def _fetch(request: DataRequest, again: bool) -> _IdxFiles:
    """The set's files, fetched where they are not here; `again`: those that are here are damaged."""
    table = _table(request.name)
    if request.name == "emnist":
        resources = {EMNIST_ZIP: ([table.url], table.md5)}
    else:
        resources = {name: ([mirror + name for mirror in table.mirrors], md5) for name, md5 in table.resources}
    for name in _file_names(request):
        urls, md5 = resources[name]
        if again:
            (_raw(request) / name).unlink(missing_ok=True)
        fetch(_urls(request.name, urls), _raw(request) / name, request, md5=md5)
    return _fetched_files(request)


def _open_plain(path: Path) -> Opener:
    return lambda: open(path, "rb")


def _open_gzip(path: Path) -> Opener:
    return lambda: gzip.GzipFile(path, "rb")


def _open_zipped(path: Path, stem: str) -> Opener:
    @contextlib.contextmanager
    def opener() -> Iterator[ByteReader]:
        with zipfile.ZipFile(path) as archive, archive.open(f"gzip/{stem}.gz") as member, gzip.GzipFile(fileobj=member) as file:
            yield file
    return opener


def _read(files: _IdxFiles, request: DataRequest) -> LoadedData:
    """Both files. Raises one of DAMAGE where they are not whole, DataError where they do not fit into memory."""
    with files.labels() as file:
        (found_count,) = _header(file, 1)
        raw_labels = np.frombuffer(file.read(found_count), np.uint8)
        if len(raw_labels) != found_count or file.read(1):
            raise ValueError("the labels have another length than their header says")
    with files.pictures() as file:
        count, *shape = _header(file, 3)
        if count != found_count or shape != [28, 28]:
            raise ValueError(f"{count} pictures of {shape} beside {found_count} labels")
        take = min(request.limit or found_count, found_count)
        memory.check_pictures(take, resize.output_shape((1, 28, 28), request), {"dataset": request.name})
        slices = _slices(file, take, to_end=take == found_count, transposed=request.name == "emnist")
        data = resize.fit_slices(slices, take, (1, 28, 28), request)
    names = _names(request)
    first = 1 if request.name == "emnist" and request.argument == "letters" else 0  # 1 is A; 0 is not used
    labels = raw_labels[:take].astype(np.int64) - first
    if labels.min() < 0 or labels.max() >= len(names):
        raise ValueError("a label is none of the classes")
    return LoadedData(data, labels, names, found_count=found_count)


def _header(file: ByteReader, dimensions: int) -> list[int]:
    """The sizes in the header of an idx file of bytes (yann.lecun.com/exdb/mnist, "THE IDX FILE FORMAT")."""
    if file.read(4) != bytes([0, 0, 8, dimensions]):
        raise ValueError("this is no idx file of bytes")
    sizes = np.frombuffer(file.read(4 * dimensions), ">u4")
    if len(sizes) != dimensions or not sizes.all():
        raise ValueError("the header is cut")
    return [int(size) for size in sizes]


def _slices(file: ByteReader, take: int, to_end: bool, transposed: bool) -> Iterator[np.ndarray]:
    """uint8 (n, 1, 28, 28). `to_end`: the file must end here, where gzip verifies its checksum. `transposed`: (W, H)."""
    for start in range(0, take, resize.SLICE):
        n = min(resize.SLICE, take - start)
        images = np.frombuffer(file.read(n * 784), np.uint8).reshape(n, 1, 28, 28)
        yield images.swapaxes(2, 3) if transposed else images
    if to_end and file.read(1):
        raise ValueError("there are more pictures than the header says")


def _names(request: DataRequest) -> tuple[str, ...]:
    table = _table(request.name)
    if request.name == "emnist":
        return tuple(name for name in table.classes_split_dict[request.argument] if name != "N/A")
    return tuple(name.partition(" - ")[0] for name in table.classes)  # "0 - zero"


# CIFAR-10 and SVHN: torchvision reads them after it has checked every file's checksum.

def _color_set(request: DataRequest) -> LoadedData:
    read = {"cifar10": _cifar10, "svhn": _svhn}[request.name]
    data, labels, names = read(_table(request.name), root_folder(), request)
    count = min(request.limit or len(data), len(data))
    memory.check_pictures(count, resize.output_shape(data.shape[1:], request), {"dataset": request.name})
    images = resize.fit_images(np.ascontiguousarray(data[:count]), request)
    return LoadedData(images, labels[:count], names, found_count=len(data))


def _or_none(make: Callable[[], Any]) -> Any:
    """torchvision's data set, or None where its files are not here or not whole."""
    try:
        return make()
    except RuntimeError:
        return None


def _cifar10(table: Any, root: Path, request: DataRequest) -> Arrays:
    memory.check_bytes(50_000 * 3072 * 2, {"dataset": request.name})  # five files, then one array
    dataset = _or_none(lambda: table(root, train=True))
    if dataset is None:
        archive = root / table.filename
        fetch(_urls(request.name, [table.url]), archive, request, md5=table.tgz_md5)
        _unpack(archive, root, table.base_folder, request)
        dataset = _or_none(lambda: table(root, train=True))
        archive.unlink(missing_ok=True)  # whole or not, it is not needed any more
    if dataset is None:
        raise DataError("cifar10_broken", folder=root / table.base_folder)
    return dataset.data.transpose(0, 3, 1, 2), np.asarray(dataset.targets, np.int64), tuple(dataset.classes)


def _unpack(archive: Path, root: Path, folder: str, request: DataRequest) -> None:
    """Unpack the files that torchvision reads, and nothing else that the archive may hold."""
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for number, member in enumerate(tar):
                request.report_progress("reading", number, len(CIFAR_FILES) + 1, archive.name)
                base, _, name = member.name.rpartition("/")
                if base == folder and name in CIFAR_FILES and member.isfile() and member.size <= MAX_CIFAR_FILE:
                    tar.extract(member, root, filter="data")
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        archive.unlink(missing_ok=True)
        raise DataError("unpack", file=archive.name, folder=root, reason=error) from error


def _svhn(table: Any, root: Path, request: DataRequest) -> Arrays:
    memory.check_bytes(73_257 * 3072 * 2, {"dataset": request.name})  # as it lies in the file, then in our layout
    url, name, md5 = table.split_list["train"]
    dataset = _or_none(lambda: table(root, split="train"))
    if dataset is None:
        (root / name).unlink(missing_ok=True)
        fetch(_urls(request.name, [url]), root / name, request, md5=md5)
        dataset = _or_none(lambda: table(root, split="train"))
    if dataset is None:
        raise DataError("set_broken", file=name)
    return dataset.data, dataset.labels, tuple("0123456789")

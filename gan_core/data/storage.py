"""What is stored under data_folder(), by the names that configs use: how much room it takes, and its removal.

It opens no picture and follows no name out of its folders. Whether a run still needs a data set is left to the caller.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..runs.file_lock import FileLock, Held
from . import array_cache, torchvision_sets, uploads
from .reading import archive
from .types import data_folder

LOCK = re.compile(r"\.lock(\.\d+)?$")  # names of locks, see runs/file_lock.py
LOCK_TIMEOUT = 0.2  # seconds; whoever asks whether a disk has locks holds one for a moment
NAMES = {"zip": archive.NAME, "drawn": uploads.DRAWING}  # patterns of uploads and drawings: no dot, no separator
UPLOAD_SUFFIXES = {"zip": (".zip", ".json"), "drawn": (".points.json",)}  # its files; without the first it does not exist
DOWNLOAD_SUFFIXES = ("", ".json", ".part", ".part.json")  # the file, its note, what was fetched so far and the note of that
FILES = {"cifar10": ("cifar-10-batches-py", "cifar-10-python.tar.gz"), "svhn": (torchvision_sets.SVHN_FILE,)}


@dataclass(frozen=True)
class StoredDataset:
    """A data set on the disk. dataset: its name in a config; kind: uploaded, drawn, downloaded, or prepared from elsewhere."""

    dataset: str
    kind: str
    count: int | None  # pictures or points, if known without reading them
    bytes: int  # with the cache entries made of it
    last_used: float  # unix seconds, as far as the file system records it


class Busy(OSError):
    """The data set is being downloaded."""


def list_datasets() -> list[StoredDataset]:
    """Everything that is stored, the largest first."""
    cached = array_cache.usage_by_origin()
    datasets = []
    for upload in uploads.list_uploads():
        size, last_used = cached.pop(upload.dataset, (0, 0.0))
        kind = "uploaded" if upload.kind == "zip" else upload.kind
        datasets.append(StoredDataset(upload.dataset, kind, upload.count, upload.bytes + size, max(last_used, upload.created)))
    for dataset in _downloads():
        stats = [path.lstat() for path in _files(dataset)]
        if stats:
            last_used = max(max(stat.st_atime, stat.st_mtime) for stat in stats)
            datasets.append(StoredDataset(dataset, "downloaded", None, sum(stat.st_size for stat in stats), last_used))
    datasets += [StoredDataset(origin, "prepared", None, size, used) for origin, (size, used) in cached.items() if size]
    return sorted(datasets, key=lambda stored: (-stored.bytes, stored.dataset))


def find(dataset: str, datasets: list[StoredDataset] | None = None) -> StoredDataset | None:
    """The stored data set of that name, or None, whatever the name. datasets: a result of `list_datasets` to search."""
    return next((stored for stored in (list_datasets() if datasets is None else datasets) if stored.dataset == dataset), None)


def remove(dataset: str) -> bool:
    """Delete a data set and the cache entries made of it; whether there was anything to delete.

    An open file stays readable (Windows refuses to delete it instead). The data set's own file goes first, atomically: a
    process that is decoding it then discards its result. What an interrupted removal left goes with the next one.
    Raises Busy during a download, OSError where the disk refuses.
    """
    kind, _, name = dataset.partition(":")
    existed = False
    if kind in UPLOAD_SUFFIXES:
        if NAMES[kind].fullmatch(name):
            for suffix in UPLOAD_SUFFIXES[kind]:
                with contextlib.suppress(FileNotFoundError):
                    (uploads.folder() / f"{name}{suffix}").unlink()
                    existed = True
    elif dataset in _downloads():
        files = _files(dataset)
        with _download_locks(files):
            for path in files:
                path.unlink(missing_ok=True)
        existed = bool(files)
    existed = dataset in array_cache.usage_by_origin() or existed
    array_cache.remove(lambda origin: origin == dataset or _is_orphan(origin))
    return existed


def _is_orphan(origin: str) -> bool:
    """Whether an entry's upload is gone. An entry of an older version names no origin and counts as an orphan too."""
    kind, _, name = origin.partition(":")
    uploaded = kind == "zip" and not archive.is_path(name)
    return origin == "?" or (uploaded and not (uploads.folder() / f"{name}.zip").exists())


def _downloads() -> list[str]:
    """The names of the data sets that may have been downloaded."""
    doodles = [f"quickdraw:{path.name.partition('.npy')[0]}" for path in (data_folder() / "quickdraw").glob("[!.]*.npy*")]
    return [*torchvision_sets.CLASSES, *sorted(set(doodles))]


def _files(dataset: str) -> list[Path]:
    """The existing files of this download, and of no other data set."""
    kind, _, category = dataset.partition(":")
    root = torchvision_sets.root_folder()
    if kind == "quickdraw":
        bases = [data_folder() / "quickdraw" / f"{category}.npy"]
    elif kind in FILES:
        bases = [root / name for name in FILES[kind]]
    else:
        bases = [root / torchvision_sets.CLASSES[kind]]
    paths: list[Path] = []
    for base in bases:
        if base.is_dir() and not base.is_symlink():
            paths += [path for path in sorted(base.rglob("*")) if not LOCK.search(path.name)]
        else:  # of a link the link itself
            paths += [base.with_name(base.name + suffix) for suffix in DOWNLOAD_SUFFIXES]
    return [path for path in paths if path.is_symlink() or path.is_file()]


@contextlib.contextmanager
def _download_locks(files: list[Path]) -> Iterator[None]:
    """Hold the locks of these files, so that no process downloads them. Raises Busy where one does."""
    locks = {path.with_name(f".{path.name.removesuffix('.json').removesuffix('.part')}.lock") for path in files}
    with contextlib.ExitStack() as held:
        for lock in sorted(lock for lock in locks if lock.exists()):
            try:
                held.enter_context(FileLock(lock).acquire(LOCK_TIMEOUT))
            except Held as error:
                raise Busy(f"it is being downloaded.{error.hint}".removesuffix(".")) from error
        yield

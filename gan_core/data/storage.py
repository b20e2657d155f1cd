"""What lies under data_folder(), by the names that configs have for it: how much room it takes, and its removal.

It opens no picture and follows no name out of its folders. Whether a run still needs something is its callers' business.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from . import array_cache, torchvision_sets, uploads
from .reading import archive
from .types import data_folder

NAMES = {"zip": archive.NAME, "drawn": uploads.DRAWING}  # of what was handed in or drawn: no dot, no separator
ENDINGS = {"zip": (".zip", ".json"), "drawn": (".points.json",)}  # its files; the first is the one without which it is not there
FETCHED = ("", ".json", ".part", ".part.json")  # what a download leaves: the file, its note, the part that came so far
PARTS = {"cifar10": ("cifar-10-batches-py", "cifar-10-python.tar.gz"), "svhn": (torchvision_sets.SVHN_FILE,)}


@dataclass(frozen=True)
class Thing:
    """Something that is kept. dataset: what a config calls it; kind: uploaded, drawn, downloaded, or prepared from elsewhere."""

    dataset: str
    kind: str
    count: int | None  # pictures or points, where that is known without reading them
    bytes: int  # with what was prepared from it
    used: float  # unix seconds, as far as the file system tells


class Busy(OSError):
    """It is being fetched at this moment."""


def things() -> list[Thing]:
    """Everything that is kept, the largest first."""
    made = array_cache.origins()
    found = []
    for one in uploads.kept():
        size, used = made.pop(one.dataset, (0, 0.0))
        kind = "uploaded" if one.kind == "zip" else one.kind
        found.append(Thing(one.dataset, kind, one.count, one.bytes + size, max(used, one.created)))
    for dataset in _downloads():
        about = [path.lstat() for path in _files(dataset)]
        if about:
            used = max(max(one.st_atime, one.st_mtime) for one in about)
            found.append(Thing(dataset, "downloaded", None, sum(one.st_size for one in about), used))
    found += [Thing(origin, "prepared", None, size, used) for origin, (size, used) in made.items() if size]
    return sorted(found, key=lambda one: (-one.bytes, one.dataset))


def thing(dataset: str, among: list[Thing] | None = None) -> Thing | None:
    """What is kept under that name; None where nothing is, whatever the name. among: `things()`, where they are known already."""
    return next((one for one in (things() if among is None else among) if one.dataset == dataset), None)


def remove(dataset: str) -> bool:
    """Delete what is kept under that name, and all that was prepared from it; whether there was anything.

    Whoever reads it at this moment reads on (Windows refuses instead). The file itself goes first, as one act: somebody who is
    preparing it then throws that away, and what an interrupted removal left goes with the next one.
    Raises Busy while it is fetched, OSError where the disk refuses.
    """
    kind, _, name = dataset.partition(":")
    there = False
    if kind in ENDINGS:
        if NAMES[kind].fullmatch(name):
            for ending in ENDINGS[kind]:
                with contextlib.suppress(FileNotFoundError):
                    (uploads.folder() / f"{name}{ending}").unlink()
                    there = True
    elif dataset in _downloads():
        files = _files(dataset)
        with _not_fetched(files):
            for path in files:
                path.unlink(missing_ok=True)
        there = bool(files)
    there = dataset in array_cache.origins() or there
    array_cache.remove(lambda origin: origin == dataset or _gone(origin))
    return there


def _gone(origin: str) -> bool:
    """Whether an upload is not there any more; what an older version prepared does not say what it is of, and counts as such."""
    kind, _, name = origin.partition(":")
    uploaded = kind == "zip" and not archive.is_path(name)
    return origin == "?" or (uploaded and not (uploads.folder() / f"{name}.zip").exists())


def _downloads() -> list[str]:
    """The names of the data sets that may have been fetched."""
    doodles = [f"quickdraw:{path.name.partition('.npy')[0]}" for path in (data_folder() / "quickdraw").glob("[!.]*.npy*")]
    return [*torchvision_sets.CLASSES, *sorted(set(doodles))]


def _files(dataset: str) -> list[Path]:
    """The files that a download may have left; none of another data set."""
    kind, _, category = dataset.partition(":")
    root = torchvision_sets.root_folder()
    if kind == "quickdraw":
        bases = [data_folder() / "quickdraw" / f"{category}.npy"]
    elif kind in PARTS:
        bases = [root / name for name in PARTS[kind]]
    else:
        bases = [root / torchvision_sets.CLASSES[kind]]
    found = []
    for base in bases:
        if base.is_dir() and not base.is_symlink():
            found += [path for path in sorted(base.rglob("*")) if not path.name.endswith(".lock")]
        else:  # of a link the link itself
            found += [base.with_name(base.name + ending) for ending in FETCHED]
    return [path for path in found if path.is_symlink() or path.is_file()]


@contextlib.contextmanager
def _not_fetched(files: list[Path]) -> Iterator[None]:
    """Nobody fetches any of these meanwhile. Raises Busy where somebody does."""
    locks = {path.with_name(f".{path.name.removesuffix('.json').removesuffix('.part')}.lock") for path in files}
    with contextlib.ExitStack() as held:
        for lock in sorted(lock for lock in locks if lock.exists()):
            try:
                held.enter_context(FileLock(lock).acquire(timeout=0))
            except Timeout as error:
                raise Busy("it is being fetched at this moment") from error
        yield

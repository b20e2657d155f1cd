"""folder:PATH, the pictures of a folder and of all folders below it.

It lists files and never changes one. Links are counted and not followed, so that nothing outside and no circle is read;
hidden files and what systems leave beside pictures are not there at all.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO
from urllib.request import url2pathname

from ...messages import message, os_reason
from .. import array_cache
from ..types import DataError, DataRequest, LoadedData
from .decode import Item, decode_files, display_name, found_message

MAX_FILES = 1_000_000
NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, None)  # what the system says of a path that leads nowhere
IGNORED = {"__macosx", "thumbs.db", "desktop.ini"}


def source(request: DataRequest) -> LoadedData:
    """An entry of the registry. Raises DataError in a sentence, Cancelled."""
    root = parse_path(request.argument)
    try:
        if not stat.S_ISDIR(os.stat(root).st_mode):
            raise DataError("folder_file", path=root)
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) in NOWHERE:
            raise DataError("folder_missing", path=root) from error
        raise DataError("folder_unreadable", path=root, reason=os_reason(error)) from error
    what = message("the_folder", path=root)
    items, skipped, fingerprint = list_files(root, request)
    if not items:
        raise DataError("folder_empty", path=root, found=found_message(skipped))
    return array_cache.get_or_create(request, fingerprint, lambda: decode_files(items, _opened, request, what, skipped),
                            f"folder:{root.resolve()}")


def label(argument: str) -> str:
    """What people call "/home/me/sheep": the last part of the path, of either system's."""
    return argument.replace("\\", "/").rstrip("/").rpartition("/")[2]


def parse_path(text: str) -> Path:
    """What is meant, as a whole path: also with ~, and with what file managers (quotes, file://) and terminals copy along."""
    text = text.strip()
    if len(text) > 2 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1]
    if text.lower().startswith("file://"):
        text = url2pathname(text[len("file://"):].removeprefix("localhost"))
    if os.sep == "/" and not os.path.exists(text):  # a terminal writes my\ sheep
        text = re.sub(r"\\([ ()&'\[\]])", r"\1", text)
    # Not Path's, which raises for a ~ of somebody whom nobody knows.
    return Path(os.path.expanduser(text)).absolute()


def is_ignored(name: str) -> bool:
    """Whether a file or folder of this name is passed over without being counted."""
    return name.startswith(".") or name.lower() in IGNORED


class FileList(Sequence[Item]):
    """Files in the order in which they were added, as the bytes of their names: a million weigh 20 MB, as Items 120."""

    def __init__(self) -> None:
        self._names, self._ends = bytearray(), array("Q")
        self._folders: list[tuple[tuple[str, ...], str]] = []
        self._firsts: list[int] = []  # each folder's first file

    def add(self, parts: tuple[str, ...], folder: str, name: str) -> None:
        """`name` in `folder`, whose way from the root is `parts`; those of one folder one after the other."""
        if not self._folders or self._folders[-1][1] != folder:
            self._folders.append((parts, folder))
            self._firsts.append(len(self))
        self._names += os.fsencode(name)
        self._ends.append(len(self._names))

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, at: int) -> Item:  # type: ignore[override]  # nobody wants a slice
        if not 0 <= at < len(self._ends):
            raise IndexError(at)
        parts, folder = self._folders[bisect_right(self._firsts, at) - 1]
        return Item(parts, os.fsdecode(bytes(self._names[self._ends[at - 1] if at else 0:self._ends[at]])), folder)


def list_files(root: Path, request: DataRequest) -> tuple[FileList, Counter[str], str]:
    """All regular files below `root` in the order of their names, what was left out, and a fingerprint of names, sizes, times."""
    items = FileList()
    skipped: Counter[str] = Counter()
    digest = hashlib.sha256(os.fsencode(root.resolve()))
    stack: list[tuple[str, tuple[str, ...]]] = [(os.fspath(root.resolve()), ())]
    while stack:
        folder, parts = stack.pop()
        at = display_name(parts[-1]) if parts else ""
        try:
            names, below = _inside(folder, skipped, lambda n: request.report_progress("reading", len(items) + n, 0, at))  # noqa: B023, used here
        except OSError as error:
            if not parts:
                raise DataError("folder_unreadable", path=root, reason=os_reason(error)) from error
            skipped["broken"] += 1
            continue
        for name in names:
            path = os.path.join(folder, name)
            try:
                about = os.stat(path, follow_symlinks=False)
            except OSError:  # it went while the folder was read
                skipped["broken"] += 1
                continue
            digest.update(os.fsencode(f"{path}\0{about.st_size}\0{about.st_mtime_ns}\0"))
            items.add(parts, folder, name)
            if len(items) % 1000 == 0:
                request.report_progress("reading", len(items), 0, at)
        below = [(os.path.join(folder, name), (*parts, name)) for name in below]
        stack.extend(reversed(below))
        if len(items) > MAX_FILES:
            raise DataError("folder_full", path=root, most=MAX_FILES)
    digest.update(repr(sorted(skipped.items())).encode())
    return items, skipped, digest.hexdigest()


def _inside(folder: str, skipped: Counter[str], step: Callable[[int], None]) -> tuple[list[str], list[str]]:
    """The names of the files and of the folders in a folder, each in order. Raises OSError; `step` is told how many were seen.

    Names alone: a million entries as the system hands them out would weigh as much as half their pictures.
    """
    names, below = [], []
    step(0)
    with os.scandir(folder) as entries:
        for n, entry in enumerate(entries, 1):
            if n % 1000 == 0:
                step(n)
            if is_ignored(entry.name):
                continue
            if entry.is_symlink() or (hasattr(entry, "is_junction") and entry.is_junction()):
                skipped["link"] += 1
            elif entry.is_dir(follow_symlinks=False):
                below.append(entry.name)
            elif entry.is_file(follow_symlinks=False):
                names.append(entry.name)
            else:  # a pipe, a socket, a device
                skipped["not_a_picture"] += 1
    return sorted(names), sorted(below)


def _opened(item: Item) -> BinaryIO:
    """The file, if it still is one: a link or a pipe that took its place since is neither followed nor waited for."""
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    file = os.fdopen(os.open(os.path.join(item.key, item.name), flags), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(f"{item.name} is no file any more")
    return file

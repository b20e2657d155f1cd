"""folder:PATH, the pictures of a folder and of all folders below it.

It only reads. Links are followed, because caches of hubs and curated sets consist of them: who names a folder of the own machine
may read it anyway, and strangers name none (docs/doors.md). Each file and folder counts once, so that no circle is entered; the
class is that of the link's folder. Hidden files, and what operating systems leave beside pictures, are ignored.
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
from typing import BinaryIO, overload
from urllib.request import url2pathname

from ...messages import message, os_reason
from .. import array_cache
from ..types import DataError, DataRequest, LoadedData
from . import array_files, picture_file
from .classes import Folders
from .decode import decode_files, display_name, found_message
from .formats import refuse_known_format
from .item import Item

MAX_FILES = 1_000_000
MISSING = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, None)  # the system's answers for a path that does not exist
IGNORED = {"__macosx", "thumbs.db", "desktop.ini"}


def source(request: DataRequest) -> LoadedData:
    """The registry's entry. Raises DataError, Cancelled."""
    root = parse_path(request.argument)
    try:
        if not stat.S_ISDIR(os.stat(root).st_mode):
            return _load_file(root, request)
    except ValueError as error:  # a NUL in it
        raise DataError("folder_missing", path=root) from error
    except OSError as error:
        if error.errno in MISSING:
            raise DataError("folder_missing", path=root) from error
        raise DataError("folder_unreadable", path=root, reason=os_reason(error)) from error
    what = message("the_folder", path=root)
    items, skipped, fingerprint = list_files(root, request)
    if not items:
        raise DataError("folder_empty", path=root, found=found_message(skipped))
    return array_cache.get_or_create(request, fingerprint, lambda: decode_files(items, _open, request, what, skipped),
                                     f"folder:{root.resolve()}")


def _load_file(path: Path, request: DataRequest) -> LoadedData:
    """The pictures in the arrays of one file. Raises DataError for any other file, Cancelled."""
    path = path.resolve()
    items = FileList()
    items.add((), str(path.parent), path.name)
    info = path.stat()
    with _open(items[0]) as file:
        head = file.read(picture_file.HEAD)
    refuse_known_format(display_name(path.name), head)
    if not array_files.kind_of(head) and not (head.startswith(b"PK") and path.suffix.lower() == ".npz"):
        raise DataError("folder_file", path=path)
    fingerprint = hashlib.sha256(f"{path}\0{info.st_size}\0{info.st_mtime_ns}".encode("utf-8", "replace")).hexdigest()
    return array_cache.get_or_create(request, fingerprint, lambda: decode_files(items, _open, request, message(
        "the_file", name=display_name(path.name))), f"folder:{path}")


def label(argument: str) -> str:
    """The display name of "/home/me/sheep": the last part of the path, of either kind of system."""
    return argument.replace("\\", "/").rstrip("/").rpartition("/")[2]


def parse_path(text: str) -> Path:
    """An absolute path from what a user typed or pasted: with ~, quotes or file:// (file managers), or escapes (terminals)."""
    text = text.strip()
    if len(text) > 2 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1]
    if text.lower().startswith("file://"):
        text = url2pathname(text[len("file://"):].removeprefix("localhost"))
    if os.sep == "/" and not os.path.exists(text):  # a terminal writes my\ sheep
        text = re.sub(r"\\([ ()&'\[\]])", r"\1", text)
    # Path.expanduser raises for an unknown user's ~.
    return Path(os.path.expanduser(text)).absolute()


def is_ignored(name: str) -> bool:
    """Whether a file or folder of this name is left out without being counted."""
    return name.startswith(".") or name.lower() in IGNORED


class FileList(Sequence[Item]):
    """Files in the order in which they were added, stored as the bytes of their names: a million take 20 MB, as Items 120."""

    def __init__(self) -> None:
        self._names, self._ends = bytearray(), array("Q")
        self._folders: list[tuple[Folders, str]] = []
        self._starts: list[int] = []  # the index of each folder's first file

    def add(self, parts: Folders, folder: str, name: str) -> None:
        """Add `name` in `folder`, which stands at `parts` below the root. All files of one place come one after the other."""
        if not self._folders or self._folders[-1] != (parts, folder):
            self._folders.append((parts, folder))
            self._starts.append(len(self))
        self._names += os.fsencode(name)
        self._ends.append(len(self._names))

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> Item: ...

    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...

    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(len(self)))]
        if not 0 <= index < len(self._ends):
            raise IndexError(index)
        parts, folder = self._folders[bisect_right(self._starts, index) - 1]
        name = self._names[self._ends[index - 1] if index else 0:self._ends[index]]
        return Item(parts, os.fsdecode(bytes(name)), folder)


def list_files(root: Path, request: DataRequest) -> tuple[FileList, Counter[str], str]:
    """All regular files below `root` sorted by name, what was left out, and a fingerprint of names, sizes and times."""
    items = FileList()
    skipped: Counter[str] = Counter()
    digest = hashlib.sha256(os.fsencode(root.resolve()))
    links = _Links(os.path.realpath(root))
    stack: list[tuple[str, Folders]] = [(links.root, ())]
    while stack:
        folder, parts = stack.pop()
        current = display_name(parts[-1]) if parts else ""

        def on_entries(n: int, current: str = current) -> None:
            request.report_progress("reading", len(items) + n, 0, current)

        try:
            names, subfolders = _scan(folder, skipped, on_entries, links)
        except OSError as error:
            if not parts:
                raise DataError("folder_unreadable", path=root, reason=os_reason(error)) from error
            skipped["broken"] += 1
            continue
        for name in names:
            path = os.path.join(folder, name)
            if links.is_taken(path):
                skipped["link"] += 1
                continue
            path = links.resolve(path)
            try:
                info = os.stat(path, follow_symlinks=False)
            except OSError:  # it was deleted meanwhile
                skipped["broken"] += 1
                continue
            digest.update(os.fsencode(f"{folder}/{name}\0{path}\0{info.st_size}\0{info.st_mtime_ns}\0"))
            items.add(parts, *os.path.split(path))
            if len(items) % 1000 == 0:
                on_entries(0)
        stack.extend((links.resolve(os.path.join(folder, name)), (*parts, name)) for name in reversed(subfolders))
        if len(items) > MAX_FILES:
            raise DataError("folder_full", path=root, most=MAX_FILES)
    digest.update(repr(sorted(skipped.items())).encode())
    return items, skipped, digest.hexdigest()


class _Links:
    """Where the links below `root` lead. Nothing is taken twice: what lies below the root is found without links."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._targets: dict[str, str] = {}  # of the links that are followed, by their own paths
        self._files: set[str] = set()  # outside of the root
        self._folders, self._above = {root}, set(_parents(root))  # those that are walked, and all that contain one

    def follow(self, path: str) -> str:
        """What the link at `path` adds: "file", "folder", or the reason why nothing."""
        try:
            target = os.path.realpath(path, strict=True)
            mode = os.stat(target).st_mode
        except OSError:  # it leads nowhere, or round in a circle
            return "broken"
        if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
            return "not_a_picture"
        if target in self._files or target in self._above or not self._folders.isdisjoint((target, *_parents(target))):
            return "link"
        self._targets[path] = target
        if stat.S_ISREG(mode):
            self._files.add(target)
            return "file"
        self._folders.add(target)
        self._above.update(_parents(target))
        return "folder"

    def resolve(self, path: str) -> str:
        """Where the link leads that this path may be; any other path itself."""
        return self._targets.get(path, path)

    def is_taken(self, path: str) -> bool:
        """Whether a link has led to this file before its folder was walked."""
        return path in self._files and path not in self._targets


def _parents(path: str) -> list[str]:
    return [str(parent) for parent in Path(path).parents]


def _scan(folder: str, skipped: Counter[str], on_entries: Callable[[int], None], links: _Links) -> tuple[list[str], list[str]]:
    """The names of a folder's files and of its subfolders, sorted. Raises OSError; on_entries(n) is called every thousand.

    Names alone: a million entries of os.scandir would take as much memory as half their pictures.
    """
    names: list[str] = []
    subfolders: list[str] = []
    on_entries(0)
    with os.scandir(folder) as entries:
        for n, entry in enumerate(entries, 1):
            if n % 1000 == 0:
                on_entries(n)
            if is_ignored(entry.name):
                continue
            if entry.is_symlink() or (hasattr(entry, "is_junction") and entry.is_junction()):
                found = links.follow(entry.path)
                if found in ("file", "folder"):
                    (names if found == "file" else subfolders).append(entry.name)
                else:
                    skipped[found] += 1
            elif entry.is_dir(follow_symlinks=False):
                subfolders.append(entry.name)
            elif entry.is_file(follow_symlinks=False):
                names.append(entry.name)
            else:  # a pipe, a socket, a device
                skipped["not_a_picture"] += 1
    return sorted(names), sorted(subfolders)


def _open(item: Item) -> BinaryIO:
    """The file, if it still is one: a link or a pipe that has replaced it is neither followed nor waited for."""
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    file = os.fdopen(os.open(os.path.join(item.key, item.name), flags), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(f"{item.name} is no file any more")
    return file

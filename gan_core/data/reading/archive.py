"""zip:NAME, the pictures of an archive that was handed in (uploads.save_pictures), or of one whose path is given.

Nothing is ever unpacked to the disk, so names in an archive lead nowhere: they only sort pictures into classes. Entries are
read in memory, no further than a picture may be long, whatever their headers claim. What zipfile takes on trust is checked here.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import stat
import threading
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from ...messages import byte_size, message, os_reason
from .. import array_cache
from ..types import DataError, DataRequest, LoadedData, data_folder
from .decode import Item, decode_files, found_message
from .folder import is_ignored, parse_path
from .picture_file import MAX_BYTES, Unreadable

MAX_ENTRIES = 200_000
MAX_DIRECTORY = 16 << 20  # bytes of the list of entries, which zipfile reads whole
MIN_TOTAL, MAX_RATIO = 1 << 30, 20  # all entries unpacked: a gigabyte, or so many times the archive: pictures hardly shrink
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}-[0-9a-f]{16}")  # what `own` calls an upload; whatever else is asked for is a path
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # the others cannot be unpacked in bounded pieces by zipfile


def source(request: DataRequest) -> LoadedData:
    """An entry of the registry. Raises DataError in a sentence, Cancelled."""
    path = find_archive(request.argument)
    about = path.stat()
    fingerprint = hashlib.sha256(f"{path.resolve()}\0{about.st_size}\0{about.st_mtime_ns}".encode("utf-8", "replace")).hexdigest()
    ours = path.resolve().parent == (data_folder() / "own").resolve()
    origin = f"zip:{path.stem if ours else path.resolve()}"
    loaded = array_cache.get_or_create(request, fingerprint, lambda: read_archive(path, request), origin)
    if not path.is_file():  # it was deleted while it was read: nothing of it stays behind
        array_cache.remove(lambda one: one == origin)
    return loaded


def label(argument: str) -> str:
    """What people call "sheep-0123456789abcdef": what the upload was called before a fingerprint was put behind it."""
    return argument.rpartition("-")[0] or argument


def is_path(name: str) -> bool:
    """Whether zip:NAME opens a path of this machine; False where NAME is an upload's, which leads nowhere else."""
    return not NAME.fullmatch(name)


def find_archive(name: str) -> Path:
    """Where the archive of that name lies: among one's own, or at that path. Raises DataError."""
    if not is_path(name):
        path = data_folder() / "own" / f"{name}.zip"
        if path.is_file():
            return path
        raise DataError("archive_unknown", name=name)
    path = parse_path(name)
    if not os.path.isfile(path):  # Path's own raises where it may not look
        raise DataError("archive_missing", path=path)
    return path


def read_archive(path: Path, request: DataRequest) -> LoadedData:
    """All usable pictures of the archive at `path`. Raises DataError in a sentence, Cancelled."""
    with Archive(path, step=lambda done, total: request.report_progress("reading", done, total)) as archive:
        if not archive.items:
            raise DataError("archive_empty", what=archive.what, found=found_message(archive.skipped))
        return decode_files(archive.items, archive.opened, request, archive.what, archive.skipped)


class Archive:
    """A zip file, listed: `items` may hold pictures, `skipped` counts what is left out unread. Raises DataError."""

    def __init__(self, path: Path, name: str = "", step: Callable[[int, int], None] = lambda done, total: None) -> None:
        self.step = step  # called with (entries listed, all) every thousand: it may raise
        self.what = message("the_archive", name=name or path.name)
        self.lock = threading.Lock()
        self.items: list[Item] = []
        self.skipped: Counter[str] = Counter()
        self.size = path.stat().st_size
        try:
            self.file = _Guarded(io.FileIO(path))
        except OSError as error:
            raise DataError("archive_unreadable", what=self.what, reason=os_reason(error)) from error
        try:
            self.zip = zipfile.ZipFile(self.file)
            self._list(self.zip.infolist())
        except DataError:
            self.file.close()
            raise
        except Exception as error:  # zipfile is at odds with its bytes: BadZipFile, struct.error, ValueError, ...
            self.file.close()
            raise DataError("archive_no_zip", what=self.what) from error

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *error: object) -> None:
        self.zip.close()
        self.file.close()

    @contextlib.contextmanager
    def opened(self, item: Item) -> Iterator[BinaryIO]:
        """An entry as a stream that gives at most what its header announces. Raises Unreadable."""
        try:
            with self.lock:  # zipfile counts its readers without one
                file = self.zip.open(item.key)
            try:
                yield file
            finally:
                with self.lock:
                    file.close()
        except (Unreadable, OSError):
            raise
        except Exception as error:  # a damaged entry: BadZipFile, zlib.error, EOFError, ...
            raise Unreadable("broken") from error

    def _list(self, entries: list[zipfile.ZipInfo]) -> None:
        if len(entries) > MAX_ENTRIES:
            raise DataError("archive_full", what=self.what, count=len(entries), most=MAX_ENTRIES)
        self._refuse_overlaps(entries)
        total, most = 0, max(MIN_TOTAL, MAX_RATIO * self.size)
        for n, info in enumerate(entries):
            if n % 1000 == 0:
                self.step(n, len(entries))
            parts = tuple(part for part in re.split(r"[/\\]", info.filename) if part not in ("", "."))
            if info.orig_filename.endswith(("/", "\\")) or not parts or any(is_ignored(part) for part in parts if part != ".."):
                continue
            reason = _refused(info, parts)
            if not reason:
                total += info.file_size
                reason = "too_large" if total > most else ""
            if reason:
                self.skipped[reason] += 1
            else:
                self.items.append(Item(parts[:-1], parts[-1], info))
        self.items.sort(key=lambda item: (*item.folders, item.name))

    def _refuse_overlaps(self, entries: list[zipfile.ZipInfo]) -> None:
        """Entries that share their bytes make petabytes of a few megabytes: no honest packer writes them."""
        end = 0
        for info in sorted(entries, key=lambda info: info.header_offset):
            if info.header_offset < end:
                raise DataError("archive_overlaps", what=self.what)
            end = info.header_offset + 30 + info.compress_size  # a local header has 30 bytes at least


def _refused(info: zipfile.ZipInfo, parts: tuple[str, ...]) -> str:
    """The reason why an entry is left out unread, or ""."""
    mode, name = info.external_attr >> 16, info.orig_filename
    if info.flag_bits & 0x41:  # encrypted, or strongly so
        return "encrypted"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG) or ".." in parts or re.match(r"[/\\]|[A-Za-z]:", name):
        return "link"
    if "\0" in name or info.compress_type not in METHODS:
        return "broken"
    return "too_large" if info.file_size > MAX_BYTES else ""


class _Guarded(io.BufferedReader):
    """A file that never gives more than MAX_DIRECTORY bytes at once: zipfile reads as many as an archive claims its list has."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > MAX_DIRECTORY:
            raise DataError("archive_directory", size=byte_size(size), most=byte_size(MAX_DIRECTORY))
        return super().read(size)

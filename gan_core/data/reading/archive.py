"""zip:NAME, the pictures of an uploaded archive (uploads.save_pictures), or of one at a path.

Nothing is unpacked to the disk, so names in an archive only sort pictures into classes and lead nowhere. Entries are read in
memory, up to the limit of a picture whatever their headers claim. What zipfile does not check is checked here.
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

from ...messages import Message, byte_size, message, os_reason
from .. import array_cache, memory
from ..types import ByteReader, DataError, DataRequest, LoadedData, data_folder
from . import array_files
from .array_sets import MOST_ARRAYS
from .decode import decode_files, found_message
from .folder import is_ignored, parse_path
from .item import Item
from .picture_file import HEAD, MAX_BYTES, Unreadable
from .zip_names import decode_names

MAX_ENTRIES = 500_000  # zipfile takes 600 bytes and 5 microseconds for each, before a picture is read
MAX_DIRECTORY = 64 << 20  # bytes of the list of entries, which zipfile reads whole
DIRECTORY_MEMORY = 16  # bytes that zipfile may take for each byte of the list: the shortest entry has 47
MIN_TOTAL, MAX_RATIO = 1 << 30, 20  # limit of all entries unpacked: a gigabyte, or 20 times the archive; pictures hardly shrink
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}-[0-9a-f]{16}")  # an upload's name; any other argument is a path
LONG = 1 << 20  # bytes of a read that is worth a look at the free memory
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # zipfile cannot unpack the others in bounded pieces


def source(request: DataRequest) -> LoadedData:
    """The registry's entry. Raises DataError, Cancelled."""
    path = find_archive(request.argument)
    info = path.stat()
    fingerprint = hashlib.sha256(f"{path.resolve()}\0{info.st_size}\0{info.st_mtime_ns}".encode("utf-8", "replace")).hexdigest()
    uploaded = path.resolve().parent == (data_folder() / "own").resolve()
    origin = f"zip:{path.stem if uploaded else path.resolve()}"
    loaded = array_cache.get_or_create(request, fingerprint, lambda: read_archive(path, request), origin)
    if not path.is_file():  # it was deleted while it was read: nothing of it may stay in the cache
        array_cache.remove(lambda entry_origin: entry_origin == origin)
    return loaded


def label(argument: str) -> str:
    """The display name of "sheep-0123456789abcdef": the upload's own name, without the fingerprint."""
    return argument.rpartition("-")[0] or argument


def is_path(name: str) -> bool:
    """Whether zip:NAME opens a path of this machine. An upload's name does not."""
    return not NAME.fullmatch(name)


def find_archive(name: str) -> Path:
    """The file of that name: an upload, or a path. Raises DataError."""
    if not is_path(name):
        path = data_folder() / "own" / f"{name}.zip"
        if path.is_file():
            return path
        raise DataError("archive_unknown", name=name)
    path = parse_path(name)
    if not os.path.isfile(path):  # Path.is_file raises for a path that may not be read
        raise DataError("archive_missing", path=path)
    return path


def read_archive(path: Path, request: DataRequest) -> LoadedData:
    """All usable pictures of the archive at `path`. Raises DataError, Cancelled."""
    with Archive(path, on_entries=lambda done, total: request.report_progress("reading", done, total)) as archive:
        if not archive.items:
            raise DataError("archive_empty", what=archive.what, found=found_message(archive.skipped))
        return decode_files(archive.items, archive.open, request, archive.what, archive.skipped)


class Archive:
    """The entries of a zip file: `items` may be pictures, `skipped` counts those left out unread. Raises DataError.

    on_entries(listed, all) is called every thousand entries and may raise.
    """

    def __init__(self, path: Path, name: str = "", on_entries: Callable[[int, int], None] = lambda done, total: None) -> None:
        self.what = message("the_archive", name=name or path.name)
        self.items: list[Item] = []
        self.skipped: Counter[str] = Counter()
        self._on_entries = on_entries
        self._lock = threading.Lock()
        self._size = path.stat().st_size
        try:
            self._file = _BoundedFile(io.FileIO(path))
            self._file.what = self.what
        except OSError as error:
            raise DataError("archive_unreadable", what=self.what, reason=os_reason(error)) from error
        try:
            self._zip = zipfile.ZipFile(self._file)
            self._list(self._zip.infolist())
        except DataError:
            self._file.close()
            raise
        except Exception as error:  # damaged bytes make zipfile raise BadZipFile, struct.error, ValueError, ...
            self._file.close()
            raise DataError("archive_no_zip", what=self.what) from error

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *error: object) -> None:
        self._zip.close()
        self._file.close()

    @contextlib.contextmanager
    def open(self, item: Item) -> Iterator[ByteReader]:
        """An entry as a stream of at most the length in its header. Raises Unreadable."""
        try:
            with self._lock:  # zipfile's count of its readers is not thread-safe
                file = self._zip.open(item.key)
            try:
                yield file
            finally:
                with self._lock:
                    file.close()
        except (Unreadable, OSError, DataError):
            raise
        except Exception as error:  # a damaged entry: BadZipFile, zlib.error, EOFError, ...
            raise Unreadable("broken") from error

    def _list(self, entries: list[zipfile.ZipInfo]) -> None:
        if len(entries) > MAX_ENTRIES:
            raise DataError("archive_full", what=self.what, count=len(entries), most=MAX_ENTRIES)
        self._refuse_overlaps(entries)
        total, limit = 0, max(MIN_TOTAL, MAX_RATIO * self._size)
        for n, (info, name) in enumerate(zip(entries, decode_names(entries), strict=True)):
            if n % 1000 == 0:
                self._on_entries(n, len(entries))
            parts = tuple(part for part in re.split(r"[/\\]", name) if part not in ("", "."))
            if info.orig_filename.endswith(("/", "\\")) or not parts or any(is_ignored(part) for part in parts if part != ".."):
                continue
            reason = _skip_reason(info, parts)
            if reason == "too_large" and info.file_size <= limit and len(entries) <= MOST_ARRAYS and self._is_array(info):
                reason = ""
            if not reason:
                total += info.file_size
                reason = "too_large" if total > limit else ""
            if reason:
                self.skipped[reason] += 1
            else:
                self.items.append(Item(parts[:-1], parts[-1], info))
        self.items.sort(key=lambda item: (*item.folders, item.name))

    def _is_array(self, info: zipfile.ZipInfo) -> bool:
        """Whether an entry begins like an array, which is read in slices, however long it is."""
        with contextlib.suppress(Unreadable, OSError), self.open(Item((), "", info)) as file:
            return array_files.kind_of(file.read(HEAD)) != ""
        return False

    def _refuse_overlaps(self, entries: list[zipfile.ZipInfo]) -> None:
        """Overlapping entries unpack a few megabytes to petabytes, and no honest packer writes them."""
        end = 0
        for info in sorted(entries, key=lambda info: info.header_offset):
            if info.header_offset < end:
                raise DataError("archive_overlaps", what=self.what)
            end = info.header_offset + 30 + info.compress_size  # a local header has 30 bytes at least


def _skip_reason(info: zipfile.ZipInfo, parts: tuple[str, ...]) -> str:
    """The reason why an entry is left out unread, or ""."""
    mode, name = info.external_attr >> 16, info.orig_filename
    if info.flag_bits & 0x41:  # encrypted, or strongly so
        return "encrypted"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG) or ".." in parts or re.match(r"[/\\]|[A-Za-z]:", name):
        return "link"
    if "\0" in name or info.compress_type not in METHODS:
        return "broken"
    return "too_large" if info.file_size > MAX_BYTES else ""


class _BoundedFile(io.BufferedReader):
    """A file that refuses to read more than MAX_DIRECTORY bytes at once, or than memory allows: zipfile trusts the length that
    an archive gives for its list.
    """

    what: Message

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > MAX_DIRECTORY:
            raise DataError("archive_directory", size=byte_size(size), most=byte_size(MAX_DIRECTORY))
        if size is not None and size > LONG:
            memory.check_bytes(DIRECTORY_MEMORY * size, self.what)
        return super().read(size)

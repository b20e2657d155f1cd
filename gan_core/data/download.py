"""Download one file atomically: progress, cancel, resume, checks, and a sentence for every failure.

`http` makes the connection, `partial_file` keeps what arrived. Which files a data set needs is left to its module.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..messages import ByteSize, byte_size, message, os_reason
from ..runs.file_lock import FileLock, Held
from .http import TICK, ConnectionCut, FetchFailed, Response, open_response
from .partial_file import Note, PartialFile, note_path
from .types import DataError, DataRequest

RETRY_PAUSE = 0.5  # seconds before a connection that was cut is tried again
MAX_CONNECTIONS = 20  # for one file from one address; each must have brought something new
MAX_BYTES = 4 << 30  # of a file; ours are smaller, so a server that never ends is given up


class Unreachable(DataError):
    """The network or the server failed: the sentence names each address that was tried and its answer."""


class DiskFull(Exception):
    """The disk has less room than `needed`, which is known before anything is written."""

    def __init__(self, needed: ByteSize) -> None:
        super().__init__(needed)
        self.needed = needed


class StalePart(FetchFailed):
    """The bytes that are here are not the beginning of the file on the server."""


def fetch(urls: str | Sequence[str], path: Path, request: DataRequest, *, md5: str | None = None, size: int | None = None,
          first: int | None = None) -> Path:
    """Download to `path` from the first of `urls` that delivers the file; a file that is there already is used as it is.

    Until the file is complete and checked it is called NAME.part, which a later call resumes if the server still has the same
    version. size: its length in bytes. first: only this many bytes of its beginning are needed; a later call may ask for more.
    Two processes that need the same file fetch it once. Raises Cancelled, Unreachable, or DataError where the disk refuses.
    """
    try:
        if _is_complete(path, size, first):  # before anything is written: the folder may be read-only
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        with _lock(path, request):
            part = PartialFile(path)
            if _is_complete(path, size, first):  # another process was faster
                return path
            if first is not None:
                part.extend_target()
            failures = []
            for url in [urls] if isinstance(urls, str) else urls:
                try:
                    _download(url, part, request, md5, size, first)
                    part.finish(keep_note=first is not None)
                    return path
                except FetchFailed as error:
                    failures.append(message("tried", url=url, reason=error))
            failed = Unreachable("unreachable", dataset={"dataset": request.name}, file=path.name, tried=failures)
            raise Unreachable("unreachable_kept", first=failed, size=byte_size(part.size)) if part.size else failed
    except DiskFull as full:
        raise DataError("disk", file=path.name, folder=path.parent, reason=message("no_room", need=full.needed)) from full
    except OSError as error:
        raise DataError("disk", file=path.name, folder=path.parent, reason=os_reason(error)) from error


def _is_complete(path: Path, size: int | None, first: int | None) -> bool:
    if not path.is_file():
        return False
    length = path.stat().st_size
    if first is None:
        return size is None or length == size
    return length >= first or 0 < Note.read(note_path(path)).total <= length


@contextlib.contextmanager
def _lock(path: Path, request: DataRequest) -> Iterator[None]:
    """One process at a time; the lock of a killed one is free again. Waiting can be cancelled."""
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    while True:
        try:
            lock.acquire(TICK)
            break
        except Held as held:
            if held.marker is not None:  # nobody here could tell when it ends
                raise DataError("locked", file=path.name, pid=held.pid, host=held.host, lock=held.marker) from held
            request.report_progress("downloading", 0, 0, path.name)
    try:
        yield
    finally:
        lock.release()


def _download(url: str, part: PartialFile, request: DataRequest, md5: str | None, size: int | None, first: int | None) -> None:
    """Fill the part from this address and check it. A connection that is cut is retried as long as each try brings more."""
    furthest = part.size if part.note.url == url else 0
    for attempt in range(MAX_CONNECTIONS):
        try:
            _continue(url, part, request, size, first)
        except StalePart as error:
            part.drop()
            if attempt:
                raise FetchFailed(error.key, **error.values) from error
        except ConnectionCut:
            if part.size <= furthest or attempt == MAX_CONNECTIONS - 1:
                raise
            furthest = part.size
            for _ in range(round(RETRY_PAUSE / TICK)):
                request.report_progress("downloading", part.size, part.note.total, part.target.name)
                time.sleep(TICK)
        else:
            if md5 is None or _md5(part, request) == md5:
                return
            part.drop()
            if not attempt and furthest:  # the bytes of an earlier call may have been damaged: once more from the beginning
                furthest = 0
                continue
            raise FetchFailed("checksum")


def _continue(url: str, part: PartialFile, request: DataRequest, size: int | None, first: int | None) -> None:
    """One connection: the part grows until it is complete. Raises FetchFailed and its kinds, DiskFull, OSError."""
    note = part.note
    have = part.size if note.url == url and note.version else 0
    if have and (have == note.total or (first and have >= first)):
        return
    headers = {"Accept-Encoding": "identity", "User-Agent": "gan-playground"}
    if have or first:
        headers["Range"] = f"bytes={have}-{first - 1 if first else ''}"
    if have:
        headers["If-Range"] = note.version

    def on_wait() -> None:
        request.report_progress("downloading", part.size, part.note.total, part.target.name)

    on_wait()
    with open_response(url, headers, on_wait) as response:
        start, total = _range(response.status, response.headers, have, size)
        if not start:
            part.begin(Note(url, _version(response.headers), total))
        _write(response, part, request, start, min(first or MAX_BYTES, total or MAX_BYTES), total)


def _write(response: Response, part: PartialFile, request: DataRequest, start: int, end: int, total: int) -> None:
    """Write the response's bytes at start..end of the part; end is MAX_BYTES where the length is not known."""
    if shutil.disk_usage(part.path.parent).free < (end - start if end < MAX_BYTES else 0):
        raise DiskFull(byte_size(end - start))
    with open(part.path, "rb+") as file:
        file.seek(start)
        file.truncate()
        done = start
        for chunk in response.chunks:
            chunk = chunk[:end - done]
            file.write(chunk)
            done += len(chunk)
            request.report_progress("downloading", done, min(end, total or end) if end < MAX_BYTES else 0, part.target.name)
            if done >= end:
                break
    if done >= MAX_BYTES:
        raise FetchFailed("too_long", most=byte_size(MAX_BYTES))
    if total and done < end:
        raise ConnectionCut("cut_after", done=byte_size(done), total=byte_size(end))


def _range(status: int, headers: Mapping[str, str], have: int, size: int | None) -> tuple[int, int]:
    """(first byte that will come, length of the whole file or 0). Raises FetchFailed where the response is not the file."""
    if status == 416 and have:
        raise StalePart("shorter")
    if status not in (200, 206):
        raise FetchFailed("status", status=str(status))
    if headers.get("content-type", "").startswith("text/html"):
        raise FetchFailed("web_page")
    start = 0
    if status == 206:
        unit, _, rest = headers.get("content-range", "").partition(" ")
        span, _, length = rest.partition("/")
        begin = span.partition("-")[0]
        if unit != "bytes" or not begin.isdecimal() or int(begin) != have:
            raise StalePart("other_part")
        start, total = have, int(length) if length.isdecimal() else 0
    else:
        length = headers.get("content-length", "")
        total = int(length) if length.isdecimal() else 0
    total = total or size or 0
    if size is not None and total != size:
        raise FetchFailed("other_length", have=total, want=size)
    if total > MAX_BYTES:
        raise FetchFailed("too_large", size=byte_size(total))
    return start, total


def _version(headers: Mapping[str, str]) -> str:
    """What If-Range takes (RFC 9110, 13.1.5): a strong ETag, or a date."""
    tag = headers.get("etag", "")
    return tag if tag.startswith('"') else headers.get("last-modified", "")


def _md5(part: PartialFile, request: DataRequest) -> str:
    """The checksum of what is on the disk. torchvision's tables hold no other kind."""
    digest, done = hashlib.md5(usedforsecurity=False), 0
    with open(part.path, "rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
            done += len(block)
            request.report_progress("reading", done, part.size, part.target.name)
    return digest.hexdigest()

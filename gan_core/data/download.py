"""One file over the network, whole or not at all: progress, cancel, resume, checks, and a sentence for everything that fails.

It knows addresses and bytes, no data set; the connection is `wire`'s.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..messages import byte_size, message, os_reason
from ..runs.files import replace, sync_folder
from .http import TICK, ConnectionCut, FetchFailed, stream_response
from .types import DataError, DataRequest

PAUSE = 0.5  # seconds before a connection that was cut is tried again
TRIES = 20  # connections for one file from one address; each must have brought something new
MOST = 4 << 30  # bytes; no file of ours is larger, so a server that never ends is not read for ever


class Unreachable(DataError):
    """The network or the server is why: the sentence says which address was tried and what it answered."""


class DiskFull(Exception):
    """The disk has less room than this, in bytes as a sentence takes them; known before any of it is written."""


class StalePart(FetchFailed):
    """What is here is not a beginning of what is there."""


@dataclass
class _Note:
    """Of which address and version the bytes of a file are; lies beside it as NAME.json. version: for If-Range, "" if unknown."""

    url: str = ""
    version: str = ""
    total: int = 0  # length of the whole file, 0 if unknown

    @classmethod
    def read(cls, path: Path) -> _Note:
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            return cls(str(values["url"]), str(values["version"]), int(values["total"]))
        except (OSError, ValueError, KeyError, TypeError):
            return cls()

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")


class _Part:
    """NAME.part and its note. One that has no note has no past: it begins anew."""

    def __init__(self, path: Path) -> None:
        self.whole, self.whole_note = path, _beside(path)
        self.path = path.with_name(path.name + ".part")
        self.note_path = _beside(self.path)
        if self.note_path.exists() and not self.path.exists():  # somebody was stopped between the two moves of `finish`
            os.replace(self.note_path, self.whole_note)

    @property
    def size(self) -> int:
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    @property
    def note(self) -> _Note:
        return _Note.read(self.note_path)

    def continue_whole(self) -> None:
        """Let the part begin with the file as it is, whose beginning alone was fetched: the file itself stays in use."""
        if self.whole.is_file() and self.whole.stat().st_size > self.size and _Note.read(self.whole_note).version:
            self.drop()
            shutil.copyfile(self.whole, self.path)
            shutil.copyfile(self.whole_note, self.note_path)

    def begin(self, note: _Note) -> None:
        self.note_path.unlink(missing_ok=True)
        self.path.write_bytes(b"")
        note.write(self.note_path)

    def drop(self) -> None:
        self.note_path.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def finish(self, keep_note: bool) -> None:
        """The part becomes the file, as one act; the note follows it."""
        with open(self.path, "rb+") as file:
            os.fsync(file.fileno())
        replace(self.path, self.whole)
        if keep_note:
            replace(self.note_path, self.whole_note)
        else:
            self.note_path.unlink(missing_ok=True)
        sync_folder(self.whole.parent)


def fetch(urls: str | Sequence[str], path: Path, request: DataRequest, *, md5: str | None = None, size: int | None = None,
          first: int | None = None) -> Path:
    """The file behind the first of `urls` that gives it, at `path`; a file that is there already is taken as it is.

    Until it is whole and checked it is called NAME.part, which a later call goes on from if the server still has the same
    version. size: its length in bytes. first: only so many bytes of its beginning are wanted; a later call may want more.
    Two processes that want the same file fetch it once. Raises Cancelled, Unreachable, or DataError for a disk that refuses;
    all in a sentence.
    """
    try:
        if _enough(path, size, first):  # before anything is written: the folder may be somebody else's
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path, request):
            part = _Part(path)
            if _enough(path, size, first):  # another process was quicker
                return path
            if first is not None:
                part.continue_whole()
            tried = []
            for url in [urls] if isinstance(urls, str) else urls:
                try:
                    _from(url, part, request, md5, size, first)
                    part.finish(keep_note=first is not None)
                    return path
                except FetchFailed as error:
                    tried.append(message("tried", url=url, reason=error))
            failed = Unreachable("unreachable", dataset={"dataset": request.name}, file=path.name, tried=tried)
            raise Unreachable("unreachable_kept", first=failed, size=byte_size(part.size)) if part.size else failed
    except DiskFull as full:
        raise DataError("disk", file=path.name, folder=path.parent, reason=message("no_room", need=full.args[0])) from full
    except OSError as error:
        raise DataError("disk", file=path.name, folder=path.parent, reason=os_reason(error)) from error


def _enough(path: Path, size: int | None, first: int | None) -> bool:
    if not path.is_file():
        return False
    have = path.stat().st_size
    if first is None:
        return size is None or have == size
    return have >= first or 0 < _Note.read(_beside(path)).total <= have


def _beside(path: Path) -> Path:
    """Where the note of a file is whose beginning alone was fetched."""
    return path.with_name(path.name + ".json")


@contextlib.contextmanager
def _alone(path: Path, request: DataRequest) -> Iterator[None]:
    """One process at a time; a killed one's lock is free again. Whoever waits can be cancelled."""
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    while True:
        try:
            lock.acquire(timeout=TICK)
            break
        except Timeout:
            request.report_progress("downloading", 0, 0, path.name)
    try:
        yield
    finally:
        lock.release()


def _from(url: str, part: _Part, request: DataRequest, md5: str | None, size: int | None, first: int | None) -> None:
    """Fill the part from this address and check it. A connection that is cut is tried again as long as each brings more."""
    furthest = part.size if part.note.url == url else 0
    for attempt in range(TRIES):
        try:
            _attempt(url, part, request, size, first)
        except StalePart as error:
            part.drop()
            if attempt:
                raise FetchFailed(error.key, **error.values) from error
        except ConnectionCut:
            if part.size <= furthest or attempt == TRIES - 1:
                raise
            furthest = part.size
            for _ in range(round(PAUSE / TICK)):
                request.report_progress("downloading", part.size, part.note.total, part.whole.name)
                time.sleep(TICK)
        else:
            if md5 is None or _md5(part, request) == md5:
                return
            part.drop()
            if not attempt and furthest:  # what was here before may have been spoilt: once more from the beginning
                furthest = 0
                continue
            raise FetchFailed("checksum")


def _attempt(url: str, part: _Part, request: DataRequest, size: int | None, first: int | None) -> None:
    """One connection: the part grows until it is whole. Raises FetchFailed and its kinds, and OSError of the disk."""
    note = part.note
    have = part.size if note.url == url and note.version else 0
    if have and (have == note.total or (first and have >= first)):
        return
    headers = {"Accept-Encoding": "identity", "User-Agent": "gan-playground"}
    if have or first:
        headers["Range"] = f"bytes={have}-{first - 1 if first else ''}"
    if have:
        headers["If-Range"] = note.version

    def waiting() -> None:
        request.report_progress("downloading", part.size, part.note.total, part.whole.name)

    waiting()
    with contextlib.closing(stream_response(url, headers, waiting)) as came:
        status, head = next(came)
        start, total = _judged(status, head, have, size)
        if not start:
            part.begin(_Note(url, _version(head), total))
        end = min(first or MOST, total or MOST)
        if shutil.disk_usage(part.path.parent).free < (end - start if end < MOST else 0):
            raise DiskFull(byte_size(end - start))
        with open(part.path, "rb+") as file:
            file.seek(start)
            file.truncate()
            done = start
            for chunk in came:
                chunk = chunk[:end - done]
                file.write(chunk)
                done += len(chunk)
                request.report_progress("downloading", done, min(end, total or end) if end < MOST else 0, part.whole.name)
                if done >= end:
                    break
        if done >= MOST:
            raise FetchFailed("too_long", most=byte_size(MOST))
        if total and done < end:
            raise ConnectionCut("cut_after", done=byte_size(done), total=byte_size(end))


def _judged(status: int, head: Any, have: int, size: int | None) -> tuple[int, int]:
    """(first byte that will come, length of the whole file or 0) of an answer. Raises FetchFailed where it is not the file."""
    if status == 416 and have:
        raise StalePart("shorter")
    if status not in (200, 206):
        raise FetchFailed("status", status=str(status))
    if head.get("content-type", "").startswith("text/html"):
        raise FetchFailed("web_page")
    start = 0
    if status == 206:
        unit, _, rest = head.get("content-range", "").partition(" ")
        span, _, length = rest.partition("/")
        begin = span.partition("-")[0]
        if unit != "bytes" or not begin.isdecimal() or int(begin) != have:
            raise StalePart("other_part")
        start, total = have, int(length) if length.isdecimal() else 0
    else:
        length = head.get("content-length", "")
        total = int(length) if length.isdecimal() else 0
    total = total or size or 0
    if size is not None and total != size:
        raise FetchFailed("other_length", have=total, want=size)
    if total > MOST:
        raise FetchFailed("too_large", size=byte_size(total))
    return start, total


def _version(head: Any) -> str:
    """What If-Range takes (RFC 9110, 13.1.5): a strong ETag, or a date."""
    tag = head.get("etag", "")
    return tag if tag.startswith('"') else head.get("last-modified", "")


def _md5(part: _Part, request: DataRequest) -> str:
    """Of what is on the disk, not of what was thought to be written. torchvision's tables hold no other sum."""
    digest, done = hashlib.md5(usedforsecurity=False), 0
    with open(part.path, "rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
            done += len(block)
            request.report_progress("reading", done, part.size, part.whole.name)
    return digest.hexdigest()

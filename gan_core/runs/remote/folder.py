"""A folder at any fsspec address: listings, bounded reads and whole writes; every failure is one sentence.

Names that the remote side lists are never used as paths: callers ask for the names that they know.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem
from fsspec.registry import known_implementations

from ..files import atomic_write
from ..run import RunError

CHUNK = 1 << 20  # bytes of one read
MAX_ENTRIES = 20_000  # of one folder
STAMPS = ("ETag", "etag", "md5Hash", "checksum", "mtime", "LastModified", "last_modified", "updated", "created")


class RemoteError(RunError):
    """The remote side cannot be read or written, or must not be; one sentence."""


class Missing(RemoteError):
    """There is no such file, or not any more."""


class NoRanges(RemoteError):
    """The file cannot be read in pieces; drivers raise ValueError then."""


@dataclass(frozen=True)
class Entry:
    """One plain file of a listing. `size`: in bytes, -1 where it is unknown; `stamp`: differs after every change, may be ""."""

    name: str
    size: int
    stamp: str


class RemoteFolder:
    """One folder. Raises RemoteError where the address is invalid or its driver is not installed."""

    def __init__(self, url: str) -> None:
        url = str(url).strip()
        self.url = redact_url(url)
        if not url:
            raise RemoteError("No address was given; give one such as s3://bucket/runs/my-run.")
        try:
            self.fs, root = url_to_fs(url)
        except ImportError as error:
            driver = _driver(url, error)
            raise RemoteError(f"{self.url} needs a driver that is not installed here: pip install {driver}") from error
        except Exception as error:  # each driver raises its own exceptions for an address that it cannot parse
            raise RemoteError(f"{self.url} is no address that can be read ({_short(error)}); "
                              "give one such as s3://bucket/runs/my-run.") from error
        self.root = str(root).rstrip("/")
        self._existing: set[str] = set()  # subfolders that need not be made again

    def _call(self, what: str, function: Callable[..., Any], *args: Any, **more: Any) -> Any:
        """Call the driver; any exception becomes a RemoteError with one sentence about `what`."""
        try:
            return function(*args, **more)
        except FileNotFoundError as error:
            raise Missing(f"{self.url} has no {what}.") from error
        except ValueError as error:
            raise NoRanges(f"{self.url}: {what} cannot be read ({_short(error)}).") from error
        except Exception as error:  # each driver raises its own exceptions: botocore's, aiohttp's, paramiko's ...
            raise RemoteError(f"{self.url}: {what} cannot be reached ({_short(error)}).") from error

    def path(self, name: str) -> str:
        """The driver's path of a file or subfolder; "" is this folder."""
        return f"{self.root}/{name}" if name else self.root or "/"

    def _listing(self, folder: str) -> list[dict[str, Any]]:
        self.fs.invalidate_cache()  # drivers cache listings, but the other side changes
        try:
            entries = self._call(folder or "the folder", self.fs.ls, self.path(folder), detail=True)
        except Missing:
            return []
        if len(entries) > MAX_ENTRIES:
            raise RemoteError(f"{self.url} lists {len(entries):,} files in {folder or 'one folder'}; "
                              f"a run has fewer than {MAX_ENTRIES:,}.")
        return entries

    def files(self, folder: str = "") -> dict[str, Entry]:
        """The plain files of a subfolder by name, without links and pipes. A missing subfolder is empty."""
        entries = {}
        for info in self._listing(folder):
            name, size = str(info.get("name", "")).rsplit("/", 1)[-1], info.get("size")
            if info.get("type") == "file" and not info.get("islink"):
                stamp = " ".join(f"{key}={info[key]}" for key in STAMPS if info.get(key) is not None)
                entries[name] = Entry(name, size if isinstance(size, int) and size >= 0 else -1, stamp)
        return entries

    def folders(self) -> list[str]:
        """The subfolders whose names consist of letters, digits, dots and dashes and do not begin with a dot."""
        names = (str(info.get("name", "")).rstrip("/").rsplit("/", 1)[-1] for info in self._listing("")
                 if info.get("type") == "directory" and not info.get("islink"))
        return sorted(name for name in names if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,120}", name))

    def chunks(self, name: str, limit: int, start: int = 0) -> Iterator[bytes]:
        """The bytes of a file from `start` on. Raises RemoteError where there are more than `limit` of them."""
        position, end = start, start + limit + 1
        for stream in (False, True):
            try:
                for chunk in self._pieces(name, position, end, stream):
                    position += len(chunk)
                    if position == end:
                        raise RemoteError(f"{self.url}: {name} is larger than {limit:,} bytes, the most that is allowed there.")
                    yield chunk
                return
            except NoRanges:
                if stream:
                    raise

    def _pieces(self, name: str, position: int, end: int, stream: bool) -> Iterator[bytes]:
        """The bytes from `position` to `end`. stream: read from the beginning, for a server without ranges."""
        file = self._call(name, self.fs.open, self.path(name), "rb", **({"block_size": 0} if stream else {}))
        try:
            at = 0
            if position and not stream:
                self._call(name, file.seek, position)
                at = position
            while chunk := self._call(name, file.read, min(CHUNK, (position if at < position else end) - at)):
                at += len(chunk)
                if at > position:
                    yield chunk
        finally:
            file.close()

    def read(self, name: str, limit: int, start: int = 0) -> bytes:
        """The bytes of a file from `start` on, at most `limit`."""
        return b"".join(self.chunks(name, limit, start))

    def write(self, name: str, data: bytes) -> None:
        """Write a file, atomically on a disk and on object stores, whose writes are whole."""
        self._make_folder(name)
        if isinstance(self.fs, LocalFileSystem):
            self._call(name, atomic_write, self.path(name), data)
        else:
            self._call(name, self.fs.pipe_file, self.path(name), data)

    def upload(self, name: str, path: str) -> None:
        """Write a large local file there without holding it in memory."""
        self._make_folder(name)
        self._call(name, self.fs.put_file, path, self.path(name))

    def remove(self, name: str) -> None:
        """Delete a file."""
        self._call(name, self.fs.rm_file, self.path(name))

    def _make_folder(self, name: str) -> None:
        folder = name.rpartition("/")[0]
        if folder not in self._existing:
            try:
                self._call(folder or "the folder", self.fs.makedirs, self.path(folder), exist_ok=True)
            except Missing as error:
                raise RemoteError(f"{self.url} cannot be written to; give an address where folders can be made.") from error
            self._existing.add(folder)


def redact_url(url: str) -> str:
    """The address without user name, password and the query of a signed address, so that it can be shown and stored."""
    url = re.sub(r"(?<=://)(?:[^/\s]*@|[^/:@\s]*:(?!\d+/)\S*@)", "", url)  # a password may hold @ and /
    return re.sub(r"(://[^?\s]*\?)[^\s'\")]+", r"\1...", url)


def _driver(url: str, error: ImportError) -> str:
    """The package to install for this address: the one that fsspec would have imported."""
    protocol = url.split("://")[0].rsplit("::", 1)[-1]
    package = known_implementations.get(protocol, {}).get("class", "").split(".")[0]
    if package not in ("", "fsspec"):
        return package
    cause = error.__cause__ if isinstance(error.__cause__, ImportError) else error
    return (cause.name or f"fsspec[{protocol}]").split(".")[0]


def _short(error: Exception) -> str:
    """A driver's error on one line. It may quote the address with its password, so that is removed."""
    text = (str(error).strip() or "no reason given").splitlines()[0]
    return f"{type(error).__name__}: {redact_url(text)[:200]}"


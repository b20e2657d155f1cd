"""A folder at any fsspec address, as little as a run needs: what is listed, bounded reads, whole writes; every fault a sentence.

It knows nothing of runs. Names that a remote side gives are never used as paths: callers ask for names that they know.
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

CHUNK = 1 << 20  # bytes asked for at once
MOST_ENTRIES = 20_000  # in one folder
STAMPS = ("ETag", "etag", "md5Hash", "checksum", "mtime", "LastModified", "last_modified", "updated", "created")


class RemoteError(RunError):
    """What cannot be read or written there, or must not be; one sentence."""


class Missing(RemoteError):
    """There is no such file, or no longer."""


class NoRanges(RemoteError):
    """It cannot be read in pieces: drivers say so by a ValueError."""


@dataclass(frozen=True)
class Entry:
    """One plain file of a listing. size: bytes, -1 where the other side does not say; stamp: another one after every change."""

    name: str
    size: int
    stamp: str


class RemoteFolder:
    """One folder. Raises RemoteError where the address makes no sense or its driver is not installed."""

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
        except Exception as error:  # each driver has errors of its own, already for what it cannot parse
            raise RemoteError(f"{self.url} is no address that can be read ({_short(error)}); "
                              "give one such as s3://bucket/runs/my-run.") from error
        self.root = str(root).rstrip("/")
        self._made: set[str] = set()

    def _do(self, what: str, function: Callable[..., Any], *args: Any, **more: Any) -> Any:
        """One call into the driver; whatever it raises becomes a sentence."""
        try:
            return function(*args, **more)
        except FileNotFoundError as error:
            raise Missing(f"{self.url} has no {what}.") from error
        except ValueError as error:
            raise NoRanges(f"{self.url}: {what} cannot be read ({_short(error)}).") from error
        except Exception as error:  # botocore's, aiohttp's, paramiko's ...: each driver has errors of its own
            raise RemoteError(f"{self.url}: {what} cannot be reached ({_short(error)}).") from error

    def path(self, name: str) -> str:
        return f"{self.root}/{name}" if name else self.root or "/"

    def _listing(self, folder: str) -> list[dict[str, Any]]:
        self.fs.invalidate_cache()  # drivers remember listings, and the other side changes
        try:
            found = self._do(folder or "the folder", self.fs.ls, self.path(folder), detail=True)
        except Missing:
            return []
        if len(found) > MOST_ENTRIES:
            raise RemoteError(f"{self.url} lists {len(found):,} files in {folder or 'one folder'}; "
                              f"a run has fewer than {MOST_ENTRIES:,}.")
        return found

    def files(self, folder: str = "") -> dict[str, Entry]:
        """Plain files by name; links, pipes and folders are left out. An absent folder is empty."""
        entries = {}
        for about in self._listing(folder):
            name, size = str(about.get("name", "")).rsplit("/", 1)[-1], about.get("size")
            if about.get("type") == "file" and not about.get("islink"):
                stamp = " ".join(f"{key}={about[key]}" for key in STAMPS if about.get(key) is not None)
                entries[name] = Entry(name, size if isinstance(size, int) and size >= 0 else -1, stamp)
        return entries

    def folders(self) -> list[str]:
        """The names of the folders in it that are plain: letters, digits, dots, dashes, none of them hidden."""
        names = (str(about.get("name", "")).rstrip("/").rsplit("/", 1)[-1] for about in self._listing("")
                 if about.get("type") == "directory" and not about.get("islink"))
        return sorted(name for name in names if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,120}", name))

    def chunks(self, name: str, limit: int, start: int = 0) -> Iterator[bytes]:
        """The file's bytes from `start` on, at most `limit` of them: one more raises RemoteError."""
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
        """Bytes position to end. stream: from a server without ranges, which sends the file from its beginning."""
        file = self._do(name, self.fs.open, self.path(name), "rb", **({"block_size": 0} if stream else {}))
        try:
            at = 0
            if position and not stream:
                self._do(name, file.seek, position)
                at = position
            while chunk := self._do(name, file.read, min(CHUNK, (position if at < position else end) - at)):
                at += len(chunk)
                if at > position:
                    yield chunk
        finally:
            file.close()

    def read(self, name: str, limit: int, start: int = 0) -> bytes:
        return b"".join(self.chunks(name, limit, start))

    def write(self, name: str, data: bytes) -> None:
        """Put a file there: as one act on a disk, and on object stores, whose writes are whole."""
        self._make_folder(name)
        if isinstance(self.fs, LocalFileSystem):
            self._do(name, atomic_write, self.path(name), data)
        else:
            self._do(name, self.fs.pipe_file, self.path(name), data)

    def upload(self, name: str, path: str) -> None:
        """Put a large file there without holding it in memory."""
        self._make_folder(name)
        self._do(name, self.fs.put_file, path, self.path(name))

    def remove(self, name: str) -> None:
        self._do(name, self.fs.rm_file, self.path(name))

    def _make_folder(self, name: str) -> None:
        folder = name.rpartition("/")[0]
        if folder not in self._made:
            try:
                self._do(folder or "the folder", self.fs.makedirs, self.path(folder), exist_ok=True)
            except Missing as error:
                raise RemoteError(f"{self.url} cannot be written to; give an address where folders can be made.") from error
            self._made.add(folder)


def redact_url(url: str) -> str:
    """The address as people and files may see it: without user name and password, and without the keys of a signed one."""
    url = re.sub(r"(?<=://)(?:[^/\s]*@|[^/:@\s]*:(?!\d+/)\S*@)", "", url)  # a password may hold @ and /
    return re.sub(r"(://[^?\s]*\?)[^\s'\")]+", r"\1...", url)


def _driver(url: str, error: ImportError) -> str:
    """What to install for this address: the package that fsspec would have imported."""
    protocol = url.split("://")[0].rsplit("::", 1)[-1]
    package = known_implementations.get(protocol, {}).get("class", "").split(".")[0]
    if package not in ("", "fsspec"):
        return package
    cause = error.__cause__ if isinstance(error.__cause__, ImportError) else error
    return (cause.name or f"fsspec[{protocol}]").split(".")[0]


def _short(error: Exception) -> str:
    """A driver's error for a sentence; it may quote the address, password and all."""
    text = (str(error).strip() or "no reason given").splitlines()[0]
    return f"{type(error).__name__}: {redact_url(text)[:200]}"


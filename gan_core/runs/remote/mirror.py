"""A local copy of a run folder at another address; each refresh fetches what is new.

A copy is read-only. Its status is written last, so that it never refers to a file that is not here yet. The other side is not
trusted: `validation` checks what it sends.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from .. import layout
from ..checkpoint_index import CheckpointError, read_pointer
from ..file_lock import FileLock, Held
from ..files import atomic_write, folder_name, replace
from ..run import Run, RunError
from ..status import Status
from . import validation
from .folder import Entry, Missing, RemoteError, RemoteFolder, redact_url

LOCK = ".mirror.lock"  # one process at a time refreshes a copy
MAX_TRIES = 3  # reads of a run that changes meanwhile
OVERLAP = 256  # bytes of known metrics that are fetched again, to check that it is still the same file
# (file, bytes done, total bytes as far as known); an exception ends the transfer
ProgressCallback = Callable[[str, int, int], None]


class Mirror:
    """A remote run and its local copy. Call `refresh` repeatedly to follow a run that trains; not thread-safe."""

    def __init__(self, url: str, folder: Path | str, *, checkpoints: bool = False,
                 on_progress: ProgressCallback | None = None) -> None:
        self.remote, self.checkpoints, self._on_progress = RemoteFolder(url), checkpoints, on_progress
        key = hashlib.sha256(redact_url(url.strip()).rstrip("/").encode()).hexdigest()[:8]
        self.path = Path(folder) / f"{folder_name(self.remote.root.rsplit('/', 1)[-1]) or 'run'}-{key}"
        self._stamps: dict[str, str] = {}
        self._status: bytes | None = None
        self._done = self._total = 0

    @property
    def run(self) -> Run:
        """The copy. Raises RunError before the first successful refresh."""
        return Run.open(self.path)

    def refresh(self) -> bool:
        """Fetch what is new; returns whether there was anything. Raises RemoteError, and RunError for the local disk."""
        try:
            for folder in layout.SUBFOLDERS:
                (self.path / folder).mkdir(parents=True, exist_ok=True)
            with FileLock(self.path / LOCK).acquire(60):
                return self._refresh()
        except Held as error:
            raise RemoteError(f"{self.path} is being fetched by another process; wait for its end.{error.hint}") from error
        except OSError as error:
            raise RunError(f"{self.path} cannot be written ({error.strerror or error}); choose another folder.") from error
        finally:
            if not (self.path / layout.CONFIG).exists():  # nothing was fetched: leave nothing behind
                shutil.rmtree(self.path, ignore_errors=True)

    def _refresh(self) -> bool:
        files = self.remote.files()
        for name in (layout.CONFIG, layout.STATUS):
            if name not in files:
                raise RemoteError(f"There is no run at {self.remote.url}: it has no {name}.")
        self._fetch_config()
        for attempt in range(MAX_TRIES):
            data = self.remote.read(layout.STATUS, validation.TEXT_LIMIT)
            if data == self._status:
                return False
            status = validation.parse_status(data)
            if attempt == MAX_TRIES - 1:
                status.live = 0  # the live file changes too fast to be fetched; everything else can be shown
            self._done = self._total = 0
            try:
                names = self._fetch(files, status)
                break
            except Missing:  # the run went on and deleted a file that the status refers to: read again
                if attempt == MAX_TRIES - 1:
                    raise
                files = self.remote.files()
        status.host = status.host or self.remote.url
        self._put(layout.STATUS, json.dumps(status.to_dict()).encode())
        self._status = data
        for path in (*(self.path / layout.FRAMES).glob("*.*"), *(self.path / layout.LIVE).glob("*.*")):
            if path.name not in names:
                path.unlink(missing_ok=True)
        return True

    def _fetch_config(self) -> None:
        """Fetch config.json. Where the address holds another run than before, the old copy is deleted."""
        info = validation.parse_info(self.remote.read(layout.CONFIG, validation.TEXT_LIMIT), self.remote.url)
        data = json.dumps(info, indent=1).encode()
        path = self.path / layout.CONFIG
        if path.exists() and path.read_bytes() == data:
            return
        if path.exists():
            self._clear()
            for folder in layout.SUBFOLDERS:
                (self.path / folder).mkdir(parents=True, exist_ok=True)
        self._stamps, self._status = {}, None
        atomic_write(path, data)
        self._put(layout.STATUS, json.dumps(Status(host=self.remote.url).to_dict()).encode())

    def _clear(self) -> None:
        for path in (*self.path.glob("*"), *(file for folder in layout.SUBFOLDERS for file in (self.path / folder).glob("*"))):
            if path.is_file() and not path.name.startswith(LOCK):
                path.unlink(missing_ok=True)

    # What a status refers to, in an order that is safe for readers.

    def _fetch(self, files: dict[str, Entry], status: Status) -> set[str]:
        """Fetch all that this status refers to; returns the current file names of frames/ and live/."""
        small = [files[name] for name in validation.SMALL_FILES if name in files and not self._is_known(files[name])]
        segments = self._entries(layout.METRICS, layout.METRICS_PATTERN, validation.MAX_LIVES)
        frames = self._entries(layout.FRAMES, layout.FRAME_PATTERN, validation.MAX_FRAMES)
        live = [layout.live_name(status.live)] if status.live > 0 else []
        new = [entry for entry in frames if not (self.path / layout.FRAMES / entry.name).exists()]
        self._check_size([*small, *segments, *frames])
        self._total = sum(max(entry.size, 0) for entry in (*small, *new)) + sum(
            max(entry.size - self._size(f"{layout.METRICS}/{entry.name}"), 0) for entry in segments)
        for entry in small:
            self._put(entry.name, validation.check_small_file(entry.name, self._read(entry.name, validation.PICTURE_LIMIT)))
            self._stamps[entry.name] = entry.stamp
        for entry in segments:
            self._append(f"{layout.METRICS}/{entry.name}", entry.size)
        for entry in new:
            name = f"{layout.FRAMES}/{entry.name}"
            with contextlib.suppress(Missing):  # the run has deleted it meanwhile
                self._put(name, validation.check_small_file(name, self._read(name, validation.PICTURE_LIMIT)))
        for name in live:
            if not (self.path / layout.LIVE / name).exists():
                self._stream(f"{layout.LIVE}/{name}", validation.LIVE_LIMIT)
        if self.checkpoints:
            self._fetch_checkpoints()
        return {entry.name for entry in frames} | {*live, layout.live_name(status.live - 1)}

    def _entries(self, folder: str, pattern: re.Pattern[str], limit: int) -> list[Entry]:
        """The newest `limit` files of a subfolder whose names match the pattern, in order."""
        entries = [entry for name, entry in self.remote.files(folder).items() if pattern.fullmatch(name)]
        return sorted(entries, key=lambda entry: (len(entry.name.partition("-")[0]), entry.name))[-limit:]

    def _check_size(self, entries: list[Entry]) -> None:
        size = sum(max(entry.size, 0) for entry in entries)
        if size > validation.RUN_LIMIT:
            raise RemoteError(f"The run at {self.remote.url} has {size:,} bytes without its checkpoints; "
                              f"at most {validation.RUN_LIMIT:,} are mirrored.")

    def _is_known(self, entry: Entry) -> bool:
        return bool(entry.stamp) and self._stamps.get(entry.name) == entry.stamp

    def _size(self, name: str) -> int:
        path = self.path / name
        return path.stat().st_size if path.exists() else 0

    def _append(self, name: str, size: int) -> None:
        """Fetch the tail of a metrics file, by range where the server can; a file that was replaced is fetched whole."""
        path, local_size = self.path / name, self._size(name)
        if local_size == size:
            return
        if size > validation.METRICS_LIMIT:  # or each refresh would fetch up to the limit and refuse it
            raise RemoteError(f"{self.remote.url}: {name} has {size:,} bytes; at most {validation.METRICS_LIMIT:,} are mirrored.")
        start = max(0, local_size - OVERLAP)
        data = self._read(name, validation.METRICS_LIMIT - start, start)
        if local_size:
            with open(path, "rb") as file:
                file.seek(start)
                known = file.read()
            if data[:len(known)] == known:
                fresh = validation.check_metrics(name, data[len(known):])
                with open(path, "ab", buffering=0) as file:
                    file.write(fresh)
                return
            data = self._read(name, validation.METRICS_LIMIT)
        atomic_write(path, validation.check_metrics(name, data), durable=False)

    def _fetch_checkpoints(self) -> None:
        """Fetch the files that best.json and latest.json name, check their checksums, and then write the pointers."""
        folder = self.path / layout.CHECKPOINT
        for name in self.remote.files(layout.CHECKPOINT).keys() & set(validation.POINTERS):
            new = folder / f".{name}"
            try:
                atomic_write(new, self._read(f"{layout.CHECKPOINT}/{name}", validation.POINTER_LIMIT))
                pointer = read_pointer(folder, new.name)
                assert pointer is not None, "it has just been written"
                path = folder / pointer["file"]
                if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != pointer["sha256"]:
                    self._stream(f"{layout.CHECKPOINT}/{path.name}", validation.CHECKPOINT_LIMIT, pointer["sha256"])
                replace(new, folder / name)
            except CheckpointError as error:
                raise RemoteError(f"{self.remote.url}: {error}") from error
            finally:
                new.unlink(missing_ok=True)

    def _read(self, name: str, limit: int, start: int = 0) -> bytes:
        return b"".join(self._with_progress(name, self.remote.chunks(name, limit, start)))

    def _stream(self, name: str, limit: int, sha256: str = "") -> None:
        """Fetch a large file piece by piece; it gets its name when it is complete."""
        path, digest = self.path / name, hashlib.sha256()
        temporary = path.parent / f".{uuid.uuid4().hex}.tmp"
        try:
            with open(temporary, "wb") as file:
                for chunk in self._with_progress(name, self.remote.chunks(name, limit)):
                    file.write(chunk)
                    digest.update(chunk)
            if sha256 and digest.hexdigest() != sha256:
                raise Missing(f"{self.remote.url}: {name} is not the file that was saved; its checksum differs.")
            replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def _with_progress(self, name: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The same chunks, while the progress is reported."""
        for chunk in chunks:
            self._done += len(chunk)
            if self._on_progress is not None:
                self._on_progress(name, self._done, max(self._total, self._done))
            yield chunk

    def _put(self, name: str, data: bytes) -> None:
        atomic_write(self.path / name, data, durable=False)

"""A run folder that lies elsewhere and its copy here, brought up to date as often as somebody asks.

A copy is for reading: it cannot be steered or resumed, and it never shows a status that speaks of what is not here yet. What
the other side sends is a stranger's: `validation` looks at it first.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import filelock

from ..checkpoint_index import CheckpointError, read_pointer
from ..files import atomic_write, folder_name, replace
from ..run import Run, RunError
from ..status import Status
from . import validation
from .folder import Entry, Missing, RemoteError, RemoteFolder, redact_url

FOLDERS = ("metrics", "frames", "live", "control", "checkpoint")
LOCK = ".mirror.lock"  # one process at a time brings a copy up to date
TRIES = 3  # looks at a run that changes while it is read
OVERLAP = 256  # bytes of known metrics that are read again, to see that it is still the same file
# (file, bytes done, bytes in all, as far as known); what it raises ends the work
ProgressCallback = Callable[[str, int, int], None]


class Mirror:
    """A remote run and its copy here. `refresh` again and again follows a run that trains; one thread at a time."""

    def __init__(self, url: str, folder: Path | str, *, checkpoints: bool = False,
                 on_progress: ProgressCallback | None = None) -> None:
        self.there, self.checkpoints, self._on_progress = RemoteFolder(url), checkpoints, on_progress
        key = hashlib.sha256(redact_url(url.strip()).rstrip("/").encode()).hexdigest()[:8]
        self.path = Path(folder) / f"{folder_name(self.there.root.rsplit('/', 1)[-1]) or 'run'}-{key}"
        self._stamps: dict[str, str] = {}
        self._status: bytes | None = None
        self._done = self._total = 0

    @property
    def run(self) -> Run:
        """The copy, once a refresh has made it."""
        return Run.open(self.path)

    def refresh(self) -> bool:
        """Fetch what is new; returns whether anything was. Raises RemoteError, and RunError where this disk refuses."""
        try:
            for folder in FOLDERS:
                (self.path / folder).mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(self.path / LOCK, timeout=60):
                return self._refresh()
        except filelock.Timeout as error:
            raise RemoteError(f"{self.path} is being fetched by another process; wait for its end.") from error
        except OSError as error:
            raise RunError(f"{self.path} cannot be written ({error.strerror or error}); choose another folder.") from error
        finally:
            if not (self.path / validation.CONFIG).exists():  # nothing came: leave nothing
                shutil.rmtree(self.path, ignore_errors=True)

    def _refresh(self) -> bool:
        files = self.there.files()
        for name in (validation.CONFIG, validation.STATUS):
            if name not in files:
                raise RemoteError(f"There is no run at {self.there.url}: it has no {name}.")
        self._look_at_config()
        for attempt in range(TRIES):
            data = self.there.read(validation.STATUS, validation.TEXT_LIMIT)
            if data == self._status:
                return False
            status = validation.status(data)
            if attempt == TRIES - 1:
                status.live = 0  # copied without its networks, perhaps: everything else can be shown
            self._done = self._total = 0
            try:
                kept = self._fetch(files, status)
                break
            except Missing:  # the run went on and cleared what the status spoke of: look again
                if attempt == TRIES - 1:
                    raise
                files = self.there.files()
        status.host = status.host or self.there.url
        self._put(validation.STATUS, json.dumps(status.to_dict()).encode())
        self._status = data
        for path in (*self.path.glob("frames/*.*"), *self.path.glob("live/*.*")):
            if path.name not in kept:
                path.unlink(missing_ok=True)
        return True

    def _look_at_config(self) -> None:
        """The first thing of a new mirror; where another run lies at the address by now, the old copy goes."""
        info = validation.info(self.there.read(validation.CONFIG, validation.TEXT_LIMIT), self.there.url)
        data = json.dumps(info, indent=1).encode()
        path = self.path / validation.CONFIG
        if path.exists() and path.read_bytes() == data:
            return
        if path.exists():
            self._clear()
            for folder in FOLDERS:
                (self.path / folder).mkdir(parents=True, exist_ok=True)
        self._stamps, self._status = {}, None
        atomic_write(path, data)
        self._put(validation.STATUS, json.dumps(Status(host=info["origin"]).to_dict()).encode())

    def _clear(self) -> None:
        for path in (*self.path.glob("*"), *(file for folder in FOLDERS for file in (self.path / folder).glob("*"))):
            if path.is_file() and path.name != LOCK:
                path.unlink(missing_ok=True)

    # What a status speaks of, in an order in which a reader may see it.

    def _fetch(self, files: dict[str, Entry], status: Status) -> set[str]:
        """Everything that is there before this status may be; returns the names in frames/ and live/ that count."""
        small = [files[name] for name in validation.SMALL if name in files and not self._is_known(files[name])]
        segments = self._named("metrics", validation.METRICS, validation.MOST_LIVES)
        frames = self._named("frames", validation.FRAME, validation.MOST_FRAMES)
        live = [Entry(f"{status.live}.safetensors", -1, "")] if status.live > 0 else []
        new = [entry for entry in frames if not (self.path / "frames" / entry.name).exists()]
        self._check_size([*small, *segments, *frames])
        self._total = sum(max(entry.size, 0) for entry in (*small, *new)) + sum(
            max(entry.size - self._size(f"metrics/{entry.name}"), 0) for entry in segments)
        for entry in small:
            self._put(entry.name, validation.small(entry.name, self._read(entry.name, validation.PICTURE_LIMIT)))
            self._stamps[entry.name] = entry.stamp
        for entry in segments:
            self._grow(f"metrics/{entry.name}", entry.size)
        for entry in new:
            name = f"frames/{entry.name}"
            with contextlib.suppress(Missing):  # thinned meanwhile
                self._put(name, validation.small(name, self._read(name, validation.PICTURE_LIMIT)))
        for entry in live:
            if not (self.path / "live" / entry.name).exists():
                self._stream(f"live/{entry.name}", validation.LIVE_LIMIT)
        if self.checkpoints:
            self._fetch_checkpoints()
        return {entry.name for entry in (*frames, *live)} | {f"{status.live - 1}.safetensors"}

    def _named(self, folder: str, pattern: Any, most: int) -> list[Entry]:
        """The files of a folder whose names are a run's, by name, the newest `most`."""
        entries = [entry for name, entry in self.there.files(folder).items() if pattern.fullmatch(name)]
        return sorted(entries, key=lambda entry: (len(entry.name.partition("-")[0]), entry.name))[-most:]

    def _check_size(self, entries: list[Entry]) -> None:
        size = sum(max(entry.size, 0) for entry in entries)
        if size > validation.RUN_LIMIT:
            raise RemoteError(f"The run at {self.there.url} has {size:,} bytes without its checkpoints; "
                              f"at most {validation.RUN_LIMIT:,} are mirrored.")

    def _is_known(self, entry: Entry) -> bool:
        return bool(entry.stamp) and self._stamps.get(entry.name) == entry.stamp

    def _size(self, name: str) -> int:
        path = self.path / name
        return path.stat().st_size if path.exists() else 0

    def _grow(self, name: str, size: int) -> None:
        """Metrics only grow: fetch the tail, by range where that can be had; a file that is another one is fetched whole."""
        path, have = self.path / name, self._size(name)
        if have == size:
            return
        if size > validation.METRICS_LIMIT:  # it would be fetched to the limit at each look, to be refused then
            raise RemoteError(f"{self.there.url}: {name} has {size:,} bytes; at most {validation.METRICS_LIMIT:,} are mirrored.")
        start = max(0, have - OVERLAP)
        data = self._read(name, validation.METRICS_LIMIT - start, start)
        if have:
            with open(path, "rb") as file:
                file.seek(start)
                known = file.read()
            if data[:len(known)] == known:
                fresh = validation.lines(name, data[len(known):])
                with open(path, "ab", buffering=0) as file:
                    file.write(fresh)
                return
            data = self._read(name, validation.METRICS_LIMIT)
        atomic_write(path, validation.lines(name, data), durable=False)

    def _fetch_checkpoints(self) -> None:
        """The files that best.json and latest.json name, each with its checksum, and then the pointers."""
        folder = self.path / "checkpoint"
        for name in self.there.files("checkpoint").keys() & set(validation.POINTERS):
            new = folder / f".{name}"
            try:
                atomic_write(new, self._read(f"checkpoint/{name}", 10_000))
                pointer = read_pointer(folder, new.name)
                assert pointer is not None, "it was written just now"
                path = folder / pointer["file"]
                if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != pointer["sha256"]:
                    self._stream(f"checkpoint/{path.name}", validation.CHECKPOINT_LIMIT, pointer["sha256"])
                replace(new, folder / name)
            except CheckpointError as error:
                raise RemoteError(f"{self.there.url}: {error}") from error
            finally:
                new.unlink(missing_ok=True)

    def _read(self, name: str, limit: int, start: int = 0) -> bytes:
        return b"".join(self._told(name, self.there.chunks(name, limit, start)))

    def _stream(self, name: str, limit: int, sha256: str = "") -> None:
        """A large file to the disk as it comes, and to its name when it is whole."""
        path, digest = self.path / name, hashlib.sha256()
        temporary = path.parent / f".{uuid.uuid4().hex}.tmp"
        try:
            with open(temporary, "wb") as file:
                for chunk in self._told(name, self.there.chunks(name, limit)):
                    file.write(chunk)
                    digest.update(chunk)
            if sha256 and digest.hexdigest() != sha256:
                raise Missing(f"{self.there.url}: {name} is not the file that was saved; its checksum differs.")
            replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def _told(self, name: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._done += len(chunk)
            if self._on_progress is not None:
                self._on_progress(name, self._done, max(self._total, self._done))
            yield chunk

    def _put(self, name: str, data: bytes) -> None:
        atomic_write(self.path / name, data, durable=False)

"""Uploads a local run to an address; the status is written last, after all that it refers to.

It only reads the run folder, so that training never waits for a network.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from .. import layout
from ..run import Run, RunError
from . import validation
from .folder import Missing, RemoteError, RemoteFolder
from .mirror import MAX_TRIES, ProgressCallback


class Uploader:
    """A local run and its copy at an address. Raises RemoteError where the address holds another run."""

    def __init__(self, run: Run, url: str, *, checkpoints: bool = False, on_progress: ProgressCallback | None = None) -> None:
        self.run, self.remote, self.checkpoints, self._on_progress = run, RemoteFolder(url), checkpoints, on_progress
        self._sent: dict[str, tuple[int, int]] = {}  # file -> its stamp when it was sent
        self._current: set[str] = set()  # the files that belong to the run now
        self._status: bytes | None = None
        self._done = self._total = 0
        if layout.CONFIG in self.remote.files():
            info = validation.parse_object(layout.CONFIG, self.remote.read(layout.CONFIG, validation.TEXT_LIMIT))
            if any(info.get(name) != run.info.get(name) for name in ("id", "created")):
                name = str(info.get("name"))[:80]
                raise RemoteError(f"At {self.remote.url} lies another run, {name!r}; give another address.")
        # Frames and live files never change under their names: one of the same size was sent by an earlier push.
        self._remote_sizes = {f"{folder}/{entry.name}": entry.size for folder in (layout.FRAMES, layout.LIVE)
                              for entry in self.remote.files(folder).values()}
        if checkpoints:
            self._remote_sizes |= self._checkpoint_sizes()

    def _checkpoint_sizes(self) -> dict[str, int]:
        """Sizes of the remote checkpoints that are complete and the same as here, which their pointers show."""
        files, sizes = self.remote.files(layout.CHECKPOINT), {}
        for name in files.keys() & set(validation.POINTERS):
            here = self.run.checkpoint_folder / name
            with contextlib.suppress(OSError, ValueError, KeyError, RemoteError):
                file = json.loads(here.read_bytes())["file"]
                pointer = self.remote.read(f"{layout.CHECKPOINT}/{name}", validation.POINTER_LIMIT)
                if pointer == here.read_bytes() and file in files:
                    sizes[f"{layout.CHECKPOINT}/{file}"] = files[file].size
        return sizes

    def send(self) -> bool:
        """Send what is new; returns whether there was anything. Raises RemoteError, and RunError for the local run."""
        for attempt in range(MAX_TRIES):
            status = self._read(layout.STATUS)
            if status == self._status:
                return False
            try:
                names = self._names(json.loads(status).get("live", 0))
                break
            except FileNotFoundError as error:  # the run went on meanwhile: read again
                if attempt == MAX_TRIES - 1:
                    name = Path(str(error.filename)).name
                    raise RunError(f"{self.run.path} lacks {name}, which its status refers to.") from error
            except ValueError as error:
                raise RunError(f"{self.run.path}: its status.json cannot be read ({error}).") from error
        self._done, self._total = 0, sum(self._stamp(name)[0] for name in names)
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # the run has deleted it meanwhile
                self._put(name)
        self.remote.write(layout.STATUS, status)
        self._status = status
        self._delete_obsolete(set(names))
        return True

    def _names(self, live: int) -> list[str]:
        """The files to send before this status, in order; only those that are not there yet."""
        path, run = self.run.path, self.run
        names = [layout.CONFIG, *(name for name in validation.SMALL_FILES if (path / name).exists())]
        names += sorted(f"{layout.METRICS}/{file.name}" for file in (path / layout.METRICS).glob("*.jsonl")
                        if layout.METRICS_PATTERN.fullmatch(file.name))
        names += [f"{layout.FRAMES}/{frame.path.name}" for frame in run.frames()]
        if live:
            run.live_file(live).stat()  # raises where the run has replaced it already
            names += [f"{layout.LIVE}/{file.name}" for number in (live - 1, live) if (file := run.live_file(number)).exists()]
        if self.checkpoints:
            pointers = [name for name in validation.POINTERS if (run.checkpoint_folder / name).exists()]
            files = [str(json.loads((run.checkpoint_folder / name).read_bytes())["file"]) for name in pointers]
            names += [f"{layout.CHECKPOINT}/{name}" for name in (*dict.fromkeys(files), *pointers)]
        self._current = set(names)
        stamps = {name: self._stamp(name) for name in names}
        return [name for name in names
                if self._sent.get(name) != stamps[name] and self._remote_sizes.get(name) != stamps[name][0]]

    def _stamp(self, name: str) -> tuple[int, int]:
        """(bytes, time of the last change in nanoseconds), or (-1, 0) where there is no such file."""
        with contextlib.suppress(FileNotFoundError):
            stat = (self.run.path / name).stat()
            return stat.st_size, stat.st_mtime_ns
        return -1, 0

    def _read(self, name: str) -> bytes:
        try:
            return (self.run.path / name).read_bytes()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise RunError(f"{self.run.path / name} cannot be read ({error.strerror or error}).") from error

    def _put(self, name: str) -> None:
        stamp = self._stamp(name)
        if layout.checkpoint_step(name.removeprefix(f"{layout.CHECKPOINT}/")) is not None:
            if stamp[0] >= 0:
                self.remote.upload(name, str(self.run.path / name))
        else:
            self.remote.write(name, self._read(name))
        self._sent[name] = stamp
        self._done += max(stamp[0], 0)
        if self._on_progress is not None:
            self._on_progress(name, self._done, max(self._total, self._done))

    def _delete_obsolete(self, sent: set[str]) -> None:
        """Delete the remote frames and live files that the run no longer has; files that are no run's stay."""
        for folder, pattern in ((layout.FRAMES, layout.FRAME_PATTERN), (layout.LIVE, layout.LIVE_PATTERN)):
            if any(name.startswith(folder) for name in sent):
                for name in self.remote.files(folder):
                    if pattern.fullmatch(name) and f"{folder}/{name}" not in self._current:
                        with contextlib.suppress(Missing):
                            self.remote.remove(f"{folder}/{name}")

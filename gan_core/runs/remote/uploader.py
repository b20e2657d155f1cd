"""A run of this machine put at an address, once or for as long as it trains: what a status speaks of first, the status last.

It only reads the run folder, so the trainer never waits for a network.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from ..run import Run, RunError
from . import validation
from .folder import Missing, RemoteError, RemoteFolder
from .mirror import TRIES, ProgressCallback


class Uploader:
    """One run here and its copy there. Raises RemoteError where another run lies at the address already."""

    def __init__(self, run: Run, url: str, *, checkpoints: bool = False, on_progress: ProgressCallback | None = None) -> None:
        self.run, self.there, self.checkpoints, self._on_progress = run, RemoteFolder(url), checkpoints, on_progress
        self._sent: dict[str, tuple[int, int]] = {}
        self._status: bytes | None = None
        self._done = self._total = 0
        if validation.CONFIG in self.there.files():
            found = validation.parsed(validation.CONFIG, self.there.read(validation.CONFIG, validation.TEXT_LIMIT))
            if any(found.get(name) != run.info.get(name) for name in ("id", "created")):
                name = str(found.get("name"))[:80]
                raise RemoteError(f"At {self.there.url} lies another run, {name!r}; give a folder of its own.")
        # Frames and networks never change under their names: what is there with its size was sent in an earlier push.
        self._there = {f"{folder}/{entry.name}": entry.size for folder in ("frames", "live")
                       for entry in self.there.files(folder).values()}
        if checkpoints:
            self._there |= self._checkpoints_there()

    def _checkpoints_there(self) -> dict[str, int]:
        """Sizes of the checkpoints that came there whole, and are the ones that lie here: their pointers agree."""
        files, found = self.there.files("checkpoint"), {}
        for name in files.keys() & set(validation.POINTERS):
            here = self.run.checkpoint_folder / name
            with contextlib.suppress(OSError, ValueError, KeyError, RemoteError):
                file = json.loads(here.read_bytes())["file"]
                if self.there.read(f"checkpoint/{name}", 10_000) == here.read_bytes() and file in files:
                    found[f"checkpoint/{file}"] = files[file].size
        return found

    def send(self) -> bool:
        """Send what is new; returns whether anything was. Raises RemoteError, and RunError for a run that cannot be read."""
        for attempt in range(TRIES):
            status = self._read(validation.STATUS)
            if status == self._status:
                return False
            try:
                names = self._names(json.loads(status).get("live", 0))
                break
            except FileNotFoundError as error:  # the run went on meanwhile: look again
                if attempt == TRIES - 1:
                    name = Path(str(error.filename)).name
                    raise RunError(f"{self.run.path} lacks {name}, which its status speaks of.") from error
            except ValueError as error:
                raise RunError(f"{self.run.path}: its status.json cannot be read ({error}).") from error
        self._done, self._total = 0, sum(self._mark(name)[0] for name in names)
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # thinned or pruned meanwhile
                self._put(name)
        self.there.write(validation.STATUS, status)
        self._status = status
        self._clear(set(names))
        return True

    def _names(self, live: int) -> list[str]:
        """What is to be there before this status may be, in that order; only what is not there yet."""
        path, run = self.run.path, self.run
        names = [validation.CONFIG, *(name for name in validation.SMALL if (path / name).exists())]
        names += sorted(f"metrics/{file.name}" for file in path.glob("metrics/*.jsonl")
                        if validation.METRICS.fullmatch(file.name))
        names += [f"frames/{frame.path.name}" for frame in run.frames()]
        if live:
            run.live_file(live).stat()  # raises where the run has replaced it already
            names += [f"live/{file.name}" for number in (live - 1, live) if (file := run.live_file(number)).exists()]
        if self.checkpoints:
            pointers = [name for name in validation.POINTERS if (run.checkpoint_folder / name).exists()]
            files = [str(json.loads((run.checkpoint_folder / name).read_bytes())["file"]) for name in pointers]
            names += [f"checkpoint/{name}" for name in dict.fromkeys(files)] + [f"checkpoint/{name}" for name in pointers]
        self._keep = set(names)
        marks = {name: self._mark(name) for name in names}
        return [name for name in names if self._sent.get(name) != marks[name] and self._there.get(name) != marks[name][0]]

    def _mark(self, name: str) -> tuple[int, int]:
        """(bytes, time of the last change)."""
        with contextlib.suppress(FileNotFoundError):
            found = (self.run.path / name).stat()
            return found.st_size, found.st_mtime_ns
        return -1, 0

    def _read(self, name: str) -> bytes:
        try:
            return (self.run.path / name).read_bytes()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise RunError(f"{self.run.path / name} cannot be read ({error.strerror or error}).") from error

    def _put(self, name: str) -> None:
        mark = self._mark(name)
        if name.startswith("checkpoint/step-"):
            if mark[0] >= 0:
                self.there.upload(name, str(self.run.path / name))
        else:
            self.there.write(name, self._read(name))
        self._sent[name] = mark
        self._done += max(mark[0], 0)
        if self._on_progress is not None:
            self._on_progress(name, self._done, max(self._total, self._done))

    def _clear(self, sent: set[str]) -> None:
        """Take away there what the run has thinned out or lost to a resume; names that are no run's stay."""
        for folder, pattern in (("frames", validation.FRAME), ("live", validation.LIVE)):
            if any(name.startswith(folder) for name in sent):
                for name in self.there.files(folder):
                    if pattern.fullmatch(name) and f"{folder}/{name}" not in self._keep:
                        with contextlib.suppress(Missing):
                            self.there.remove(f"{folder}/{name}")

"""Runs that lie elsewhere: folders that a person has opened by their path, remembered beside the runs, let go without a trace.

A place is a run's folder, a folder of runs, or an address (with "://") whose runs are mirrored here. It trains nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

from ..files import atomic_write, folder_name
from ..run import Run, RunError, list_runs, read_json
from ..status import ACTIVE

NOTE = ".attached.json"
MIRRORS = ".mirrors"
MOST = 100  # places, and runs of one place that are shown
FRESH = 2.0  # seconds for which a look at the places is good enough
EVERY = 5.0  # seconds between two looks at an address


class NoPlace(ValueError):
    """What was given cannot be opened. `key`: its sentence among the page's words, `values` what it speaks of."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key, self.values = key, values


class Elsewhere(Run):
    """A run in a folder of somebody's own. Its id here is no other run's, whatever it is called there; `place`: what was opened.

    One whose commands cannot be written is for reading.
    """

    def __init__(self, path: Path, info: dict[str, Any], place: str = "") -> None:
        super().__init__(path, info)
        self.place = place
        stem = (folder_name(path.name) or "run")[:60]
        self.id = f"{stem}-at-{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}"
        if self.kind == "run" and not (os.access(path, os.W_OK) and os.access(path / "control", os.W_OK)):
            self.kind = "reading"


class Attached:
    """The places that belong to one folder of runs. Safe to call from many threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.RLock()
        self._found: dict[str, Elsewhere] = {}
        self._looked = -FRESH
        self._mirrors: dict[str, list[Any]] = {}
        self._follower: threading.Thread | None = None
        self.closed = threading.Event()

    def places(self) -> list[str]:
        """Paths and addresses, in the order in which they were opened."""
        with contextlib.suppress(OSError, ValueError):
            places = read_json(self.folder / NOTE).get("places")
            if isinstance(places, list):
                return [place for place in places if isinstance(place, str)][:MOST]
        return []

    def _remember(self, places: list[str]) -> None:
        try:
            atomic_write(self.folder / NOTE, json.dumps({"schema": 1, "places": places}, indent=1).encode())
        except OSError as error:
            raise NoPlace("errors.attach_note", message=error.strerror or str(error)) from error
        self._looked = -FRESH

    def open(self, text: str) -> list[Elsewhere]:
        """Remember a place; returns its runs, newest touched first. Raises NoPlace where there is none to see."""
        text = text.strip().strip("\"'")
        if not text or "\0" in text:
            raise NoPlace("errors.attach_empty")
        if "://" in text:
            place = text.rstrip("/")
            self._mirror(place)
        else:
            path = Path(os.path.abspath(Path(text).expanduser()))
            if path == self.folder.resolve() or path.parent == self.folder.resolve():
                raise NoPlace("errors.attach_own", path=path)
            place = str(path)
        runs = self._runs(place)
        if not runs:
            raise NoPlace("errors.attach_none", path=place)
        with self._lock:
            places = self.places()
            if place not in places:
                if len(places) >= MOST:
                    raise NoPlace("errors.attach_many", most=MOST)
                self._remember([*places, place])
        return runs

    def let_go(self, run_id: str) -> bool:
        """Forget the place that this run came from, with all its runs; nothing is deleted. Whether there was one."""
        run = self.find(run_id)
        with self._lock:
            if run is None or run.place not in self.places():
                return False
            self._remember([place for place in self.places() if place != run.place])
            self._mirrors.pop(run.place, None)
        return True

    def runs(self) -> list[Elsewhere]:
        """All runs of all places, newest touched first; a place that is away just now shows none."""
        with self._lock:
            if time.monotonic() - self._looked >= FRESH:
                self._found = {run.id: run for place in self.places() for run in self._runs(place)}
                self._looked = time.monotonic()
            return sorted(self._found.values(), key=lambda run: run.touched(), reverse=True)

    def find(self, run_id: str) -> Elsewhere | None:
        with self._lock:
            if run_id not in self._found:
                self.runs()
            run = self._found.get(run_id)
        with contextlib.suppress(RunError):
            if run is not None:
                return _opened(run.path, run.place)  # as it is now: it may be another one by this time, or gone
        return None

    def _runs(self, place: str) -> list[Elsewhere]:
        if "://" in place:
            return [_opened(mirror.path, place) for mirror in self._followed(place) if (mirror.path / "config.json").exists()]
        with contextlib.suppress(RunError):
            run = _opened(Path(place), place)
            run.stored_status()
            return [run]
        found = []
        for run in list_runs(place)[:MOST]:
            with contextlib.suppress(RunError):  # it is being deleted at this moment
                found.append(_opened(run.path, place))
        return found

    # Addresses.

    def _mirror(self, url: str) -> None:
        """Look at an address now; the first run is fetched before this returns, so that a person hears what is wrong."""
        from .. import remote

        try:
            urls = remote.find(url)
            if not urls:
                raise NoPlace("errors.attach_none", path=url)
            mirrors = [remote.Mirror(one, self.folder / MIRRORS) for one in urls]
            mirrors[0].refresh()
        except RunError as error:
            raise NoPlace("errors.refused", message=error) from error
        with self._lock:
            self._mirrors[url] = mirrors
            self._follow()

    def _followed(self, url: str) -> list[Any]:
        with self._lock:
            if url not in self._mirrors:
                self._mirrors[url] = []  # until the follower has found them; what is here already is shown then
                self._follow()
            return list(self._mirrors[url])

    def _follow(self) -> None:
        if self._follower is None or not self._follower.is_alive():
            self._follower = threading.Thread(target=self._keep_fresh, daemon=True)
            self._follower.start()

    def _keep_fresh(self) -> None:
        """While there are addresses: what is new there comes here. A network that is away is tried again."""
        from .. import remote

        while not self.closed.is_set():
            with self._lock:
                wanted = {url: list(mirrors) for url, mirrors in self._mirrors.items()}
            if not wanted:
                return
            for url, mirrors in wanted.items():
                with contextlib.suppress(RunError):
                    if not mirrors:
                        mirrors = [remote.Mirror(one, self.folder / MIRRORS) for one in remote.find(url)]
                        with self._lock:
                            if url in self._mirrors:
                                self._mirrors[url] = mirrors
                for mirror in mirrors:
                    with contextlib.suppress(RunError):
                        if not (mirror.path / "config.json").exists() or mirror.run.stored_status().state in ACTIVE:
                            mirror.refresh()
            self.closed.wait(EVERY)


def _opened(path: Path, place: str) -> Elsewhere:
    run = Run.open(path)
    return Elsewhere(run.path, run.info, place)

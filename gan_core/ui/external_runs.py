"""Runs that lie elsewhere: folders that a person has opened by their path, remembered beside the runs, let go without a trace.

A place is a run's folder, a folder of runs, or an address (with "://") whose runs are mirrored here. It trains nothing.
A password in an address serves until the page ends; it is neither shown nor written down.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from ..runs.files import atomic_write, folder_name
from ..runs.run import Run, RunError, list_runs, read_json
from ..runs.status import ACTIVE

NOTE = ".attached.json"
MIRRORS = ".mirrors"
MOST = 100  # places, and runs of one place that are shown
FRESH = 2.0  # seconds for which a look at the places is good enough
PATIENCE = 20.0  # seconds in which an address must have said what runs it has
EVERY = 5.0  # seconds between two looks at an address
RARELY = 12  # every so many of these looks asks for new runs there, and whether one that had ended goes on


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


class ExternalRuns:
    """The places that belong to one folder of runs. Safe to call from many threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.RLock()
        self._found: dict[str, Elsewhere] = {}
        self._looked = -FRESH
        self._mirrors: dict[str, list[Any]] = {}  # of each address, as it is shown
        self._addresses: dict[str, str] = {}  # as they were given, where that is more than is shown
        self._followers: dict[str, threading.Thread] = {}  # one an address: who is slow keeps no other waiting
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
            place = self._mirror(text.rstrip("/"))
        else:
            path = Path(os.path.abspath(Path(text).expanduser()))
            if path == self.folder.resolve() or path.parent == self.folder.resolve():
                raise NoPlace("errors.attach_own", path=path)
            place = str(path)
        runs = sorted(self._runs(place), key=lambda run: run.last_modified(), reverse=True)
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
            for known in (self._mirrors, self._addresses):
                known.pop(run.place, None)
        return True

    def runs(self) -> list[Elsewhere]:
        """All runs of all places, newest touched first; a place that is away just now shows none."""
        with self._lock:
            if time.monotonic() - self._looked >= FRESH:
                self._found = {run.id: run for place in self.places() for run in self._runs(place)}
                self._looked = time.monotonic()
            return sorted(self._found.values(), key=lambda run: run.last_modified(), reverse=True)

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

    def _mirror(self, url: str) -> str:
        """Look at an address now; one run is fetched before this returns, so that a person hears what is wrong.

        Returns the address as it may be shown and remembered.
        """
        from ..runs import remote

        place = remote.redact_url(url)
        try:
            urls = _soon(lambda: remote.find(url), place)
            if not urls:
                raise NoPlace("errors.attach_none", path=place)
            mirrors = [remote.Mirror(one, self.folder / MIRRORS) for one in urls]
            _fetch_one(mirrors)
        except RunError as error:
            raise NoPlace("errors.refused", message=error) from error
        with self._lock:
            self._mirrors[place], self._addresses[place] = mirrors, url
            self._follow(place)
        return place

    def _followed(self, url: str) -> list[Any]:
        with self._lock:
            if url not in self._mirrors:
                self._mirrors[url] = []  # until the follower has found them; what is here already is shown then
                self._follow(url)
            return list(self._mirrors[url])

    def _follow(self, place: str) -> None:
        if place not in self._followers:
            self._followers[place] = threading.Thread(target=self._keep_fresh, args=(place,), daemon=True)
            self._followers[place].start()

    def _keep_fresh(self, place: str) -> None:
        """Until an address is let go: what is new there comes here. A network that is away is tried again."""
        for look in itertools.count(1):
            with self._lock:
                if self.closed.is_set() or place not in self._mirrors:
                    del self._followers[place]  # whoever opens it from here on starts another
                    return
            self._look(place, thorough=look % RARELY == 0)
            self.closed.wait(EVERY)

    def _look(self, place: str, thorough: bool) -> None:
        """Bring one address's copies up to date. thorough: new runs there, and those that had ended, too."""
        from ..runs import remote

        with self._lock:
            mirrors, url = self._mirrors.get(place, []), self._addresses.get(place, place)
        if thorough or not mirrors:
            with contextlib.suppress(RunError):
                known = {mirror.path: mirror for mirror in mirrors}
                found = [remote.Mirror(one, self.folder / MIRRORS) for one in remote.find(url)]
                # One that is gone there is still to be seen here.
                mirrors = list(({mirror.path: mirror for mirror in found} | known).values())
                with self._lock:
                    if place in self._mirrors:
                        self._mirrors[place] = mirrors
        for mirror in mirrors:
            with contextlib.suppress(RunError):
                if thorough or not (mirror.path / "config.json").exists() or mirror.run.stored_status().state in ACTIVE:
                    mirror.refresh()


def _soon(ask: Callable[[], list[str]], place: str) -> list[str]:
    """What `ask` returns or raises; NoPlace where that takes too long: drivers wait for minutes, a person does not."""
    answer: Future[list[str]] = Future()

    def work() -> None:
        try:
            answer.set_result(ask())
        except Exception as error:
            answer.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    try:
        return answer.result(PATIENCE)
    except TimeoutError as error:
        raise NoPlace("errors.attach_slow", path=place, seconds=f"{PATIENCE:g}") from error


def _fetch_one(mirrors: list[Any]) -> None:
    """Bring the first run here that can be brought; where none can, raise what the first one said."""
    errors = []
    for mirror in mirrors:
        try:
            mirror.refresh()
            return
        except RunError as error:
            errors.append(error)
    raise errors[0]


def _opened(path: Path, place: str) -> Elsewhere:
    run = Run.open(path)
    return Elsewhere(run.path, run.info, place)

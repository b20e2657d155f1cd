"""Runs in other places, opened by path or address. The list of places is stored beside the runs; removing one deletes nothing.

A place is a run's folder, a folder of runs, or an address (with "://") whose runs are mirrored here. Training is left to
others. A password in an address is kept in memory only: it is neither shown nor stored.
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

from ..runs import layout
from ..runs.files import atomic_write, folder_name
from ..runs.run import Run, RunError, RunInfo, list_runs, read_json
from ..runs.status import ACTIVE, STEERED

PLACES_FILE = ".attached.json"
MIRRORS = ".mirrors"
MAX_PLACES = 100  # also the runs shown of one place
CACHE_SECONDS = 2.0  # for which the list of runs is reused
FIND_TIMEOUT = 20.0  # seconds for an address to list its runs
REFRESH_SECONDS = 5.0  # between two refreshes of an address
REFRESHES_PER_SEARCH = 12  # every so many refreshes also look for new runs, and for ended ones that go on


class PlaceError(ValueError):
    """A place cannot be opened. `key` and `values`: its sentence among the page's words."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key, self.values = key, values


class ExternalRun(Run):
    """A run in another place. Its id is unique, whatever its folder is called; `place`: what was opened.

    A run whose folder cannot be written to is read-only.
    """

    def __init__(self, path: Path, info: RunInfo, place: str = "") -> None:
        super().__init__(path, info)
        self.place = place
        stem = (folder_name(path.name) or "run")[:60]
        self.id = f"{stem}-at-{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}"
        if self.kind in STEERED and not (os.access(path, os.W_OK) and os.access(path / layout.CONTROL, os.W_OK)):
            self.kind = "reading"


class ExternalRuns:
    """The places that were opened in addition to one folder of runs. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.RLock()
        self._cache: dict[str, ExternalRun] = {}
        self._cached_at = -CACHE_SECONDS
        self._mirrors: dict[str, list[Any]] = {}  # address, as it is shown -> its mirrors
        self._addresses: dict[str, str] = {}  # address, as it is shown -> with its password
        self._refreshers: dict[str, threading.Thread] = {}  # one for each address: a slow one delays no other
        self.closed = threading.Event()

    def places(self) -> list[str]:
        """Paths and addresses, in the order in which they were opened."""
        with contextlib.suppress(OSError, ValueError):
            places = read_json(self.folder / PLACES_FILE).get("places")
            if isinstance(places, list):
                return [place for place in places if isinstance(place, str)][:MAX_PLACES]
        return []

    def _remember(self, places: list[str]) -> None:
        try:
            atomic_write(self.folder / PLACES_FILE, json.dumps({"schema": 1, "places": places}, indent=1).encode())
        except OSError as error:
            raise PlaceError("errors.attach_note", message=error.strerror or str(error)) from error
        self._cached_at = -CACHE_SECONDS

    def open(self, text: str) -> list[ExternalRun]:
        """Remember a place; returns its runs, the most recently changed first. Raises PlaceError where it has none."""
        text = text.strip().strip("\"'")
        if not text or "\0" in text:
            raise PlaceError("errors.attach_empty")
        if "://" in text:
            place = self._mirror(text.rstrip("/"))
        else:
            path = Path(os.path.abspath(Path(text).expanduser()))
            if path == self.folder.resolve() or path.parent == self.folder.resolve():
                raise PlaceError("errors.attach_own", path=path)
            place = str(path)
        runs = sorted(self._runs(place), key=lambda run: run.last_modified(), reverse=True)
        if not runs:
            raise PlaceError("errors.attach_none", path=place)
        with self._lock:
            places = self.places()
            if place not in places:
                if len(places) >= MAX_PLACES:
                    raise PlaceError("errors.attach_many", most=MAX_PLACES)
                self._remember([*places, place])
        return runs

    def detach(self, run_id: str) -> bool:
        """Forget the place of this run, with all its runs; nothing is deleted. Returns whether there was such a place."""
        run = self.find(run_id)
        with self._lock:
            if run is None or run.place not in self.places():
                return False
            self._remember([place for place in self.places() if place != run.place])
            for by_place in (self._mirrors, self._addresses):
                by_place.pop(run.place, None)
        return True

    def runs(self) -> list[ExternalRun]:
        """The runs of all places, the most recently changed first; a place that cannot be reached has none."""
        with self._lock:
            if time.monotonic() - self._cached_at >= CACHE_SECONDS:
                self._cache = {run.id: run for place in self.places() for run in self._runs(place)}
                self._cached_at = time.monotonic()
            return sorted(self._cache.values(), key=lambda run: run.last_modified(), reverse=True)

    def find(self, run_id: str) -> ExternalRun | None:
        """The run with this id, read anew from its folder; None where no place has it or it cannot be read."""
        with self._lock:
            if run_id not in self._cache:
                self.runs()
            run = self._cache.get(run_id)
        with contextlib.suppress(RunError):
            if run is not None:
                return _open_run(run.path, run.place)  # read anew: by now it may be gone, or another run
        return None

    def _runs(self, place: str) -> list[ExternalRun]:
        if "://" in place:
            return [_open_run(mirror.path, place) for mirror in self._mirrored(place) if (mirror.path / layout.CONFIG).exists()]
        with contextlib.suppress(RunError):
            single = _open_run(Path(place), place)
            single.stored_status()
            return [single]
        runs = []
        for run in list_runs(place)[:MAX_PLACES]:
            with contextlib.suppress(RunError):  # it is being deleted
                runs.append(_open_run(run.path, place))
        return runs

    # Addresses

    def _mirror(self, url: str) -> str:
        """List the runs of an address and fetch one of them, so that errors reach the person who opens it.

        Returns the address as it may be shown and stored.
        """
        from ..runs import remote

        place = remote.redact_url(url)
        try:
            urls = _with_timeout(lambda: remote.find(url), place)
            if not urls:
                raise PlaceError("errors.attach_none", path=place)
            mirrors = [remote.Mirror(one, self.folder / MIRRORS) for one in urls]
            _fetch_first(mirrors)
        except RunError as error:
            raise PlaceError("errors.refused", message=error) from error
        with self._lock:
            self._mirrors[place], self._addresses[place] = mirrors, url
            self._start_refresher(place)
        return place

    def _mirrored(self, url: str) -> list[Any]:
        with self._lock:
            if url not in self._mirrors:
                self._mirrors[url] = []  # until the refresher has listed them
                self._start_refresher(url)
            return list(self._mirrors[url])

    def _start_refresher(self, place: str) -> None:
        if place not in self._refreshers:
            self._refreshers[place] = threading.Thread(target=self._refresh_loop, args=(place,), daemon=True)
            self._refreshers[place].start()

    def _refresh_loop(self, place: str) -> None:
        """Mirror what is new at an address until it is forgotten; a network that fails is tried again."""
        for turn in itertools.count(1):
            with self._lock:
                if self.closed.is_set() or place not in self._mirrors:
                    del self._refreshers[place]  # the next one to open it starts another
                    return
            self._refresh(place, thorough=turn % REFRESHES_PER_SEARCH == 0)
            self.closed.wait(REFRESH_SECONDS)

    def _refresh(self, place: str, thorough: bool) -> None:
        """Update the mirrors of one address. thorough: also look for new runs and refresh ended ones."""
        from ..runs import remote

        with self._lock:
            mirrors, url = self._mirrors.get(place, []), self._addresses.get(place, place)
        if thorough or not mirrors:
            with contextlib.suppress(RunError):
                known = {mirror.path: mirror for mirror in mirrors}
                current = [remote.Mirror(one, self.folder / MIRRORS) for one in remote.find(url)]
                # A run that is gone there is still shown here.
                mirrors = list(({mirror.path: mirror for mirror in current} | known).values())
                with self._lock:
                    if place in self._mirrors:
                        self._mirrors[place] = mirrors
        for mirror in mirrors:
            with contextlib.suppress(RunError):
                if thorough or not (mirror.path / layout.CONFIG).exists() or mirror.run.stored_status().state in ACTIVE:
                    mirror.refresh()


def _with_timeout(list_urls: Callable[[], list[str]], place: str) -> list[str]:
    """What `list_urls` returns or raises; PlaceError after FIND_TIMEOUT: storage drivers may wait for minutes."""
    result: Future[list[str]] = Future()

    def work() -> None:
        try:
            result.set_result(list_urls())
        except Exception as error:
            result.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    try:
        return result.result(FIND_TIMEOUT)
    except TimeoutError as error:
        raise PlaceError("errors.attach_slow", path=place, seconds=f"{FIND_TIMEOUT:g}") from error


def _fetch_first(mirrors: list[Any]) -> None:
    """Fetch the first run that can be fetched; where none can, raise the error of the first one."""
    errors = []
    for mirror in mirrors:
        try:
            mirror.refresh()
            return
        except RunError as error:
            errors.append(error)
    raise errors[0]


def _open_run(path: Path, place: str) -> ExternalRun:
    run = Run.open(path)
    return ExternalRun(run.path, run.info, place)

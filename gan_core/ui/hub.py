"""The broadcast hub: polls each watched run eight times a second and sends its events to all its viewers.

It has viewers and queues; `live_routes` turns a viewer into an HTTP connection. A run without a viewer costs nothing. What fails
with one run, whose files may be damaged, is logged once; the viewers of the others are sent theirs.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator, Callable

from ..runs.run import Run, RunError
from .run_catalogue import RunCatalogue
from .run_events import Event, RunEvents
from .stream_types import ActiveRun, Surroundings

POLL_SECONDS = 0.125  # eight times a second
ACTIVE_SECONDS = 1.0  # after which those who look at another run are told the step of the active one
QUEUE_SIZE = 40  # events by which a viewer may lag before it gets a snapshot instead
MAX_CACHED = 8  # runs kept without a viewer, so that a reload is fast
logger = logging.getLogger(__name__)


class Viewer:
    """One open page. `choice`: the id of the run that it chose, "" for the default; `run`: the one it is sent."""

    def __init__(self, choice: str) -> None:
        self.choice, self.run = choice, ""
        self.queue: asyncio.Queue[tuple[str, str, str] | None] = asyncio.Queue(QUEUE_SIZE)
        self.overflowed = False


class Hub:
    """All viewers of one server. Coroutines run in the server's event loop; the disk is read in a thread."""

    def __init__(self, catalogue: RunCatalogue, should_exit: Callable[[], bool] = lambda: False) -> None:
        self.catalogue, self.should_exit = catalogue, should_exit
        self.boot = uuid.uuid4().hex[:8]
        self.closed = False
        self._viewers: set[Viewer] = set()
        self._run_events: dict[str, RunEvents] = {}
        self._failing: set[str] = set()  # runs whose events were lost by a failure: a snapshot comes next
        self._logged: set[tuple[str, str]] = set()  # (run, kind of error)
        self._active_run: ActiveRun | None = None
        self._active_at = 0.0
        self._count = 0
        self._task: asyncio.Task[None] | None = None
        self._poll_lock = asyncio.Lock()

    @property
    def viewers(self) -> int:
        return len(self._viewers)

    async def watch(self, choice: str = "") -> AsyncIterator[tuple[str, str, str]]:
        """Events of one viewer as (name, JSON, id): a snapshot at once, then every change, until the server ends."""
        viewer = Viewer(choice)
        async with self._poll_lock:
            updates = await asyncio.to_thread(self._poll, {choice})
            self._send(updates)
            if choice in updates:
                self._send_snapshot(viewer, updates[choice][0])
            else:
                viewer.overflowed = True  # its run cannot be read now: the snapshot follows
            self._viewers.add(viewer)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        try:
            while True:
                event = await viewer.queue.get()
                if event is None:
                    return
                yield event
        finally:
            self._viewers.discard(viewer)

    async def _run(self) -> None:
        """Poll and broadcast while there are viewers."""
        loop = asyncio.get_running_loop()
        while self._viewers and not self.closed:
            started = loop.time()
            if self.should_exit():
                self.closed = True
                break
            try:
                async with self._poll_lock:
                    self._send(await asyncio.to_thread(self._poll, {viewer.choice for viewer in self._viewers}))
            except Exception as error:  # the stream of all viewers would end with this task
                self._log("", error)
            await asyncio.sleep(max(0.02, POLL_SECONDS - (loop.time() - started)))
        if self.closed:
            for viewer in self._viewers:
                with contextlib.suppress(asyncio.QueueFull):
                    viewer.queue.put_nowait(None)

    def _poll(self, choices: set[str]) -> dict[str, tuple[RunEvents, list[Event]]]:
        """What is new in every chosen run: choice -> (the run, its events). Runs in a thread."""
        supervisor = self.catalogue.supervisor
        active = supervisor.active()
        shown = active or self.catalogue.idle_default()
        worker = "busy" if active is not None else supervisor.spare
        surroundings: Surroundings = {"worker": worker, "active": active.id if active is not None else None,
                                      "active_run": self._about(active), "ending": [run.id for run in supervisor.ending()]}
        updates: dict[str, tuple[RunEvents, list[Event]]] = {}
        new_events: dict[str, list[Event]] = {}
        for choice in choices:
            try:
                run = (self.catalogue.find(choice) if choice else None) or shown
                key = run.id if run is not None else ""
                run_events = self._run_events.pop(key, None) or self._new_events(run)
            except Exception as error:
                self._log(choice, error)
                continue
            self._run_events[key] = run_events  # last: the dict is in the order of the last poll
            if key not in new_events:
                new_events[key] = self._refresh(run_events, surroundings)
            updates[choice] = (run_events, new_events[key])
        for key in list(self._run_events)[:-max(MAX_CACHED, len(new_events))]:
            del self._run_events[key]
        return updates

    def _about(self, active: Run | None) -> ActiveRun | None:
        """What every viewer is told of the active run; None where there is none, or it cannot be read just now.

        Its step is told once a second: who looks at this very run has it by its own status.
        """
        try:
            status = active.stored_status() if active is not None else None
        except RunError:
            status = None
        if active is None or status is None:
            self._active_run = None
            return None
        known, now = self._active_run, time.monotonic()
        same = known is not None and (known["name"], known["state"]) == (active.name, status.state)
        if not same or now - self._active_at >= ACTIVE_SECONDS:
            self._active_run, self._active_at = ActiveRun(name=active.name, preset=active.preset, state=status.state,
                                                          step=status.step), now
        return self._active_run

    def _refresh(self, run_events: RunEvents, surroundings: Surroundings) -> list[Event]:
        """The new events of a run; none where it cannot be read, and a snapshot as soon as it can be again."""
        try:
            events = list(run_events.refresh(surroundings))
            if run_events.id in self._failing:
                events = [("snapshot", run_events.snapshot())]
        except Exception as error:
            self._log(run_events.id, error)
            self._failing.add(run_events.id)
            run_events.forget_snapshot()
            return []
        self._failing.discard(run_events.id)
        return events

    def _log(self, run_id: str, error: Exception) -> None:
        """Log an error of a run once, not eight times a second; no OSError, for files are replaced while they are read."""
        kind = run_id, type(error).__name__
        if not isinstance(error, OSError) and kind not in self._logged:
            self._logged.add(kind)
            logger.error("The live stream of run %r fails.", run_id, exc_info=error)

    def _new_events(self, run: Run | None) -> RunEvents:
        return RunEvents(run, run is not None and self.catalogue.shows_nearest(run), self.catalogue.shown)

    def _send(self, updates: dict[str, tuple[RunEvents, list[Event]]]) -> None:
        """Queue the events; each is encoded once for all viewers."""
        encoded: dict[int, list[tuple[str, str, str]]] = {}
        for viewer in self._viewers:
            if viewer.choice not in updates:
                continue
            run_events, events = updates[viewer.choice]
            if viewer.run != run_events.id or viewer.overflowed:
                self._send_snapshot(viewer, run_events)  # another run, or too many events were missed
                continue
            if id(run_events) not in encoded:
                encoded[id(run_events)] = [self._encode(run_events, event) for event in events]
            for event in encoded[id(run_events)]:
                try:
                    viewer.queue.put_nowait(event)
                except asyncio.QueueFull:
                    viewer.overflowed = True
                    break

    def _encode(self, run_events: RunEvents, event: Event) -> tuple[str, str, str]:
        name, text = event
        if name == "snapshot":
            text = self._with_boot(text)
        self._count += 1
        return name, text, f"{self.boot}.{run_events.id}.{self._count}"

    def _with_boot(self, text: str) -> str:
        return f'{{"boot": {json.dumps(self.boot)}, {text[1:]}'

    def _send_snapshot(self, viewer: Viewer, run_events: RunEvents) -> None:
        try:
            event = self._encode(run_events, ("snapshot", run_events.snapshot()))
        except Exception as error:
            self._log(run_events.id, error)
            viewer.overflowed = True  # it is tried again at the next poll
            return
        while not viewer.queue.empty():
            viewer.queue.get_nowait()
        viewer.run, viewer.overflowed = run_events.id, False
        viewer.queue.put_nowait(event)

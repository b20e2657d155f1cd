"""The broadcast hub: polls each watched run eight times a second and sends its events to all its viewers.

It has viewers and queues; `live_routes` turns a viewer into an HTTP connection. Pages that cannot keep one open ask for the same
events, by the id of the last one that they have. A run that nobody looks at costs nothing. What fails with one run, whose files
may be damaged, is logged once; the viewers of the others are sent theirs.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator, Callable
from weakref import WeakKeyDictionary

from ..runs.run import Run, RunError
from .event_log import EventLog, Sent
from .run_catalogue import RunCatalogue
from .run_events import Event, RunEvents
from .stream_types import ActiveRun, Surroundings

POLL_SECONDS = 0.125  # eight times a second
ACTIVE_SECONDS = 1.0  # after which those who look at another run are told the step of the active one
ASKED_SECONDS = 3.0  # for which a run is looked at after a page has asked for its events
WAIT_SECONDS = 1.0  # for which an answer without events is held back
QUEUE_SIZE = 40  # events by which a viewer may lag before it gets a snapshot instead
MAX_CACHED = 8  # runs kept without a viewer, so that a reload is fast
logger = logging.getLogger(__name__)
Updates = dict[str, tuple[RunEvents, list[Event]]]  # choice -> (the run, its new events)


class Viewer:
    """One open page. `choice`: the id of the run that it chose, "" for the default; `run`: the one it is sent."""

    def __init__(self, choice: str) -> None:
        self.choice, self.run = choice, ""
        self.queue: asyncio.Queue[Sent | None] = asyncio.Queue(QUEUE_SIZE)
        self.overflowed = self.left = False


class Hub:
    """All viewers of one server. Coroutines run in the server's event loop; the disk is read in a thread."""

    def __init__(self, catalogue: RunCatalogue, should_exit: Callable[[], bool] = lambda: False) -> None:
        self.catalogue, self.should_exit = catalogue, should_exit
        self.boot = uuid.uuid4().hex[:8]
        self.closed = False
        self._viewers: set[Viewer] = set()
        self._asked: dict[str, float] = {}  # choice -> when it is no longer looked at, unless a page asks again
        self._shown: dict[str, RunEvents] = {}  # choice -> its run, of all that are looked at
        self._looked = asyncio.Event()  # set, and replaced, after each look
        self._run_events: dict[str, RunEvents] = {}
        self._logs: WeakKeyDictionary[RunEvents, EventLog] = WeakKeyDictionary()
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

    async def watch(self, choice: str = "", cursor: str = "") -> AsyncIterator[Sent]:
        """Events of one viewer until the server ends: those after the one with id `cursor`, or a snapshot; then all changes."""
        viewer, missed = Viewer(choice), list[Sent]()

        def admit(updates: Updates) -> None:
            if viewer.left:
                return
            self._viewers.add(viewer)
            if choice not in updates:
                viewer.overflowed = True  # its run cannot be read now: the snapshot follows
                return
            run_events = updates[choice][0]
            known = self._after(run_events, cursor)
            if known is None:
                self._send_snapshot(viewer, run_events)
            else:
                missed.extend(known)
                viewer.run = run_events.id

        try:
            await self._look_now({choice}, admit)
            self._keep_looking()
            for event in missed:
                yield event
            while (event_or_end := await viewer.queue.get()) is not None:
                yield event_or_end
        finally:
            viewer.left = True
            self._viewers.discard(viewer)

    async def events(self, choice: str = "", cursor: str = "") -> list[Sent]:
        """The events after the one with the id `cursor`, or a snapshot where the page has missed some.

        An answer without events waits a second for one: what a page does shows soon, and an idle page seldom asks.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + WAIT_SECONDS
        if choice not in self._shown and choice and await asyncio.to_thread(self.catalogue.find, choice) is None:
            choice = ""  # without a look, for which all viewers would wait: anybody can ask for a run that is not there
        shown = self._shown.get(choice)
        if shown is None:
            shown, _ = (await self._look_now({choice})).get(choice, (None, []))
        self._asked[choice] = loop.time() + ASKED_SECONDS
        self._keep_looking()
        while True:
            looked = self._looked
            found = [] if shown is None else self._after(shown, cursor)
            if found is None and shown is not None:
                async with self._poll_lock:  # no look is half done
                    found = self._snapshot(shown)
            if found or self.closed or loop.time() >= deadline:
                return found or []
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(looked.wait(), deadline - loop.time())
            shown = self._shown.get(choice)

    def _after(self, run_events: RunEvents, cursor: str) -> list[Sent] | None:
        """The events after a cursor; None where it is of another run or server, or too old."""
        prefix = f"{self.boot}.{run_events.id}."
        digits, log = cursor.removeprefix(prefix), self._logs.get(run_events)
        if log is None or not cursor.startswith(prefix) or not (digits.isascii() and digits.isdecimal() and len(digits) < 20):
            return None
        return log.after(int(digits)) if int(digits) <= self._count else None

    async def _look_now(self, choices: set[str], then: Callable[[Updates], None] = lambda updates: None) -> Updates:
        """Look, also where the caller goes away meanwhile: the events of one look belong to all viewers."""
        return await asyncio.shield(asyncio.ensure_future(self._look(choices, then)))

    async def _look(self, choices: set[str], then: Callable[[Updates], None] = lambda updates: None) -> Updates:
        async with self._poll_lock:
            updates = await asyncio.to_thread(self._poll, choices)
            self._send(updates)
            for choice in choices:
                self._shown.pop(choice, None)
            self._shown.update({choice: run_events for choice, (run_events, _) in updates.items()})
            then(updates)
        self._looked.set()
        self._looked = asyncio.Event()
        return updates

    def _keep_looking(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def _watched(self) -> set[str]:
        """The choices of all viewers, and of the pages that have asked lately."""
        now = asyncio.get_running_loop().time()
        self._asked = {choice: until for choice, until in self._asked.items() if until > now}
        watched = {*(viewer.choice for viewer in self._viewers), *self._asked}
        self._shown = {choice: run_events for choice, run_events in self._shown.items() if choice in watched}
        return watched

    async def _run(self) -> None:
        """Poll and broadcast while somebody looks."""
        loop = asyncio.get_running_loop()
        while (watched := self._watched()) and not self.closed:
            started = loop.time()
            if self.should_exit():
                self.closed = True
                break
            try:
                await self._look(watched)
            except Exception as error:  # the stream of all viewers would end with this task
                self._log("", error)
            await asyncio.sleep(max(0.02, POLL_SECONDS - (loop.time() - started)))
        if self.closed:
            for viewer in self._viewers:
                with contextlib.suppress(asyncio.QueueFull):
                    viewer.queue.put_nowait(None)

    def _poll(self, choices: set[str]) -> Updates:
        """What is new in every chosen run: choice -> (the run, its events). Runs in a thread."""
        supervisor = self.catalogue.supervisor
        active = supervisor.active()
        shown = active or self.catalogue.idle_default()
        worker = "busy" if active is not None else supervisor.spare
        surroundings: Surroundings = {"worker": worker, "active": active.id if active is not None else None,
                                      "active_run": self._about(active), "ending": [run.id for run in supervisor.ending()]}
        updates: Updates = {}
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

    def _send(self, updates: Updates) -> None:
        """Queue the events; each is encoded once for all viewers, and has its number before any snapshot that contains it."""
        encoded: dict[RunEvents, list[Sent] | None] = {}
        for run_events, events in updates.values():
            if run_events not in encoded:
                encoded[run_events] = self._encode_all(run_events, events)
        by_run = {run_events.id: run_events for run_events in encoded}
        for viewer in self._viewers:
            # Somebody who chose the run by name may have caused the look at a run that others are shown by default.
            shown = updates[viewer.choice][0] if viewer.choice in updates else by_run.get(viewer.run)
            if shown is None:
                continue
            news = encoded[shown]
            if news is None or viewer.run != shown.id or viewer.overflowed:
                self._send_snapshot(viewer, shown)  # another run, or too many events were missed
                continue
            for event in news:
                try:
                    viewer.queue.put_nowait(event)
                except asyncio.QueueFull:
                    viewer.overflowed = True
                    break

    def _encode_all(self, run_events: RunEvents, events: list[Event]) -> list[Sent] | None:
        """The events as they are sent, kept in the log; None at the first look at a run, when there is nothing to add them to."""
        if run_events not in self._logs:
            self._logs[run_events] = EventLog(self._count)
            return None
        encoded = [self._encode(run_events, event) for event in events]
        first = self._count - len(encoded) + 1
        for number, event in enumerate(encoded, first):
            self._logs[run_events].add(number, event)
        return encoded

    def _encode(self, run_events: RunEvents, event: Event) -> Sent:
        name, text = event
        if name == "snapshot":
            text = self._with_boot(text)
        self._count += 1
        return Sent(name, text, f"{self.boot}.{run_events.id}.{self._count}")

    def _with_boot(self, text: str) -> str:
        return f'{{"boot": {json.dumps(self.boot)}, {text[1:]}'

    def _snapshot(self, run_events: RunEvents) -> list[Sent]:
        """The whole run as it is now, as one event; none where it cannot be read."""
        try:
            return [self._encode(run_events, ("snapshot", run_events.snapshot()))]
        except Exception as error:
            self._log(run_events.id, error)
            return []

    def _send_snapshot(self, viewer: Viewer, run_events: RunEvents) -> None:
        snapshot = self._snapshot(run_events)
        if not snapshot:
            viewer.overflowed = True  # it is tried again at the next poll
            return
        while not viewer.queue.empty():
            viewer.queue.get_nowait()
        viewer.run, viewer.overflowed = run_events.id, False
        viewer.queue.put_nowait(snapshot[0])

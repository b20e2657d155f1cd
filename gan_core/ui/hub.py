"""The broadcast hub: one look at each watched run eight times a second, and every event sent to all who watch it.

It knows viewers and queues, not HTTP: `live` turns a viewer into a connection. A run nobody watches costs nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Callable

from .run_catalogue import RunCatalogue
from .run_events import Event, RunEvents
from .stream_types import Surroundings

TICK = 0.125  # seconds between looks
QUEUE = 40  # events a slow viewer may lag behind before it is given a fresh snapshot instead
KEPT = 8  # feeds remembered without a viewer, so that a reload finds them warm


class Viewer:
    """One open page. `chosen`: the run it asked for, or "" for the one that is shown to everybody."""

    def __init__(self, chosen: str) -> None:
        self.chosen, self.run = chosen, ""
        self.queue: asyncio.Queue[tuple[str, str, str] | None] = asyncio.Queue(QUEUE)
        self.lost = False


class Hub:
    """All viewers of one server. Its coroutines run in the server's event loop; looks at the disk run in a thread."""

    def __init__(self, catalogue: RunCatalogue, should_exit: Callable[[], bool] = lambda: False) -> None:
        self.catalogue, self.should_exit = catalogue, should_exit
        self.boot = uuid.uuid4().hex[:8]
        self.closed = False
        self._viewers: set[Viewer] = set()
        self._feeds: dict[str, RunEvents] = {}
        self._count = 0
        self._task: asyncio.Task[None] | None = None
        self._look_lock = asyncio.Lock()

    @property
    def viewers(self) -> int:
        return len(self._viewers)

    async def watch(self, chosen: str = "") -> AsyncIterator[tuple[str, str, str]]:
        """(name, JSON, id) for one viewer: a snapshot at once, then whatever happens, until the server ends."""
        viewer = Viewer(chosen)
        async with self._look_lock:
            looked = await asyncio.to_thread(self._look, {chosen})
            self._send(looked)
            self._introduce(viewer, looked[chosen][0])
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
        """While somebody watches."""
        loop = asyncio.get_running_loop()
        while self._viewers and not self.closed:
            began = loop.time()
            if self.should_exit():
                self.closed = True
                break
            with contextlib.suppress(OSError):
                async with self._look_lock:
                    self._send(await asyncio.to_thread(self._look, {viewer.chosen for viewer in self._viewers}))
            await asyncio.sleep(max(0.02, TICK - (loop.time() - began)))
        if self.closed:
            for viewer in self._viewers:
                with contextlib.suppress(asyncio.QueueFull):
                    viewer.queue.put_nowait(None)

    def _look(self, wanted: set[str]) -> dict[str, tuple[RunEvents, list[Event]]]:
        """What is new in every run that is wanted: chosen name -> (its feed, events). Runs in a thread."""
        supervisor = self.catalogue.supervisor
        active = supervisor.active()
        shown = active or self.catalogue.resting()
        worker = "busy" if active is not None else supervisor.spare
        surroundings: Surroundings = {"worker": worker, "active": active.id if active is not None else None}
        looked: dict[str, tuple[RunEvents, list[Event]]] = {}
        fresh: dict[str, list[Event]] = {}
        for chosen in wanted:
            run = (self.catalogue.find(chosen) if chosen else None) or shown
            key = run.id if run is not None else ""
            feed = self._feeds.pop(key, None) or RunEvents(run)
            self._feeds[key] = feed  # the order of the dict is the order of the last look
            if key not in fresh:
                fresh[key] = list(feed.refresh(surroundings))
            looked[chosen] = (feed, fresh[key])
        for key in list(self._feeds)[:-max(KEPT, len(fresh))]:
            del self._feeds[key]
        return looked

    def _send(self, looked: dict[str, tuple[RunEvents, list[Event]]]) -> None:
        """Each event gets its id and its text once, whoever receives it."""
        dressed: dict[int, list[tuple[str, str, str]]] = {}
        for viewer in self._viewers:
            if viewer.chosen not in looked:
                continue
            feed, events = looked[viewer.chosen]
            if viewer.run != feed.id or viewer.lost:
                self._introduce(viewer, feed)  # another run is shown now, or too much was missed
                continue
            if id(feed) not in dressed:
                dressed[id(feed)] = [self._dress(feed, event) for event in events]
            for event in dressed[id(feed)]:
                try:
                    viewer.queue.put_nowait(event)
                except asyncio.QueueFull:
                    viewer.lost = True
                    break

    def _dress(self, feed: RunEvents, event: Event) -> tuple[str, str, str]:
        name, text = event
        if name == "snapshot":
            text = self._booted(text)
        self._count += 1
        return name, text, f"{self.boot}.{feed.id}.{self._count}"

    def _booted(self, text: str) -> str:
        return f'{{"boot": {json.dumps(self.boot)}, {text[1:]}'

    def _introduce(self, viewer: Viewer, feed: RunEvents) -> None:
        while not viewer.queue.empty():
            viewer.queue.get_nowait()
        viewer.run, viewer.lost = feed.id, False
        viewer.queue.put_nowait(self._dress(feed, ("snapshot", feed.snapshot())))

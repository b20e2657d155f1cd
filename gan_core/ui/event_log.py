"""The newest events of one run, with their ids: what came after the last one that a page has.

The hub numbers events and asks; this only keeps them.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

MAX_EVENTS = 100  # at 20 a second, the most that a run sends, five seconds
MAX_BYTES = 4 << 20  # for each of the runs that are looked at, and of the eight that were last


class Sent(NamedTuple):
    """An event as every page gets it. `text`: JSON; `identity`: boot.run.number."""

    name: str
    text: str
    identity: str


class EventLog:
    """Holds every event later than number `complete_after`; whoever has had less needs a snapshot."""

    def __init__(self, complete_after: int) -> None:
        self.complete_after = complete_after
        self._events: deque[tuple[int, Sent]] = deque()
        self._bytes = 0

    def add(self, number: int, event: Sent) -> None:
        """Numbers must grow."""
        if event.name == "snapshot":  # it stands for all that came before
            self._events.clear()
            self._bytes = 0
        self._events.append((number, event))
        self._bytes += len(event.text)
        while len(self._events) > MAX_EVENTS or (self._bytes > MAX_BYTES and self._events):
            self.complete_after, dropped = self._events.popleft()
            self._bytes -= len(dropped.text)

    def after(self, number: int) -> list[Sent] | None:
        """The events after `number`; None where some of them are no longer kept."""
        return [event for known, event in self._events if known > number] if number >= self.complete_after else None

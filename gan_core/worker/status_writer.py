"""Writes the status of a run, with a heartbeat that tells a busy worker from a dead one.

What a run is doing is decided by the session.
"""

from __future__ import annotations

import contextlib
import platform
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil

from ..messages import ENGLISH, Message, message, os_reason
from ..runs.run import Run
from ..runs.status import ACTIVE

HEARTBEAT_INTERVAL = 0.3  # seconds between heartbeats when nothing else writes the status


class StatusWriter:
    """The status on disk. The heartbeat has its own thread, so that a long step does not look like a dead process."""

    def __init__(self, run: Run, restarting: str = "", launcher: psutil.Process | None = None,
                 frozen: Callable[[], bool] = lambda: False, kernel: bool = False) -> None:
        """restarting: the state that the run was in when a process was lost; launcher: what would start a lost one again;
        frozen: whether other processes, which this one waits for, do not answer; the heartbeat stops meanwhile. kernel: whether
        a notebook trains the run."""
        self.run, self.status, self._frozen = run, run.stored_status(), frozen
        self._notices: dict[str, tuple[Message, ...]] = {}
        status, process = self.status, psutil.Process()
        if status.state in ACTIVE:
            status.state = "failed"  # left by a worker that died
        status.move_to("starting")
        status.life, status.error, status.progress, status.notice, status.notices = status.life + 1, None, None, "", []
        status.host = platform.node()
        status.pid, status.pid_started = process.pid, process.create_time()
        status.restarting, status.kernel = restarting, kernel
        status.launcher, status.launcher_started = (launcher.pid, launcher.create_time()) if launcher is not None else (0, 0.0)
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._written = 0.0
        self.write()
        threading.Thread(target=self._beat, daemon=True).start()

    def write(self, state: str = "", **fields: Any) -> None:
        """Change fields and write them atomically. A full disk is survived: the next write tries again."""
        with self._lock:
            for name, value in fields.items():
                setattr(self.status, name, value)
            if state and state != self.status.state:
                self.status.move_to(state)
                self.status.restarting = ""
            if self.status.state != "paused":
                self.status.probe = None  # of networks that have moved on
            self._put()

    def set_notices(self, cause: str, *notices: Message) -> None:
        """Show these as banners until the same cause is set to others or, with none, to nothing. No change costs no write."""
        with self._lock:
            if self._notices.get(cause, ()) != notices:
                self._notices.pop(cause, None)
                self._notices |= {cause: notices} if notices else {}
                self.status.notices = [{**notice} for group in self._notices.values() for notice in group]
                self.status.notice = " ".join(map(ENGLISH.sentence, self.status.notices))
                self._put()

    def clear_notices(self, but: str) -> None:
        """Drop the notices of every cause except this one."""
        for cause in set(self._notices) - {but}:
            self.set_notices(cause)

    def attempt(self, what: str, action: Callable[[], None]) -> None:
        """Do something that writes to the disk. Its failure is a notice until it succeeds, and does not end the training."""
        try:
            action()
            self.set_notices(what)
        except OSError as error:
            self.set_notices(what, message("notice_disk", what=message(f"doing_{what}"), reason=os_reason(error)))

    def _put(self) -> None:
        self.status.heartbeat += 1
        with contextlib.suppress(OSError):
            self.run.write_status(self.status, durable=False)
        self._written = time.monotonic()

    def _beat(self) -> None:
        while not self._closed.wait(HEARTBEAT_INTERVAL):
            with self._lock:
                due = time.monotonic() - self._written >= HEARTBEAT_INTERVAL
                if not self._closed.is_set() and due and not self._frozen():
                    self._put()

    def close(self) -> None:
        """Stop the heartbeat and make the last status durable."""
        with self._lock:
            self._closed.set()
            with contextlib.suppress(OSError):
                self.run.write_status(self.status)

"""The status of a run on the disk, and the heartbeat that tells a worker that is busy from one that is dead.

It writes what it is told; what a run is doing is `life`'s business.
"""

from __future__ import annotations

import contextlib
import platform
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil

from ..messages import ENGLISH
from ..runs.run import Run
from ..runs.status import ACTIVE

BEAT = 0.3  # seconds between heartbeats when nothing else writes the status


class StatusWriter:
    """The status on the disk. A thread of its own beats the heart, so that a long step does not look like a dead process."""

    def __init__(self, run: Run, restarting: str = "", launcher: psutil.Process | None = None,
                 held: Callable[[], bool] = lambda: False) -> None:
        """restarting: the state that the run was in when a process was lost; launcher: what would start a lost one again;
        held: whether other processes, without which nothing goes on, do not answer: then the heart stands still too."""
        self.run, self.status, self._held = run, run.stored_status(), held
        self._notices: dict[str, tuple[dict[str, Any], ...]] = {}
        status, process = self.status, psutil.Process()
        if status.state in ACTIVE:
            status.state = "failed"  # left by a worker that died; its story ends here
        status.move_to("starting")
        status.life, status.error, status.progress, status.notice, status.notices = status.life + 1, None, None, "", []
        status.host = platform.node()
        status.pid, status.pid_started = process.pid, process.create_time()
        status.restarting = restarting
        status.launcher, status.launcher_started = (launcher.pid, launcher.create_time()) if launcher is not None else (0, 0.0)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._written = 0.0
        self.write()
        threading.Thread(target=self._beat, daemon=True).start()

    def write(self, state: str = "", **fields: Any) -> None:
        """Change fields and put them on the disk as one act. A full disk is survived: the next write tries again."""
        with self._lock:
            for name, value in fields.items():
                setattr(self.status, name, value)
            if state and state != self.status.state:
                self.status.move_to(state)
                self.status.restarting = ""
            self._put()

    def note(self, cause: str, *notices: dict[str, Any]) -> None:
        """What is worth a banner, as `sentences.part` makes it, until its cause is gone: told with none. What stands already
        costs no write."""
        with self._lock:
            if self._notices.get(cause, ()) != notices:
                self._notices.pop(cause, None)
                self._notices |= {cause: notices} if notices else {}
                self.status.notices = [one for some in self._notices.values() for one in some]
                self.status.notice = " ".join(map(ENGLISH.sentence, self.status.notices))
                self._put()

    def forget_notices(self, but: str) -> None:
        """Of an ended training only `but` is still of interest."""
        for cause in set(self._notices) - {but}:
            self.note(cause)

    def _put(self) -> None:
        self.status.heartbeat += 1
        with contextlib.suppress(OSError):
            self.run.write_status(self.status, durable=False)
        self._written = time.monotonic()

    def _beat(self) -> None:
        while not self._ended.wait(BEAT):
            with self._lock:
                if not self._ended.is_set() and time.monotonic() - self._written >= BEAT and not self._held():
                    self._put()

    def close(self) -> None:
        """No heartbeat after this; the last status is made durable."""
        with self._lock:
            self._ended.set()
            with contextlib.suppress(OSError):
                self.run.write_status(self.status)

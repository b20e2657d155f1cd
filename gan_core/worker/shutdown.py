"""How a training process is told to end: by Ctrl+C, by SIGTERM, by its terminal, and what exit status tells of it.

It knows signals, not runs: who trains says what saves and ends.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

INTERRUPTED = 130  # the exit status that shells give to Ctrl+C: 128 and the signal's number


class Shutdown:
    """SIGTERM, Ctrl+C and the terminal's end save and end, whenever they come; a second Ctrl+C ends at once, as if by kill -9.

    What nohup has made deaf to the terminal's end stays so.
    """

    def __init__(self) -> None:
        self.asked: list[int] = []
        self._stop: Callable[[], None] | None = None
        hangup = getattr(signal, "SIGHUP", None)  # not on Windows
        deaf = hangup is None or signal.getsignal(hangup) == signal.SIG_IGN
        for number in (signal.SIGTERM, signal.SIGINT, *([] if deaf else [hangup])):
            signal.signal(number, self._heard)

    @property
    def interrupted(self) -> bool:
        return signal.SIGINT in self.asked

    @property
    def status(self) -> int:
        """The exit status that shells give to the first signal that came; 0 where none did."""
        return 128 + self.asked[0] if self.asked else 0

    def _heard(self, number: int, frame: object) -> None:
        if number == signal.SIGINT and self.interrupted:
            os._exit(INTERRUPTED)
        self.asked.append(number)
        if self._stop is not None:
            self._stop()

    def by(self, stop: Callable[[], None]) -> None:
        """From now on `stop` saves and ends; at once where that was asked for before. It runs in a signal handler: no locks."""
        self._stop = stop
        if self.asked:
            stop()

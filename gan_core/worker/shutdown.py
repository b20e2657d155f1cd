"""How a training process is asked to end: by Ctrl+C, SIGTERM or the end of its terminal, and the exit status for each.

Only signals are handled here; the session saves and ends.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

INTERRUPTED = 130  # the exit status that shells use for Ctrl+C: 128 and the signal's number


class Shutdown:
    """SIGTERM, Ctrl+C and the end of the terminal save and end, at any moment; a second Ctrl+C ends at once, as kill -9 does.

    A SIGHUP that was ignored when the process started, as under nohup, stays ignored.
    """

    def __init__(self) -> None:
        self.signals: list[int] = []  # all that were received, in order
        self._stop: Callable[[], None] | None = None
        numbers = [signal.SIGTERM, signal.SIGINT]
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # Windows has none
            numbers.append(signal.SIGHUP)
        for number in numbers:
            signal.signal(number, self._receive)

    @property
    def interrupted(self) -> bool:
        return signal.SIGINT in self.signals

    @property
    def exit_status(self) -> int:
        """The exit status that shells use for the first signal received; 0 without one."""
        return 128 + self.signals[0] if self.signals else 0

    def on_request(self, stop: Callable[[], None]) -> None:
        """Call `stop` at each signal from now on, and at once if one came before. It runs in a signal handler: no locks."""
        self._stop = stop
        if self.signals:
            stop()

    def _receive(self, number: int, frame: object) -> None:
        if number == signal.SIGINT and self.interrupted:
            os._exit(INTERRUPTED)
        self.signals.append(number)
        if self._stop is not None:
            self._stop()

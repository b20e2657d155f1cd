"""The processes of the followers: one per integration, started by the worker or by `python -m gan_core.sinks RUN NAME`."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from ..messages import Message, message
from ..runs.run import Run, RunError
from .follower import follow
from .registry import INTEGRATIONS, check_available

CLOSE_TIMEOUT = 20.0  # seconds that a worker gives its followers to log the end
ROOT = Path(__file__).parents[2]
NICENESS = 5  # training has priority


class FollowerProcesses:
    """The followers of a worker's run, one process each."""

    def __init__(self, run: Run, names: Iterable[str], on_notice: Callable[[Message], None]) -> None:
        """Start the followers. Raises IntegrationError where one cannot be used, so call this before training.

        on_notice: called from a thread with a message when a follower fails; training goes on.
        """
        names = list(dict.fromkeys(names))
        check_available(names)
        self._closing, self._on_notice = False, on_notice
        command = [sys.executable, "-m", "gan_core.sinks", str(run.path.resolve())]
        self._processes = [subprocess.Popen([*command, name], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                            errors="replace", start_new_session=True, cwd=ROOT)
                           for name in names]
        self._watchers = [threading.Thread(target=self._watch, args=(name, process), daemon=True)
                          for name, process in zip(names, self._processes, strict=True)]
        for watcher in self._watchers:
            watcher.start()

    def _watch(self, name: str, process: subprocess.Popen[str]) -> None:
        """Pass on what a follower prints, and notify of its failure with the last line."""
        last_line = ""
        assert process.stderr is not None
        for line in process.stderr:
            print(line, end="", file=sys.stderr, flush=True)
            last_line = line.strip() or last_line
        status = process.wait()
        if status and not self._closing:
            reason = last_line[:200] if last_line else message("exit_status", status=status)
            self._on_notice(message("notice_log", name=name, reason=reason))

    def close(self, timeout: float = CLOSE_TIMEOUT) -> None:
        """Wait until the followers have logged the end of the run, which must be in its status by now; kill them after that."""
        for watcher in self._watchers:
            watcher.join(timeout)
        self._closing = True
        for process in self._processes:
            if process.poll() is None:
                process.kill()


def main(argv: list[str] | None = None) -> int:
    """The command line of one follower; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m gan_core.sinks", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Log a run to another program, while it trains or afterwards.",
        epilog="logs:\n" + "\n".join(f"  {name:<12} {entry.about}" for name, entry in INTEGRATIONS.items()))
    parser.add_argument("run", type=Path, help="the run's folder")
    parser.add_argument("log", help=f"one of: {', '.join(INTEGRATIONS)}")
    args = parser.parse_args(argv)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with contextlib.suppress(AttributeError, OSError):
        os.nice(NICENESS)
    try:
        follow(Run.open(args.run), args.log, stop)
    except RunError as error:
        print(error, file=sys.stderr)
        return 2
    return 0

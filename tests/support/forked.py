"""Worker processes that do not import torch first, which takes seconds: forked from a server that has imported it.

Each is a process with its own pid, session and standard streams; only the interpreter's start is shared. Tests of that start
itself run `python -m gan_core.worker`.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from multiprocessing.context import ForkServerContext
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRELOADED = ["gan_core.worker.__main__", "torch._dynamo", "pytest"]  # the second is what torch's first optimizer imports
WORKER = "import sys; from gan_core.worker.__main__ import main; sys.exit(main(sys.argv[1:]))"
AVAILABLE = sys.platform == "linux"  # elsewhere a fork of a process with so many libraries in it is not safe
_context: ForkServerContext | None = None


def _server() -> ForkServerContext:
    """One for this process; it ends with it."""
    global _context
    if _context is None:
        _context = multiprocessing.get_context("forkserver")
        _context.set_forkserver_preload(PRELOADED)
    return _context


def _main(argv: list[str], code: str, output: Path, environment: dict[str, str]) -> None:
    """In the new process: what `python -c code argv` would do."""
    assert not set(PRELOADED) - set(sys.modules), "the server hides what it could not import, and each process would be slow"
    os.setsid()
    for stream, path in ((0, os.devnull), (1, output), (2, os.devnull)):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND), stream)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    sys.argv = ["-c", *argv]
    exec(code, {"__name__": "__main__"})


class Forked:
    """A process as `subprocess.Popen` shows it: pid, poll, wait, kill, send_signal, returncode."""

    def __init__(self, argv: list[str], code: str, output: Path) -> None:
        self._process = _server().Process(target=_main, args=(argv, code, output, dict(os.environ)))
        self._process.start()
        self.pid: int = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("a forked worker", timeout)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self._process.exitcode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def started(argv: list[str], code: str = WORKER, output: Path = Path(os.devnull)) -> Forked | subprocess.Popen:
    """A process that runs `code` with these arguments, by default a worker; what it prints is added to the file `output`."""
    if AVAILABLE:
        return Forked(argv, code, output)
    with output.open("ab") as file:
        return subprocess.Popen([sys.executable, "-c", code, *argv], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file)

"""Worker processes that do not import torch first, which takes seconds: forked from a server that has imported it.

Each is a process with its own pid, session, standard streams, command line and environment, as `ps` shows them; only the
interpreter's start is shared. Tests of that start itself run `python -m gan_core.worker`.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import traceback
from multiprocessing import reduction
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PRELOADED = "tests.support.forked_imports"  # as it is found from ROOT, where tests run
WORKER = "import sys; from gan_core.worker.main import main; sys.exit(main(sys.argv[1:]))"
AVAILABLE = sys.platform == "linux"  # elsewhere a fork of a process with so many libraries in it is not safe
_context: ForkServerContext | None = None


def context() -> ForkServerContext:
    """Of processes that are forked from this process's server, which ends with it."""
    global _context
    if _context is None:
        _context = multiprocessing.get_context("forkserver")
        _context.set_forkserver_preload([PRELOADED])
    return _context


def _main(command: list[str], environment: dict[str, str], output: Path, pipes: dict[int, int]) -> None:
    """In the new process: what this command does. pipes: number of a standard stream => the file that it is."""
    assert PRELOADED in sys.modules, "the server hides what it could not import, and each process would be slow"
    os.setsid()
    for stream, path in ((0, os.devnull), (1, output), (2, os.devnull)):
        os.dup2(pipes[stream] if stream in pipes else os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND), stream)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - multiprocessing has put an empty one in its place
    # The server's are of files that can be sought, and a pipe cannot.
    sys.stdout, sys.stderr = (open(number, "w", buffering=1, closefd=False) for number in (1, 2))  # noqa: SIM115
    _show(command, environment)
    os.chdir(ROOT)
    if "torch.distributed.run" in command[:3]:
        from torch.distributed.elastic.multiprocessing.subprocess_handler import subprocess_handler

        subprocess_handler.Popen = _Rank
    sys.exit(_run(command[1:]))


def _show(command: list[str], environment: dict[str, str]) -> None:
    """Take this environment. Other processes read the start of it, torchrun's part first, and the command, where the kernel
    finds both: in the memory that exec has filled, which nothing in this process reads any more."""
    os.environ.clear()
    os.environ.update(environment)
    first = sorted(environment, key=lambda name: not name.endswith(("RANK", "WORLD_SIZE")))
    fields = [int(field) for field in Path("/proc/self/stat").read_text().rpartition(")")[2].split()[45:49]]
    for begin, end, parts in ((*fields[:2], command), (*fields[2:], [f"{name}={environment[name]}" for name in first])):
        text = b"".join(part.encode() + b"\0" for part in parts)[:end - begin - 1]
        ctypes.memset(begin, 0, end - begin)
        ctypes.memmove(begin, text, len(text))


class _Rank(subprocess.Popen):
    """What torchrun starts, forked from torchrun: `python [-u] -m MODULE ...` or `python [-u] FILE ...`."""

    def _execute_child(self, args, executable, preexec_fn, close_fds, pass_fds, cwd, env, *rest) -> None:
        signals = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # torchrun's handlers are not for the new process
        self.pid = os.fork()
        if self.pid:
            self._child_created = True
            signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
            return
        code = 1
        try:
            os.setsid()
            for number in sorted(map(int, os.listdir("/proc/self/fd")))[3:]:  # torchrun's sockets must end with torchrun
                with contextlib.suppress(OSError):
                    os.close(number)
            for number in signals:
                signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
            _show(list(args), env)
            code = _run([part for part in args[1:] if part != "-u"])
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)


def _run(argv: list[str]) -> int:
    """What `python argv` does in a process that has imported it all, "-c CODE", "-m MODULE" or a file: its exit status."""
    way, what = argv[0], argv[1] if argv[0] in ("-c", "-m") else argv[0]
    sys.argv = [way, *argv[2:]] if way in ("-c", "-m") else argv
    try:
        if way == "-c":
            exec(what, {"__name__": "__main__"})
        elif way == "-m":
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(what, run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


class _Inherited:
    """An open file's number, which is a number of the new process there."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __reduce__(self) -> tuple:
        return _detach, (reduction.DupFd(self._number),)


def _detach(file: Any) -> int:
    return file.detach()


class Forked:
    """A process as `subprocess.Popen` shows it: pid, stdin, stdout, poll, wait, kill, send_signal, returncode."""

    def __init__(self, command: list[str], environment: dict[str, str], output: Path, piped: set[int] = frozenset()) -> None:
        """command: `python -c CODE ...`, `-m MODULE ...` or a file. piped: the standard streams, 0 and 1, that are pipes."""
        ends = {stream: os.pipe()[::-1 if stream else 1] for stream in piped}  # stream => (the process's end, ours)
        self.stdin, self.stdout = (open(ends[n][1], "wr"[n]) if n in ends else None for n in (0, 1))  # noqa: SIM115
        pipes = {stream: _Inherited(theirs) for stream, (theirs, _) in ends.items()}
        self._process = context().Process(target=_main, args=(command, environment, output, pipes))
        self._process.start()
        for theirs, _ in ends.values():
            os.close(theirs)
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
    command = [sys.executable, "-c", code, *argv]
    if AVAILABLE:
        return Forked(command, dict(os.environ), output)
    with output.open("ab") as file:
        return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file)


def popen(command: list[str], env: dict[str, str], stdin: int = subprocess.DEVNULL, stdout: int = subprocess.DEVNULL,
          **options: Any) -> Forked | subprocess.Popen:
    """subprocess.Popen in a new session, text in its pipes, for workers and torchrun; torchrun's processes are forked, too."""
    if AVAILABLE:
        piped = {stream for stream, what in enumerate((stdin, stdout)) if what == subprocess.PIPE}
        return Forked(command, env, Path(os.devnull), piped)
    return subprocess.Popen(command, env=env, stdin=stdin, stdout=stdout, **options)

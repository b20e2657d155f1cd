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
from multiprocessing.context import ForkServerContext
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRELOADED = "tests.support.forked_imports"  # as it is found from ROOT, where tests run
WORKER = "import sys; from gan_core.worker.__main__ import main; sys.exit(main(sys.argv[1:]))"
AVAILABLE = sys.platform == "linux"  # elsewhere a fork of a process with so many libraries in it is not safe
_context: ForkServerContext | None = None


def context() -> ForkServerContext:
    """Of processes that are forked from this process's server, which ends with it."""
    global _context
    if _context is None:
        _context = multiprocessing.get_context("forkserver")
        _context.set_forkserver_preload([PRELOADED])
    return _context


def _main(argv: list[str], code: str, output: Path, environment: dict[str, str]) -> None:
    """In the new process: what `python -c code argv` would do."""
    assert PRELOADED in sys.modules, "the server hides what it could not import, and each process would be slow"
    os.setsid()
    for stream, path in ((0, os.devnull), (1, output), (2, os.devnull)):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND), stream)
    _show([sys.executable, "-c", code, *argv], environment)
    os.chdir(ROOT)
    sys.argv = ["-c", *argv]
    exec(code, {"__name__": "__main__"})


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
    """What `python argv` does in a process that has imported it all: its exit status."""
    module = argv[1] if argv[0] == "-m" else None
    sys.argv = argv[module is not None:]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True) if module else runpy.run_path(argv[0], run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _torchrun(command: list[str], environment: dict[str, str]) -> None:
    """In the new process: torchrun, whose processes are forked from it."""
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.subprocess_handler import subprocess_handler

    _show(command, environment)
    subprocess_handler.Popen = _Rank
    sys.argv = command[2:]
    run.main(command[3:])


TORCHRUN = "import forked, sys; forked._torchrun(sys.argv[1:], dict(forked.os.environ))"


class Forked:
    """A process as `subprocess.Popen` shows it: pid, poll, wait, kill, send_signal, returncode."""

    def __init__(self, argv: list[str], code: str, output: Path, environment: dict[str, str] | None = None) -> None:
        self._process = context().Process(target=_main, args=(argv, code, output, dict(environment or os.environ)))
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


def torchrun(command: list[str], environment: dict[str, str]) -> Forked | subprocess.Popen:
    """A process that does what this command does, `python -m torch.distributed.run ...`, and forks the others."""
    return Forked(command, TORCHRUN, Path(os.devnull), environment) if AVAILABLE else fresh(command, environment)


def fresh(command: list[str], environment: dict[str, str]) -> subprocess.Popen:
    """The command to the letter, each interpreter started anew."""
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, start_new_session=True)

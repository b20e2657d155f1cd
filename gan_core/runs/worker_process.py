"""The processes of a run: the command that starts them, how many fit this machine, and how they are ended.

`supervisor` decides when to start and end them. This module imports no torch.
"""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import psutil

from ..compute.cores import cores
from ..compute.processes import is_launcher, is_running, process_exists, process_tree
from ..messages import Fault
from .run import Run, RunError
from .status import ACTIVE, Failure, Status

MAX_RESTARTS = 3  # how often torchrun restarts the processes of a run
STOP_TIMEOUT = 30.0  # seconds for a worker with a heartbeat to finish its step, save and end
STOP_STEPS = 10  # or so many of its steps, where they take longer
KILL_TIMEOUT = 5.0  # seconds to wait for killed processes


def worker_command(*args: str, processes: int = 1) -> list[str]:
    """The command line of `python -m gan_core.worker` with these arguments, run by torchrun for several processes."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes),
                "--max-restarts", str(MAX_RESTARTS)]
    return [sys.executable, *(torchrun if processes > 1 else []), "-m", "gan_core.worker", *args]


def capacity_limit(processes: int, device: str) -> tuple[str, int] | None:
    """None where this machine has a card or a core for each process, else ("cards" or "cores", their number).

    The page calls this before torch is imported, so it counts device files; the worker checks again with torch.
    """
    cards = 0 if device == "cpu" else graphics_cards()
    limit = cards or cores()
    return None if processes <= limit else ("cards" if cards else "cores", limit)


def graphics_cards() -> int:
    """The number of NVIDIA cards that this process may use, by their device files (Linux only)."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = sum(path.name[6:].isdigit() for path in Path("/dev").glob("nvidia*"))
    return count if visible is None else min(count, len([name for name in visible.split(",") if name.strip()]))


def is_training(child: subprocess.Popen[str] | None, run: Run) -> bool:
    """Whether a process of this run lives: `child`, which started it, or the process that its status names.

    With several processes `child` is torchrun, and the workers survive where somebody kills it.
    """
    if child is not None and child.poll() is None:
        return True
    with contextlib.suppress(RunError):
        return run.status().state in ACTIVE
    return False


def only_launcher_remains(child: subprocess.Popen[str] | None, run: Run) -> bool:
    """Whether the run has ended and only torchrun is left, which takes seconds to end and has nothing to save."""
    with contextlib.suppress(RunError, psutil.Error):
        return (child is not None and is_launcher(psutil.Process(child.pid)) and run.stored_status().state not in ACTIVE
                and not psutil.Process(child.pid).children(recursive=True))  # torchrun must have reaped its children, too
    return False


def stop_timeout(run: Run, status: Status) -> float:
    """Seconds for a run to end once it is asked to, at least STOP_TIMEOUT."""
    return answer_timeout(run, status, STOP_TIMEOUT)


def answer_timeout(run: Run, status: Status, least: float) -> float:
    """Seconds for a worker to obey, at least `least`: it does so between two steps, and a step may take long."""
    config = run.info.get("config")
    batch = {**(config if isinstance(config, dict) else {}), **status.tuned}.get("batch_size")
    if not isinstance(batch, int) or status.speed <= 0:
        return least
    return max(least, STOP_STEPS * batch / status.speed)


class StopDeadline:
    """Until when a run that was asked to end is waited for: while its heart beats, but at most `stop_timeout` seconds."""

    def __init__(self, run: Run, timeout: float) -> None:
        """timeout: seconds without a heartbeat. A run that is starting has nothing to save: for it they are seconds in all."""
        self._run, self._timeout, self._heartbeat = run, timeout, -1
        self._begun = self._beaten = time.monotonic()
        self._longest = STOP_TIMEOUT
        self.has_passed()  # the heartbeat until now
        self._beaten = self._begun

    def has_passed(self) -> bool:
        now = time.monotonic()
        with contextlib.suppress(RunError):
            status = self._run.stored_status()
            self._longest = max(self._longest, stop_timeout(self._run, status))
            if status.heartbeat != self._heartbeat and status.state != "starting":
                self._heartbeat, self._beaten = status.heartbeat, now
        return now - self._beaten >= self._timeout or now - self._begun >= self._longest


def kill_run(child: subprocess.Popen[str] | None, run: Run) -> None:
    """Kill the processes of a run. A pid in the status of another host is not touched: here it is another process.

    Nor is a notebook's kernel, which holds more than the run.
    """
    processes = process_tree(child.pid) if child is not None else []
    with contextlib.suppress(RunError, psutil.Error):
        status = run.stored_status()
        if status.host in ("", platform.node()) and not status.kernel:
            if process_exists(status.pid, status.pid_started):
                processes += process_tree(status.pid)
            if process_exists(status.launcher, status.launcher_started) and is_launcher(psutil.Process(status.launcher)):
                processes += process_tree(status.launcher)
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()
    deadline = time.monotonic() + KILL_TIMEOUT
    while any(is_running(process) for process in processes) and time.monotonic() < deadline:
        time.sleep(0.01)
    if child is not None:
        child.wait()


def record_kill(run: Run) -> None:
    """Write into the status of a run whose processes `kill_run` has killed what became of it: it was not saved."""
    with contextlib.suppress(RunError, OSError):
        status = run.stored_status()
        if status.state not in ACTIVE or run.status().state != "failed":
            return  # the worker has written its end itself, or it is of another host, where it may live
        if status.state == "starting":  # not started yet: nothing failed
            status.move_to("stopped")
            status.progress, status.restarting = None, ""
        else:
            fault = Fault("ended_unsaved")
            status.move_to("failed")
            status.error = Failure(kind="killed", message=str(fault), step=status.step, fault=fault.payload())
        run.write_status(status)


def end_process(child: subprocess.Popen[str], timeout: float) -> None:
    """Wait for a child process, and kill it with its own children after `timeout` seconds."""
    try:
        child.wait(timeout)
    except subprocess.TimeoutExpired:
        for process in process_tree(child.pid):
            with contextlib.suppress(psutil.Error):
                process.kill()
        child.wait()

"""Keeps one warm worker in reserve, hands it a run, and ends it in time. At most one run trains per folder.

It knows processes, not training: what a worker does with a run is in `worker`. A run of several processes is torchrun's, which
starts them again when one dies. It imports no torch.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

from ..compute.processes import SERVER_VARIABLE, is_launcher, is_running, process_exists, process_identity, process_tree
from .run import CommandError, Run, RunError, read_json
from .status import ACTIVE, Status

PROJECT = Path(__file__).resolve().parents[2]
MAX_RESTARTS = 3  # how often torchrun starts a run's processes again
# Seconds without a heartbeat before a worker of another host counts as gone; shared disks are slow to tell.
HEARTBEAT_TIMEOUT = 60.0


class WorkerBusy(RuntimeError):
    """Another run is being trained in this folder; `run` is that run."""

    def __init__(self, run: Run) -> None:
        super().__init__(f"{run.name} is being trained already; stop it first, or watch it.")
        self.run = run


def worker_command(*args: str, processes: int = 1) -> list[str]:
    """`python -m gan_core.worker` with these arguments, by torchrun where it is several processes."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes),
                "--max-restarts", str(MAX_RESTARTS)]
    return [sys.executable, *(torchrun if processes > 1 else []), "-m", "gan_core.worker", *args]


def capacity_limit(processes: int, device: str) -> tuple[str, int] | None:
    """None where so many processes fit this machine, else ("cards" or "cores", how many it has). torch is not asked: it takes
    seconds to import, and the worker asks it again."""
    cards = 0 if device == "cpu" else _cards()
    room = cards or (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    return None if processes <= room else ("cards" if cards else "cores", room)


def _cards() -> int:
    """NVIDIA cards that this process may use, by their device files (Linux, the only system where several train together)."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    there = sum(path.name[6:].isdigit() for path in Path("/dev").glob("nvidia*"))
    return there if allowed is None else min(there, len([name for name in allowed.split(",") if name.strip()]))


class Supervisor:
    """Starts and ends the training process of one checkpoints folder. Safe to call from many threads."""

    def __init__(self, folder: Path | str, threads: int = 0) -> None:
        self.folder = Path(folder)
        self.threads = threads
        self._lock = threading.RLock()
        self._spare: subprocess.Popen[str] | None = None
        self._spare_ready = False
        self._current: tuple[Run, subprocess.Popen[str]] | None = None
        self._closed = False
        self._beats: dict[Path, tuple[int, float]] = {}  # of runs on other hosts: the heartbeat, when it last moved

    # The spare.

    @property
    def spare(self) -> str:
        """ "none", "warming" or "ready"."""
        with self._lock:
            if self._spare is None or self._spare.poll() is not None:
                return "none"
            return "ready" if self._spare_ready else "warming"

    def warm(self) -> None:
        """Start a spare worker unless there is one; returns at once."""
        with self._lock:
            if self._closed or self.spare != "none":
                return
            self._spare, self._spare_ready = self._spawn("--idle", stdin=subprocess.PIPE, stdout=subprocess.PIPE), False
            threading.Thread(target=self._await_ready, args=(self._spare,), daemon=True).start()

    def _await_ready(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        line = process.stdout.readline()
        with self._lock:
            if process is self._spare and line.strip() == "ready":
                self._spare_ready = True

    def _spawn(self, *args: str, processes: int = 1, stdin: int = subprocess.DEVNULL,
               stdout: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        path = os.pathsep.join(p for p in (str(PROJECT), os.environ.get("PYTHONPATH", "")) if p)
        if self.threads:
            args = (*args, "--threads", str(self.threads))
        # A session of its own, so that Ctrl+C in the server's terminal does not reach the worker.
        env = {**os.environ, "PYTHONPATH": path, SERVER_VARIABLE: process_identity()}
        return subprocess.Popen(worker_command(*args, processes=processes), stdin=stdin, stdout=stdout, stderr=subprocess.DEVNULL,
                                text=True, env=env, start_new_session=os.name == "posix")

    # Runs.

    def active(self) -> Run | None:
        """The run that a living worker holds in this folder, whoever started it; None when there is none."""
        with self._lock:
            if self._current is not None:
                run, process = self._current
                with contextlib.suppress(RunError):
                    if process.poll() is None and run.stored_status().state in ACTIVE:
                        return run
        return self.active_in(self.folder)

    def active_in(self, folder: Path) -> Run | None:
        """The run that a living worker, here or on another host, trains in a folder of runs."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RunError):
            note = read_json(folder / ".worker.json")
            run = Run.open(folder / note["run"])
            status = run.stored_status()
            if status.state in ACTIVE and (process_exists(note["pid"], note["pid_started"]) or run.status().state in ACTIVE
                                           if note.get("host") in (None, platform.node()) else self._beats_there(run, status)):
                return run
        return None

    def _beats_there(self, run: Run, status: Status) -> bool:
        """Whether a worker of another host has moved its heartbeat lately; its pid says nothing here."""
        now = time.monotonic()
        beat, since = self._beats.get(run.path, (-1, now))
        self._beats[run.path] = (status.heartbeat, now if beat != status.heartbeat else since)
        return now - self._beats[run.path][1] < HEARTBEAT_TIMEOUT

    def start(self, run: Run, paused: bool = False) -> None:
        """Give this run to the spare worker, to a new one, or to torchrun. Raises WorkerBusy when another run is active."""
        with self._lock:
            active = self.active() or self.active_in(run.path.parent)
            if active is not None:
                raise WorkerBusy(active)
            self._reap_current()
            processes = run.info.get("config", {}).get("processes", 1)
            process = self._launched(run, processes, paused) if processes > 1 else self._idle()
            # Until the worker has the run, its status is ours to write: the page shows "starting" from this moment.
            status = run.stored_status()
            if status.state not in ACTIVE:
                status.move_to("starting")
            status.state, status.error, status.host = "starting", None, platform.node()
            status.notice, status.notices = "", []
            status.pid, status.pid_started = process.pid, psutil.Process(process.pid).create_time()
            status.launcher, status.restarting = 0, ""
            run.write_status(status)
            if process.stdin is not None:
                with contextlib.suppress(OSError):  # it died this very moment: the status names its pid, and every reader sees it
                    process.stdin.write(json.dumps({"run": str(run.path.resolve()), "paused": paused}) + "\n")
                    process.stdin.close()
            self._current = (run, process)
            threading.Thread(target=self._await_end, args=(process,), daemon=True).start()

    def _idle(self) -> subprocess.Popen[str]:
        """The spare, or a new worker that waits like it."""
        process, self._spare = self._spare, None
        if process is None or process.poll() is not None:
            process = self._spawn("--idle", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return process

    def _launched(self, run: Run, processes: int, paused: bool) -> subprocess.Popen[str]:
        """torchrun with the run's processes; they need the memory that the spare holds."""
        self._let_spare_go(0.0)
        return self._spawn(str(run.path.resolve()), *(["--paused"] if paused else []), processes=processes)

    def _await_end(self, process: subprocess.Popen[str]) -> None:
        """Once a run has ended, warm the next spare: not before, it costs 800 MB and a core."""
        process.wait()
        if not self._closed:
            self.warm()

    def _reap_current(self) -> None:
        """A worker that says it has ended may still be closing its files; give it the moment it needs."""
        if self._current is not None:
            run, process = self._current
            _end(process, 0.0 if _is_over(process, run) else 5.0)
            self._current = None

    def stop(self, timeout: float = 6.0) -> Run | None:
        """Ask the active worker to save and end; kill it after `timeout` seconds. Returns its run."""
        with self._lock:
            run = self.active()
            if run is None:
                return None
            child = self._current[1] if self._current is not None and self._current[0].id == run.id else None
        # Without the lock: whoever looks meanwhile sees a run that is being stopped, and does not wait.
        asked, deadline = "", time.monotonic() + timeout
        while _lives(child, run) and not _is_over(child, run) and time.monotonic() < deadline:
            asked = self._ask_to_stop(run, asked)
            time.sleep(0.02)
        if _lives(child, run):
            _kill(child, run)
            with contextlib.suppress(RunError, OSError):
                status = run.stored_status()
                if status.state == "starting" and run.status().state == "failed":  # it had not begun: nothing has failed
                    status.move_to("stopped")
                    status.progress, status.restarting = None, ""
                    run.write_status(status)
        return run

    def _ask_to_stop(self, run: Run, asked: str) -> str:
        """The id of a stop command that is on its way. A worker throws away what was asked before its life began: ask again."""
        with contextlib.suppress(OSError, CommandError, RunError):
            known = [command.get("id") for _, command in run.pending_commands()]
            known += [answer["id"] for answer in run.stored_status().acknowledged]
            if asked not in known:
                return run.send("stop")
        return asked

    def close(self, timeout: float = 6.0) -> None:
        """End everything this supervisor started; the active run is saved and stopped.

        A run that a page which is no more has started counts as ours: nobody would ever end it. Whoever trains without a page, on
        another host, or for another page that lives, is left alone.
        """
        self._closed = True
        run = self.active()
        if run is not None and self._is_ours(run):
            self.stop(timeout)
        with self._lock:
            self._let_spare_go(0.5)

    def _is_ours(self, run: Run) -> bool:
        with self._lock:
            if self._current is not None and self._current[0].id == run.id and self._current[1].poll() is None:
                return True
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            note = read_json(run.path.parent / ".worker.json")
            pid, _, started = note["server"].partition(" ")
            here = note["host"] == platform.node()
            return here and (note["server"] == process_identity() or not process_exists(int(pid), float(started)))
        return False

    def _let_spare_go(self, timeout: float) -> None:
        """The end of its stdin ends an idle worker; it is killed where that takes longer."""
        spare, self._spare = self._spare, None
        if spare is not None:
            with contextlib.suppress(OSError):
                if spare.stdin is not None:
                    spare.stdin.close()
            _end(spare, timeout)



def _lives(child: subprocess.Popen[str] | None, run: Run) -> bool:
    """Whether a run's worker lives: the child that we started, or the process, perhaps elsewhere, that its status names.

    Of several processes the child is torchrun, and they outlive it where somebody kills it.
    """
    if child is not None and child.poll() is None:
        return True
    with contextlib.suppress(RunError):
        return run.status().state in ACTIVE
    return False


def _is_over(child: subprocess.Popen[str] | None, run: Run) -> bool:
    """Whether a launcher is all that is left of a run's processes: it takes seconds to end, and holds nothing of worth."""
    with contextlib.suppress(RunError, psutil.Error):
        return (child is not None and is_launcher(psutil.Process(child.pid)) and run.stored_status().state not in ACTIVE
                and not psutil.Process(child.pid).children(recursive=True))  # reaped by it, too
    return False


def _kill(child: subprocess.Popen[str] | None, run: Run) -> None:
    """End a run's processes by force, where they are this host's: another host's pid names somebody else here."""
    family = process_tree(child.pid) if child is not None else []
    with contextlib.suppress(RunError, psutil.Error):
        status = run.stored_status()
        if status.host in ("", platform.node()):
            if process_exists(status.pid, status.pid_started):
                family += process_tree(status.pid)
            if process_exists(status.launcher, status.launcher_started) and is_launcher(psutil.Process(status.launcher)):
                family += process_tree(status.launcher)
    for process in family:
        with contextlib.suppress(psutil.Error):
            process.kill()
    deadline = time.monotonic() + 5.0
    while any(is_running(process) for process in family) and time.monotonic() < deadline:
        time.sleep(0.01)
    if child is not None:
        child.wait()




def _end(process: subprocess.Popen[str], timeout: float) -> None:
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        for one in process_tree(process.pid):
            with contextlib.suppress(psutil.Error):
                one.kill()
        process.wait()

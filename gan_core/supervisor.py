"""Keeps one warm worker in reserve, hands it a run, and ends it in time. At most one run trains per folder.

It knows processes, not training: what a worker does with a run is in `worker`. It imports no torch.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

from .run import CommandError, Run, RunError, process_exists, read_json
from .status import ACTIVE

PROJECT = Path(__file__).resolve().parent.parent


class WorkerBusy(RuntimeError):
    """Another run is being trained in this folder; `run` is that run."""

    def __init__(self, run: Run) -> None:
        super().__init__(f"{run.name} is being trained already; stop it first, or watch it.")
        self.run = run


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

    def _spawn(self, *args: str, stdin: int = subprocess.DEVNULL, stdout: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        path = os.pathsep.join(p for p in (str(PROJECT), os.environ.get("PYTHONPATH", "")) if p)
        if self.threads:
            args = (*args, "--threads", str(self.threads))
        # A session of its own, so that Ctrl+C in the server's terminal does not reach the worker.
        return subprocess.Popen([sys.executable, "-m", "gan_core.worker", *args], stdin=stdin, stdout=stdout,
                                stderr=subprocess.DEVNULL, text=True, env={**os.environ, "PYTHONPATH": path},
                                start_new_session=os.name == "posix")

    # Runs.

    def active(self) -> Run | None:
        """The run that a living worker holds in this folder, whoever started it; None when there is none."""
        with self._lock:
            if self._current is not None:
                run, process = self._current
                with contextlib.suppress(RunError):
                    if process.poll() is None and run.stored_status().state in ACTIVE:
                        return run
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RunError):
            holder = read_json(self.folder / ".worker.json")
            if process_exists(holder["pid"], holder["pid_started"]):
                run = Run.open(self.folder / holder["run"])
                if run.stored_status().state in ACTIVE:
                    return run
        return None

    def start(self, run: Run, paused: bool = False) -> None:
        """Give this run to the spare worker, or to a new one. Raises WorkerBusy when another run is active."""
        with self._lock:
            active = self.active()
            if active is not None:
                raise WorkerBusy(active)
            self._reap_current()
            process, self._spare = self._spare, None
            if process is None or process.poll() is not None:
                process = self._spawn("--idle", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            # Until the worker has the run, its status is ours to write: the page shows "starting" from this moment.
            status = run.stored_status()
            if status.state not in ACTIVE:
                status.move_to("starting")
            status.state, status.error, status.notice = "starting", None, ""
            status.pid, status.pid_started = process.pid, psutil.Process(process.pid).create_time()
            run.write_status(status)
            assert process.stdin is not None
            try:
                process.stdin.write(json.dumps({"run": str(run.path.resolve()), "paused": paused}) + "\n")
                process.stdin.close()
            except OSError:
                pass  # it died this very moment: the status names its pid, so every reader sees the failure
            self._current = (run, process)
            threading.Thread(target=self._await_end, args=(process,), daemon=True).start()

    def _await_end(self, process: subprocess.Popen[str]) -> None:
        """Once a run has ended, warm the next spare: not before, it costs 800 MB and a core."""
        process.wait()
        if not self._closed:
            self.warm()

    def _reap_current(self) -> None:
        """A worker that says it has ended may still be closing its files; give it the moment it needs."""
        if self._current is not None:
            _end(self._current[1], 5.0)
            self._current = None

    def stop(self, timeout: float = 6.0) -> Run | None:
        """Ask the active worker to save and end; kill it after `timeout` seconds. Returns its run."""
        with self._lock:
            run = self.active()
            if run is None:
                return None
            status = run.stored_status()
            child = self._current[1] if self._current is not None and self._current[0].id == run.id else None
        # Without the lock: whoever looks meanwhile sees a run that is being stopped, and does not wait.
        asked, deadline = "", time.monotonic() + timeout
        while _lives(child, status.pid, status.pid_started) and time.monotonic() < deadline:
            asked = self._ask_to_stop(run, asked)
            time.sleep(0.02)
        if _lives(child, status.pid, status.pid_started):
            with contextlib.suppress(psutil.Error):
                psutil.Process(status.pid).kill()
            if child is not None:
                child.wait()
        return run

    def _ask_to_stop(self, run: Run, asked: str) -> str:
        """The id of a stop command that is on its way. A worker throws away what was asked before its life began: ask again."""
        with contextlib.suppress(OSError, CommandError, RunError):
            known = [command.get("id") for _, command in run.pending()]
            known += [answer["id"] for answer in run.stored_status().acknowledged]
            if asked not in known:
                return run.send("stop")
        return asked

    def close(self, timeout: float = 6.0) -> None:
        """End everything this supervisor started; the active run is saved and stopped."""
        self._closed = True
        self.stop(timeout)
        with self._lock:
            if self._spare is not None:
                with contextlib.suppress(OSError):
                    if self._spare.stdin is not None:
                        self._spare.stdin.close()
                _end(self._spare, 0.5)
                self._spare = None


def _lives(child: subprocess.Popen[str] | None, pid: int, started: float) -> bool:
    return child.poll() is None if child is not None else process_exists(pid, started)


def _end(process: subprocess.Popen[str], timeout: float) -> None:
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

"""The supervisor of one folder of runs: keeps a warm worker in reserve, gives it a run, ends it. One run trains at a time.

What a worker does with a run is in `worker`; torchrun runs and restarts several processes. This module imports no torch.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from ..compute.processes import SERVER_VARIABLE, process_exists, process_identity
from .run import CommandError, Run, RunError
from .status import ACTIVE, Status
from .worker_note import read_worker_note
from .worker_process import (
    StopDeadline,
    capacity_limit,
    end_process,
    is_training,
    kill_run,
    only_launcher_remains,
    record_kill,
    worker_command,
)

__all__ = ["PROJECT", "Supervisor", "WorkerBusy", "capacity_limit", "worker_command"]

PROJECT = Path(__file__).resolve().parents[2]
# Seconds without a heartbeat before a worker of another host counts as dead; shared disks show changes late.
HEARTBEAT_TIMEOUT = 60.0
CLOSE_TIMEOUT = 5.0  # seconds for an ended worker to close its files
PREPARED = 60.0  # seconds that a spare stays beside an active run: somebody is about to begin another


class WorkerBusy(RuntimeError):
    """Another run is being trained in this folder; `run` is that run."""

    def __init__(self, run: Run) -> None:
        super().__init__(f"{run.name} is being trained already; stop it first, or watch it.")
        self.run = run


class Supervisor:
    """Starts and ends the training process of one folder of runs. Thread-safe."""

    def __init__(self, folder: Path | str, threads: int = 0) -> None:
        self.folder = Path(folder)
        self.threads = threads
        self._lock = threading.RLock()
        self._spare: subprocess.Popen[str] | None = None
        self._spare_ready = False
        self._spare_timer: threading.Timer | None = None  # ends a spare that `prepare` started
        self._current: tuple[Run, subprocess.Popen[str]] | None = None
        self._closed = False
        self._ending: list[Run] = []
        self._heartbeats: dict[Path, tuple[int, float]] = {}  # run on another host -> (heartbeat, when it last changed)

    # The spare worker.

    @property
    def spare(self) -> str:
        """The state of the spare worker: "none", "warming" or "ready"."""
        with self._lock:
            if self._spare is None or self._spare.poll() is not None:
                return "none"
            return "ready" if self._spare_ready else "warming"

    def warm(self) -> None:
        """Start a spare worker unless there is one; does not wait until it is ready."""
        with self._lock:
            if self._closed or self.spare != "none":
                return
            self._spare, self._spare_ready = self._spawn("--idle", stdin=subprocess.PIPE, stdout=subprocess.PIPE), False
            threading.Thread(target=self._await_ready, args=(self._spare,), daemon=True).start()

    def prepare(self) -> None:
        """Start a spare although a run is active, because another may soon take its place; without one it ends after a minute.

        Where it cannot be started nothing happens: the next run then has a new worker.
        """
        with self._lock, contextlib.suppress(OSError):
            self.warm()
            if self._spare_timer is not None:
                self._spare_timer.cancel()
            self._spare_timer = threading.Timer(PREPARED, self._end_unused_spare)
            self._spare_timer.daemon = True
            self._spare_timer.start()

    def _end_unused_spare(self) -> None:
        with self._lock:
            if threading.current_thread() is self._spare_timer and self.active() is not None:
                self._end_spare(0.0)

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
        # In a new session, so that Ctrl+C in the server's terminal does not reach the worker.
        env = {**os.environ, "PYTHONPATH": path, SERVER_VARIABLE: process_identity()}
        return subprocess.Popen(worker_command(*args, processes=processes), stdin=stdin, stdout=stdout, stderr=subprocess.DEVNULL,
                                text=True, env=env, start_new_session=os.name == "posix")

    # Runs.

    def active(self) -> Run | None:
        """The run that a living worker trains in this folder, or None; another program may have started the worker."""
        with self._lock:
            if self._current is not None:
                run, process = self._current
                with contextlib.suppress(RunError):
                    if process.poll() is None and run.stored_status().state in ACTIVE:
                        return run
        return self.active_in(self.folder)

    def active_in(self, folder: Path) -> Run | None:
        """The run that a living worker, here or on another host, trains in a folder of runs, or None."""
        note = read_worker_note(folder)
        if note is None:
            return None
        with contextlib.suppress(RunError):
            run = Run.open(folder / note["run"])
            status = run.stored_status()
            if status.state not in ACTIVE:
                return None
            if note.get("host") in (None, platform.node()):
                lives = process_exists(note["pid"], note["pid_started"]) or run.status().state in ACTIVE
            else:
                lives = self._has_heartbeat(run, status)
            return run if lives else None
        return None

    def _has_heartbeat(self, run: Run, status: Status) -> bool:
        """Whether the heartbeat of another host's worker has changed lately; its pid means nothing here."""
        now = time.monotonic()
        heartbeat, since = self._heartbeats.get(run.path, (-1, now))
        self._heartbeats[run.path] = (status.heartbeat, now if heartbeat != status.heartbeat else since)
        return now - self._heartbeats[run.path][1] < HEARTBEAT_TIMEOUT

    def rival(self, run: Run, active: Run | None) -> Run | None:
        """The run that keeps this one from being started: `active`, or one that trains in its folder of runs; or None.

        `active`: what `active()` says, so that who asks for many runs reads it once.
        """
        return active or (None if run.path.parent == self.folder else self.active_in(run.path.parent))

    def start(self, run: Run, paused: bool = False, changes: dict[str, Any] | None = None) -> None:
        """Give a run to the spare worker, to a new one, or to torchrun. Raises WorkerBusy where another run is active.

        changes: {live field: value}, in force before the run's next step.
        """
        with self._lock:
            active = self.rival(run, self.active())
            if active is not None:
                raise WorkerBusy(active)
            self._reap_current()
            processes = run.info.get("config", {}).get("processes", 1)
            process = self._launch(run, processes, paused, changes or {}) if processes > 1 else self._take_spare()
            # Until the worker has the run, the supervisor writes its status, so that the page shows "starting" at once.
            status = run.stored_status()
            if status.state not in ACTIVE:
                status.move_to("starting")
            status.state, status.error, status.host = "starting", None, platform.node()
            status.notice, status.notices = "", []
            status.pid, status.pid_started = process.pid, psutil.Process(process.pid).create_time()
            status.launcher, status.restarting, status.kernel = 0, "", False
            run.write_status(status)
            if process.stdin is not None:
                with contextlib.suppress(OSError):  # it has just died: the status names its pid, so every reader sees that
                    request = {"run": str(run.path.resolve()), "paused": paused, "changes": changes or {}}
                    process.stdin.write(json.dumps(request) + "\n")
                    process.stdin.close()
            self._current = (run, process)
            threading.Thread(target=self._await_end, args=(process,), daemon=True).start()

    def _take_spare(self) -> subprocess.Popen[str]:
        """The spare worker, or a new idle one."""
        process, self._spare = self._spare, None
        if process is None or process.poll() is not None:
            process = self._spawn("--idle", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return process

    def _launch(self, run: Run, processes: int, paused: bool, changes: dict[str, Any]) -> subprocess.Popen[str]:
        """Start torchrun with the run's processes; the spare is ended first, because they need its memory."""
        self._end_spare(0.0)
        assigned = [part for name, value in changes.items() for part in ("--set", f"{name}={value}")]
        return self._spawn(str(run.path.resolve()), *(["--paused"] if paused else []), *assigned, processes=processes)

    def _await_end(self, process: subprocess.Popen[str]) -> None:
        """Warm the next spare once no run is active, and not before: it takes 800 MB and a core."""
        process.wait()
        with self._lock:
            if self.active() is None:  # else another run has taken this one's place
                self.warm()

    def _reap_current(self) -> None:
        """Wait for a worker whose run has ended, which may still be closing its files."""
        if self._current is not None:
            run, process = self._current
            end_process(process, 0.0 if only_launcher_remains(process, run) else CLOSE_TIMEOUT)
            self._current = None

    def stop(self, timeout: float = 6.0, expected: Path | None = None) -> Run | None:
        """Let the active worker save and end; returns its run, or None, with nothing ended, where none is active.

        The run's status says whether it was saved: only then is it stopped, or finished. A worker is killed after `timeout`
        seconds without a heartbeat, or where it has not ended after `stop_timeout`, which allows for slow steps. `expected`: the
        folder of the run that is meant; another one is not ended.
        """
        with self._lock:
            run = self.active()
            if run is None or (expected is not None and run.path != expected):
                return None
            child = self._current[1] if self._current is not None and self._current[0].id == run.id else None
        # Without the lock, so that other threads can read the state meanwhile.
        command_id, deadline = "", StopDeadline(run, timeout)
        with self.being_ended(run):
            while is_training(child, run) and not only_launcher_remains(child, run) and not deadline.has_passed():
                command_id = self._send_stop(run, command_id)
                time.sleep(0.02)
            if is_training(child, run):
                kill_run(child, run)
                record_kill(run)
        return run

    def ending(self) -> list[Run]:
        """The runs that are being saved and ended just now: a step may take long, and so may saving."""
        with self._lock:
            return list(self._ending)

    @contextlib.contextmanager
    def being_ended(self, run: Run) -> Iterator[None]:
        """Meanwhile the run is among those that are `ending`; for whoever ends it otherwise than by `stop`."""
        with self._lock:
            self._ending.append(run)
        try:
            yield
        finally:
            with self._lock:
                self._ending.remove(run)

    def _send_stop(self, run: Run, command_id: str) -> str:
        """Send the command stop, again where it was lost: a worker deletes the commands from before its life. Returns its id."""
        with contextlib.suppress(OSError, CommandError, RunError):
            known = [command.get("id") for _, command in run.pending_commands()]
            known += [answer["id"] for answer in run.stored_status().acknowledged]
            if command_id not in known:
                return run.send("stop")
        return command_id

    def close(self, timeout: float = 6.0) -> None:
        """End everything that this supervisor started; the active run is saved and stopped.

        So is a run whose page has died, because nothing else would end it. A run without a page, of another living page or on
        another host goes on.
        """
        self._closed = True
        run = self.active()
        if run is not None and self._is_owned(run):
            self.stop(timeout)
        with self._lock:
            self._end_spare(0.5)

    def _is_owned(self, run: Run) -> bool:
        """Whether this supervisor, or a page that has died, started the worker of a run."""
        with self._lock:
            if self._current is not None and self._current[0].id == run.id and self._current[1].poll() is None:
                return True
        note = read_worker_note(run.path.parent)
        if note is None or note.get("host") != platform.node():
            return False
        server = note.get("server", "")
        pid, _, started = server.partition(" ")
        with contextlib.suppress(ValueError):
            return server == process_identity() or not process_exists(int(pid), float(started))
        return False

    def _end_spare(self, timeout: float) -> None:
        """End the idle worker by closing its stdin; kill it after `timeout` seconds."""
        spare, self._spare = self._spare, None
        if spare is not None:
            with contextlib.suppress(OSError):
                if spare.stdin is not None:
                    spare.stdin.close()
            end_process(spare, timeout)

"""One process that trains one run: the folder's lock, the log, a session, and how its end is written down.

Of several processes, rank 0 runs the session and alone writes the folder; the others follow it.
"""

from __future__ import annotations

import contextlib
import os
import platform
import traceback
from pathlib import Path
from typing import cast

import psutil

from ..compute import distributed
from ..compute.distributed import ALONE, Team, TeamBroken
from ..compute.processes import SERVER_VARIABLE, is_launcher, process_exists
from ..integrations.processes import FollowerProcesses
from ..messages import Fault
from ..runs import layout
from ..runs.file_lock import FileLock, Held
from ..runs.run import Run, RunError, RunInfo, read_json
from ..runs.status import ACTIVE, ENDED, SCHEMA, Failure, Status
from ..runs.worker_note import WorkerNote, read_worker_note, write_worker_note
from .cli import Options
from .coordinator import Coordinator, follow
from .failures import RESTARTABLE, failure_of
from .session import Session
from .shutdown import Shutdown
from .status_writer import StatusWriter

LOCK_TIMEOUT = 1.0  # seconds; a dead process may take a while to end
SILENCE = 2.0  # seconds without a heartbeat from another process before the run's heartbeat stops as well


def train_run(path: Path, options: Options, shutdown: Shutdown, team: Team = ALONE) -> int:
    """Train the run in this folder to its end; returns the exit status, 0 where it finished or was stopped.

    Raises RunError, and leaves the run as it is, where another process trains it.
    """
    if team.rank:
        return _follow(path, team, shutdown)
    coordinator, status = Coordinator(team), 1
    try:
        status = _lead(open_run(path), options, coordinator, shutdown)
    finally:
        with contextlib.suppress(TeamBroken):
            coordinator.end(status)
    return status


def open_run(path: Path) -> Run:
    """The run in this folder. Where it cannot be opened its status says why, for all who wait for it, and RunError is raised."""
    try:
        return Run.open(path)
    except RunError as error:
        _record_refusal(path, str(error))
        raise


def _record_refusal(path: Path, sentence: str) -> None:
    """Write into the status of a run that has just begun that it was refused, unless a worker trains in its folder of runs.

    The sentence is shown to everybody, so it names the folder alone.
    """
    if not (path / layout.CONFIG).exists():
        return  # no run folder: nobody waits for its status
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if read_json(path / layout.CONFIG).get("schema") != SCHEMA:
            return  # of another version, which may have written more into the status than this one knows
    run, lock = Run(path, cast(RunInfo, {})), FileLock(path.parent / layout.WORKER_LOCK)
    with contextlib.suppress(OSError, RunError, Held), lock.acquire():
        status = run.stored_status()
        if status.state in ACTIVE:
            message = sentence.replace(str(path), path.name)
            status.state, status.error = "failed", Failure(kind="refused", message=message, step=status.step)
            run.write_status(status)


def _follow(path: Path, team: Team, shutdown: Shutdown) -> int:
    with contextlib.suppress(OSError):  # on another machine the folder may not be there
        _redirect_output(path / layout.LOG)
    try:
        return follow(team, lambda: bool(shutdown.signals))
    except Exception:
        traceback.print_exc()
        return 1


def _lead(run: Run, options: Options, coordinator: Coordinator, shutdown: Shutdown) -> int:
    _redirect_output(run.log_path)
    paused = options.paused
    if distributed.restart_count():  # torchrun saw a process die: an active run goes on as it was, an ended one stays ended
        previous = run.stored_status()
        if previous.state in ENDED and (previous.error is None or previous.error["kind"] not in RESTARTABLE):
            return int(previous.state == "failed")
        paused = _was_paused(previous, paused)
    lock = FileLock(run.path.parent / layout.WORKER_LOCK)
    busy = _acquire(lock, run)
    run.discard_commands()
    status_writer, followers = _open_status(run, paused), None
    try:
        status_writer.write(processes=coordinator.team.size)
        if busy is not None:
            raise busy
        session = Session(run, status_writer, options.threads, paused, coordinator, options.changes)
        shutdown.on_request(session.stop)
        followers = FollowerProcesses(run, options.logs, lambda notice: status_writer.set_notices(f"logging {notice}", notice))
        session.train_to_end()
        return 0
    except Exception as error:
        traceback.print_exc()
        failure = failure_of(error, status_writer.status)
        if failure["kind"] in RESTARTABLE and distributed.may_restart():
            return 1  # as if killed: the status stays as it is, and the next process resumes the run, paused or not
        status_writer.write("failed", error=failure)
        return 1
    finally:
        status_writer.close()
        lock.release()
        if followers is not None:
            followers.close()


def _redirect_output(path: Path) -> None:
    """Let everything that this process prints go to the log."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(log, stream)


def _was_paused(previous: Status, default: bool) -> bool:
    """Whether the run was paused when a process died; one that died while it started had not changed that."""
    state = previous.restarting if previous.state == "starting" else previous.state
    return state == "paused" if state in ACTIVE else default


def refuse_busy(run: Run) -> None:
    """Raise RunError as `_held_by` does where a worker holds the folder; before a process is begun for this run."""
    lock = FileLock(run.path.parent / layout.WORKER_LOCK)
    try:
        acquire_folder_lock(lock)
    except Held as held:
        _held_by(run, held)
    except OSError as error:
        raise _unlockable(run, error) from error
    else:
        lock.release()


def _acquire(lock: FileLock, run: Run) -> Fault | None:
    """Take the lock, so that one worker trains per folder; None or, where it is held, what `_held_by` says.

    The lock ends with the process that holds it, however that ends.
    """
    try:
        acquire_folder_lock(lock, 10.0 if distributed.restart_count() else LOCK_TIMEOUT)
    except Held as held:
        return _held_by(run, held)
    except OSError as error:
        raise _unlockable(run, error) from error
    write_worker_note(run.path.parent, WorkerNote(
        run=run.path.name, pid=os.getpid(), pid_started=psutil.Process().create_time(), host=platform.node(),
        server=os.environ.get(SERVER_VARIABLE, "")))
    return None


def _unlockable(run: Run, error: OSError) -> RunError:
    return RunError(f"The folder {run.path.parent} cannot be locked ({error.strerror or error}), and without a lock two "
                    "processes might train in it; give one that can be written to, or copy the run there.")


def acquire_folder_lock(lock: FileLock, timeout: float = LOCK_TIMEOUT) -> None:
    """Take the lock of a folder of runs. Raises Held, and OSError of the disk.

    A worker that lives here may have taken the disk's own lock when there were locks, which a numbered file does not see.
    """
    lock.acquire(timeout)
    if lock.is_numbered and _has_living_worker(lock.path.parent):
        lock.release()
        raise Held(lock.path)


def _has_living_worker(folder: Path) -> bool:
    """Whether another process of this machine trains in a folder of runs, by its note and the run's status."""
    note = read_worker_note(folder)
    if note is None or note["pid"] == os.getpid() or note.get("host") not in (None, platform.node()):
        return False
    with contextlib.suppress(RunError):
        active = Run.open(folder / note["run"]).stored_status().state in ACTIVE
        return active and process_exists(note["pid"], note["pid_started"])
    return False


def _held_by(run: Run, held: Held) -> Fault:
    """That the lock's holder trains another run, where somebody waits for this one's status to say so.

    Raises RunError where it is this very run, whose status and commands are the holder's, and where nobody waits: nothing of
    the run may change then.
    """
    note, status = read_worker_note(run.path.parent), run.stored_status()
    pid, host, waiting = status.pid, status.host, _waits_for_this_process(status)
    # The note may be damaged, or not written yet.
    trained = (not waiting and status.state in ACTIVE and host in ("", platform.node())
               and process_exists(pid, status.pid_started))
    if note is not None and note["run"] == run.path.name:
        trained, pid, host = True, note["pid"], note.get("host") or host
    if trained:
        raise RunError(f"{run.name} is being trained already by process {pid} on {host or platform.node()}; "
                       f"stop it there or on a page that shows it, then start this again.{held.hint}")
    holder = "another run" if note is None else note["run"]
    busy = Fault("busy", run=holder) if held.marker is None else \
        Fault("busy_unseen", run=holder, pid=held.pid, host=held.host, lock=held.marker.name)
    if not waiting:
        raise RunError(str(busy))
    return busy


def _waits_for_this_process(status: Status) -> bool:
    """Whether a run begins by this process: its status names this one or the torchrun that started it.

    A status that a killed worker left is active as well, but nobody waits for it.
    """
    if status.state not in ACTIVE or status.host not in ("", platform.node()):
        return False
    named = ((status.pid, status.pid_started), (status.launcher, status.launcher_started))
    return any(pid in (os.getpid(), os.getppid()) and process_exists(pid, started) for pid, started in named)


def _open_status(run: Run, paused: bool) -> StatusWriter:
    restarting = ("paused" if paused else "running") if distributed.restart_count() else ""
    parent = psutil.Process().parent() if distributed.may_restart() else None
    launcher = parent if parent is not None and is_launcher(parent) else None
    return StatusWriter(run, restarting, launcher, frozen=lambda: distributed.silence() > SILENCE)

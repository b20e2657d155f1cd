"""The training process: one run, commands in, frames, metrics and checkpoints out. `python -m gan_core.worker RUN | --new`

It knows neither the page nor who asked: it reads the run folder's commands and writes what it finds. With --idle it warms
up first and waits for one line on stdin, {"run": path, "paused": bool}; the end of stdin while idle ends it.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import filelock
import psutil
import torch

from ..compute import autotune, distributed
from ..compute.distributed import Team, TeamBroken
from ..compute.processes import SERVER_VARIABLE, is_launcher
from ..config import PRESETS, ConfigError
from ..integrations.follower import FollowerProcesses
from ..messages import Fault
from ..runs import checkpoint
from ..runs.files import atomic_write
from ..runs.run import Run, RunError
from ..runs.status import ACTIVE, ENDED, Status
from ..training import setup
from ..training.trainer import Trainer
from ..training.trial import trainer_builder
from . import cli, coordinator
from .cli import Shutdown
from .coordinator import Coordinator
from .recorder import Diverged
from .session import Session
from .status_writer import StatusWriter

HELD = 2.0  # seconds without a sign of life from another process before the heart that the page hears stands still
MENDED = ("killed", "crashed")  # kinds of failure that starting again may mend


REFUSALS = (ConfigError, RunError, checkpoint.CheckpointError)


def work(path: Path, paused: bool, threads: int, shutdown: Shutdown, team: Team = distributed.ALONE,
         logs: Sequence[str] = ()) -> int:
    """Train the run in this folder until its end; returns the exit status, 0 for an end that was asked for.

    logs: names of `sinks` that are told of it.
    Of several processes that torchrun has started the first one leads, and alone writes the folder; the others follow it.
    """
    if team.rank:
        return _follow(path, team, shutdown)
    coordinator, status = Coordinator(team), 1
    try:
        status = _lead(Run.open(path), paused, threads, coordinator, shutdown, logs)
    finally:
        with contextlib.suppress(TeamBroken):
            coordinator.end(status)
    return status


def _follow(path: Path, team: Team, shutdown: Shutdown) -> int:
    """Train as the first process says, until it says no more."""
    with contextlib.suppress(OSError):  # on another machine the folder may not be there
        _log_to(path / "worker.log")
    try:
        return coordinator.follow(team, lambda: bool(shutdown.asked))
    except Exception:
        traceback.print_exc()
        return 1


def _log_to(path: Path) -> None:
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(log, stream)


def _lead(run: Run, paused: bool, threads: int, coordinator: Coordinator, shutdown: Shutdown, logs: Sequence[str]) -> int:
    _log_to(run.log_path)
    if distributed.restart_count():  # torchrun has seen a process die: what can go on goes on as it was, what has ended stays so
        before = run.stored_status()
        if before.state in ENDED and (before.error or {}).get("kind") not in MENDED:
            return int(before.state == "failed")
        # Killed once more before it had begun, it is still what it was before.
        was = before.restarting if before.state == "starting" else before.state
        paused = was == "paused" if was in ACTIVE else paused
    lock = filelock.FileLock(run.path.parent / ".worker.lock")
    busy = _take(lock, run)
    if busy == run.id:
        print(f"{run.name} is being trained already by another process.", file=sys.stderr)
        return 1  # its status and its commands are that process's: nothing here may touch them
    run.discard_commands()
    status_writer, told = _board(run, paused), None
    try:
        status_writer.write(processes=coordinator.team.size)
        if busy:
            raise Fault("busy", run=busy)
        life = Session(run, status_writer, threads, paused, coordinator)
        shutdown.by(life.stop)
        told = FollowerProcesses(run, logs, lambda notice: status_writer.note(f"logging {notice}", notice))
        life.live()
        return 0
    except Exception as error:
        traceback.print_exc()
        kind, message, step = _told(error, status_writer.status)
        if kind in MENDED and distributed.may_restart():
            return 1  # as if this process had been killed; the next life finds the run as it was, paused or not
        fault = {"fault": message.payload()} if isinstance(message, Fault) else {}
        status_writer.write("failed", error={"kind": kind, "message": str(message), "step": step, **fault})
        return 1
    finally:
        status_writer.close()
        lock.release()
        if told is not None:
            told.close()


def _board(run: Run, paused: bool) -> StatusWriter:
    restarting = ("paused" if paused else "running") if distributed.restart_count() else ""
    parent = psutil.Process().parent() if distributed.may_restart() else None
    launcher = parent if parent is not None and is_launcher(parent) else None
    return StatusWriter(run, restarting, launcher, held=lambda: distributed.silence() > HELD)


def _take(lock: filelock.BaseFileLock, run: Run) -> str:
    """At most one worker trains per folder; the lock dies with its owner, whatever kills it. "" or the run that is trained."""
    holder = run.path.parent / ".worker.json"
    try:
        lock.acquire(timeout=10.0 if distributed.restart_count() else 1.0)  # a dead process may be a while in going
    except filelock.Timeout:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            return str(json.loads(holder.read_bytes())["run"])
        return "another run"
    note = {"run": run.path.name, "pid": os.getpid(), "pid_started": psutil.Process().create_time(), "host": platform.node(),
            "server": os.environ.get(SERVER_VARIABLE, "")}  # the page that started it; "" for a run without one
    atomic_write(holder, json.dumps(note).encode(), durable=False)
    return ""


def _told(error: Exception, status: Status) -> tuple[str, str | Fault, int]:
    """(kind, one sentence for a person or what other languages make one of, step) of what ended a life."""
    step, text = status.step, (str(error).strip() or type(error).__name__).splitlines()[0][:1000]
    if isinstance(error, Diverged):
        good = status.checkpoint_step
        hint = f" Resume goes back to step {good:,}; lower learning rates are steadier." if good >= 0 else ""
        return "diverged", f"{error}{hint}", error.step
    if isinstance(error, Fault):
        return "refused", error, step
    if isinstance(error, TeamBroken):
        return "killed", f"{error} worker.log may say why. Resume goes on from the last checkpoint.", step
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or ("alloc" in text.lower() and "memory" in text.lower()):
        return "out_of_memory", f"There was not enough memory at step {step:,}. Start again with a smaller batch.", step
    if isinstance(error, REFUSALS) or type(error) is ValueError:
        return "refused", text if text.endswith(".") else f"{text}.", step
    return "crashed", Fault("crashed", step=step, kind=type(error).__name__, reason=text), step


def warm_up(threads: int) -> None:
    """Everything that is slow the first time: the data, the networks, one whole step, one grid. Draws nothing a run would see."""
    config = PRESETS["quick"]
    images, labels = setup.load_data(config)
    trainer = Trainer(config, images, labels, choices=autotune.choose(config, trainer_builder(images, labels), threads))
    for _ in range(2):
        trainer.step()
    trainer.sample(64)


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    args, team = cli.arguments(argv), distributed.ALONE
    try:
        if args.idle:
            try:
                warm_up(args.threads)
            except Exception:
                traceback.print_exc()  # whatever it is, the run will meet it too, and has a place to tell it
            print("ready", flush=True)
            line = sys.stdin.readline()
            if not line.strip():
                return 0  # the server is gone, or has no use for a spare any more
            request = json.loads(line)
            args.run, args.paused = Path(request["run"]), bool(request.get("paused"))
            return work(args.run, args.paused, args.threads, Shutdown())
        team = distributed.join()
        status = cli.train(args, lambda path, shutdown: work(path, args.paused, args.threads, shutdown, team, args.log), team,
                                distributed.restart_count() > 0)
    except RunError as error:
        print(error, file=sys.stderr)
        status = 2
    team.leave(status)
    return status


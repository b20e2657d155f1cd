"""The sentences that a terminal shows at the beginning and at the end of a run, and the exit status that goes with them."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

from ..runs.run import Run
from ..runs.status import ACTIVE, Status
from .cli import Options
from .progress import format_duration
from .shutdown import Shutdown


def greeting(run: Run, options: Options) -> str:
    """Where a new run is, when it ends, and how a page shows it."""
    config, limits = run.config, []
    if config.max_minutes:
        limits.append(f"{config.max_minutes:g} minute{'s' * (config.max_minutes != 1)}")
    if config.max_steps:
        limits.append(f"{config.max_steps:,} steps")
    default = options.checkpoints is None and run.path.parent == Path("checkpoints")
    folder = "" if default else f" --checkpoints {_quoted(run.path.parent)}"
    return (f"{run.name} learns {config.dataset}, {' or '.join(limits) or 'until it is stopped'}.\n"
            f"run:    {run.path.resolve()}\npage:   python playground.py{folder}    (shows it live: pause, tune, stop)")


def conclude(run: Run, options: Options, result: int, shutdown: Shutdown, alone: bool = True) -> tuple[str, int]:
    """(the last message, the exit status). A new run that was refused before its first step is deleted.

    result: what `process.train_run` returned. alone: False where torchrun started this process; it would start again what ends
    with the status of a signal.
    """
    status = run.status()
    if status.state in ACTIVE:
        if status.pid == os.getpid():  # another process of the same run died
            return f"{run.name} is at step {status.step:,}; torchrun starts its processes again.", result
        return f"{run.name} is being trained already by another process.", 1
    failure = status.error
    untrained = status.life == 1 and status.checkpoint_step < 0
    if result and alone and options.new and untrained and failure is not None and failure["kind"] == "refused":
        shutil.rmtree(run.path, ignore_errors=True)
        return failure["message"], 2
    return _last_message(run, status), result or (shutdown.exit_status if alone and status.state != "finished" else 0)


def _last_message(run: Run, status: Status) -> str:
    if status.state == "failed":
        message = status.error["message"] if status.error is not None else ""
    else:
        message = f"{run.name} {status.state} at step {status.step:,} after {format_duration(status.elapsed)} of training."
        if status.best:
            message += f" Best {status.best['name']} {status.best['value']:.4g} at step {status.best['step']:,}."
    if status.notice:
        message += f"\n{status.notice}"
    if status.checkpoint_step >= 0:
        finished = status.state == "finished"
        message += f"\n{'go on' if finished else 'resume'} with: python -m gan_core.worker {_quoted(run.path)}"
        message += f" --steps {2 * status.step}" * finished
    return message


def _quoted(path: Path) -> str:
    return shlex.quote(str(path)) if os.name == "posix" else f'"{path}"' if " " in str(path) else str(path)

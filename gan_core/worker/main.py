"""`python -m gan_core.worker` from the command line to the exit status: a new run, a run that goes on, or a spare worker.

`cli` reads the options, `new_run` makes a run, `process` trains it, `progress` and `summary` show it in the terminal.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
import traceback
from pathlib import Path

from ..compute import autotune, distributed
from ..compute.distributed import ALONE, Team
from ..config import PRESETS, ConfigError
from ..integrations.registry import check_available
from ..proxies import bypass_for_this_machine
from ..runs.run import Run, RunError
from ..runs.supervisor import worker_command
from ..training import setup
from ..training.trainer import Trainer
from ..training.trial import trainer_builder
from . import cli
from .assignments import OptionError, as_arguments, live_changes
from .cli import Options
from .new_run import new_run_path
from .process import open_run, refuse_busy, train_run
from .progress import ProgressDisplay, open_streams, say
from .shutdown import Shutdown
from .summary import conclude


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options, team = cli.parse(argv), ALONE
    bypass_for_this_machine()  # a webhook or a tracker may listen here
    try:
        if options.idle:
            return wait_for_run(options)
        team = distributed.join()
        status = train(options, team)
    except RunError as error:
        print(error, file=sys.stderr)
        status = 2
    team.leave(status)
    return status


def train(options: Options, team: Team = ALONE) -> int:
    """Make the run or open it, train it and show its progress; returns the exit status.

    Of several processes rank 0 makes the run and shows it; all train it.
    """
    open_streams()
    shutdown = Shutdown()
    try:
        check_available(options.logs)
        path = _run_path(options, team)
        if team.rank:
            return train_run(path, options, shutdown, team)
        run = open_run(path)
        if "RANK" not in os.environ:
            _refuse_busy(run, options)
        if not _has_readable_config(run):
            return train_run(run.path, options, shutdown, team)  # it fails, and writes the reason into the run's status
        if not options.new and not _has_changed_already(run):
            options = dataclasses.replace(options, changes=live_changes(run, options))
        if run.config.processes > 1 and team.size == 1 and "RANK" not in os.environ and os.name == "posix":
            os.execv(sys.executable, _torchrun_command(run, options))  # torchrun takes this process's place
        with ProgressDisplay(run, lambda: shutdown.interrupted):
            result = train_run(run.path, options, shutdown, team)
    except (OptionError, ConfigError, RunError) as error:
        if not team.rank:
            say(str(error), error=True)
        return 2
    message, status = conclude(run, options, result, shutdown, alone=team.size == 1)
    say(message, error=status in (1, 2))
    return status


def _run_path(options: Options, team: Team) -> Path:
    if options.run is not None:
        # Under its own name, beside which the lock lies: "." has none, and a link may have another one.
        return Path(os.path.realpath(options.run))
    return new_run_path(options, team, restarted=distributed.restart_count() > 0)


def _refuse_busy(run: Run, options: Options) -> None:
    """Raise RunError where another process trains this run or its folder; a run made for this process is deleted then."""
    try:
        refuse_busy(run)
    except RunError:
        if options.new:
            shutil.rmtree(run.path, ignore_errors=True)
        raise


def _has_readable_config(run: Run) -> bool:
    """Whether this version knows every name in the run's config."""
    try:
        return bool(run.config)
    except ConfigError:
        return False


def _has_changed_already(run: Run) -> bool:
    """Whether torchrun has started this process again, and the one before it had come so far that the changes are saved."""
    status = run.stored_status()
    return distributed.restart_count() > 0 and (status.state != "starting" or bool(status.restarting))


def _torchrun_command(run: Run, options: Options) -> list[str]:
    arguments = [part for name in options.logs for part in ("--log", name)] + ["--paused"] * options.paused
    arguments += ["--threads", str(options.threads)] * bool(options.threads)
    arguments += [] if options.new else as_arguments(options)  # what a new run is made from stands in its config
    return worker_command(str(run.path), *arguments, processes=run.config.processes)


# A spare worker.

def wait_for_run(options: Options) -> int:
    """Warm up, print "ready", and train the run that one line on stdin names: {"run": path, "paused": bool, "changes": {}}.

    changes: live fields that are in force from its next step on.

    Ends with status 0 at the end of stdin: the page is gone, or needs no spare any more.
    """
    try:
        warm_up(options.threads)
    except Exception:
        traceback.print_exc()  # the run will meet the same error, and reports it in its status
    print("ready", flush=True)
    line = sys.stdin.readline()
    if not line.strip():
        return 0
    try:
        request = json.loads(line)
        path, paused, changes = Path(request["run"]), bool(request.get("paused")), dict(request.get("changes") or {})
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        raise RunError(f'The line on stdin is {line.strip()[:40]!r}; write {{"run": PATH, "paused": false}}.') from None
    return train_run(path, dataclasses.replace(options, idle=False, run=path, paused=paused, changes=changes), Shutdown())


def warm_up(threads: int) -> None:
    """Do once what is slow the first time: data, networks, two steps, a grid. No draw of a later run depends on it."""
    config = PRESETS["quick"]
    images, labels = setup.load_data(config)
    trainer = Trainer(config, images, labels, choices=autotune.choose(config, trainer_builder(images, labels), threads))
    for _ in range(2):
        trainer.step()
    trainer.sample(64)

"""A run from the command line: its config from the options, and one folder for all processes that train it.

What is refused here leaves nothing behind. Training the run is left to `process`.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import psutil

from .. import registry
from ..config import PRESETS, ConfigError, TrainConfig
from ..runs.files import atomic_write, runs_folder
from ..runs.run import Run, RunError, read_json
from ..runs.supervisor import Supervisor, capacity_limit
from .assignments import OptionError, assignments
from .cli import Options
from .progress import say
from .summary import greeting

if TYPE_CHECKING:
    from ..compute.distributed import Team

LAUNCHED = ".launched.json"


class Launch(TypedDict):
    """`.launched.json`: which run the processes of one launch of torchrun with --new train."""

    run: str  # the name of its folder
    launch: str  # see `_launch_id`


class Created(TypedDict, total=False):
    """What rank 0 broadcasts about the run that it made: one of the two."""

    path: str
    error: str


def new_run_path(options: Options, team: Team, restarted: bool) -> Path:
    """The folder of the one new run, on every process: rank 0 makes the run and broadcasts where it is.

    restarted: torchrun has started the processes again, so the run is there already. Raises OptionError on every process,
    with the reason for which rank 0 could not make it.
    """
    created = _created(options, team.size, restarted) if team.rank == 0 else Created()
    if team.size > 1:
        payload = json.dumps(created).encode() if team.rank == 0 else b""
        created = json.loads(team.broadcast_bytes(payload, *team.sum([len(payload)])))
    if "error" in created:
        raise OptionError(created["error"])
    return Path(created["path"])


def _created(options: Options, processes: int, restarted: bool) -> Created:
    try:
        run = _launched_run(options) if restarted else None
        if run is None:
            run = create_run(options, processes)
            say(greeting(run, options))
        return Created(path=str(run.path.resolve()))
    except (OptionError, ConfigError, RunError) as error:
        return Created(error=str(error))


def create_run(options: Options, processes: int = 1) -> Run:
    """The run that the options describe, for `processes` processes where that is not 1.

    Raises OptionError, ConfigError or RunError before anything is made.
    """
    config, preset = config_from(options)
    if processes > 1:
        config = config.replace(processes=processes)
    _check_processes(config, processes)
    try:
        folder = runs_folder(options.checkpoints)
    except OSError as error:
        raise OptionError(str(error)) from error
    active = Supervisor(folder).active()
    if active is not None:
        raise OptionError(f"In {folder} {active.name} is being trained already; stop it first, or choose another --checkpoints.")
    run = Run.create(config, folder, preset=preset, name=options.name or "")
    if processes > 1:
        launch = Launch(run=run.path.name, launch=_launch_id())
        atomic_write(folder / LAUNCHED, json.dumps(launch).encode())
    return run


# The config.

def config_from(options: Options) -> tuple[TrainConfig, str]:
    """(config, preset) that the options describe. Raises OptionError or ConfigError, each one sentence."""
    changes = assignments(options)
    preset = options.preset or _default_preset(changes.get("dataset", ""))
    if preset not in PRESETS:
        raise OptionError(f"There is no preset {preset!r}; {registry.choose_one(preset, PRESETS)}.")
    config = PRESETS[preset].replace(**changes)
    points = registry.DATASETS[registry.split_dataset(config.dataset)[0]].points
    reason = registry.NETWORKS[config.networks].misfit((2,) if points else (None, None, None), classes=False)
    if reason:
        choice = "--set networks=mlp or --preset ring" if points else "other networks or another preset"
        raise OptionError(f"{config.dataset} is {reason}, which the networks {config.networks!r} do not make; choose {choice}.")
    return config, preset


def _default_preset(dataset: str) -> str:
    """The first preset whose networks make such data."""
    kind = dataset.partition(":")[0]
    points = kind in registry.DATASETS and registry.DATASETS[kind].points
    return next(name for name, config in PRESETS.items() if registry.NETWORKS[config.networks].points == points)


# Several processes.

def _check_processes(config: TrainConfig, running: int) -> None:
    """Raises OptionError where the processes cannot share the batch or, if only one is `running` yet, do not fit this machine."""
    if not config.is_batch_shared_by(config.processes):
        raise OptionError(f"{config.processes} processes cannot share batch_size {config.batch_size} evenly; "
                          "choose a batch size that their number divides.")
    room = capacity_limit(config.processes, config.device) if running == 1 else None
    if room is not None:
        cards = room[0] == "cards"
        raise OptionError(f"{config.processes} processes need a {'graphics card' if cards else 'core'} each, and this machine "
                          f"has {room[1]}; start fewer{', or add --set device=cpu' if cards else ''}.")


def _launch_id() -> str:
    """Identifies this launch of torchrun, restarts included: by its --rdzv-id, or else by its process."""
    name = os.environ.get("TORCHELASTIC_RUN_ID", "none")
    parent = psutil.Process().parent()
    return name if name != "none" or parent is None else f"{platform.node()}:{parent.pid}:{parent.create_time()}"


def _launched_run(options: Options) -> Run | None:
    """The run that this launch of torchrun made before one of its processes died."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        folder = runs_folder(options.checkpoints)
        launch = read_json(folder / LAUNCHED)
        if launch["launch"] == _launch_id():
            return Run.open(folder / launch["run"])
    return None

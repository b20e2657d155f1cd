"""From a run's folder to a trainer that is ready: the data, the last checkpoint, and the choices of this machine.

It makes no step. A stop is noticed while data are loaded.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..compute import autotune
from ..compute.choices import ComputeChoices, devices
from ..compute.cores import cores
from ..compute.thread_tuner import ThreadTuner
from ..config import LIVE, TrainConfig
from ..data import loading
from ..data.types import LoadedData, Progress
from ..messages import Message, message
from ..runs import checkpoint
from ..runs.data_summary import DataSummary
from ..runs.run import Run
from ..training.trainer import Trainer
from ..training.trial import trainer_builder
from .coordinator import Coordinator
from .status_writer import StatusWriter

PROGRESS_INTERVAL = 0.125  # seconds between two reports while data are loaded


@dataclass
class Prepared:
    """What a session trains with. elapsed: seconds of training behind the state that the trainer begins from."""

    trainer: Trainer
    thread_tuner: ThreadTuner
    elapsed: float


class Startup:
    """The way of one run to its trainer. threads: for runs that leave them open, 0 measures; cancelled: whether to give up."""

    def __init__(self, run: Run, status_writer: StatusWriter, coordinator: Coordinator, threads: int,
                 cancelled: Callable[[], bool]) -> None:
        self.run, self.status_writer, self.coordinator, self.team = run, status_writer, coordinator, coordinator.team
        self._threads, self._cancelled, self._reported = threads, cancelled, 0.0

    def prepare(self) -> Prepared:
        """A new trainer, or the last checkpoint's with its choices. Raises Cancelled, or whatever refuses the run."""
        config, status, notices = self.run.config, self.status_writer.status, []
        saved = checkpoint.newest_valid(self.run.checkpoint_folder)
        earlier = None
        if saved is not None:
            config = with_saved_knobs(config, saved.metadata["config"])
            earlier = ComputeChoices(**saved.metadata["resolved"])
            status.exact &= saved.metadata.get("processes", 1) == self.team.size
        loaded = self._load_data(config)
        notices += self._record_data(loaded, config, trained_before=saved is not None)
        choices, thread_tuner = self._choose(config, earlier, loaded)
        if earlier and earlier.device != choices.device:
            notices.append(message("notice_device", before=earlier.device, now=choices.device) if earlier.device not in devices()
                           else message("notice_device_again", before=earlier.device, now=choices.device))
            status.exact = False
        trainer = Trainer(config, loaded.data, loaded.labels, choices=choices, team=self.team)
        self.coordinator.start(trainer)
        elapsed = 0.0
        if saved is not None:
            trainer.load_state_dict(saved.tensors)
            elapsed = float(saved.metadata["elapsed"])
            if saved.skip_reasons:
                notices.append(message("notice_checkpoint", reason=saved.skip_reasons[0]))
        self.coordinator.broadcast_state(trainer)
        self.status_writer.set_notices("resuming", *notices)
        self.status_writer.write(step=trainer.step_count, images=trainer.images_seen, elapsed=elapsed,
                                 device=choices.device, precision=choices.precision, memory_format=choices.memory_format,
                                 threads=choices.threads, rewrites=choices.rewrites, tuned=tuned_knobs(self.run.config, config),
                                 checkpoint_step=-1 if saved is None else saved.step, processes=self.team.size)
        return Prepared(trainer, thread_tuner, elapsed)

    def _load_data(self, config: TrainConfig) -> LoadedData:
        def report(progress: Progress) -> None:
            if time.monotonic() - self._reported >= PROGRESS_INTERVAL:
                self._reported = time.monotonic()
                self.status_writer.write(progress=dataclasses.asdict(progress))

        return loading.load(config, report, self._cancelled)

    def _record_data(self, loaded: LoadedData, config: TrainConfig, trained_before: bool) -> list[Message]:
        """Write what the data set is into data.json; returns notices if an earlier session has trained on another one."""
        summary = DataSummary({**loaded.summary()})
        notices = self.run.check_data(summary, config.condition == "class") if trained_before else []
        self.status_writer.status.exact &= not notices
        self.status_writer.write(progress=None)
        data = json.dumps(summary).encode()
        self.status_writer.attempt("data", lambda: self.run.write_file(self.run.data_path, data))
        return notices

    def _choose(self, config: TrainConfig, earlier: ComputeChoices | None,
                loaded: LoadedData) -> tuple[ComputeChoices, ThreadTuner]:
        """An earlier session's choices where its device is here, else measured ones, and what adapts the threads meanwhile.

        A run that has trained elsewhere goes on with what is here, whatever device its config names; where that one is here
        again it is used again. Several processes divide the cores of their machine and keep that number: each step waits for the
        slowest of them.
        """
        threads, several = config.threads or self._threads, self.team.size > 1
        if several:
            threads = threads or max(1, cores() // self.team.local_size)
        if earlier and config.device not in ("auto", *devices()):
            config = config.replace(device="auto")
        if earlier and earlier.device in devices() and config.device in ("auto", earlier.device):
            # Here there may be fewer cores than there were then.
            choices = dataclasses.replace(earlier, threads=threads or min(earlier.threads, cores()))
        else:
            share = config.replace(batch_size=max(1, config.batch_size // self.team.size))
            choices = autotune.choose(share, trainer_builder(loaded.data, loaded.labels), threads)
        self.team.check_device(choices.device)
        fixed = threads or choices.device != "cpu"
        return choices, ThreadTuner(choices.threads, 0 if fixed else cores(), dict(choices.speeds))


def with_saved_knobs(config: TrainConfig, saved: dict[str, Any]) -> TrainConfig:
    """The run's config with the knobs as its checkpoint has them; a checkpoint of an older version may lack some."""
    return config.replace(**{name: saved[name] for name in LIVE if name in saved})


def tuned_knobs(config: TrainConfig, current: TrainConfig) -> dict[str, Any]:
    """{name: value} of the knobs that differ from those that the run began with."""
    before, after = config.to_dict(), current.to_dict()
    return {name: after[name] for name in sorted(LIVE) if after[name] != before[name]}

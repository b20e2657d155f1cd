"""One life of one run: show, train, obey, report, save, until somebody or something ends it.

It knows the run and its trainer, not the process it lives in: locks, logs and how a failure is told are the worker's business.
Of several processes the first one leads this life, and the others follow its `coordinator`.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from ..compute import autotune
from ..compute.choices import ComputeChoices, cores, devices
from ..compute.thread_tuner import ThreadTuner
from ..config import LIVE, TrainConfig
from ..data import loading
from ..data.types import Cancelled, Progress
from ..messages import ENGLISH, message, os_reason
from ..runs import checkpoint
from ..runs.run import Run
from ..training.trainer import Trainer
from ..training.trial import trainer_builder
from .best_checkpoint import BestCheckpoint
from .commands import Commands
from .coordinator import NETWORKS, Coordinator
from .recorder import Diverged, Recorder
from .status_writer import StatusWriter

REPORT = 0.125  # seconds between reports while training: metrics and status at 8 Hz
POLL = 0.02  # seconds between looks for commands while paused
SPEED_WINDOW = 4.0  # seconds of training over which images per second are measured


class Session:
    """One worker life of one run: everything from the first look at the folder to the last status."""

    def __init__(self, run: Run, status_writer: StatusWriter, threads: int, paused: bool, coordinator: Coordinator) -> None:
        self.run, self.status_writer, self.paused, self.coordinator = run, status_writer, paused, coordinator
        self.team, self.commands = coordinator.team, Commands(self)
        self.trainer: Trainer | None = None
        self.stop_asked = False
        self.budget: tuple[str, int] | None = None  # single steps still to make: (network, count)
        self.elapsed = 0.0
        self._named_threads = threads
        self._recent: deque[tuple[float, int]] = deque()
        self._reported = self._looked = 0.0

    def _begin(self) -> None:
        """Everything a life needs before it can train. Raises Cancelled where it was stopped while it waited for data."""
        run, status = self.run, self.status_writer.status
        self.trainer = self._restored(run.config)
        seqs = [frame.seq for frame in run.frames()]
        self.best = BestCheckpoint(run, self.trainer, self.status_writer.write, self.elapsed)
        self.recorder = Recorder(run, self.trainer, status.life, max([status.seq, *seqs]), status.live)
        self._try("curves", lambda: self.recorder.mark_restored({}, self.elapsed))

    def _data(self, config: TrainConfig, learned: bool) -> tuple[Any, Any, list[dict[str, Any]]]:
        """The run's data set; how far it is stands in the status, and a stop is heard meanwhile.

        learned: an earlier life has learned from it; the third result is what is to be said where it is another one now.
        """
        def report(progress: Progress) -> None:
            if time.monotonic() - self._reported >= REPORT:
                self._reported = time.monotonic()
                self.status_writer.write(progress=dataclasses.asdict(progress))

        loaded = loading.load(config, report, self._called_off)
        about = loaded.summary()
        notices = self.run.check_data(about, config.condition == "class") if learned else []
        self.status_writer.status.exact &= not notices
        self.status_writer.write(progress=None)
        self._try("data", lambda: self.run.write_file(self.run.data_path, json.dumps(about).encode()))
        return loaded.data, loaded.labels, notices

    def _called_off(self) -> bool:
        """Whether somebody wants an end before the beginning; looks at the commands a few times a second."""
        if time.monotonic() - self._looked >= REPORT:
            self._looked = time.monotonic()
            self.coordinator.wait()
            self.commands.obey(only="stop")
        return self.shutdown

    def _restored(self, config: TrainConfig) -> Trainer:
        """A new trainer, or the last checkpoint's with the very choices it was made with: nothing is probed again."""
        status = self.status_writer.status
        kept = checkpoint.newest_valid(self.run.checkpoint_folder)
        before = None
        if kept is not None:
            config = _as_tuned(config, kept.metadata["config"])
            before = ComputeChoices(**kept.metadata["resolved"])
            status.exact &= kept.metadata.get("processes", 1) == self.team.size
        images, labels, notices = self._data(config, kept is not None)
        choices = self._choices(config, before, images, labels)
        if before and before.device != choices.device:
            notices.append(message("notice_device", before=before.device, now=choices.device))
            status.exact = False
        trainer = Trainer(config, images, labels, choices=choices, team=self.team)
        self.coordinator.start(trainer)
        if kept is not None:
            trainer.load_state_dict(kept.tensors)
            self.elapsed = float(kept.metadata["elapsed"])
            if kept.skip_reasons:
                notices.append(message("notice_checkpoint", reason=kept.skip_reasons[0]))
        self.coordinator.adopt(trainer)
        self.status_writer.note("resuming", *notices)
        self.status_writer.write(step=trainer.step_count, images=trainer.images_seen, elapsed=self.elapsed,
                         device=choices.device, precision=choices.precision, memory_format=choices.memory_format,
                         threads=choices.threads, rewrites=choices.rewrites, tuned=_tuned(self.run.config, config),
                         checkpoint_step=-1 if kept is None else kept.step, processes=self.team.size)
        return trainer

    def _choices(self, config: TrainConfig, before: ComputeChoices | None, images: Any, labels: Any) -> ComputeChoices:
        """The machine's choices: an earlier life's where it has the device, else by measurement, here and for all processes.

        Several processes of one machine divide its cores and keep to that: who waits for the slowest gains nothing by a watch.
        """
        threads, together = config.threads or self._named_threads, self.team.size > 1
        if together:
            threads = threads or max(1, cores() // self.team.local_size)
        if before and before.device in devices():
            choices = dataclasses.replace(before, threads=threads) if together else before
        else:
            share = config.replace(batch_size=max(1, config.batch_size // self.team.size))
            choices = autotune.choose(share, trainer_builder(images, labels), threads)
        self.team.check_device(choices.device)
        fixed = threads or choices.device != "cpu"
        self.threads = ThreadTuner(choices.threads, 0 if fixed else cores(), dict(choices.speeds))
        return choices

    def stop(self) -> None:
        """Save and end after the step at hand; may be called from a signal handler."""
        self.stop_asked = True

    # The story, in order.

    def live(self) -> None:
        """Show, train and obey until the end, whatever end it is."""
        try:
            self._begin()
        except Cancelled:
            self.coordinator.end(0)  # as in `_finish`: it may be torchrun's SIGTERM, because another process is gone
            self.status_writer.write("stopped", progress=None)
            return
        # Once: what the page shows first, and a checkpoint to come back to.
        if not self.run.real_path.exists():
            self._try("reals", self.recorder.write_real)
        self._show()
        self.publish("paused" if self.paused else "running")
        if self.status_writer.status.checkpoint_step < 0:
            self.save()
        while not self.shutdown:
            # Obey.
            self.commands.obey()
            if self.shutdown:
                break
            if self.paused:
                self.coordinator.wait()
                time.sleep(POLL)
                continue
            config = self.trainer.config
            if 0 < config.max_steps <= self.trainer.step_count or 0 < config.max_minutes * 60 <= self.elapsed:
                self._finish("finished")
                return
            # Train.
            self.train(*(self.budget or ("both", 0)))
            if self.budget and self.budget[1] <= 0:
                self.pause()
                continue
            # Once in a while: report, show, save.
            self._report()
        self._finish("stopped")

    @property
    def step_count(self) -> int:
        return self.status_writer.status.step if self.trainer is None else self.trainer.step_count

    @property
    def shutdown(self) -> bool:
        """Whether this process, or another one that trains with it, was told to end."""
        return self.stop_asked or self.coordinator.stop_asked

    def train(self, network: str, most: int = 0) -> int:
        """Some steps, at most `most` unless that is 0; returns how many: one, or of several processes a tenth of a second's."""
        config, made = self.trainer.config, 0
        if config.max_steps:
            left = max(1, config.max_steps - self.trainer.step_count)
            most = min(most or left, left)
        for _ in self.coordinator.stretch(network, most):
            self._step(network)
            made += 1
        if self.budget:
            self.budget = (network, self.budget[1] - made)
        return made

    def _step(self, network: str) -> None:
        started = time.monotonic()
        metrics = getattr(self.trainer, NETWORKS[network])()
        seconds = time.monotonic() - started
        self.elapsed += seconds
        self.recorder.add(metrics, self.elapsed)
        if network == "both" and (change := self.threads.record(self.trainer.config.batch_size, seconds)):
            self._rethreaded(*change)

    def _rethreaded(self, old: int, new: int) -> None:
        """Other sums in another order from here on: said with its step, and no longer bit for bit."""
        self.trainer.choices = dataclasses.replace(self.trainer.choices, threads=new)
        self._try("curves", lambda: self.recorder.mark("threads", {"threads": [old, new]}, self.elapsed))
        self.publish(threads=new, exact=False)

    def _report(self) -> None:
        """Everything that is due. What it costs counts as training time: a person waits for it too."""
        started = time.monotonic()
        if started - self._reported < REPORT:
            return
        self._recent.append((started, self.trainer.images_seen))
        while started - self._recent[0][0] > SPEED_WINDOW:
            self._recent.popleft()
        then, before = self._recent[0]
        span = started - then
        speed = (self.trainer.images_seen - before) / span if span > 0 else self.status_writer.status.speed
        self._try("curves", self.recorder.flush)
        if self.recorder.frames.due():
            self._try("samples", self.recorder.write_frame)
        if self.recorder.live.due():
            self._try("generator", self.recorder.write_live)
        if self.recorder.checkpoints.due():
            self.save()
        self._try("measures", lambda: self.best.run_slice(self.recorder, self.elapsed))
        self.elapsed += time.monotonic() - started
        self.publish(speed=speed)
        self._reported = time.monotonic()

    def publish(self, state: str = "", **fields: Any) -> None:
        self.status_writer.write(state, step=self.trainer.step_count, images=self.trainer.images_seen,
                                 elapsed=round(self.elapsed, 3), seq=self.recorder.seq, live=self.recorder.live_number, **fields)

    def _try(self, what: str, action: Callable[[], None]) -> None:
        """A disk that refuses is a notice until it does not, never the end of training."""
        try:
            action()
            self.status_writer.note(what)
        except OSError as error:
            self.status_writer.note(what, message("notice_disk", what=message(f"doing_{what}"), reason=os_reason(error)))
        except checkpoint.CheckpointError as error:
            raise Diverged(self.trainer.step_count) from error

    def _show(self) -> None:
        """Everything up to this step into the folder, whatever its pace: somebody is about to look. Publish after it."""
        for what, action in (("curves", lambda: self.recorder.flush(everything=True)),
                             ("samples", self.recorder.write_frame), ("generator", self.recorder.write_live)):
            self._try(what, action)

    def save(self) -> str:
        """A checkpoint now; returns "" or the sentence that says why there is none."""
        good = self.status_writer.status.checkpoint_step
        try:
            step = self.recorder.save(self.elapsed)
        except OSError as error:
            kept = message("kept_step", step=good) if good >= 0 else message("kept_none")
            notice = message("notice_saving", reason=os_reason(error), kept=kept)
            self.recorder.checkpoints.record(time.monotonic())
            self.status_writer.note("saving", notice)
            return ENGLISH.sentence(notice)
        self.status_writer.note("saving")
        self.status_writer.write(checkpoint_step=step)
        return ""

    def pause(self) -> None:
        """Hold here; the page gets this very step's pictures together with the state."""
        self.paused, self.budget = True, None
        self._recent.clear()
        self._show()
        self.publish("paused")

    def _finish(self, state: str) -> None:
        self.coordinator.end(0)  # before anything is said: who has lost the others has neither finished nor stopped
        self._show()
        if self.status_writer.status.checkpoint_step != self.trainer.step_count:
            self.save()
        self.status_writer.forget_notices(but="saving")
        self.publish(state)

    # What commands ask for.

    def tune(self, changes: dict[str, Any]) -> None:
        """Turn knobs, mark it on the curves and save. Raises ValueError, a sentence; nothing has changed then."""
        changed = self.trainer.tune(**changes)
        if changed:
            self.coordinator.adopt(self.trainer)
            self._try("curves", lambda: self.recorder.mark("tune", changed, self.elapsed))
            self.save()
            self.publish(tuned=_tuned(self.run.config, self.trainer.config))

    def restore(self) -> None:
        """Go back to the best checkpoint as if a new life began there, and pause. Raises CheckpointError or OSError."""
        kept, changes = self.best.restore()
        self.coordinator.adopt(self.trainer)
        self.elapsed = float(kept.metadata["elapsed"])
        self.status_writer.write(life=self.status_writer.status.life + 1, checkpoint_step=kept.step,
                         tuned=_tuned(self.run.config, self.trainer.config))
        self.recorder = Recorder(self.run, self.trainer, self.status_writer.status.life, self.recorder.seq,
                                 self.recorder.live_number)
        self._try("curves", lambda: self.recorder.mark_restored(changes, self.elapsed))
        self.pause()


def _as_tuned(config: TrainConfig, saved: dict[str, Any]) -> TrainConfig:
    """The run's config with the knobs as they stood at its checkpoint; a checkpoint of an older version may lack some."""
    return config.replace(**{name: saved[name] for name in LIVE if name in saved})


def _tuned(config: TrainConfig, now: TrainConfig) -> dict[str, Any]:
    """What is set otherwise than the run began with."""
    before, after = config.to_dict(), now.to_dict()
    return {name: after[name] for name in sorted(LIVE) if after[name] != before[name]}

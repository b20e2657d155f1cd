"""One life of one run: show, train, obey, report, save, until somebody or something ends it.

It knows the run and its trainer, not the process it lives in: locks, logs and how a failure is told are the worker's business.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from . import checkpoint, probe, sources
from .acceleration import Resolved, cores, devices
from .best import Best
from .board import Board
from .config import LIVE, TrainConfig
from .data.asking import Cancelled, Progress
from .recorder import Diverged, Recorder
from .run import Run
from .threads import Threads
from .trainer import Trainer

REPORT = 0.125  # seconds between reports while training: metrics and status at 8 Hz
POLL = 0.02  # seconds between looks for commands while paused
INLINE = 1.0  # seconds of single steps before their command is acknowledged and they go on as a running run
SPEED_WINDOW = 4.0  # seconds of training over which images per second are measured
# What a single step may move -> the trainer's method for it.
NETWORKS = {"discriminator": "discriminator_step", "generator": "generator_step", "both": "step"}


class Life:
    """One worker life of one run: everything from the first look at the folder to the last status."""

    def __init__(self, run: Run, board: Board, threads: int, paused: bool) -> None:
        self.run, self.board, self.paused = run, board, paused
        self.stop_asked = False
        self.budget: tuple[str, int] | None = None  # single steps still to make: (network, count)
        self.elapsed = 0.0
        self._named_threads = threads
        self._recent: deque[tuple[float, int]] = deque()
        self._reported = self._looked = 0.0

    def _begin(self) -> None:
        """Everything a life needs before it can train. Raises Cancelled where it was stopped while it waited for data."""
        run, status = self.run, self.board.status
        self.trainer = self._restored(run.config, self._named_threads)
        seqs = [frame.seq for frame in run.frames()]
        self.best = Best(run, self.trainer, self.board.write, self.elapsed)
        self.recorder = Recorder(run, self.trainer, status.life, max([status.seq, *seqs]), status.live)
        self._try("writing the curves", lambda: self.recorder.mark_restored({}, self.elapsed))

    def _data(self, config: TrainConfig) -> tuple[Any, Any]:
        """The run's data set; how far it is stands in the status, and a stop is heard meanwhile."""
        def report(progress: Progress) -> None:
            if time.monotonic() - self._reported >= REPORT:
                self._reported = time.monotonic()
                self.board.write(progress=dataclasses.asdict(progress))

        loaded = sources.load(config, report, self._called_off)
        self.board.write(progress=None)
        self._try("describing the data", lambda: self.run.put(self.run.data_path, json.dumps(loaded.about()).encode()))
        return loaded.data, loaded.labels

    def _called_off(self) -> bool:
        """Whether somebody wants an end before the beginning; looks at the commands a few times a second."""
        if not self.stop_asked and time.monotonic() - self._looked >= REPORT:
            self._looked = time.monotonic()
            for path, command in self.run.pending():
                if command.get("command") == "stop":
                    self._obey(command)
                    path.unlink(missing_ok=True)
        return self.stop_asked

    def _restored(self, config: TrainConfig, threads: int) -> Trainer:
        """A new trainer, or the last checkpoint's with the very choices it was made with: nothing is probed again."""
        notice = ""
        kept = checkpoint.newest_valid(self.run.checkpoint_folder)
        before = None
        if kept is not None:
            config = _as_tuned(config, kept.metadata["config"])
        images, labels = self._data(config)
        if kept is not None:
            before = Resolved(**kept.metadata["resolved"])
        resolved = before if before and before.device in devices() else probe.choose(config, images, labels, threads)
        if before and before.device != resolved.device:
            notice = (f"This run was trained on {before.device}, which is not here; it goes on on {resolved.device}, "
                      "no longer bit for bit.")
            self.board.status.exact = False
        fixed = config.threads or threads or resolved.device != "cpu"
        self.threads = Threads(resolved.threads, 0 if fixed else cores(), dict(resolved.speeds))
        trainer = Trainer(config, images, labels, resolved=resolved)
        if kept is not None:
            trainer.load_state_dict(kept.tensors)
            self.elapsed = float(kept.metadata["elapsed"])
            if kept.skipped:
                notice = f"The newest checkpoint could not be read ({kept.skipped[0]}) An older one was taken."
        self.board.write(step=trainer.step_count, images=trainer.images_seen, elapsed=self.elapsed, notice=notice,
                         device=resolved.device, precision=resolved.precision, memory_format=resolved.memory_format,
                         threads=resolved.threads, rewrites=resolved.rewrites, tuned=_tuned(self.run.config, config),
                         checkpoint_step=-1 if kept is None else kept.step)
        return trainer

    def stop(self) -> None:
        """Save and end after the step at hand; may be called from a signal handler."""
        self.stop_asked = True

    # The story, in order.

    def live(self) -> None:
        """Show, train and obey until the end, whatever end it is."""
        try:
            self._begin()
        except Cancelled:
            self.board.write("stopped", progress=None)
            return
        # Once: what the page shows first, and a checkpoint to come back to.
        if not self.run.real_path.exists():
            self._try("showing the real pictures", self.recorder.write_real)
        self._show()
        self._publish("paused" if self.paused else "running")
        if self.board.status.checkpoint_step < 0:
            self.save()
        while not self.stop_asked:
            # Obey.
            for path, command in self.run.pending():
                self._obey(command)
                path.unlink(missing_ok=True)
            if self.stop_asked:
                break
            if self.paused:
                time.sleep(POLL)
                continue
            # Train.
            self._step(self.budget[0] if self.budget else "both")
            if self.budget:
                self.budget = (self.budget[0], self.budget[1] - 1) if self.budget[1] > 1 else None
                if self.budget is None:
                    self.pause()
                    continue
            config = self.trainer.config
            if 0 < config.max_steps <= self.trainer.step_count or 0 < config.max_minutes * 60 <= self.elapsed:
                self._finish("finished")
                return
            # Once in a while: report, show, save.
            self._report()
        self._finish("stopped")

    def _step(self, network: str) -> None:
        started = time.monotonic()
        metrics = getattr(self.trainer, NETWORKS[network])()
        seconds = time.monotonic() - started
        self.elapsed += seconds
        self.recorder.add(metrics, self.elapsed)
        if network == "both" and (change := self.threads.after(self.trainer.config.batch_size, seconds)):
            self._rethreaded(*change)

    def _rethreaded(self, old: int, new: int) -> None:
        """Other sums in another order from here on: said with its step, and no longer bit for bit."""
        self.trainer.resolved = dataclasses.replace(self.trainer.resolved, threads=new)
        self._try("writing the curves", lambda: self.recorder.mark("threads", {"threads": [old, new]}, self.elapsed))
        self._publish(threads=new, exact=False)

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
        speed = (self.trainer.images_seen - before) / span if span > 0 else self.board.status.speed
        self._try("writing the curves", self.recorder.flush)
        if self.recorder.frames.due():
            self._try("showing samples", self.recorder.write_frame)
        if self.recorder.live.due():
            self._try("showing samples", self.recorder.write_live)
        if self.recorder.checkpoints.due():
            self.save()
        self._try("measuring", lambda: self.best.turn(self.recorder, self.elapsed))
        self.elapsed += time.monotonic() - started
        self._publish(speed=speed)
        self._reported = time.monotonic()

    def _publish(self, state: str = "", **fields: Any) -> None:
        self.board.write(state, step=self.trainer.step_count, images=self.trainer.images_seen, elapsed=round(self.elapsed, 3),
                         seq=self.recorder.seq, live=self.recorder.live_number, **fields)

    def _try(self, what: str, action: Callable[[], None]) -> None:
        """A disk that refuses is a notice, never the end of training."""
        try:
            action()
        except OSError as error:
            self.board.write(notice=f"Not enough disk for {what}: {error.strerror or error}. Training goes on.")
        except checkpoint.CheckpointError as error:
            raise Diverged(self.trainer.step_count) from error

    def _show(self) -> None:
        """Everything up to this step into the folder, whatever its pace: somebody is about to look. Publish after it."""
        for what, action in (("writing the curves", lambda: self.recorder.flush(everything=True)),
                             ("showing samples", self.recorder.write_frame), ("showing samples", self.recorder.write_live)):
            self._try(what, action)

    def save(self) -> str:
        """A checkpoint now; returns "" or the sentence that says why there is none."""
        good = self.board.status.checkpoint_step
        try:
            step = self.recorder.save(self.elapsed)
        except OSError as error:
            kept = f"the last good checkpoint is of step {good:,}" if good >= 0 else "there is no checkpoint yet"
            notice = f"Saving failed: {error.strerror or error}. Training goes on; {kept}."
            self.recorder.checkpoints.spent(time.monotonic())
            self.board.write(notice=notice)
            return notice
        self.board.write(checkpoint_step=step, notice="")
        return ""

    def pause(self) -> None:
        """Hold here; the page gets this very step's pictures together with the state."""
        self.paused, self.budget = True, None
        self._recent.clear()
        self._show()
        self._publish("paused")

    def _finish(self, state: str) -> None:
        self._show()
        if self.board.status.checkpoint_step != self.trainer.step_count:
            self.save()
        self._publish(state)

    # Commands.

    def _obey(self, command: dict[str, Any]) -> None:
        """Do it and say so; what cannot be done is answered with a sentence."""
        name, args, identity = command.get("command"), command.get("args"), command.get("id")
        if not isinstance(identity, str) or not isinstance(args, dict):
            return  # not written by this program: there is nobody to answer
        action = {"pause": self._pause, "resume": self._resume, "step": self._steps, "save": self._save,
                  "stop": self._stop, "tune": self._tune, "restore": self._restore}.get(name) if isinstance(name, str) else None
        message = f"{str(name)[:40]!r} is no command of this worker." if action is None else action(args)
        answer = {"id": identity, "command": str(name)[:40], "ok": not message, "message": message,
                  "step": self.trainer.step_count}
        self.board.write(acknowledged=[*self.board.status.acknowledged, answer][-16:])

    def _pause(self, args: dict[str, Any]) -> str:
        if self.paused:
            return "It is paused already."
        self.pause()
        return ""

    def _resume(self, args: dict[str, Any]) -> str:
        if not self.paused:
            return "It is running already."
        self.paused = False
        self._publish("running")
        return ""

    def _steps(self, args: dict[str, Any]) -> str:
        """Single steps of a paused run: here and now for a second, the rest as a running run that pauses itself."""
        network, count = args.get("network", "both"), args.get("count", 1)
        if network not in NETWORKS:
            return f"There is no network {str(network)[:40]!r}; choose one of: {', '.join(NETWORKS)}."
        if type(count) is not int or not 1 <= count <= 10_000:
            return f"The count is {str(count)[:40]!r}; give a whole number from 1 to 10,000."
        if not self.paused:
            return "Single steps are for a paused run; pause it first."
        started, made = time.monotonic(), 0
        while made < count and time.monotonic() - started < INLINE:
            self._step(network)
            made += 1
        if made < count:
            self.paused, self.budget = False, (network, count - made)
            self._publish("running")
        else:
            self.pause()
        return ""

    def _save(self, args: dict[str, Any]) -> str:
        message = self.save()
        self._publish()
        return message

    def _tune(self, args: dict[str, Any]) -> str:
        """Knobs turned while it trains: at once, with a mark on the curves, and saved: a kill takes no change back."""
        changes = args.get("changes")
        if not isinstance(changes, dict) or not changes:
            return "There is nothing to change; give an object of field names and values."
        try:
            changed = self.trainer.tune(**{str(name): value for name, value in changes.items()})
        except ValueError as error:
            return str(error)
        if changed:
            self._try("writing the curves", lambda: self.recorder.mark("tune", changed, self.elapsed))
            self.save()
            self._publish(tuned=_tuned(self.run.config, self.trainer.config))
        return ""

    def _restore(self, args: dict[str, Any]) -> str:
        """Back to the best measured generator, as if a new life began there, and pause: somebody will change something first."""
        try:
            kept, changes = self.best.restore()
        except (checkpoint.CheckpointError, OSError) as error:
            return f"{str(error)[:1].upper()}{str(error)[1:]}"
        self.elapsed = float(kept.metadata["elapsed"])
        self.board.write(life=self.board.status.life + 1, checkpoint_step=kept.step,
                         tuned=_tuned(self.run.config, self.trainer.config))
        self.recorder = Recorder(self.run, self.trainer, self.board.status.life, self.recorder.seq, self.recorder.live_number)
        self._try("writing the curves", lambda: self.recorder.mark_restored(changes, self.elapsed))
        self.pause()
        return ""

    def _stop(self, args: dict[str, Any]) -> str:
        self.stop()
        return ""


def _as_tuned(config: TrainConfig, saved: dict[str, Any]) -> TrainConfig:
    """The run's config with the knobs as they stood at its checkpoint; a checkpoint of an older version may lack some."""
    return config.replace(**{name: saved[name] for name in LIVE if name in saved})


def _tuned(config: TrainConfig, now: TrainConfig) -> dict[str, Any]:
    """What is set otherwise than the run began with."""
    before, after = config.to_dict(), now.to_dict()
    return {name: after[name] for name in sorted(LIVE) if after[name] != before[name]}

"""What each button and knob does: start, pause, resume, step, reset, save, tune, restore, as calls that return the run.

Runs are controlled through the supervisor and their command folders. Buttons and API are thin wrappers of this module.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from typing import Any

from .. import registry
from ..config import LIVE, PRESETS, TrainConfig
from ..data import storage
from ..runs import run as runs
from ..runs.run import CommandError, Run, RunError
from ..runs.status import ACTIVE, Status
from ..runs.supervisor import WorkerBusy, capacity_limit
from ..runs.worker_process import answer_timeout, stop_timeout
from . import words
from .external_runs import PlaceError
from .refusal import FIELDS, WATCHED, Refusal, busy, not_now, validated
from .run_catalogue import RunCatalogue

ANSWER_TIMEOUT = 3.0  # seconds for a worker to answer a command
LONGEST_ANSWER = 25.0  # seconds where steps are slow, but for a pause: the page's own scripts wait for 30 s
START_TIMEOUT = 20.0  # seconds for a new worker to begin before its first single step


class Controls:
    """The controls of one page. `defaults` are config values from the command line (seed, device)."""

    def __init__(self, catalogue: RunCatalogue, defaults: dict[str, Any] | None = None) -> None:
        self.catalogue, self.supervisor, self.defaults = catalogue, catalogue.supervisor, defaults or {}
        self.local_paths = True  # whether paths of this machine are allowed; False where strangers reach the page

    def config(self, preset: str, overrides: dict[str, Any], lang: str = "en", labels: bool = False) -> TrainConfig:
        """The preset with the values of the command line and then `overrides`. Raises Refusal for a bad value.

        `labels`: messages name fields by their labels in the form, for people; else by their names in TrainConfig.
        """
        if not isinstance(preset, str) or preset not in PRESETS:
            raise Refusal("errors.unknown_preset", lang, name=str(preset)[:40], names=", ".join(PRESETS))
        if not isinstance(overrides, dict):
            raise Refusal("errors.refused", lang, message="overrides must be a JSON object of field names and values.")
        config = validated(lambda: PRESETS[preset].replace(**{**self.defaults, **overrides}), lang, labels)
        self._refuse_local_path(config.dataset, "errors.no_local_paths", lang)
        return config

    def _refuse_local_path(self, dataset: str, key: str, lang: str) -> None:
        """Raise this Refusal where strangers reach the page and the data set names a path of this machine."""
        if not self.local_paths and registry.reads_local_path(dataset):
            raise Refusal(key, lang)

    def _refuse_local_life(self, run: Run, lang: str) -> None:
        """The same before a run begins a life, which reads the data again: whatever lies at the path by then."""
        config = run.info.get("config")
        dataset = str(config.get("dataset", "")) if isinstance(config, dict) else ""
        with contextlib.suppress(ValueError):  # an unknown data set: the worker refuses it by name
            self._refuse_local_path(dataset, "errors.no_local_life", lang)

    def start(self, config: TrainConfig, preset: str, *, force: bool = False, paused: bool = False, lang: str = "en",
              replaced: Run | None = None) -> Run:
        """A new run that trains, or waits paused. With `force` the active one is saved and stopped first.

        `replaced`: the run that the caller takes for the active one; where another one is active by now, nothing is ended.
        """
        self._refuse_local_path(config.dataset, "errors.no_local_paths", lang)
        room = capacity_limit(config.processes, config.device)
        if room is not None:
            raise Refusal(f"errors.processes_{room[0]}", lang, n=config.processes, most=room[1])
        if not config.is_batch_shared_by(config.processes):
            raise Refusal("errors.processes_batch", lang, n=config.processes, batch=config.batch_size)
        active = self.supervisor.active()
        if active is not None and (not force or (replaced is not None and not _is_same(replaced, active))):
            raise busy(active, lang)
        try:
            run = Run.create(config, self.catalogue.folder, preset=preset)
        except RunError as error:  # a full disk: nothing is ended for a run that cannot begin
            raise Refusal("errors.refused", lang, message=str(error)) from error
        if active is not None:
            if config.processes == 1:
                self.supervisor.prepare()  # it imports torch while the old one saves
            self.supervisor.stop(expected=active.path)
        self._start_worker(run, paused, lang, new=True)
        return run

    def _start_worker(self, run: Run, paused: bool, lang: str, new: bool = False) -> None:
        self._refuse_local_life(run, lang)
        try:
            self.supervisor.start(run, paused)
        except WorkerBusy as error:
            if new:
                shutil.rmtree(run.path, ignore_errors=True)  # another start came first: the run was never used
            raise busy(error.run, lang) from error
        except (OSError, RunError) as error:
            raise Refusal("errors.unexpected", lang, message=str(error)) from error
        self._wait_for_start(run, ANSWER_TIMEOUT)

    def _wait_for_start(self, run: Run, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while run.status().state == "starting" and time.monotonic() < deadline:
            time.sleep(0.02)

    def pause(self, run_id: str = "", lang: str = "en") -> Run:
        """Pause within one step."""
        return self._send(self._target(run_id, "pause", lang), "pause", lang)

    def resume(self, run_id: str = "", lang: str = "en") -> Run:
        """Continue: at once where the run is paused, else in a new life from its last checkpoint."""
        run = self._find(run_id, lang)
        status = run.status()
        refusal = self.resume_refusal(run, status, self.supervisor.active(), lang)
        if refusal is not None:
            raise refusal
        if status.state == "paused":
            return self._send(run, "resume", lang)
        self._start_worker(run, False, lang)
        return run

    def step(self, network: str, count: int, config: TrainConfig, preset: str, run_id: str = "", lang: str = "en") -> Run:
        """Single steps of one network or both; without a run, a new one is made that stays paused."""
        run = self.catalogue.find_or_default(run_id)
        if run is None or run.kind != "run":
            run = self.start(config, preset, paused=True, lang=lang)
            self._wait_for_start(run, START_TIMEOUT * config.processes)  # each of them imports torch
            return self._send(run, "step", lang, network=network, count=count)
        return self.single_steps(network, count, run.id, lang)

    def single_steps(self, network: str, count: int, run_id: str = "", lang: str = "en") -> Run:
        """Single steps of a paused run; the worker checks the two arguments."""
        return self._send(self._target(run_id, "step", lang), "step", lang, network=network, count=count)

    def reset(self, config: TrainConfig, preset: str, *, paused: bool = False, run_id: str = "", lang: str = "en") -> Run:
        """End the run, which is saved and kept, and begin a new one."""
        self._refuse_local_path(config.dataset, "errors.no_local_paths", lang)  # before the run is ended
        run = self._target(run_id, "reset", lang)
        status, active = run.status(), self.supervisor.active()
        force = status.state in ACTIVE
        if force and self.catalogue.is_external(run) and not _is_same(run, active):
            force = False
            self._send(run, "stop", lang, stop_timeout(run, status))
        return self.start(config, preset, force=force, paused=paused, lang=lang, replaced=run)

    def prepare(self) -> bool:
        """Warm a worker up for a run that may take the active one's place; whether that was done.

        A run on several threads would take fewer beside it, and could no longer be repeated bit for bit if it then goes on.
        """
        active = self.supervisor.active()
        status = active.status() if active is not None else Status()
        quiet = status.state == "paused" or (status.state == "running" and status.threads == 1)
        if quiet:
            self.supervisor.prepare()
        return quiet

    def save(self, run_id: str = "", lang: str = "en") -> Run:
        """Write a checkpoint now."""
        return self._send(self._target(run_id, "save", lang), "save", lang)

    def tune(self, changes: str, run_id: str = "", lang: str = "en", labels: bool = False) -> Run:
        """Change live fields of a run while it trains. `changes`: JSON {name: new value}; in force when this returns.

        `labels`: as in `config`. Only the fields in `config.LIVE` can be changed.
        """
        def label(name: str) -> str:
            return words.text(f"fields.{name}", lang) if labels and name in FIELDS else name

        run = self._find(run_id, lang)
        status = run.status()
        if run.kind != "run" or status.state not in ("running", "paused"):
            raise not_now(run, status.state, lang)
        try:
            requested = json.loads(changes)
        except (ValueError, RecursionError):
            requested = None
        if not isinstance(requested, dict) or not requested:
            raise Refusal("errors.no_changes", lang, example='{"lr_d": 0.0005}')
        for name in requested:
            if name not in LIVE:
                raise Refusal("errors.not_live", lang, field=label(str(name)[:40]), names=", ".join(map(label, sorted(LIVE))))
        now = run.config.replace(**status.tuned)
        new = validated(lambda: now.replace(**requested), lang, labels)
        if bool(new.ema_half_life) != bool(now.ema_half_life):
            raise Refusal("errors.ema_zero", lang, field=label("ema_half_life"))
        return self._send(run, "tune", lang, changes=requested)

    def restore(self, run_id: str = "", lang: str = "en", step: int | None = None) -> Run:
        """Go back to the best measured state, paused: in the running worker, else in a new life that begins there.

        `step`: what the caller takes for the best one; another may have been measured since, and then nothing is done.
        """
        run = self._target(run_id, "restore", lang)
        best = run.status().best
        if step is not None and best is not None and best["step"] != step:
            raise Refusal("errors.best_moved", lang, step=words.number(best["step"], lang))
        if run.status().state in ACTIVE:
            return self._send(run, "restore", lang)
        rival = self.supervisor.rival(run, self.supervisor.active())
        if rival is not None:
            raise busy(rival, lang)
        self._refuse_local_life(run, lang)  # before its next checkpoint is chosen
        try:
            run.restore_best()
        except RunError as error:
            raise Refusal("errors.refused", lang, message=str(error)) from error
        self._start_worker(run, True, lang)
        return run

    def stop(self, run_id: str = "", lang: str = "en") -> None:
        """Save and end a run, "" for the active one. Raises Refusal where it cannot be ended now; no other one is ended then.

        The active run is ended by force where its heart stands still; a run that another program trains is only asked to stop.
        """
        if not run_id:
            self.supervisor.stop(ANSWER_TIMEOUT)
            return
        run, active = self._find(run_id, lang), self.supervisor.active()
        status = run.status()
        if not self.can_stop(run, status, active):
            raise not_now(run, status.state, lang)
        if not _is_same(run, active):
            self._send(run, "stop", lang, stop_timeout(run, status))
        elif self.supervisor.stop(ANSWER_TIMEOUT, run.path) is None:  # it has ended just now, and another one may train
            raise not_now(run, run.status().state, lang)

    def can_stop(self, run: Run, status: Status, active: Run | None) -> bool:
        """Whether `stop` can end this run now; `status`: its status, `active`: the supervisor's active run."""
        return run.kind == "run" and (_is_same(run, active) or runs.controls(status, run.kind)["save"])

    def resume_refusal(self, run: Run, status: Status, active: Run | None, lang: str = "en") -> Refusal | None:
        """Why this run cannot be resumed now, or None; `status`: its status, `active`: the supervisor's active run."""
        if run.kind in WATCHED:
            return not_now(run, status.state, lang)
        if not runs.controls(status, run.kind)["resume"]:
            if run.kind == "run" and status.state in ("stopped", "failed"):
                return Refusal("errors.no_checkpoint", lang)
            return Refusal(f"runs.not_resumed_{status.state if run.kind == 'run' else run.kind}", lang)
        if status.state == "paused":
            return None
        try:
            self._refuse_local_life(run, lang)
        except Refusal as refusal:
            return refusal
        rival = self.supervisor.rival(run, active)
        return None if rival is None else busy(rival, lang)

    def attach(self, text: str, lang: str = "en") -> Run:
        """Open a run, a folder of runs or an address in another place; returns the most recently changed run."""
        if not self.local_paths:
            raise Refusal("errors.attach_shared", lang)
        try:
            return self.catalogue.external_runs.open(text)[0]
        except PlaceError as error:
            raise Refusal(error.key, lang, **error.values) from error

    def detach(self, run_id: str, lang: str = "en") -> None:
        """Remove the place of an external run from the list; nothing is deleted."""
        try:
            removed = self.local_paths and self.catalogue.external_runs.detach(run_id)
        except PlaceError as error:
            raise Refusal(error.key, lang, **error.values) from error
        if not removed:
            raise Refusal("errors.attach_gone", lang)

    def runs_using(self, dataset: str, lang: str = "en") -> list[Run]:
        """The runs that need an upload to continue from their checkpoint. Raises Refusal where it may not be deleted now."""
        if not self.local_paths:
            raise Refusal("data.delete_shared", lang)
        dependent = []
        for run in [*self.catalogue.own_runs(), *self.catalogue.external_runs.runs()]:
            config = run.info.get("config")
            if run.kind == "run" and isinstance(config, dict) and config.get("dataset") == dataset:
                status = run.status()
                if status.state in ACTIVE:
                    raise Refusal("data.delete_busy", lang, run=run.name)
                dependent += [run] if status.checkpoint_step >= 0 else []
        return dependent

    def delete_data(self, dataset: str, lang: str = "en") -> None:
        """Delete an upload and what was prepared from it; downloads and folders are never deleted."""
        self.runs_using(dataset, lang)
        try:
            removed = dataset.startswith("zip:") and storage.remove(dataset)
        except OSError as error:
            raise Refusal("data.delete_failed", lang, message=error.strerror or error) from error
        if not removed:
            raise Refusal("data.delete_gone", lang)

    def _target(self, run_id: str, control: str, lang: str) -> Run:
        """The run with this id, "" for the default. Raises Refusal where the control is not possible now."""
        run = self._find(run_id, lang)
        status = run.status()
        # Without a run a single step begins one, so `controls` allows it; these runs themselves take no command.
        fixed = run.kind in ("starter", *WATCHED)
        if fixed or not runs.controls(status, run.kind).get(control):
            if control == "restore" and status.best is None and run.kind == "run":
                raise Refusal("errors.no_best", lang)
            raise not_now(run, status.state, lang)
        return run

    def _find(self, run_id: str, lang: str) -> Run:
        run = self.catalogue.find_or_default(run_id)
        if run is None:
            raise Refusal("errors.unknown_run", lang, name=run_id[:80]) if run_id else Refusal("empty.run", lang)
        return run

    def _send(self, run: Run, command: str, lang: str, timeout: float = 0.0, **args: Any) -> Run:
        """Send a command and wait for its answer: by default for ANSWER_TIMEOUT, or as long as a few slow steps take."""
        try:
            if not timeout:
                timeout = answer_timeout(run, run.status(), ANSWER_TIMEOUT)
                timeout = timeout if command == "pause" else min(timeout, LONGEST_ANSWER)
            run.wait(run.send(command, **args), timeout=timeout)
        except CommandError as error:
            raise Refusal("errors.refused", lang, message=str(error)) from error
        except OSError as error:
            raise Refusal("errors.unexpected", lang, message=str(error)) from error
        return run


def _is_same(run: Run, other: Run | None) -> bool:
    """Whether these are one run: a run elsewhere may have the name of another one."""
    return other is not None and run.path == other.path

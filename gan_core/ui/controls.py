"""What each button and knob does: start, pause, resume, step, reset, save, tune, restore, as calls that return the run.

Runs are controlled through the supervisor and their command folders. Buttons and API are thin wrappers of this module.
"""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple

from ..config import LIVE, OF_FIT, PRESETS, TrainConfig
from ..runs import limits
from ..runs.run import Run, RunError
from ..runs.run_info import is_revivable
from ..runs.status import ACTIVE, ENDED, STEERED, Status
from ..runs.supervisor import capacity_limit
from . import words
from .external_runs import PlaceError
from .refusal import FIELDS, WATCHED, Refusal, busy, not_now, unsaved, validated
from .run_access import ANSWER_TIMEOUT, START_TIMEOUT, RunAccess, Warn, ignore, is_same
from .run_catalogue import RunCatalogue


class Extension(NamedTuple):
    """For how many more steps or minutes a finished run goes on, whichever is over first; 0 and 0: until it is stopped."""

    steps: int = 0
    minutes: float = 0.0

    @property
    def fault(self) -> tuple[str, Any] | None:
        """(a sentence's key, what was given) where a caller from outside gave what is no such number."""
        if type(self.steps) is not int or self.steps < 0:
            return "errors.steps_type", self.steps
        if type(self.minutes) not in (int, float) or not 0 <= self.minutes < math.inf:
            return "errors.minutes_type", self.minutes
        return None


class Controls(RunAccess):
    """The controls of one page. `defaults` are config values from the command line (seed, device)."""

    def __init__(self, catalogue: RunCatalogue, defaults: dict[str, Any] | None = None) -> None:
        super().__init__(catalogue)
        self.defaults = defaults or {}

    def config(self, preset: str, overrides: dict[str, Any], lang: str = "en", labels: bool = False) -> TrainConfig:
        """The preset with the values of the command line and then `overrides`. Raises Refusal for a bad value.

        `labels`: messages name fields by their labels in the form, for people; else by their names in TrainConfig.
        """
        if not isinstance(preset, str) or preset not in PRESETS:
            raise Refusal("errors.unknown_preset", lang, name=str(preset)[:40], names=", ".join(PRESETS))
        if not isinstance(overrides, dict):
            raise Refusal("errors.refused", lang, message="overrides must be a JSON object of field names and values.")
        config = validated(lambda: PRESETS[preset].replace(**{**self.defaults, **overrides}), lang, labels)
        self._refuse_config(config, lang)
        return config

    def start(self, config: TrainConfig, preset: str, *, force: bool = False, paused: bool = False, lang: str = "en",
              replaced: Run | None = None, warn: Warn = ignore) -> Run:
        """A new run that trains, or waits paused. With `force` the active one is saved and stopped first.

        `replaced`: the run that the caller takes for the active one; where another one is active by now, nothing is ended.
        `warn` is given a sentence where the one that was ended could not be saved: the new one begins nevertheless.
        """
        self._refuse_config(config, lang)
        room = capacity_limit(config.processes, config.device)
        if room is not None:
            raise Refusal(f"errors.processes_{room[0]}", lang, n=config.processes, most=room[1])
        if not config.is_batch_shared_by(config.processes):
            raise Refusal("errors.processes_batch", lang, n=config.processes, batch=config.batch_size)
        active = self.supervisor.active()
        if active is not None and (not force or (replaced is not None and not is_same(replaced, active))):
            raise busy(active, lang)
        try:
            run = Run.create(config, self.catalogue.folder, preset=preset)
        except RunError as error:  # a full disk: nothing is ended for a run that cannot begin
            raise Refusal("errors.refused", lang, message=str(error)) from error
        if active is not None:
            if config.processes == 1:
                self.supervisor.prepare()  # it imports torch while the old one saves
            self._end(active, lang, warn)
        self._start_worker(run, paused, lang, new=True)
        return run

    def pause(self, run_id: str = "", lang: str = "en") -> Run:
        """Pause within one step."""
        return self._send(self._target(run_id, "pause", lang), "pause", lang)

    def resume(self, run_id: str = "", lang: str = "en", instead_of: str = "", warn: Warn = ignore,
               extension: Extension | None = None) -> Run:
        """Continue: at once where the run is paused, else in a new life from its last checkpoint.

        `extension`: for how much longer a run that has finished trains, without which it is not resumed; no other run takes one.
        `instead_of`: the id of the run that may be saved and stopped for it; another one that is active is not. `warn`: as in
        `start`.
        """
        run = self._find(run_id, lang)
        status, active = run.status(), self.supervisor.active()
        refusal = self.resume_refusal(run, status, active, lang)
        replaced = self.replaceable(run, status, active)
        if refusal is not None and (replaced is None or replaced.id != instead_of):
            raise refusal
        changes = self._extended(run, status, extension, lang)
        if status.state == "paused":
            return self._send(run, "resume", lang)
        if replaced is not None:
            self._end(replaced, lang, warn)
        self._start_worker(run, False, lang, changes=changes)
        return run

    def _extended(self, run: Run, status: Status, extension: Extension | None, lang: str) -> dict[str, Any]:
        """{live field: value} with which a finished run goes on, {} for any other one. Raises Refusal."""
        if status.state != "finished":
            if extension is not None:
                raise Refusal("errors.not_finished", lang, name=run.name)
            return {}
        if extension is None:
            raise Refusal("errors.how_long", lang, name=run.name)

        def changed() -> TrainConfig:
            now = run.config.replace(**status.tuned)
            return now.replace(**limits.extension(now, status.step, status.elapsed, **extension._asdict()))

        new = validated(changed, lang, labels=True)
        return {name: getattr(new, name) for name in limits.LIMITS}

    def step(self, network: str, count: int, config: TrainConfig, preset: str, run_id: str = "", lang: str = "en") -> Run:
        """Single steps of one network or both; without a run, a new one is made that stays paused."""
        run = self.catalogue.find_or_default(run_id)
        if run is None or run.kind not in STEERED:
            run = self.start(config, preset, paused=True, lang=lang)
            self._wait_while(run, ("starting",), START_TIMEOUT * config.processes)  # each of them imports torch
            return self._send(run, "step", lang, network=network, count=count)
        return self.single_steps(network, count, run.id, lang)

    def single_steps(self, network: str, count: int, run_id: str = "", lang: str = "en") -> Run:
        """Single steps of a paused run; the worker checks the two arguments."""
        return self._send(self._target(run_id, "step", lang), "step", lang, network=network, count=count)

    def reset(self, config: TrainConfig, preset: str, *, paused: bool = False, run_id: str = "", lang: str = "en",
              warn: Warn = ignore) -> Run:
        """End the run, which is saved and kept, and begin a new one. `warn`: as in `start`."""
        self._refuse_config(config, lang)  # before the run is ended
        run = self._target(run_id, "reset", lang)
        status, active = run.status(), self.supervisor.active()
        force = status.state in ACTIVE
        if force and self.catalogue.is_external(run) and not is_same(run, active):
            force = False
            self._stop_elsewhere(run, status, lang)
            if (lost := unsaved(run, lang)) is not None:
                warn(str(lost))
        return self.start(config, preset, force=force, paused=paused, lang=lang, replaced=run, warn=warn)

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
        if run.kind not in STEERED or status.state not in ("running", "paused"):
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
            if status.kernel and name in OF_FIT:
                raise Refusal("errors.of_fit", lang, field=label(name))
        now = run.config.replace(**status.tuned)
        new = validated(lambda: now.replace(**requested), lang, labels)
        if bool(new.ema_half_life) != bool(now.ema_half_life):
            raise Refusal("errors.ema_zero", lang, field=label("ema_half_life"))
        return self._send(run, "tune", lang, changes=requested)

    def restore(self, run_id: str = "", lang: str = "en", step: int | None = None, instead_of: str = "",
                warn: Warn = ignore) -> Run:
        """Go back to the best measured state, paused: in the running worker, else in a new life that begins there.

        `step`: what the caller takes for the best one; another may have been measured since, and then nothing is done.
        `instead_of`, `warn`: as in `resume`.
        """
        run = self._target(run_id, "restore", lang)
        best = run.status().best
        if step is not None and best is not None and best["step"] != step:
            raise Refusal("errors.best_moved", lang, step=words.number(best["step"], lang))
        if run.status().state in ACTIVE:
            return self._send(run, "restore", lang)
        active = self.supervisor.active()
        rival, replaced = self.supervisor.rival(run, active), self._only_rival(run, active)
        if rival is not None and (replaced is None or replaced.id != instead_of):
            raise busy(rival, lang)
        self._refuse_local_life(run, lang)  # before its next checkpoint is chosen, and another run ended
        if replaced is not None:
            self._end(replaced, lang, warn)
        try:
            run.restore_best()
        except RunError as error:
            raise Refusal("errors.refused", lang, message=self.reason(error, lang)) from error
        self._start_worker(run, True, lang)
        return run

    def stop(self, run_id: str = "", lang: str = "en") -> None:
        """Save and end a run, "" for the active one. Raises Refusal where it cannot be ended now; no other one is ended then.

        The active run is ended by force where its heart stands still; a run that another program trains is only asked to stop.
        Raises Refusal, too, where the run has ended without being saved.
        """
        if not run_id:
            run = self.supervisor.stop(ANSWER_TIMEOUT)
            if run is None:
                return
        else:
            run, active = self._find(run_id, lang), self.supervisor.active()
            status = run.status()
            if not self.can_stop(run, status, active):
                raise not_now(run, status.state, lang)
            if not is_same(run, active):
                self._stop_elsewhere(run, status, lang)
            elif self.supervisor.stop(ANSWER_TIMEOUT, run.path) is None:  # it has ended just now, and another one may train
                state = run.status().state
                raise (unsaved(run, lang) if state == "failed" else None) or not_now(run, state, lang)
        lost = unsaved(run, lang)
        if lost is not None:
            raise lost

    def can_stop(self, run: Run, status: Status, active: Run | None) -> bool:
        """Whether `stop` can end this run now; `status`: its status, `active`: the supervisor's active run."""
        return run.kind in STEERED and (is_same(run, active) or run.controls(status)["save"])

    def resume_refusal(self, run: Run, status: Status, active: Run | None, lang: str = "en") -> Refusal | None:
        """Why this run cannot be resumed now, or None; `status`: its status, `active`: the supervisor's active run."""
        refusal = self._unfit_to_resume(run, status, lang)
        if refusal is not None or status.state == "paused":
            return refusal
        rival = self.supervisor.rival(run, active)
        return None if rival is None else busy(rival, lang)

    def _unfit_to_resume(self, run: Run, status: Status, lang: str) -> Refusal | None:
        """Why this run cannot be resumed whichever other one is active, or None."""
        if run.kind in WATCHED:
            return not_now(run, status.state, lang)
        if not run.controls(status)["resume"]:
            if status.state in ENDED and run.kind in STEERED:
                return Refusal("errors.no_checkpoint" if is_revivable(run.info) else "runs.not_resumed_notebook", lang)
            return Refusal(f"runs.not_resumed_{status.state if run.kind in STEERED else run.kind}", lang)
        try:
            if status.state != "paused":
                self._refuse_local_life(run, lang)
        except Refusal as refusal:
            return refusal
        return None

    def replaceable(self, run: Run, status: Status, active: Run | None) -> Run | None:
        """The active run, where it alone keeps this one from being resumed: it can be stopped for it."""
        if status.state == "paused" or self._unfit_to_resume(run, status, "en") is not None:
            return None
        return self._only_rival(run, active)

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

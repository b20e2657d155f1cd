"""What each button and knob means: start, pause, resume, step, reset, save, tune, restore, as calls that answer with the run.

It moves runs through the supervisor and their command folder. It knows no gradio: buttons and API are thin faces of it.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from .. import registry
from ..config import LIVE, PRESETS, ConfigError, TrainConfig
from ..data import storage
from ..runs import run as runs
from ..runs.run import CommandError, Run, RunError
from ..runs.status import ACTIVE
from ..runs.supervisor import WorkerBusy, capacity_limit
from . import words
from .external_runs import NoPlace
from .run_catalogue import RunCatalogue

ANSWER = 3.0  # seconds a worker has to answer a command
BEGIN = 20.0  # seconds a new worker has to begin before its first single step


FIELDS = {f.name: f for f in fields(TrainConfig)}


class Refusal(Exception):
    """Something that cannot be done; one sentence, in the language of whoever asked."""

    def __init__(self, key: str, lang: str = "en", **values: object) -> None:
        super().__init__(words.text(key, lang, **values))
        self.key = key


class Controls:
    """The controls of one page. `defaults` are config values from the command line (seed, device)."""

    def __init__(self, catalogue: RunCatalogue, defaults: dict[str, Any] | None = None) -> None:
        self.catalogue, self.supervisor, self.defaults = catalogue, catalogue.supervisor, defaults or {}
        self.local_paths = True  # whether a path of this machine may be named; not where strangers reach the page

    def config(self, preset: str, overrides: dict[str, Any], lang: str = "en", labels: bool = False) -> TrainConfig:
        """The preset with the command line's values and then these; a bad one is refused in words.

        `labels`: fields are called as the form calls them, for people; else by their names in TrainConfig, for programs.
        """
        if preset not in PRESETS:
            raise Refusal("errors.unknown_preset", lang, name=str(preset)[:40], names=", ".join(PRESETS))
        if not isinstance(overrides, dict):
            raise Refusal("errors.refused", lang, message="overrides must be a JSON object of field names and values.")
        config = _checked(lambda: PRESETS[preset].replace(**{**self.defaults, **overrides}), lang, labels)
        self._refuse_local_path(config.dataset, "errors.no_local_paths", lang)
        return config

    def _refuse_local_path(self, dataset: str, key: str, lang: str) -> None:
        """Raises Refusal with this sentence where strangers reach the page and the data set names a path of this machine."""
        if not self.local_paths and registry.reads_local_path(dataset):
            raise Refusal(key, lang)

    def _refuse_local_life(self, run: Run, lang: str) -> None:
        """The same for a run that is to begin a life: that reads the data anew, and so whatever lies at the path by now."""
        config = run.info.get("config")
        dataset = str(config.get("dataset", "")) if isinstance(config, dict) else ""
        with contextlib.suppress(ValueError):  # no data set that is known here: the worker refuses it by its name
            self._refuse_local_path(dataset, "errors.no_local_life", lang)

    def start(self, config: TrainConfig, preset: str, *, force: bool = False, paused: bool = False, lang: str = "en") -> Run:
        """A new run that trains, or waits paused. With `force` the active one is saved and stopped first."""
        self._refuse_local_path(config.dataset, "errors.no_local_paths", lang)
        room = capacity_limit(config.processes, config.device)
        if room is not None:
            raise Refusal(f"errors.processes_{room[0]}", lang, n=config.processes, most=room[1])
        if config.batch_size % config.processes:
            raise Refusal("errors.processes_batch", lang, n=config.processes, batch=config.batch_size)
        active = self.supervisor.active()
        if active is not None and force:
            self.supervisor.stop()
        elif active is not None:
            raise Refusal("errors.busy", lang, name=active.name)
        try:
            run = Run.create(config, self.catalogue.folder, preset=preset)
        except RunError as error:
            raise Refusal("errors.refused", lang, message=str(error)) from error
        self._begin(run, paused, lang, new=True)
        return run

    def _begin(self, run: Run, paused: bool, lang: str, new: bool = False) -> None:
        self._refuse_local_life(run, lang)
        try:
            self.supervisor.start(run, paused)
        except WorkerBusy as busy:
            if new:
                shutil.rmtree(run.path, ignore_errors=True)  # somebody else was first: nothing of it was ever used
            raise Refusal("errors.busy", lang, name=busy.run.name) from busy
        except (OSError, RunError) as error:
            raise Refusal("errors.unexpected", lang, message=str(error)) from error
        self._until_begun(run, ANSWER)

    def _until_begun(self, run: Run, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while run.status().state == "starting" and time.monotonic() < deadline:
            time.sleep(0.02)

    def pause(self, run_id: str = "", lang: str = "en") -> Run:
        """Pause within one step."""
        return self._ask(self._target(run_id, "pause", lang), "pause", lang)

    def resume(self, run_id: str = "", lang: str = "en") -> Run:
        """Go on: at once where it is paused, as a new life from its last checkpoint where it has ended."""
        run = self._target(run_id, "resume", lang)
        if run.status().state == "paused":
            return self._ask(run, "resume", lang)
        self._begin(run, False, lang)
        return run

    def step(self, network: str, count: int, config: TrainConfig, preset: str, run_id: str = "", lang: str = "en") -> Run:
        """Single steps of one network or both; with no run to step, of a new one that stays paused."""
        run = self.catalogue.asked(run_id)
        if run is None or run.kind != "run":
            run = self.start(config, preset, paused=True, lang=lang)
            self._until_begun(run, BEGIN * config.processes)  # each of them imports torch
        else:
            run = self._target(run.id, "step", lang)
        return self._ask(run, "step", lang, network=network, count=count)

    def reset(self, config: TrainConfig, preset: str, *, paused: bool = False, run_id: str = "", lang: str = "en") -> Run:
        """End the shown run, saved and kept, and begin a new one."""
        self._refuse_local_path(config.dataset, "errors.no_local_paths", lang)  # before the shown run is ended
        run = self._target(run_id, "reset", lang)
        force = run.status().state in ACTIVE
        if force and not self._is_ours(run):
            force = False
            self._ask(run, "stop", lang)
        return self.start(config, preset, force=force, paused=paused, lang=lang)

    def save(self, run_id: str = "", lang: str = "en") -> Run:
        """A checkpoint now."""
        return self._ask(self._target(run_id, "save", lang), "save", lang)

    def tune(self, changes: str, run_id: str = "", lang: str = "en", labels: bool = False) -> Run:
        """Turn knobs of a run while it trains. `changes`: JSON {name: new value}; the worker has obeyed when this returns.

        `labels` as in `config`. Only fields of `config.LIVE` can be turned; the others are for the next run.
        """
        def called(name: str) -> str:
            return words.text(f"fields.{name}", lang) if labels and name in FIELDS else name

        run = self._meant(run_id, lang)
        status = run.status()
        if run.kind == "starter" or status.state not in ("running", "paused"):
            raise _not_now(run, status.state, lang)
        try:
            asked = json.loads(changes)
        except (ValueError, RecursionError):
            asked = None
        if not isinstance(asked, dict) or not asked:
            raise Refusal("errors.no_changes", lang, example='{"lr_d": 0.0005}')
        for name in asked:
            if name not in LIVE:
                raise Refusal("errors.not_live", lang, field=called(str(name)[:40]), names=", ".join(map(called, sorted(LIVE))))
        now = run.config.replace(**status.tuned)
        new = _checked(lambda: now.replace(**asked), lang, labels)
        if bool(new.ema_half_life) != bool(now.ema_half_life):
            raise Refusal("errors.ema_zero", lang, field=called("ema_half_life"))
        return self._ask(run, "tune", lang, changes=asked)

    def restore(self, run_id: str = "", lang: str = "en") -> Run:
        """Back to the best measured state, paused: by the worker where one lives, else in a new life that begins there."""
        run = self._target(run_id, "restore", lang)
        if run.status().state in ACTIVE:
            return self._ask(run, "restore", lang)
        active = self.supervisor.active()
        if active is not None:
            raise Refusal("errors.busy", lang, name=active.name)
        self._refuse_local_life(run, lang)  # before its next checkpoint is chosen
        try:
            run.restore_best()
        except RunError as error:
            raise Refusal("errors.refused", lang, message=str(error)) from error
        self._begin(run, True, lang)
        return run

    def stop(self, run_id: str = "", lang: str = "en") -> None:
        """End the active worker, by force where it does not answer. A run elsewhere that somebody else trains is only asked."""
        run = self.catalogue.asked(run_id)
        if run is None or self._is_ours(run):
            self.supervisor.stop(ANSWER)
        else:
            self._ask(self._target(run.id, "save", lang), "stop", lang)

    def _is_ours(self, run: Run) -> bool:
        """Whether the supervisor answers for it: a run of its folder, or one elsewhere that it trains."""
        active = self.supervisor.active()
        return not self.catalogue.is_elsewhere(run) or (active is not None and active.path == run.path)

    def attach(self, text: str, lang: str = "en") -> Run:
        """Open a run, a folder of runs or an address that lies elsewhere; the newest of its runs."""
        if not self.local_paths:
            raise Refusal("errors.attach_shared", lang)
        try:
            return self.catalogue.external_runs.open(text)[0]
        except NoPlace as error:
            raise Refusal(error.key, lang, **error.values) from error

    def let_go(self, run_id: str, lang: str = "en") -> None:
        """Take what was opened by hand off the list; nothing is deleted."""
        try:
            gone = self.local_paths and self.catalogue.external_runs.let_go(run_id)
        except NoPlace as error:
            raise Refusal(error.key, lang, **error.values) from error
        if not gone:
            raise Refusal("errors.attach_gone", lang)

    def learned_from(self, dataset: str, lang: str = "en") -> list[Run]:
        """The runs that go on from a checkpoint only while an upload is here. Raises Refusal where it may not be deleted now."""
        if not self.local_paths:
            raise Refusal("data.delete_shared", lang)
        found = []
        for run in [*self.catalogue.own(), *self.catalogue.external_runs.runs()]:
            config = run.info.get("config")
            if run.kind == "run" and isinstance(config, dict) and config.get("dataset") == dataset:
                status = run.status()
                if status.state in ACTIVE:
                    raise Refusal("data.delete_busy", lang, run=run.name)
                found += [run] if status.checkpoint_step >= 0 else []
        return found

    def delete_data(self, dataset: str, lang: str = "en") -> None:
        """Delete an upload and what was prepared from it; downloads and folders are not the page's to delete."""
        self.learned_from(dataset, lang)
        try:
            gone = dataset.startswith("zip:") and storage.remove(dataset)
        except OSError as error:
            raise Refusal("data.delete_failed", lang, message=error.strerror or error) from error
        if not gone:
            raise Refusal("data.delete_gone", lang)

    def _target(self, run_id: str, control: str, lang: str) -> Run:
        """The run that is meant, if the control means something for it now."""
        run = self._meant(run_id, lang)
        status = run.status()
        if not runs.controls(status, run.kind).get(control):
            if control == "resume" and status.state in ("stopped", "failed"):
                raise Refusal("errors.no_checkpoint", lang)
            if control == "restore" and status.best is None and run.kind == "run":
                raise Refusal("errors.no_best", lang)
            raise _not_now(run, status.state, lang)
        return run

    def _meant(self, run_id: str, lang: str) -> Run:
        run = self.catalogue.asked(run_id)
        if run is None:
            raise Refusal("errors.unknown_run", lang, name=run_id[:80]) if run_id else Refusal("empty.run", lang)
        return run

    def _ask(self, run: Run, command: str, lang: str, **args: Any) -> Run:
        try:
            run.wait(run.send(command, **args), timeout=ANSWER)
        except CommandError as error:
            raise Refusal("errors.refused", lang, message=str(error)) from error
        except OSError as error:
            raise Refusal("errors.unexpected", lang, message=str(error)) from error
        return run


def _not_now(run: Run, state: str, lang: str) -> Refusal:
    shown = "starter" if run.kind == "starter" else state
    return Refusal("errors.not_now", lang, state=words.text(f"states.{shown}", lang).lower())


def _checked(build: Callable[[], TrainConfig], lang: str, labels: bool) -> TrainConfig:
    """The config that `build` makes; what it refuses is refused in words."""
    try:
        return build()
    except ConfigError as error:
        if not (labels and error.kind):
            raise Refusal("errors.refused", lang, message=str(error)) from error
        about = FIELDS[error.field].metadata
        low, high = (words.number(about[end], lang) if about["low"] is not None else "" for end in ("low", "high"))
        raise Refusal(f"errors.{error.kind}", lang, field=words.text(f"fields.{error.field}", lang), low=low, high=high,
                      given=_short(error.given), choices=", ".join(about["choices"] or ())) from error
    except TypeError as error:
        raise Refusal("errors.refused", lang, message=str(error)) from error


def _short(value: Any) -> str:
    """What was given, fit for a sentence; nothing at all is an empty box."""
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return "“”" if not text else text if len(text) <= 40 else text[:40] + "…"

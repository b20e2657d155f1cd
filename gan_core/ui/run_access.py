"""Finds the run that is meant, sends it commands, begins and ends its lives.

Which of it a button may do, and when, is decided by `controls`.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable
from typing import Any

from .. import registry
from ..config import TrainConfig
from ..runs.run import CommandError, Run, RunError
from ..runs.status import ACTIVE, STEERED, Status
from ..runs.supervisor import WorkerBusy
from ..runs.worker_process import answer_timeout, stop_timeout
from . import words
from .refusal import WATCHED, Refusal, busy, not_now, unsaved
from .run_catalogue import RunCatalogue

ANSWER_TIMEOUT = 3.0  # seconds for a worker to answer a command
LONGEST_ANSWER = 25.0  # seconds where steps are slow, but for a pause: the page's own scripts wait for 30 s
START_TIMEOUT = 20.0  # seconds for a new worker to begin before its first single step
Warn = Callable[[str], object]  # is given a sentence


def ignore(sentence: str) -> None:
    """For callers who read the status of the run that was ended themselves."""


class RunAccess:
    """The runs of one page as its controls reach them."""

    def __init__(self, catalogue: RunCatalogue) -> None:
        self.catalogue, self.supervisor = catalogue, catalogue.supervisor
        self.local_paths = True  # whether paths of this machine are allowed; False where strangers reach the page

    def _target(self, run_id: str, control: str, lang: str) -> Run:
        """The run with this id, "" for the default. Raises Refusal where the control is not possible now."""
        run = self._find(run_id, lang)
        status = run.status()
        # Without a run a single step begins one, so `controls` allows it; these runs themselves take no command.
        fixed = run.kind in ("starter", *WATCHED)
        if fixed or not run.controls(status).get(control):
            if control == "restore" and status.best is None and run.kind in STEERED:
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
            raise Refusal("errors.refused", lang, message=self.reason(error, lang)) from error
        except OSError as error:
            raise Refusal("errors.unexpected", lang, message=str(error)) from error
        return run

    def reason(self, error: CommandError | RunError, lang: str) -> str:
        """The sentence of an error in the caller's language, where it is said in that."""
        return words.fault(self.catalogue.shown(error.fault), lang, str(error))

    def _refuse_local_path(self, dataset: str, key: str, lang: str) -> None:
        """Raise this Refusal where strangers reach the page and the data set names a path of this machine."""
        if not self.local_paths and registry.reads_local_path(dataset):
            raise Refusal(key, lang)

    def _refuse_config(self, config: TrainConfig, lang: str) -> None:
        """Raise Refusal for a config with which no new run can begin here."""
        if registry.NOTEBOOK in (config.networks, config.dataset):
            raise Refusal("errors.notebook_only", lang)
        self._refuse_local_path(config.dataset, "errors.no_local_paths", lang)

    def _refuse_local_life(self, run: Run, lang: str) -> None:
        """The same before a run begins a life, which reads the data again: whatever lies at the path by then."""
        config = run.info.get("config")
        dataset = str(config.get("dataset", "")) if isinstance(config, dict) else ""
        with contextlib.suppress(ValueError):  # an unknown data set: the worker refuses it by name
            self._refuse_local_path(dataset, "errors.no_local_life", lang)

    def _only_rival(self, run: Run, active: Run | None) -> Run | None:
        """The active run, where no other one keeps `run` from being started: one may train in its folder, too."""
        elsewhere = self.supervisor.rival(run, None)
        return active if elsewhere is None or is_same(elsewhere, active) else None

    def _end(self, active: Run, lang: str, warn: Warn) -> None:
        """Save and end this active run, in whose place another one is to train; where it is so no more, end nothing."""
        if self.supervisor.stop(expected=active.path) is not None and (lost := unsaved(active, lang)) is not None:
            warn(str(lost))

    def _start_worker(self, run: Run, paused: bool, lang: str, new: bool = False, changes: dict[str, Any] | None = None) -> None:
        self._refuse_local_life(run, lang)
        try:
            self.supervisor.start(run, paused, changes)
        except WorkerBusy as error:
            if new:
                shutil.rmtree(run.path, ignore_errors=True)  # another start came first: the run was never used
            raise busy(error.run, lang) from error
        except RunError as error:
            raise Refusal("errors.unexpected", lang, message=self.reason(error, lang)) from error
        except OSError as error:
            raise Refusal("errors.unexpected", lang, message=str(error)) from error
        self._wait_while(run, ("starting",), ANSWER_TIMEOUT)

    def _wait_while(self, run: Run, states: tuple[str, ...], seconds: float) -> None:
        """Wait, for so long at most, while the run is in one of these states."""
        deadline = time.monotonic() + seconds
        while run.status().state in states and time.monotonic() < deadline:
            time.sleep(0.02)

    def _stop_elsewhere(self, run: Run, status: Status, lang: str) -> None:
        """Ask a run that the supervisor does not train to stop, and wait for its end: it is saved after it has answered."""
        seconds = stop_timeout(run, status)
        with self.supervisor.being_ended(run):
            self._send(run, "stop", lang, seconds)
            self._wait_while(run, ACTIVE, seconds)


def is_same(run: Run, other: Run | None) -> bool:
    """Whether these are one run: a run elsewhere may have the name of another one."""
    return other is not None and run.path == other.path

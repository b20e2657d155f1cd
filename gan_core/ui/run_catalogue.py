"""Which runs there are, and which of them is shown: the active one, else the newest touched, else the shipped starter.
Those that lie elsewhere are shown to whoever chooses them.

It reads folders through `run` and asks the supervisor who trains; it starts nothing and draws nothing.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from ..runs.run import Run, RunError, list_runs
from ..runs.supervisor import Supervisor
from .external_runs import ExternalRuns


class RunCatalogue:
    """The runs of one checkpoints folder, and the starter runs found beside the program."""

    def __init__(self, supervisor: Supervisor, starters: Path) -> None:
        self.supervisor, self.folder, self._starters = supervisor, supervisor.folder, starters
        self.external_runs = ExternalRuns(supervisor.folder)

    def find(self, run_id: str) -> Run | None:
        """The run of this id; None where there is none. An id is a plain folder name, so it leads nowhere else."""
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,120}", run_id or ""):
            return None
        for folder in (self.folder, self._starters):
            with contextlib.suppress(RunError):
                return Run.open(folder / run_id)
        return self.external_runs.find(run_id)

    def is_elsewhere(self, run: Run) -> bool:
        """Whether a run lies in another folder than this shelf's own two."""
        return run.path.parent not in (self.folder, self._starters)

    def own(self) -> list[Run]:
        """A person's own runs, newest touched first."""
        return [run for run in list_runs(self.folder) if run.kind == "run"]

    def starters(self) -> list[Run]:
        """The shipped runs, by name."""
        return sorted((run for run in list_runs(self._starters) if run.kind == "starter"), key=lambda run: run.id)

    def shown(self) -> Run | None:
        """What a browser that has chosen nothing looks at."""
        return self.supervisor.active() or self.resting()

    def resting(self) -> Run | None:
        """What is shown while nothing trains."""
        return self._newest() or next(iter(self.starters()), None)

    def asked(self, run_id: str) -> Run | None:
        """The run of this id, or the shown one where none is named."""
        return self.find(run_id) if run_id else self.shown()

    def _newest(self) -> Run | None:
        """The first of `own`, without opening all the others: this is asked eight times a second."""
        touched = []
        for status in self.folder.glob("*/status.json"):
            with contextlib.suppress(OSError):
                touched.append((status.stat().st_mtime, status.parent))
        for _, path in sorted(touched, reverse=True):
            with contextlib.suppress(RunError):
                run = Run.open(path)
                run.stored_status()
                if run.kind == "run":
                    return run
        return None

"""All runs, and the default one: the active run, else the most recently changed one, else a shipped starter.

Runs in other places are shown only to a browser that chooses one. Starting and stopping are left to the supervisor.
"""

from __future__ import annotations

import contextlib
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from .. import registry
from ..data.types import data_folder
from ..runs import layout
from ..runs.run import Run, RunError, list_runs
from ..runs.status import STEERED
from ..runs.supervisor import PROJECT, Supervisor
from .external_runs import ExternalRuns
from .redaction import PathRedaction


class RunCatalogue:
    """The runs of one checkpoints folder, and the starter runs shipped with the program."""

    def __init__(self, supervisor: Supervisor, starters: Path) -> None:
        self.supervisor, self.folder, self._starters = supervisor, supervisor.folder, starters
        self.external_runs = ExternalRuns(supervisor.folder)
        self.public = False  # whether strangers reach the page
        self._redaction = PathRedaction([supervisor.folder, starters, data_folder(), PROJECT, Path.home(), Path(sys.prefix),
                                         Path(tempfile.gettempdir())])

    def find(self, run_id: str) -> Run | None:
        """The run with this id, or None. An id is a plain folder name, so it cannot lead outside."""
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,120}", run_id or ""):
            return None
        for folder in (self.folder, self._starters):
            with contextlib.suppress(RunError):
                return Run.open(folder / run_id)
        return self.external_runs.find(run_id)

    def is_external(self, run: Run) -> bool:
        """Whether a run lies outside the two folders of this catalogue."""
        return run.path.parent not in (self.folder, self._starters)

    def shown(self, value: Any) -> Any:
        """A text or JSON values as a browser may be shown them: where strangers reach the page, without paths of this machine."""
        return self._redaction.value(value) if self.public else value

    def shows_nearest(self, run: Run) -> bool:
        """Whether the page shows the real pictures nearest to the fakes, which with time may be all that the run learns.

        Where strangers reach the page, of data sets that the program itself offers only.
        """
        config = run.info.get("config")
        return not self.public or (isinstance(config, dict) and registry.is_offered(str(config.get("dataset", ""))))

    def own_runs(self) -> list[Run]:
        """The runs made here, the most recently changed first."""
        return [run for run in list_runs(self.folder) if run.kind in STEERED]

    def starters(self) -> list[Run]:
        """The shipped runs, by name."""
        return sorted((run for run in list_runs(self._starters) if run.kind == "starter"), key=lambda run: run.id)

    def default_run(self) -> Run | None:
        """The run of a browser that has chosen none."""
        return self.supervisor.active() or self.idle_default()

    def idle_default(self) -> Run | None:
        """The default while no run is active."""
        return self._newest_run() or next(iter(self.starters()), None)

    def find_or_default(self, run_id: str) -> Run | None:
        """The run with this id; the default one for ""."""
        return self.find(run_id) if run_id else self.default_run()

    def _newest_run(self) -> Run | None:
        """The first of `own_runs`, without opening the others: the hub calls this eight times a second."""
        modified = []
        for status in self.folder.glob(f"*/{layout.STATUS}"):
            with contextlib.suppress(OSError):
                modified.append((status.stat().st_mtime, status.parent))
        for _, path in sorted(modified, reverse=True):
            with contextlib.suppress(RunError):
                run = Run.open(path)
                run.stored_status()
                if run.kind in STEERED:
                    return run
        return None

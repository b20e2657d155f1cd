"""trackio: one run of the same name in trackio's own store; `trackio show --project gan-playground` shows it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..runs.run import Run
from .interface import Integration

PROJECT = "gan-playground"  # trackio's name for all these runs together


class Trackio(Integration):
    """Writes to a trackio run; needs trackio, which is imported with the first run."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._handle = self._open()

    def _open(self) -> Any:
        import trackio

        config = {name: value for name, value in self.run.info["config"].items() if not name.startswith("_")}
        return trackio.init(PROJECT, name=self.run.id, config=config, resume="allow", embed=False,
                            auto_log_gpu=False, auto_log_cpu=False)

    def log_scalars(self, values: dict[str, float], step: int, t: float) -> None:
        self._handle.log({**values, "seconds": t}, step=step)

    def log_text(self, tag: str, text: str, step: int) -> None:
        import trackio

        self._handle.log({tag: trackio.Markdown(text)}, step=step)

    def log_image(self, path: Path, step: int) -> None:
        import trackio

        with Image.open(path) as image:
            self._handle.log({"samples": trackio.Image(np.asarray(image.convert("RGB")))}, step=step)

    def rewind(self, step: int) -> int:
        """trackio can delete only whole runs: the run is deleted and logged again. A store on a server keeps the old rows."""
        import trackio

        self._handle.finish()
        with contextlib.suppress(ValueError):  # there is no local store
            for stored in trackio.Api().runs(PROJECT):
                if stored.name == self.run.id and stored.delete():
                    step = -1
        self._handle = self._open()
        return step

    def close(self) -> None:
        self._handle.finish()

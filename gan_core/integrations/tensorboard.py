"""TensorBoard: event files in the run's own folder, so that `tensorboard --logdir checkpoints` finds every run by its name."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..runs.run import Run
from .interface import Integration


class TensorBoard(Integration):
    """Writes event files; needs tensorboardX."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._writer = self._open(None)

    def _open(self, purge_step: int | None) -> Any:
        from tensorboardX import SummaryWriter

        # Event files are named by the second and read in the order of their names: the suffix keeps two within one second apart.
        return SummaryWriter(str(self.run.path / "tensorboard"), purge_step=purge_step, max_queue=1000,
                             filename_suffix=f".{time.time_ns():020d}")

    def log_scalars(self, values: dict[str, float], step: int, t: float) -> None:
        created = float(self.run.info.get("created", 0.0))
        for name, value in values.items():
            self._writer.add_scalar(name, value, step, walltime=created + t)

    def log_text(self, tag: str, text: str, step: int) -> None:
        self._writer.add_text(tag, text, step)

    def log_image(self, path: Path, step: int) -> None:
        with Image.open(path) as image:
            self._writer.add_image("samples", np.asarray(image.convert("RGB")), step, dataformats="HWC")

    def rewind(self, step: int) -> int:
        """Event files only grow; TensorBoard hides what the older ones hold at this step and later."""
        self._writer.close()
        self._writer = self._open(step)
        return step

    def flush(self) -> None:
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()

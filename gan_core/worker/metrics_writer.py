"""Writes the metrics of one session, one JSON object a line: what a step measured, marks, measurements of quality.

`runs.metrics` defines and reads the lines. Steps are averaged, the more of them the longer the run is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ..runs.metrics import SERIES, Mark, Record, SegmentStart

DENSE = 4000  # steps; beyond it records are averaged over ever more of them, so that a long run's file stays small
MOST_RECORDS = 16  # in one report


Values = dict[str, Any]  # of one step: "step", "images", "t" and its metrics


class Diverged(ArithmeticError):
    """A loss or a weight is no longer a number; `step` is the first at which it showed."""

    def __init__(self, step: int) -> None:
        super().__init__(f"The training diverged at step {step:,}: a loss or a weight is no longer a number.")
        self.step = step


class MetricsWriter:
    """Appends to one session's file. Metrics stay on the device until `flush`, so that no step waits for it."""

    def __init__(self, path: Path, life: int, start_step: int, left: int | None = None) -> None:
        """left: the step that was left where this life begins by a return."""
        self._path, self._torn = path, False
        self._pending: list[tuple[int, int, float, dict[str, torch.Tensor]]] = []  # on the device
        self._values: list[Values] = []  # read, and not yet enough for a record
        start = SegmentStart(life=life, start_step=start_step)
        self._append([start if left is None else {**start, "left": left}])

    def add(self, step: int, images: int, elapsed: float, metrics: dict[str, torch.Tensor]) -> None:
        """The metrics of one step, 0-d tensors on any device."""
        self._pending.append((step, images, elapsed, metrics))

    def flush(self, step: int, everything: bool = False) -> None:
        """Write what was added up to `step`: full records, or everything. Raises Diverged at the first value not finite."""
        diverged = self._read_pending()
        if diverged is not None:
            self._write_values(step, everything=True)
            raise Diverged(diverged)
        self._write_values(step, everything)

    def mark(self, step: int, elapsed: float, kind: str, changes: dict[str, list[Any]]) -> None:
        """Record a change of course, after the steps before it."""
        self.flush(step, everything=True)
        self._append([Record(step=step, t=round(elapsed, 3), mark=Mark(kind=kind, changes=changes))])

    def write_quality(self, step: int, images: int, elapsed: float, quality: dict[str, float], histogram: list[float]) -> None:
        record = Record(step=step, images=images, t=round(elapsed, 3), quality=quality)
        if histogram:
            record["histogram"] = histogram
        self._append([record])

    def _read_pending(self) -> int | None:
        """Move what is pending to the CPU; the first step with a value that is not finite, after which nothing is taken."""
        if not self._pending:
            return None
        flat = torch.stack([value.float() for *_, metrics in self._pending for value in metrics.values()])
        numbers = iter(flat.tolist())  # the one moment that waits for the device
        diverged = None
        for step, images, elapsed, metrics in self._pending:
            values = {name: next(numbers) for name in metrics}
            if not all(map(math.isfinite, values.values())):
                diverged = diverged or step
            elif diverged is None:
                self._values.append({"step": step, "images": images, "t": elapsed, **values})
        self._pending = []
        return diverged

    def _write_values(self, step: int, everything: bool) -> None:
        size = max(1 + step // DENSE, math.ceil(len(self._values) / MOST_RECORDS))
        records: list[Record] = []
        group: list[Values] = []
        for values in self._values:
            if group and group[0].keys() != values.keys():  # a single network's step is not averaged with a whole one
                records.append(_mean(group))
                group = []
            group.append(values)
            if len(group) == size:
                records.append(_mean(group))
                group = []
        if everything and group:
            records.append(_mean(group))
            group = []
        self._values = group
        self._append(records)

    def _append(self, records: Sequence[Record | SegmentStart]) -> None:
        """Whole lines; a line torn by a full disk is closed before the next one."""
        if not records:
            return
        text = "".join(json.dumps(record) + "\n" for record in records)
        try:
            with open(self._path, "ab", buffering=0) as file:
                file.write((("\n" if self._torn else "") + text).encode())
            self._torn = False
        except OSError:
            self._torn = True
            raise


def _mean(group: list[Values]) -> Record:
    """One record for a group of steps: the counts of the last one, the mean of each metric to six digits."""
    last = group[-1]
    record = Record(step=last["step"], images=last["images"], t=round(last["t"], 3))
    for name in SERIES:
        if name in last:
            record[name] = float(f"{sum(values[name] for values in group) / len(group):.6g}")
    if len(group) > 1:
        record["n"] = len(group)
    return record

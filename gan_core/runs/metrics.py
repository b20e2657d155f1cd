"""A run's curves as its workers wrote them, life after life, read without reading a line twice.

It knows the lines' form and how lives join, not what a run folder is otherwise.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

LOSSES = ("d_loss", "g_loss")
SERIES = (*LOSSES, "d_real", "d_fake")  # the last two: the mean probability of "real" that D gives to real and to fake pictures


class MetricsReader:
    """Follows a run's metrics across worker lives without reading a line twice."""

    def __init__(self, path: Path) -> None:
        """path: the run's folder."""
        self._folder = path / "metrics"
        self._segment: Path | None = None
        self._offset = 0
        self._records: list[dict[str, Any]] = []
        self.starts: dict[int, int] = {}  # of each life seen so far: the step it went on from

    def new(self) -> tuple[list[dict[str, Any]], bool]:
        """(records since the last call, rewound). Rewound means: forget what you had, these are all of them."""
        fresh: list[dict[str, Any]] = []
        rewound = False
        for segment in sorted(self._folder.glob("*.jsonl")):
            if self._segment is not None and segment.name < self._segment.name:
                continue
            if segment != self._segment:
                self._segment, self._offset = segment, 0
            for record in self._lines():
                if "start_step" in record:
                    self.starts[int(segment.stem)] = record["start_step"]
                    kept = [r for r in self._records if r["step"] <= record["start_step"]]
                    rewound = rewound or len(kept) < len(self._records)
                    self._records = kept
                elif "step" in record:
                    self._records.append(record)
                    fresh.append(record)
        return (list(self._records), True) if rewound else (fresh, False)

    def _lines(self) -> list[dict[str, Any]]:
        """Whole new lines of the current segment; a line still being written waits for the next call."""
        assert self._segment is not None
        with contextlib.suppress(OSError), open(self._segment, "rb") as file:
            file.seek(self._offset)
            data = file.read()
            end = data.rfind(b"\n") + 1
            self._offset += end
            records = []
            for line in data[:end].splitlines():
                with contextlib.suppress(ValueError):  # a line torn by a full disk is skipped, not fatal
                    value = json.loads(line)
                    if isinstance(value, dict):
                        records.append(value)
            return records
        return []

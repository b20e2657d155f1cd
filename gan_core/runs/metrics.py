"""The metrics of a run: the records that the worker appends, and a reader that joins the lives.

docs/run-folder.md defines the records; layout.py defines the file names.
"""

# Without `from __future__ import annotations`, which would hide Required from the TypedDict at run time.
import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NotRequired, Required, TypedDict, cast

from . import layout
from .files import open_plain
from .json_types import MAX_NUMBER, fits, resembles, type_hints

MOST_BYTES = 1 << 30  # of one life's file
CHUNK = 8 << 20  # bytes that are read at a time


class SegmentStart(TypedDict):
    """The first line of a life's file: the life goes on from `start_step`.

    left: the step that was left where the run was taken back to `start_step`; absent of a life that goes on.
    """

    life: int
    start_step: int
    left: NotRequired[int]


class Mark(TypedDict):
    """A change of course: kind "tune", "threads" or "restore"; `changes` maps a name to [old value, new value]."""

    kind: str
    changes: dict[str, list[Any]]


class Record(TypedDict, total=False):
    """One line: losses (averaged over `n` steps), a measurement (`quality`, perhaps `histogram`) or a `mark`.

    `t` is in seconds of training; `d_real` and `d_fake` are probabilities.
    """

    step: Required[int]
    images: int
    t: float
    n: int
    d_loss: float
    g_loss: float
    d_real: float
    d_fake: float
    quality: dict[str, float]
    histogram: list[float]
    mark: Mark

SeriesName = Literal["d_loss", "g_loss", "d_real", "d_fake"]
LOSSES: tuple[SeriesName, ...] = ("d_loss", "g_loss")
# The last two: the mean probability of "real" that D gives to real and to fake pictures.
SERIES: tuple[SeriesName, ...] = (*LOSSES, "d_real", "d_fake")


@dataclass(frozen=True)
class GivenUp:
    """What a run had done after `step`, to which it was then taken back.

    Steps that were lost by a crash are not among it, for nobody decided to leave them: neither those that a resume repeats nor
    those behind the newest checkpoint of a run that was taken back after its crash.
    """

    step: int
    records: tuple[Record, ...]


_TYPES = type_hints(Record) | type_hints(SegmentStart)


class MetricsReader:
    """Follows the metrics of a run across worker lives and reads each line once."""

    def __init__(self, path: Path) -> None:
        """path: the run's folder."""
        self._folder = path / layout.METRICS
        self._segment: Path | None = None
        self._offset = 0
        self._records: list[Record] = []
        # By the start of the newest life, while it has trained nothing yet and does not say whether it begins by a return:
        # lives of older versions do not, and have only a mark after it.
        self._dropped: tuple[Record, ...] = ()
        self.given_up: GivenUp | None = None  # at the last return that gave something up
        self.start_steps: dict[int, int] = {}  # life -> the step from which it went on

    def read_new(self) -> tuple[list[Record], bool]:
        """(records since the last call, False), or (all records, True) where a new life dropped some of the earlier ones.

        The second form also where a return makes those that were dropped before given up.
        """
        fresh: list[Record] = []
        rewound = False
        segments = [path for path in self._folder.glob("*.jsonl") if layout.METRICS_PATTERN.fullmatch(path.name)]
        for segment in sorted(segments):
            if self._segment is not None and segment.name < self._segment.name:
                continue
            if segment != self._segment:
                self._segment, self._offset = segment, 0
            for line in self._read_lines(segment):
                if "start_step" in line:
                    rewound |= self._begin_life(int(segment.stem), cast(SegmentStart, line))
                elif "step" in line:
                    record = cast(Record, line)
                    self._records.append(record)
                    fresh.append(record)
                    if self._dropped and record.get("mark", {}).get("kind") == "restore":
                        self.given_up, rewound = GivenUp(record["step"], self._dropped), True
                    self._dropped = ()
        return (list(self._records), True) if rewound else (fresh, False)

    def _begin_life(self, life: int, first: SegmentStart) -> bool:
        """Drop what earlier lives did after the step from which this one goes on; whether that changed anything."""
        start, left = first["start_step"], first.get("left")
        self.start_steps[life], changed = start, False
        if self.given_up is not None and start < self.given_up.step:
            self.given_up, changed = None, True  # where it left today's curves is given up as well
        dropped = tuple(record for record in self._records if record["step"] > start)
        self._dropped = dropped if left is None else ()
        if dropped:
            self._records, changed = [record for record in self._records if record["step"] <= start], True
        past = tuple(record for record in dropped if left is not None and record["step"] <= left)
        if past:
            self.given_up = GivenUp(start, past)
        return changed

    def _read_lines(self, segment: Path) -> list[dict[str, Any]]:
        """The new whole lines; a line that is still being written waits for the next call."""
        lines: list[dict[str, Any]] = []
        with contextlib.suppress(OSError), open_plain(segment) as file:
            if file.seek(0, os.SEEK_END) > MOST_BYTES:
                return []
            while True:
                file.seek(self._offset)
                data = file.read(CHUNK)
                end = data.rfind(b"\n") + 1
                if not end and len(data) == CHUNK:
                    end = CHUNK  # a line of so many bytes is no record
                self._offset += end
                lines += _records(data[:end])
                if len(data) < CHUNK:
                    break
        return lines


def _records(data: bytes) -> list[dict[str, Any]]:
    """The lines that are records, or the starts of lives."""
    lines = []
    for text in data.splitlines():
        with contextlib.suppress(ValueError, RecursionError):  # skip a line that a full disk cut off, or a foreign one
            value = json.loads(text)
            if isinstance(value, dict) and _is_record(value):
                lines.append(value)
    return lines


def _is_record(line: dict[str, Any]) -> bool:
    """Whether the known fields have their types; readers rely on that. NaN is a number here."""
    for name, value in line.items():
        hint = _TYPES.get(name)
        if hint is float:
            if not _is_value(value):
                return False
        elif hint is int:
            if type(value) is not int or not _is_value(value):
                return False
        elif name == "quality":
            if not (isinstance(value, dict) and all(map(_is_value, value.values()))):
                return False
        elif hint is not None and not (fits if hint is Mark else resembles)(value, hint):
            return False
    return True


def _is_value(value: Any) -> bool:
    """Whether this is a number of any kind or None; a whole one too large for 63 bits would break arithmetic."""
    return value is None or type(value) is float or (type(value) is int and abs(value) < MAX_NUMBER)

"""One run as the page sees it: what is in its folder, turned into events, each encoded once for all who watch.

It knows no connections and no clock but its own; the hub asks it what is new.
"""

from __future__ import annotations

import base64
import contextlib
import json
import math
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from ..runs.frames import FRAME_RATIO, NEWEST_FRAMES
from ..runs.metrics import LOSSES, SERIES, MetricsReader
from ..runs.run import Run, RunError, controls
from ..runs.status import ACTIVE, Status
from . import words
from .stream_types import (
    About,
    Columns,
    FeedSnapshot,
    Frame,
    FrameEvent,
    Latent,
    Mark,
    MarksEvent,
    Measurement,
    MetricsEvent,
    PublicStatus,
    QualityEvent,
    RealPoints,
    StatusEvent,
    Surroundings,
)

COLUMNS = ("step", *SERIES)
MOST_POINTS = 2000  # a series in a snapshot
MOST_MEASURED = 500  # measurements in a snapshot
MOST_MARKS = 200  # marks in a snapshot, the newest
ROWS = 8  # of a grid
PNG = "data:image/png;base64,"
SILENT = 3.0  # seconds without a heartbeat before a living worker is called silent
Event = tuple[str, str]  # name, JSON
Shown = str | RealPoints | None  # real data: a picture as data URI, or points


class RunEvents:
    """What is known of one run. `refresh` looks at the folder and gives the events that follow from it."""

    def __init__(self, run: Run | None) -> None:
        self.run = run
        self.surroundings: Surroundings = {"worker": "none", "active": None}
        self._reader = MetricsReader(run.path) if run is not None else None
        self._rows: list[list[Any]] = []
        self._quality: list[Measurement] = []
        self._marks: list[Mark] = []
        self._floor: dict[str, float] | None = None
        self._status: Status | None = None
        self._told: StatusEvent | None = None
        self._beat, self._beat_at = -1, time.monotonic()
        self._frame: Frame | None = None
        self._real: Shown = None
        self._real_stamp: tuple[int, int] | None = None  # of the file that `_real` was read from
        self._real_told: tuple[int, int] | None = None  # of the one that those who watch have got with a frame
        self._about: About | None = None
        self._snapshot = ""

    @property
    def id(self) -> str:
        return self.run.id if self.run is not None else ""

    def refresh(self, surroundings: Surroundings) -> Iterator[Event]:
        """Events since the last look; a "snapshot" alone where the past itself has changed."""
        self.surroundings = surroundings
        before, rewound, fresh = self._status, False, Fresh([])
        if self.run is not None and self._reader is not None:
            try:
                self._status = self.run.status()
            except RunError:
                return  # being deleted, or replaced at this moment: the next look will tell
            records, rewound = self._reader.read_new()
            fresh = Fresh(records)
            if rewound:
                self._rows, self._quality, self._marks = [], [], []
            self._rows += fresh.rows
            self._quality += fresh.quality
            self._marks += fresh.marks
            if self._quality and self._floor is None:
                self._floor = self.run.floor()
        told: StatusEvent = {"status": self._public(), "controls": self._controls(), "silent": self._silent(), **surroundings}
        if before is None:  # nobody has watched it before, and who comes is given a snapshot
            self._look_at_real()
            self._real_told = self._real_stamp
        moved = before is None or self._status is None or (before.seq, before.live) != (self._status.seq, self._status.live)
        picture = moved and self._look_at_frame()
        live = moved and before is not None and self._status is not None and before.live != self._status.live
        if told != self._told or fresh.some or picture or live:
            self._snapshot = ""
        if rewound:
            self._told = told
            yield "snapshot", self.snapshot()
            return
        if told != self._told:
            self._told = told
            yield "status", json.dumps(told)
        if fresh.rows:
            yield "metrics", json.dumps(MetricsEvent(series=_columns(fresh.rows)))
        if fresh.quality:
            yield "quality", json.dumps(QualityEvent(quality=fresh.quality, floor=self._floor))
        if fresh.marks:
            yield "marks", json.dumps(MarksEvent(marks=fresh.marks))
        if picture and self._frame is not None:
            # The first one brings the real ones along, which were not there when this run began to be watched; so does the first
            # after a resume that found other data.
            event: FrameEvent = {**self._frame, "real": self._look_at_real(), "about": self._about_data()}
            news, self._real_told = self._real_told != self._real_stamp, self._real_stamp
            yield "frame", json.dumps(event if news else self._frame)
        if live:
            yield "latent", json.dumps(self._latent())

    def snapshot(self) -> str:
        """Everything, for somebody who has just come; built once between two changes. Call `refresh` before."""
        if not self._snapshot:
            run, info = self.run, self.run.info if self.run is not None else {}
            real, config = self._look_at_real(), info.get("config")
            dataset = str(config.get("dataset", "")) if isinstance(config, dict) else ""
            points = isinstance(real, dict) or "points" in (self._frame or {})
            snapshot: FeedSnapshot = {
                "run": run.id if run is not None else None, "name": run.name if run is not None else "",
                "kind": run.kind if run is not None else "none", "origin": info.get("origin", ""),
                "preset": info.get("preset", ""), "config": config,
                "dataset_label": {lang: words.dataset(dataset, lang) for lang in words.LANGUAGES},
                "status": self._public(), "controls": self._controls(), "silent": self._silent(), **self.surroundings,
                "series": _columns(_thinned(self._rows)), "quality": _spread(self._quality), "floor": self._floor,
                "marks": self._marks[-MOST_MARKS:], "data": "points" if points else "images", "frame": self._frame, "real": real,
                "about": self._about_data(), "latent": self._latent(),
                "history": [{"seq": frame.seq, "step": frame.step} for frame in (run.frames() if run is not None else [])],
                "frame_rule": {"ratio": FRAME_RATIO, "newest": NEWEST_FRAMES}}
            self._snapshot = json.dumps(snapshot)
        return self._snapshot

    def _public(self) -> PublicStatus | None:
        """The status without what changes and says nothing: else every heartbeat would be news."""
        if self._status is None:
            return None
        told = {key: value for key, value in self._status.to_dict().items() if key not in ("heartbeat", "acknowledged")}
        if isinstance(told["error"], dict) and told["error"].get("fault"):
            error = told["error"]
            said = {lang: words.fault(error["fault"], lang, error.get("message", "")) for lang in words.LANGUAGES}
            told["error"] = {**error, "said": said}
        if notices := told.pop("notices"):
            each = {lang: [words.fault(one, lang) for one in notices] for lang in words.LANGUAGES}
            told["noticed"] = {lang: " ".join(some) if all(some) else told["notice"] for lang, some in each.items()}
        return cast(PublicStatus, told)

    def _controls(self) -> dict[str, bool]:
        return controls(self._status, self.run.kind if self.run is not None else "none")

    def _silent(self) -> float:
        """Whole seconds since the heart last beat, by our own clock; 0 unless a living worker has been silent for long."""
        status = self._status
        if status is None or status.state not in ACTIVE or status.heartbeat != self._beat:
            self._beat, self._beat_at = status.heartbeat if status is not None else -1, time.monotonic()
            return 0
        quiet = time.monotonic() - self._beat_at
        # A worker that has not begun its life yet imports torch: that takes its time and is no fault.
        return round(quiet) if quiet > (SILENT if status.state != "starting" else 10 * SILENT) else 0

    def _latent(self) -> Latent:
        live = self._status.live if self._status is not None else 0
        config = self.run.info.get("config", {}) if self.run is not None else {}
        return {"live": live, "latent_dim": config.get("latent_dim", 0)}

    def _look_at_frame(self) -> bool:
        """Read the newest grid, or frame of points, unless it is the one we have."""
        newest = self.run.newest_frame() if self.run is not None else None
        if newest is None or (self._frame is not None and newest.seq == self._frame["seq"]):
            return False
        shown = _shown(newest.path)
        if shown is None:
            return False
        if isinstance(shown, str):
            self._frame = {"seq": newest.seq, "step": newest.step, "src": shown, "rows": ROWS, "cols": _columns_of(shown)}
        else:
            self._frame = {"seq": newest.seq, "step": newest.step, "points": shown}
        return True

    def _look_at_real(self) -> Shown:
        if self.run is not None and (stamp := _stamp(self.run.real_path)) != self._real_stamp:
            self._floor = None if self._real_stamp is not None else self._floor  # it was of the old data
            self._real, self._about, self._real_stamp = _shown(self.run.real_path), None, stamp
        return self._real

    def _about_data(self) -> About | None:
        if self._about is None and self.run is not None:
            self._about = cast("About | None", self.run.data_summary())
        return self._about


class Fresh:
    """Records of a run's metrics by their kind: `rows` of COLUMNS for the curves, `quality` measurements, `marks`."""

    def __init__(self, records: list[dict[str, Any]]) -> None:
        self.rows: list[list[Any]] = []
        self.quality: list[Measurement] = []
        self.marks: list[Mark] = []
        for record in records:
            measured, mark = record.get("quality"), record.get("mark")
            if isinstance(measured, dict):
                numbers = {name: n for name, n in measured.items() if isinstance(n, int | float) and math.isfinite(n)}
                self.quality.append({"step": record["step"], "t": record.get("t"), **numbers})
            elif isinstance(mark, dict):
                self.marks.append({"step": record["step"], "kind": mark.get("kind", ""), "changes": mark.get("changes") or {}})
            elif any(name in record for name in LOSSES):
                self.rows.append([record.get(name) for name in COLUMNS])
        self.some = bool(self.rows or self.quality or self.marks)


def _spread(measured: list[Measurement], most: int = MOST_MEASURED) -> list[Measurement]:
    """At most about `most` measurements, evenly chosen, the last one always there."""
    stride = -(-len(measured) // most)
    return measured if stride <= 1 else measured[(len(measured) - 1) % stride::stride]


def _stamp(path: Path) -> tuple[int, int] | None:
    """Changes whenever the file is replaced; None where there is none."""
    with contextlib.suppress(OSError):
        about = path.stat()
        return about.st_ino, about.st_mtime_ns
    return None


def _shown(path: Path) -> Any:
    """A picture as data URI, or points as they stand in their file."""
    try:
        data = path.read_bytes()
        return json.loads(data) if path.suffix == ".json" else PNG + base64.b64encode(data).decode()
    except (OSError, ValueError):
        return None  # thinned away between two looks, or not there yet


def _columns_of(picture: str) -> int:
    """How many square cells stand side by side: a PNG's first chunk opens with width and height [RFC 2083, 4.1.1]."""
    width, height = struct.unpack(">II", base64.b64decode(picture[len(PNG):len(PNG) + 32])[16:24])
    return max(1, round(ROWS * width / height))


def _columns(rows: list[list[Any]]) -> Columns:
    return {name: [row[i] for row in rows] for i, name in enumerate(COLUMNS)}


def _thinned(rows: list[list[Any]], most: int = MOST_POINTS) -> list[list[Any]]:
    """At most about `most` rows, extremes kept: of each stretch the rows where any series is lowest or highest."""
    if len(rows) <= most:
        return rows
    stretch = -(-len(rows) // (most // (2 * len(SERIES))))
    kept: set[int] = {0, len(rows) - 1}
    for begin in range(0, len(rows), stretch):
        part = range(begin, min(begin + stretch, len(rows)))
        for column in range(1, len(COLUMNS)):
            there = [i for i in part if rows[i][column] is not None]
            if there:
                kept.add(min(there, key=lambda i: rows[i][column]))
                kept.add(max(there, key=lambda i: rows[i][column]))
    return [rows[i] for i in sorted(kept)]

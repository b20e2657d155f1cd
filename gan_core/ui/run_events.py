"""One run as the page sees it: turns what is in its folder into events, each encoded once for all viewers.

Connections are left to `hub`, which also decides when to look.
"""

from __future__ import annotations

import base64
import contextlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from .. import decay
from ..runs.frames import FRAME_RATIO, NEWEST_FRAMES, ROWS
from ..runs.metrics import LOSSES, SERIES, MetricsReader, Record
from ..runs.run import Run, RunError, controls, read_json
from ..runs.status import ACTIVE, Status
from . import words
from .run_pictures import grid_columns, read_grid, read_picture
from .stream_types import (
    About,
    Columns,
    Frame,
    FrameEvent,
    GivenUp,
    Latent,
    Mark,
    MarksEvent,
    Measurement,
    MetricsEvent,
    PublicStatus,
    QualityEvent,
    RealPoints,
    RunSnapshot,
    StatusEvent,
    Surroundings,
)

COLUMNS = ("step", *SERIES)
MAX_POINTS = 2000  # of each series in a snapshot
MAX_MEASUREMENTS = 500  # measurements in a snapshot
MAX_MARKS = 200  # marks in a snapshot, the newest
MAX_GIVEN_UP = 600  # points of each series, and a quarter as many measurements, of what was given up at a return
PNG = "data:image/png;base64,"
SILENT_AFTER = 3.0  # seconds without a heartbeat before a living worker is called silent
UNWATCHED = 10.0  # seconds between two looks after which silence counts from the second: nobody knows what was between
Event = tuple[str, str]  # name, JSON
RealData = str | RealPoints | None  # a picture as data URI, or points


class RunEvents:
    """The state of one run. `refresh` reads what is new in the folder and yields the events that follow from it.

    `shows_nearest`: whether the nearest real pictures are shown; `shown`: of texts, what a browser may be shown of them.
    """

    def __init__(self, run: Run | None, shows_nearest: bool = True, shown: Callable[[Any], Any] = lambda value: value) -> None:
        self.run, self._shows_nearest, self._shown = run, shows_nearest, shown
        self.surroundings: Surroundings = {"worker": "none", "active": None, "active_run": None, "ending": []}
        self._reader = MetricsReader(run.path) if run is not None else None
        self._rows: list[list[Any]] = []
        self._quality: list[Measurement] = []
        self._marks: list[Mark] = []
        self._floor: dict[str, float] | None = None
        self._status: Status | None = None
        self._status_event: StatusEvent | None = None
        self._sign_of_life: tuple[Any, ...] = ()  # of the last look
        self._alive_at = self._looked_at = time.monotonic()
        self._frame: Frame | None = None
        self._real: RealData = None
        self._real_stamp: tuple[int, int] | None = None  # of the file that `_real` comes from
        self._real_sent: tuple[int, int] | None = None  # of the file that the viewers have been sent
        self._about: About | None = None
        self._snapshot = ""

    @property
    def id(self) -> str:
        return self.run.id if self.run is not None else ""

    def refresh(self, surroundings: Surroundings) -> Iterator[Event]:
        """The events since the last call; a "snapshot" alone where the past itself has changed."""
        self.surroundings = surroundings
        before, rewound, new = self._status, False, NewRecords([])
        if self.run is not None and self._reader is not None:
            try:
                self._status = self.run.status()
            except RunError:
                return  # the run is being deleted or replaced: the next call finds out
            records, rewound = self._reader.read_new()
            new = NewRecords(records)
            if rewound:
                self._rows, self._quality, self._marks = [], [], []
            self._rows += new.rows
            self._quality += new.quality
            self._marks += new.marks
            if self._quality and self._floor is None:
                self._floor = self.run.floor()
        status_event: StatusEvent = {"status": self._public_status(), "controls": self._controls(),
                                     "silent": self._seconds_silent(), "decayed": self._decayed(), **surroundings}
        if before is None:  # the first viewer gets a snapshot, which has the real data
            self._read_real()
            self._real_sent = self._real_stamp
        moved = before is None or self._status is None or (before.seq, before.live) != (self._status.seq, self._status.live)
        picture = moved and self._read_frame()
        live = moved and before is not None and self._status is not None and before.live != self._status.live
        if rewound or status_event != self._status_event or new.any or picture or live:
            self._snapshot = ""
        if rewound:
            self._status_event = status_event
            yield "snapshot", self.snapshot()
            return
        if status_event != self._status_event:
            self._status_event = status_event
            yield "status", json.dumps(status_event)
        if new.rows:
            yield "metrics", json.dumps(MetricsEvent(series=_columns(new.rows)))
        if new.quality:
            yield "quality", json.dumps(QualityEvent(quality=new.quality, floor=self._floor))
        if new.marks:
            yield "marks", json.dumps(MarksEvent(marks=new.marks))
        if picture and self._frame is not None:
            # The real data come with the first frame, because they may not have existed when the first viewer came, and with
            # the first frame after a resume that found other data.
            event: FrameEvent = {**self._frame, "real": self._read_real(), "about": self._read_about()}
            is_new, self._real_sent = self._real_sent != self._real_stamp, self._real_stamp
            yield "frame", json.dumps(event if is_new else self._frame)
        if live:
            yield "latent", json.dumps(self._latent())

    def snapshot(self) -> str:
        """The whole run, for a new viewer; cached until something changes. Call `refresh` first."""
        if not self._snapshot:
            run = self.run
            info: Mapping[str, Any] = run.info if run is not None else {}
            real, config = self._read_real(), info.get("config")
            dataset = str(config.get("dataset", "")) if isinstance(config, dict) else ""
            points = isinstance(real, dict) or "points" in (self._frame or {})
            snapshot: RunSnapshot = {
                "run": run.id if run is not None else None, "name": run.name if run is not None else "",
                "kind": run.kind if run is not None else "none", "origin": self._shown(info.get("origin", "")),
                "preset": info.get("preset", ""), "config": self._shown(config),
                "dataset_label": self._shown({lang: words.dataset(dataset, lang) for lang in words.LANGUAGES}),
                "status": self._public_status(), "controls": self._controls(), "silent": self._seconds_silent(),
                "decayed": self._decayed(),
                **self.surroundings, "series": _columns(_thin(self._rows)), "quality": _subsample(self._quality),
                "floor": self._floor,
                "marks": self._marks[-MAX_MARKS:], "given_up": self._given_up(),
                "data": "points" if points else "images", "frame": self._frame, "real": real,
                "about": self._read_about(), "latent": self._latent(),
                "history": [{"seq": frame.seq, "step": frame.step} for frame in (run.frames() if run is not None else [])],
                "frame_rule": {"ratio": FRAME_RATIO, "newest": NEWEST_FRAMES}}
            self._snapshot = json.dumps(snapshot)
        return self._snapshot

    def forget_snapshot(self) -> None:
        """Build the next snapshot anew: `refresh` may have failed half-way."""
        self._snapshot = ""

    def _given_up(self) -> GivenUp | None:
        past = self._reader.given_up if self._reader is not None else None
        if past is None:
            return None
        lost = NewRecords([*past.records])
        return {"step": past.step, "series": _columns(_thin(lost.rows, MAX_GIVEN_UP)),
                "quality": _subsample(lost.quality, MAX_GIVEN_UP // 4), "marks": lost.marks[-MAX_MARKS:]}

    def _public_status(self) -> PublicStatus | None:
        """The status without the fields that change all the time: otherwise every heartbeat would be an event."""
        if self._status is None:
            return None
        status = self._shown(self._status.to_dict())
        public = {key: value for key, value in status.items() if key not in ("heartbeat", "acknowledged")}
        if isinstance(public["error"], dict) and public["error"].get("fault"):
            error = public["error"]
            sentences = {lang: words.fault(error["fault"], lang, error.get("message", "")) for lang in words.LANGUAGES}
            public["error"] = {**error, "said": sentences}
            if error != self._status.error:  # its values say where each path ends, the sentence does not
                public["error"]["message"] = sentences[words.REFERENCE]
        if notices := public.pop("notices"):
            sentences_by_language = {lang: [words.fault(one, lang) for one in notices] for lang in words.LANGUAGES}
            public["noticed"] = {lang: " ".join(sentences) if all(sentences) else public["notice"]
                                 for lang, sentences in sentences_by_language.items()}
        return cast(PublicStatus, public)

    def _controls(self) -> dict[str, bool]:
        return self.run.controls(self._status) if self.run is not None else controls(None)

    def _decayed(self) -> dict[str, float]:
        """The values in force of the settings that fall with the step."""
        config = self.run.info.get("config") if self.run is not None else None
        if self._status is None or not isinstance(config, dict):
            return {}
        with contextlib.suppress(TypeError):  # of another program's run
            return decay.in_force({**config, **self._status.tuned}, self._status.step)
        return {}

    def _seconds_silent(self) -> float:
        """Whole seconds since the last sign of life, by this process's clock; 0 unless a live worker is silent for long."""
        status, now = self._status, time.monotonic()
        unwatched, self._looked_at = now - self._looked_at > UNWATCHED, now
        # A run that begins again has the heartbeat of its last life until its new worker has the status.
        sign = (status.heartbeat, status.life, status.pid, status.state) if status is not None and status.state in ACTIVE else ()
        if not sign or unwatched or sign != self._sign_of_life:
            self._sign_of_life, self._alive_at = sign, now
            return 0
        silent = now - self._alive_at
        # A worker that is starting imports torch, which takes some seconds and is no fault.
        return round(silent) if silent > (SILENT_AFTER if sign[-1] != "starting" else 10 * SILENT_AFTER) else 0

    def _latent(self) -> Latent:
        live = self._status.live if self._status is not None else 0
        config = self.run.info.get("config", {}) if self.run is not None else {}
        return {"live": live, "latent_dim": config.get("latent_dim", 0)}

    def _read_frame(self) -> bool:
        """Read the newest grid, or frame of points; whether it is a new one."""
        run = self.run
        newest = run.newest_frame() if run is not None else None
        if run is None or newest is None or (self._frame is not None and newest.seq == self._frame["seq"]):
            return False
        shown, columns = _read_shown(newest.path, read_grid)
        if shown is None:
            return False
        if columns is not None:
            self._frame = {"seq": newest.seq, "step": newest.step, "src": shown, "rows": ROWS, "cols": columns,
                           "now": run.now_path(newest).exists(),
                           "nearest": self._shows_nearest and run.nearest_path(newest).exists()}
        else:
            self._frame = {"seq": newest.seq, "step": newest.step, "points": shown, "now": "now" in shown}
        return True

    def _read_real(self) -> RealData:
        if self.run is not None and (stamp := _stamp(self.run.real_path)) != self._real_stamp:
            self._floor = None if self._real_stamp is not None else self._floor  # it belongs to the old data
            self._real, self._about, self._real_stamp = _read_shown(self.run.real_path, read_picture)[0], None, stamp
        return self._real

    def _read_about(self) -> About | None:
        if self._about is None and self.run is not None:
            self._about = cast("About | None", self.run.data_summary())
        return self._about


class NewRecords:
    """Metrics records by kind: `rows` of COLUMNS for the curves, `quality` measurements, `marks`."""

    def __init__(self, records: list[Record]) -> None:
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
        self.any = bool(self.rows or self.quality or self.marks)


def _subsample(measurements: list[Measurement], limit: int = MAX_MEASUREMENTS) -> list[Measurement]:
    """About `limit` measurements at most, evenly spaced, the last one always among them."""
    stride = -(-len(measurements) // limit)
    return measurements if stride <= 1 else measurements[(len(measurements) - 1) % stride::stride]


def _stamp(path: Path) -> tuple[int, int] | None:
    """Changes whenever the file is replaced; None where there is none."""
    with contextlib.suppress(OSError):
        stat = path.stat()
        return stat.st_ino, stat.st_mtime_ns
    return None


def _read_shown(path: Path, read: Callable[[Path], bytes]) -> tuple[Any, int | None]:
    """(a picture as data URI, its columns as a grid), or (the JSON object of points, None); Nones where there is none, or it is
    damaged."""
    try:
        if path.suffix == ".json":
            return read_json(path), None
        picture = read(path)
        return PNG + base64.b64encode(picture).decode(), grid_columns(picture)
    except (OSError, ValueError):
        return None, None  # not there yet, or removed by the rule of kept frames


def _columns(rows: list[list[Any]]) -> Columns:
    return {name: [row[i] for row in rows] for i, name in enumerate(COLUMNS)}


def _thin(rows: list[list[Any]], limit: int = MAX_POINTS) -> list[list[Any]]:
    """About `limit` rows at most: of each stretch, the rows where a series is lowest or highest."""
    if len(rows) <= limit:
        return rows
    stretch = -(-len(rows) // (limit // (2 * len(SERIES))))
    kept: set[int] = {0, len(rows) - 1}
    for begin in range(0, len(rows), stretch):
        part = range(begin, min(begin + stretch, len(rows)))
        for column in range(1, len(COLUMNS)):
            present = [i for i in part if rows[i][column] is not None]
            if present:
                kept.add(min(present, key=lambda i: rows[i][column]))
                kept.add(max(present, key=lambda i: rows[i][column]))
    return [rows[i] for i in sorted(kept)]

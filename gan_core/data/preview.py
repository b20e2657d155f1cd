"""Load a data set and preview it, in a process that a hostile file may crash without harm to the page.

`python -m gan_core.data.preview` reads one JSON line, a Request, and writes JSON lines: ProgressLine while it works, last a
ReadyLine or a RefusedLine. The end of stdin, or SIGTERM, cancels; what was fetched is kept. It trains nothing and never
imports torch.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NotRequired, TypeAlias, TypedDict

import numpy as np

from ..config import ConfigError, TrainConfig
from ..messages import Fault, Message
from . import loading, rendering
from .types import Cancelled, DataError, DataSummary, LoadedData, Progress

PROGRESS_INTERVAL = 0.125  # seconds between two lines of progress
MAX_PICTURES, COLUMNS, MAX_POINTS = 16, 8, 1000
PNG = "data:image/png;base64,"


class Request(TypedDict):
    """The line that is read. config: the fields of a TrainConfig that differ from their defaults."""

    config: dict[str, Any]


class ProgressInfo(TypedDict):
    """`types.Progress` in JSON."""

    stage: str
    done: int
    total: int
    what: str


class PointsPreview(TypedDict):
    """Points (N, 2) and the square around all of the set, [x0, x1, y0, y1]."""

    points: list[list[float]]
    view: list[float]


class Ready(TypedDict):
    """preview: a PNG as a data URI, or points."""

    about: DataSummary
    preview: str | PointsPreview


class ProgressLine(TypedDict):
    progress: ProgressInfo


class ReadyLine(TypedDict):
    ready: Ready


class RefusedLine(TypedDict):
    """refused: the English sentence; fault: the same for any language; cancelled: the caller wanted it so."""

    refused: str
    fault: NotRequired[Message]
    cancelled: NotRequired[bool]


Line: TypeAlias = ProgressLine | ReadyLine | RefusedLine


def make_preview(loaded: LoadedData) -> str | PointsPreview:
    """At most 16 pictures as a data URI, in rows of eight; or at most 1,000 points and the square around all."""
    indices = np.random.default_rng(0).permutation(len(loaded.data))[:MAX_POINTS if loaded.data.ndim == 2 else MAX_PICTURES]
    sample = loaded.data[np.sort(indices)]
    if loaded.data.ndim == 4:
        # Fewer than 16 are laid out without an empty place if possible: it would look like a black picture.
        columns = len(sample) if len(sample) <= COLUMNS else -(-len(sample) // 2)
        return PNG + base64.b64encode(rendering.png(rendering.grid(sample, columns))).decode()
    view = rendering.bounding_square(loaded.data.min(0).tolist(), loaded.data.max(0).tolist())
    return {"points": [[float(f"{v:.4g}") for v in point] for point in sample.tolist()], "view": list(view)}


class _RateLimit:
    """Whether a line of progress is due: one for each new stage, else one in PROGRESS_INTERVAL."""

    def __init__(self) -> None:
        self._time, self._stage = 0.0, ""

    def is_due(self, stage: str) -> bool:
        now = time.monotonic()
        if stage == self._stage and now - self._time < PROGRESS_INTERVAL:
            return False
        self._time, self._stage = now, stage
        return True


def handle_request(request: Any, write: Callable[[Line], None], is_cancelled: Callable[[], bool]) -> ReadyLine | RefusedLine:
    """The last line for a request, which may be anything; lines of progress go to `write` meanwhile."""
    limit = _RateLimit()

    def on_progress(progress: Progress) -> None:
        if limit.is_due(progress.stage):
            write({"progress": {"stage": progress.stage, "done": progress.done, "total": progress.total, "what": progress.what}})

    try:
        if not isinstance(request, dict):
            return _refused(Fault("request"))
        loaded = loading.load(TrainConfig.from_dict(request.get("config", {})), on_progress, is_cancelled)
        return {"ready": {"about": loaded.summary(), "preview": make_preview(loaded)}}
    except Cancelled as error:
        return {**_refused(error), "cancelled": True}
    except DataError as error:
        return _refused(error)
    except ConfigError as error:
        return {"refused": str(error)}
    except MemoryError:
        return _refused(Fault("no_memory"))
    except Exception as error:  # a hostile file may raise anything in its reader: the page gets a sentence
        return _refused(Fault("unreadable", kind=type(error).__name__, reason=str(error).strip()[:200]))


def _refused(fault: Fault) -> RefusedLine:
    return {"refused": str(fault), "fault": fault.payload()}


def main() -> int:
    """The command line; returns the exit status, 0 whenever a last line was written."""
    out, sys.stdout = sys.stdout, sys.stderr  # what a library prints must not mix with the lines
    cancelled = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: cancelled.set())
    signal.signal(signal.SIGINT, lambda *_: cancelled.set())
    if hasattr(os, "nice"):
        os.nice(5)  # training and page go first

    def write(line: Line) -> None:
        try:
            out.write(json.dumps(line) + "\n")
            out.flush()
        except OSError:  # the reader is gone
            cancelled.set()

    try:
        request = json.loads(sys.stdin.readline())
    except (ValueError, RecursionError):
        request = None

    def watch_stdin() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        cancelled.set()

    threading.Thread(target=watch_stdin, daemon=True).start()
    write(handle_request(request, write, cancelled.is_set))
    return 0


if __name__ == "__main__":
    sys.exit(main())

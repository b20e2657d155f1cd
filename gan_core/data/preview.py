"""A data set made ready and looked at, in a process of its own: a hostile file may end it, never the page.

`python -m gan_core.data.preview` reads one JSON line, {"config": {...}}, and writes JSON lines: {"progress": {...}} as often as
there is something to say, then {"ready": {"about", "preview"}} or {"refused": "sentence", "fault": {"key", "values"}}, for pages
that speak another language. The end of stdin, or SIGTERM, cancels; what was fetched is kept. It trains nothing and knows no
torch; whoever starts it is told nothing but these lines.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ..config import ConfigError, TrainConfig
from ..messages import Fault
from . import loading, rendering
from .types import Cancelled, DataError, LoadedData, Progress

EVERY = 0.125  # seconds between two lines of progress
SHOWN, COLUMNS, POINTS = 16, 8, 1000
PNG = "data:image/png;base64,"


def make_preview(loaded: LoadedData) -> str | dict[str, Any]:
    """At most 16 pictures as a data URI, in rows of eight; of points at most 1,000 and the square around all."""
    some = np.random.default_rng(0).permutation(len(loaded.data))[:POINTS if loaded.data.ndim == 2 else SHOWN]
    shown = loaded.data[np.sort(some)]
    if loaded.data.ndim == 4:
        # Fewer than 16 leave no place empty where that can be: it would look like a black picture.
        columns = len(shown) if len(shown) <= COLUMNS else -(-len(shown) // 2)
        return PNG + base64.b64encode(rendering.png(rendering.grid(shown, columns))).decode()
    view = rendering.bounding_square(loaded.data.min(0).tolist(), loaded.data.max(0).tolist())
    return {"points": [[float(f"{v:.4g}") for v in point] for point in shown.tolist()], "view": list(view)}


def handle_request(values: Any, say: Callable[[dict[str, Any]], None], cancelled: Callable[[], bool]) -> dict[str, Any]:
    """The last line for a request: {"ready": ...} or {"refused": ...}. Progress goes to `say` on the way."""
    told = [0.0, ""]  # when the last progress was said, and of which stage

    def report(progress: Progress) -> None:
        if progress.stage != told[1] or time.monotonic() - told[0] >= EVERY:
            told[:] = time.monotonic(), progress.stage
            say({"progress": dataclasses.asdict(progress)})

    try:
        if not isinstance(values, dict):
            return _refused(Fault("request"))
        loaded = loading.load(TrainConfig.from_dict(values.get("config", {})), report, cancelled)
        return {"ready": {"about": loaded.summary(), "preview": make_preview(loaded)}}
    except Cancelled as reason:
        return {**_refused(reason), "cancelled": True}
    except DataError as reason:
        return _refused(reason)
    except ConfigError as reason:
        return {"refused": str(reason)}
    except MemoryError:
        return _refused(Fault("no_memory"))
    except Exception as reason:  # whatever a file does to its reader: the page gets a sentence
        return _refused(Fault("unreadable", kind=type(reason).__name__, reason=str(reason).strip()[:200]))


def _refused(fault: Fault) -> dict[str, Any]:
    return {"refused": str(fault), "fault": fault.payload()}


def main() -> int:
    """The command line; returns the exit status, 0 for every answer that could be given."""
    out, sys.stdout = sys.stdout, sys.stderr  # whatever a library prints is no line of ours
    off = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: off.set())
    signal.signal(signal.SIGINT, lambda *_: off.set())
    if hasattr(os, "nice"):
        os.nice(5)  # training and page go first

    def say(line: dict[str, Any]) -> None:
        try:
            out.write(json.dumps(line) + "\n")
            out.flush()
        except OSError:  # nobody listens any more
            off.set()

    try:
        values = json.loads(sys.stdin.readline())
    except (ValueError, RecursionError):
        values = None

    def wait() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        off.set()

    threading.Thread(target=wait, daemon=True).start()
    say(handle_request(values, say, off.is_set))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Shows a run in the terminal: a progress bar, or a line now and then, read from the run's folder as the page reads it.

It shares a process with the training, asks nothing of it and costs it next to nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..config import TrainConfig
from ..runs.metrics import LOSSES
from ..runs.run import Run, RunError
from ..runs.status import Progress, Status
from ..surroundings import ESCAPED, printable

POLL = 0.25  # seconds between two looks at the run's folder
LINE_INTERVAL = 60.0  # seconds between two lines where stderr is no terminal
TAIL = 16_384  # bytes at the end of the metrics that are read: some seconds of them
BAR = "{desc} {percentage:3.0f}%|{bar}| {postfix}"
NO_BAR = "{desc}  {postfix}"


def open_streams() -> None:
    """Open standard streams that were closed (`>&-`) on the null device; else files of the run would get their numbers."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, number)  # also where it is the same: children inherit it then
            if null != number:
                os.close(null)


def say(text: str, error: bool = False) -> None:
    """Print if that is possible: a closed pipe, a terminal that is gone or a full disk does not end the training."""
    stream = sys.stderr if error else sys.stdout
    try:
        print(printable(text, stream), file=stream, flush=True)
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as null:
            os.dup2(null.fileno(), stream.fileno())  # the stream still holds the text, and writes it when the process ends


def format_duration(seconds: float) -> str:
    """Seconds as 2:05 or 1:02:05."""
    minutes, s = divmod(int(max(0.0, seconds)), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{s:02}" if minutes >= 60 else f"{minutes}:{s:02}"


def describe(status: Status, config: TrainConfig, losses: dict[str, Any], quality: dict[str, Any]) -> tuple[str, float, str]:
    """(label, share that is done in [0, 1] or -1 where that is unknown, facts) of an active run."""
    if status.state == "starting":
        return _describe_loading(status.progress) if status.progress else ("starting", -1.0, "")
    facts, shares, left = [f"{status.speed:,.0f} images/s"], [-1.0], []
    facts += [f"{name} {losses[name]:.3f}" for name in LOSSES if isinstance(losses.get(name), int | float)]
    if quality:
        name = status.best["name"] if status.best and status.best["name"] in quality else next(iter(quality))
        facts.append(f"{name} {quality[name]:.3g}")
    current = {**config.to_dict(), **status.tuned}
    if current["max_steps"]:
        shares.append(status.step / current["max_steps"])
        left.append((current["max_steps"] - status.step) * current["batch_size"] / status.speed if status.speed else float("inf"))
    if current["max_minutes"]:
        shares.append(status.elapsed / (60 * current["max_minutes"]))
        left.append(60 * current["max_minutes"] - status.elapsed)
    duration = format_duration(status.elapsed)
    if left and min(left) < float("inf"):
        duration += f", {format_duration(min(left))} left"
    label = "paused, step" if status.state == "paused" else "step"
    return f"{label} {status.step:,}", min(1.0, max(shares)), ", ".join([duration, *facts])


def _describe_loading(progress: Progress) -> tuple[str, float, str]:
    done, total, bytes_ = progress["done"], progress["total"], progress["stage"] == "downloading"
    count = f"{done / 1e6:,.1f}" if bytes_ else f"{done:,}"
    of = f" of {total / 1e6:,.1f}" if bytes_ and total else f" of {total:,}" if total else ""
    return f"{progress['stage']} {progress['what']}".strip(), done / total if total else -1.0, count + of + " MB" * bytes_


def newest_records(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """(the newest record with losses, the newest quality) near the end of a file of metrics; {} where there is none."""
    losses: dict[str, Any] = {}
    quality: dict[str, Any] = {}
    with contextlib.suppress(OSError), open(path, "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
        for line in file.read().splitlines():
            with contextlib.suppress(ValueError):  # the first line of the tail may be half a line
                record = json.loads(line)
                if isinstance(record, dict):
                    quality = record.get("quality") or quality
                    losses = record if any(name in record for name in LOSSES) else losses
    return losses, quality


class ProgressDisplay:
    """Shows a run's progress on the stderr that this process had, while the training prints to worker.log.

    A bar where stderr is a terminal; else a line at each change of state and one a minute. A notice is a line in both.
    """

    def __init__(self, run: Run, interrupted: Callable[[], bool]) -> None:
        self.run, self.interrupted, self.config = run, interrupted, run.config
        self._streams = [os.dup(1), os.dup(2)]
        encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
        self._err = open(self._streams[1], "w", encoding=encoding, errors=ESCAPED,  # noqa: SIM115, closed in __exit__
                         closefd=False)
        self._bar = None
        if self._err.isatty():
            self._bar = tqdm(total=1, file=self._err, leave=False, bar_format=NO_BAR)
        self._quality: dict[str, Any] = {}
        self._line_state, self._line_time, self._notice = "", time.monotonic(), run.stored_status().notice
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def __enter__(self) -> ProgressDisplay:
        return self

    def __exit__(self, *exception: object) -> None:
        """Remove the bar and give stdout and stderr back."""
        self._closed.set()
        self._thread.join()
        with contextlib.suppress(OSError, ValueError):  # the terminal may be gone
            if self._bar is not None:
                self._bar.close()
            self._err.close()
        for number, stream in zip((1, 2), self._streams, strict=True):
            os.dup2(stream, number)
            os.close(stream)

    def _watch(self) -> None:
        while not self._closed.wait(POLL):
            with contextlib.suppress(RunError, OSError):
                self.update()

    def update(self) -> None:
        """Read the folder and show it, as a bar or, where one is due, as a line."""
        status = self.run.stored_status()
        losses, quality = newest_records(self.run.metrics_path(status.life))
        self._quality = quality or self._quality
        label, share, facts = describe(status, self.config, losses, self._quality)
        if self.interrupted():
            label = f"saving (Ctrl+C again ends at once), {label}"
        if status.notice != self._notice:
            self._notice = status.notice
            if status.notice:
                tqdm.write(status.notice, file=self._err)
                self._err.flush()
        if self._bar is None:
            self._show_line(status.state, f"{label}{f' ({share:.0%})' if share >= 0 else ''}{', ' if facts else ''}{facts}")
            return
        self._bar.ncols = os.get_terminal_size(self._streams[1]).columns or 80  # it may be resized, and some report 0
        self._bar.bar_format, self._bar.n = (BAR, share) if share >= 0 else (NO_BAR, 0)
        self._bar.set_description_str(label, refresh=False)
        self._bar.set_postfix_str(facts, refresh=False)
        self._bar.refresh()

    def _show_line(self, state: str, text: str) -> None:
        if state != self._line_state or time.monotonic() - self._line_time >= LINE_INTERVAL:
            self._line_state, self._line_time = state, time.monotonic()
            print(text, file=self._err, flush=True)

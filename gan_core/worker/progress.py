"""What a person sees of a run in a terminal: a progress bar, or a line now and then, read from the run's folder.

It is a reader like the page: it asks nothing of the training that it shares a process with, and costs it next to nothing.
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
from ..runs.status import Status

LOOK = 0.25  # seconds between two looks at the run's folder
LINE = 60.0  # seconds between two lines where nobody sees a bar
TAIL = 16_384  # bytes of the curves that are looked at: some seconds of them
SHARE = "{desc} {percentage:3.0f}%|{bar}| {postfix}"
COUNTER = "{desc}  {postfix}"


def open_streams() -> None:
    """Standard streams that were closed (`>&-`) lead nowhere from now on; else the run's own files would get their numbers."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, number)  # also where it is the same: children inherit it then
            if nowhere != number:
                os.close(nowhere)


def say(text: str, error: bool = False) -> None:
    """Print, whether or not anybody can hear it: a pipe that was closed, a terminal that is gone, a full disk end no training."""
    stream = sys.stderr if error else sys.stdout
    try:
        print(text, file=stream, flush=True)
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), stream.fileno())  # what is still in the stream's memory is written at the very end


def clock(seconds: float) -> str:
    """Seconds as 2:05 or 1:02:05."""
    minutes, s = divmod(int(max(0.0, seconds)), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{s:02}" if minutes >= 60 else f"{minutes}:{s:02}"


def described(status: Status, config: TrainConfig, losses: dict[str, Any], quality: dict[str, Any]) -> tuple[str, float, str]:
    """(what it does, how much of it is done in [0, 1] or -1 where nobody knows, facts) of a living run."""
    if status.state == "starting":
        return _fetching(status.progress) if status.progress else ("starting", -1.0, "")
    facts, shares, left = [f"{status.speed:,.0f} images/s"], [-1.0], []
    facts += [f"{name} {losses[name]:.3f}" for name in LOSSES if isinstance(losses.get(name), int | float)]
    if quality:
        name = status.best["name"] if status.best and status.best["name"] in quality else next(iter(quality))
        facts.append(f"{name} {quality[name]:.3g}")
    now = {**config.to_dict(), **status.tuned}
    if now["max_steps"]:
        shares.append(status.step / now["max_steps"])
        left.append((now["max_steps"] - status.step) * now["batch_size"] / status.speed if status.speed else float("inf"))
    if now["max_minutes"]:
        shares.append(status.elapsed / (60 * now["max_minutes"]))
        left.append(60 * now["max_minutes"] - status.elapsed)
    time_is = clock(status.elapsed) + (f", {clock(min(left))} left" if left and min(left) < float("inf") else "")
    label = "paused, step" if status.state == "paused" else "step"
    return f"{label} {status.step:,}", min(1.0, max(shares)), ", ".join([time_is, *facts])


def _fetching(progress: dict[str, Any]) -> tuple[str, float, str]:
    done, total, bytes_ = progress["done"], progress["total"], progress["stage"] == "downloading"
    count = f"{done / 1e6:,.1f}" if bytes_ else f"{done:,}"
    of = f" of {total / 1e6:,.1f}" if bytes_ and total else f" of {total:,}" if total else ""
    return f"{progress['stage']} {progress['what']}".strip(), done / total if total else -1.0, count + of + " MB" * bytes_


def newest(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """(the newest record with losses, the newest measurement) near the end of a file of curves; {} where there is none."""
    losses: dict[str, Any] = {}
    quality: dict[str, Any] = {}
    with contextlib.suppress(OSError), open(path, "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
        for line in file.read().splitlines():
            with contextlib.suppress(ValueError):  # the first line of the tail is half a line
                record = json.loads(line)
                if isinstance(record, dict):
                    quality = record.get("quality") or quality
                    losses = record if any(name in record for name in LOSSES) else losses
    return losses, quality


class ProgressDisplay:
    """Shows a run's progress on this process's own stderr while the training writes to worker.log instead.

    A bar where stderr is a terminal; else a line at each change of state and one a minute. What the page would show as a notice
    is a line in both.
    """

    def __init__(self, run: Run, interrupted: Callable[[], bool]) -> None:
        self.run, self.interrupted, self.config = run, interrupted, run.config
        self._kept = [os.dup(1), os.dup(2)]
        self._err = open(self._kept[1], "w", encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115, lives as long
        self._bar = None
        if self._err.isatty():
            self._bar = tqdm(total=1, file=self._err, leave=False, bar_format=COUNTER)
        self._quality: dict[str, Any] = {}
        self._said, self._said_at, self._notice = "", time.monotonic(), run.stored_status().notice
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def __enter__(self) -> ProgressDisplay:
        return self

    def __exit__(self, *exception: object) -> None:
        """The bar goes, and what is printed from here on is seen again."""
        self._over.set()
        self._thread.join()
        with contextlib.suppress(OSError, ValueError):  # nobody sees it any more
            if self._bar is not None:
                self._bar.close()
            self._err.close()
        for stream, kept in zip((1, 2), self._kept, strict=True):
            os.dup2(kept, stream)
            os.close(kept)

    def _watch(self) -> None:
        while not self._over.wait(LOOK):
            with contextlib.suppress(RunError, OSError):
                self.look()

    def look(self) -> None:
        """What the folder says now, as a bar or, where it is due, as a line."""
        status = self.run.stored_status()
        losses, quality = newest(self.run.metrics_path(status.life))
        self._quality = quality or self._quality
        label, share, facts = described(status, self.config, losses, self._quality)
        if self.interrupted():
            label = f"saving (Ctrl+C again ends at once), {label}"
        if status.notice != self._notice:
            self._notice = status.notice
            if status.notice:
                tqdm.write(status.notice, file=self._err)
                self._err.flush()
        if self._bar is None:
            self._line(status.state, f"{label}{f' ({share:.0%})' if share >= 0 else ''}{', ' if facts else ''}{facts}")
            return
        self._bar.ncols = os.get_terminal_size(self._kept[1]).columns or 80  # it may be made wider, and some say 0
        self._bar.bar_format, self._bar.n = (SHARE, share) if share >= 0 else (COUNTER, 0)
        self._bar.set_description_str(label, refresh=False)
        self._bar.set_postfix_str(facts, refresh=False)
        self._bar.refresh()

    def _line(self, state: str, text: str) -> None:
        if state != self._said or time.monotonic() - self._said_at >= LINE:
            self._said, self._said_at = state, time.monotonic()
            print(text, file=self._err, flush=True)

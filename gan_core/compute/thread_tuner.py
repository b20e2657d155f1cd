"""How many processor threads train right now: fewer while other processes are busy, more again when the machine is quiet.

`ThreadPolicy` decides from numbers alone, `ThreadTuner` measures, asks the policy and applies its answer.
Threads wait for each other at every layer, so two of them beside one busy process are slower than one alone.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import psutil
import torch

WINDOW = 0.25  # seconds of training that one decision is based on
SLOW_WINDOWS = 2  # in a row below what fewer threads reach, after which there are fewer
TRIAL = 3  # windows that a trial of more threads must pass
GAIN = 1.1  # more threads are kept if they are so many times faster
IDLE = 0.7  # share of each core that a trial would take which must have been idle
PATIENCE = 5.0  # seconds before more threads are tried; doubled by every trial, so that it does not oscillate between two loads
MAX_PATIENCE = 320.0
CALM = 4  # a number of threads that lasts so many times the patience resets the patience


def thread_counts(most: int) -> list[int]:
    """The numbers of threads worth trying on `most` cores: powers of two, all cores, and all but one."""
    powers = [2**k for k in range(most.bit_length()) if 2**k <= most]
    return sorted({*powers, max(1, most - 1), most})


class ThreadPolicy:
    """Decides when to change the number of threads, from how many images were trained in how many seconds.

    threads: the number in force. most: the largest allowed. speeds: {threads: images per second} measured before, on the same
    work; missing ones are taken as proportional to the threads. idle(): how many cores have been idle since its last call; it
    is called when a trial of more threads is due, and keeps trials off a busy machine.
    """

    def __init__(self, threads: int, most: int, speeds: dict[int, float] | None = None,
                 idle: Callable[[], float] = lambda: math.inf) -> None:
        self._idle = idle
        self.threads, self.steps = threads, sorted({*thread_counts(max(most, threads)), threads})
        self.speeds = dict(speeds or {})
        self.patience = PATIENCE
        self._trial_from = 0  # during a trial of more threads: the number before
        self._reset_window()

    def _reset_window(self) -> None:
        self._fresh = True  # the first step with other threads includes starting them: a short one does not count
        self._images = self._seconds = self._held = 0.0
        self._slow = self._windows = 0

    def add(self, images: float, seconds: float) -> int | None:
        """Add what was trained since the last call; the new number of threads, or None for no change."""
        fresh, self._fresh = self._fresh, False
        if fresh and seconds < WINDOW:
            return None
        self._images, self._seconds = self._images + images, self._seconds + seconds
        if self._seconds < WINDOW:
            return None
        speed, span = self._images / self._seconds, self._seconds
        self._images = self._seconds = 0.0
        return self._end_trial(speed) if self._trial_from else self._judge(speed, span)

    def _judge(self, speed: float, span: float) -> int | None:
        known = self.speeds.get(self.threads)
        # The measured speed is replaced by the current one slowly: one window is noisy.
        self.speeds[self.threads] = speed if known is None else 0.7 * known + 0.3 * speed
        position = self.steps.index(self.threads)
        fewer = self.steps[position - 1] if position else 0
        if fewer:
            expected = self.speeds.get(fewer, (known or speed) * fewer / self.threads)
            self._slow = self._slow + 1 if speed < expected else 0
            if self._slow >= SLOW_WINDOWS:
                return self._move(fewer)
        self._held += span
        if self._held > CALM * self.patience:
            self.patience = PATIENCE
        more = self.steps[position + 1] if position + 1 < len(self.steps) else 0
        if more and self._held >= self.patience and self._idle() >= IDLE * (more - self.threads):
            self._trial_from = self.threads
            self.patience = min(2 * self.patience, MAX_PATIENCE)
            return self._move(more)
        return None

    def _end_trial(self, speed: float) -> int | None:
        """Go back at the first window that is not faster; keep the threads after enough that are."""
        before = self._trial_from
        if speed < GAIN * self.speeds[before]:
            self._trial_from = 0
            return self._move(before)
        self._windows += 1
        if self._windows >= TRIAL:
            self._trial_from = 0
            self.speeds[self.threads] = speed
        return None

    def _move(self, threads: int) -> int:
        self.threads = threads
        self._reset_window()
        return threads


class ThreadTuner:
    """Sets torch's threads while a run trains: `threads` at first, at most `most`; with most 0 they never change."""

    def __init__(self, threads: int, most: int, speeds: dict[int, float] | None = None) -> None:
        self._idle_before = _idle_seconds()
        self._policy = ThreadPolicy(threads, most, speeds, self._idle) if most else None
        torch.set_num_threads(threads)

    def record(self, images: int, seconds: float) -> tuple[int, int] | None:
        """Call after each whole step with its images and seconds; (old, new) if the number of threads was changed."""
        if self._policy is None:
            return None
        old, new = self._policy.threads, self._policy.add(images, seconds)
        if new is None:
            return None
        self._idle_before = _idle_seconds()
        torch.set_num_threads(new)
        return old, new

    def _idle(self) -> float:
        (then, before), self._idle_before = self._idle_before, _idle_seconds()
        now, after = self._idle_before
        return (after - before) / (now - then) if now > then else 0.0


def _idle_seconds() -> tuple[float, float]:
    """(now, seconds that all cores together have been idle since the machine booted)."""
    return time.monotonic(), psutil.cpu_times().idle

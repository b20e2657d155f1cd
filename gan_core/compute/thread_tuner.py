"""How many processor threads train right now: fewer while others are busy on the machine, more again when it is quiet.

`ThreadPolicy` decides from numbers alone, `ThreadTuner` measures, asks the policy and applies its answer.
Why it matters: threads wait for each other at every layer, so two of them beside one busy process are slower than one alone.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import psutil
import torch

WINDOW = 0.25  # seconds of training that one verdict looks at
BAD = 2  # windows in a row below what fewer threads reach, then fewer it is
TRIAL = 3  # windows that a trial of more threads must stand
GAIN = 1.1  # more threads are kept if they are so much faster
IDLE = 0.7  # of each core that a trial would take, this share must have been idle
PATIENCE = 5.0  # seconds before more threads are tried; doubled by every trial, so that two loads cannot make it flap
MOST_PATIENCE = 320.0
CALM = 4  # a number of threads that lasts so many times the patience brings the first patience back


def thread_counts(most: int) -> list[int]:
    """The numbers of threads worth trying on `most` cores: powers of two, all cores, and all but one."""
    powers = [2**k for k in range(most.bit_length()) if 2**k <= most]
    return sorted({*powers, max(1, most - 1), most})


class ThreadPolicy:
    """Says when to change the number of threads, from nothing but how much was trained in how many seconds.

    threads: the number in force. most: the largest allowed. speeds: {threads: images per second} measured before, on this very
    work; what is missing is taken as proportional to the threads. idle: asked when more threads are due for a trial, how many
    cores have been idle since it was asked last; it keeps trials off a busy machine.
    """

    def __init__(self, threads: int, most: int, speeds: dict[int, float] | None = None,
                 idle: Callable[[], float] = lambda: math.inf) -> None:
        self._idle = idle
        self.threads, self.steps = threads, sorted({*thread_counts(max(most, threads)), threads})
        self.speeds = dict(speeds or {})
        self.patience = PATIENCE
        self._tried_from = 0  # while more threads are on trial: the number before
        self._start_anew()

    def _start_anew(self) -> None:
        self._fresh = True  # the first step with other threads pays for starting them: a short one does not count
        self._images = self._seconds = self._held = 0.0
        self._bad = self._windows = 0

    def add(self, images: float, seconds: float) -> int | None:
        """What was trained since the last call; the number of threads to train with from now on, or None: as before."""
        fresh, self._fresh = self._fresh, False
        if fresh and seconds < WINDOW:
            return None
        self._images, self._seconds = self._images + images, self._seconds + seconds
        if self._seconds < WINDOW:
            return None
        speed, span = self._images / self._seconds, self._seconds
        self._images = self._seconds = 0.0
        return self._end_trial(speed) if self._tried_from else self._judge(speed, span)

    def _judge(self, speed: float, span: float) -> int | None:
        known = self.speeds.get(self.threads)
        # What was measured elsewhere is replaced by what is seen here, slowly: one window is noisy.
        self.speeds[self.threads] = speed if known is None else 0.7 * known + 0.3 * speed
        place = self.steps.index(self.threads)
        fewer = self.steps[place - 1] if place else 0
        if fewer:
            expected = self.speeds.get(fewer, (known or speed) * fewer / self.threads)
            self._bad = self._bad + 1 if speed < expected else 0
            if self._bad >= BAD:
                return self._move(fewer)
        self._held += span
        if self._held > CALM * self.patience:
            self.patience = PATIENCE
        more = self.steps[place + 1] if place + 1 < len(self.steps) else 0
        if more and self._held >= self.patience and self._idle() >= IDLE * (more - self.threads):
            self._tried_from = self.threads
            self.patience = min(2 * self.patience, MOST_PATIENCE)
            return self._move(more)
        return None

    def _end_trial(self, speed: float) -> int | None:
        """Back at the first window that is no faster; kept after enough that are."""
        before = self._tried_from
        if speed < GAIN * self.speeds[before]:
            self._tried_from = 0
            return self._move(before)
        self._windows += 1
        if self._windows >= TRIAL:
            self._tried_from = 0
            self.speeds[self.threads] = speed
        return None

    def _move(self, threads: int) -> int:
        self.threads = threads
        self._start_anew()
        return threads


class ThreadTuner:
    """torch's threads while a run trains: `threads` to begin with, at most `most`, and no change at all where most is 0."""

    def __init__(self, threads: int, most: int, speeds: dict[int, float] | None = None) -> None:
        self._asked = _idle_seconds()
        self._watch = ThreadPolicy(threads, most, speeds, self._idle) if most else None
        torch.set_num_threads(threads)

    def record(self, images: int, seconds: float) -> tuple[int, int] | None:
        """To be called after each whole step with its images and seconds; (old, new) when the number of threads was changed."""
        if self._watch is None:
            return None
        old, new = self._watch.threads, self._watch.add(images, seconds)
        if new is None:
            return None
        self._asked = _idle_seconds()
        torch.set_num_threads(new)
        return old, new

    def _idle(self) -> float:
        (then, before), self._asked = self._asked, _idle_seconds()
        now, after = self._asked
        return (after - before) / (now - then) if now > then else 0.0


def _idle_seconds() -> tuple[float, float]:
    """(now, seconds that all cores together have been idle since the machine started)."""
    return time.monotonic(), psutil.cpu_times().idle

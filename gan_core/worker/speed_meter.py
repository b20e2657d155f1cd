"""How many images a second are trained on, over the last seconds."""

from __future__ import annotations

from collections import deque

SPEED_WINDOW = 4.0  # seconds of training over which images per second are measured


class SpeedMeter:
    """Images per second over the last SPEED_WINDOW seconds."""

    def __init__(self) -> None:
        self._recent: deque[tuple[float, int]] = deque()  # (seconds, images seen until then)

    def add(self, now: float, images: int) -> float | None:
        """The speed up to `now`, when so many images have been seen in all; None for the first call."""
        self._recent.append((now, images))
        while now - self._recent[0][0] > SPEED_WINDOW:
            self._recent.popleft()
        then, before = self._recent[0]
        return (images - before) / (now - then) if now > then else None

    def clear(self) -> None:
        self._recent.clear()

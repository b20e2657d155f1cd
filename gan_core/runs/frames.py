"""The frames that a run leaves behind, and the one rule that says which of them are kept.

The worker deletes by this rule; the page, which is sent its two numbers, offers by it. This file touches no disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FRAME_RATIO, NEWEST_FRAMES = 1.08, 2


@dataclass(frozen=True)
class Frame:
    """One sample grid (PNG), or one frame of points (JSON), on disk."""

    seq: int
    step: int
    path: Path


def kept_frames(frames: list[Frame]) -> list[Frame]:
    """Of frames, oldest first, those that are kept: one whose step is FRAME_RATIO times the last kept one's, and the newest."""
    newest = frames[-NEWEST_FRAMES:]
    kept: list[Frame] = []
    for frame in frames:
        if not kept or frame.step > max(kept[-1].step * FRAME_RATIO, kept[-1].step + 1) or frame in newest:
            kept.append(frame)
    return kept

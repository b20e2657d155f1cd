"""Frames, and the rule by which a run keeps some of them. It touches no disk.

The worker applies the rule to the files; the page gets its two numbers and applies the same rule to its history.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FRAME_RATIO = 1.08  # the smallest ratio of the steps of two consecutive kept frames
NEWEST_FRAMES = 2  # the newest frames, which are always kept


@dataclass(frozen=True)
class Frame:
    """One sample grid (PNG) or one frame of points (JSON) on the disk."""

    seq: int
    step: int
    path: Path


def kept_frames(frames: list[Frame]) -> list[Frame]:
    """The frames to keep, of all frames in order: steps that grow by FRAME_RATIO or more, and the newest ones."""
    newest = frames[-NEWEST_FRAMES:]
    kept: list[Frame] = []
    for frame in frames:
        if not kept or frame.step > max(kept[-1].step * FRAME_RATIO, kept[-1].step + 1) or frame in newest:
            kept.append(frame)
    return kept

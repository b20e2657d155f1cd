"""Frames, how their pictures stand in rows, and the rule by which a run keeps some of them. It touches no disk.

The worker applies the rule to the files; the page gets its two numbers and applies the same rule to its history.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FRAME_RATIO = 1.08  # the smallest ratio of the steps of two consecutive kept frames
ROWS, COLUMNS = 8, 8  # of a sample grid; where there are classes, see `grid_layout`
MOST_CLASSES = 16  # that have their own columns; of more the grid shows the first 64 in turn
VERDICTS = "verdicts"  # the text in a grid's PNG: JSON {"fakes": [percent real, of each picture], "reals": [...]}
NEAREST = "nearest"  # the text in the PNG of nearest real pictures, see docs/run-folder.md
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


def grid_layout(classes: int) -> tuple[int, int]:
    """(columns of a sample grid, columns of each class): about eight columns, so that two classes fill a grid as ten do.

    The second is 0 where there are no classes, or too many to stand side by side.
    """
    if not 0 < classes <= MOST_CLASSES:
        return COLUMNS, 0
    each = max(1, round(COLUMNS / classes))
    return classes * each, each


def grid_labels(classes: int) -> list[int]:
    """The class of each picture of a sample grid, by rows: its column's, or each in turn; of as many 0 where there are none."""
    columns, each = grid_layout(classes)
    return [place % columns // each if each else place % max(1, classes) for place in range(ROWS * columns)]

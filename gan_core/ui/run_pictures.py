"""The pictures and the points of a run's folder, as a browser may be sent them: plain files of bounded size, each of its kind.

Whatever else lies under such a name, in a folder that is perhaps a stranger's, reaches nobody and holds no thread.
"""

from __future__ import annotations

import json
from pathlib import Path

from ..data.rendering import png_sides
from ..runs.files import read_plain
from ..runs.frames import COLUMNS, ROWS

MOST_BYTES = 32 << 20  # of one file; the largest nearest pictures here take 4 MB
MAX_COLUMNS = 100  # of a grid; a worker draws about ten
MAX_SIDE = 16_384  # pixels of a picture


class WrongKindError(ValueError):
    """The file is not what its name says."""


def read_picture(path: Path) -> bytes:
    """A PNG of any sides. Raises OSError where there is none, WrongKindError for anything else."""
    data = read_plain(path, MOST_BYTES)
    _sides(data, path)
    return data


def read_grid(path: Path) -> bytes:
    """A grid of fakes as PNG: ROWS rows of square cells. Raises as `read_picture`."""
    data = read_plain(path, MOST_BYTES)
    if grid_columns(data) is None:
        raise WrongKindError(f"{path.name} is no grid of pictures.")
    return data


def read_nearest(path: Path) -> bytes:
    """A PNG of square cells, COLUMNS in a row, as the nearest real pictures stand. Raises as `read_picture`."""
    data = read_plain(path, MOST_BYTES)
    width, height = _sides(data, path)
    if width % COLUMNS or height % (width // COLUMNS):
        raise WrongKindError(f"{path.name} does not hold {COLUMNS} square pictures in a row.")
    return data


def read_points(path: Path) -> bytes:
    """A frame of points, or real points, as JSON: an object. Raises as `read_picture`."""
    data = read_plain(path, MOST_BYTES)
    try:
        holds_object = isinstance(json.loads(data), dict)
    except (ValueError, RecursionError):
        holds_object = False
    if not holds_object:
        raise WrongKindError(f"{path.name} holds no JSON object.")
    return data


def grid_columns(data: bytes) -> int | None:
    """The square cells in a row of a grid. None for what is no PNG, or has the sides of no grid."""
    sides = png_sides(data)
    if sides is None or max(sides) > MAX_SIDE or ROWS * sides[0] > MAX_COLUMNS * sides[1]:
        return None
    width, height = sides
    return max(1, round(ROWS * width / height))


def _sides(data: bytes, path: Path) -> tuple[int, int]:
    sides = png_sides(data)
    if sides is None or max(sides) > MAX_SIDE:
        raise WrongKindError(f"{path.name} is no picture.")
    return sides

"""What the worker wrote of the real pictures nearest to the fakes of a frame, checked: the file may be damaged, or another's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypedDict

from ..data.rendering import png_sides, png_text
from ..runs.frames import COLUMNS, NEAREST
from ..runs.json_types import fits
from .run_pictures import read_nearest


class NearestPlaces(TypedDict):
    """`reals`: how many were searched; of each fake its nearest one's place in the picture, by rows, and its distance."""

    reals: int
    places: list[int]
    distances: list[float]


MOST = 2**31  # above any count and any distance
NONE: NearestPlaces = {"reals": 0, "places": [], "distances": []}


def read_nearest_places(path: Path, name: str) -> NearestPlaces:
    """Those of the fakes by one generator, "now" or "average"; NONE where none were kept, or what is there makes no sense.

    Each field is taken by itself: whatever else stands in the file reaches nobody.
    """
    try:
        picture = read_nearest(path)
        told = json.loads(png_text(picture, NEAREST) or "{}")
        found: NearestPlaces = {"reals": told["reals"], "places": told[name]["places"], "distances": told[name]["distances"]}
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return NONE
    return found if _is_sound(found, png_sides(picture)) else NONE


def _is_sound(found: NearestPlaces, sides: tuple[int, int] | None) -> bool:
    """Whether each fake has a distance, and a place among the square cells of a picture with these sides."""
    if sides is None or not fits(found, NearestPlaces) or len(found["places"]) != len(found["distances"]):
        return False
    width, height = sides
    cells = COLUMNS * (COLUMNS * height // width)
    return (all(0 <= value < MOST for value in (found["reals"], *found["distances"]))
            and all(0 <= place < min(cells, MOST) for place in found["places"]))

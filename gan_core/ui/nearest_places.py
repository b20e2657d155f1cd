"""What the worker wrote of the real pictures nearest to the fakes of a frame, checked: the file may be damaged, or another's."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any, TypedDict

from ..data.rendering import png_text
from ..runs.frames import COLUMNS, NEAREST


class NearestPlaces(TypedDict):
    """`reals`: how many were searched; of each fake its nearest one's place in the picture, by rows, and its distance."""

    reals: int
    places: list[int]
    distances: list[float]


MOST = 2**31  # above any count and any distance; infinity and NaN are not below it
NONE: NearestPlaces = {"reals": 0, "places": [], "distances": []}


def read_nearest_places(path: Path, name: str) -> NearestPlaces:
    """Those of the fakes by one generator, "now" or "average"; NONE where none were kept, or what is there makes no sense.

    Each field is taken by itself: whatever else stands in the file reaches nobody.
    """
    try:
        picture = path.read_bytes()
        told = json.loads(png_text(picture, NEAREST) or "{}")
        reals, places, distances = told["reals"], told[name]["places"], told[name]["distances"]
        # A PNG's first chunk begins with width and height [RFC 2083, 4.1.1]; its cells are square.
        width, height = struct.unpack(">II", picture[16:24])
        cells = COLUMNS * (COLUMNS * height // width)
    except (OSError, ValueError, LookupError, TypeError, ZeroDivisionError, struct.error, RecursionError):
        return NONE
    sound = (_is_count(reals) and isinstance(places, list) and isinstance(distances, list) and len(places) == len(distances)
             and all(_is_count(place) and place < cells for place in places) and all(map(_is_distance, distances)))
    return {"reals": reals, "places": places, "distances": distances} if sound else NONE


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MOST


def _is_distance(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < MOST

"""What a run folder from elsewhere may hold: names by pattern, sizes by kind, contents by type, before a reader here sees them.

It reads and writes nothing; `mirror` brings the bytes. Networks in live/ pass `checkpoint.read` when somebody opens them.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from typing import Any, get_args, get_origin, get_type_hints

from ..metrics import SERIES
from ..status import SCHEMA, Status
from .address import RemoteError

KB, MB, GB = 1 << 10, 1 << 20, 1 << 30
CONFIG, STATUS = "config.json", "status.json"
SMALL = ("data.json", "floor.json", "real.png", "real.json")
METRICS = re.compile(r"[0-9]{4,9}\.jsonl", re.ASCII)
FRAME = re.compile(r"([0-9]{1,12})-[0-9]{1,18}\.(png|json)", re.ASCII)
LIVE = re.compile(r"([0-9]{1,12})\.safetensors", re.ASCII)
POINTERS = ("best.json", "latest.json")
TEXT_LIMIT, PICTURE_LIMIT, LIVE_LIMIT, METRICS_LIMIT, CHECKPOINT_LIMIT = MB, 4 * MB, 256 * MB, 64 * MB, 2 * GB
MOST_FRAMES, MOST_LIVES = 2000, 1000  # a run of 10^9 steps keeps some 270 frames
RUN_LIMIT = GB  # everything but checkpoints
SIDE = 8192  # pixels of a picture
PNG = b"\x89PNG\r\n\x1a\n"
LARGEST = 2**62


def parsed(name: str, data: bytes) -> dict[str, Any]:
    """A JSON object, strictly: no NaN, no depth that ends the parser."""
    try:
        value = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise RemoteError(f"{name} from there is not JSON ({str(error)[:80]}).") from error
    if not isinstance(value, dict):
        raise RemoteError(f"{name} from there holds {type(value).__name__}, not an object.")
    return value


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def info(data: bytes, origin: str) -> dict[str, Any]:
    """config.json of a run from `origin`, for reading only: kind "remote"."""
    found = parsed(CONFIG, data)
    if found.get("schema") != SCHEMA:
        schema = str(found.get("schema"))[:40]
        raise RemoteError(f"{origin} was written with schema {schema!r}; this version reads schema {SCHEMA}.")
    types = {"id": str, "name": str, "preset": str, "config": dict}
    for name, kind in types.items():
        if not isinstance(found.get(name), kind):
            raise RemoteError(f"{origin} is no run: in its config.json {name} is {str(found.get(name))[:40]!r}.")
    created = found.get("created")
    return {"schema": SCHEMA, "id": found["id"][:200], "name": found["name"][:200], "kind": "remote", "origin": origin,
            "created": created if _number(created) else 0.0, "preset": found["preset"][:60], "config": found["config"],
            "parent": found.get("parent") if isinstance(found.get("parent"), dict) else None}


def status(data: bytes) -> Status:
    """status.json, every field of its own type: readers here trust them."""
    found, hints = parsed(STATUS, data), get_type_hints(Status)
    for field in dataclasses.fields(Status):
        if field.name in found and not _fits(found[field.name], hints[field.name]):
            raise RemoteError(f"status.json from there is refused: {field.name} is {str(found[field.name])[:40]!r}.")
    promised = {"error": {"kind": str, "message": str}, "best": {"step": int, "name": str, "value": (int, float)},
                "progress": {"stage": str, "done": (int, float), "total": (int, float), "what": str}}
    for name, parts in promised.items():
        value = found.get(name)
        if value is not None and not all(isinstance(value.get(part), kind) for part, kind in parts.items()):
            raise RemoteError(f"status.json from there is refused: {name} is {str(value)[:40]!r}.")
    try:
        return Status.from_dict(found)
    except (ValueError, TypeError) as error:
        raise RemoteError(f"status.json from there is refused: {str(error)[:200]}") from error


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and abs(value) < LARGEST


def _fits(value: Any, hint: Any) -> bool:
    if hint is bool or hint is str:
        return type(value) is hint
    if hint is int:
        return type(value) is int and _number(value)
    if hint is float:
        return _number(value)
    if get_origin(hint) is list:
        return isinstance(value, list) and len(value) <= 100 and all(isinstance(one, dict) for one in value)
    if get_origin(hint) is dict:
        return isinstance(value, dict)
    return any(value is None if kind is type(None) else _fits(value, kind) for kind in get_args(hint))


def small(name: str, data: bytes) -> bytes:
    """A picture or an object as it is, or RemoteError."""
    if not name.endswith(".png"):
        parsed(name, data)
        return data
    width, height = (int.from_bytes(data[begin:begin + 4], "big") for begin in (16, 20))
    if data[:8] != PNG or data[12:16] != b"IHDR" or not (0 < width <= SIDE and 0 < height <= SIDE):
        raise RemoteError(f"{name} from there is no PNG picture of at most {SIDE} x {SIDE} pixels.")
    return data


def lines(name: str, data: bytes) -> bytes:
    """The whole lines of a piece of metrics; a torn one stays (readers skip it), one of wrong types is refused."""
    data = data[:data.rfind(b"\n") + 1]
    for line in data.splitlines():
        try:
            record = json.loads(line, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and not _sound(record):
            raise RemoteError(f"{name} from there holds a line that is no record of a run: {str(record)[:80]!r}.")
    return data


def _sound(record: dict[str, Any]) -> bool:
    """What readers use has the type they expect; names of a later version may hold anything."""
    for name, value in record.items():
        if name in ("life", "start_step", "step", "images", "n"):
            sound = type(value) is int and 0 <= value < LARGEST
        elif name == "quality":
            sound = isinstance(value, dict) and len(value) <= 100 and all(map(_number, value.values()))
        elif name == "histogram":
            sound = isinstance(value, list) and len(value) <= 10_000 and all(map(_number, value))
        elif name == "mark":
            changes = value.get("changes") if isinstance(value, dict) else None
            sound = isinstance(changes, dict) and isinstance(value.get("kind"), str) and all(
                isinstance(pair, list) and len(pair) == 2 for pair in changes.values())
        else:
            sound = name not in ("t", *SERIES) or _number(value)
        if not sound:
            return False
    return True

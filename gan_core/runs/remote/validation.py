"""The checks of a run folder that comes from elsewhere: names by pattern, sizes by kind, contents by type.

`mirror` fetches the bytes and passes them through here before they are stored. Live files and checkpoints are checked by
`checkpoint.read` when they are opened.
"""

from __future__ import annotations

import dataclasses
import json
import math
import types
from typing import Any, NoReturn, Union, get_args, get_origin, get_type_hints, is_typeddict

from ...messages import Message
from .. import layout
from ..metrics import Record, SegmentStart
from ..run import Parent, RunInfo
from ..status import SCHEMA, Status
from .folder import RemoteError

KB, MB, GB = 1 << 10, 1 << 20, 1 << 30
SMALL_FILES = (layout.DATA, layout.FLOOR, layout.REAL_PICTURES, layout.REAL_POINTS)
POINTERS = (layout.BEST, layout.LATEST)
TEXT_LIMIT, POINTER_LIMIT, PICTURE_LIMIT = MB, 10_000, 4 * MB  # bytes of one file
LIVE_LIMIT, METRICS_LIMIT, CHECKPOINT_LIMIT = 256 * MB, 64 * MB, 2 * GB
RUN_LIMIT = GB  # bytes of a run without its checkpoints
MAX_FRAMES, MAX_LIVES = 2000, 1000  # a run of 10^9 steps keeps some 270 frames
MAX_SIDE = 8192  # pixels of a picture
MAX_ITEMS, MAX_NUMBERS = 100, 10_000  # of a list or of named numbers; of a list of numbers
MAX_NUMBER = 2**62
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
RECORD_TYPES = get_type_hints(Record) | get_type_hints(SegmentStart)


def parse_object(name: str, data: bytes) -> dict[str, Any]:
    """The JSON object of the file `name`. Raises RemoteError, also for NaN and for nesting too deep for the parser."""
    try:
        value = json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise RemoteError(f"{name} from there is not JSON ({str(error)[:80]}).") from error
    if not isinstance(value, dict):
        raise RemoteError(f"{name} from there holds {type(value).__name__}, not an object.")
    return value


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def parse_info(data: bytes, origin: str) -> RunInfo:
    """config.json of a run at the address `origin`, as that of a read-only run (kind "remote"). Raises RemoteError."""
    info = parse_object(layout.CONFIG, data)
    if info.get("schema") != SCHEMA:
        schema = str(info.get("schema"))[:40]
        raise RemoteError(f"{origin} was written with schema {schema!r}; this version reads schema {SCHEMA}.")
    for name in ("id", "name", "preset", "config"):
        if not _fits(info.get(name), get_type_hints(RunInfo)[name]):
            raise RemoteError(f"{origin} is no run: in its config.json {name} is {str(info.get(name))[:40]!r}.")
    created, parent = info.get("created", 0.0), info.get("parent")
    return {"schema": SCHEMA, "id": info["id"][:200], "name": info["name"][:200], "kind": "remote", "origin": origin,
            "created": float(created) if _is_number(created) else 0.0, "preset": info["preset"][:60], "config": info["config"],
            "parent": parent if _fits(parent, Parent) else None}


def parse_status(data: bytes) -> Status:
    """status.json with every field of its declared type, because readers rely on that. Raises RemoteError."""
    values, hints = parse_object(layout.STATUS, data), get_type_hints(Status)
    for field in dataclasses.fields(Status):
        if field.name in values and not _fits(values[field.name], hints[field.name]):
            raise RemoteError(f"status.json from there is refused: {field.name} is {str(values[field.name])[:40]!r}.")
    try:
        return Status.from_dict(values)
    except (ValueError, TypeError) as error:
        raise RemoteError(f"status.json from there is refused: {str(error)[:200]}") from error


def check_small_file(name: str, data: bytes) -> bytes:
    """A picture or a JSON object, unchanged. Raises RemoteError."""
    if not name.endswith(".png"):
        parse_object(name, data)
        return data
    width, height = (int.from_bytes(data[begin:begin + 4], "big") for begin in (16, 20))
    if data[:8] != PNG_SIGNATURE or data[12:16] != b"IHDR" or not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise RemoteError(f"{name} from there is no PNG picture of at most {MAX_SIDE} x {MAX_SIDE} pixels.")
    return data


def check_metrics(name: str, data: bytes) -> bytes:
    """The whole lines of a piece of metrics. A line that is no JSON stays, because readers skip it.

    Raises RemoteError for a record with a field of the wrong type.
    """
    data = data[:data.rfind(b"\n") + 1]
    for line in data.splitlines():
        try:
            record = json.loads(line, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and not _is_record(record):
            raise RemoteError(f"{name} from there holds a line that is no record of a run: {str(record)[:80]!r}.")
    return data


def _is_record(record: dict[str, Any]) -> bool:
    """Whether the known fields have their types; a later version may have added others, of any type."""
    for name, value in record.items():
        if name in RECORD_TYPES and not _fits(value, RECORD_TYPES[name]):
            return False
        if RECORD_TYPES.get(name) is int and value < 0:
            return False
        if name == "mark" and any(len(change) != 2 for change in value["changes"].values()):
            return False
    return True


# Values against types.

def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and abs(value) < MAX_NUMBER


def _fits(value: Any, hint: Any) -> bool:
    """Whether a JSON value has this type: a plain type, a list, a dict with text keys, a TypedDict or a union of these."""
    if hint is Any:
        return True
    if hint in (bool, str):
        return type(value) is hint
    if hint is int:
        return type(value) is int and _is_number(value)
    if hint is float:
        return _is_number(value)
    if hint is Message:  # recursive; `Language.sentence` copes with any values
        return isinstance(value, dict) and isinstance(value.get("key"), str) and isinstance(value.get("values"), dict)
    if is_typeddict(hint):
        return isinstance(value, dict) and hint.__required_keys__ <= value.keys() and all(
            _fits(value[name], kind) for name, kind in get_type_hints(hint).items() if name in value)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is list:  # JSON has no tuples
        limit = MAX_NUMBERS if arguments[0] is float else MAX_ITEMS
        return isinstance(value, list) and len(value) <= limit and all(_fits(item, arguments[0]) for item in value)
    if origin is dict:
        if not isinstance(value, dict) or (arguments[1] is float and len(value) > MAX_ITEMS):
            return False
        return all(_fits(item, arguments[1]) for item in value.values())
    if origin in (Union, types.UnionType):
        return any(value is None if kind is type(None) else _fits(value, kind) for kind in arguments)
    raise TypeError(f"there is no check for {hint}")

"""The checks of a run folder that comes from elsewhere: names by pattern, sizes by kind, contents by type.

`mirror` fetches the bytes and passes them through here before they are stored. Live files and checkpoints are checked by
`checkpoint.read` when they are opened.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from .. import layout
from ..json_types import fits, is_number, type_hints
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
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
RECORD_TYPES = type_hints(Record) | type_hints(SegmentStart)


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
        if not fits(info.get(name), type_hints(RunInfo)[name]):
            raise RemoteError(f"{origin} is no run: in its config.json {name} is {str(info.get(name))[:40]!r}.")
    created, parent = info.get("created", 0.0), info.get("parent")
    return {"schema": SCHEMA, "id": info["id"][:200], "name": info["name"][:200], "kind": "remote", "origin": origin,
            "created": float(created) if is_number(created) else 0.0, "preset": info["preset"][:60], "config": info["config"],
            "parent": parent if fits(parent, Parent) else None}


def parse_status(data: bytes) -> Status:
    """status.json with every field of its declared type, because readers rely on that. Raises RemoteError."""
    values = parse_object(layout.STATUS, data)
    for name, hint in type_hints(Status).items():
        if name in values and not fits(values[name], hint):
            raise RemoteError(f"status.json from there is refused: {name} is {str(values[name])[:40]!r}.")
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
        if name in RECORD_TYPES and not fits(value, RECORD_TYPES[name]):
            return False
        if RECORD_TYPES.get(name) is int and value < 0:
            return False
        if name == "mark" and any(len(change) != 2 for change in value["changes"].values()):
            return False
    return True

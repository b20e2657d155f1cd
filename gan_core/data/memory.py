"""Whether data fit into memory, checked before they are read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import psutil

from ..compute.cgroups import own_groups
from ..messages import Value, byte_size
from .types import DataError

RESERVE = 256 << 20  # bytes left to networks, optimizers and other programs
# The limit, the usage, and the pages in memory.stat that the kernel can reclaim, by the version of control groups.
FILES = {1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
         2: ("memory.max", "memory.current", "inactive_file")}
LABEL_BYTES = 8


def check_pictures(count: int, shape: tuple[int, ...], what: Value) -> None:
    """Refuse `count` pictures of `shape`, one byte a value, where memory does not hold them. what: a value of a `Fault`.

    The DataError names what they need, what is free and how many would fit.
    """
    each, free = math.prod(shape) + LABEL_BYTES, _free()
    if count * each > free:
        values = {"what": what, "count": count, "form": " x ".join(str(side) for side in shape),
                  "need": byte_size(count * each), "free": byte_size(free), "other": {"field": "image_size"}}
        if fit := free // each:
            raise DataError("memory", field={"field": "max_images"}, fit=fit, **values)
        raise DataError("memory_none", **values)


def check_bytes(count: int, what: Value) -> None:
    """Refuse data that take `count` bytes while they are read, however few pictures are needed of them. Raises DataError."""
    if count > _free():
        raise DataError("memory_reading", what=what, need=byte_size(count), free=byte_size(_free()))


def _free() -> int:
    return max(0, available_bytes() - RESERVE)


def available_bytes() -> int:
    """Bytes that this process may still take: the machine's free memory, or less under a control group's limit."""
    return max(0, min([psutil.virtual_memory().available, *_left_in_groups()]))


def _left_in_groups() -> Iterator[int]:
    """The bytes that each control group above this process leaves, of version 2 and of version 1."""
    for version, folder in own_groups("memory"):
        if (left := _left(folder, *FILES[version])) is not None:
            yield left


def _left(folder: Path, limit_file: str, usage_file: str, cache_key: str) -> int | None:
    try:
        limit = int((folder / limit_file).read_text())
        usage = int((folder / usage_file).read_text())
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        # The kernel reclaims inactive pages of files before an allocation fails.
        return limit - usage + int(stat.get(cache_key, 0))
    except (OSError, ValueError):  # "max": no limit here
        return None

"""Whether so many pictures have room in memory, told before they are read. It knows sizes, no pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from ..messages import byte_size
from .types import DataError

RESERVE = 256 << 20  # bytes left to the networks, to their optimizers and to everybody else
CGROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")
LABEL = 8  # bytes


def check_pictures(count: int, shape: tuple[int, ...], what: Any) -> None:
    """Refuse `count` pictures of `shape`, one byte a value, where memory does not hold them. what: as a `Fault` takes it.

    Raises DataError in a sentence: what they need, what is free, how many would fit.
    """
    each, free = math.prod(shape) + LABEL, _free()
    if count * each > free:
        values = {"what": what, "count": count, "form": " x ".join(str(side) for side in shape), "need": byte_size(count * each),
                  "free": byte_size(free), "other": {"field": "image_size"}}
        if fit := free // each:
            raise DataError("memory", field={"field": "max_images"}, fit=fit, **values)
        raise DataError("memory_none", **values)


def check_bytes(count: int, what: Any) -> None:
    """Refuse what takes `count` bytes while it is read, however few pictures are wanted of it. Raises DataError in a sentence."""
    if count > _free():
        raise DataError("memory_reading", what=what, need=byte_size(count), free=byte_size(_free()))


def _free() -> int:
    return max(0, available_bytes() - RESERVE)


def available_bytes() -> int:
    """Bytes that this process may still take: what the machine has free, or less where a control group sets a limit."""
    return max(0, min([psutil.virtual_memory().available, *_left_in_groups()]))


def _left_in_groups() -> Iterator[int]:
    """What each control group above this process leaves, version 2 and version 1; nothing where there are none."""
    try:
        lines = OWN_GROUPS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        number, _, rest = line.partition(":")
        kinds, _, path = rest.partition(":")
        if number == "0" and not kinds:
            root, names = CGROUPS, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in kinds.split(","):
            root, names = CGROUPS / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        # Inside a container the path is the host's, and only the root is there: what does not exist is passed over.
        group = root / path.strip("/")
        for folder in [group, *group.parents]:
            if folder.is_relative_to(root) and (left := _left(folder, *names)) is not None:
                yield left


def _left(folder: Path, limit: str, used: str, cache: str) -> int | None:
    try:
        most = int((folder / limit).read_text())
        taken = int((folder / used).read_text())
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        # Pages of files that nobody needs now are given back before anything fails.
        return most - taken + int(stat.get(cache, 0))
    except (OSError, ValueError):  # "max": no limit here
        return None

"""How many processor cores this process may use: its affinity, and the quotas of its control groups. Imports no torch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from .cgroups import own_groups


def cores() -> int:
    """Processor cores this process may use, at least 1. Of a quota of 2.5 cores 2: a third thread would wait half of the time.

    A container is usually limited by a quota, under which the system still shows all cores of the machine.
    """
    return max(1, int(min([_allowed_cores(), *_quotas()])))


def limit_library_threads() -> None:
    """Keep numpy, scipy and torch from starting a thread for each core of the machine where a quota allows fewer.

    To be called before they are imported. Threads beyond the quota use it up early in each period, and all then stand still for
    the rest of it. A number that somebody has set stays.
    """
    if cores() < _allowed_cores():
        os.environ.setdefault("OMP_NUM_THREADS", str(cores()))  # OpenBLAS and MKL read it, too


def _allowed_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _quotas() -> Iterator[float]:
    """The cores that each control group above this process allows, of version 2 and of version 1."""
    for version, folder in own_groups("cpu"):
        if (quota := _quota_v2(folder) if version == 2 else _quota_v1(folder)) is not None:
            yield quota


def _quota_v2(folder: Path) -> float | None:
    try:
        quota, period = (folder / "cpu.max").read_text().split()
        return int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # "max": no limit here
        return None


def _quota_v1(folder: Path) -> float | None:
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text())
        return quota / int((folder / "cpu.cfs_period_us").read_text()) if quota > 0 else None  # -1: no limit here
    except (OSError, ValueError, ZeroDivisionError):
        return None

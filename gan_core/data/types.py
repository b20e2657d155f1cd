"""What is asked of a data set and what comes back: the one form that every module of this folder shares.

It knows no data set, no network and no page, and never imports torch: the page looks at data before torch is there.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from ..messages import Fault


class DataError(Fault, RuntimeError):
    """The data cannot be had or read; one sentence that says what was tried and what to do."""


class Cancelled(DataError):
    """Somebody changed their mind; what was fetched is kept for the next time."""


@dataclass(frozen=True)
class Progress:
    """How far it is. stage: "downloading" (done, total in bytes), "reading" or "fitting" (pictures); total 0 = not known yet."""

    stage: str
    done: int = 0
    total: int = 0
    what: str = ""  # the file at hand


@dataclass(frozen=True)
class DataRequest:
    """A data set and the form it is wanted in.

    size: 28, 32 or 64 pixels, 0 for the set's own; color: "auto", "grey" or "color"; crop: "center", "pad" or "stretch";
    limit: at most so many pictures, 0 for all that memory holds. Whoever takes long calls `step` often: it reports, and it
    raises Cancelled.
    """

    name: str
    argument: str = ""
    size: int = 0
    color: str = "auto"
    crop: str = "center"
    limit: int = 0
    on_progress: Callable[[Progress], None] = field(default=lambda progress: None, compare=False, repr=False)
    is_cancelled: Callable[[], bool] = field(default=lambda: False, compare=False, repr=False)

    def report_progress(self, stage: str, done: int = 0, total: int = 0, what: str = "") -> None:
        """Say how far it is. Raises Cancelled."""
        self.on_progress(Progress(stage, done, total, what))
        if self.is_cancelled():
            raise Cancelled("cancelled")


@dataclass(frozen=True)
class LoadedData:
    """Pictures uint8 (N, C, H, W), or points float32 (N, 2), in memory.

    labels int64 (N,) from 0, or None; names: what class k is called, () where nobody knows; found: how many there were before
    any were left out; skipped: how many were left out for each reason (a word of docs/data.md).
    """

    data: np.ndarray
    labels: np.ndarray | None = None
    names: tuple[str, ...] = ()
    found_count: int = 0
    skipped: dict[str, int] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """The same without the arrays, in plain JSON types: what the page says of the data."""
        return {"count": len(self.data), "shape": list(self.data.shape[1:]), "names": list(self.names), "skipped": self.skipped,
                "found": self.found_count or len(self.data), "labelled": self.labels is not None, "bytes": int(self.data.nbytes),
                "crc32": self._checksum()}

    def _checksum(self) -> int:
        """By which a later life of a run sees that its data are others."""
        data = zlib.crc32(np.ascontiguousarray(self.data))
        return data if self.labels is None else zlib.crc32(np.ascontiguousarray(self.labels), data)


def data_folder() -> Path:
    """Where downloads, uploads and prepared pictures are kept: $GAN_PLAYGROUND_DATA, else the user's cache folder."""
    return Path(os.environ.get("GAN_PLAYGROUND_DATA") or platformdirs.user_cache_dir("gan-playground")) / "data"

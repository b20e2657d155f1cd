"""What a caller asks of a data set and what it gets: the types that every module of this package shares.

Nothing here imports torch: the page looks at data before torch is loaded.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import platformdirs

from ..messages import Fault
from ..runs.data_summary import DataSummary, Decisions


class DataError(Fault, RuntimeError):
    """The data cannot be fetched or read; its sentence names what was tried and what to do."""


class Cancelled(DataError):
    """The caller cancelled; what was fetched stays for the next time."""


@dataclass(frozen=True)
class Progress:
    """How far loading is. stage: "downloading" (done, total in bytes), "reading" or "fitting" (pictures); total 0 = unknown."""

    stage: str
    done: int = 0
    total: int = 0
    what: str = ""  # the current file


@dataclass(frozen=True)
class DataRequest:
    """A data set and the form in which its data are needed.

    size: 28, 32 or 64 pixels, 0 for the set's native size; color: "auto", "grey" or "color"; crop: "center", "pad" or
    "stretch"; background: "auto", "white" or "black", of transparent parts; limit: the most pictures, 0 for all that fit into
    memory. Whatever takes long calls `report_progress` often.
    """

    name: str
    argument: str = ""
    size: int = 0
    color: str = "auto"
    crop: str = "center"
    limit: int = 0
    background: str = "auto"
    on_progress: Callable[[Progress], None] = field(default=lambda progress: None, compare=False, repr=False)
    is_cancelled: Callable[[], bool] = field(default=lambda: False, compare=False, repr=False)

    def report_progress(self, stage: str, done: int = 0, total: int = 0, what: str = "") -> None:
        """Call `on_progress`, then raise Cancelled if `is_cancelled` returns True."""
        self.on_progress(Progress(stage, done, total, what))
        if self.is_cancelled():
            raise Cancelled("cancelled")


class ByteReader(Protocol):
    """An open file, an entry of an archive, a decompressed stream: all that a reader of pictures needs."""

    def read(self, size: int = -1, /) -> bytes: ...


@dataclass(frozen=True)
class LoadedData:
    """Pictures uint8 (N, C, H, W), or points float32 (N, 2), in memory.

    labels: int64 (N,) from 0, or None; names: the name of class k, () if unknown; found_count: how many there were before
    any were left out; skipped: how many were left out for each reason (a word of docs/data.md); decisions: what was chosen for
    these pictures.
    """

    data: np.ndarray
    labels: np.ndarray | None = None
    names: tuple[str, ...] = ()
    found_count: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    decisions: Decisions = field(default_factory=Decisions)

    def summary(self) -> DataSummary:
        """Counts, shape, class names and checksum."""
        return {"count": len(self.data), "shape": list(self.data.shape[1:]), "names": list(self.names), "skipped": self.skipped,
                "decisions": self.decisions, "found": self.found_count or len(self.data), "labelled": self.labels is not None,
                "bytes": int(self.data.nbytes), "crc32": self._checksum()}

    def _checksum(self) -> int:
        checksum = crc32(self.data)
        return checksum if self.labels is None else crc32(self.labels, checksum)


def crc32(array: np.ndarray, start: int = 0) -> int:
    """The CRC-32 of an array's values in C order, continued from `start`."""
    return zlib.crc32(np.ascontiguousarray(array).data, start)


def data_folder() -> Path:
    """Where downloads, uploads and prepared pictures are kept: $GAN_PLAYGROUND_DATA, else the user's cache folder."""
    return Path(os.environ.get("GAN_PLAYGROUND_DATA") or platformdirs.user_cache_dir("gan-playground")) / "data"

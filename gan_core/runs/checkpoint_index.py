"""Pointers to checkpoints: latest.json names the one that a new life goes on from, best.json the best measured one.

`checkpoint` reads and writes the checkpoints themselves. This module imports no torch, so that the page can go back to the best.
"""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any, NotRequired, TypedDict, cast

from ..messages import Explained, Fault, os_reason
from .files import atomic_write, open_plain, sha256_of
from .layout import BEST, LATEST, checkpoint_step

__all__ = ["BEST", "LATEST", "CheckpointError", "CheckpointPointer", "checkpoint_step", "left_step", "read_pointer",
           "restore_best", "write_pointer"]


class CheckpointError(Explained, ValueError):
    """A file that is not, or would not be, a valid checkpoint; one sentence."""


class CheckpointPointer(TypedDict):
    """latest.json or best.json. `file`: its name in the same folder; `sha256`: of that file, in hex.

    latest.json may have `restored`: a later step, `left`, was left to go back to this one; and `knobs`: the live settings, in
    place of those in the file, which is the best one's and stays as it was measured. best.json has the measure's `name`,
    its `value` and the `rank`, by which generators are ordered (lower is better).
    """

    file: str
    sha256: str
    step: int
    restored: NotRequired[bool]
    left: NotRequired[int]
    knobs: NotRequired[dict[str, Any]]
    name: NotRequired[str]
    value: NotRequired[float]
    rank: NotRequired[list[float]]


def write_pointer(folder: Path | str, file: str, sha256: str, step: int, pointer: str = LATEST, **more: Any) -> None:
    """Point to `file`, which must be on the disk already. `more`: further values of a CheckpointPointer."""
    atomic_write(Path(folder) / pointer, json.dumps({"file": file, "sha256": sha256, "step": step, **more}).encode())


def read_pointer(folder: Path | str, name: str = LATEST) -> CheckpointPointer | None:
    """The pointer, or None where there is none. Raises CheckpointError for a damaged one."""
    try:
        with open_plain(Path(folder) / name) as file:
            pointer = json.loads(file.read(10_000))
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{name} is damaged ({str(error)[:80]}).") from error
    # The name must not lead out of the folder: it must match the pattern of a checkpoint.
    step = checkpoint_step(str(pointer.get("file"))) if isinstance(pointer, dict) else None
    if step is None or pointer.get("step") != step or not re.fullmatch(r"[0-9a-f]{64}", str(pointer.get("sha256"))):
        raise CheckpointError(f"{name} does not name a checkpoint of this folder.")
    return cast(CheckpointPointer, pointer)


def restore_best(folder: Path | str, left: int | None = None) -> int:
    """Let the next life go on from the best checkpoint; returns its step. A kill at any moment leaves a valid folder.

    left: the step that is left so; None of an ended run, which would have gone on from its newest checkpoint. latest.json then
    holds `"restored": true`, which the next life turns into a mark on the curves, and `left`. Later checkpoints are deleted.
    Raises CheckpointError, and changes nothing, where there is no valid best checkpoint.
    """
    folder = Path(folder)
    best = read_pointer(folder, BEST)
    if best is None:
        raise CheckpointError(Fault("best_none"))
    try:
        sha256 = sha256_of(folder / best["file"])
    except OSError as error:
        raise CheckpointError(Fault("best_unreadable", file=best["file"], reason=os_reason(error))) from error
    if sha256 != best["sha256"]:
        raise CheckpointError(Fault("best_changed", file=best["file"]))
    left = _newest_step(folder, best["step"]) if left is None else left
    write_pointer(folder, best["file"], sha256, best["step"], restored=True, left=left)
    for path in folder.glob("step-*.safetensors"):
        step = checkpoint_step(path.name)
        if step is not None and step > best["step"]:
            with contextlib.suppress(OSError):
                path.unlink()
    return best["step"]


def _newest_step(folder: Path, default: int) -> int:
    """The step from which an ended run would have gone on; that of a return that no life has begun from yet counts as well."""
    with contextlib.suppress(CheckpointError, OSError):
        latest = read_pointer(folder)
        if latest is not None:
            return max(latest["step"], left_step(latest) or 0)
    return default


def left_step(pointer: CheckpointPointer) -> int | None:
    """The step that was left to go back to this checkpoint; None where it was not, or an older version did not write it."""
    left = pointer.get("left") if pointer.get("restored") is True else None
    return left if type(left) is int and left >= pointer["step"] else None

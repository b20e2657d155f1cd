"""Which checkpoint counts: latest.json names the one that a new life goes on from, best.json the best measured one.

It knows the files' names and checksums, not what is in them, and imports no torch: the page may ask to go back to the best.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from .files import atomic_write

LATEST, BEST = "latest.json", "best.json"


class CheckpointError(ValueError):
    """A file that is not, or would not be, a sound checkpoint; one sentence."""


def write_pointer(folder: Path | str, file: str, sha256: str, step: int, pointer: str = LATEST, **more: Any) -> None:
    """Make `file` the checkpoint that counts; call it after the file itself is on the disk. `more`: plain values beside it."""
    atomic_write(Path(folder) / pointer, json.dumps({"file": file, "sha256": sha256, "step": step, **more}).encode())


def read_pointer(folder: Path | str, name: str = LATEST) -> dict[str, Any] | None:
    """`{"file", "sha256", "step", ...}`, or None where there is none. Raises CheckpointError for a damaged one."""
    try:
        with open(Path(folder) / name, "rb") as file:
            pointer = json.loads(file.read(10_000))
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{name} is damaged ({str(error)[:80]}).") from error
    # The name may not lead out of the folder: only our own pattern is followed.
    if (not isinstance(pointer, dict) or not isinstance(pointer.get("file"), str) or step_of(pointer["file"]) is None
            or pointer.get("step") != step_of(pointer["file"]) or not re.fullmatch(r"[0-9a-f]{64}", str(pointer.get("sha256")))):
        raise CheckpointError(f"{name} does not name a checkpoint of this folder.")
    return pointer


def step_of(name: str) -> int | None:
    """The step in a checkpoint's file name, or None for any other name."""
    match = re.fullmatch(r"step-([0-9]{1,18})\.safetensors", name, re.ASCII)
    return int(match[1]) if match else None


def restore_best(folder: Path | str) -> int:
    """Make the best checkpoint the one that the next life goes on from; returns its step. Safe against a kill at any moment.

    latest.json then says `"restored": true`, which the next life turns into a mark on the curves. Newer
    checkpoints are deleted: they belong to a way that was left. Raises CheckpointError, and changes nothing, where there is
    no sound best one.
    """
    folder = Path(folder)
    best = read_pointer(folder, BEST)
    if best is None:
        raise CheckpointError("nothing has been measured yet, so there is no best checkpoint to go back to.")
    try:
        found = hashlib.sha256((folder / best["file"]).read_bytes()).hexdigest()
    except OSError as error:
        raise CheckpointError(f"the best checkpoint, {best['file']}, cannot be read ({error.strerror or error}).") from error
    if found != best["sha256"]:
        raise CheckpointError(f"the best checkpoint, {best['file']}, is not the file that was saved: its checksum differs.")
    write_pointer(folder, best["file"], found, best["step"], restored=True)
    for path in folder.glob("step-*.safetensors"):
        step = step_of(path.name)
        if step is not None and step > best["step"]:
            with contextlib.suppress(OSError):
                path.unlink()
    return best["step"]

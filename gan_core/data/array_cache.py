"""Pictures that were decoded once, kept as plain arrays: the second start and every resume read them instead.

A set is a folder under data_folder()/prepared, written whole or not at all; anything odd about it and it is made again. It
knows no pictures: what makes them is handed in. The longest unused go when all take more than MAX_TOTAL.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
import uuid
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..runs.files import atomic_write
from .types import Cancelled, DataRequest, LoadedData, data_folder

SCHEMA = 2  # another one when pictures are decoded in another way: what was prepared before is then made again
MAX_TOTAL = 4 << 30  # bytes of all prepared sets
SLICE = 16 << 20  # bytes between two looks at whether it was cancelled


def get_or_create(request: DataRequest, fingerprint: str, make: Callable[[], LoadedData], origin: str = "") -> LoadedData:
    """What `make()` gives, or gave before for the same fingerprint and ask. Raises what it raises, and Cancelled.

    origin: the data set that this is made of, by which it can be removed.
    """
    form = [SCHEMA, fingerprint, request.size, request.color, request.crop, request.limit]
    folder = data_folder() / "prepared" / hashlib.sha256(json.dumps(form).encode()).hexdigest()[:32]
    loaded = _read(folder, request)
    if loaded is None:
        loaded = make()
        with contextlib.suppress(OSError):  # no room, a folder that cannot be written: it is made again the next time
            _write(folder, loaded, origin)
    return loaded


def usage_by_origin() -> dict[str, tuple[int, float]]:
    """What sets were made of -> (bytes, unix seconds of the last use) of all of them together; "?": they do not say."""
    found: dict[str, tuple[int, float]] = {}
    for path in _sets():
        with contextlib.suppress(OSError):
            size, used = found.get(_origin(path), (0, 0.0))
            found[_origin(path)] = (size + sum(file.stat().st_size for file in path.iterdir()), max(used, path.stat().st_mtime))
    return found


def remove(meant: Callable[[str], bool]) -> int:
    """Delete the sets whose origin is meant; how many they were. Whoever reads one either has it whole or makes it again."""
    gone = 0
    for path in _sets():
        if meant(_origin(path)):
            aside = path.with_name(f".{uuid.uuid4().hex}.tmp")
            with contextlib.suppress(FileNotFoundError):
                os.rename(path, aside)
                shutil.rmtree(aside)
                gone += 1
    return gone


def _sets() -> list[Path]:
    try:
        return [path for path in (data_folder() / "prepared").iterdir() if not path.name.startswith(".")]
    except OSError:
        return []


def _origin(folder: Path) -> str:
    try:
        return str(json.loads((folder / "about.json").read_bytes())["origin"]) or "?"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "?"


def _read(folder: Path, request: DataRequest) -> LoadedData | None:
    """The set, or None where there is none or it is not as it was written."""
    try:
        about = json.loads((folder / "about.json").read_bytes())
        arrays = {name: _array(folder / f"{name}.npy", told, request) for name, told in about["arrays"].items()}
        loaded = LoadedData(arrays["data"], arrays.get("labels"), tuple(about["names"]), about["found"], about["skipped"])
        os.utime(folder)  # used now: not the first to go
    except Cancelled:
        raise
    except Exception:  # numpy parses a damaged header with Python's own tokenizer, which raises what it likes
        return None
    return loaded


def _array(path: Path, told: dict[str, Any], request: DataRequest) -> np.ndarray:
    """The array in a file of exactly the announced form and content. Raises ValueError, OSError, Cancelled."""
    with open(path, "rb") as file:  # read, not mapped: pages of the file would weigh as much as the array once more
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError(f"{path} is of another version")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        if fortran or dtype.hasobject or [str(dtype), list(shape)] != [told["dtype"], told["shape"]]:
            raise ValueError(f"{path} is of another form")
        array = np.empty(shape, dtype)
        into, check = array.reshape(-1).view(np.uint8), 0
        for at in range(0, len(into), SLICE):
            if file.readinto(into[at:at + SLICE]) != len(into[at:at + SLICE]):
                raise ValueError(f"{path} is cut")
            check = zlib.crc32(into[at:at + SLICE], check)
            request.report_progress("reading", min(len(array), at // max(1, array[0].nbytes)), len(array))
    if check != told["crc32"]:
        raise ValueError(f"{path} is damaged")
    return array


def _write(folder: Path, loaded: LoadedData, origin: str) -> None:
    arrays = {name: array for name, array in (("data", loaded.data), ("labels", loaded.labels)) if array is not None}
    size = sum(array.nbytes for array in arrays.values())
    if not _made_room(folder.parent, size):
        return
    temporary = folder.parent / f".{uuid.uuid4().hex}.tmp"
    temporary.mkdir()
    try:
        for name, array in arrays.items():
            np.save(temporary / f"{name}.npy", array, allow_pickle=False)
        told = {name: {"dtype": str(array.dtype), "shape": list(array.shape),
                       "crc32": zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8))}
                for name, array in arrays.items()}
        atomic_write(temporary / "about.json", json.dumps(
            {"arrays": told, "names": loaded.names, "found": loaded.found_count, "skipped": loaded.skipped,
             "origin": origin}).encode())
        shutil.rmtree(folder, ignore_errors=True)  # a damaged one
        os.rename(temporary, folder)  # fails where another process was quicker: then ours goes, and theirs is the same
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _made_room(parent: Path, size: int) -> bool:
    """Whether `size` more bytes may lie here, once the longest unused sets are gone."""
    parent.mkdir(parents=True, exist_ok=True)
    for path in parent.glob(".*.tmp"):  # of a writer that was killed
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > 3600:
                shutil.rmtree(path)
    sets = []
    for path in parent.iterdir():
        with contextlib.suppress(OSError):
            sets.append((path.stat().st_mtime, sum(file.stat().st_size for file in path.iterdir()), path))
    total = sum(one for _, one, _ in sets)
    for _, one, path in sorted(sets):
        if size > MAX_TOTAL or total + size <= MAX_TOTAL:
            break
        shutil.rmtree(path, ignore_errors=True)
        total -= one
    return total + size <= MAX_TOTAL

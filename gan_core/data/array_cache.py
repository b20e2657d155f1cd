"""A cache of decoded pictures as plain arrays: the second start and every resume read them instead of decoding again.

An entry is a folder under data_folder()/prepared, written atomically; a damaged one is created again. When all entries
take more than MAX_TOTAL, the least recently used are evicted. What creates the pictures is passed in.
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
from typing import TypedDict

import numpy as np

from ..runs.data_summary import Decisions
from ..runs.files import atomic_write
from .types import Cancelled, DataRequest, LoadedData, crc32, data_folder

SCHEMA = 3  # raise it when decoding changes: entries of another schema are not found and created again
MAX_TOTAL = 4 << 30  # bytes of all entries
CHUNK = 16 << 20  # bytes read between two checks for a cancel


class ArrayInfo(TypedDict):
    """What an array's file must contain."""

    dtype: str
    shape: list[int]
    crc32: int


class EntryInfo(TypedDict):
    """about.json of an entry. arrays: "data" and, with labels, "labels"; origin: the data set it was made of."""

    arrays: dict[str, ArrayInfo]
    names: tuple[str, ...]
    found: int
    skipped: dict[str, int]
    decisions: Decisions
    origin: str


def get_or_create(request: DataRequest, fingerprint: str, create: Callable[[], LoadedData], origin: str = "") -> LoadedData:
    """The cached data for this fingerprint and the form in `request`, else what `create()` returns, which is then cached.

    origin: the data set that the entry is made of; `remove` finds it by that. Raises what `create` raises, and Cancelled.
    """
    key = [SCHEMA, fingerprint, request.size, request.color, request.crop, request.limit, request.background]
    folder = data_folder() / "prepared" / hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]
    loaded = _read(folder, request)
    if loaded is None:
        loaded = create()
        with contextlib.suppress(OSError):  # a full or read-only disk: it is created again the next time
            _write(folder, loaded, origin)
    return loaded


def usage_by_origin() -> dict[str, tuple[int, float]]:
    """Origin -> (bytes, unix seconds of the last use) of all its entries together; "?" for entries that name no origin."""
    usage: dict[str, tuple[int, float]] = {}
    for path in _entries():
        with contextlib.suppress(OSError):
            size, last_used = usage.get(_origin(path), (0, 0.0))
            usage[_origin(path)] = (size + _size(path), max(last_used, path.stat().st_mtime))
    return usage


def remove(matches: Callable[[str], bool]) -> int:
    """Delete the entries whose origin matches; returns their number. A reader gets the whole entry or creates it again."""
    count = 0
    for path in _entries():
        if matches(_origin(path)):
            aside = path.with_name(f".{uuid.uuid4().hex}.tmp")
            with contextlib.suppress(FileNotFoundError):
                os.rename(path, aside)
                shutil.rmtree(aside)
                count += 1
    return count


def _entries() -> list[Path]:
    try:
        return [path for path in (data_folder() / "prepared").iterdir() if not path.name.startswith(".")]
    except OSError:
        return []


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


def _origin(folder: Path) -> str:
    try:
        return str(json.loads((folder / "about.json").read_bytes())["origin"]) or "?"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "?"


def _read(folder: Path, request: DataRequest) -> LoadedData | None:
    """The entry, or None where there is none or it is not as it was written."""
    try:
        about: EntryInfo = json.loads((folder / "about.json").read_bytes())
        arrays = {name: _read_array(folder / f"{name}.npy", info, request) for name, info in about["arrays"].items()}
        loaded = LoadedData(arrays["data"], arrays.get("labels"), tuple(about["names"]), about["found"], about["skipped"],
                            about["decisions"])
        os.utime(folder)  # the time of the last use, for eviction
    except Cancelled:
        raise
    except Exception:  # numpy parses a damaged header with Python's own tokenizer, which may raise anything
        return None
    return loaded


def _read_array(path: Path, info: ArrayInfo, request: DataRequest) -> np.ndarray:
    """The array in a file of exactly this type, shape and checksum. Raises ValueError, OSError, Cancelled."""
    with open(path, "rb") as file:  # read, not mapped: the file's pages would take as much memory again as the array
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError(f"{path} has another version")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        if fortran or dtype.hasobject or [str(dtype), list(shape)] != [info["dtype"], info["shape"]]:
            raise ValueError(f"{path} has another type or shape")
        array = np.empty(shape, dtype)
        buffer, checksum = array.reshape(-1).view(np.uint8).data, 0
        for start in range(0, len(buffer), CHUNK):
            chunk = buffer[start:start + CHUNK]
            if file.readinto(chunk) != len(chunk):
                raise ValueError(f"{path} is cut")
            checksum = zlib.crc32(chunk, checksum)
            request.report_progress("reading", min(len(array), start // max(1, array[0].nbytes)), len(array))
    if checksum != info["crc32"]:
        raise ValueError(f"{path} is damaged")
    return array


def _write(folder: Path, loaded: LoadedData, origin: str) -> None:
    arrays = {name: array for name, array in (("data", loaded.data), ("labels", loaded.labels)) if array is not None}
    if not _evict_for(folder.parent, sum(array.nbytes for array in arrays.values())):
        return
    temporary = folder.parent / f".{uuid.uuid4().hex}.tmp"
    temporary.mkdir()
    try:
        for name, array in arrays.items():
            np.save(temporary / f"{name}.npy", array, allow_pickle=False)
        infos: dict[str, ArrayInfo] = {
            name: {"dtype": str(array.dtype), "shape": list(array.shape), "crc32": crc32(array)}
            for name, array in arrays.items()}
        about: EntryInfo = {"arrays": infos, "names": loaded.names, "found": loaded.found_count, "skipped": loaded.skipped,
                            "decisions": loaded.decisions, "origin": origin}
        atomic_write(temporary / "about.json", json.dumps(about).encode())
        shutil.rmtree(folder, ignore_errors=True)  # a damaged one
        os.rename(temporary, folder)  # fails where another process was first: its entry is the same
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _evict_for(parent: Path, size: int) -> bool:
    """Evict the least recently used entries until `size` more bytes are allowed; whether they are."""
    parent.mkdir(parents=True, exist_ok=True)
    for path in parent.glob(".*.tmp"):  # left by a writer that was killed
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > 3600:
                shutil.rmtree(path)
    entries = []
    for path in parent.iterdir():
        with contextlib.suppress(OSError):
            entries.append((path.stat().st_mtime, _size(path), path))
    total = sum(entry_size for _, entry_size, _ in entries)
    for _, entry_size, path in sorted(entries):
        if size > MAX_TOTAL or total + size <= MAX_TOTAL:
            break
        shutil.rmtree(path, ignore_errors=True)
        total -= entry_size
    return total + size <= MAX_TOTAL

"""Atomic file writes, reads of plain files, folder names and JSON objects: a reader sees the old file or the new one.

What the files hold is left to the callers. This module imports no torch.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import re
import stat
import time
import unicodedata
import uuid
from pathlib import Path
from typing import Any

MAX_JSON = 16 << 20  # bytes of a JSON file of a run
REPLACE_TRIES = 50  # Windows refuses to replace a file that another process reads: try for about a second
REPLACE_PAUSE = 0.02


def atomic_write(path: Path | str, data: bytes | bytearray | memoryview, durable: bool = True) -> None:
    """Write `data` to `path` atomically.

    The bytes go to a temporary file in the same folder, which must exist, and the file is then moved over `path`. With
    `durable` the bytes and the folder's entry are on the disk before this returns, so a power cut leaves the old file or the
    new one; without it only a crash of this process is covered. Raises OSError and leaves the old file as it was.
    """
    path = Path(path)
    # A short random name: path.name plus a suffix could exceed the file system's 255 bytes.
    temporary = path.parent / f".{uuid.uuid4().hex}.tmp"
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def replace(source: Path, target: Path) -> None:
    """`os.replace`, repeated for about a second while a reader holds the target (Windows)."""
    for attempt in range(REPLACE_TRIES):
        try:
            os.replace(source, target)
            return
        except PermissionError:
            if os.name != "nt" or attempt == REPLACE_TRIES - 1:
                raise
            time.sleep(REPLACE_PAUSE)


def open_plain(path: Path | str) -> io.BufferedReader:
    """A plain file, to be read. Raises OSError for anything else: the reader of a pipe or a device might wait for ever."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "It is no plain file", str(path))
    return os.fdopen(descriptor, "rb")


def read_plain(path: Path | str, most: int) -> bytes:
    """The bytes of a plain file. Raises OSError for anything else, and for more than `most` bytes."""
    with open_plain(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"It has more than {most:,} bytes", str(path))
    return data


def sha256_of(path: Path | str) -> str:
    """The SHA-256 of a plain file, in hex. Raises OSError."""
    with open_plain(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a plain file that others replace. Raises OSError, or ValueError where there is no object in it.

    Windows may refuse to read for a moment, so this tries for half a second.
    """
    for attempt in range(10):
        try:
            value = json.loads(read_plain(path, MAX_JSON))
            break
        except PermissionError:
            if attempt == 9:
                raise
            time.sleep(0.05)
        except RecursionError as error:
            raise ValueError("it is nested too deep") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path.name} holds {type(value).__name__}, not an object")
    return value


def sync_folder(folder: Path) -> None:
    """Make the folder's entries durable. Windows has no such call, and some network disks refuse it."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path, older_than: float = 60.0) -> int:
    """Delete the temporary files of killed writers, once they are `older_than` seconds old; returns their number."""
    removed = 0
    for path in Path(folder).glob(".*.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime >= older_than:
                path.unlink()
                removed += 1
    return removed


def runs_folder(choice: Path | None = None) -> Path:
    """The folder of runs: `choice`, or else the first writable one of ./checkpoints and the user's data folder.

    The folder is made where it does not exist. Raises PermissionError with one sentence where it cannot be written to.
    """
    import platformdirs

    defaults = [Path("checkpoints"), Path(platformdirs.user_data_dir("gan-playground")) / "checkpoints"]
    for folder in [choice] if choice else defaults:
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            if os.access(folder, os.W_OK):
                return folder
    raise PermissionError(f"Runs cannot be kept in {choice or './checkpoints'}, which cannot be written to; "
                          "choose another with --checkpoints.")


_RESERVED = {"con", "prn", "aux", "nul", *(f"com{i}" for i in range(10)), *(f"lpt{i}" for i in range(10))}


def folder_name(name: str) -> str:
    """A safe folder name made of any text: at most 60 letters, digits and dashes. May be empty."""
    plain = unicodedata.normalize("NFKD", str(name)).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-").lower()[:60].strip("-")
    return f"run-{plain}" if plain in _RESERVED else plain


def new_folder(folder: Path, stem: str, fixed: Path) -> Path:
    """Make a new folder: `fixed`, or, with a `stem`, the stem and four random hex digits. Raises FileExistsError."""
    folder.mkdir(parents=True, exist_ok=True)
    for attempt in range(100):
        path = folder / f"{stem}-{uuid.uuid4().hex[:4]}" if stem else fixed
        try:
            path.mkdir()
            return path
        except FileExistsError:
            if not stem or attempt == 99:
                raise
    raise AssertionError("the loop above returns or raises")

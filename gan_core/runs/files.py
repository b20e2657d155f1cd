"""Replace a file as one act: a reader sees the old one or the new one, never half.

It knows bytes and folders, nothing of what is in them, and imports no torch.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
import unicodedata
import uuid
from pathlib import Path

REPLACE_TRIES = 50  # Windows refuses to replace a file that somebody reads at this moment: try for about a second
REPLACE_PAUSE = 0.02


def atomic_write(path: Path | str, data: bytes | bytearray | memoryview, durable: bool = True) -> None:
    """Put `data` at `path`, whole or not at all.

    The bytes go to a temporary name in the same folder (which must exist) and are moved over `path`. With `durable`
    they and the folder's entry are on the disk before this returns, so a power cut leaves the old file or the new
    one; without it only a crash of this process is covered. Raises OSError and leaves the old file as it was.
    """
    path = Path(path)
    # A short name of our own: path.name plus a suffix could exceed the file system's 255 bytes.
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
    """`os.replace`, tried again for about a second where a reader holds the target (Windows)."""
    for attempt in range(REPLACE_TRIES):
        try:
            os.replace(source, target)
            return
        except PermissionError:
            if os.name != "nt" or attempt == REPLACE_TRIES - 1:
                raise
            time.sleep(REPLACE_PAUSE)


def sync_folder(folder: Path) -> None:
    """Make the folder's entries durable; Windows has no such call, and some network disks refuse it."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path, older_than: float = 60.0) -> int:
    """Delete temporary files that a killed writer left, once they are `older_than` seconds old; returns how many."""
    removed = 0
    for path in Path(folder).glob(".*.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime >= older_than:
                path.unlink()
                removed += 1
    return removed


def runs_folder(asked: Path | None = None) -> Path:
    """Where runs live: the folder asked for, else ./checkpoints, else the user's data folder, whichever can be written to.

    Raises PermissionError with one sentence where none can.
    """
    import platformdirs

    for folder in [asked] if asked else [Path("checkpoints"), Path(platformdirs.user_data_dir("gan-playground")) / "checkpoints"]:
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            if os.access(folder, os.W_OK):
                return folder
    raise PermissionError(f"Runs cannot be kept in {asked or './checkpoints'}, which cannot be written to; "
                          "choose another with --checkpoints.")


_RESERVED = {"con", "prn", "aux", "nul", *(f"com{i}" for i in range(10)), *(f"lpt{i}" for i in range(10))}


def folder_name(name: str) -> str:
    """Any text as a safe folder name of at most 60 characters: letters, digits, dashes. May be empty."""
    plain = unicodedata.normalize("NFKD", str(name)).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-").lower()[:60].strip("-")
    return f"run-{plain}" if plain in _RESERVED else plain


def new_folder(folder: Path, stem: str, fixed: Path) -> Path:
    """A folder that was not there before: `fixed`, or with a `stem` the stem and four digits that nobody has taken."""
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

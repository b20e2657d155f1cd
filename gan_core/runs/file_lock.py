"""A lock between processes: a system's lock on a file, or numbered files beside it where the disk has no such locks.

Some network and user-space disks refuse `flock`. There the holder of NAME is who made the newest of NAME.1, NAME.2, ...; each is
made exclusively, which such disks can do. A file whose holder has died here is left as it is and followed by the next number:
were it removed, two processes that saw it at once could remove each other's. Only its holder, or a person, removes one.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import time
import uuid
from functools import cache
from pathlib import Path
from typing import Any, Self

import filelock
import psutil

from ..compute.processes import process_exists
from .files import read_plain

# What `flock` raises where a disk has no locks; the last three mean the same on some systems.
UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, getattr(errno, "ENOTSUP", errno.EOPNOTSUPP)}
POLL = 0.05  # seconds
WRITING = 2.0  # seconds for which an empty file is one whose maker is about to write into it
MAX_OWNER = 4096  # bytes


class Held(Exception):
    """Another process holds the lock. marker: a file of its that may be a dead process's, which cannot be seen from here."""

    def __init__(self, path: Path, marker: Path | None = None, owner: dict[str, Any] | None = None) -> None:
        super().__init__(f"{path} is locked")
        self.marker = marker
        self.host, self.pid = str((owner or {}).get("host", "?"))[:80], str((owner or {}).get("pid", "?"))[:20]

    @property
    def hint(self) -> str:
        """What to do if nobody holds it any more; "" where the system would know."""
        return f" If process {self.pid} on {self.host} has ended, delete {self.marker}." if self.marker else ""


class FileLock:
    """The lock of this file, which is made where it does not exist. It ends with its process; not for several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._native = filelock.FileLock(path)
        self._marker: Path | None = None
        self._owner = b""

    def acquire(self, timeout: float = 0.0) -> Self:
        """Take the lock within so many seconds; a context manager that releases it. Raises Held, and OSError of the disk."""
        if _has_flock(self.path):
            try:
                self._native.acquire(timeout=timeout)
            except filelock.Timeout as error:
                raise Held(self.path) from error
            # A disk over a network may have had no locks when another process came.
            _, held = self._newest()
            if held is not None:
                self._native.release()
                raise held
            return self
        deadline = time.monotonic() + timeout
        while (held := self._take()) is not None:
            if time.monotonic() >= deadline:
                raise held
            time.sleep(POLL)
        return self

    def release(self) -> None:
        self._native.release()
        marker, self._marker = self._marker, None
        if marker is not None:
            with contextlib.suppress(OSError):  # a person may have removed it, and another process may have it now
                if read_plain(marker, MAX_OWNER) == self._owner:
                    marker.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.release()

    @property
    def is_numbered(self) -> bool:
        """Whether a numbered file is held in place of the system's lock."""
        return self._marker is not None

    def _newest(self) -> tuple[int, Held | None]:
        """(the number of the newest numbered file, why its holder may live); 0 where there is none."""
        start = f"{self.path.name}."
        ends = [name.removeprefix(start) for name in os.listdir(self.path.parent) if name.startswith(start)]
        number = max((int(end) for end in ends if end.isdecimal()), default=0)
        if not number:
            return 0, None
        newest = self.path.with_name(f"{self.path.name}.{number}")
        try:
            owner = _read_owner(newest)
            is_new = not owner and time.time() - newest.stat().st_mtime < WRITING
        except FileNotFoundError:
            return number, Held(self.path)  # it has just been released: look again
        if is_new:
            return number, Held(self.path)  # its holder is writing into it
        return number, None if _is_dead(owner) else Held(self.path, None if _is_here(owner) else newest, owner)

    def _take(self) -> Held | None:
        """Make the next numbered file, unless the newest one's holder may live."""
        number, held = self._newest()
        if held is not None:
            return held
        marker = self.path.with_name(f"{self.path.name}.{number + 1}")
        try:
            descriptor = os.open(marker, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            return Held(self.path)  # another process was first
        self._owner = json.dumps({**_place(), "pid": os.getpid(), "ticks": _start_ticks(os.getpid()),
                                  "pid_started": psutil.Process().create_time(), "token": uuid.uuid4().hex}).encode()
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(self._owner)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            marker.unlink(missing_ok=True)
            raise
        self._marker = marker
        return None


def _has_flock(path: Path) -> bool:
    """Whether the disk has locks. Raises OSError where the file cannot be opened."""
    if os.name != "posix":
        return True
    import fcntl

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True  # somebody has it
    except OSError as error:
        if error.errno in UNSUPPORTED:
            return False
        raise
    finally:
        os.close(descriptor)
    return True


@cache
def _place() -> dict[str, str]:
    """Where a pid means something: this machine, its start, and its numbering of processes; a container has its own."""
    boot = pids = ""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        pids = os.readlink("/proc/self/ns/pid")
    # Machines may share a name, "localhost" for one.
    return {"host": platform.node(), "machine": f"{uuid.getnode():012x}", "boot": boot, "pids": pids}


def _read_owner(marker: Path) -> dict[str, Any]:
    """Who made it; {} while it is written, and where it is damaged. Raises FileNotFoundError."""
    try:
        owner = json.loads(read_plain(marker, MAX_OWNER))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError):
        return {}
    return owner if isinstance(owner, dict) else {}


def _is_here(owner: dict[str, Any]) -> bool:
    """Whether its pid can be looked up from here."""
    return all(owner.get(name) == value for name, value in _place().items())


def _is_dead(owner: dict[str, Any]) -> bool:
    """Whether its holder has certainly ended: this machine, since this start of it, has no such process.

    Another start proves nothing: containers and copies of a virtual machine may share name and address.
    """
    if not _is_here(owner):
        return False
    try:
        pid, started = int(owner["pid"]), float(owner["pid_started"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return False
    ticks = owner.get("ticks")
    # Not by the time of day where it can be helped: a clock that is set moves the start of every process.
    return _start_ticks(pid) != ticks if isinstance(ticks, int) else not process_exists(pid, started)


def _start_ticks(pid: int) -> int | None:
    """When a process began, in ticks since the start of the machine (Linux only); None where there is none."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None

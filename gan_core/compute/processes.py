"""Processes of this machine: whether one still lives, whether it is torchrun, and which others train with it."""

from __future__ import annotations

import contextlib
import os

import psutil

SERVER_VARIABLE = "GAN_PLAYGROUND_SERVER"  # in a worker's environment: the page that started it; .worker.json repeats it


def is_launcher(process: psutil.Process) -> bool:
    """Whether this is torchrun, which starts a lost process again. A worker whose torchrun died is a child of init."""
    return any("torch.distributed.run" in part or part.endswith("torchrun") for part in process.cmdline())


def process_exists(pid: int, started: float) -> bool:
    """Whether this very process is running: pid and start time must both agree, since a pid may be reused."""
    if pid <= 0:
        return False
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - started) < 1.0 and is_running(process)
    except (psutil.Error, OverflowError):  # the second: numbers that no process has
        return False


def is_running(process: psutil.Process) -> bool:
    """Whether a process still does anything. A zombie does not: it waits for its parent, which may take seconds."""
    with contextlib.suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def process_tree(pid: int) -> list[psutil.Process]:
    """A process and all that train with it: torchrun first, which would start the others again."""
    with contextlib.suppress(psutil.Error):
        root, parent = psutil.Process(pid), psutil.Process(pid).parent()
        if parent is not None and is_launcher(parent):
            root = parent
        if is_launcher(root) and os.name == "posix":
            root.suspend()  # so that it starts nothing while its children are listed
        return [root, *root.children(recursive=True)]
    return []


def process_identity() -> str:
    """This process by pid and start time, which no other process has."""
    return f"{os.getpid()} {psutil.Process().create_time()}"


def raise_open_files_limit(wanted: int = 65_536) -> int:
    """Let this process open `wanted` files and connections, or as many as the system allows; returns the limit in force.

    1,024 is a usual limit: a school's class, or one stranger with idle connections, would use it up. 0 where there are no limits.
    """
    try:
        import resource
    except ImportError:  # Windows
        return 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft == resource.RLIM_INFINITY or soft >= allowed:
        return soft
    with contextlib.suppress(OSError, ValueError):  # macOS has a second limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]

"""Processes of this machine, told apart: whether one still lives, whether it is torchrun, who trains with it. It knows no run."""

from __future__ import annotations

import contextlib
import os

import psutil

SERVER_VARIABLE = "GAN_PLAYGROUND_SERVER"  # in the environment: the page that started a worker; .worker.json repeats it


def is_launcher(process: psutil.Process) -> bool:
    """Whether this is torchrun, which starts a lost process again. A worker whose torchrun died is init's child."""
    return any("torch.distributed.run" in part or part.endswith("torchrun") for part in process.cmdline())


def process_exists(pid: int, started: float) -> bool:
    """Whether this very process lives: pid and start time must both agree; a zombie does not count."""
    if pid <= 0:
        return False
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - started) < 1.0 and is_running(process)
    except psutil.Error:
        return False


def is_running(process: psutil.Process) -> bool:
    """Whether a process still does anything. A zombie does not: it waits for whoever adopts it, which may take seconds."""
    with contextlib.suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def process_tree(pid: int) -> list[psutil.Process]:
    """A process, and all that train with it: torchrun first, which would start the others again."""
    with contextlib.suppress(psutil.Error):
        first, parent = psutil.Process(pid), psutil.Process(pid).parent()
        if parent is not None and is_launcher(parent):
            first = parent
        if is_launcher(first) and os.name == "posix":
            first.suspend()  # it starts nothing any more while the others are counted
        return [first, *first.children(recursive=True)]
    return []


def process_identity() -> str:
    """This process, so that no other one is ever taken for it."""
    return f"{os.getpid()} {psutil.Process().create_time()}"

"""Waiting for what another process does."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

PATIENCE = 90.0  # seconds; only something broken needs them


def until(condition: Callable[[], object], what: str, process: subprocess.Popen | None = None) -> None:
    """Wait for the condition. It fails after PATIENCE, and as soon as the process has ended without it."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE:g} s for: {what}"
        assert process is None or process.poll() is None or condition(), f"it ended ({process.returncode}) before: {what}"
        time.sleep(0.01)

"""Folders that belong to somebody else, and commands that run as a user who may not write everywhere; root may, by itself."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STRANGER, NOBODY = 12345, 54321  # users that no list of users knows
ALLOWED = "dac_override,-dac_read_search,-chown,-fowner,-fsetid"  # what root may do with files of others
READS = "+dac_read_search"  # NOBODY may read all, where Python itself is in root's home


def make_foreign(folder: Path) -> Path:
    """A folder into which `run_plainly` cannot write."""
    folder.mkdir(parents=True)
    if os.geteuid() == 0:
        os.chown(folder, STRANGER, STRANGER)
    folder.chmod(0o555)
    return folder


def run_plainly(*command: str, **environment: str | None) -> subprocess.CompletedProcess[str]:
    """Python with these arguments, without root's power over files of others; None takes a variable away."""
    power = ["setpriv", f"--bounding-set=-{ALLOWED}", "--inh-caps=-all"] if os.geteuid() == 0 else []
    return _run([*power, sys.executable, *command], environment)


def run_as_nobody(*command: str, **environment: str | None) -> subprocess.CompletedProcess[str]:
    """Python as a user without a name; skips the test where it cannot be made so."""
    if os.geteuid() != 0:
        pytest.skip("only root may run as another user")
    user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", f"--inh-caps={READS}",
            f"--ambient-caps={READS}"]
    if not shutil.which("setpriv") or subprocess.run([*user, sys.executable, "-c", ""], capture_output=True).returncode:
        pytest.skip("no command can be run as another user here")
    return _run([*user, sys.executable, *command], environment)


def _run(command: list[str], environment: dict[str, str | None]) -> subprocess.CompletedProcess[str]:
    if command[0] == "setpriv" and not shutil.which("setpriv"):
        pytest.skip("setpriv is not here")
    variables = {name: value for name, value in {**os.environ, **environment}.items() if value is not None}
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", timeout=110, env=variables)

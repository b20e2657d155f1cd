"""The limit of open files is raised as far as the system allows, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = """
import resource, sys
from gan_core.compute.processes import raise_open_files_limit
soft, hard, wanted = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
print(raise_open_files_limit(wanted), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such limit")
@pytest.mark.parametrize(("soft", "hard", "wanted", "then"), [(128, 300, 200, 200), (128, 300, 1000, 300), (250, 300, 200, 250)])
def test_the_limit_of_open_files_rises_to_what_is_wanted_or_allowed(soft, hard, wanted, then):
    done = subprocess.run([sys.executable, "-c", CODE, *map(str, (soft, hard, wanted))], cwd=ROOT, capture_output=True, text=True,
                          timeout=60)
    assert done.stdout.split() == [str(then)] * 2, done.stderr

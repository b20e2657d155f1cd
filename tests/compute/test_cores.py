"""How many cores are counted: the affinity of the process and the quotas of control groups, as real folders show them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gan_core.compute import cgroups
from gan_core.compute import cores as counting
from gan_core.compute.cores import cores, limit_library_threads
from gan_core.runs.worker_process import capacity_limit

ROOT = Path(__file__).parents[2]
MANY = 64


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Call it with the lines of /proc/self/cgroup and {file: text} of the groups' folders; the machine has MANY cores."""
    monkeypatch.setattr(cgroups, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(cgroups, "OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(counting, "_allowed_cores", lambda: MANY)

    def make(lines, files):
        (tmp_path / "own").write_text(lines)
        for name, text in files.items():
            (tmp_path / "cgroup" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "cgroup" / name).write_text(text)
    return make


def v1(folder, quota, period=100_000):
    return {f"{folder}/cpu.cfs_quota_us": f"{quota}\n", f"{folder}/cpu.cfs_period_us": f"{period}\n"}


@pytest.mark.parametrize(("lines", "files", "count"), [
    ("0::/\n", {"cpu.max": "100000 100000\n"}, 1),  # a container: its group is the root that it sees
    ("0::/\n", {"cpu.max": "max 100000\n"}, MANY),
    ("0::/\n", {"cpu.max": "50000 100000\n"}, 1),  # half a core
    ("0::/\n", {"cpu.max": "250000 100000\n"}, 2),
    ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "300000 100000\n"}, 3),  # a limit further up counts
    ("0::/a/b\n", {"a/b/cpu.max": "400000 100000\n", "a/cpu.max": "200000 50000\n", "cpu.max": "900000 100000"}, 4),
    ("0::/host/only\n", {"cpu.max": "200000 100000\n"}, 2),  # a path of the host's
    ("4:memory:/x\n3:cpu,cpuacct:/a\n0::/\n", v1("cpu/a", 200_000), 2),
    ("3:cpu,cpuacct:/a\n", v1("cpu,cpuacct/a", 300_000), 3),  # mounted under both names at once
    ("3:cpu,cpuacct:/host/only\n", v1("cpu", 100_000), 1),
    ("3:cpu:/\n", v1("cpu", -1), MANY),
    ("5:cpuset:/\n0::/\n", {}, MANY),
    ("0::/\n", {"cpu.max": "nonsense\n"}, MANY),
    ("0::/\n", {"cpu.max": "100000 0\n"}, MANY),
    ("0::/\n", {"cpu.max": "9900000 100000\n"}, MANY),  # more than the machine has
])
def test_a_quota_counts_where_it_is_less_than_the_machine_has(groups, lines, files, count):
    groups(lines, files)
    assert cores() == count
    assert capacity_limit(count + 1, "cpu") == ("cores", count) and capacity_limit(count, "cpu") is None


def test_libraries_start_no_more_threads_than_the_quota_unless_somebody_said_so(groups, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    groups("0::/\n", {"cpu.max": "max 100000\n"})
    limit_library_threads()
    assert "OMP_NUM_THREADS" not in os.environ, "without a quota the libraries count for themselves"
    groups("0::/\n", {"cpu.max": "200000 100000\n"})
    limit_library_threads()
    assert os.environ["OMP_NUM_THREADS"] == "2"
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    limit_library_threads()
    assert os.environ["OMP_NUM_THREADS"] == "7"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="affinity")
def test_the_affinity_of_the_process_counts():
    code = ("import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
            "from gan_core.compute.cores import cores; print(cores())")
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60).stdout == "1\n"


@pytest.fixture
def real_group():
    """A control group of version 1 with half a core, of the system itself; skips where none can be made."""
    folder = Path("/sys/fs/cgroup/cpu") / f"gan-cores-{os.getpid()}"
    try:
        folder.mkdir()
        (folder / "cpu.cfs_quota_us").write_text("50000")
    except OSError:
        pytest.skip("no control group can be made here")
    yield folder
    folder.rmdir()


def test_a_real_quota_is_followed(real_group):
    code = (f"import os; open({str(real_group / 'cgroup.procs')!r}, 'w').write(str(os.getpid()))\n"
            "from gan_core.compute.cores import cores, limit_library_threads; limit_library_threads()\n"
            "import torch; print(cores(), torch.get_num_threads())")
    environment = {name: value for name, value in os.environ.items() if name not in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=100, env=environment)
    assert found.stdout == "1 1\n", found.stderr

"""One holder at a time, on a disk with locks and on one without: processes that race, die, live elsewhere, or are damaged."""

import contextlib
import errno
import json
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from gan_core.config import PRESETS
from gan_core.data.download import fetch
from gan_core.data.types import DataError, DataRequest
from gan_core.runs import file_lock, layout
from gan_core.runs.file_lock import FileLock, Held
from gan_core.runs.run import Run
from gan_core.runs.status import Status
from gan_core.runs.worker_note import write_worker_note
from gan_core.runs.worker_process import worker_command

ROOT = Path(__file__).parents[2]
SUPPORT = ROOT / "tests" / "support" / "noflock"
pytestmark = pytest.mark.skipif(os.name != "posix", reason="flock")


@pytest.fixture(params=["", "ENOLCK", "EOPNOTSUPP", "ENOTSUP", "ENOSYS"])
def disk(request, monkeypatch):
    """A disk with locks (""), or one whose `flock` raises this: in this process, and in those that it starts."""
    if request.param:
        refuse(monkeypatch, request.param)
    return request.param


two_disks = pytest.mark.parametrize("disk", ["", "ENOLCK"], indirect=True)

@pytest.fixture
def lockless(monkeypatch):
    refuse(monkeypatch, "ENOLCK")


def refuse(monkeypatch, name):
    def flock(descriptor, operation):
        raise OSError(getattr(errno, name), "No locks available")

    monkeypatch.setattr("fcntl.flock", flock)
    monkeypatch.setenv("PYTHONPATH", f"{SUPPORT}{os.pathsep}{ROOT}")
    monkeypatch.setenv("NO_FLOCK", name)


@contextlib.contextmanager
def holder(path):
    """Another process that holds the lock until it is killed."""
    code = ("import sys, time; from pathlib import Path; from gan_core.runs.file_lock import FileLock\n"
            "lock = FileLock(Path(sys.argv[1])).acquire(5); print('held', flush=True); time.sleep(100)")
    process = subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait()


def test_another_process_is_kept_out_until_the_holder_ends_however_it_ends(disk, tmp_path):
    path = tmp_path / ".worker.lock"
    with holder(path) as process:
        with pytest.raises(Held) as caught:
            FileLock(path).acquire(0.1)
        assert caught.value.marker is None and caught.value.hint == "", "it lives here, and its end will be seen"
        process.send_signal(signal.SIGKILL)
        process.wait()
        with FileLock(path).acquire(5), pytest.raises(Held):
            FileLock(path).acquire()
    with FileLock(path).acquire():
        pass


@pytest.mark.slow
@two_disks
def test_of_processes_that_race_for_a_dead_ones_lock_one_trains_at_a_time(disk, tmp_path):
    path, inside = tmp_path / "lock", tmp_path / "inside"
    with holder(path) as process:
        process.kill()
        process.wait()
    code = ("import os, sys, time; from pathlib import Path; from gan_core.runs.file_lock import FileLock\n"
            "sys.stdin.readline()\n"
            "for _ in range(30):\n"
            "    with FileLock(Path(sys.argv[1])).acquire(60):\n"
            "        os.close(os.open(sys.argv[2], os.O_CREAT | os.O_EXCL))\n"  # raises where another one is inside
            "        time.sleep(0.001)\n"
            "        os.unlink(sys.argv[2])\n")
    crowd = [subprocess.Popen([sys.executable, "-c", code, str(path), str(inside)], cwd=ROOT, stdin=subprocess.PIPE, text=True)
             for _ in range(4)]
    for one in crowd:
        one.stdin.write("\n")
        one.stdin.close()
    assert [one.wait(100) for one in crowd] == [0] * 4


def leave(path, **owner):
    """The marker of another holder than this process."""
    marker = path.with_name(f"{path.name}.1")
    marker.write_text(json.dumps({**file_lock._place(), "pid": 2**22 + 5, "pid_started": 1.0, "ticks": 1, "token": "t", **owner}))
    return marker


@pytest.mark.parametrize("left", [False, True])
def test_who_looked_before_another_took_it_is_too_late(lockless, monkeypatch, tmp_path, left):
    if left:
        leave(tmp_path / "lock")
    real, other = os.listdir, FileLock(tmp_path / "lock")

    def listdir(folder):
        names = real(folder)
        monkeypatch.setattr("os.listdir", real)
        other.acquire()
        return names

    monkeypatch.setattr("os.listdir", listdir)
    with pytest.raises(Held):
        FileLock(tmp_path / "lock").acquire()
    other.release()
    FileLock(tmp_path / "lock").acquire().release()


@pytest.mark.parametrize("owner", [{}, {"pid": os.getpid()}, {"ticks": None}, {"ticks": None, "pid": os.getpid()}])
def test_a_holder_that_has_certainly_ended_is_followed(lockless, tmp_path, owner):
    marker = leave(tmp_path / "lock", **owner)
    with FileLock(tmp_path / "lock").acquire():
        assert marker.exists(), "who saw it too must find it taken by the next number"
        assert (tmp_path / "lock.2").exists()
    assert not (tmp_path / "lock.2").exists()


@pytest.mark.parametrize("owner", [{"host": "far"}, {"machine": "0123"}, {"machine": "0123", "boot": "another"},
                                   {"boot": "an earlier one, or another machine's of the same name and address"},
                                   {"pids": "pid:[1]"}, {"pid": "x"}, {"pid_started": None}])
def test_a_holder_that_cannot_be_seen_keeps_the_lock_and_its_file_is_named(lockless, tmp_path, owner):
    marker = leave(tmp_path / "lock", **owner)
    with pytest.raises(Held) as caught:
        FileLock(tmp_path / "lock").acquire(0.1)
    assert caught.value.marker == marker or "pid" in owner or "pid_started" in owner
    marker.unlink()
    FileLock(tmp_path / "lock").acquire().release()


def test_a_clock_that_is_set_ends_no_holder(lockless, monkeypatch, tmp_path):
    marker = leave(tmp_path / "lock", pid=os.getpid(), ticks=file_lock._start_ticks(os.getpid()), pid_started=1.0)
    with pytest.raises(Held) as caught:
        FileLock(tmp_path / "lock").acquire(0.1)
    assert caught.value.marker is None and marker.exists()


def test_a_disk_that_has_locks_only_now_and_then_admits_no_second_one(monkeypatch, tmp_path):
    with monkeypatch.context() as patch:
        refuse(patch, "ENOLCK")
        first = FileLock(tmp_path / "lock").acquire()
    with pytest.raises(Held):
        FileLock(tmp_path / "lock").acquire(0.1)
    first.release()
    FileLock(tmp_path / "lock").acquire().release()


@pytest.mark.parametrize("text", ["", "nonsense", "[1]", "[" * 10_000, "{}"])
def test_a_damaged_file_keeps_the_lock_and_is_named(lockless, tmp_path, text):
    (tmp_path / "lock.7").write_text(text)
    with pytest.raises(Held) as new:
        FileLock(tmp_path / "lock").acquire(0.1)
    assert new.value.marker is None, "it may be about to be written"
    os.utime(tmp_path / "lock.7", (0, 0))
    with pytest.raises(Held) as caught:
        FileLock(tmp_path / "lock").acquire(0.1)
    assert caught.value.hint.endswith(f"delete {tmp_path / 'lock.7'}.")


def test_a_marker_that_a_person_removed_is_not_taken_from_who_has_it_now(lockless, tmp_path):
    first = FileLock(tmp_path / "lock").acquire()
    (tmp_path / "lock.1").unlink()
    with FileLock(tmp_path / "lock").acquire():
        first.release()
        assert (tmp_path / "lock.1").exists()


def test_a_disk_that_refuses_otherwise_is_no_disk_without_locks(monkeypatch, tmp_path):
    refuse(monkeypatch, "EIO")
    with pytest.raises(OSError, match="No locks"):
        FileLock(tmp_path / "lock").acquire()
    assert not list(tmp_path.glob("lock.*"))


# What holds such locks.

def worker(*arguments):
    return subprocess.run(worker_command("--threads", "1", *arguments), cwd=ROOT, capture_output=True, text=True, timeout=100)


@pytest.mark.slow
@two_disks
def test_a_run_trains_on_a_disk_without_locks_and_a_second_one_is_refused_meanwhile(disk, tmp_path):
    arguments = ("--new", "--preset", "quick", "--steps", "2", "--checkpoints", str(tmp_path))
    if disk:
        leave(tmp_path / layout.WORKER_LOCK, host="far")
        refused = worker(*arguments)
        assert refused.returncode == 2 and refused.stderr.count("\n") == 1
        assert "by process 4194309 on far; stop it first. If that process has ended, delete .worker.lock.1" in refused.stderr
        assert not list(tmp_path.glob("quick-*")), "a run that could not begin is not kept"
        (tmp_path / ".worker.lock.1").unlink()
    found = worker(*arguments)
    assert found.returncode == 0 and " finished at step 2 " in found.stdout, found.stderr
    assert not list(tmp_path.glob(".worker.lock.*"))


@pytest.mark.slow
def test_a_worker_from_when_the_disk_had_locks_keeps_its_folder(monkeypatch, tmp_path):
    run = Run.create(PRESETS["quick"].replace(max_steps=2), tmp_path)
    with holder(tmp_path / "another") as process:
        run.write_status(Status(state="running", pid=process.pid, pid_started=psutil.Process(process.pid).create_time()))
        write_worker_note(tmp_path, {"run": run.path.name, "pid": process.pid, "host": platform.node(), "server": "",
                                     "pid_started": psutil.Process(process.pid).create_time()})
        refuse(monkeypatch, "ENOLCK")
        found = worker("--new", "--preset", "quick", "--steps", "2", "--checkpoints", str(tmp_path))
        assert found.returncode == 2 and f"{run.name} is being trained already" in found.stderr, found.stderr
        refused = worker(str(run.path))
        assert refused.returncode == 2 and f"by process {process.pid}" in refused.stderr
    assert not list(tmp_path.glob(".worker.lock.*"))


def test_a_folder_that_cannot_be_locked_is_refused_by_its_name(monkeypatch, tmp_path):
    refuse(monkeypatch, "EIO")
    found = worker("--new", "--preset", "quick", "--steps", "2", "--checkpoints", str(tmp_path))
    assert found.returncode == 2 and found.stderr.count("\n") == 1
    assert found.stderr.startswith(f"The folder {tmp_path} cannot be locked (No locks available)")


def test_a_download_on_another_machine_is_not_waited_for_without_an_end(lockless, tmp_path):
    leave(tmp_path / ".cats.npy.lock", host="far")
    with pytest.raises(DataError, match=r"cats\.npy is being downloaded by process 4194309 on far; .* delete .*lock\.1"):
        fetch("http://127.0.0.1:9/cats.npy", tmp_path / "cats.npy", DataRequest("quickdraw:cats"))

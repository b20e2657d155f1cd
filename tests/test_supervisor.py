"""Starting, handing over and ending real workers. What a worker does with its run is tested in test_worker."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from gan_core.config import PRESETS
from gan_core.run import Run
from gan_core.supervisor import Supervisor, WorkerBusy

ROOT = Path(__file__).parent.parent
PATIENCE = 90.0


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE:g} s for: {what}"
        time.sleep(0.01)


def make(folder: Path) -> Run:
    return Run.create(PRESETS["quick"].replace(batch_size=4, latent_dim=8, threads=1), folder, preset="quick")


def workers_of(folder: Path) -> list[int]:
    """Pids of living workers whose status is in this folder."""
    pids = {run.stored_status().pid for run in map(Run.open, (p.parent for p in folder.glob("*/config.json")))} - {0}
    return [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    one = Supervisor(tmp_path, threads=1)
    yield one
    one.close()


def test_a_warm_spare_takes_the_run_and_is_replaced_only_after_it_ends(supervisor: Supervisor, tmp_path: Path) -> None:
    assert supervisor.spare == "none" and supervisor.active() is None
    supervisor.warm()
    supervisor.warm()
    assert supervisor.spare in {"warming", "ready"}
    until(lambda: supervisor.spare == "ready", "a warm spare")
    spare = supervisor._spare.pid
    run = make(tmp_path)
    supervisor.start(run, paused=True)
    assert run.status().state == "starting" or run.stored_status().life == 1, "the page shows it from this very moment"
    assert supervisor.active().id == run.id and supervisor.spare == "none"
    until(lambda: run.status().state == "paused", "the run")
    assert run.status().pid == spare
    with pytest.raises(WorkerBusy) as busy:
        supervisor.start(make(tmp_path))
    assert busy.value.run.id == run.id and run.name in str(busy.value)
    assert supervisor.stop().id == run.id
    assert run.status().state == "stopped" and run.status().checkpoint_step == 0 and supervisor.active() is None
    until(lambda: supervisor.spare != "none", "the next spare")


def test_twenty_people_press_start_at_once_and_one_wins(supervisor: Supervisor, tmp_path: Path) -> None:
    runs = [make(tmp_path) for _ in range(20)]
    barrier, outcomes = threading.Barrier(20), []

    def press(run: Run) -> None:
        barrier.wait()
        try:
            supervisor.start(run, paused=True)
            outcomes.append(("won", run.id))
        except WorkerBusy as busy:
            outcomes.append(("told", busy.run.id))

    threads = [threading.Thread(target=press, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [run for what, run in outcomes if what == "won"]
    assert len(winners) == 1 and {run for _, run in outcomes} == set(winners) and len(outcomes) == 20
    assert len(workers_of(tmp_path)) == 1


def test_a_worker_that_does_not_answer_is_killed_and_its_run_can_be_resumed(supervisor: Supervisor, tmp_path: Path) -> None:
    run = make(tmp_path)
    supervisor.start(run)
    until(lambda: run.status().state == "running" and run.status().step > 2, "the run")
    run.wait(run.send("save"), timeout=PATIENCE)
    pid = run.status().pid
    os.kill(pid, signal.SIGSTOP)
    assert supervisor.stop(timeout=0.3).id == run.id
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    assert run.status().state == "failed" and run.status().checkpoint_step >= 0
    supervisor.start(run, paused=True)
    until(lambda: run.status().state == "paused" and run.status().life == 2, "the second life")
    assert run.status().step == run.status().checkpoint_step


SERVER = """
import sys, json
from gan_core.run import Run
from gan_core.supervisor import Supervisor
supervisor = Supervisor(sys.argv[1], threads=1)
supervisor.start(Run.open(sys.argv[2]))
supervisor.warm()
print("started", supervisor._spare.pid, flush=True)
input()
"""


def test_when_the_server_is_killed_the_run_goes_on_the_spare_ends_and_the_next_server_finds_it(tmp_path: Path) -> None:
    run = make(tmp_path)
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(tmp_path), str(run.path)], cwd=ROOT, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    spare = int(server.stdout.readline().split()[1])
    until(lambda: run.status().state == "running" and run.status().step > 0, "the run")
    server.kill()
    server.wait()
    step = run.status().step
    until(lambda: run.status().step > step + 2, "steps without a server")
    until(lambda: not psutil.pid_exists(spare) or psutil.Process(spare).status() == psutil.STATUS_ZOMBIE, "the spare's end")

    following = Supervisor(tmp_path, threads=1)
    assert following.active().id == run.id
    with pytest.raises(WorkerBusy):
        following.start(make(tmp_path))
    assert following.stop().id == run.id
    assert run.status().state == "stopped" and following.active() is None
    following.close()


@pytest.mark.parametrize("holder", [b"", b"{", b"[]", b"{}", b'{"pid": "x", "pid_started": 0, "run": 5}',
                                    json.dumps({"pid": 1, "pid_started": 0, "run": "../../etc"}).encode()])
def test_a_damaged_note_about_the_holder_is_no_holder(tmp_path: Path, holder: bytes) -> None:
    (tmp_path / ".worker.json").write_bytes(holder)
    assert Supervisor(tmp_path).active() is None


def test_closing_ends_everything_it_started(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, threads=1)
    supervisor.warm()
    spare = supervisor._spare
    supervisor.close()
    assert spare.poll() is not None and supervisor.spare == "none"
    supervisor.warm()
    assert supervisor.spare == "none", "nothing starts after the end"

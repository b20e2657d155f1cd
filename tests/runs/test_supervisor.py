"""Starting, handing over and ending real workers. What a worker does with its run is tested in test_worker."""

import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import forked
import psutil
import pytest
from waiting import PATIENCE, until

from gan_core.compute.processes import is_running, process_identity
from gan_core.config import PRESETS
from gan_core.runs import supervisor as supervisor_module
from gan_core.runs import worker_process
from gan_core.runs.run import Run
from gan_core.runs.status import Status
from gan_core.runs.supervisor import HEARTBEAT_TIMEOUT, Supervisor, WorkerBusy, capacity_limit, worker_command

ROOT = Path(__file__).parents[2]


def make(folder: Path) -> Run:
    return Run.create(PRESETS["quick"].replace(batch_size=4, latent_dim=8, threads=1), folder, preset="quick")


def workers_of(folder: Path) -> list[int]:
    """Pids of living workers whose status is in this folder."""
    pids = {run.stored_status().pid for run in map(Run.open, (p.parent for p in folder.glob("*/config.json")))} - {0}
    return [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers and torchrun begin in processes that have imported torch; without it each interpreter starts anew."""
    monkeypatch.setattr(supervisor_module, "subprocess", SimpleNamespace(**{**vars(subprocess), "Popen": forked.popen}))


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    one = Supervisor(tmp_path, threads=1)
    yield one
    one.close()


@pytest.mark.slow
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


@pytest.mark.usefixtures("quick")
@pytest.mark.slow
def test_a_spare_prepared_beside_a_run_takes_the_next_one_and_ends_where_nobody_begins_one(
        supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make(tmp_path)
    supervisor.start(first, paused=True)
    until(lambda: first.status().state == "paused", "the run")
    supervisor.prepare()
    spare = supervisor._spare
    supervisor.prepare()
    assert supervisor._spare is spare, "one is enough"
    supervisor.stop()
    second = make(tmp_path)
    supervisor.start(second, paused=True)
    until(lambda: second.status().state == "paused", "the next run")
    assert second.status().pid == spare.pid
    assert supervisor.spare == "none", "the end of the first run warms nothing: another has taken its place"
    monkeypatch.setattr("gan_core.runs.supervisor.PREPARED", 0.3)
    supervisor.prepare()
    unused = supervisor._spare
    assert unused is not None
    until(lambda: supervisor.spare == "none" and unused.poll() is not None, "the end of a spare that nobody needs")
    assert second.status().state == "paused"


@pytest.mark.usefixtures("quick")
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


@pytest.mark.usefixtures("quick")
@pytest.mark.slow
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


SLOW_STEPS = """
import os, sys, time
from gan_core.training.trainer import Trainer
from gan_core.worker import main
step = Trainer.step
def slow(self):
    if os.path.exists(sys.argv[1] + "/slowly"):
        open(sys.argv[1] + "/in-a-step", "w").close()
        time.sleep(2.0)
    return step(self)
Trainer.step = slow
sys.exit(main.main(sys.argv[1:]))
"""


def test_a_run_whose_steps_are_slow_is_saved_and_no_other_one_is_ended(supervisor: Supervisor, tmp_path: Path) -> None:
    """A step takes longer than a silent worker is waited for, but its heart beats."""
    run, other = make(tmp_path), make(tmp_path)
    worker = forked.started([str(run.path)], SLOW_STEPS)
    try:
        until(lambda: run.status().state == "running", "the run")
        (run.path / "slowly").touch()
        until(lambda: (run.path / "in-a-step").exists(), "a slow step")
        assert supervisor.stop(0.1, other.path) is None and run.pending_commands() == [] and run.status().state == "running"
        stopping = threading.Thread(target=supervisor.stop, args=(1.0, run.path))
        stopping.start()
        until(lambda: [one.id for one in supervisor.ending()] == [run.id], "the stop to be known")
        assert run.status().state == "running", "it is in a step, and everybody may know that it is being saved"
        stopping.join()
        status = run.status()
        assert (status.state, status.error) == ("stopped", None) and status.checkpoint_step == status.step > 0
        assert supervisor.ending() == []
    finally:
        worker.kill()


def test_a_living_worker_that_never_obeys_is_waited_for_as_long_as_ten_steps_take(
        supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make(tmp_path)
    assert worker_process.stop_timeout(run, Status(speed=0.0)) == worker_process.STOP_TIMEOUT
    assert worker_process.stop_timeout(run, Status(speed=1000.0)) == worker_process.STOP_TIMEOUT
    assert worker_process.stop_timeout(run, Status(speed=0.1)) == pytest.approx(400.0), "a batch of 4 takes 40 s"
    assert worker_process.stop_timeout(run, Status(speed=0.1, tuned={"batch_size": 8})) == pytest.approx(800.0)
    clock = [0.0]
    monkeypatch.setattr(worker_process.time, "monotonic", lambda: clock[0])
    for state, beats, ends in (("running", True, worker_process.STOP_TIMEOUT), ("running", False, 3.0), ("starting", True, 3.0)):
        clock[0], status = 0.0, Status(state=state)
        run.write_status(status)
        deadline = worker_process.StopDeadline(run, 3.0)
        while not deadline.has_passed():
            clock[0] += 0.5
            status.heartbeat += beats
            run.write_status(status)
        assert clock[0] == ends


SERVER = """
import sys, json
from gan_core.compute.processes import process_identity, is_running
from gan_core.runs.run import Run
from gan_core.runs.supervisor import Supervisor
supervisor = Supervisor(sys.argv[1], threads=1)
supervisor.start(Run.open(sys.argv[2]))
supervisor.warm()
print("started", supervisor._spare.pid, flush=True)
input()
"""


@pytest.mark.slow
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
    following.close()
    assert run.status().state == "stopped" and following.active() is None, "nobody else would ever end it"


@pytest.mark.parametrize(("server", "host", "ended"), [
    ("me", "here", True), ("dead", "here", True), ("alive", "here", False), ("", "here", False), (None, "here", False),
    ("dead", "a-node-of-the-cluster", False), ("damaged", "here", False)])
def test_closing_ends_no_run_that_others_care_for(tmp_path: Path, server: str | None, host: str, ended: bool) -> None:
    run = make(tmp_path)
    worker = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    other = psutil.Process().parent()
    status = run.stored_status()
    status.state, status.host = "running", platform.node() if host == "here" else host
    status.pid, status.pid_started = worker.pid, psutil.Process(worker.pid).create_time()
    run.write_status(status)
    servers = {"me": process_identity(), "dead": f"{worker.pid} 1.0", "alive": f"{other.pid} {other.create_time()}"}
    note = {"run": run.path.name, "pid": worker.pid, "pid_started": status.pid_started, "host": status.host}
    note |= {} if server is None else {"server": servers.get(server, server)}
    (tmp_path / ".worker.json").write_text(json.dumps(note))
    Supervisor(tmp_path).close(timeout=0.05)
    assert (worker.poll() is not None) == ended and bool(run.pending_commands()) == ended
    worker.kill()
    worker.communicate()


def elsewhere(run: Run, heartbeat: int, pid: int) -> None:
    """The run as a worker of another host leaves it on a shared disk; here its pid is somebody else's."""
    status = run.stored_status()
    status.state, status.host, status.heartbeat = "running", "a-node-of-the-cluster", heartbeat
    status.pid, status.pid_started = pid, psutil.Process(pid).create_time()
    run.write_status(status)
    note = {"run": run.path.name, "pid": status.pid, "pid_started": status.pid_started, "host": status.host}
    (run.path.parent / ".worker.json").write_text(json.dumps(note))


def test_a_run_of_another_host_is_active_while_its_heart_beats_and_its_pid_is_never_killed(
        supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, now = make(tmp_path), time.monotonic()
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    elsewhere(run, 1, stranger.pid)
    assert run.status().state == "running" and run.is_alive()
    assert supervisor.active().id == run.id
    with pytest.raises(WorkerBusy):
        supervisor.start(make(tmp_path))
    assert supervisor.stop(timeout=0.1).id == run.id
    assert stranger.poll() is None, "asked, and not killed: here the pid is somebody else's"
    assert [body["command"] for _, body in run.pending_commands()] == ["stop"]
    monkeypatch.setattr(time, "monotonic", lambda: now + HEARTBEAT_TIMEOUT + 1)
    assert supervisor.active() is None, "silent for a minute"
    elsewhere(run, 2, stranger.pid)
    stranger.communicate()
    assert run.status().state == "running" and run.is_alive(), "that no such process is here says nothing"
    assert supervisor.active().id == run.id, "it was only slow"
    monkeypatch.setattr(time, "monotonic", lambda: now + 2 * HEARTBEAT_TIMEOUT + 2)
    assert supervisor.active() is None
    ended = run.stored_status()
    ended.state = "finished"
    run.write_status(ended)
    monkeypatch.undo()
    assert supervisor.active() is None and not run.is_alive()


@pytest.mark.usefixtures("quick")
@pytest.mark.slow
def test_a_run_of_another_folder_trains_there_under_that_folders_lock(tmp_path: Path) -> None:
    supervisor, run = Supervisor(tmp_path / "own", threads=1), make(tmp_path / "theirs")
    (tmp_path / "own").mkdir()
    try:
        supervisor.start(run, paused=True)
        until(lambda: run.status().state == "paused", "the run")
        assert json.loads((tmp_path / "theirs" / ".worker.json").read_bytes())["run"] == run.id
        assert list((tmp_path / "own").iterdir()) == [] and supervisor.active().path == run.path
        other = Supervisor(tmp_path / "theirs", threads=1)
        with pytest.raises(WorkerBusy):
            other.start(make(tmp_path / "theirs"))
        assert supervisor.stop(timeout=PATIENCE).path == run.path and run.status().state == "stopped"
    finally:
        supervisor.close()


# Several processes.

def test_several_processes_are_torchruns() -> None:
    assert worker_command("RUN", "--paused") == [sys.executable, "-m", "gan_core.worker", "RUN", "--paused"]
    assert worker_command("RUN", processes=3)[1:] == ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "3",
                                               "--max-restarts", "3", "-m", "gan_core.worker", "RUN"]


def test_processes_need_a_core_or_a_card_each(monkeypatch: pytest.MonkeyPatch) -> None:
    cores = 3
    monkeypatch.setattr(worker_process, "cores", lambda: cores)
    for cards, device, count, refused in (
            (0, "auto", cores, None), (0, "auto", cores + 1, ("cores", cores)), (2, "auto", 2, None),
            (2, "cuda", 3, ("cards", 2)),
            (1, "cpu", cores, None), (9, "cpu", cores + 1, ("cores", cores))):
        monkeypatch.setattr(worker_process, "graphics_cards", lambda cards=cards: cards)
        assert capacity_limit(count, device) == refused


def together(folder: Path) -> Run:
    config = PRESETS["quick"].replace(batch_size=4, latent_dim=8, threads=1, processes=2, measure_share=0.0)
    return Run.create(config, folder, preset="quick")


def training_together(supervisor: Supervisor, folder: Path) -> tuple[Run, psutil.Process]:
    """A run of two processes that has made its first steps, and its launcher."""
    run = together(folder)
    supervisor.start(run)
    launcher = psutil.Process(run.stored_status().pid)
    until(lambda: run.status().state == "running" and run.status().step > 2, "steps")
    return run, launcher


def ranks(pid: int) -> list[psutil.Process]:
    """The living processes that train, of this launcher."""
    found = []
    for child in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended while it was asked, and so trains nothing
            if "gan_core.worker" in child.cmdline():
                found.append(child)
    return found


@pytest.mark.slow
def test_a_run_of_two_processes_is_started_shown_stopped_and_leaves_none(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.warm()
    run = together(tmp_path)
    supervisor.start(run)
    launcher = run.stored_status().pid
    assert run.status().state == "starting" and supervisor.active().id == run.id and supervisor.spare == "none"
    until(lambda: run.status().state == "running" and run.status().step > 2, "steps")
    workers = ranks(launcher)
    assert len(workers) == 2 and run.status().processes == 2 and run.status().pid in {worker.pid for worker in workers}
    with pytest.raises(WorkerBusy):
        supervisor.start(make(tmp_path))
    assert supervisor.stop(timeout=PATIENCE).id == run.id
    assert run.status().state == "stopped" and run.status().checkpoint_step == run.status().step and supervisor.active() is None
    assert not [worker for worker in workers if worker.is_running()]


@pytest.mark.usefixtures("quick")
@pytest.mark.slow
def test_two_processes_that_do_not_answer_are_killed_with_their_launcher(supervisor: Supervisor, tmp_path: Path) -> None:
    run, launcher = training_together(supervisor, tmp_path)
    workers = ranks(launcher.pid)
    for worker in workers:
        worker.suspend()
    assert supervisor.stop(timeout=0.3).id == run.id
    gone, alive = psutil.wait_procs([launcher, *workers], timeout=PATIENCE)
    assert len(gone) == 3 and not alive and run.status().state == "failed" and supervisor.active() is None


@pytest.mark.usefixtures("quick")
@pytest.mark.slow
@pytest.mark.parametrize("rank", ["0", "1"])
def test_one_frozen_process_of_two_is_ended_with_all_and_what_was_saved_goes_on(
        supervisor: Supervisor, tmp_path: Path, rank: str) -> None:
    run, launcher = training_together(supervisor, tmp_path)
    saved = run.wait(run.send("save"), timeout=PATIENCE).checkpoint_step
    family = [launcher, *launcher.children(recursive=True)]
    next(one for one in ranks(launcher.pid) if one.environ()["RANK"] == rank).suspend()
    assert supervisor.stop(timeout=1.0).id == run.id
    left = [one for one in family if is_running(one)]
    assert not left and run.status().state == "failed" and run.status().checkpoint_step == saved
    supervisor.start(run, paused=True)
    until(lambda: run.status().state == "paused", "the second life")
    assert run.status().step == saved and run.status().processes == 2


@pytest.mark.usefixtures("quick")
@pytest.mark.slow
def test_a_run_that_starts_again_is_active_for_everybody_and_can_be_stopped(supervisor: Supervisor, tmp_path: Path) -> None:
    run, launcher = training_together(supervisor, tmp_path)
    workers = ranks(launcher.pid)
    launcher.suspend()  # so that nothing is started again while we look
    for worker in workers:
        worker.kill()
    other = Supervisor(tmp_path, threads=1)
    until(lambda: run.status().state == "starting", "what is shown meanwhile")
    assert other.active().id == run.id == supervisor.active().id
    with pytest.raises(WorkerBusy):
        other.start(make(tmp_path))
    assert other.stop(timeout=0.1).id == run.id, "by force: whoever stops it did not start it"
    until(lambda: not launcher.is_running() or launcher.status() == psutil.STATUS_ZOMBIE, "the launcher's end")
    until(lambda: supervisor.active() is None, "that it knows of the end")
    assert run.status().state == "failed" and other.active() is None


@pytest.mark.slow
def test_a_run_that_is_stopped_before_its_processes_have_begun_is_stopped_and_not_failed(
        supervisor: Supervisor, tmp_path: Path) -> None:
    run = together(tmp_path)
    supervisor.start(run)
    launcher = psutil.Process(run.stored_status().pid)
    until(lambda: ranks(launcher.pid), "the first process")
    family = [launcher, *launcher.children(recursive=True)]
    assert run.stored_status().life == 0 and supervisor.stop(timeout=0.1).id == run.id
    status = run.status()
    assert (status.state, status.error, status.restarting) == ("stopped", None, "") and supervisor.active() is None
    assert not [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    supervisor.start(run, paused=True)
    until(lambda: run.status().state == "paused", "its first life")


@pytest.mark.usefixtures("quick")
@pytest.mark.slow
def test_when_the_launcher_is_killed_its_processes_are_still_found_and_stopped(supervisor: Supervisor, tmp_path: Path) -> None:
    run, launcher = training_together(supervisor, tmp_path)
    workers = ranks(launcher.pid)
    launcher.kill()
    until(lambda: not launcher.is_running() or launcher.status() == psutil.STATUS_ZOMBIE, "the launcher's end")
    assert supervisor.active().id == run.id
    assert supervisor.stop(timeout=PATIENCE).id == run.id and run.status().state == "stopped"
    assert not psutil.wait_procs(workers, timeout=PATIENCE)[1]


@pytest.mark.parametrize("holder", [b"", b"{", b"[]", b"{}", b'{"pid": "x", "pid_started": 0, "run": 5}',
                                    json.dumps({"pid": 1, "pid_started": 0, "run": "../../etc"}).encode(),
                                    json.dumps({"pid": os.getpid(), "pid_started": 10**400, "run": "busy"}).encode(),
                                    json.dumps({"pid": 10**400, "pid_started": 0, "run": "busy"}).encode()])
def test_a_damaged_note_about_the_holder_is_no_holder(tmp_path: Path, holder: bytes) -> None:
    Run.create(PRESETS["quick"], tmp_path).path.rename(tmp_path / "busy")
    Run.open(tmp_path / "busy").write_status(Status(state="paused", host="elsewhere"))
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

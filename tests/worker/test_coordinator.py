"""Several processes as one worker: led, stopped, killed, restarted, resumed by fewer and by more. Real torchrun, real signals.

Most begin in a process that has imported torch already (`forked`); those with `fresh` are `python -m torch.distributed.run`.
"""

import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import forked
import psutil
import pytest
import torch

from gan_core.config import PRESETS
from gan_core.runs import checkpoint, checkpoint_index
from gan_core.runs.run import CommandError, Run
from gan_core.runs.status import ENDED, Status
from gan_core.ui.run_events import RunEvents

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0  # seconds; only a broken team needs them
SMALL = {"batch_size": 8, "latent_dim": 8, "threads": 1, "precision": "fp32", "measure_share": 0.0}

pytestmark = pytest.mark.slow


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE:g} s for: {what}"
        time.sleep(0.01)


class Group:
    """torchrun with one run; `before` is Python that each process runs first. fresh: each interpreter starts anew."""

    def __init__(self, run: Run, size: int, *more: str, restarts: int = 0, before: str = "", fresh: bool = False) -> None:
        self.run, self.size, self.life = run, size, run.stored_status().life + 1
        what = ["-m", "gan_core.worker"]
        if before:
            script = run.path.parent / "before.py"
            script.write_text("import os, sys\nfrom gan_core.worker import main\n"
                              f"{before}\nsys.exit(main.main(sys.argv[1:]))\n")
            what = [str(script)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(size),
                   "--max-restarts", str(restarts), *what, str(run.path), *more]
        popen = functools.partial(subprocess.Popen, cwd=ROOT) if fresh else forked.popen
        self.agent = popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, start_new_session=True)

    def status(self) -> Status:
        return self.run.stored_status()

    def until_state(self, *states: str) -> Status:
        until(lambda: self.status().life >= self.life and self.status().state in states, f"state {states}")
        return self.status()

    def until_step(self, step: int) -> None:
        until(lambda: self.status().life >= self.life and self.status().step >= step, f"step {step}")

    def process(self, rank: int) -> psutil.Process:
        """The living process of this rank: torchrun says it in the environment."""
        return next(child for child in psutil.Process(self.agent.pid).children()
                    if child.environ().get("RANK") == str(rank) and child.status() != psutil.STATUS_ZOMBIE)

    def request(self, command: str, **args: object) -> Status:
        return self.run.wait(self.run.send(command, **args), timeout=PATIENCE)

    def kept(self) -> checkpoint.Checkpoint:
        return checkpoint.newest_valid(self.run.checkpoint_folder)

    def end(self) -> int:
        return self.agent.wait(PATIENCE)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Group]]:
    """Starts groups, and leaves no process behind."""
    groups: list[Group] = []

    def go(run: Run | None = None, size: int = 2, *more: str, restarts: int = 0, before: str = "", fresh: bool = False,
           **config: object) -> Group:
        if run is None:
            run = Run.create(PRESETS["quick"].replace(**{**SMALL, **config}), tmp_path, preset="quick")
        groups.append(Group(run, size, *more, restarts=restarts, before=before, fresh=fresh))
        return groups[-1]

    yield go
    for group in groups:
        if group.agent.poll() is None:
            members = psutil.Process(group.agent.pid).children(recursive=True)
            for process in (psutil.Process(group.agent.pid), *members):
                process.kill()
            group.agent.wait()


def closeness(ours: checkpoint.Tensors, theirs: checkpoint.Tensors) -> float:
    """The largest mean difference of a tensor of weights."""
    names = [name for name in ours if name.startswith(("G.", "D.", "G_ema.")) and ours[name].is_floating_point()]
    assert len(names) > 10 and set(ours) == set(theirs)
    return max(float((ours[name] - theirs[name]).abs().mean()) for name in names)


def test_a_team_pauses_steps_tunes_restores_and_stops_as_one_process_does(start) -> None:
    group = start(None, 2, "--paused")
    status = group.until_state("paused")
    assert status.processes == 2 and status.threads == 1 and status.pid == group.process(0).pid
    group.request("step", network="both", count=3)
    group.request("step", network="discriminator", count=2)
    with pytest.raises(CommandError, match="2 processes cannot share evenly"):
        group.request("tune", changes={"batch_size": 7})
    assert group.request("tune", changes={"batch_size": 4, "lr_d": 1e-3}).tuned == {"batch_size": 4, "lr_d": 1e-3}
    group.request("step", network="both", count=3)
    until(lambda: group.status().step == 8, "step 8")
    assert group.status().images == 8 * 5 + 4 * 3
    assert group.request("resume").state == "running"
    group.until_step(30)
    asked = time.monotonic()
    paused = group.request("pause")
    print(f"a pause took {time.monotonic() - asked:.2f} s")
    beat = group.status().heartbeat
    until(lambda: group.status().heartbeat > beat + 2, "a heartbeat while paused")
    assert group.status().step == paused.step
    # Back to the best, all of them: the same way is gone again, bit for bit.
    group.request("save")
    pointer = checkpoint_index.read_pointer(group.run.checkpoint_folder)
    checkpoint_index.write_pointer(group.run.checkpoint_folder, **pointer, pointer=checkpoint_index.BEST,
                                   name="fd", value=1.0, rank=[1.0])

    def three_more() -> checkpoint.Tensors:
        group.request("step", network="both", count=3)
        until(lambda: group.status().step == paused.step + 3, "three steps")
        group.request("save")
        return group.kept().tensors

    first = three_more()
    assert group.request("restore").step == paused.step
    again = three_more()
    assert all(torch.equal(first[name], again[name]) for name in first)
    group.run.send("stop")
    assert group.end() == 0 and group.status().state == "stopped"
    assert group.kept().step == paused.step + 3 == group.run.metrics()[-1]["step"]


def test_two_go_on_as_one_and_one_as_two_in_the_same_training(start) -> None:
    def lives(*sizes: int) -> checkpoint.Checkpoint:
        run = None
        for size in sizes:
            # Small steps: Adam's first ones are signs of gradients, and where those are all rounding, large ones set off chaos.
            group = start(run, size, "--paused", lr_d=1e-5, lr_g=1e-5)
            run = group.run
            begun = group.until_state("paused").step
            group.request("step", network="both", count=5)
            until(lambda begun=begun, group=group: group.status().step == begun + 5, "five steps")
            group.run.send("stop")
            assert group.end() == 0
        assert group.status().exact == (len(set(sizes)) == 1)
        return group.kept()

    alone = lives(1, 1)
    for sizes in ((2, 1), (1, 2)):
        mixed = lives(*sizes)
        assert mixed.step == alone.step == 10
        difference = closeness(mixed.tensors, alone.tensors)
        print(f"{sizes}: {difference:.1e}")
        assert difference < 1e-6  # a tenth of one of the ten steps


@pytest.mark.parametrize("rank", [1, 0])
def test_a_process_killed_with_9_comes_back_and_the_run_goes_on_from_its_checkpoint(start, rank: int) -> None:
    group = start(restarts=2, fresh=rank == 1)
    group.until_step(20)
    saved = group.request("save").checkpoint_step
    group.until_step(saved + 20)
    killed = time.monotonic()
    group.process(rank).kill()
    until(lambda: group.run.status().state == "starting", "that it starts again")
    assert group.run.status().restarting == "running" and group.run.is_alive()
    seen = set()
    until(lambda: seen.add(group.run.status().state) or (group.status().life == 2 and group.status().state == "running"),
          "the second life")
    assert seen <= {"starting", "running"}, "never failed"
    assert group.status().restarting == ""
    resumed = time.monotonic() - killed
    group.until_step(saved + 40)
    print(f"rank {rank} killed; trained again after {resumed:.1f} s")
    group.run.send("stop")
    assert group.end() == 0
    status, records = group.status(), group.run.metrics()
    assert (status.state, status.error, status.processes) == ("stopped", None, 2)
    second = (group.run.path / "metrics" / "0002.jsonl").read_text().splitlines()
    assert json.loads(second[0]) == {"life": 2, "start_step": saved}
    assert [r["step"] for r in records] == list(range(1, status.step + 1)), "no record is lost and none is there twice"


def paused_and_killed(group, rank: int, life: int) -> None:
    """A rank of a paused run is killed: in that life it is paused at the same step, and can be stopped."""
    group.until_step(5)
    paused = group.request("pause")
    group.request("save")
    group.process(rank).kill()
    until(lambda: group.status().life == life and group.status().state == "paused", f"life {life}")
    assert group.status().step == paused.step
    group.run.send("stop")
    assert group.end() == 0


def test_a_paused_run_is_paused_again_after_a_kill(start) -> None:
    paused_and_killed(start(restarts=1), rank=1, life=2)


KILLED_TWICE = """
from gan_core.compute import distributed
from gan_core.worker import session
begin = session.Session._start
def once_more(self):
    if distributed.restart_count() == 1: os.kill(os.getpid(), 9)
    begin(self)
session.Session._start = once_more
"""


def test_a_paused_run_is_paused_again_after_two_kills_the_second_before_it_had_begun(start) -> None:
    paused_and_killed(start(restarts=2, before=KILLED_TWICE), rank=0, life=3)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_frozen_process_stills_the_heart_of_all_and_one_that_thaws_goes_on(start, rank: int) -> None:
    group = start()
    group.until_step(5)
    feed = RunEvents(group.run)

    def silent() -> float:
        list(feed.refresh({}))
        return feed._seconds_silent()

    frozen = group.process(rank)
    frozen.suspend()
    until(lambda: silent() > 3, "that the page says so")
    step = group.status().step
    frozen.resume()
    until(lambda: silent() == 0 and group.status().step > step + 5, "more steps")
    group.run.send("stop")
    assert group.end() == 0 and group.status().life == 1


CRASHED = """
from gan_core.compute import distributed
from gan_core.training import trainer
step = trainer.Trainer.step
def crash_once(self):
    if self.team.rank == RANK and self.step_count == 12 and not distributed.restart_count(): raise RuntimeError("Bang.")
    return step(self)
trainer.Trainer.step = crash_once
"""


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_crashes_is_started_again_and_the_run_has_not_failed_meanwhile(start, rank: int) -> None:
    group = start(restarts=1, before=CRASHED.replace("RANK", str(rank)))
    seen = set()
    until(lambda: seen.add(group.run.status().state) or (group.status().life == 2 and group.status().step > 12), "life 2")
    assert "failed" not in seen and "Bang." in (group.run.path / "worker.log").read_text()
    group.run.send("stop")
    assert group.end() == 0 and group.status().state == "stopped"


IMPATIENT = """
from datetime import timedelta
from gan_core.compute import distributed
distributed.EXCHANGE_TIMEOUT = timedelta(seconds=4)
"""


def test_a_long_pause_is_no_silence_and_who_stays_frozen_is_replaced(start) -> None:
    group = start(restarts=1, before=IMPATIENT)
    group.until_step(5)
    paused, began = group.request("pause"), time.monotonic()
    group.request("save")
    until(lambda: time.monotonic() - began > 10, "twice the patience")
    assert group.status().life == 1
    group.request("step", network="both", count=2)
    group.process(1).suspend()
    until(lambda: group.status().life == 2 and group.status().state == "paused", "the second life")
    assert group.status().step == paused.step
    group.run.send("stop")
    assert group.end() == 0


def test_without_restarts_a_killed_process_ends_the_run_in_words(start) -> None:
    group = start()
    group.until_step(5)
    group.process(1).kill()
    status = group.until_state("failed")
    assert group.end() == 1
    assert status.error["kind"] == "killed" and "Another process" in status.error["message"]
    assert group.kept() is not None


@pytest.mark.parametrize("paused", [False, True])
def test_a_signal_to_any_process_stops_all_saved(start, paused: bool) -> None:
    group = start(fresh=not paused)
    group.until_step(5)
    if paused:
        group.request("pause")
    group.process(1).send_signal(signal.SIGTERM)
    assert group.end() == 0
    status = group.status()
    assert status.state == "stopped" and group.kept().step == status.step == status.checkpoint_step


NAN = """
import torch
from gan_core.training import trainer
step = trainer.Trainer.step
def poisoned(self):
    if self.team.rank == 1 and self.step_count == 12: next(self.D.parameters()).data.fill_(float("nan"))
    return step(self)
trainer.Trainer.step = poisoned
"""


def test_one_process_that_diverges_ends_all_at_its_step_and_no_restart_trains_again(start) -> None:
    group = start(restarts=3, before=NAN)
    assert group.end() == 1
    status = group.status()
    assert (status.state, status.error["kind"], status.error["step"], status.life) == ("failed", "diverged", 13, 1)
    assert group.kept().step == 0 == status.checkpoint_step
    assert group.run.metrics()[-1]["step"] == 12


def test_a_batch_that_cannot_be_shared_is_refused_in_words_once(start) -> None:
    group = start(restarts=2, batch_size=9)
    assert group.end() == 1
    status = group.status()
    assert status.error["kind"] == "refused" and "batch_size is 9, which 2 processes" in status.error["message"]
    assert status.error["fault"] == {"key": "misfit_batch", "values": {"field": {"field": "batch_size"}, "batch": 9, "n": 2}}
    assert status.life == 1


LOST = """
from gan_core.worker import coordinator
from gan_core.data.types import DataError
def gone(*_): raise DataError("own_none")
if os.environ["RANK"] == "1": coordinator.loading.load = gone
"""


def test_a_process_that_has_no_data_says_so_and_all_end(start) -> None:
    group = start(before=LOST)
    assert group.end() == 1
    error = group.status().error
    assert error["kind"] == "refused"
    assert error["message"] == "Process 2 of 2 cannot train: No file was given; upload pictures, or one zip of pictures."


OTHER = """
from gan_core.worker import coordinator
load = coordinator.loading.load
def other(config):
    found = load(config)
    found.data[::] = found.data[::-1].copy()
    return found
if os.environ["RANK"] == "1": coordinator.loading.load = other
"""


def test_processes_with_other_data_do_not_train_together(start) -> None:
    group = start(before=OTHER)
    assert group.end() == 1
    assert "Process 2 of 2 has loaded other data" in group.status().error["message"]


def test_a_finished_run_of_four_ends_with_all_its_processes(start) -> None:
    group = start(size=4, max_steps=25)
    assert group.end() == 0
    status = group.status()
    assert (status.state, status.step, status.images, status.processes) == ("finished", 25, 200, 4)
    assert status.state in ENDED and torch.isfinite(group.kept().tensors["D.dense.weight"]).all()

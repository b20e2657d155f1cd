"""The training process as it is: started, commanded, killed, resumed. Every test waits for a condition, never for a time."""

import io
import json
import os
import platform
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import filelock
import forked
import numpy as np
import psutil
import pytest
import torch
from PIL import Image
from waiting import PATIENCE, until

from gan_core.compute.choices import cpu_has_bf16
from gan_core.config import PRESETS, TrainConfig
from gan_core.latent.view import load_live
from gan_core.messages import ENGLISH
from gan_core.networks.pair import build_pair
from gan_core.runs import checkpoint, checkpoint_index, layout
from gan_core.runs.metrics import MetricsReader
from gan_core.runs.run import CommandError, Run
from gan_core.runs.status import ACTIVE, Status
from gan_core.worker import main as entry
from gan_core.worker import process as working
from gan_core.worker.cli import Options

ROOT = Path(__file__).parents[2]
SMALL = {"batch_size": 4, "latent_dim": 8, "threads": 1, "measure_share": 0.0}  # measuring has its own tests


class Worker:
    """A worker process with one run; without `code` it is `python -m gan_core.worker` to the letter."""

    def __init__(self, run: Run, paused: bool = False, code: str = forked.WORKER) -> None:
        self.run = run
        self.life = run.stored_status().life + 1
        argv = [str(run.path), *(["--paused"] if paused else [])]
        self.process = forked.started(argv, code) if code else subprocess.Popen(
            [sys.executable, "-m", "gan_core.worker", *argv], cwd=ROOT, stdin=subprocess.DEVNULL, start_new_session=True)

    def until_state(self, *states: str) -> Status:
        until(lambda: self.run.stored_status().life == self.life and self.run.stored_status().state in states, f"state {states}",
              None if not set(states) & set(ACTIVE) else self.process)
        return self.run.stored_status()

    def request(self, command: str, **args: object) -> Status:
        return self.run.wait(self.run.send(command, **args), timeout=PATIENCE)

    def steps(self, count: int, network: str = "both") -> Status:
        """`count` single steps of a paused run, waited for."""
        goal = self.run.stored_status().step + count
        self.request("step", network=network, count=count)
        while (step := self.run.stored_status().step) < goal:  # a slow machine needs longer in all, not from one step to the next
            until(lambda seen=step: self.run.stored_status().step > seen, f"the step after {step} of {goal}", self.process)
        status = self.run.stored_status()
        assert status.step == goal and status.state == "paused"
        return status

    def save(self) -> checkpoint.Checkpoint:
        status = self.request("save")
        until(lambda: self.run.stored_status().checkpoint_step == status.step, "the checkpoint", self.process)
        return checkpoint.newest_valid(self.run.checkpoint_folder)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    """Starts workers, and leaves none behind."""
    workers: list[Worker] = []

    def go(run: Run | None = None, paused: bool = False, code: str = forked.WORKER, **config: object) -> Worker:
        if run is None:
            run = Run.create(PRESETS["quick"].replace(**{**SMALL, **config}), tmp_path, preset="quick")
        workers.append(Worker(run, paused, code))
        return workers[-1]

    yield go
    for worker in workers:
        if worker.process.poll() is None:
            worker.process.send_signal(signal.SIGCONT)
            worker.kill()


def same(a: checkpoint.Tensors, b: checkpoint.Tensors, prefix: str = "") -> bool:
    names = {name for name in a if name.startswith(prefix)}
    assert names and names == {name for name in b if name.startswith(prefix)}
    return all(torch.equal(a[name], b[name]) for name in names)


# Obedience.


def test_a_run_starts_shows_pictures_and_obeys_pause_resume_save_and_stop(start) -> None:
    worker = start(code="")
    run = worker.run
    until(lambda: run.stored_status().step >= 3 and run.newest_frame() and run.live_path(), "the first frame",
          worker.process)
    status = run.status()
    assert status.state == "running" and status.pid == worker.process.pid and run.is_alive()
    assert status.images >= 3 * 4 and status.device and status.precision in {"fp32", "bf16"} and status.threads == 1

    paused = worker.request("pause")
    assert paused.state == "paused" and paused.acknowledged[-1]["ok"] and paused.acknowledged[-1]["command"] == "pause"
    # It holds: the heart beats on, the step does not.
    beat = run.stored_status().heartbeat
    until(lambda: run.stored_status().heartbeat > beat + 2, "a heartbeat while paused", worker.process)
    assert run.stored_status().step == paused.step

    kept = worker.save()
    assert kept.step == paused.step == kept.metadata["step"]
    assert worker.request("resume").state == "running"
    until(lambda: run.stored_status().step > paused.step, "more steps", worker.process)
    run.send("stop")
    ended = worker.until_state("stopped")
    assert worker.process.wait(PATIENCE) == 0
    assert checkpoint.newest_valid(run.checkpoint_folder).step == ended.step == ended.checkpoint_step
    assert run.status().state == "stopped" and not run.is_alive()

    assert np.asarray(Image.open(run.newest_frame().path)).shape == (224, 224)
    assert np.asarray(Image.open(run.real_path)).shape == (56, 224)
    records = run.metrics()
    assert records[-1]["step"] <= ended.step and [r["step"] for r in records] == sorted({r["step"] for r in records})
    assert all(0 <= r["d_real"] <= 1 and 0 <= r["d_fake"] <= 1 and r["t"] >= 0 for r in records)


@pytest.mark.slow
def test_a_knob_turned_while_it_trains_leaves_a_mark_and_survives_a_kill(start) -> None:
    worker = start(paused=True)
    run = worker.run
    worker.until_state("paused")
    worker.steps(3)
    status = worker.request("tune", changes={"lr_d": 1e-4, "r1": 2.0})
    assert status.tuned == {"lr_d": 1e-4, "r1": 2.0}
    assert run.metrics()[-1]["mark"] == {"kind": "tune", "changes": {"lr_d": [2e-3, 1e-4], "r1": [0.1, 2.0]}}
    for changes, sentence in (({"seed": 3}, "seed cannot change"), ({"lr_d": "fast"}, "lr_d is 'fast'; give a number"),
                          ({}, "nothing to change")):
        with pytest.raises(CommandError, match=sentence):
            worker.request("tune", changes=changes)
    worker.kill()  # nobody has saved

    again = start(run, paused=True)
    status = again.until_state("paused")
    assert status.tuned == {"lr_d": 1e-4, "r1": 2.0} and status.step == 3
    assert [r["mark"]["changes"]["lr_d"] for r in run.metrics() if "mark" in r] == [[2e-3, 1e-4]]
    assert again.steps(1).tuned == status.tuned and again.save().metadata["config"]["lr_d"] == 1e-4 and run.config.lr_d == 2e-3


WATCHED = """
import sys
from gan_core.compute import autotune, thread_tuner
from gan_core.compute.choices import ComputeChoices
from gan_core.worker import main, startup
autotune.choose = lambda config, build, threads=0: ComputeChoices(threads=2)
startup.cores = lambda: 2
def add(self, images, seconds):
    self.steps_seen = getattr(self, "steps_seen", 0) + 1
    return 1 if self.steps_seen == 3 else None
thread_tuner.ThreadPolicy.add = add
sys.exit(main.main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_a_change_of_threads_is_marked_with_its_step_and_outlives_the_worker(start) -> None:
    """The watch's verdict is replaced, so that it falls at a known step; all that follows from it is real."""
    worker = start(paused=True, code=WATCHED, threads=0)
    run = worker.run
    assert worker.until_state("paused").threads == 2 and run.stored_status().exact
    assert worker.steps(2).exact
    status = worker.steps(2)
    assert status.threads == 1 and not status.exact
    marks = [(r["step"], r["mark"]) for r in run.metrics() if "mark" in r]
    assert marks == [(3, {"kind": "threads", "changes": {"threads": [2, 1]}})]
    assert worker.save().metadata["resolved"]["threads"] == 1
    worker.kill()

    again = start(run, paused=True, code=WATCHED)  # a probe would say 2 again: a resume does not ask it
    status = again.until_state("paused")
    assert status.threads == 1 and not status.exact and status.step == 4


# However soon the next press comes, it comes late.
SLOW_PRESSES = "import sys; from gan_core.worker import main, session; session.BURST = 0.0; sys.exit(main.main(sys.argv[1:]))"


def test_presses_of_one_button_are_reported_together_until_something_else_moves(start) -> None:
    worker = start(paused=True, code=SLOW_PRESSES)
    worker.until_state("paused")
    run = worker.run
    probe = run.stored_status().probe
    for network in ("discriminator", "generator", "both", "generator"):
        began = probe["after"]
        for made, count in ((1, 1), (4, 3)):
            worker.steps(count, network)
            probe = run.stored_status().probe
            assert (probe["network"], probe["steps"], probe["before"]) == (network, made, began)
    worker.request("tune", changes={"lr_g": 0.0011})
    assert run.stored_status().probe == probe, "what was reported is still true"
    for made in (1, 2):
        worker.steps(1, "generator")
        assert (run.stored_status().probe["steps"], run.stored_status().probe["before"]) == (made, probe["after"])
    step = run.stored_status().step
    worker.request("resume")
    until(lambda: run.stored_status().step > step + 2, "some steps", worker.process)
    worker.request("pause")
    assert run.stored_status().probe["network"] == ""
    began = run.stored_status().probe["after"]
    worker.steps(1, "generator")
    assert (run.stored_status().probe["steps"], run.stored_status().probe["before"]) == (1, began)


def test_a_single_step_moves_exactly_one_network_and_wrong_commands_are_refused_in_words(start) -> None:
    worker = start(paused=True)
    worker.until_state("paused")
    before = worker.save()
    probe = worker.run.stored_status().probe
    assert probe is not None and probe["steps"] == 0 and probe["before"] is None
    for network, moved, still in (("discriminator", "D", "G"), ("generator", "G", "D")):
        worker.steps(1, network)
        believed, probe = probe["after"], worker.run.stored_status().probe
        assert (probe["network"], probe["steps"], probe["before"]) == (network, 1, believed), "one probe begins where one ended"
        assert (probe["after"]["real"] == believed["real"]) == (network == "generator"), "the Expert is held still"
        after = worker.save()
        assert after.step == before.step + 1
        assert same(before.tensors, after.tensors, f"{still}."), f"the step of {network} moved {still}"
        assert not same(before.tensors, after.tensors, f"{moved}.")
        before = after
    worker.steps(3)
    after = worker.save()
    assert not same(before.tensors, after.tensors, "G.") and not same(before.tensors, after.tensors, "D.")

    step = worker.run.stored_status().step
    for command, args in (("step", {"network": "referee"}), ("step", {"network": []}), ("step", {"network": "both", "count": 0}),
                          ("step", {"count": 10_001}), ("step", {"count": "many"}), ("pause", {})):
        with pytest.raises(CommandError) as caught:
            worker.request(command, **args)
        assert str(caught.value).endswith(".") and len(str(caught.value)) < 200
        assert ENGLISH.sentence(caught.value.fault) == str(caught.value), "for other languages as well"
    (worker.run.path / "control" / "00-x.json").write_bytes(b"{torn")
    (worker.run.path / "control" / "01-x.json").write_text('{"schema": 1, "id": "odd", "command": ["fly"], "args": 5}')
    until(lambda: not worker.run.pending_commands(), "strange commands to be thrown away", worker.process)
    assert worker.run.status().state == "paused" and worker.run.status().step == step
    assert len(worker.run.status().acknowledged) <= 16


@pytest.mark.parametrize("command", ["stop", "pause"])
def test_a_stop_and_a_pause_wait_for_no_single_steps(start, command: str) -> None:
    worker = start(paused=True)
    worker.until_state("paused")
    run, first = worker.run, worker.run.stored_status().step
    worker.process.send_signal(signal.SIGSTOP)  # so that all of them wait when it looks
    until(lambda: psutil.Process(worker.process.pid).status() == psutil.STATUS_STOPPED, "the worker to freeze")
    changed = run.send("tune", changes={"lr_d": 0.0005})
    steps = [run.send("step", network="both", count=10_000) for _ in range(3)]
    interruption = run.send(command)
    worker.process.send_signal(signal.SIGCONT)
    if command == "pause":
        assert run.wait(interruption, PATIENCE).state == "paused", "it was asked for, and so it is no mistake"
    status = worker.until_state("stopped" if command == "stop" else "paused")
    assert (status.step, status.checkpoint_step, status.tuned) == (first, first, {"lr_d": 0.0005})
    answers = {answer["id"]: (answer["ok"], answer["message"]) for answer in status.acknowledged}
    assert list(answers) == [changed, *steps, interruption] and answers[changed] == answers[interruption] == (True, "")
    assert {answers[step] for step in steps} == {(False, f"A {command} was asked for before these steps began.")}
    assert run.pending_commands() == []


@pytest.mark.parametrize("command", ["stop", "pause"])
def test_a_stop_and_a_pause_come_between_the_steps_of_one_command(start, tmp_path: Path, command: str) -> None:
    code = forked.WORKER.replace("import", "from gan_core.worker import commands; commands.INLINE = 1e9\nimport", 1)
    worker = start(paused=True, code=code)
    worker.until_state("paused")
    worker.run.send("step", network="both", count=10_000)
    until(lambda: not worker.run.pending_commands(), "the steps to begin", worker.process)
    worker.run.send(command)
    until(lambda: any(answer["command"] == command for answer in worker.run.stored_status().acknowledged), "the answer")
    status = worker.until_state("stopped" if command == "stop" else "paused")
    assert [(answer["command"], answer["ok"]) for answer in status.acknowledged] == [("step", True), (command, True)]
    assert 0 < status.step < 10_000
    assert command == "pause" or status.checkpoint_step == status.step


def test_commands_from_before_a_workers_life_are_thrown_away_unread(start, tmp_path: Path) -> None:
    run = Run.create(PRESETS["quick"].replace(**SMALL), tmp_path)
    run.send("stop")
    worker = start(run, paused=True)
    worker.until_state("paused")
    until(lambda: not run.pending_commands(), "an empty control folder", worker.process)
    assert run.status().state == "paused"


def test_a_run_finishes_by_itself_and_what_it_shows_can_be_driven(start) -> None:
    worker = start(max_steps=7)
    status = worker.until_state("finished")
    assert worker.process.wait(PATIENCE) == 0
    assert status.step == 7 and status.images == 28 and worker.run.metrics()[-1]["step"] == 7
    view = load_live(worker.run.live_path(), build_pair)
    picture, verdict = view.image(np.zeros(8))
    assert view.step == 7 and picture.shape == (28, 28) and 0 <= verdict <= 1
    assert checkpoint.newest_valid(worker.run.checkpoint_folder).step == 7
    again = start(worker.run, code="")  # there is nothing left to do, so nothing is done
    assert again.process.wait(PATIENCE) == 0
    status = worker.run.status()
    assert (status.state, status.step, status.life) == ("finished", 7, 2)


def with_a_best(start, best: int, then: int) -> tuple[Worker, checkpoint.Checkpoint, checkpoint.Checkpoint]:
    """A paused worker whose best checkpoint is said to be `best`, `then` steps further on; the states there and here."""
    worker = start(paused=True)
    worker.until_state("paused")
    with pytest.raises(CommandError, match="nothing has been measured"):
        worker.request("restore")
    worker.steps(best)
    there = worker.save()
    pointer = checkpoint_index.read_pointer(worker.run.checkpoint_folder)
    checkpoint_index.write_pointer(worker.run.checkpoint_folder, **pointer, pointer=checkpoint_index.BEST,
                                   name="fd", value=1.0, rank=[1.0])
    worker.steps(then)
    return worker, there, worker.save()


def test_restore_goes_back_to_the_best_on_a_new_way_of_the_curves_and_pauses(start) -> None:
    worker, _, first = with_a_best(start, 2, 3)
    status = worker.request("restore")
    assert (status.state, status.step, status.checkpoint_step, status.life) == ("paused", 2, 2, 2)
    assert [frame.step for frame in worker.run.frames()][-1] == 2 == worker.run.metrics()[-1]["step"]
    assert worker.run.metrics()[-1]["mark"] == {"kind": "restore", "changes": {}}
    worker.steps(3)
    assert same(first.tensors, worker.save().tensors), "nothing was changed, so the same way is gone again"
    assert [r["step"] for r in worker.run.metrics() if "mark" not in r] == [1, 2, 3, 4, 5]


@pytest.mark.slow
def test_an_ended_run_goes_on_from_its_best_and_never_from_what_came_after(start) -> None:
    worker, there, _ = with_a_best(start, 2, 3)
    worker.run.send("stop")
    worker.process.wait(PATIENCE)
    assert worker.run.status().state == "stopped" and worker.run.restore_best() == 2
    second = start(worker.run, paused=True)
    assert second.until_state("paused").step == 2
    assert second.run.stored_status().best == {"step": 2, "name": "fd", "value": 1.0}
    assert same(second.save().tensors, there.tensors)
    assert [(r["step"], "mark" in r) for r in second.run.metrics()] == [(1, False), (2, False), (2, True)]


@pytest.mark.slow
def test_what_a_kill_took_is_not_given_up_by_a_return_and_what_a_person_left_is(start) -> None:
    def given_up(run: Run) -> tuple[int, list[int]] | None:
        reader = MetricsReader(run.path)
        reader.read_new()
        return reader.given_up and (reader.given_up.step, [record["step"] for record in reader.given_up.records])

    worker, _, _ = with_a_best(start, 2, 3)
    worker.save()
    worker.steps(3)  # lost: the newest checkpoint is of step 5
    assert max(record["step"] for record in worker.run.metrics()) == 8
    worker.kill()
    assert worker.run.restore_best() == 2
    second = start(worker.run, paused=True)
    second.until_state("paused")
    assert given_up(second.run) == (2, [3, 4, 5])
    second.steps(2)
    second.request("restore")  # of a living worker, which has saved nothing since
    assert given_up(second.run) == (2, [3, 4])
    second.steps(4)
    second.kill()
    third = start(worker.run, paused=True)
    third.until_state("paused")
    third.request("restore")  # nothing was trained since the resume
    assert given_up(third.run) == (2, [3, 4]), "the four were lost by the kill"


def test_a_pause_is_measured_once_and_training_goes_on_as_if_it_had_not_been(start) -> None:
    chosen = {"precision": "fp32", "memory_format": "channels_last", "rewrites": "on"}  # measured, two runs may choose otherwise
    worker = start(paused=True, measure_share=0.05, **chosen)
    run = worker.run
    worker.until_state("paused")

    def measured() -> list[int]:
        return [record["step"] for record in run.metrics() if "quality" in record]

    for step in (2, 5):
        worker.steps(step - run.stored_status().step)
        until(lambda step=step: measured()[-1:] == [step] and run.floor(), f"the measurement of step {step}", worker.process)
    best = run.stored_status().best
    assert best["step"] in (2, 5) and run.stored_status().checkpoint_step >= best["step"]
    beat = run.stored_status().heartbeat
    until(lambda: run.stored_status().heartbeat > beat + 3, "some heartbeats", worker.process)
    assert measured() == [2, 5], "once each, and not the untrained one"
    worker.steps(3)
    kept = worker.save()
    worker.kill()
    assert same(kept.tensors, trained_in_one_life(start, 8, **chosen).tensors)


@pytest.mark.slow
def test_a_real_run_measures_itself_keeps_its_best_and_goes_back_to_it(start) -> None:
    worker = start(measure_share=0.5)
    run = worker.run
    until(lambda: run.stored_status().best and run.floor(), "a measurement and its floor", worker.process)
    worker.request("pause")
    status = worker.request("tune", changes={"measure_share": 0.0})  # the pause itself would be measured
    line = next(record for record in run.metrics() if "quality" in record)
    assert set(run.floor()) == set(line["quality"]) and line["step"] <= status.step
    best = run.stored_status().best
    assert best["name"] == "fd" and best["value"] >= run.floor()["fd"]
    restored = worker.request("restore")
    assert restored.step == best["step"] < status.step and restored.best == best
    assert any(record.get("quality", {}).get("fd") == best["value"] for record in run.metrics())


# Death and exact resume.


def trained_in_one_life(start, steps: int, **config: object) -> checkpoint.Checkpoint:
    worker = start(paused=True, **config)
    worker.until_state("paused")
    worker.steps(steps)
    kept = worker.save()
    worker.kill()
    return kept


def trained_in_two_lives(start, steps: int, **config: object) -> checkpoint.Checkpoint:
    """Half, save, a few steps more that are lost, kill -9, resume, the other half."""
    first = start(paused=True, **config)
    first.until_state("paused")
    first.steps(steps // 2)
    first.save()
    first.steps(3)
    first.kill()
    assert first.run.status().state == "failed" and first.run.status().error["kind"] == "killed"
    second = start(first.run, paused=True)
    status = second.until_state("paused")
    assert status.step == steps // 2 and status.life == 2 and status.error is None
    second.steps(steps - steps // 2)
    kept = second.save()
    second.kill()
    records = first.run.metrics()
    assert [r["step"] for r in records] == sorted({r["step"] for r in records}) and records[-1]["step"] == steps
    return kept


COURSE_BF16 = 40 if cpu_has_bf16() else 20  # where the processor has no bf16, a step takes over a second


# Fused Adam, channels_last, bf16 and dropout (the course's discriminator has it), on one thread and on two.
@pytest.mark.parametrize(("preset", "precision", "threads", "steps"),
                         [("quick", "bf16", 2, 10),
                          pytest.param("quick", "bf16", 1, 100, marks=pytest.mark.slow),
                          pytest.param("course", "bf16", 1, COURSE_BF16, marks=pytest.mark.slow),
                          pytest.param("course", "bf16", 2, COURSE_BF16, marks=pytest.mark.slow),
                          pytest.param("course", "fp32", 2, 40, marks=pytest.mark.slow),
                          pytest.param("quick", "fp32", 2, 100, marks=pytest.mark.slow)])
def test_resume_after_a_kill_is_exact_bit_for_bit(start, preset: str, precision: str, threads: int, steps: int) -> None:
    # What is measured might be chosen otherwise for the second run.
    config = {**PRESETS[preset].to_dict(), "batch_size": 4, "precision": precision, "threads": threads, "rewrites": "on",
              "memory_format": "channels_last", "measure_share": 0.0}
    whole, halves = trained_in_one_life(start, steps, **config), trained_in_two_lives(start, steps, **config)
    assert whole.step == halves.step == steps
    assert same(whole.tensors, halves.tensors)
    optimizers = [name for name in whole.tensors if "exp_avg" in name]
    assert len(optimizers) > 8, "the optimizers are part of what was compared"


def kill_at_random_moments(start, times: int, seed: int) -> None:
    """Each life saves as fast as it can until it is killed; the next one goes on from what is there."""
    dice, run, last = random.Random(seed), None, 0
    for _ in range(times):
        worker = start(run, paused=True)
        run = worker.run
        status = worker.until_state("paused")
        assert status.step >= last, "a resumed run begins at its last checkpoint"
        saves = dice.randrange(1, 6)
        for _ in range(saves):
            worker.steps(1)
            last = worker.save().step
        run.send("step", network="both", count=2)
        run.send("save")
        time.sleep(dice.uniform(0, 0.08))  # not a wait: the moment of death is drawn
        worker.kill()
        assert run.status().state == "failed" and run.status().error["kind"] == "killed"
        kept = checkpoint.newest_valid(run.checkpoint_folder)
        assert kept.step >= last and kept.skip_reasons == ()


def test_kill_9_while_saving_always_leaves_a_run_that_resumes(start) -> None:
    kill_at_random_moments(start, 3, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_kill_9_while_saving_always_leaves_a_run_that_resumes_50_times(start) -> None:
    kill_at_random_moments(start, 50, seed=2)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no SIGSTOP here")
def test_a_frozen_worker_is_silent_not_dead_and_goes_on_when_thawed(start) -> None:
    worker = start(paused=True)
    worker.until_state("paused")
    worker.process.send_signal(signal.SIGSTOP)
    until(lambda: psutil.Process(worker.process.pid).status() == psutil.STATUS_STOPPED, "the worker to freeze")
    assert worker.run.status().state == "paused" and worker.run.is_alive()
    for command, args in (("step", {"network": "both"}), ("tune", {"changes": {"lr_d": 0.0005}}), ("resume", {})):
        with pytest.raises(CommandError, match=r"has not answered for 0\.3 s; .* the command is withdrawn"):
            worker.run.wait(worker.run.send(command, **args), timeout=0.3)
    worker.process.send_signal(signal.SIGCONT)
    status = worker.request("save")
    assert (status.state, status.step, status.tuned) == ("paused", 0, {}), "what was said not to be done is not done later"
    assert [answer["command"] for answer in status.acknowledged] == ["save"]
    worker.request("resume")
    worker.until_state("running")


# Faults.


def test_divergence_names_its_step_and_leaves_the_last_good_checkpoint(start) -> None:
    # A weight that is not a number, put where a real fault would put it; the checkpoint of step 0 is there by then.
    code = ("import sys, torch; from gan_core.training import trainer; from gan_core.worker import main\n"
            "step = trainer.Trainer.step\n"
            "def poisoned(self, *a, **k):\n"
            "    if self.step_count == 4: next(self.D.parameters()).data.fill_(float('nan'))\n"
            "    return step(self, *a, **k)\n"
            "trainer.Trainer.step = poisoned\n"
            "sys.exit(main.main(sys.argv[1:]))")
    worker = start(code=code)
    status = worker.until_state("failed")
    worker.process.wait(PATIENCE)
    assert status.error["kind"] == "diverged" and 4 <= status.error["step"] <= 6
    assert str(status.error["step"]) in status.error["message"]
    kept = checkpoint.newest_valid(worker.run.checkpoint_folder)
    assert kept.step == 0 == status.checkpoint_step and kept.skip_reasons == ()
    # Resume goes on from there, as the banner offers.
    second = start(worker.run)
    until(lambda: worker.run.stored_status().step > 6, "steps beyond the accident", second.process)
    assert all(np.isfinite(value) for record in worker.run.metrics() for value in record.values())


@pytest.mark.slow
def test_an_absurd_learning_rate_fails_as_diverged_or_trains_on_with_numbers(start) -> None:
    """lr is at most 1 by its range; with it, the course's networks in fp32 either blow up or saturate, never hang or lie."""
    worker = start(lr_d=1.0, lr_g=1.0, betas_d=(0.0, 0.0), betas_g=(0.0, 0.0), max_steps=60)
    status = worker.until_state("failed", "finished")
    worker.process.wait(PATIENCE)
    assert status.state == "finished" or status.error["kind"] == "diverged"
    assert all(np.isfinite(v) for r in worker.run.metrics() for v in r.values())


FULL = """
import os, sys, errno
from gan_core.runs import files
from gan_core.worker import main
from gan_core.networks.pair import build_pair
from gan_core.networks.pair import build_pair
fsync = os.fsync
def full(descriptor):
    if os.path.exists(sys.argv[-1]): raise OSError(errno.ENOSPC, "No space left on device")
    fsync(descriptor)
files.os.fsync = full
sys.exit(main.main(sys.argv[1:-1]))
"""


def test_a_full_disk_is_a_notice_and_training_goes_on_with_the_last_good_kept(start, tmp_path: Path) -> None:
    switch = tmp_path / "disk-is-full"
    worker = start(paused=True, code=FULL.replace("sys.argv[-1]", repr(str(switch))).replace("sys.argv[1:-1]", "sys.argv[1:]"))
    worker.until_state("paused")
    worker.steps(1)
    good = worker.save()
    switch.touch()
    worker.run.send("step", network="both", count=2)
    worker.run.send("save")
    until(lambda: "space" in worker.run.stored_status().notice, "a notice", worker.process)
    assert worker.run.stored_status().state == "paused" and worker.run.stored_status().checkpoint_step == good.step
    assert checkpoint.newest_valid(worker.run.checkpoint_folder).step == good.step
    switch.unlink()
    assert worker.save().step > good.step
    until(lambda: worker.run.stored_status().notice == "", "the notice to go", worker.process)


def test_out_of_memory_is_told_with_a_remedy(start) -> None:
    code = ("import sys, torch; from gan_core.training import trainer; from gan_core.worker import main\n"
            "def greedy(self, *a, **k): raise torch.OutOfMemoryError('CUDA out of memory.')\n"
            "trainer.Trainer.step = greedy\nsys.exit(main.main(sys.argv[1:]))")
    worker = start(code=code)
    status = worker.until_state("failed")
    worker.process.wait(PATIENCE)
    assert status.error["kind"] == "out_of_memory" and "batch" in status.error["message"]


def test_data_that_are_not_there_end_a_life_in_a_sentence_and_in_what_a_page_translates(tmp_path: Path, monkeypatch) -> None:
    run = Run.create(TrainConfig(dataset=f"folder:{tmp_path}/nowhere"), tmp_path)
    monkeypatch.setattr(working, "_redirect_output", lambda path: None)  # here, in this very process
    assert working.train_run(run.path, Options(run=run.path, threads=1), SimpleNamespace(on_request=lambda stop: None)) == 1
    error = run.status().error
    assert error["kind"] == "refused" and error["message"].startswith(f"The folder {tmp_path}/nowhere is not there")
    assert error["fault"] == {"key": "folder_missing", "values": {"path": f"{tmp_path}/nowhere"}}


def test_a_run_this_version_cannot_train_is_refused_in_words(start, tmp_path: Path) -> None:
    run = Run.create(TrainConfig(), tmp_path)
    info = json.loads((run.path / "config.json").read_text())
    (run.path / "config.json").write_text(json.dumps({**info, "config": {**info["config"], "networks": "wings"}}))
    worker = start(run)
    status = worker.until_state("failed")
    worker.process.wait(PATIENCE)
    assert status.error["kind"] == "refused" and "wings" in status.error["message"]


# One worker a folder; no orphans.


@pytest.mark.parametrize("content", [b"", b"{", b'{"schema": 1, "id": "x", "config": 3}'])
def test_a_run_whose_config_cannot_be_read_is_refused_in_one_sentence_and_in_its_status(tmp_path: Path, capsys, content) -> None:
    run = Run.create(TrainConfig(**SMALL), tmp_path)
    run.write_status(Status(state="starting", step=7, checkpoint_step=7))
    (run.path / "config.json").write_bytes(content)
    assert entry.main([str(run.path)]) == 2
    output = capsys.readouterr().err
    assert output.count("\n") == 1 and f"{run.path} is not a run folder: " in output
    status = run.stored_status()  # by what is still there of it
    assert (status.state, status.step, status.checkpoint_step) == ("failed", 7, 7)
    assert status.error is not None and status.error["kind"] == "refused"
    assert status.error["message"] == output.strip().replace(str(run.path), run.path.name), "strangers may read it"


def test_the_status_of_an_ended_run_of_another_version_or_beside_a_worker_is_left_alone(tmp_path: Path, capsys) -> None:
    run = Run.create(TrainConfig(**SMALL), tmp_path)
    (run.path / "config.json").write_bytes(b"{")
    run.write_status(Status(state="finished", step=500))
    assert entry.main([str(run.path)]) == 2 and run.stored_status().state == "finished", "it has ended well"
    run.write_status(Status(state="starting"))
    before = (run.path / "status.json").read_bytes()
    (run.path / "config.json").write_bytes(b'{"schema": 2}')
    capsys.readouterr()
    assert entry.main([str(run.path)]) == 2 and "schema" in capsys.readouterr().err
    (run.path / "config.json").write_bytes(b"{")
    with filelock.FileLock(tmp_path / layout.WORKER_LOCK):
        assert entry.main([str(run.path)]) == 2
    assert (run.path / "status.json").read_bytes() == before
    assert entry.main([str(tmp_path)]) == 2 and not (tmp_path / "status.json").exists()


@pytest.mark.parametrize("line", ["nonsense", "{}", "[]", '{"run": 3}', "[" * 100_000])
def test_an_idle_worker_refuses_a_line_that_names_no_run(line: str, monkeypatch, capsys) -> None:
    monkeypatch.setattr(entry, "warm_up", lambda threads: None)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{line}\n"))
    assert entry.main(["--idle"]) == 2
    output = capsys.readouterr().err
    assert output.count("\n") == 1 and output.startswith("The line on stdin is ") and '{"run": PATH' in output


def test_an_idle_worker_ends_when_its_server_is_gone(tmp_path: Path) -> None:
    idle = subprocess.Popen([sys.executable, "-m", "gan_core.worker", "--idle"], cwd=ROOT, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True)
    assert idle.stdout.readline().strip() == "ready"
    idle.stdin.close()
    assert idle.wait(PATIENCE) == 0


AWAITED = """
import os, sys
import psutil
from gan_core.runs.run import Run
from gan_core.runs.status import Status
from gan_core.worker.main import main
Run.open(sys.argv[1]).write_status(Status(state="starting", pid=os.getpid(), pid_started=psutil.Process().create_time()))
sys.exit(main(sys.argv[1:]))
"""


def test_a_second_worker_in_the_same_folder_is_refused_and_the_first_goes_on(start, tmp_path: Path) -> None:
    first = start(paused=True)
    first.until_state("paused")
    second = start()
    before = (second.run.path / layout.STATUS).read_bytes()
    assert second.process.wait(PATIENCE) == 2
    assert (second.run.path / layout.STATUS).read_bytes() == before, "nobody waits for it: it is what it was"
    # What a killed worker left looks active, and nobody waits for it either.
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    second.run.write_status(Status(state="running", life=1, step=7, notice="said before", pid=gone.pid, host=platform.node()))
    before = (second.run.path / layout.STATUS).read_bytes()
    assert start(second.run).process.wait(PATIENCE) == 2
    assert (second.run.path / layout.STATUS).read_bytes() == before
    # Somebody waits for this one, as a page does after Start: its status says why it does not begin.
    second.run.write_status(Status())
    again = start(second.run, code=AWAITED)
    status = again.until_state("failed")
    assert status.error["kind"] == "refused" and first.run.id in status.error["message"]
    assert again.process.wait(PATIENCE) == 1 and first.run.status().state == "paused" and first.steps(1).step == 1


@pytest.mark.slow
def test_a_second_worker_of_the_same_run_says_who_trains_it_and_touches_nothing(start, tmp_path: Path) -> None:
    first = start(paused=True)
    first.until_state("paused")
    run, note = first.run, tmp_path / layout.WORKER_NOTE
    link = tmp_path / "elsewhere" / "another-name"
    link.parent.mkdir()
    link.symlink_to(run.path)
    content, environment = json.loads(note.read_bytes()), {**os.environ, "PYTHONPATH": str(ROOT)}

    def begun_beside(path: str, cwd: Path = ROOT) -> None:
        again = subprocess.run([sys.executable, "-m", "gan_core.worker", path], cwd=cwd, env=environment,
                               capture_output=True, text=True, timeout=PATIENCE)
        sentence = f"{run.name} is being trained already by process {first.process.pid} on {platform.node()}; "
        assert again.returncode == 2 and again.stdout == "" and again.stderr.startswith(sentence)
        assert again.stderr.count("\n") == 1
        status = run.stored_status()
        assert (status.state, status.pid, status.life, status.error) == ("paused", first.process.pid, 1, None)
        assert [path.name for path in sorted((run.path / layout.METRICS).iterdir())] == ["0001.jsonl"]

    begun_beside(str(run.path))
    begun_beside(str(link))
    begun_beside(".", cwd=run.path)
    note.write_text(json.dumps(content | {"run": "yesterdays-run"}))  # the first one has the lock, and no note yet
    begun_beside(str(run.path))
    note.write_text("{")
    begun_beside(str(run.path))
    assert first.steps(1).step == 1
    first.kill()
    resumed = subprocess.Popen([sys.executable, "-m", "gan_core.worker", ".", "--paused"], cwd=run.path, stdin=subprocess.DEVNULL,
                               env=environment, start_new_session=True)
    try:
        until(lambda: run.stored_status().life == 2 and run.stored_status().state == "paused", "a resume of this folder", resumed)
    finally:
        resumed.kill()
        resumed.wait()
    assert not (run.path / layout.WORKER_LOCK).exists(), "the lock lies beside the run"


def test_a_new_run_beside_another_one_is_refused_and_leaves_nothing_behind(start, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # this process is pytest's
    first = start(paused=True)
    first.until_state("paused")
    before = set(tmp_path.iterdir())
    assert entry.main(["--new", "--preset", "ring", "--checkpoints", str(tmp_path)]) == 2
    assert f"{first.run.id} is being trained already" in capsys.readouterr().err and set(tmp_path.iterdir()) == before


@pytest.mark.slow
def test_a_folder_that_grew_is_said_and_one_of_another_form_is_refused_in_words(start, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("GAN_PLAYGROUND_DATA", str(tmp_path / "cache"))
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for n in range(6):
        Image.new("L", (28, 28), 20 * n).save(pictures / f"{n}.png")
    first = start(paused=True, dataset=f"folder:{pictures}", image_size="28")
    first.until_state("paused")
    first.steps(2)
    first.request("stop")
    first.until_state("stopped")
    real = first.run.real_path.read_bytes()

    Image.new("L", (28, 28), 250).save(pictures / "6.png")
    second = start(first.run, paused=True)
    status = second.until_state("paused")
    assert "6 then, 7 now" in status.notice and not status.exact and second.run.data_summary()["count"] == 7
    assert second.run.real_path.read_bytes() != real and second.steps(1).step == 3
    second.request("stop")
    second.until_state("stopped")

    third = start(first.run, paused=True)
    status = third.until_state("paused")
    assert not status.notice and not status.exact  # it stays so
    third.request("stop")
    third.until_state("stopped")
    Image.new("RGB", (28, 28), (250, 0, 0)).save(pictures / "7.png")
    fourth = start(first.run)
    status = fourth.until_state("failed")
    assert status.error["kind"] == "refused" and "they are now 3 x 28 x 28" in status.error["message"]
    assert fourth.run.data_summary()["shape"] == [1, 28, 28]  # with the old files back it goes on


@pytest.mark.slow
def test_the_lock_dies_with_its_owner_whatever_killed_it(start) -> None:
    first = start(paused=True)
    first.until_state("paused")
    first.kill()
    second = start(paused=True)
    second.until_state("paused")
    assert second.steps(1).step == 1

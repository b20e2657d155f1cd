"""A notebook's fit as a run: what is in its folder, who steers it, how it ends. It trains the same bits as without a run."""

import json
import os
import platform
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock
import forked
import numpy as np
import psutil
import pytest
import torch
from torch import nn
from waiting import PATIENCE, until

from gan_core import DCGAN
from gan_core.config import OF_FIT, TrainConfig
from gan_core.data import loading
from gan_core.latent.view import load_live
from gan_core.networks.pair import build_pair
from gan_core.runs import checkpoint, layout
from gan_core.runs.run import CommandError, Run, RunError, list_runs
from gan_core.runs.supervisor import Supervisor, WorkerBusy
from gan_core.worker import best_checkpoint, fit, session
from gan_core.worker.metrics_writer import Diverged

PICTURES = np.random.default_rng(0).integers(0, 256, (24, 28, 28, 1), np.uint8)
LATENT = 5


@pytest.fixture(autouse=True)
def interruptible():
    """As a kernel is; a job in the background ignores interrupts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def networks() -> dict[str, nn.Module]:
    """Networks of no name here, with a batch norm's buffers and with draws of torch's own random generator."""
    torch.manual_seed(0)
    G = nn.Sequential(nn.Linear(LATENT, 49), nn.Unflatten(1, (1, 7, 7)), nn.BatchNorm2d(1), nn.Upsample(scale_factor=4),
                      nn.Sigmoid())
    D = nn.Sequential(nn.Conv2d(1, 2, 7, stride=7), nn.Flatten(), nn.Dropout(0.3), nn.Linear(32, 1), nn.Flatten(0))
    return {"generator": G, "discriminator": D}


def small(**more: object) -> DCGAN:
    return DCGAN(**networks(), latent_dim=LATENT, **more)


class At:
    """A callback: at the end of that step of the fit, counted from 1, it does something."""

    def __init__(self, step: int, action: Callable[[], object]) -> None:
        self.left, self.action, self.epochs = step, action, 0

    def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:
        self.left -= 1
        if self.left == 0:
            self.action()

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.epochs += 1


def answers(run: Run) -> list[tuple[str, bool, str]]:
    return [(answer["command"], answer["ok"], answer["message"]) for answer in run.stored_status().acknowledged]


def files(run: Run) -> set[str]:
    return {str(path.relative_to(run.path).parent) for path in run.path.rglob("*") if path.is_file()}


# What is trained, and what is written.

def test_a_recorded_fit_is_the_same_training_bit_for_bit(tmp_path, monkeypatch):
    monkeypatch.setattr(session, "REPORT", 0.0)  # between all steps
    monkeypatch.setattr(best_checkpoint, "MIN_CREDIT", 0.0)
    monkeypatch.setattr("gan_core.worker.recorder.RateLimit.due", lambda self: True)
    states, histories, noise = [], [], []
    for folder in (None, tmp_path):
        gan = small()
        gan.config = gan.config.replace(measure_share=0.5)
        torch.manual_seed(1)
        histories.append(gan.fit(PICTURES, epochs=5, batch_size=4, seed=3, verbose=0, run=folder))
        states.append({name: tensor.clone() for name, tensor in gan.trainer.state_dict().items()})
        noise.append(torch.random.get_rng_state())
    assert histories[0] == histories[1] and len(histories[0]["d_loss"]) == 5
    assert states[0].keys() == states[1].keys() and all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert torch.equal(*noise), "a notebook's dropout draws from torch's generator: nothing else may"
    assert len(gan.run.frames()) > 2 and any("quality" in record for record in gan.run.metrics()), "much was done between steps"


def test_the_folder_of_a_fit_says_what_was_trained_and_holds_no_pictures_but_samples(tmp_path, capsys):
    gan = small()
    history = gan.fit(PICTURES, epochs=2, batch_size=8, run=tmp_path)
    run = Run.open(gan.run.path)
    config, status = run.config, run.status()
    assert [one.id for one in list_runs(tmp_path)] == [run.id] and run.kind == "notebook" and run.info["parent"] is None
    assert (config.dataset, config.networks, config.batch_size, config.latent_dim, config.max_steps) == (
        "notebook", "notebook", 8, LATENT, 6)
    assert (config.loss, config.lr_g, config.ema_half_life) == ("course", 1e-4, 0.0)
    assert run.data_summary()["count"] == 24 and run.data_summary()["shape"] == [1, 28, 28]
    assert (status.state, status.step, status.images, status.checkpoint_step, status.kernel) == ("finished", 6, 48, 6, True)
    assert status.threads == torch.get_num_threads() and status.device == "cpu"
    assert not run.is_alive(), "the process goes on, and trains no run"
    assert [record["step"] for record in run.metrics() if "d_loss" in record] == [1, 2, 3, 4, 5, 6]
    means = [np.mean([record["d_loss"] for record in run.metrics()[3 * k:3 * k + 3]]) for k in (0, 1)]
    assert history["d_loss"] == pytest.approx(means, rel=1e-4)
    assert files(run) == {".", "metrics", "frames", "nearest", "checkpoint"}, "and no live file, which nobody could load"
    assert not run.controls(status)["resume"] and str(run.path) in capsys.readouterr().out
    saved = checkpoint.newest_valid(run.checkpoint_folder)
    assert all(torch.equal(saved.tensors[f"G.{name}"], t) for name, t in gan.generator.state_dict().items())


def test_verbose_0_says_nothing(tmp_path, capsys):
    small().fit(PICTURES, batch_size=8, verbose=0, run=tmp_path)
    assert capsys.readouterr().out == ""


def test_the_next_fit_is_another_run_that_goes_on(tmp_path):
    gan = small()
    gan.fit(PICTURES, batch_size=8, verbose=0, run=tmp_path)
    first = gan.run
    gan.fit(PICTURES, batch_size=8, verbose=0, run=tmp_path)
    assert gan.run.id != first.id and gan.run.info["parent"] == {"run": first.id, "step": 3}
    assert [record["step"] for record in gan.run.metrics() if "d_loss" in record] == [4, 5, 6]
    assert gan.run.status().state == "finished" and gan.run.config.max_steps == 6


def test_networks_and_pictures_with_a_name_give_a_run_that_a_worker_goes_on_with(tmp_path):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        G, D = build_pair("quick", 8, (1, 28, 28))
    digits = loading.load(TrainConfig(max_images=40))
    gan = DCGAN(D, G, 8)
    gan.fit(digits.data, epochs=5, batch_size=4, verbose=0, run=tmp_path, callbacks=[At(3, lambda: gan.run.send("stop"))])
    run = Run.open(gan.run.path)
    assert (run.config.dataset, run.config.max_images, run.config.networks) == ("digits", 40, "quick")
    assert run.data_summary()["names"] == list("0123456789") and run.data_summary() == json.loads(json.dumps(digits.summary()))
    view = load_live(run.live_path(), build_pair)
    z = torch.randn(8)
    picture, _ = view.image(z)
    assert np.abs(picture / 255 - gan.generate(z[None])[0]).max() < 0.02  # float16
    status = run.status()
    assert status.state == "stopped" and status.step == 3 and run.controls(status)["resume"]
    worker = forked.started([str(run.path), "--paused"], forked.WORKER)
    try:
        until(lambda: run.status().state == "paused" and run.status().life == 2, "the worker", worker)
        assert run.status().step == 3 and not run.status().kernel and not run.status().notices
        run.wait(run.send("step", network="both", count=2), timeout=PATIENCE)
        until(lambda: run.status().step == 5, "two steps", worker)
        step = run.wait(run.send("save"), timeout=PATIENCE).step
        until(lambda: run.status().checkpoint_step == step, "the checkpoint", worker)
    finally:
        worker.kill()
        worker.wait()
    for _ in range(2):
        gan.trainer.step()
    saved = checkpoint.newest_valid(run.checkpoint_folder)
    assert saved.step == 5
    for name, tensor in gan.trainer.state_dict().items():  # threads may differ, and so the order of sums
        torch.testing.assert_close(saved.tensors[name], tensor, rtol=1e-3, atol=1e-4)


# What the page asks for, between two steps.

def test_single_steps_are_the_fits_own_where_they_are_whole(tmp_path):
    gan = small()

    def steer() -> None:
        gan.run.send("pause")
        gan.run.send("step", network="both", count=2)
        gan.run.send("step", network="generator", count=3)
        gan.run.send("resume")

    told = At(2, steer)
    gan.fit(PICTURES, epochs=2, batch_size=8, verbose=0, callbacks=[told], run=tmp_path)
    status = gan.run.status()
    assert answers(gan.run) == [(name, True, "") for name in ("pause", "step", "step", "resume")]
    assert told.left == 2 - 6 and told.epochs == 2, "callbacks are told of all six whole steps, and of no other"
    assert (status.state, status.step, gan.trainer.step_count) == ("finished", 9, 9)


def test_single_steps_end_with_the_fit_which_stays_paused_to_be_looked_at(tmp_path):
    gan = small()

    def steer() -> None:
        gan.run.send("pause")
        gan.run.send("step", network="both", count=100)
        gan.run.send("step", network="both", count=1)
        gan.run.send("step", network="generator", count=1)
        gan.run.send("resume")

    gan.fit(PICTURES, epochs=1, batch_size=4, verbose=0, callbacks=[At(4, steer)], run=tmp_path)
    assert [ok for _, ok, _ in answers(gan.run)] == [True, True, False, True, True]
    assert "made all its steps" in answers(gan.run)[2][2]
    assert gan.run.status().state == "finished" and gan.trainer.step_count == 7 and len(gan.history["d_loss"]) == 1


def test_a_stop_ends_the_fit_after_its_step_and_the_fit_says_so(tmp_path, capsys):
    gan = small()
    told = At(4, lambda: gan.run.send("stop"))
    history = gan.fit(PICTURES, epochs=3, batch_size=8, callbacks=[told], run=tmp_path)
    status = gan.run.status()
    assert (status.state, status.step, status.checkpoint_step, gan.trainer.step_count) == ("stopped", 4, 4, 4)
    assert "Stopped on the page at step 4" in capsys.readouterr().out
    d_losses = [record["d_loss"] for record in gan.run.metrics() if "d_loss" in record]
    assert len(history["d_loss"]) == 2 and told.epochs == 2, "the epoch that was cut short counts"
    assert history["d_loss"][1] == pytest.approx(d_losses[3], rel=1e-4)
    with pytest.raises(CommandError):
        gan.run.wait(gan.run.send("pause"), timeout=5)


def test_knobs_are_turned_and_stay_turned_but_not_what_fit_was_given(tmp_path):
    gan = small()

    def turn() -> None:
        gan.run.send("tune", changes={"lr_d": 5e-4})
        for name in sorted(OF_FIT):
            gan.run.send("tune", changes={name: 3})

    gan.fit(PICTURES, epochs=2, batch_size=8, verbose=0, callbacks=[At(2, turn)], run=tmp_path)
    assert [ok for _, ok, _ in answers(gan.run)] == [True, False, False, False]
    assert all("given to fit" in sentence for _, ok, sentence in answers(gan.run) if not ok)
    assert gan.run.status().tuned == {"lr_d": 5e-4} and gan.run.config.lr_d == 1e-4
    assert gan.config.lr_d == 5e-4 and gan.config.max_steps == 0 and gan.config.dataset == "digits"


def test_stop_training_of_a_callback_stops_the_run(tmp_path, capsys):
    gan = small()

    class Enough:
        def on_epoch_end(self, epoch: int, logs: object) -> None:
            gan.stop_training = True

    gan.fit(PICTURES, epochs=3, batch_size=8, callbacks=Enough(), run=tmp_path)
    assert gan.run.status().state == "stopped" and gan.run.status().checkpoint_step == 3
    assert "on the page" not in capsys.readouterr().out


# How it can end otherwise.

def test_an_interrupt_ends_the_fit_after_its_step_and_the_run_is_saved(tmp_path):
    before, gan, told = signal.getsignal(signal.SIGINT), small(), []
    after = At(3, lambda: (signal.raise_signal(signal.SIGINT), told.append("the callback ends first")))
    with pytest.raises(KeyboardInterrupt):
        gan.fit(PICTURES, epochs=3, batch_size=8, verbose=0, callbacks=[after], run=tmp_path)
    status = gan.run.status()
    assert told and (status.state, status.step, status.checkpoint_step, status.error) == ("stopped", 3, 3, None)
    assert signal.getsignal(signal.SIGINT) is before
    gan.fit(PICTURES, batch_size=8, verbose=0, run=tmp_path)  # the lock is free again
    assert gan.trainer.step_count == 6


def test_a_second_interrupt_ends_it_at_once(tmp_path):
    gan, told = small(), []
    after = At(2, lambda: ([signal.raise_signal(signal.SIGINT) for _ in range(2)], told.append("never")))
    with pytest.raises(KeyboardInterrupt):
        gan.fit(PICTURES, epochs=3, batch_size=8, verbose=0, callbacks=[after], run=tmp_path)
    assert not told and gan.run.status().state == "stopped"


def test_an_interrupted_pause_is_over(tmp_path):
    gan = small()

    def interrupt() -> None:
        until(lambda: gan.run.stored_status().state == "paused", "the fit to pause")
        os.kill(os.getpid(), signal.SIGINT)

    def steer() -> None:
        gan.run.send("pause")
        threading.Thread(target=interrupt, daemon=True).start()

    with pytest.raises(KeyboardInterrupt):
        gan.fit(PICTURES, batch_size=8, verbose=0, callbacks=[At(1, steer)], run=tmp_path)
    assert gan.run.status().state == "stopped" and gan.run.status().checkpoint_step == 1


def test_an_error_of_the_notebook_fails_the_run_saved_and_is_raised(tmp_path):
    gan = small()
    with pytest.raises(ZeroDivisionError):
        gan.fit(PICTURES, epochs=3, batch_size=8, verbose=0, callbacks=[At(2, lambda: 1 / 0)], run=tmp_path)
    status = gan.run.status()
    assert (status.state, status.step, status.checkpoint_step) == ("failed", 2, 2)
    assert status.error["fault"]["key"] == "fit_failed" and "division by zero" in status.error["message"]


def test_an_error_in_the_midst_of_a_step_saves_nothing_of_it(tmp_path):
    gan = small()
    gan.fit(PICTURES, batch_size=8, verbose=0)

    def at_last() -> bool:
        return gan.trainer.step_count == 4 and gan.generator.training

    hook = gan.generator.register_forward_hook(lambda *_: 1 / 0 if at_last() else None)
    with pytest.raises(ZeroDivisionError):
        gan.fit(PICTURES, batch_size=8, verbose=0, run=tmp_path)
    hook.remove()
    status = gan.run.status()
    assert (status.state, status.step, status.checkpoint_step) == ("failed", 4, 3)


def test_a_diverged_fit_ends_as_any_diverged_run(tmp_path, monkeypatch):
    monkeypatch.setattr(session, "REPORT", 0.0)
    gan = small()

    def poison() -> None:
        with torch.no_grad():
            next(gan.generator.parameters()).fill_(torch.nan)

    with pytest.raises(Diverged, match="diverged at step 3"):
        gan.fit(PICTURES, epochs=3, batch_size=8, verbose=0, callbacks=[At(2, poison)], run=tmp_path)
    status = gan.run.status()
    assert status.state == "failed" and status.error["kind"] == "diverged" and status.checkpoint_step == 0


# Refusals leave nothing behind.

def test_what_is_no_folder_of_runs_is_refused_in_one_sentence(tmp_path, monkeypatch):
    file, run = tmp_path / "file", tmp_path / "run"
    file.write_text("")
    run.mkdir()
    (run / layout.CONFIG).write_text("{}")
    for value in (3, True, "", b"runs", ["runs"], "a\0b", "s3://bucket/runs", file, file / "runs", run):
        with pytest.raises(ValueError, match=r"^run is .*give the folder of runs, such as \"checkpoints\"") as refusal:
            small().fit(PICTURES, verbose=0, run=value)
        assert str(refusal.value).endswith(".") and "\n" not in str(refusal.value)
    monkeypatch.setattr(fit.os, "access", lambda *_: False)
    with pytest.raises(ValueError, match="cannot be written to"):
        small().fit(PICTURES, verbose=0, run=tmp_path)
    assert set(tmp_path.iterdir()) == {file, run}


def test_networks_that_cannot_be_stored_are_refused(tmp_path):
    pair = networks()
    pair["generator"].register_buffer("mask", torch.ones(2, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"^G\.mask has the type torch\.bool"):
        DCGAN(**pair, latent_dim=LATENT).fit(PICTURES, verbose=0, run=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_where_another_process_trains_is_refused_and_stays_as_it_is(tmp_path):
    with filelock.FileLock(tmp_path / layout.WORKER_LOCK), pytest.raises(RunError, match="another run is being trained"):
        small().fit(PICTURES, verbose=0, run=tmp_path)
    assert not list(tmp_path.glob("*/"))
    gan = small()

    def again() -> None:
        with pytest.raises(RunError, match=f"^In {tmp_path} {gan.run.id} is being trained already by process {os.getpid()} on "
                                           f"{platform.node()}; stop it there"):
            small().fit(PICTURES, verbose=0, run=tmp_path)

    gan.fit(PICTURES, batch_size=8, verbose=0, callbacks=[At(1, again)], run=tmp_path)
    assert len(list_runs(tmp_path)) == 1 and gan.run.status().state == "finished"


# In a process of its own, as a notebook's kernel is, seen from the page's.

KERNEL = """
import sys, numpy as np, torch
sys.path.insert(0, sys.argv[2])
import test_fit
test_fit.small().fit(test_fit.PICTURES, epochs=10**6, batch_size=8, verbose=0, run=sys.argv[1])
print("the cell after it")
"""


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[tuple[subprocess.Popen, Run]]:
    """A process whose fit trains a run in tmp_path."""
    process = forked.started([str(tmp_path), str(Path(__file__).parent)], KERNEL)
    until(lambda: list_runs(tmp_path) and list_runs(tmp_path)[0].status().step > 2, "the first steps", process)
    yield process, list_runs(tmp_path)[0]
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()


def test_a_page_pauses_steps_and_stops_the_fit_of_another_process(kernel, tmp_path):
    process, run = kernel
    supervisor = Supervisor(tmp_path)
    assert supervisor.active().id == run.id and run.status().pid == process.pid
    assert run.wait(run.send("pause"), PATIENCE).state == "paused"
    step = run.status().step
    assert run.wait(run.send("step", network="both", count=1), PATIENCE).step == step + 1
    assert run.wait(run.send("step", network="discriminator", count=2), PATIENCE).step == step + 3
    run.wait(run.send("resume"), PATIENCE)
    until(lambda: run.status().step > step + 5, "it goes on", process)
    with pytest.raises(WorkerBusy):
        supervisor.start(Run.create(TrainConfig(), tmp_path))
    supervisor.close()
    assert run.status().state == "running", "a page that ends leaves the notebook's training alone"
    assert Supervisor(tmp_path).stop(PATIENCE).id == run.id
    assert run.status().state == "stopped" and run.status().checkpoint_step == run.status().step
    assert process.wait(PATIENCE) == 0, "the cells after it are run"


def test_a_killed_kernel_leaves_a_run_that_is_lost_and_a_folder_that_is_free(kernel, tmp_path):
    process, run = kernel
    process.kill()
    process.wait()
    assert run.status().state == "failed" and run.status().error["kind"] == "killed" and Supervisor(tmp_path).active() is None
    small().fit(PICTURES, batch_size=8, verbose=0, run=tmp_path)
    assert len(list_runs(tmp_path)) == 2


def test_a_kernel_that_does_not_answer_is_never_killed(kernel, tmp_path):
    process, run = kernel
    process.send_signal(signal.SIGSTOP)
    Supervisor(tmp_path).stop(0.5)
    assert psutil.Process(process.pid).status() == psutil.STATUS_STOPPED, "it holds more than the run"
    process.send_signal(signal.SIGCONT)
    until(lambda: run.status().state == "stopped", "the stop that was asked for")
    assert process.wait(PATIENCE) == 0

"""What is chosen by measurement, with the stopwatch replaced; and that a probe leaves no trace."""

import numpy as np
import pytest
import torch

from gan_core.compute import autotune
from gan_core.compute.choices import ComputeChoices
from gan_core.config import PRESETS
from gan_core.training.trainer import Trainer
from gan_core.training.trial import trainer_builder

IMAGES = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (40, 1, 28, 28), np.uint8))
build = trainer_builder(IMAGES)
CONFIG = PRESETS["quick"].replace(batch_size=4, latent_dim=8, device="cpu")


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    """No knowledge of earlier tests, bf16 worth a try, four cores, and torch's own threads left alone."""
    monkeypatch.setattr(autotune, "_known", {})
    monkeypatch.setattr(autotune, "has_bf16", lambda device: True)
    monkeypatch.setattr(autotune, "devices", lambda: ["cpu"])
    monkeypatch.setattr(autotune, "cores", lambda: 4)
    monkeypatch.setattr(autotune._Probe, "has_rewrites", lambda self, choices: True)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def measuring(monkeypatch, speed):
    """`speed(resolved)` in place of the stopwatch; returns the list of what was measured."""
    seen = []

    def measured(self, choices):
        seen.append(choices)
        return speed(choices)

    monkeypatch.setattr(autotune._Probe, "_measured", measured)
    return seen


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("rewrites", [True, False])
@pytest.mark.parametrize("memory_format", ["channels_last", "contiguous"])
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_the_fastest_combination_is_found_whatever_it_is(monkeypatch, precision, rewrites, memory_format, threads):
    best = {"precision": precision, "rewrites": rewrites, "memory_format": memory_format}

    def speed(r):
        return 100.0 * 1.5 ** sum(getattr(r, name) == value for name, value in best.items()) / (1 + abs(r.threads - threads))

    measuring(monkeypatch, speed)
    found = autotune.choose(CONFIG, build)
    assert (found.precision, found.rewrites, found.memory_format, found.threads) == (precision, rewrites, memory_format, threads)
    assert dict(found.speeds)[threads] == max(speed for _, speed in found.speeds) and {n for n, _ in found.speeds} == {1, 2, 3, 4}
    assert torch.get_num_threads() == threads


def test_what_is_hardly_faster_is_not_chosen(monkeypatch):
    measuring(monkeypatch, lambda r: 100.0 + 2 * r.threads + 8 * (r.precision == "bf16") + 8 * (not r.rewrites))
    found = autotune.choose(CONFIG, build)
    assert (found.precision, found.rewrites, found.memory_format, found.threads) == ("fp32", True, "channels_last", 1)


@pytest.mark.parametrize(("preset", "there"), [("course", True), ("quick", False)])
def test_rewrites_are_measured_only_where_networks_have_them(monkeypatch, preset, there):
    monkeypatch.undo()
    monkeypatch.setattr(autotune, "_known", {})
    monkeypatch.setattr(autotune, "BUDGET", 60.0)
    seen = measuring(monkeypatch, lambda r: 1.0)
    assert autotune.choose(PRESETS[preset].replace(device="cpu", latent_dim=8, batch_size=2), build).rewrites
    assert {r.rewrites for r in seen} == ({True, False} if there else {True})


def test_what_was_hopeless_in_its_first_turn_has_no_second(monkeypatch):
    seen = measuring(monkeypatch, lambda r: 100.0 / r.threads**2)
    assert autotune.choose(CONFIG.replace(precision="fp32", rewrites="on", memory_format="channels_last"), build).threads == 1
    assert [r.threads for r in seen] == [1, 2, 3, 4, 1]


def test_what_a_person_has_chosen_is_not_measured(monkeypatch):
    seen = measuring(monkeypatch, lambda r: 1.0)
    config = CONFIG.replace(precision="fp32", rewrites="off", memory_format="contiguous", threads=3)
    assert autotune.choose(config, build) == ComputeChoices("cpu", "fp32", "contiguous", 3, rewrites=False)
    assert seen == []
    assert autotune.choose(CONFIG, build, threads=2).threads == 2 and {r.threads for r in seen} == {2}


def test_the_same_work_again_measures_only_the_threads(monkeypatch):
    seen = measuring(monkeypatch, lambda r: 100.0 * r.threads + 100.0 * (r.precision == "bf16"))
    first = autotune.choose(CONFIG, build)
    del seen[:]
    assert autotune.choose(CONFIG.replace(seed=5, lr_d=1e-4), build) == first
    assert {(r.precision, r.memory_format, r.rewrites) for r in seen} == {("bf16", "channels_last", True)}
    del seen[:]
    autotune.choose(CONFIG.replace(batch_size=8), build)
    assert {r.precision for r in seen} == {"fp32", "bf16"}, "other work is measured anew"


def test_when_the_time_is_up_what_is_known_decides(monkeypatch):
    seen = measuring(monkeypatch, lambda r: 100.0)
    monkeypatch.setattr(autotune, "BUDGET", 0.0)
    monkeypatch.setattr(autotune, "THREADS_BUDGET", 0.0)
    assert autotune.choose(CONFIG, build) == ComputeChoices("cpu", "fp32", "channels_last", 1)
    assert seen == []


def test_what_a_device_cannot_do_is_not_chosen(monkeypatch):
    step = Trainer.step

    def lacking(self):
        if self.choices.rewrites or self.choices.precision == "bf16":
            raise NotImplementedError("fold is not implemented on this device")
        return step(self)

    monkeypatch.setattr(Trainer, "step", lacking)
    monkeypatch.setattr(autotune, "BUDGET", 60.0)
    found = autotune.choose(CONFIG.replace(threads=1), build)
    assert found.precision == "fp32" and not found.rewrites


def test_a_probe_leaves_no_trace_in_a_run(monkeypatch):
    """With real measurements: the same run, before, after and between, bit for bit, and torch's own generator untouched."""
    monkeypatch.setattr(autotune, "cores", lambda: 2)
    choices = ComputeChoices("cpu", "fp32", "channels_last", 1)

    def run(disturb):
        trainer = Trainer(CONFIG, IMAGES, choices=choices)
        trainer.step()
        if disturb:
            found = autotune.choose(CONFIG, build)
            assert found.threads in {1, 2} and found.device == "cpu"
            assert autotune._known, "it did measure"
            torch.set_num_threads(1)
        trainer.step()
        return trainer.state_dict()

    torch.set_num_threads(1)
    generator, images = torch.random.get_rng_state(), IMAGES.clone()
    quiet, disturbed = run(False), run(True)
    assert all(torch.equal(quiet[name], disturbed[name]) for name in quiet)
    assert torch.equal(torch.random.get_rng_state(), generator) and torch.equal(IMAGES, images)


@pytest.mark.parametrize("preset", ["course", "quick"])
def test_no_choice_changes_a_step_beyond_rounding(preset):
    """The losses of two steps against those of the plain way: fp32, contiguous, nothing rewritten, one thread."""
    torch.set_num_threads(1)
    config = PRESETS[preset].replace(batch_size=2, latent_dim=8)

    def losses(choices):
        torch.set_num_threads(choices.threads)
        trainer = Trainer(config, IMAGES, choices=choices)
        return torch.tensor([[float(v) for v in trainer.step().values()] for _ in range(2)])

    plain = losses(ComputeChoices("cpu", "fp32", "contiguous", 1, rewrites=False))
    for choice, tolerance in ((ComputeChoices("cpu", "fp32", "contiguous", 1), 1e-3),
                              (ComputeChoices("cpu", "fp32", rewrites=False), 1e-3),
                              (ComputeChoices("cpu", "fp32", threads=2), 1e-3), (ComputeChoices("cpu", "bf16"), 3e-2)):
        torch.testing.assert_close(losses(choice), plain, rtol=tolerance, atol=tolerance)

"""What a notebook does wrong is answered by one sentence: what was given, what is allowed, what to do.

The types stay those that Python or an older version raised: whoever catches them goes on doing so.
"""

import copy
import inspect
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch

import gan_core
from gan_core import (
    DCGAN,
    PRESETS,
    ConfigError,
    Evaluator,
    Run,
    TrainConfig,
    Trainer,
    course_generator,
    list_runs,
    registry,
    train_classifier,
)
from gan_core.runs.run import CommandError, RunError

IMAGES = torch.zeros(8, 1, 28, 28, dtype=torch.uint8)
QUICK = PRESETS["quick"].replace(device="cpu", threads=1)


def trainer() -> Trainer:
    return Trainer(QUICK, IMAGES)


CASES = {
    "an unknown field": (lambda: TrainConfig(foo=1), TypeError, "unknown field 'foo'; the fields are: augment, background,"),
    "nearly a field": (lambda: TrainConfig(batchsize=1), ConfigError, "; the nearest: batch_size"),
    "a field to replace": (lambda: QUICK.replace(lr=1), ConfigError, "; the nearest: lr_g, lr_d"),
    "dataclasses.replace": (lambda: replace(QUICK, lr=1), TypeError, "unknown field 'lr'"),
    "a field twice": (lambda: TrainConfig("mnist", dataset="digits"), TypeError, "given twice, as 'mnist' and 'digits'; give it"),
    "values without names": (lambda: TrainConfig(*range(99)), TypeError,
                             f"99 values are given for {len(fields(TrainConfig))} fields; write each as"),
    "a loss": (lambda: TrainConfig(loss="hnge"), ConfigError, "loss is 'hnge'; choose one of: non-saturating, "),
    "nearly a loss": (lambda: TrainConfig(loss="Hnge"), ConfigError, "; the nearest: hinge."),
    "an array as a loss": (lambda: TrainConfig(loss=np.zeros(2)), ConfigError, "loss is array([0., 0.]); choose one of: "),
    "a table as a loss": (lambda: TrainConfig(loss=np.zeros((2, 2))), ConfigError, "loss is array([[0., 0.], [0., 0.]]); choose"),
    "a long name": (lambda: TrainConfig(**{"a" * 3000: 1}), TypeError, "\u2026; the fields are: augment,"),
    "networks as a config": (lambda: Trainer(torch.nn.Sequential(torch.nn.ReLU(), torch.nn.ReLU())), ConfigError,
                             "config is Sequential( (0): ReLU() (1): ReLU() ); give a TrainConfig"),
    "a table as a loss to compile": (
        lambda: DCGAN().compile(loss_fn=np.zeros((3, 3))), ValueError, "loss_fn is array([[0., 0., 0.], "),
    "a truth as a count": (lambda: trainer().sample(True), ValueError, "z is True; give a whole number from 1"),
    "networks": (lambda: TrainConfig(networks="cours"), ConfigError, "networks is 'cours'; choose one of: course, quick, "),
    "a data set": (lambda: TrainConfig(dataset="mnst"), ConfigError, "; the nearest: mnist, kmnist."),
    "a preset": (lambda: PRESETS["stedy"], KeyError, "there is no preset 'stedy'; choose one of: quick, course, "),
    "a preset by its number": (lambda: PRESETS[0], KeyError, "there is no preset 0; choose one of: quick, "),
    "a name of a table": (lambda: registry.resolve(registry.LOSSES, "hnge"), KeyError, "'hnge' is not known here; choose "),
    "a name of the package": (lambda: gan_core.DCGan, AttributeError, "gan_core has no 'DCGan'; it has: DCGAN, "),
    "a file that is not there": (lambda: DCGAN.load("missing/path"), FileNotFoundError, "give a file that DCGAN.save has"),
    "a path that is none, to load": (lambda: DCGAN.load(None), TypeError, "the path is None; give that of a file, such as "),
    "a path that is none, to save": (lambda: DCGAN().save(3), TypeError, "the path is 3; give that of a file, such as "),
    "an empty path to save": (lambda: DCGAN().save(""), ValueError, "the path is ''; give that of a file, such as "),
    "a path with a null byte": (lambda: DCGAN.load("a\0b"), ValueError, r"the path is 'a\x00b'; give that of a file, such as "),
    "a run with a null byte": (lambda: Run.open("a\0b"), RunError, "is not a run folder"),
    "runs with a null byte": (lambda: list_runs("a\0b"), RunError, "is not a folder of runs"),
    "a loss to compile": (lambda: DCGAN().compile(loss_fn="hnge"), ValueError, "loss_fn is 'hnge'; give a binary cross"),
    "z of no length": (lambda: course_generator(0), ValueError, "latent_dim is 0; give a whole number from 1."),
    "a length in words": (lambda: course_generator("a"), ValueError, "latent_dim is 'a'; give a whole number from 1."),
    "a preset's name": (lambda: Trainer("ring"), ConfigError, "config is 'ring'; give a TrainConfig, such as PRESETS['ring']."),
    "a dict": (lambda: Trainer({"loss": "hinge"}), ConfigError, "give a TrainConfig, such as PRESETS['quick']."),
    "images": (lambda: Trainer(QUICK, "abc"), ValueError, "images cannot be read from str; give a tensor or an array"),
    "a number as images": (lambda: Trainer(QUICK, images=5), ValueError, "images are torch.int64 (); give uint8 (N, C, H, W)"),
    "a large number as images": (lambda: Trainer(QUICK, images=10**400), ValueError, "images cannot be read from int; give a"),
    "a number as labels": (lambda: Trainer(QUICK, IMAGES, 5), ValueError, "labels are torch.int64 (); give whole numbers from"),
    "labels": (lambda: Trainer(QUICK, IMAGES, "abc"), ValueError, "labels cannot be read from str; give a tensor or an array"),
    "one network": (lambda: Trainer(QUICK, IMAGES, networks=3), ValueError, "networks is int; give (generator, discriminator)"),
    "no networks": (lambda: Trainer(QUICK, IMAGES, networks=(3, 4)), ValueError, "networks is int, int; give (generator, "),
    "a knob": (lambda: trainer().tune(lrd=1), ConfigError, "lrd cannot change while a run trains; these can: augment, "),
    "no samples": (lambda: trainer().sample(0), ValueError, "z is 0; give a whole number from 1 to 1,000,000, or a tensor (N,"),
    "samples of words": (lambda: trainer().sample("a"), ValueError, "z is 'a'; give a whole number from 1 to 1,000,000, or a"),
    "too many samples": (lambda: trainer().sample(10**400), ValueError, "\u2026; give a whole number from 1 to 1,000,000, or a"),
    "too many pictures": (lambda: DCGAN().generate(10**400), ValueError, "\u2026; give a whole number from 1 to 1,000,000."),
    "z too large": (lambda: DCGAN(latent_dim=1).generate([[10**400]]), ValueError, "z cannot be read from list; give numbers"),
    "another z": (lambda: trainer().sample(torch.zeros(2, 5)), ValueError, "z is (2, 5); give a whole number from 1 to"),
    "a generator": (lambda: trainer().sample(2, generator="best"), ValueError, "generator is 'best'; choose one of: now"),
    "nothing to measure": (lambda: Evaluator(None), ValueError, "trainer is a NoneType; give a Trainer"),
    "no pictures": (lambda: train_classifier(None, None), ValueError, "images cannot be read from NoneType; give a"),
    "no labels": (lambda: train_classifier(IMAGES, None), ValueError, "labels cannot be read from NoneType; give a tensor or"),
    "no run": (lambda: Run("checkpoints/x"), TypeError, "Run('checkpoints/x') has no config; open a folder with Run.open(path)"),
    "no folder of runs": (lambda: list_runs(None), RunError, "None is not a folder of runs; give its path"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_is_one_sentence(case: str) -> None:
    call, kind, part = CASES[case]
    with pytest.raises(kind) as caught:
        call()
    sentence = str(caught.value)
    assert part in sentence and "\n" not in sentence and len(sentence) < 600


def test_a_run_is_made_of_a_config_a_folder_and_texts_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config is 'quick'; give a TrainConfig, such as PRESETS\['quick'\]"):
        Run.create("quick", tmp_path)
    with pytest.raises(RunError, match="None is not a folder of runs"):
        Run.create(QUICK, None)
    with pytest.raises(RunError, match="the name of a run is 3; give a text"):
        Run.create(QUICK, tmp_path, name=3)
    assert list(tmp_path.iterdir()) == []
    run = Run.create(QUICK, tmp_path)
    with pytest.raises(CommandError, match=r"'pauze' is no command; the commands are: .*; the nearest: pause"):
        run.send("pauze")
    with pytest.raises(CommandError, match="step cannot be sent with"):
        run.send("step", count={1})
    assert run.pending_commands() == []


def test_labels_of_samples_are_one_for_each_z() -> None:
    conditional = Trainer(PRESETS["conditional"].replace(device="cpu", threads=1), IMAGES, torch.arange(8) % 2)
    with pytest.raises(ValueError, match=r"labels are \(2,\); give one for each of the 4 z, \(N,\)\."):
        conditional.sample(4, torch.tensor([0, 1]))
    assert conditional.sample(np.int64(4)).shape == conditional.sample(4).shape == (4, 1, 28, 28)


def test_a_config_is_still_the_dataclass_that_editors_know() -> None:
    assert list(inspect.signature(TrainConfig).parameters)[:2] == ["dataset", "image_size"]
    assert TrainConfig("mnist") == TrainConfig(dataset="mnist") == copy.deepcopy(TrainConfig("mnist"))
    assert hash(QUICK) == hash(copy.copy(QUICK))

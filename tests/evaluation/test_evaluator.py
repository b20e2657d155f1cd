"""Measuring while it trains: nothing of the training changes, one measurement speaks of one generator, and it knows its place."""

import numpy as np
import pytest
import torch
from torch import nn

from gan_core.config import PRESETS
from gan_core.data import points as known_points
from gan_core.data.digits import load
from gan_core.evaluation import measures
from gan_core.evaluation.classifier import Classifier, load_classifier, stratified_split
from gan_core.evaluation.evaluator import Evaluator, choose_suite
from gan_core.evaluation.suites import ClassifierSuite, FeatureFreeSuite, ModesSuite, PointCloudSuite
from gan_core.training.trainer import Trainer

SMALL = {"batch_size": 4, "latent_dim": 8, "threads": 1, "device": "cpu"}
IMAGES, LABELS = load()


class Dots(nn.Module):
    """A generator or discriminator of points."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(before, 8), nn.ReLU(), nn.Linear(8, after))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)


def trainer(kind: str = "digits", **config: object) -> Trainer:
    config = PRESETS["quick"].replace(**{**SMALL, **config})
    if kind == "classes":
        config = config.replace(condition="class")
    if kind in ("digits", "classes"):
        return Trainer(config, IMAGES[::10], LABELS[::10])
    if kind == "unlabelled":
        return Trainer(config, IMAGES[::10])
    points = known_points.ring()[0][:5000] if kind == "ring" else torch.randn(400, 2, generator=torch.Generator().manual_seed(0))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Trainer(config, points, networks=(Dots(8, 2), Dots(2, 1)))


@pytest.fixture(autouse=True)
def ring_by_name(monkeypatch):
    """`dataset` is digits in these configs; the points of the ring are found by it."""
    for table in (known_points.CENTRES, known_points.SIGMA):
        monkeypatch.setitem(table, "digits", table["ring"])


@pytest.mark.parametrize(("kind", "suite", "names"), [
    ("digits", ClassifierSuite, "fd kid precision recall density coverage classes class_kl nearest readable"),
    ("classes", ClassifierSuite, "fd kid precision recall density coverage classes class_kl nearest readable"),
    ("unlabelled", FeatureFreeSuite, "patches coverage diversity nearest"),
    ("ring", ModesSuite, "modes good mode_kl"),
    ("cloud", PointCloudSuite, "swd coverage")])
@pytest.mark.parametrize("ema", [500.0, 0.0])
def test_the_losses_are_the_same_bits_with_and_without_and_the_data_choose_the_measures(kind, suite, names, ema):
    plain, measured = trainer(kind, ema_half_life=ema), trainer(kind, ema_half_life=ema)
    evaluator = Evaluator(measured)
    state, found = torch.random.get_rng_state(), []
    for _ in range(3):
        wanted = plain.step()
        for _ in range(4):
            found.append(evaluator.advance())
        assert all(torch.equal(value, wanted[name]) for name, value in measured.step().items())
    while not any(found):
        found.append(evaluator.advance())
    while evaluator.floor is None:
        evaluator.advance()
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(plain.state_dict().values(), measured.state_dict().values(), strict=True))
    result = next(filter(None, found))
    assert isinstance(evaluator.suite, suite) and set(result.quality) == set(names.split()) == set(evaluator.floor)
    assert len(found) > (3 if "Modes" in str(suite) else 10), "in slices"
    assert result.quality[suite.headline] > 3 * evaluator.floor[suite.headline], "three steps make no digit"


def test_a_measurement_is_of_the_generator_that_was_there_when_it_began_whatever_comes_after():
    still, moving = trainer(), trainer()
    for one in (still, moving):
        for _ in range(5):
            one.step()
    wanted, evaluator = Evaluator(still).measure(), Evaluator(moving)
    found = None
    while found is None:
        found = evaluator.advance()
        if evaluator._frozen is not None:
            moving.step()
    assert (found.step, found.images) == (5, 20) == (wanted.step, wanted.images) and moving.step_count > 10
    assert found.quality == pytest.approx(wanted.quality, rel=1e-3, abs=1e-3)  # slices of other sizes are rounded otherwise
    second, other = evaluator.measure(), Evaluator(moving)
    other._index = 1  # the second measurement's z
    assert second.step == moving.step_count and second.quality == pytest.approx(other.measure().quality, rel=1e-3, abs=1e-3)


def test_the_judges_values_are_those_of_the_measures_on_the_held_out_pictures():
    one = trainer()
    one.step()
    evaluator, classifier = Evaluator(one), load_classifier()
    found = evaluator.measure()
    _, held_out = stratified_split(torch.from_numpy(LABELS[::10]), 100)
    real = classifier.features(torch.from_numpy(IMAGES[::10])[held_out])
    fakes = one.sample(evaluator._draws.normal("measuring", 0, 100, 8))
    fake, shares = classifier.features(fakes), np.bincount(classifier.probabilities(fakes).argmax(1), minlength=10) / 100
    assert found.quality["fd"] == pytest.approx(measures.frechet_distance(real, fake), rel=1e-2)
    assert found.quality["kid"] == pytest.approx(measures.kernel_distance(real, fake), rel=1e-2)
    assert (found.quality["precision"], found.quality["recall"]) == pytest.approx(measures.precision_recall(real, fake), abs=0.03)
    assert found.quality["coverage"] == pytest.approx(measures.density_coverage(real, fake)[1], abs=0.03)
    assert found.histogram == pytest.approx(shares.tolist(), abs=0.03)
    assert found.quality["classes"] == (np.array(found.histogram) >= 0.02).sum()


@pytest.mark.parametrize("kind", ["digits", "unlabelled", "ring"])
def test_real_ones_in_place_of_fakes_reach_the_floor(kind, monkeypatch):
    evaluator = Evaluator(trainer(kind))
    evaluator.measure()

    def reals(_, count):
        yield None
        return evaluator.suite.other_reals()

    monkeypatch.setattr(evaluator, "_fakes", reals)
    found = evaluator.measure()
    assert {**found.quality, "nearest": 1.0} == pytest.approx({"nearest": 1.0, **evaluator.floor})
    better, worse = found.rank, tuple(value + 1 for value in found.rank)
    assert better < worse


@pytest.mark.parametrize("kind", ["digits", "unlabelled", "cloud"])
def test_preparations_that_were_broken_off_begin_again(kind):
    one = trainer(kind)
    wanted = Evaluator(one).measure()
    for turns in (3, 7, 12):
        evaluator = Evaluator(one)
        for _ in range(turns):
            evaluator.advance()
        assert evaluator.measure().quality == pytest.approx(wanted.quality, rel=1e-3, abs=1e-3)


def test_a_missing_mode_counts_more_than_any_divergence():
    suite = ModesSuite(torch.randn(50, 2), known_points.CENTRES["ring"], 0.01)
    assert suite.rank({"modes": 8, "good": 0.5, "mode_kl": 1.9}) < suite.rank({"modes": 7, "good": 1.0, "mode_kl": 0.0})


def test_a_judge_that_cannot_read_the_labels_is_not_asked():
    """Other pictures of the same size and number of classes, or the digits with their labels mixed up."""
    mixed = Trainer(PRESETS["quick"].replace(**SMALL), IMAGES[::10], np.roll(LABELS[::10], 100))
    assert isinstance(choose_suite(mixed), FeatureFreeSuite) and isinstance(choose_suite(trainer()), ClassifierSuite)
    own = Classifier((1, 28, 28), 10)
    assert isinstance(choose_suite(trainer(), own), FeatureFreeSuite)


def test_of_a_few_digits_a_judge_says_nothing_but_copies_are_seen():
    few = Trainer(PRESETS["quick"].replace(**SMALL), IMAGES[::100], LABELS[::100])
    assert isinstance(choose_suite(few), FeatureFreeSuite)
    assert set(Evaluator(few).measure().quality) == {"patches", "coverage", "diversity", "nearest"}


def test_too_few_reals_are_not_measured():
    few = Evaluator(Trainer(PRESETS["quick"].replace(**SMALL), IMAGES[:10], LABELS[:10]))
    assert [few.advance() for _ in range(5)] == [None] * 5
    with pytest.raises(ValueError, match="at least 20"):
        few.measure()

"""The judge of generated digits: right about real ones, not fooled by noise, blobs, mixtures or one digit repeated."""

import numpy as np
import pytest
import sklearn.datasets
import torch

from gan_core.data.digits import load
from gan_core.evaluation import classifier as j
from gan_core.evaluation.measures import precision_recall
from gan_core.evaluation.readability import ReadabilityScorer
from gan_core.runs.checkpoint import CheckpointError, write


@pytest.fixture(scope="module")
def digits():
    images, labels = load()
    return torch.from_numpy(images), torch.from_numpy(labels)


@pytest.fixture(scope="module")
def readers(digits):
    return ReadabilityScorer(j.load_classifier(), *digits)


def test_the_shipped_judge_is_right_on_digits_it_has_never_seen(digits):
    images, labels = digits
    _, held_out = j.stratified_split(labels)
    assert j.accuracy(j.load_classifier(), images[held_out], labels[held_out]) >= 0.985


def test_the_split_is_whole_stratified_and_the_same_every_time(digits):
    known, held_out = j.stratified_split(digits[1])
    assert sorted(torch.cat([known, held_out]).tolist()) == list(range(5000))
    assert torch.bincount(digits[1][held_out]).tolist() == [100] * 10
    assert torch.equal(j.stratified_split(digits[1])[1], held_out)


def test_real_digits_are_readable_and_what_is_none_is_not(readers, digits):
    images, labels = digits
    held_out = j.stratified_split(labels)[1]
    real = images[held_out]
    verdict = readers.assess(real)
    assert verdict.readable and verdict.agreement > 0.85 and verdict.classes == 10
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(256, real.shape, dtype=torch.uint8, generator=generator)
    mixed = ((real.int() + real[torch.randperm(1000, generator=generator)].int()) // 2).to(torch.uint8)
    blobs = torch.nn.functional.avg_pool2d(real.float(), 9, 1, 4).to(torch.uint8)
    for name, other in (("noise", noise), ("two digits over each other", mixed), ("blobs", blobs)):
        assert not readers.assess(other).readable, name
    ones = real[labels[held_out] == 1].repeat(10, 1, 1, 1)
    collapsed = readers.assess(ones)
    assert collapsed.agreement > 0.9 and collapsed.classes == 1 and not collapsed.readable


def test_precision_and_recall_are_those_of_their_definition():
    """By the definition, in numpy, on points; and on a set against itself, on far-away sets, on a part of a set."""
    points = np.random.default_rng(0)
    real, fake = points.normal(size=(40, 3)), points.normal(0.5, 1.2, size=(40, 3))

    def share(inside, ball, k=3):
        radii = np.sort(np.linalg.norm(ball[:, None] - ball[None], axis=2), axis=1)[:, k]
        return np.mean([(np.linalg.norm(ball - x, axis=1) <= radii).any() for x in inside])

    found = precision_recall(torch.from_numpy(real), torch.from_numpy(fake))
    assert found == pytest.approx((share(fake, real), share(real, fake)))
    assert precision_recall(torch.from_numpy(real), torch.from_numpy(real)) == (1.0, 1.0)
    assert precision_recall(torch.from_numpy(real), torch.from_numpy(fake + 100)) == (0.0, 0.0)
    half = np.concatenate([real[:20], real[:20] + 1e-6])
    precision, recall = precision_recall(torch.from_numpy(real), torch.from_numpy(half))
    assert precision == 1.0 and recall < 0.9
    with pytest.raises(ValueError, match="at least 4"):
        precision_recall(torch.zeros(3, 2), torch.zeros(3, 2))


def test_the_histogram_counts_the_likeliest_class():
    probabilities = torch.tensor([[0.1, 0.9, 0.0], [0.4, 0.5, 0.1], [0.9, 0.1, 0.0], [0.2, 0.2, 0.6]])
    assert j.class_histogram(probabilities).tolist() == [0.25, 0.5, 0.25]


def test_a_judge_saved_and_loaded_says_the_same_and_other_shapes_are_refused(tmp_path, digits):
    classifier = j.load_classifier()
    j.save_classifier(classifier, tmp_path / "judge.safetensors")
    again = j.load_classifier(tmp_path / "judge.safetensors")
    assert torch.equal(classifier.probabilities(digits[0][:50]), again.probabilities(digits[0][:50]))
    with pytest.raises(ValueError, match="28, 28"):
        classifier.features(torch.zeros(2, 3, 28, 28))


def test_a_judge_can_be_fitted_on_any_labelled_set_and_keeps_its_kind_in_its_file(tmp_path):
    """Another source: 8x8 digits of scikit-learn, in colours."""
    found = sklearn.datasets.load_digits()
    labels = torch.from_numpy(found.target)
    grey = torch.from_numpy(found.images * 15.9).to(torch.uint8)[:, None]
    images = torch.cat([grey, grey // 2, 255 - grey], 1)
    known, held_out = j.stratified_split(labels, 300)
    classifier = j.train_classifier(images[known].numpy(), labels[known].numpy(), epochs=8)
    assert j.accuracy(classifier, images[held_out], labels[held_out]) > 0.93
    assert float(classifier.features(images[known]).var(0).mean()) == pytest.approx(1, rel=1e-3)
    j.save_classifier(classifier, tmp_path / "own.safetensors")
    again = j.load_classifier(tmp_path / "own.safetensors")
    assert again.shape == (3, 8, 8) and again.classes == 10
    assert torch.allclose(again.features(images[:50]), classifier.features(images[:50]), atol=0.05)
    for odd in (b"", b"no judge"):
        (tmp_path / "odd.safetensors").write_bytes(odd)
        with pytest.raises(CheckpointError):
            j.load_classifier(tmp_path / "odd.safetensors")
    write(tmp_path / "other.safetensors", {"x": torch.zeros(2)}, {"judge": {"shape": [1, 28, 28], "classes": 10}})
    with pytest.raises(CheckpointError, match="not the file of a classifier"):
        j.load_classifier(tmp_path / "other.safetensors")


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (1, 64, 64), (3, 9, 70), (1, 256, 8)])
def test_every_size_has_its_judge(shape):
    classifier = j.Classifier(shape, 3)
    assert classifier.features(torch.zeros(2, *shape)).shape == (2, 64)
    assert classifier.probabilities(torch.zeros(2, *shape)).shape == (2, 3)


@pytest.mark.parametrize(("images", "labels", "sentence"), [
    (torch.zeros(40, 28, 28, dtype=torch.uint8), torch.arange(40) % 2, "give uint8"),
    (torch.zeros(40, 1, 28, 28), torch.arange(40) % 2, "torch.float32"),
    (torch.zeros(40, 2, 28, 28, dtype=torch.uint8), torch.arange(40) % 2, "1 or 3 channels"),
    (torch.zeros(40, 1, 4, 28, dtype=torch.uint8), torch.arange(40) % 2, "8 to 256"),
    (torch.zeros(40, 1, 28, 28, dtype=torch.uint8), torch.arange(30) % 2, "40 pictures"),
    (torch.zeros(40, 1, 28, 28, dtype=torch.uint8), torch.ones(40), "whole number"),
    (torch.zeros(40, 1, 28, 28, dtype=torch.uint8), torch.zeros(40, dtype=torch.int64), "2 to 1,000 classes"),
    (torch.zeros(40, 1, 28, 28, dtype=torch.uint8), torch.arange(40) % 2 + 1, "leave none out"),
    (torch.zeros(40, 1, 28, 28, dtype=torch.uint8), torch.arange(40) % 5, "at least 10"),
])
def test_what_no_judge_can_be_fitted_on_is_refused_in_words(images, labels, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        j.train_classifier(images, labels)
    assert str(caught.value).endswith(".") and len(str(caught.value)) < 200


@pytest.mark.slow
def test_training_the_judge_again_gives_as_good_a_one(digits):
    images, labels = digits
    known, held_out = j.stratified_split(labels)
    classifier = j.train_classifier(images[known], labels[known], epochs=6)
    assert j.accuracy(classifier, images[held_out], labels[held_out]) > 0.97

"""Whether a person could read most of a set of generated digits, as two independent readers see it.

**Readable** is the project's word for this. One reader is the classifier, the other a vote of the five nearest real pictures in
pixel space. A set is readable if both hold:

* agreement >= READABLE_AGREEMENT: the share of generated pictures for which both readers name the same digit;
* classes >= READABLE_CLASSES: the number of digits with at least 2% of those pictures, a fifth of a fair share.

The classifier's confidence does not count: it is as high for a blob, or for one digit repeated. Improved precision is reported
but does not decide: it scores two digits written over each other above pictures that a person reads.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .classifier import Classifier, stratified_split
from .feature_free import to_unit_range
from .measures import precision_recall

READABLE_AGREEMENT = 0.5
READABLE_CLASSES = 9


@dataclass(frozen=True)
class Readability:
    """The scores of one set of generated pictures; `histogram`: share of each digit among the pictures both readers agree on."""

    agreement: float
    precision: float
    recall: float
    classes: int
    histogram: tuple[float, ...]

    @property
    def readable(self) -> bool:
        return self.agreement >= READABLE_AGREEMENT and self.classes >= READABLE_CLASSES


class NearestLabels:
    """A reader without a network: the labels of the nearest real pictures. pictures: `coarse` ones (T, d); labels (T,)."""

    def __init__(self, pictures: Tensor, labels: Tensor) -> None:
        self.pictures, self.labels = pictures, labels

    def agree(self, pictures: Tensor, labels: Tensor) -> Tensor:
        """(N,) bool: at least 4 of the 5 pictures nearest to `coarse` ones (N, d) have the label (N,) that is given."""
        nearest = torch.cdist(pictures, self.pictures).topk(5, largest=False).indices  # (N, 5)
        return (self.labels[nearest] == labels[:, None]).sum(1) >= 4


class ReadabilityScorer:
    """Scores generated digits against real ones; built once, then 0.2 s for 1,000 pictures.

    `images` (N, 1, 28, 28) uint8 and `labels` (N,) are the whole real set. The classifier's training part serves the
    nearest-neighbour reader, the held-out part is the reference for precision and recall.
    """

    def __init__(self, classifier: Classifier, images: Tensor, labels: Tensor) -> None:
        fitted, held_out = stratified_split(labels)
        self.classifier = classifier
        self._nearest = NearestLabels(coarse(images[fitted]), labels[fitted])
        self._held_out_features = classifier.features(images[held_out])  # (H, 64)

    def agreement(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(N,) bool: the classifier and at least 4 of the 5 nearest real pictures name the same digit; and (N,) that digit."""
        digits = self.classifier.probabilities(images).argmax(1)
        return self._nearest.agree(coarse(images), digits), digits

    def assess(self, images: Tensor) -> Readability:
        """Of generated pictures (N, 1, 28, 28), best 1,000: the noise of agreement is 1.5 points with 1,000, 6 with 64."""
        agreed, digits = self.agreement(images)
        shares = torch.bincount(digits[agreed], minlength=10).double() / max(1, int(agreed.sum()))  # (10,)
        n = min(len(images), len(self._held_out_features))
        precision, recall = precision_recall(self._held_out_features[:n], self.classifier.features(images[:n]))
        return Readability(float(agreed.double().mean()), precision, recall, int((shares >= 0.02).sum()), tuple(shares.tolist()))


def coarse(images: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, d): pixels averaged 3x3 at every second place, so that a stroke moved by one pixel is still near."""
    return F.avg_pool2d(to_unit_range(images), 3, 2, 1).flatten(1)

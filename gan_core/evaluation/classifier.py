"""A judge of generated pictures: a tiny CNN that never sees one of them while it is fitted, and gives the space to measure in.

`train_classifier` fits one on any labelled pictures; the one for digits is shipped (benchmarks/make_judge.py).
**Readable**, the project's word for "a person reads most of these", is the verdict of two readers who know nothing of each
other: the CNN, and a vote of the five nearest real pictures in pixel space. It means both of

* agreement >= READABLE_AGREEMENT: the share of generated pictures for which both readers name the same digit;
* classes >= READABLE_CLASSES: how many of the ten digits hold at least 2% of those, a fifth of a fair share.

The classifier's confidence alone is never asked: it is as sure of a blob, or of one digit repeated for ever. Improved
precision is reported, but it does not decide: it scores pictures of two digits written over each other above those that a
person reads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..runs import checkpoint
from .measures import precision_recall

SHIPPED = Path(__file__).with_name("digits_judge.safetensors")
READABLE_AGREEMENT = 0.5
READABLE_CLASSES = 9
FEATURES = 64
MOST_CLASSES, FEWEST = 1000, 10  # classes, and pictures of each, that a judge can be fitted on
MOST_BYTES = 50_000_000


class Classifier(nn.Module):
    """Pictures (C, H, W) in [0, 1] -> logits of K classes; `features` gives the 64 numbers before them. 61,000 parameters.

    Sides from 8 to 256. Each block halves them, until the longer one is at most 4.
    """

    def __init__(self, shape: tuple[int, ...] = (1, 28, 28), classes: int = 10) -> None:
        super().__init__()
        _checked_shape(shape)
        self.shape, self.classes = tuple(shape), classes
        channels, height, width = shape
        layers: list[nn.Module] = []
        width_of = 16
        while max(height, width) > 4:
            layers += [nn.Conv2d(channels, width_of, 3, padding=1, bias=False), nn.BatchNorm2d(width_of), nn.ReLU(),
                       nn.MaxPool2d((min(2, height), min(2, width)))]  # 28: 14, 7, 3
            channels, height, width = width_of, max(1, height // 2), max(1, width // 2)
            width_of = min(64, 2 * width_of)
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * height * width, FEATURES))
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(FEATURES, classes))
        # The unit of the features: a Frechet distance is a squared length, and the length that a CNN gives them means nothing.
        self.register_buffer("unit", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """(N, C, H, W), uint8 or float in [0, 1] -> (N, 64) float32, of mean variance 1 on what it was fitted on."""
        self.eval()
        return torch.cat([self.body(self._unit(part)) for part in images.split(500)]) / self.unit

    @torch.no_grad()
    def read(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """`features` and `probabilities` at the price of one, of few pictures."""
        self.eval()
        body = self.body(self._unit(images))
        return body / self.unit, self.head(body).softmax(1)

    @torch.no_grad()
    def probabilities(self, images: Tensor) -> Tensor:
        """(N, C, H, W), uint8 or float in [0, 1] -> (N, K) float32, each row summing to 1."""
        self.eval()
        return torch.cat([self(self._unit(part)) for part in images.split(500)]).softmax(1)

    def _unit(self, images: Tensor) -> Tensor:
        if images.ndim != 4 or tuple(images.shape[1:]) != self.shape:
            raise ValueError(f"the judge was given pictures of shape {tuple(images.shape)}; "
                             f"it reads (N, {', '.join(map(str, self.shape))}) only.")
        return _in_unit(images)


def _in_unit(images: Tensor) -> Tensor:
    return images.float() / 255.0 if images.dtype == torch.uint8 else images.float()


# Training.


def split(labels: Tensor, held_out: int = 1000, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Indices (train, held out), stratified: the same number of every class is held out."""
    generator = torch.Generator().manual_seed(seed)
    classes = labels.unique()
    train, rest = [], []
    for label in classes:
        members = (labels == label).nonzero()[:, 0]
        members = members[torch.randperm(len(members), generator=generator)]
        take = held_out // len(classes)
        rest.append(members[:take])
        train.append(members[take:])
    return torch.cat(train), torch.cat(rest)


def warp(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each picture turned by up to 12 degrees, scaled by up to 12%, sheared, moved by up to 2.5 pixels, some softened."""
    n = len(images)
    draw = torch.rand(6, n, generator=generator) * 2 - 1
    angle, scale, shear = draw[0] * 0.21, 1 + draw[1] * 0.12, draw[2] * 0.15
    cos, sin = angle.cos() * scale, angle.sin() * scale
    theta = torch.stack([cos, shear - sin, draw[3] * 2.5 / 14, sin, cos, draw[4] * 2.5 / 14], 1).view(n, 2, 3)
    warped = F.grid_sample(images, F.affine_grid(theta, list(images.shape), align_corners=False), align_corners=False)
    soft = draw[5].clamp(min=0).view(n, 1, 1, 1)  # half of them stay as sharp as they are
    return torch.lerp(warped, F.avg_pool2d(warped, 3, 1, 1), soft)


def train_classifier(images: Tensor, labels: Tensor, epochs: int = 20, batch_size: int = 100, seed: int = 0,
                report: Callable[[int, float], None] | None = None) -> Classifier:
    """A judge fitted on pictures (N, C, H, W) uint8 and labels (N,) 0, 1, ..., tensors or arrays: 12 s for 4,000 digits.

    Hold some pictures back (`split`) and ask for its `accuracy` there before you believe it. Raises ValueError, in a sentence.
    """
    images, labels = checked_set(images, labels)
    batch_size = min(batch_size, len(images))
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        classifier = Classifier(tuple(images.shape[1:]), int(labels.max()) + 1)
    optimizer = torch.optim.AdamW(classifier.parameters(), weight_decay=1e-2)
    steps = epochs * (len(images) // batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-2, total_steps=steps)
    for epoch in range(epochs):
        classifier.train()
        total = 0.0
        order = torch.randperm(len(images), generator=generator)
        for picks in order.split(batch_size):
            if len(picks) < batch_size:
                continue
            loss = F.cross_entropy(classifier(warp(_in_unit(images[picks]), generator)), labels[picks], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        if report is not None:
            report(epoch + 1, total * batch_size / len(images))
    classifier.unit.copy_(classifier.features(images).var(0).mean().sqrt())
    return classifier


def checked_set(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """A labelled set as tensors, uint8 (N, C, H, W) and int64 (N,), if a judge can be fitted on it; ValueError else."""
    images, labels = torch.as_tensor(images), torch.as_tensor(labels)
    if images.ndim != 4 or images.dtype != torch.uint8:
        raise ValueError(f"the pictures are {images.dtype} {tuple(images.shape)}; give uint8 (N, C, H, W).")
    _checked_shape(tuple(images.shape[1:]))
    if labels.ndim != 1 or len(labels) != len(images) or labels.is_floating_point() or labels.dtype == torch.bool:
        raise ValueError(f"the labels are {labels.dtype} {tuple(labels.shape)} for {len(images):,} pictures; "
                         "give one whole number a picture.")
    found = labels.unique().tolist()
    if found != list(range(len(found))) or not 2 <= len(found) <= MOST_CLASSES:
        raise ValueError(f"the labels found are {', '.join(map(str, found[:12]))}{', ...' if len(found) > 12 else ''}; "
                         f"number 2 to {MOST_CLASSES:,} classes 0, 1, 2, ... and leave none out.")
    fewest = int(torch.bincount(labels.long()).min())
    if fewest < FEWEST:
        raise ValueError(f"one class has only {fewest} pictures; give at least {FEWEST} of each.")
    return images, labels.long()


def _checked_shape(shape: tuple[int, ...]) -> None:
    if len(shape) != 3 or shape[0] not in (1, 3) or not all(8 <= side <= 256 for side in shape[1:]):
        raise ValueError(f"the pictures are {' x '.join(map(str, shape))}; "
                         "a judge reads grey or colour (1 or 3 channels) with sides from 8 to 256.")


def accuracy(classifier: Classifier, images: Tensor, labels: Tensor) -> float:
    """Share of pictures that get their own label."""
    return float((classifier.probabilities(images).argmax(1) == labels).float().mean())


def save_judge(classifier: Classifier, path: Path | str = SHIPPED) -> None:
    """Weights in float16, 120 kB for digits; the judge itself is not changed."""
    state = {name: t.half() if t.is_floating_point() else t for name, t in classifier.state_dict().items()}
    checkpoint.write(path, state, {"judge": {"shape": list(classifier.shape), "classes": classifier.classes}})


def load_classifier(path: Path | str = SHIPPED) -> Classifier:
    """The judge that is shipped, or one of your own, in evaluation mode. Raises CheckpointError for a file that is none."""
    state, notes = checkpoint.read(path, limit=MOST_BYTES)
    try:
        with torch.random.fork_rng(devices=[]):  # its first weights are thrown away: nobody's draws may depend on them
            classifier = Classifier(tuple(notes["judge"]["shape"]), notes["judge"]["classes"])
        classifier.load_state_dict({name: t.float() if t.is_floating_point() else t for name, t in state.items()})
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise checkpoint.CheckpointError(f"{Path(path).name} is not a judge's file.") from error
    return classifier.eval()


# What two readers say.


def class_histogram(probabilities: Tensor) -> Tensor:
    """(N, K) probabilities -> (K,) share of pictures whose likeliest class it is; sums to 1."""
    n, classes = probabilities.shape
    return torch.bincount(probabilities.argmax(1), minlength=classes).double() / n


@dataclass(frozen=True)
class Verdict:
    """What the two readers found in one set of generated pictures."""

    agreement: float
    precision: float
    recall: float
    classes: int
    histogram: tuple[float, ...]

    @property
    def readable(self) -> bool:
        return self.agreement >= READABLE_AGREEMENT and self.classes >= READABLE_CLASSES


class Readers:
    """Two independent readers of digits and the real pictures to compare with; made once, asked often (0.2 s for 1,000).

    `images` (N, 1, 28, 28) uint8 and `labels` (N,) are the whole real set: the judge's training part is the
    neighbours' memory, the held-out part the yardstick for precision and recall.
    """

    def __init__(self, classifier: Classifier, images: Tensor, labels: Tensor) -> None:
        known, held_out = split(labels)
        self.classifier = classifier
        self.labels = labels[known]
        self._known = _coarse(images[known])
        self._features = classifier.features(images[held_out])

    def agree(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(N,) bool: the judge and at least 4 of the 5 nearest real pictures name the same digit; and (N,) that digit."""
        digits = self.classifier.probabilities(images).argmax(1)
        nearest = torch.cdist(_coarse(images), self._known).topk(5, largest=False).indices
        return (self.labels[nearest] == digits[:, None]).sum(1) >= 4, digits

    def assess(self, images: Tensor) -> Verdict:
        """Judge generated pictures (N, 1, 28, 28), at best 1,000: agreement is noisy by 1.5 points with 1,000, 6 with 64."""
        agreed, digits = self.agree(images)
        share = torch.bincount(digits[agreed], minlength=10).double() / max(1, int(agreed.sum()))
        n = min(len(images), len(self._features))
        precision, recall = precision_recall(self._features[:n], self.classifier.features(images[:n]))
        return Verdict(float(agreed.double().mean()), precision, recall, int((share >= 0.02).sum()), tuple(share.tolist()))


def _coarse(images: Tensor) -> Tensor:
    """(N, 196): pixels averaged 3x3 at every second place, so that a stroke one pixel aside is still near."""
    return F.avg_pool2d(_in_unit(images), 3, 2, 1).flatten(1)


train_judge = train_classifier  # the public name before: notebooks use it

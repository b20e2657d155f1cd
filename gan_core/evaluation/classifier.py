"""A small CNN that classifies pictures and gives the feature space in which generated ones are measured.

It is fitted on real, labelled pictures only. `train_classifier` fits one on any labelled set; the one for digits is bundled
(benchmarks/make_judge.py). File names and keys call it a judge, the older name.

Shapes: N pictures (C, H, W); 64 features; K classes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..runs import checkpoint
from ..training.setup import as_tensor
from .feature_free import to_unit_range

DIGITS_CLASSIFIER = Path(__file__).with_name("digits_judge.safetensors")
FEATURES = 64
MAX_CLASSES, MIN_PICTURES_PER_CLASS = 1000, 10  # of a set that a classifier can be fitted on
MAX_FILE_BYTES = 50_000_000


class Classifier(nn.Module):
    """Pictures (N, C, H, W) in [0, 1] -> logits (N, K); `features` gives the 64 values before the last layer. 61,000 parameters.

    Sides from 8 to 256 pixels. Each block halves them, until the longer one is at most 4.
    """

    unit: Tensor  # (), the length that features are divided by

    def __init__(self, shape: tuple[int, ...] = (1, 28, 28), classes: int = 10) -> None:
        super().__init__()
        _check_shape(shape)
        self.shape, self.classes = tuple(shape), classes
        channels, height, width = shape
        layers: list[nn.Module] = []
        filters = 16
        while max(height, width) > 4:
            layers += [nn.Conv2d(channels, filters, 3, padding=1, bias=False), nn.BatchNorm2d(filters), nn.ReLU(),
                       nn.MaxPool2d((min(2, height), min(2, width)))]  # 28: 14, 7, 3
            channels, height, width = filters, max(1, height // 2), max(1, width // 2)
            filters = min(64, 2 * filters)
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * height * width, FEATURES))
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(FEATURES, classes))
        # A Frechet distance is a squared length, and the scale of a CNN's features is arbitrary: `unit` makes their variance 1.
        self.register_buffer("unit", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """(N, C, H, W), uint8 or float in [0, 1] -> (N, 64) float32, of mean variance 1 on the fitted pictures."""
        self.eval()
        return torch.cat([self.body(self._to_input(part)) for part in images.split(500)]) / self.unit

    @torch.no_grad()
    def features_and_probabilities(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """`features` and `probabilities` in one pass; for up to some hundred pictures."""
        self.eval()
        body = self.body(self._to_input(images))  # (N, 64)
        return body / self.unit, self.head(body).softmax(1)

    @torch.no_grad()
    def probabilities(self, images: Tensor) -> Tensor:
        """(N, C, H, W), uint8 or float in [0, 1] -> (N, K) float32, each row summing to 1."""
        self.eval()
        return torch.cat([self(self._to_input(part)) for part in images.split(500)]).softmax(1)

    def _to_input(self, images: Tensor) -> Tensor:
        if images.ndim != 4 or tuple(images.shape[1:]) != self.shape:
            raise ValueError(f"the classifier got pictures of shape {tuple(images.shape)}; "
                             f"it reads (N, {', '.join(map(str, self.shape))}) only.")
        return to_unit_range(images)


# Fitting.


def stratified_split(labels: Tensor, held_out: int = 1000, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Row numbers (training part, held-out part); each class has the same number of rows held out."""
    generator = torch.Generator().manual_seed(seed)
    classes = labels.unique()
    train_parts, held_out_parts = [], []
    for label in classes:
        members = (labels == label).nonzero()[:, 0]
        members = members[torch.randperm(len(members), generator=generator)]
        count = held_out // len(classes)
        held_out_parts.append(members[:count])
        train_parts.append(members[count:])
    return torch.cat(train_parts), torch.cat(held_out_parts)


def random_affine(images: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures rotated by up to 12 degrees, scaled by up to 12%, sheared, shifted by up to 2.5 of 28 pixels; half are blurred."""
    n = len(images)
    draw = torch.rand(6, n, generator=generator) * 2 - 1
    angle, scale, shear = draw[0] * 0.21, 1 + draw[1] * 0.12, draw[2] * 0.15
    cos, sin = angle.cos() * scale, angle.sin() * scale
    theta = torch.stack([cos, shear - sin, draw[3] * 2.5 / 14, sin, cos, draw[4] * 2.5 / 14], 1).view(n, 2, 3)
    warped = F.grid_sample(images, F.affine_grid(theta, list(images.shape), align_corners=False), align_corners=False)
    soft = draw[5].clamp(min=0).view(n, 1, 1, 1)  # half of them stay sharp
    return torch.lerp(warped, F.avg_pool2d(warped, 3, 1, 1), soft)


def train_classifier(images: Tensor, labels: Tensor, epochs: int = 20, batch_size: int = 100, seed: int = 0,
                     report: Callable[[int, float], None] | None = None) -> Classifier:
    """A classifier fitted on pictures (N, C, H, W) uint8 and labels (N,) 0, 1, ..., tensors or arrays: 12 s for 4,000 digits.

    `report(epoch, loss)` is called after each epoch. Hold some pictures out (`stratified_split`) and check `accuracy` on them.
    Raises ValueError for a set that `validate_training_set` refuses.
    """
    images, labels = validate_training_set(images, labels)
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
        for rows in order.split(batch_size):
            if len(rows) < batch_size:
                continue
            logits = classifier(random_affine(to_unit_range(images[rows]), generator))
            loss = F.cross_entropy(logits, labels[rows], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        if report is not None:
            report(epoch + 1, total * batch_size / len(images))
    classifier.unit.copy_(classifier.features(images).var(0).mean().sqrt())
    return classifier


def validate_training_set(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The set as tensors, uint8 (N, C, H, W) and int64 (N,). Raises ValueError if no classifier can be fitted on it."""
    images, labels = as_tensor("images", images), as_tensor("labels", labels)
    if images.ndim != 4 or images.dtype != torch.uint8:
        raise ValueError(f"the pictures are {images.dtype} {tuple(images.shape)}; give uint8 (N, C, H, W).")
    _check_shape(tuple(images.shape[1:]))
    if labels.ndim != 1 or len(labels) != len(images) or labels.is_floating_point() or labels.dtype == torch.bool:
        raise ValueError(f"the labels are {labels.dtype} {tuple(labels.shape)} for {len(images):,} pictures; "
                         "give one whole number a picture.")
    classes = labels.unique().tolist()
    if classes != list(range(len(classes))) or not 2 <= len(classes) <= MAX_CLASSES:
        raise ValueError(f"the labels are {', '.join(map(str, classes[:12]))}{', ...' if len(classes) > 12 else ''}; "
                         f"number 2 to {MAX_CLASSES:,} classes 0, 1, 2, ... and leave none out.")
    fewest = int(torch.bincount(labels.long()).min())
    if fewest < MIN_PICTURES_PER_CLASS:
        raise ValueError(f"one class has only {fewest} pictures; give at least {MIN_PICTURES_PER_CLASS} of each.")
    return images, labels.long()


def _check_shape(shape: tuple[int, ...]) -> None:
    if len(shape) != 3 or shape[0] not in (1, 3) or not all(8 <= side <= 256 for side in shape[1:]):
        raise ValueError(f"the pictures are {' x '.join(map(str, shape))}; "
                         "a classifier reads grey or colour (1 or 3 channels) with sides from 8 to 256.")


def accuracy(classifier: Classifier, images: Tensor, labels: Tensor) -> float:
    """Share of pictures (N, C, H, W) classified as `labels` (N,), in [0, 1]."""
    return float((classifier.probabilities(images).argmax(1) == labels).float().mean())


def save_classifier(classifier: Classifier, path: Path | str = DIGITS_CLASSIFIER) -> None:
    """Writes the weights in float16, 120 kB for digits; the classifier itself is not changed."""
    state = {name: t.half() if t.is_floating_point() else t for name, t in classifier.state_dict().items()}
    checkpoint.write(path, state, {"judge": {"shape": list(classifier.shape), "classes": classifier.classes}})


def load_classifier(path: Path | str = DIGITS_CLASSIFIER) -> Classifier:
    """The bundled classifier, or the one in `path`, in evaluation mode. Raises CheckpointError for any other file."""
    state, metadata = checkpoint.read(path, limit=MAX_FILE_BYTES)
    try:
        with torch.random.fork_rng(devices=[]):  # the initial weights are replaced: they must not move the global generator
            classifier = Classifier(tuple(metadata["judge"]["shape"]), metadata["judge"]["classes"])
        classifier.load_state_dict({name: t.float() if t.is_floating_point() else t for name, t in state.items()})
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise checkpoint.CheckpointError(f"{Path(path).name} is not the file of a classifier.") from error
    return classifier.eval()


def class_histogram(probabilities: Tensor) -> Tensor:
    """(N, K) probabilities -> (K,) share of pictures by their likeliest class; sums to 1."""
    n, classes = probabilities.shape
    return torch.bincount(probabilities.argmax(1), minlength=classes).double() / n


train_judge = train_classifier  # the former public name, which notebooks use

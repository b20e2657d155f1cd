"""A judge of generated digits: a tiny CNN that never sees a generated picture, and measures in its feature space.

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
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

SHIPPED = Path(__file__).with_name("digits_judge.safetensors")
READABLE_AGREEMENT = 0.5
READABLE_CLASSES = 9
FEATURES = 64


class Judge(nn.Module):
    """28x28 grey in [0, 1] -> ten logits; `features` gives the 64 numbers before them. 61,000 parameters."""

    def __init__(self) -> None:
        super().__init__()
        def block(before: int, after: int) -> list[nn.Module]:
            return [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]

        self.body = nn.Sequential(
            *block(1, 16), nn.MaxPool2d(2),  # 14x14
            *block(16, 32), nn.MaxPool2d(2),  # 7x7
            *block(32, 64), nn.MaxPool2d(2), nn.Flatten(),  # 3x3
            nn.Linear(64 * 3 * 3, FEATURES))
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(FEATURES, 10))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """(N, 1, 28, 28), uint8 or float in [0, 1] -> (N, 64) float32. Uses the judge in evaluation mode."""
        self.eval()
        return F.normalize(torch.cat([self.body(_unit(part)) for part in images.split(500)]))

    @torch.no_grad()
    def probabilities(self, images: Tensor) -> Tensor:
        """(N, 1, 28, 28), uint8 or float in [0, 1] -> (N, 10) float32, each row summing to 1."""
        self.eval()
        return torch.cat([self(_unit(part)) for part in images.split(500)]).softmax(1)


def _unit(images: Tensor) -> Tensor:
    if images.ndim != 4 or images.shape[1:] != (1, 28, 28):
        raise ValueError(f"the judge was given pictures of shape {tuple(images.shape)}; it reads (N, 1, 28, 28) only.")
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


def train_judge(images: Tensor, labels: Tensor, epochs: int = 20, batch_size: int = 100, seed: int = 0,
                report: Callable[[int, float], None] | None = None) -> Judge:
    """A judge fitted on these pictures (N, 1, 28, 28) uint8 and labels (N,): 12 s of one core for 4,000 of them."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        judge = Judge()
    optimizer = torch.optim.AdamW(judge.parameters(), weight_decay=1e-2)
    steps = epochs * (len(images) // batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-2, total_steps=steps)
    for epoch in range(epochs):
        judge.train()
        total = 0.0
        order = torch.randperm(len(images), generator=generator)
        for picks in order.split(batch_size):
            if len(picks) < batch_size:
                continue
            loss = F.cross_entropy(judge(warp(_unit(images[picks]), generator)), labels[picks], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        if report is not None:
            report(epoch + 1, total * batch_size / len(images))
    return judge.eval()


def accuracy(judge: Judge, images: Tensor, labels: Tensor) -> float:
    """Share of pictures that get their own label."""
    return float((judge.probabilities(images).argmax(1) == labels).float().mean())


def save_judge(judge: Judge, path: Path = SHIPPED) -> None:
    """Weights in float16, 60 kB; the judge itself is not changed."""
    state = {name: t.half() if t.is_floating_point() else t for name, t in judge.state_dict().items()}
    save_file({name: t.contiguous() for name, t in state.items()}, path)


def load_judge(path: Path = SHIPPED) -> Judge:
    """The judge that is shipped, in evaluation mode."""
    state = load_file(path)
    judge = Judge()
    judge.load_state_dict({name: t.float() if t.is_floating_point() else t for name, t in state.items()})
    return judge.eval()


# Measures, on features (N, d) or class probabilities.


def precision_recall(real: Tensor, fake: Tensor, k: int = 3) -> tuple[float, float]:
    """Improved precision and recall (Kynkaanniemi et al., 2019, arXiv:1904.06991), both in [0, 1].

    Precision: share of fakes inside the ball of some real picture, its radius the distance to its k-th nearest real neighbour.
    Recall: the same with the parts exchanged. Give both the same number of rows, (N, d) float, more than k.
    """
    if min(len(real), len(fake)) <= k:
        raise ValueError(f"precision with k = {k} needs more than {k} pictures a side; it got {len(real)} and {len(fake)}.")
    real, fake = real.double(), fake.double()
    across = torch.cdist(real, fake, compute_mode="donot_use_mm_for_euclid_dist")
    inside_real = across <= _radii(real, k)[:, None]
    inside_fake = across <= _radii(fake, k)[None, :]
    return float(inside_real.any(0).double().mean()), float(inside_fake.any(1).double().mean())


def _radii(points: Tensor, k: int) -> Tensor:
    """Distance of each point to its k-th nearest other point."""
    distances = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
    return distances.kthvalue(k + 1, dim=1).values  # the nearest is the point itself


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

    def __init__(self, judge: Judge, images: Tensor, labels: Tensor) -> None:
        known, held_out = split(labels)
        self.judge = judge
        self.labels = labels[known]
        self._known = _coarse(images[known])
        self._features = judge.features(images[held_out])

    def agree(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(N,) bool: the judge and at least 4 of the 5 nearest real pictures name the same digit; and (N,) that digit."""
        digits = self.judge.probabilities(images).argmax(1)
        nearest = torch.cdist(_coarse(images), self._known).topk(5, largest=False).indices
        return (self.labels[nearest] == digits[:, None]).sum(1) >= 4, digits

    def assess(self, images: Tensor) -> Verdict:
        """Judge generated pictures (N, 1, 28, 28), at best 1,000: agreement is noisy by 1.5 points with 1,000, 6 with 64."""
        agreed, digits = self.agree(images)
        share = torch.bincount(digits[agreed], minlength=10).double() / max(1, int(agreed.sum()))
        n = min(len(images), len(self._features))
        precision, recall = precision_recall(self._features[:n], self.judge.features(images[:n]))
        return Verdict(float(agreed.double().mean()), precision, recall, int((share >= 0.02).sum()), tuple(share.tolist()))


def _coarse(images: Tensor) -> Tensor:
    """(N, 196): pixels averaged 3x3 at every second place, so that a stroke one pixel aside is still near."""
    return F.avg_pool2d(_unit(images), 3, 2, 1).flatten(1)

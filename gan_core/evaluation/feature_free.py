"""Measures of pictures of any size, grey or colour, that need no label and nothing learned.

| measure | notices | is blind to |
|---|---|---|
| sliced Wasserstein distance of patches, SlicedPatches | blur, noise, wrong strokes, wrong colours, collapse | copying |
| coverage in random features, `random_features` + measures.Neighbours | kinds of pictures that are missing | copying |
| diversity, `diversity` | collapse to a few pictures | noise counts as variety |
| nearest training picture, NearestPicture | copying, below 0.5 | quality: noise is far from everything |

Each is a comparison with real pictures; hold it against the value of other real ones. Ranges: uint8 or float in [0, 1].
"""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PATCH = 7  # pixels, as in [1710.10196]
PATCHES = 8  # of each picture and level
DIRECTIONS = 64  # in which a cloud of patches is looked at; half of what is usual there, for half the time
BINOMIAL = torch.tensor([1.0, 4, 6, 4, 1]) / 16


def unit(images: Tensor) -> Tensor:
    """uint8 or float pictures as float32 in [0, 1]."""
    return images.float() / 255.0 if images.dtype == torch.uint8 else images.float()


# Sliced Wasserstein distance of patches.


def sliced_wasserstein(a: Tensor, b: Tensor, directions: Tensor) -> float:
    """Mean over directions (d, P) of the 1-D Wasserstein distance between the projections of rows a and b, (N, d) each."""
    return float((_projected(a, directions) - _projected(b, directions)).abs().mean())


def _projected(rows: Tensor, directions: Tensor) -> Tensor:
    """(P, N) sorted: two sorted lists of the same length are matched at the least cost as they stand."""
    return (rows @ directions).T.contiguous().sort(dim=1).values


def pyramid(images: Tensor) -> list[Tensor]:
    """Laplacian pyramid of (N, C, H, W) in [0, 1]: what each size adds to the next smaller one; the last is the small picture.

    Sizes are halved while the shorter side is at least 14: 28 gives 28, 14, 7; the last level's patch is a whole digit.
    """
    found, now = [], unit(images)
    while min(now.shape[2:]) >= 2 * PATCH:
        (down, up), (down_across, up_across) = (_halving(side) for side in now.shape[2:])
        smaller = down.to(now.device) @ now @ down_across.T.to(now.device)
        found.append(now - up.to(now.device) @ smaller @ up_across.T.to(now.device))
        now = smaller
    return [*found, now]


@functools.cache
def _halving(side: int) -> tuple[Tensor, Tensor]:
    """Along one side, as matrices (half, side) and (side, half): blurred and every second one taken; and back, interpolated."""
    padded = F.pad(torch.eye(side)[:, None], (2, 2), mode="reflect")
    down = F.conv1d(padded, BINOMIAL.view(1, 1, 5))[:, 0, ::2].T.contiguous()
    up = F.interpolate(torch.eye(len(down))[:, None], side, mode="linear", align_corners=False)[:, 0].T.contiguous()
    return down, up


class SlicedPatches:
    """Sliced Wasserstein distance between 7x7 patches of fakes and of reals, level by level of a pyramid [1710.10196 sec. 5].

    Unlike there, both sides are scaled by the reals' mean and deviation of each channel, so that a wrong contrast or colour
    counts too; and the last level is not wider than 13 pixels, so that a picture as a whole counts. 0 is perfect, noise about 1.
    count: how many pictures a side. `add` all reals in parts, then `learn` each level; for each set of fakes `begin`, `add` them
    in parts and ask for the `distance` of each level. Patches and directions are drawn from `seed`.
    """

    def __init__(self, count: int, shape: tuple[int, ...], seed: int = 0) -> None:
        self.count, self.seed, self.levels = count, seed, levels(shape)
        self._real: dict[int, tuple[Tensor, Tensor, Tensor, Tensor]] = {}  # level: deviation, mean, directions, projections
        self.begin("real")

    def begin(self, side: str = "fake") -> None:
        """Forget the pictures added; the next ones are `side`'s."""
        self._side, self._rows = side, 0
        self._patches: list[list[Tensor]] = [[] for _ in range(self.levels)]

    def add(self, images: Tensor) -> None:
        """The next (n, C, H, W) pictures of `count`."""
        for level, pictures in enumerate(pyramid(images)):
            height, width = (min(PATCH, edge) for edge in pictures.shape[2:])
            windows = pictures.unfold(2, height, 1).unfold(3, width, 1)  # (n, C, rows, columns, 7, 7)
            n, channels, rows, columns = windows.shape[:4]
            # Places drawn anew for each picture, the same whatever parts it comes in; all where there are fewer.
            picks = torch.randint(rows * columns, (self.count, min(PATCHES, rows * columns)),
                                  generator=self._generator(level, self._side))[self._rows:self._rows + n].to(images.device)
            which = torch.arange(n, device=images.device)[:, None]
            patches = windows[which, :, picks // columns, picks % columns]  # (n, patches, C, 7, 7)
            self._patches[level].append(patches.reshape(-1, channels, height * width))
        self._rows += len(images)

    def learn(self, level: int) -> None:
        """Keep one level of the reals that were added."""
        patches = self._collected(level)
        deviation, mean = patches.std((0, 2), keepdim=True).clamp_min(1e-6), patches.mean((0, 2), keepdim=True)
        directions = torch.randn(patches[0].numel(), DIRECTIONS, generator=self._generator(level, "directions"))
        directions = F.normalize(directions, dim=0).to(patches.device)
        self._real[level] = deviation, mean, directions, _projected(((patches - mean) / deviation).flatten(1), directions)

    def distance(self, level: int) -> float:
        """How far the fakes that were added are at one level, 0 the finest; the measure is the mean over levels."""
        deviation, mean, directions, real = self._real[level]
        fake = _projected(((self._collected(level) - mean) / deviation).flatten(1), directions)
        return float((fake - real).abs().mean())

    def _collected(self, level: int) -> Tensor:
        if self._rows != self.count:
            raise ValueError(f"{self._rows:,} pictures were added where {self.count:,} are compared; add as many.")
        return torch.cat(self._patches[level])

    def _generator(self, level: int, what: str) -> torch.Generator:
        things = ("real", "fake", "directions")
        return torch.Generator().manual_seed((self.seed * 100 + level) * len(things) + things.index(what))


def patch_distance(real: Tensor, fake: Tensor, seed: int = 0) -> float:
    """`SlicedPatches` at once, the mean over levels, of as many pictures (N, C, H, W) a side."""
    patches = SlicedPatches(len(real), tuple(real.shape[1:]), seed)
    patches.add(real)
    for level in range(patches.levels):
        patches.learn(level)
    patches.begin()
    patches.add(fake)
    return sum(patches.distance(level) for level in range(patches.levels)) / patches.levels


def levels(shape: tuple[int, ...]) -> int:
    """How many levels the pyramid of pictures (C, H, W) has."""
    found, side = 1, min(shape[1:])
    while side >= 2 * PATCH:
        found, side = found + 1, -(-side // 2)
    return found


# Coverage.


def random_features(shape: tuple[int, ...], seed: int = 0) -> nn.Module:
    """A fixed CNN of random weights: pictures (N, C, H, W) in [0, 1] -> (N, 256).

    Untrained features see what pictures have in common without belonging to any data; density and coverage in them still
    notice missing kinds [2002.09797 sec. 4.3].
    """
    channels, layers = shape[0], []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        side, width = min(shape[1:]), 16
        while side > 4:
            convolution = nn.Conv2d(channels, width, 3, padding=1)
            nn.init.kaiming_normal_(convolution.weight)
            nn.init.normal_(convolution.bias, std=0.2)
            layers += [convolution, nn.LeakyReLU(0.2), nn.AvgPool2d(2)]
            channels, side, width = width, side // 2, min(64, 2 * width)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten()).eval().requires_grad_(False)


# Variety and copies.


def small(images: Tensor) -> Tensor:
    """(N, d): pixels averaged 3x3 at every second place until the shorter side is at most 16: noise and one-pixel shifts fade."""
    images = F.avg_pool2d(unit(images), 3, 2, 1)
    while min(images.shape[2:]) > 16:
        images = F.avg_pool2d(images, 3, 2, 1)
    return images.flatten(1)


def diversity(real: Tensor, fake: Tensor) -> float:
    """Root mean square distance of two fakes over that of two reals, of rows (N, d): 1 as varied, 0 all the same picture.

    Computed from the variances: E |a - b|^2 over pairs is twice the sum of the variances.
    """
    return float((fake.double().var(0).sum() / real.double().var(0).sum()).sqrt())


class NearestPicture:
    """How near fakes are to their nearest training picture, against how near training pictures are to their nearest other one.

    train: rows (N, d), say `small` pictures; about 1 is healthy, below 0.5 it copies. The generator has been trained on all of
    them, so no others are needed: a real picture's own row is left out. `probe` rows of train are enough for the yardstick.
    """

    def __init__(self, train: Tensor, probe: int = 1000) -> None:
        self.train = train
        self._squares = train.square().sum(1)
        self._probe = min(probe, len(train))
        self._real: list[Tensor] = []

    def prepare(self, start: int, stop: int) -> None:
        """Look at rows start <= row < stop of the `probe` ones, spread evenly; all have to be looked at once."""
        rows = torch.linspace(0, len(self.train) - 1, self._probe).round().long()[start:stop].to(self.train.device)
        self._real.append(self.nearest(self.train[rows], rows))

    def nearest(self, rows: Tensor, own: Tensor | None = None) -> Tensor:
        """(n,) distance of each row to the nearest in train, its own (index `own`) left out."""
        scores = torch.addmm(self._squares, rows, self.train.T, alpha=-2)  # |row - t|^2 - |row|^2, fast but rounded
        if own is not None:
            scores[torch.arange(len(rows), device=rows.device), own] = torch.inf
        # The product only finds which; the distance is taken anew, so that a copy's is 0.
        return (rows - self.train[scores.argmin(1)]).norm(dim=1)

    def ratio(self, found: Tensor) -> float:
        """Median of `nearest` of the fakes over that of the reals."""
        return float(found.median() / torch.cat(self._real).median().clamp_min(1e-12))

"""Measures of pictures of any size, grey or colour, that need no labels and no trained features.

| measure | detects | misses |
|---|---|---|
| sliced Wasserstein distance of patches, SlicedPatches | blur, noise, wrong strokes, wrong colours, collapse | copying |
| coverage in random features, `random_features` + measures.Neighbours | missing kinds of pictures | copying |
| diversity, `diversity` | collapse to a few pictures | noise counts as variety |
| nearest training picture, NearestPicture | copying, below 0.5 | quality: noise is far from everything |

Each compares with real pictures; its floor is the value of other real ones. Pictures are uint8 or float in [0, 1].

Shapes: N pictures (C, H, W); d values of a row; P directions.
"""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PATCH = 7  # pixels, as in [1710.10196]
PATCHES = 8  # of each picture and level
DIRECTIONS = 64  # projections of the patches; half of what is usual there, for half the time
CANDIDATES = 8  # rows that a rounded product takes for the nearest, among which the nearest is sought exactly
BINOMIAL = torch.tensor([1.0, 4, 6, 4, 1]) / 16


def to_unit_range(images: Tensor) -> Tensor:
    """uint8 or float pictures as float32 in [0, 1]."""
    return images.float() / 255.0 if images.dtype == torch.uint8 else images.float()


# Sliced Wasserstein distance of patches.


def sliced_wasserstein(a: Tensor, b: Tensor, directions: Tensor) -> float:
    """Mean over directions (d, P) of the 1-D Wasserstein distance between the projections of rows a and b, both (N, d)."""
    return float((_sorted_projections(a, directions) - _sorted_projections(b, directions)).abs().mean())


def _sorted_projections(rows: Tensor, directions: Tensor) -> Tensor:
    """(P, N), sorted because matching two sorted lists in order is the cheapest transport between them."""
    return (rows @ directions).T.contiguous().sort(dim=1).values


def laplacian_pyramid(images: Tensor) -> list[Tensor]:
    """Laplacian pyramid of (N, C, H, W) in [0, 1]: the detail of each size beyond the next smaller, then the smallest.

    Sizes are halved while the shorter side is at least 14: 28 gives 28, 14, 7; a patch of the last level is a whole digit.
    """
    levels, current = [], to_unit_range(images)
    while min(current.shape[2:]) >= 2 * PATCH:
        device = current.device
        (down_rows, up_rows), (down_columns, up_columns) = (_resampling(side) for side in current.shape[2:])
        smaller = down_rows.to(device) @ current @ down_columns.T.to(device)
        levels.append(current - up_rows.to(device) @ smaller @ up_columns.T.to(device))
        current = smaller
    return [*levels, current]


@functools.cache
def _resampling(side: int) -> tuple[Tensor, Tensor]:
    """Matrices along one side: (half, side) blurs and takes every second value, (side, half) interpolates back."""
    padded = F.pad(torch.eye(side)[:, None], (2, 2), mode="reflect")
    down = F.conv1d(padded, BINOMIAL.view(1, 1, 5))[:, 0, ::2].T.contiguous()
    up = F.interpolate(torch.eye(len(down))[:, None], side, mode="linear", align_corners=False)[:, 0].T.contiguous()
    return down, up


class SlicedPatches:
    """Sliced Wasserstein distance between 7x7 patches of fakes and of reals, level by level of a pyramid [1710.10196 sec. 5].

    Unlike there, both sides are normalised by the reals' mean and deviation of each channel, so that a wrong contrast or colour
    counts too; and the last level is at most 13 pixels wide, so that the whole picture counts. 0 is perfect, noise about 1.
    count: pictures a side. `add` all reals in parts, then `fit` each level. For each set of fakes call `begin`, `add` them in
    parts, then read the `distance` of each level. Patches and directions are drawn from `seed`.
    """

    def __init__(self, count: int, shape: tuple[int, ...], seed: int = 0) -> None:
        self.count, self.seed, self.levels = count, seed, num_levels(shape)
        self._real: dict[int, tuple[Tensor, Tensor, Tensor, Tensor]] = {}  # level: deviation, mean, directions, projections
        self.begin("real")

    def begin(self, side: str = "fake") -> None:
        """Drops the pictures added; the next ones are of `side`, "real" or "fake"."""
        self._side, self._num_added = side, 0
        self._patches: list[list[Tensor]] = [[] for _ in range(self.levels)]

    def add(self, images: Tensor) -> None:
        """Takes patches of the next pictures (n, C, H, W), of `count` in all."""
        for level, pictures in enumerate(laplacian_pyramid(images)):
            height, width = (min(PATCH, edge) for edge in pictures.shape[2:])
            windows = pictures.unfold(2, height, 1).unfold(3, width, 1)  # (n, C, rows, columns, 7, 7)
            n, channels, rows, columns = windows.shape[:4]
            # Drawn for all pictures at once, so that the places do not depend on the parts; fewer where there are fewer windows.
            places = torch.randint(rows * columns, (self.count, min(PATCHES, rows * columns)),
                                   generator=self._generator(level, self._side))
            places = places[self._num_added:self._num_added + n].to(images.device)
            index = torch.arange(n, device=images.device)[:, None]
            patches = windows[index, :, places // columns, places % columns]  # (n, patches, C, 7, 7)
            self._patches[level].append(patches.reshape(-1, channels, height * width))
        self._num_added += len(images)

    def fit(self, level: int) -> None:
        """Stores one level of the reals that were added."""
        patches = self._collected(level)  # (count * patches, C, 49)
        deviation, mean = patches.std((0, 2), keepdim=True).clamp_min(1e-6), patches.mean((0, 2), keepdim=True)
        directions = torch.randn(patches[0].numel(), DIRECTIONS, generator=self._generator(level, "directions"))
        directions = F.normalize(directions, dim=0).to(patches.device)
        projections = _sorted_projections(((patches - mean) / deviation).flatten(1), directions)
        self._real[level] = deviation, mean, directions, projections

    def distance(self, level: int) -> float:
        """Distance of the added fakes at one level, 0 the finest; the measure is the mean over levels."""
        deviation, mean, directions, real = self._real[level]
        fake = _sorted_projections(((self._collected(level) - mean) / deviation).flatten(1), directions)
        return float((fake - real).abs().mean())

    def _collected(self, level: int) -> Tensor:
        if self._num_added != self.count:
            raise ValueError(f"{self._num_added:,} pictures were added where {self.count:,} are compared; add as many.")
        return torch.cat(self._patches[level])

    def _generator(self, level: int, purpose: str) -> torch.Generator:
        purposes = ("real", "fake", "directions")
        return torch.Generator().manual_seed((self.seed * 100 + level) * len(purposes) + purposes.index(purpose))


def patch_distance(real: Tensor, fake: Tensor, seed: int = 0) -> float:
    """`SlicedPatches` in one call, the mean over levels, of pictures (N, C, H, W), equally many a side."""
    patches = SlicedPatches(len(real), tuple(real.shape[1:]), seed)
    patches.add(real)
    for level in range(patches.levels):
        patches.fit(level)
    patches.begin()
    patches.add(fake)
    return sum(patches.distance(level) for level in range(patches.levels)) / patches.levels


def num_levels(shape: tuple[int, ...]) -> int:
    """Number of levels in the pyramid of pictures (C, H, W)."""
    count, side = 1, min(shape[1:])
    while side >= 2 * PATCH:
        count, side = count + 1, -(-side // 2)
    return count


# Coverage.


def random_features(shape: tuple[int, ...], seed: int = 0) -> nn.Module:
    """A fixed CNN of random weights: pictures (N, C, H, W) in [0, 1] -> (N, 256).

    Random features favour no data set, and density and coverage in them still detect missing kinds [2002.09797 sec. 4.3].
    """
    channels, layers = shape[0], []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        side, width = min(shape[1:]), 16
        while side > 4:
            convolution = nn.Conv2d(channels, width, 3, padding=1)
            nn.init.kaiming_normal_(convolution.weight)
            assert convolution.bias is not None
            nn.init.normal_(convolution.bias, std=0.2)
            layers += [convolution, nn.LeakyReLU(0.2), nn.AvgPool2d(2)]
            channels, side, width = width, side // 2, min(64, 2 * width)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten()).eval().requires_grad_(False)


# Variety and copies.


def thumbnails(images: Tensor) -> Tensor:
    """(N, d): pixels averaged 3x3 at every second place until the shorter side is at most 16; hides noise and small shifts."""
    images = F.avg_pool2d(to_unit_range(images), 3, 2, 1)
    while min(images.shape[2:]) > 16:
        images = F.avg_pool2d(images, 3, 2, 1)
    return images.flatten(1)


def diversity(real: Tensor, fake: Tensor) -> float:
    """Root mean square distance of two fakes over that of two reals, of rows (N, d): 1 as varied as reals, 0 one picture.

    Computed from the variances: E |a - b|^2 over pairs is twice the sum of the variances.
    """
    return float((fake.double().var(0).sum() / real.double().var(0).sum()).sqrt())


class NearestPicture:
    """Distance of fakes to their nearest training picture, over that of training pictures to their nearest other one.

    train: rows (N, d), such as `thumbnails`. About 1 is healthy, below 0.5 the generator copies. Training pictures themselves are
    the reference, each without its own row, so none need to be held out. `probe` rows of train suffice for it.
    """

    def __init__(self, train: Tensor, probe: int = 1000) -> None:
        self.train = train
        # Differences from the mean are small where bright pictures differ little, and their products lose little by rounding.
        self._mean = train.mean(0)
        self._centred = train - self._mean
        self._squares = self._centred.square().sum(1)
        self._probe = min(probe, len(train))
        self._real_distances: list[Tensor] = []

    def fit(self, start: int, stop: int) -> None:
        """Measures the reference rows start <= row < stop, of `probe` evenly spread ones; to be called on all of them once."""
        rows = torch.linspace(0, len(self.train) - 1, self._probe).round().long()[start:stop].to(self.train.device)
        self._real_distances.append(self.nearest(self.train[rows], rows))

    def nearest(self, rows: Tensor, own: Tensor | None = None) -> Tensor:
        """(n,) distance of each row (n, d) to the nearest in train, except to row number `own` (n,)."""
        return self.search(rows, own)[1]

    def search(self, rows: Tensor, own: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """((n,) row number in train, (n,) distance) of the nearest to each row (n, d), which is not row number `own` (n,)."""
        # |row - t|^2 - |row|^2 of centred rows, fast but rounded, with TF32 to three digits.
        scores = torch.addmm(self._squares, rows - self._mean, self._centred.T, alpha=-2)
        if own is not None:
            scores[torch.arange(len(rows), device=rows.device), own] = torch.inf
        # The product only finds some of the nearest; their distances are computed exactly, so that a copy's is 0.
        some = scores.topk(min(CANDIDATES, len(self.train)), largest=False).indices.sort(1).values  # of equal ones the first
        distances = (rows[:, None] - self.train[some]).norm(dim=2)
        if own is not None:
            distances.masked_fill_(some == own[:, None], torch.inf)
        found = some.gather(1, distances.argmin(1, keepdim=True))[:, 0]
        return found, (rows - self.train[found]).norm(dim=1)

    def ratio(self, distances: Tensor) -> float:
        """Median of the fakes' distances (n,) from `nearest`, over that of the reference."""
        return float(distances.median() / self.reference)

    @property
    def reference(self) -> Tensor:
        """() median distance of the fitted reference rows, at least 1e-12."""
        return torch.cat(self._real_distances).median().clamp_min(1e-12)

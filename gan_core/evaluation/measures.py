"""Measures of quality, variety and copying on rows of features, from any source.

All sums are in float64, which a Frechet distance of 1 between features of norm 1000 needs. Compare every value with its floor:
the same measure of reals against reals, of the same sizes.

Shapes: N reals, M fakes, d features, n rows of one slice, K classes.
"""

from __future__ import annotations

import torch
from torch import Tensor

K_BALLS, K_DENSITY = 3, 5  # neighbours: of precision and recall [1904.06991], of density and coverage [2002.09797]


def frechet_distance(real: Tensor, fake: Tensor) -> float:
    """|mu - mu'|^2 + tr(S + S' - 2 (S S')^(1/2)) [1706.08500 eq. 6], of rows (N, d) and (M, d), N and M at least 2.

    0 for equal Gaussians; biased upwards for few rows. In our classifier's features it is called FD, never FID.
    """
    real, fake = _validated(real, fake, 2)
    difference = real.mean(0) - fake.mean(0)  # (d,)
    S, T = torch.cov(real.T).reshape(real.shape[1], -1), torch.cov(fake.T).reshape(real.shape[1], -1)  # (d, d)
    # tr (S T)^(1/2) is the sum of the roots of the eigenvalues of S^(1/2) T S^(1/2), which is symmetric.
    values, vectors = torch.linalg.eigh(S)
    root = vectors @ torch.diag(values.clamp_min(0).sqrt()) @ vectors.T
    overlap = torch.linalg.eigvalsh(root @ T @ root).clamp_min(0).sqrt().sum()
    return max(0.0, float(difference @ difference + S.trace() + T.trace() - 2 * overlap))


def kernel_distance(real: Tensor, fake: Tensor) -> float:
    """Unbiased squared MMD with the kernel (x.y / d + 1)^3 [1801.01401 sec. 4]: about 0 for the same source, may be negative."""
    real, fake = _validated(real, fake, 2)
    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b.T / a.shape[1] + 1) ** 3
    def off_diagonal(k: Tensor) -> Tensor:
        return (k.sum() - k.trace()) / (len(k) * (len(k) - 1))
    return float(off_diagonal(kernel(real, real)) + off_diagonal(kernel(fake, fake)) - 2 * kernel(real, fake).mean())


class Neighbours:
    """The measures that count neighbours, in slices of rows, so that other work can run between two slices.

    real: (N, d), N above k_balls and k_density. Call `fit` on all its rows once, in slices of any size. For each set of fakes
    call `begin(fake)`, then `count_fakes` on all its rows, then `precision_recall` and `density_coverage`.
    """

    def __init__(self, real: Tensor, k_balls: int = K_BALLS, k_density: int = K_DENSITY) -> None:
        self.real, _ = _validated(real, real, max(k_balls, k_density) + 1)
        self.k_balls, self.k_density = k_balls, k_density
        self._ball_radii, self._density_radii = (self.real.new_empty(len(self.real)) for _ in range(2))  # (N,)

    def fit(self, start: int, stop: int) -> None:
        """Computes the balls' radii of the reals start <= row < stop."""
        distances = pairwise_distances(self.real[start:stop], self.real)  # (n, N)
        self._ball_radii[start:stop] = _kth_neighbour(distances, self.k_balls)
        self._density_radii[start:stop] = _kth_neighbour(distances, self.k_density)

    def begin(self, fake: Tensor) -> None:
        """Starts a comparison with fakes (M, d), M above k_balls."""
        _, self.fake = _validated(self.real, fake, self.k_balls + 1)
        self._num_inside, self._num_pairs = 0, 0  # fakes in any ball; (ball, fake) pairs
        # Reals that lie in the ball of a fake, and those whose ball holds a fake.
        self._recalled, self._covered = (torch.zeros(len(self.real), dtype=torch.bool, device=self.real.device) for _ in range(2))

    def count_fakes(self, start: int, stop: int) -> None:
        """Counts the fakes start <= row < stop."""
        part = self.fake[start:stop]  # (n, d)
        distances = pairwise_distances(part, self.real)  # (n, N)
        fake_radii = _kth_neighbour(pairwise_distances(part, self.fake), self.k_balls)  # (n,)
        pairs = distances <= self._density_radii
        self._num_inside += int((distances <= self._ball_radii).any(1).sum())
        self._num_pairs += int(pairs.sum())
        self._recalled |= (distances <= fake_radii[:, None]).any(0)
        self._covered |= pairs.any(0)

    def precision_recall(self) -> tuple[float, float]:
        """Improved precision and recall [1904.06991 sec. 2], both in [0, 1]: fidelity, and the share of the reals reached.

        Precision: share of fakes inside the ball of any real row, its radius the distance to its k-th nearest other real
        row. Recall: the same with reals and fakes exchanged, so it needs as many fakes as reals to mean as much.
        """
        return self._num_inside / len(self.fake), float(self._recalled.double().mean())

    def density_coverage(self) -> tuple[float, float]:
        """Density and coverage [2002.09797 eq. 6, 7], with balls to each real row's k-th nearest other real row.

        Density: the mean number of balls that hold a fake, over k; above 1 where fakes crowd the dense parts. Coverage: the share
        of balls that hold any fake, in [0, 1]: it falls with mode collapse.
        """
        return self._num_pairs / (self.k_density * len(self.fake)), float(self._covered.double().mean())


def precision_recall(real: Tensor, fake: Tensor, k: int = K_BALLS) -> tuple[float, float]:
    """`Neighbours.precision_recall` in one call, of rows (N, d) and (M, d), both above k."""
    return _neighbours(real, fake, k).precision_recall()


def density_coverage(real: Tensor, fake: Tensor, k: int = K_DENSITY) -> tuple[float, float]:
    """`Neighbours.density_coverage` in one call, of rows (N, d) and (M, d), both above k."""
    return _neighbours(real, fake, k).density_coverage()


def _neighbours(real: Tensor, fake: Tensor, k: int) -> Neighbours:
    _validated(real, fake, k + 1)
    neighbours = Neighbours(real, k, k)
    neighbours.fit(0, len(real))
    neighbours.begin(fake)
    neighbours.count_fakes(0, len(fake))
    return neighbours


def nearest_ratio(train: Tensor, held_out: Tensor, fake: Tensor) -> float:
    """Median distance of fakes to their nearest training row, over that of held-out rows: about 1; copies below 0.5."""
    train, fake = _validated(train, fake, 1)
    to_fake = pairwise_distances(fake, train).min(1).values.median()
    return float(to_fake / pairwise_distances(held_out.double(), train).min(1).values.median())


def class_divergence(histogram: Tensor, reference: Tensor | None = None) -> float:
    """KL(histogram || reference) in nats, of shares (K,); the reference is uniform unless given. 0 log 0 is 0.

    The floor, with N fair draws of K classes, is about (K - 1) / 2N.
    """
    p = histogram.double() / histogram.sum()
    q = torch.full_like(p, 1 / len(p)) if reference is None else reference.double() / reference.sum()
    present = p > 0
    return float((p[present] * (p[present] / q[present]).log()).sum())


def pairwise_distances(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distances (N, M) of rows; without a matrix product, whose rounding would make a copy's distance more than 0."""
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


def _kth_neighbour(distances: Tensor, k: int) -> Tensor:
    """(n,) distance of each row to its k-th nearest other one, from distances (n, N) that include the row itself."""
    return distances.kthvalue(k + 1, dim=1).values  # the nearest row is the row itself


def _validated(real: Tensor, fake: Tensor, least: int) -> tuple[Tensor, Tensor]:
    """Both in float64. Raises ValueError unless both are rows of the same d, at least `least` of each."""
    if real.ndim != 2 or fake.ndim != 2 or real.shape[1] != fake.shape[1]:
        raise ValueError(f"features are {tuple(real.shape)} and {tuple(fake.shape)}; give (N, d) and (M, d).")
    if min(len(real), len(fake)) < least:
        raise ValueError(f"there are {len(real)} and {len(fake)} rows; this measure needs at least {least} a side.")
    return real.double(), fake.double()

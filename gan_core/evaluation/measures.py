"""How good, how varied, how new: measures on features (N, d), whoever computed them.

They know no judge and no pictures. All sums are in float64: a Frechet distance of 1 beside features of norm 1000 needs it.
"Real against real" of the same sizes is the floor to hold every value against.
"""

from __future__ import annotations

import torch
from torch import Tensor

K_BALLS, K_DENSITY = 3, 5  # neighbours: of precision and recall [1904.06991], of density and coverage [2002.09797]


def frechet_distance(real: Tensor, fake: Tensor) -> float:
    """|mu - mu'|^2 + tr(S + S' - 2 (S S')^(1/2)) [1706.08500 eq. 6], of rows (N, d) and (M, d), N and M at least 2.

    0 for equal Gaussians; biased upwards for few rows. In a judge's features it is "FD (judge)", never "FID".
    """
    real, fake = _checked(real, fake, 2)
    difference = real.mean(0) - fake.mean(0)
    S, T = torch.cov(real.T).reshape(real.shape[1], -1), torch.cov(fake.T).reshape(real.shape[1], -1)
    # tr (S T)^(1/2) is the sum of the roots of the eigenvalues of S^(1/2) T S^(1/2), which is symmetric.
    values, vectors = torch.linalg.eigh(S)
    root = vectors @ torch.diag(values.clamp_min(0).sqrt()) @ vectors.T
    overlap = torch.linalg.eigvalsh(root @ T @ root).clamp_min(0).sqrt().sum()
    return max(0.0, float(difference @ difference + S.trace() + T.trace() - 2 * overlap))


def kernel_distance(real: Tensor, fake: Tensor) -> float:
    """Unbiased squared MMD with the kernel (x.y / d + 1)^3 [1801.01401 sec. 4]: about 0 for the same source, may be below."""
    real, fake = _checked(real, fake, 2)
    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b.T / a.shape[1] + 1) ** 3
    def off_diagonal(k: Tensor) -> Tensor:
        return (k.sum() - k.trace()) / (len(k) * (len(k) - 1))
    return float(off_diagonal(kernel(real, real)) + off_diagonal(kernel(fake, fake)) - 2 * kernel(real, fake).mean())


class Neighbours:
    """The measures that count neighbours, a part of the fakes at a time: nobody has to wait for all of them.

    real: (N, d), N above k_balls and k_density. `fit` every row of it once, in any parts; then for each set of fakes
    `begin(fake)`, `count_fakes` at every row of fake in any parts, and ask for `precision_recall` and `density_coverage`.
    """

    def __init__(self, real: Tensor, k_balls: int = K_BALLS, k_density: int = K_DENSITY) -> None:
        self.real, _ = _checked(real, real, max(k_balls, k_density) + 1)
        self.k_balls, self.k_density = k_balls, k_density
        self._balls, self._dense = (self.real.new_empty(len(self.real)) for _ in range(2))  # radii

    def fit(self, start: int, stop: int) -> None:
        """Make the balls of the reals start <= row < stop."""
        own = pairwise_distances(self.real[start:stop], self.real)
        self._balls[start:stop], self._dense[start:stop] = _kth(own, self.k_balls), _kth(own, self.k_density)

    def begin(self, fake: Tensor) -> None:
        """Fakes (M, d), M above k_balls."""
        _, self.fake = _checked(self.real, fake, self.k_balls + 1)
        self._inside, self._held = 0, 0  # fakes in some ball of a real; (ball, fake) pairs
        self._found = torch.zeros(2, len(self.real), dtype=torch.bool, device=self.real.device)

    def count_fakes(self, start: int, stop: int) -> None:
        """Count the fakes start <= row < stop."""
        part = self.fake[start:stop]
        across = pairwise_distances(part, self.real)  # (n, N)
        radii = _kth(pairwise_distances(part, self.fake), self.k_balls)
        held = across <= self._dense
        self._inside += int((across <= self._balls).any(1).sum())
        self._held += int(held.sum())
        self._found |= torch.stack([(across <= radii[:, None]).any(0), held.any(0)])

    def precision_recall(self) -> tuple[float, float]:
        """Improved precision and recall [1904.06991 sec. 2], both in [0, 1]: fidelity, and how much of the real is reached.

        Precision: share of fakes inside the ball of some real row, its radius the distance to its k-th nearest other real
        row. Recall: the same with the parts exchanged, so it needs as many fakes as reals to mean as much.
        """
        return self._inside / len(self.fake), float(self._found[0].double().mean())

    def density_coverage(self) -> tuple[float, float]:
        """Density and coverage [2002.09797 eq. 6, 7], with balls to each real row's k-th nearest other real row.

        Density: how many balls hold a fake, on average, over k; above 1 where fakes crowd the dense parts. Coverage: the share
        of balls that hold any fake, in [0, 1]: the gauge for collapse.
        """
        return self._held / (self.k_density * len(self.fake)), float(self._found[1].double().mean())


def precision_recall(real: Tensor, fake: Tensor, k: int = K_BALLS) -> tuple[float, float]:
    """`Neighbours.precision_recall` at once, of rows (N, d) and (M, d), both above k."""
    return _all_at_once(real, fake, k).precision_recall()


def density_coverage(real: Tensor, fake: Tensor, k: int = K_DENSITY) -> tuple[float, float]:
    """`Neighbours.density_coverage` at once, of rows (N, d) and (M, d), both above k."""
    return _all_at_once(real, fake, k).density_coverage()


def _all_at_once(real: Tensor, fake: Tensor, k: int) -> Neighbours:
    _checked(real, fake, k + 1)
    neighbours = Neighbours(real, k, k)
    neighbours.fit(0, len(real))
    neighbours.begin(fake)
    neighbours.count_fakes(0, len(fake))
    return neighbours


def nearest_ratio(train: Tensor, held_out: Tensor, fake: Tensor) -> float:
    """Median distance of fakes to their nearest training row, over that of held-out rows: about 1; below 0.5 it copies."""
    train, fake = _checked(train, fake, 1)
    to_fake = pairwise_distances(fake, train).min(1).values.median()
    return float(to_fake / pairwise_distances(held_out.double(), train).min(1).values.median())


def class_divergence(histogram: Tensor, reference: Tensor | None = None) -> float:
    """KL(histogram || reference) in nats, of shares (K,); the reference is uniform unless given. 0 log 0 is 0.

    With N fair draws of K classes it is about (K - 1) / 2N: the floor.
    """
    p = histogram.double() / histogram.sum()
    q = torch.full_like(p, 1 / len(p)) if reference is None else reference.double() / reference.sum()
    there = p > 0
    return float((p[there] * (p[there] / q[there]).log()).sum())


def pairwise_distances(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distances (N, M) of rows; no matrix product, whose rounding would hide that a copy's distance is 0."""
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


def _kth(own: Tensor, k: int) -> Tensor:
    """Distance of each row to its k-th nearest other one, from distances (n, N) in which it meets itself."""
    return own.kthvalue(k + 1, dim=1).values  # the nearest row is the row itself


def _checked(real: Tensor, fake: Tensor, least: int) -> tuple[Tensor, Tensor]:
    """Both in float64, if they are rows of the same kind and enough of them."""
    if real.ndim != 2 or fake.ndim != 2 or real.shape[1] != fake.shape[1]:
        raise ValueError(f"features are {tuple(real.shape)} and {tuple(fake.shape)}; give (N, d) and (M, d).")
    if min(len(real), len(fake)) < least:
        raise ValueError(f"there are {len(real)} and {len(fake)} rows; this measure needs at least {least} a side.")
    return real.double(), fake.double()

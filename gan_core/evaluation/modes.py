"""How many modes of a known mixture generated points find, by the protocol of VEEGAN [1705.07761] and PacGAN [1712.04086].

It knows where the modes are because it is told; the literature counts 2,500 points.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .measures import class_divergence, pairwise_distances

NUM_SAMPLES = 2_500  # what the literature's figures are of
REACH = 3.0  # standard deviations


def assess_modes(points: Tensor | np.ndarray, centres: Tensor | np.ndarray, sigma: float) -> dict[str, float]:
    """{"modes": how many are found, "good": share of good points in [0, 1], "mode_kl": reverse KL in nats}.

    points: (N, 2) in the data's units, N at least 1, a point that is not finite being nowhere; centres: (K, 2); `sigma`: of
    every mode, in both directions. A point is good within 3 sigma of its nearest centre, and finds that mode. The reverse KL
    is KL(q || p) = sum q log(q / p): q is how the good points are spread over the K modes, p is 1 / K, and missed modes add
    nothing of their own; from 0 to log K, and log K where no point is good.

    A perfect sampler: all modes, good 1 - exp(-9 / 2) = .989, KL about (K - 1) / 2N: .0048 for 25 modes and 2,500 points.
    """
    points, centres = torch.as_tensor(points).double().cpu(), torch.as_tensor(centres).double().cpu()
    if points.ndim != 2 or centres.ndim != 2 or points.shape[1] != centres.shape[1] or not len(points) or not len(centres):
        raise ValueError(f"points are {tuple(points.shape)} and centres {tuple(centres.shape)}; give (N, 2) and (K, 2), "
                         "at least one of each.")
    if not sigma > 0:
        raise ValueError(f"sigma is {sigma!r}; give a number above 0.")
    counts = good_points_per_mode(points, centres, sigma)
    good = int(counts.sum())
    # With no good point the worst that can be said: as far from even as if all were in one mode.
    worst = float(np.log(len(centres)))
    return {"modes": int((counts > 0).sum()), "good": good / len(points), "mode_kl": class_divergence(counts) if good else worst}


def good_points_per_mode(points: Tensor, centres: Tensor, sigma: float) -> Tensor:
    """Good points of each mode, (K,) int64, of float64 points (N, 2) and centres (K, 2)."""
    distance, nearest = pairwise_distances(points, centres).min(dim=1)
    return torch.bincount(nearest[distance <= REACH * sigma], minlength=len(centres))

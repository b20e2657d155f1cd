"""How many modes of a known mixture generated points cover, by the protocol of VEEGAN [1705.07761] and PacGAN [1712.04086].

The caller gives the modes; the literature counts 2,500 points.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .measures import class_divergence, pairwise_distances

NUM_SAMPLES = 2_500  # points, as in the literature
REACH = 3.0  # standard deviations


def assess_modes(points: Tensor | np.ndarray, centres: Tensor | np.ndarray, sigma: float) -> dict[str, float]:
    """{"modes": number of modes covered, "good": share of good points in [0, 1], "mode_kl": reverse KL in nats}.

    points: (N, 2) in the data's units, N at least 1; a point that is not finite is never good. centres: (K, 2). `sigma`: standard
    deviation of every mode, in both directions. A point is good within 3 sigma of its nearest centre, and covers that mode. The
    reverse KL is KL(q || p) = sum q log(q / p): q is the distribution of good points over the K modes, p is 1 / K, and missed
    modes contribute 0. It lies in [0, log K], and is log K if no point is good.

    A perfect sampler: all modes, good 1 - exp(-9 / 2) = .989, KL about (K - 1) / 2N: .0048 for 25 modes and 2,500 points.
    """
    points, centres = torch.as_tensor(points).double().cpu(), torch.as_tensor(centres).double().cpu()
    if points.ndim != 2 or centres.ndim != 2 or points.shape[1] != centres.shape[1] or not len(points) or not len(centres):
        raise ValueError(f"points are {tuple(points.shape)} and centres {tuple(centres.shape)}; give (N, 2) and (K, 2), "
                         "at least one of each.")
    if not sigma > 0:
        raise ValueError(f"sigma is {sigma!r}; give a number above 0.")
    counts = good_points_per_mode(points, centres, sigma)  # (K,)
    good = int(counts.sum())
    # The worst value, as if all points were in one mode, when none is good.
    divergence = class_divergence(counts) if good else float(np.log(len(centres)))
    return {"modes": int((counts > 0).sum()), "good": good / len(points), "mode_kl": divergence}


def good_points_per_mode(points: Tensor, centres: Tensor, sigma: float) -> Tensor:
    """Number of good points of each mode, (K,) int64, of float64 points (N, 2) and centres (K, 2)."""
    distance, nearest = pairwise_distances(points, centres).min(dim=1)  # (N,), (N,)
    return torch.bincount(nearest[distance <= REACH * sigma], minlength=len(centres))

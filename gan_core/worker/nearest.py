"""The real picture nearest to each fake, where a run learns so few that its generator may learn them by heart.

It is the measure *Nearest* picture by picture: the same thumbnails, the same distance, the same reference. Nothing is drawn
and nothing of the training moves. When it is due, and where it is written, the recorder decides.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import torch

from ..evaluation.feature_free import NearestPicture, thumbnails
from ..runs.frames import COLUMNS, NEAREST
from ..training.pixel_range import grid, png
from ..training.trainer import GeneratorName

# With so many a frame takes at most a sixth longer, and the first one 0.2 s: the PNG of what is found costs more than the search.
MOST_REALS = 2000
PROBES, SLICE = 1000, 250  # training pictures that the reference is the median of; those of them that are measured at a time
FARTHEST = 99.0  # the largest distance that is written: where the reals are all alike there is none to compare with


class NearestReals:
    """Searches all of `images`, uint8 (N, C, H, W), as they are without augmentation, 2 <= N <= MOST_REALS."""

    def __init__(self, images: torch.Tensor) -> None:
        self.images = images
        self._nearest = NearestPicture(thumbnails(images), PROBES)
        probes = min(PROBES, len(images))
        for start in range(0, probes, SLICE):
            self._nearest.fit(start, min(start + SLICE, probes))

    def search(self, fakes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Of fakes, uint8 (n, C, H, W): (n,) the row number of the nearest real one, and (n,) its distance, both on the CPU.

        A distance of 1 is the median distance of a real one to its nearest other real one.
        """
        rows, distances = self._nearest.search(thumbnails(fakes.to(self.images.device)))
        return rows.cpu(), (distances / self._nearest.reference).clamp_max(FARTHEST).cpu()

    def to_png(self, fakes: Mapping[GeneratorName, torch.Tensor]) -> bytes:
        """A grid of all that are nearest to any fake, each once, with each fake's place in it and its distance as a text."""
        found = {name: self.search(pictures) for name, pictures in fakes.items()}
        kept = torch.cat([rows for rows, _ in found.values()]).unique()  # in order
        told: dict[str, object] = {"reals": len(self.images)}
        for name, (rows, distances) in found.items():
            told[name] = {"places": torch.searchsorted(kept, rows).tolist(),
                          "distances": [round(distance, 3) for distance in distances.tolist()]}
        return png(grid(self.images[kept.to(self.images.device)].cpu().numpy(), COLUMNS), {NEAREST: json.dumps(told)})

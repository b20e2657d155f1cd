"""The real picture nearest to each fake, where a run learns so few that its generator may learn them by heart.

It is the measure *Nearest* picture by picture: the same thumbnails and the same distance. Nothing is drawn and nothing of the
training moves. When it is due, and where it is written, the recorder decides.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import torch

from ..evaluation.feature_free import NearestPicture, thumbnails
from ..runs.frames import COLUMNS, NEAREST
from ..training.pixel_range import grid, png
from ..training.trainer import GeneratorName

# The first frame takes 0.2 s of one core longer with so many, each at most a fifth: the PNG of what is found costs more than the
# search, and most where all that are found differ. docs/run-folder.md has the measurements.
MOST_REALS = 2000
MOST_VALUES = MOST_REALS * 3 * 64 * 64  # of all pixels in all channels
PROBES, SLICE = 1000, 250  # training pictures that the reference is the median of; those of them that are measured at a time
DECODED = 100  # pictures that are made numbers at a time
FARTHEST = 99.0  # the largest distance that is written: where the reals are all alike there is none to compare with


def is_searched(images: torch.Tensor) -> bool:
    """Whether a run that learns `images`, uint8 (N, C, H, W), keeps those nearest to its fakes: they are few, and two."""
    return 2 <= len(images) <= MOST_REALS and images.numel() <= MOST_VALUES


class NearestReals:
    """Searches all of `images`, uint8 (N, C, H, W), as they are without augmentation; see `is_searched`."""

    def __init__(self, images: torch.Tensor) -> None:
        self.images = images
        rows = _thumbnails(images)
        self._nearest = NearestPicture(rows)
        # Each different one once: where all stand twice, the nearest other one of each would be its twin, at distance 0.
        different = NearestPicture(rows[_first_of_each(rows)], PROBES)
        probes = min(PROBES, len(different.train))
        for start in range(0, probes, SLICE):
            different.fit(start, min(start + SLICE, probes))
        self._reference = different.reference

    def search(self, fakes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Of fakes, uint8 (n, C, H, W): (n,) the row number of the nearest real one, and (n,) its distance, both on the CPU.

        A distance of 1 is the median distance of a real one to its nearest different one.
        """
        rows, distances = self._nearest.search(_thumbnails(fakes.to(self.images.device)))
        return rows.cpu(), (distances / self._reference).clamp_max(FARTHEST).cpu()

    def to_png(self, fakes: Mapping[GeneratorName, torch.Tensor]) -> bytes:
        """A grid of all that are nearest to any fake, each once, with each fake's place in it and its distance as a text."""
        found = {name: self.search(pictures) for name, pictures in fakes.items()}
        kept = torch.cat([rows for rows, _ in found.values()]).unique()  # in order
        told: dict[str, object] = {"reals": len(self.images)}
        for name, (rows, distances) in found.items():
            told[name] = {"places": torch.searchsorted(kept, rows).tolist(),
                          "distances": [round(distance, 3) for distance in distances.tolist()]}
        return png(grid(self.images[kept.to(self.images.device)].cpu().numpy(), COLUMNS), {NEAREST: json.dumps(told)})


def _thumbnails(images: torch.Tensor) -> torch.Tensor:
    """Those of few at a time: as float32 all of them take four times the memory of the pictures."""
    return torch.cat([thumbnails(part) for part in images.split(DECODED)])


def _first_of_each(rows: torch.Tensor) -> torch.Tensor:
    """(K,) the row numbers, in order, of (N, d) without those that repeat an earlier row."""
    kinds, inverse = rows.unique(dim=0, return_inverse=True)
    numbers = torch.arange(len(rows), device=rows.device)
    return numbers.new_full((len(kinds),), len(rows)).scatter_reduce(0, inverse, numbers, "amin").sort().values

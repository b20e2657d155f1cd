"""DiffAugment [2006.10738]: random colour changes, shifts and cutouts of what the discriminator sees, reals and fakes alike.

Differentiable in the pictures, so that G learns through it. The caller passes the random draws. Pictures are in [0, 1]; shifts
and cutouts leave 0, black.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

TRANSLATION, CUTOUT = 0.125, 0.5  # the paper's: moves up to an eighth of a side, cuts out a square of half a side
Augmentation = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def color(images: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """Brightness + U(-1/4, 1/4), saturation x U(0, 2), contrast x U(1/2, 3/2), in this order: u (N, 3), values not clipped.

    The paper's brightness is +-1/2 for pictures in [-1, 1]; in [0, 1] that is half as much. Grey pictures have no saturation.
    """
    brightness, saturation, contrast = (column.view(-1, 1, 1, 1) for column in u.unbind(1))
    images = images + (brightness - 0.5) * 0.5
    if images.shape[1] > 1:
        grey = images.mean(1, keepdim=True)
        images = grey + (images - grey) * (2 * saturation)
    mean = images.mean((1, 2, 3), keepdim=True)
    return mean + (images - mean) * (contrast + 0.5)


def translation(images: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """Each picture shifted by whole pixels, up to an eighth of a side each way: u (N, 2), down and right."""
    n, channels, height, width = images.shape
    rows, row_valid = _source_index(height, u[:, 0])
    columns, column_valid = _source_index(width, u[:, 1])
    source = (rows[:, :, None] * width + columns[:, None, :]).view(n, 1, -1).expand(n, channels, -1)
    inside = row_valid[:, None, :, None] & column_valid[:, None, None, :]
    return images.flatten(2).gather(2, source).view_as(images) * inside


def _source_index(size: int, u: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """For each pixel along one side, (N, size): the index it is copied from, clamped, and whether that was inside."""
    reach = int(size * TRANSLATION + 0.5)
    shift = (u * (2 * reach + 1)).floor().long() - reach
    place = torch.arange(size, device=u.device)[None, :] - shift[:, None]
    return place.clamp(0, size - 1), (place >= 0) & (place < size)


def cutout(images: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """A black square of half a side in each picture, its centre anywhere, u (N, 2); at the border it covers less."""
    keep = [_outside_square(size, u[:, k]) for k, size in enumerate(images.shape[2:])]
    return images * (keep[0][:, None, :, None] | keep[1][:, None, None, :])


def _outside_square(size: int, u: torch.Tensor) -> torch.Tensor:
    """(N, size) bool: the pixels along one side outside the square."""
    side = int(size * CUTOUT + 0.5)
    begin = (u * (size + 1 - side % 2)).floor().long() - side // 2
    place = torch.arange(size, device=u.device)[None, :]
    return (place < begin[:, None]) | (place >= begin[:, None] + side)


# name => (function, number of draws it takes), in the order of application.
AUGMENTATIONS: dict[str, tuple[Augmentation, int]] = {"color": (color, 3), "translation": (translation, 2), "cutout": (cutout, 2)}
NUM_DRAWS = sum(count for _, count in AUGMENTATIONS.values())


def augment(images: torch.Tensor, policy: str, u: torch.Tensor) -> torch.Tensor:
    """`images` (N, C, H, W) in [0, 1] under `policy`: "none", or names of AUGMENTATIONS joined by commas.

    u: (N, NUM_DRAWS) draws of U(0, 1) on the images' device; each augmentation has its own columns, so that adding one to the
    policy does not change the others. Raises ValueError for an unknown name.
    """
    names = [] if policy == "none" else policy.split(",")
    unknown = [name for name in names if name not in AUGMENTATIONS]
    if unknown:
        raise ValueError(f"augmentation {unknown[0]!r} is not known; join any of these by commas: {', '.join(AUGMENTATIONS)}.")
    begin = 0
    for name, (function, count) in AUGMENTATIONS.items():
        if name in names:
            images = function(images, u[:, begin:begin + count])
        begin += count
    return images

"""Arrays of square pictures in the size and colour of a request. Photographs are left to `reading.picture_file`.

28 pixels become 32 by two black pixels on each side, which leaves every stroke sharp (LeNet saw its digits so), unless
"stretch" is requested. Every other change of size is Pillow's bicubic, which averages over all pixels when it shrinks. Grey is
ITU-R 601's luma, as Pillow computes it; a grey picture in colour has three equal channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from PIL import Image

from .types import DataRequest

SLICE = 1024  # pictures at a time: fast enough, and little memory
REPORT_EVERY = 64  # pictures resized between two reports of progress


def output_shape(shape: tuple[int, ...], request: DataRequest) -> tuple[int, ...]:
    """The requested (C, H, W) of pictures of shape (C, H, W)."""
    channels = {"auto": shape[0], "grey": 1, "color": 3}[request.color]
    return (channels, request.size, request.size) if request.size else (channels, *shape[1:])


def fit_images(images: np.ndarray, request: DataRequest) -> np.ndarray:
    """Pictures uint8 (N, C, H, W), C 1 or 3, as requested; the same array where nothing changes. Raises Cancelled."""
    if output_shape(images.shape[1:], request) == images.shape[1:]:
        return images
    slices = (images[start:start + SLICE] for start in range(0, len(images), SLICE))
    return fit_slices(slices, len(images), images.shape[1:], request)


def fit_slices(slices: Iterable[np.ndarray], count: int, shape: tuple[int, ...], request: DataRequest) -> np.ndarray:
    """`count` pictures of `shape` that come in slices, as one array of the requested form, without a second copy of all.

    Raises Cancelled.
    """
    out = np.empty((count, *output_shape(shape, request)), np.uint8)
    same, done = out.shape[1:] == tuple(shape), 0
    for images in slices:
        if same:
            out[done:done + len(images)] = images
        else:
            for k, image in enumerate(_converted(images, request)):
                out[done + k] = image
                if k % REPORT_EVERY == 0:
                    request.report_progress("fitting", done + k, count)
        done += len(images)
        request.report_progress("reading" if same else "fitting", done, count)
    if done != count:
        raise AssertionError(f"{done} pictures came where {count} were announced")
    return out


def _converted(images: np.ndarray, request: DataRequest) -> Iterator[np.ndarray]:
    """Each picture in the requested form: (C, H, W), or (1, H, W) that is broadcast to three channels."""
    if request.color == "grey" and images.shape[1] == 3:
        images = luma(images)
    side = images.shape[-1]
    if request.size in (0, side):
        yield from images
    elif (side, request.size) == (28, 32) and request.crop != "stretch":
        yield from np.pad(images, ((0, 0), (0, 0), (2, 2), (2, 2)))
    else:
        for image in images:  # Pillow takes (H, W) or (H, W, 3)
            picture = Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0))
            resized = np.asarray(picture.resize((request.size, request.size), Image.Resampling.BICUBIC))
            yield resized[None] if resized.ndim == 2 else resized.transpose(2, 0, 1)


def luma(images: np.ndarray) -> np.ndarray:
    """(N, 3, H, W) -> (N, 1, H, W): L = 0.299 R + 0.587 G + 0.114 B, ITU-R 601, rounded as Pillow rounds."""
    n, _, h, w = images.shape
    tall = Image.fromarray(np.ascontiguousarray(images.transpose(0, 2, 3, 1)).reshape(n * h, w, 3))
    return np.asarray(tall.convert("L")).reshape(n, 1, h, w)

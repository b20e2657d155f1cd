"""Arrays of pictures in the size and colour that was asked for. It reads no file; photographs are another module's.

Ready-made sets are square, so `crop` has little to choose: 28 becomes 32 by two black pixels on each side, which
leaves every stroke as sharp as it was (LeNet saw its digits so), unless "stretch" is asked for. Every other change of size is
Pillow's bicubic, which looks at all pixels when it makes smaller. Grey is ITU-R 601's luma, as Pillow makes it; a grey
picture in colour has the same grey three times.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from PIL import Image

from .types import DataRequest

SLICE = 1024  # pictures at a time: enough to be quick, few enough that nobody notices the memory
STEP = 64  # pictures resized between two reports


def output_shape(shape: tuple[int, ...], request: DataRequest) -> tuple[int, int, int]:
    """(C, H, W) of pictures of that shape once they are fitted."""
    channels = {"auto": shape[0], "grey": 1, "color": 3}[request.color]
    return (channels, request.size, request.size) if request.size else (channels, *shape[1:])


def fit_images(images: np.ndarray, request: DataRequest) -> np.ndarray:
    """Pictures uint8 (N, C, H, W), C 1 or 3, as `request` wants them: the same array if it is so already. Raises Cancelled."""
    if output_shape(images.shape[1:], request) == images.shape[1:]:
        return images
    return fit_slices((images[at:at + SLICE] for at in range(0, len(images), SLICE)), len(images), images.shape[1:], request)


def fit_slices(slices: Iterable[np.ndarray], count: int, shape: tuple[int, ...], request: DataRequest) -> np.ndarray:
    """`count` pictures of `shape` that come in slices, fitted, as one array: at no time is there a second copy of all.

    Raises Cancelled.
    """
    out = np.empty((count, *output_shape(shape, request)), np.uint8)
    same, done = out.shape[1:] == tuple(shape), 0
    for images in slices:
        if same:
            out[done:done + len(images)] = images
        else:
            for at, image in enumerate(_changed(images, request)):
                out[done + at] = image
                if at % STEP == 0:
                    request.report_progress("fitting", done + at, count)
        done += len(images)
        request.report_progress("reading" if same else "fitting", done, count)
    if done != count:
        raise AssertionError(f"{done} pictures came where {count} were announced")
    return out


def _changed(images: np.ndarray, request: DataRequest) -> Iterator[np.ndarray]:
    """Each picture in the form that is asked for: (C, H, W), or (1, H, W) that stands for three equal channels."""
    if request.color == "grey" and images.shape[1] == 3:
        images = luma(images)
    side = images.shape[-1]
    if request.size in (0, side):
        yield from images
    elif (side, request.size) == (28, 32) and request.crop != "stretch":
        yield from np.pad(images, ((0, 0), (0, 0), (2, 2), (2, 2)))
    else:
        for image in images:  # Pillow wants (H, W) or (H, W, 3)
            small = Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0))
            resized = np.asarray(small.resize((request.size, request.size), Image.Resampling.BICUBIC))
            yield resized[None] if resized.ndim == 2 else resized.transpose(2, 0, 1)


def luma(images: np.ndarray) -> np.ndarray:
    """(N, 3, H, W) -> (N, 1, H, W): L = 0.299 R + 0.587 G + 0.114 B, ITU-R 601, rounded as Pillow rounds."""
    n, _, h, w = images.shape
    tall = Image.fromarray(np.ascontiguousarray(images.transpose(0, 2, 3, 1)).reshape(n * h, w, 3))
    return np.asarray(tall.convert("L")).reshape(n, 1, h, w)

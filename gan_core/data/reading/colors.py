"""A picture's colours by its ICC profile, as sRGB: phones store Display P3, cameras Adobe RGB, printers CMYK.

Pillow's littleCMS converts. A profile that is broken, too large or for another kind of picture changes nothing.
"""

from __future__ import annotations

import functools
import io

import numpy as np
from PIL import Image, ImageCms

MAX_PROFILE = 4 << 20  # bytes; the largest in use, of presses, have 3 MB
SPACES = {"L": "GRAY", "RGB": "RGB ", "CMYK": "CMYK"}  # a picture's mode -> the colour space in a profile's header (ICC.1, 7.2.8)
# Without a cache threads may share a transform. Without optimization it is exact in dark colours too and fast to build, above
# all for CMYK: it is slow for each pixel, but only small pictures come here.
FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION | ImageCms.Flags.NOCACHE | ImageCms.Flags.NOOPTIMIZE


def to_srgb(image: Image.Image, profile: object) -> Image.Image:
    """A picture in mode L, RGB, RGBA or CMYK as L, RGB or RGBA in sRGB; `profile`: its ICC profile in bytes, or None."""
    if isinstance(profile, bytes) and 128 < len(profile) <= MAX_PROFILE:
        if image.mode == "RGBA":
            alpha, space = image.getchannel("A"), profile[16:20]
            base = image.getchannel("R") if space == b"GRAY" and _is_neutral(image) else image.convert("RGB")
            return Image.merge("RGBA", (*to_srgb(base, profile).convert("RGB").split(), alpha))
        transform = _transform(profile, image.mode)
        if transform is not None:
            converted = transform.apply(image)
            return converted.getchannel("G") if image.mode == "L" else converted  # three equal channels, within rounding
    return image.convert("RGB") if image.mode == "CMYK" else image


def _is_neutral(image: Image.Image) -> bool:
    red, green, blue, _ = image.split()
    return red.tobytes() == green.tobytes() == blue.tobytes()


@functools.lru_cache(maxsize=16)  # a folder's photographs come from one camera or two
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From the profile to sRGB; None where that changes nothing, and where the profile is of no use."""
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if opened.profile.xcolor_space != SPACES.get(mode):
            return None
        transform = ImageCms.buildTransform(opened, ImageCms.createProfile("sRGB"), mode, "RGB",
                                            ImageCms.Intent.RELATIVE_COLORIMETRIC, FLAGS)
        sample = _sample(mode)
        converted = np.asarray(transform.apply(sample)).astype(int)
    except Exception:  # damaged bytes make littleCMS and Pillow raise many kinds of errors
        return None
    # Makers write sRGB with rounding errors: a difference of one level is none, and equal pictures stay equal bit for bit.
    return None if mode != "CMYK" and np.abs(converted - np.asarray(sample.convert("RGB"))).max() <= 1 else transform


def _sample(mode: str) -> Image.Image:
    """Colours from all over the space: all greys, or a lattice of 9 a side."""
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    if mode == "CMYK":
        return Image.new("CMYK", (1, 1))
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    return Image.fromarray(np.stack(np.meshgrid(levels, levels, levels), -1).reshape(27, 27, 3))

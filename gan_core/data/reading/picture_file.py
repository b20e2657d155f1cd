"""One picture file, whatever it is, as a GAN will see it: upright, square, grey or colour, in 8 bits.

It knows bytes and Pillow, no folders, archives or sets. What it cannot or will not read it names by a reason.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import threading
import warnings
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from .colors import to_srgb

# Whoever decodes a hundred formats has a hundred decoders to fear: these are what cameras, phones, scanners and drawing programs
# write. A file is asked for its first bytes, never for its name.
Image.init()
if importlib.util.find_spec("pillow_heif"):  # an extra: it brings a decoder of video
    with contextlib.suppress(ImportError):  # it is there and does not fit this machine
        import pillow_heif

        pillow_heif.register_heif_opener(thumbnails=False, decode_threads=1)
FORMATS = tuple(name for name in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "HEIF") if name in Image.OPEN)
MAX_BYTES = 32 << 20  # of one file
MAX_PIXELS = 16 << 20  # told by the header, before anything is decoded
LARGE = 4 << 20  # pixels; such pictures are decoded one at a time, whatever the threads, to bound the memory
HEAD = 64  # bytes that tell what a file is

REASONS = ("broken", "too_large", "not_a_picture", "heic", "encrypted", "archive", "link", "too_many")
ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06", b"Rar!", b"7z\xbc\xaf\x27\x1c", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
# What is transparent shows white, as on a page: most transparent pictures are dark drawings, which black would swallow.
GROUND = 255
# What the head of a HEIC names (ISO/IEC 23008-12, annex B): HEVC's brands, or any still picture's where AV1's are not named.
HEVC, STILL, AV1 = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}, {b"mif1", b"msf1"}, {b"avif", b"avis"}
GREY = 8  # channels that nowhere differ by more are grey: what JPEG leaves of a grey scan

_one_large = threading.Lock()


class Unreadable(ValueError):
    """A file that gives no picture; `reason` is one of REASONS."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@contextlib.contextmanager
def strict_warnings() -> Iterator[None]:
    """Pillow's warning of decompression bombs is an error meanwhile. Enter it outside of threads: filters are the process's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of damaged metadata and the like there would be thousands
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def kind_of(head: bytes) -> str:
    """"picture", "archive", "heic" (which nothing here reads) or "not_a_picture", by the first HEAD bytes."""
    if head.startswith(ARCHIVES):
        return "archive"
    if _is_heic(head):
        return "picture" if "HEIF" in FORMATS else "heic"
    tests = (Image.OPEN[name][1] for name in FORMATS)
    return "picture" if any(test is not None and test(head[:16]) for test in tests) else "not_a_picture"


def _is_heic(head: bytes) -> bool:
    """Whether this begins a HEIC, by the brands in its first box; several may stand there, and not the telling one first."""
    if head[4:8] != b"ftyp":
        return False
    end = min(len(head), int.from_bytes(head[:4], "big"))
    brands = {head[8:12], *(head[at:at + 4] for at in range(16, end - 3, 4))}
    return bool(brands & HEVC) or (bool(brands & STILL) and not brands & AV1)


def read_content(file: BinaryIO) -> bytes:
    """All bytes of a file that begins like a picture; at most MAX_BYTES + 1 are ever read. Raises Unreadable."""
    head = file.read(HEAD)
    kind = kind_of(head)
    if kind != "picture":
        raise Unreadable(kind)
    data = head + file.read(MAX_BYTES + 1 - len(head))
    if len(data) > MAX_BYTES:
        raise Unreadable("too_large")
    return data


def decode_picture(data: bytes, side: int, color: str, crop: str) -> np.ndarray:
    """The picture in a file's bytes, uint8 (C, side, side): C is 1 where color is "grey", 3 where it is "color".

    crop: "center" cuts the middle square, "pad" keeps all and fills up with the border's median colour, "stretch" squeezes.
    28 pixels become 32 by a border of two, as torchvision's sets do, unless they are stretched: strokes stay sharp.
    Of an animation the first frame counts; alpha lies on white; 16 bits are scaled to 8; colours are brought to sRGB by the
    picture's profile once it is small, a thousand times fewer pixels. Raises Unreadable.
    """
    try:
        with Image.open(io.BytesIO(data), formats=("HEIF",) if _is_heic(data[:HEAD]) else FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Unreadable("too_large")
            image.draft(None, (2 * side, 2 * side))  # JPEG: no more of it is decoded than twice what is needed
            large = image.width * image.height > LARGE
            with _one_large if large else contextlib.nullcontext():
                image, profile = _upright(image), image.info.get("icc_profile")
                return _square(_plain(image, profile), profile, side, color, crop)
    except Unreadable:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError) as error:
        raise Unreadable("too_large") from error
    except Exception as error:  # a decoder at odds with its bytes may raise anything
        raise Unreadable("broken") from error


def is_grey(picture: np.ndarray) -> bool:
    """Whether (3, H, W) has no colour to speak of."""
    return bool(np.ptp(picture.astype(np.int16), axis=0).max() <= GREY)


def _upright(image: Image.Image) -> Image.Image:
    """Turned as the camera was held. A damaged EXIF block turns nothing; a damaged picture raises."""
    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # Pillow parses EXIF late, and raises what it will
        return image


def _plain(image: Image.Image, profile: object) -> Image.Image:
    """The same picture in mode L, RGB or RGBA; in CMYK as long as a profile says what its inks look like."""
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_eight_bits(np.asarray(image)))
    if image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode in ("1", "L"):
        return image.convert("L")
    if image.mode == "CMYK" and profile:
        return image
    return image.convert("RGB")  # P, YCbCr, LAB, HSV, and CMYK, which Pillow has set upright where Adobe stores it inverted


def _eight_bits(values: np.ndarray) -> np.ndarray:
    """(H, W) of 16 bits, 32 bits or floats as uint8.

    16 bits are divided by 257, so that white is white. Floats from 0 to 1 are shares of 255. Other ranges nobody knows: they
    are stretched from their least to their greatest value.
    """
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise Unreadable("broken")
    low, high = values.min(), values.max()
    if values.dtype.kind != "f" and low >= 0 and high <= 65535:
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if values.dtype.kind == "f" and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    spread = float(high) - float(low) or 1.0
    return np.rint((values.astype(np.float32) - np.float32(low)) * np.float32(255 / spread)).clip(0, 255).astype(np.uint8)


def _square(image: Image.Image, profile: object, side: int, color: str, crop: str) -> np.ndarray:
    image = to_srgb(_resized(image, side, crop), profile)
    if image.mode == "RGBA":
        ground = Image.new("RGBA", image.size, (GROUND, GROUND, GROUND, 255))
        image = Image.alpha_composite(ground, image)
    values = np.asarray(image.convert("L" if color == "grey" else "RGB"))
    values = values[None] if values.ndim == 2 else values.transpose(2, 0, 1)
    _, height, width = values.shape
    if (height, width) == (side, side):
        return values
    edge = np.concatenate([values[:, 0], values[:, -1], values[:, :, 0], values[:, :, -1]], axis=1)
    out = np.empty((len(values), side, side), np.uint8)
    out[:] = np.median(edge, axis=1).astype(np.uint8)[:, None, None]
    top, left = (side - height) // 2, (side - width) // 2
    out[:, top:top + height, left:left + width] = values
    return out


def _resized(image: Image.Image, side: int, crop: str) -> Image.Image:
    """No larger than (side, side). Pillow's bicubic looks at every pixel when it makes smaller."""
    width, height = image.size
    size, box = (side, side), (0, 0, width, height)
    if crop != "stretch" and (width, height, side) == (28, 28, 32):
        return image
    if crop == "center":
        edge = min(width, height)
        left, top = (width - edge) // 2, (height - edge) // 2
        box = (left, top, left + edge, top + edge)
    elif crop == "pad":
        scale = side / max(width, height)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if image.mode != "RGBA" or (size == image.size and box == (0, 0, *size)):
        return image.resize(size, Image.Resampling.BICUBIC, box=box, reducing_gap=3.0)
    # With colours weighed by alpha, so that the unseen colour of what is transparent mixes into nothing.
    return image.convert("RGBa").resize(size, Image.Resampling.BICUBIC, box=box, reducing_gap=3.0).convert("RGBA")

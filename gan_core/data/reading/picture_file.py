"""One picture file of any format as a GAN sees it: upright, square, grey or colour, in 8 bits.

A file that cannot be read, or must not be, raises Unreadable with a reason. Where its bytes come from is left to the caller.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps
from PIL.JpegImagePlugin import JpegImageFile

from ..types import ByteReader
from .colors import to_srgb

# Every decoder may have faults that a hostile file uses, so only these formats are read, which cameras, phones, scanners and
# drawing programs write. A file's first bytes decide, never its name.
Image.init()
if importlib.util.find_spec("pillow_heif"):  # an extra, because it contains a video decoder
    with contextlib.suppress(ImportError):  # it is installed and does not work on this machine
        import pillow_heif

        pillow_heif.register_heif_opener(thumbnails=False, decode_threads=1)
FORMATS = tuple(name for name in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "HEIF") if name in Image.OPEN)
MAX_BYTES = 32 << 20  # of one file
MAX_PIXELS = 16 << 20  # by the header, before anything is decoded
# Of a JPEG, which libjpeg decodes at an eighth of its size: 48 and 50 megapixels of a phone. A progressive one keeps 6 bytes a
# pixel meanwhile, 400 MB at most.
MAX_JPEG_PIXELS = 64 << 20
LARGE = 4 << 20  # pixels; larger pictures are decoded one at a time in all threads together, to bound the memory
HEAD = 64  # bytes that decide what a file is

REASONS = ("broken", "too_large", "not_a_picture", "heic", "encrypted", "archive", "link", "too_many", "beside")
ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06", b"Rar!", b"7z\xbc\xaf\x27\x1c", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
BLACK, WHITE = 0, 255  # what may lie behind transparent pixels
DEEP_WHITE = 65535  # white in a picture of 16 bits that uses all of them
# Brands in a HEIC's head (ISO/IEC 23008-12, annex B): those of HEVC, or those of any still picture without AV1's.
HEVC, STILL, AV1 = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}, {b"mif1", b"msf1"}, {b"avif", b"avis"}
GREY_TOLERANCE = 8  # largest difference between the channels of a grey picture: JPEG's errors on a grey scan

_large_picture_lock = threading.Lock()


class Unreadable(ValueError):
    """A file without a usable picture; `reason` is one of REASONS."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@contextlib.contextmanager
def strict_warnings() -> Iterator[None]:
    """Make Pillow's warning of decompression bombs an error. Not to be entered in a thread: filters are process-wide."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # damaged metadata and the like would give thousands
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def kind_of(head: bytes) -> str:
    """"picture", "archive", "heic" (without pillow-heif) or "not_a_picture", by the first HEAD bytes."""
    if head.startswith(ARCHIVES):
        return "archive"
    if _is_heic(head):
        return "picture" if "HEIF" in FORMATS else "heic"
    tests = (Image.OPEN[name][1] for name in FORMATS)
    return "picture" if any(test is not None and test(head[:16]) for test in tests) else "not_a_picture"


def _is_heic(head: bytes) -> bool:
    """Whether this is the head of a HEIC, by the brands in its first box, of which any may be the decisive one."""
    if head[4:8] != b"ftyp":
        return False
    end = min(len(head), int.from_bytes(head[:4], "big"))
    brands = {head[8:12], *(head[at:at + 4] for at in range(16, end - 3, 4))}
    return bool(brands & HEVC) or (bool(brands & STILL) and not brands & AV1)


def read_content(file: ByteReader) -> bytes:
    """All bytes of a file that begins like a picture; at most MAX_BYTES + 1 are ever read. Raises Unreadable."""
    head = file.read(HEAD)
    kind = kind_of(head)
    if kind != "picture":
        raise Unreadable(kind)
    data = head + file.read(MAX_BYTES + 1 - len(head))
    if len(data) > MAX_BYTES:
        raise Unreadable("too_large")
    return data


@dataclass(frozen=True)
class Traits:
    """What one picture says about the form of the whole set.

    grey: whether it has no colour. ink: the mean grey level of what is drawn, 0 to 255, None without transparent pixels. peak:
    the largest value of a picture of 16 bits, None for others.
    """

    grey: bool
    ink: float | None = None
    peak: int | None = None


def decode_picture(data: bytes, side: int, color: str, crop: str, background: int = WHITE, white: int = DEEP_WHITE) -> np.ndarray:
    """The picture in a file's bytes, uint8 (C, side, side): C is 1 where color is "grey", 3 where it is "color".

    background: the grey level behind transparent pixels. white: the value of white in a picture of 16 bits.

    crop: "center" cuts out the middle square, "pad" keeps all and fills up with the border's median colour, "stretch"
    distorts. 28 pixels become 32 by a border of two, as in `data.resize`, unless they are stretched: strokes stay sharp.
    An animation is its first frame; colours are converted to sRGB by the picture's profile after it was made small, for a
    thousand times fewer pixels. Raises Unreadable.
    """
    image, _ = _small(data, side, crop, white)
    return _square(image, side, color, background)


def read_traits(data: bytes, side: int, crop: str) -> Traits:
    """What the picture says about its set, at the size of `decode_picture`. Raises Unreadable."""
    image, peak = _small(data, side, crop, DEEP_WHITE)
    ink = None
    if image.mode == "RGBA":
        values, alpha = np.asarray(image.convert("RGB").convert("L"), np.float32), np.asarray(image.getchannel("A"), np.float32)
        if alpha.min() < 128 and alpha.max() > 0:
            ink = float((values * alpha).sum() / alpha.sum())
    return Traits(is_grey(_square(image, side, "color", WHITE)), ink, peak)


def _small(data: bytes, side: int, crop: str, white: int) -> tuple[Image.Image, int | None]:
    """(the picture in mode L, RGB or RGBA, in sRGB and small; the largest value of 16 bits). Raises Unreadable."""
    try:
        with Image.open(io.BytesIO(data), formats=("HEIF",) if _is_heic(data[:HEAD]) else FORMATS) as image:
            pixels = image.width * image.height
            if pixels > (MAX_JPEG_PIXELS if isinstance(image, JpegImageFile) else MAX_PIXELS):
                raise Unreadable("too_large")
            image.draft(None, (2 * side, 2 * side))  # JPEG: decode at a scale that leaves at least twice the pixels needed
            large = pixels > LARGE
            with _large_picture_lock if large else contextlib.nullcontext():
                upright, profile = _upright(image), image.info.get("icc_profile")
                peak = _peak(upright)
                return to_srgb(_resized(_plain_mode(upright, profile, white), side, crop), profile), peak
    except Unreadable:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError) as error:
        raise Unreadable("too_large") from error
    except Exception as error:  # damaged bytes may make a decoder raise anything
        raise Unreadable("broken") from error


def is_grey(picture: np.ndarray) -> bool:
    """Whether the channels of (3, H, W) differ by no more than GREY_TOLERANCE anywhere."""
    return bool(np.ptp(picture.astype(np.int16), axis=0).max() <= GREY_TOLERANCE)


def _upright(image: Image.Image) -> Image.Image:
    """Rotated by its EXIF orientation. A damaged EXIF block rotates nothing; a damaged picture raises."""
    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # Pillow parses EXIF here and may raise anything
        return image


def _peak(image: Image.Image) -> int | None:
    """The largest value of a picture of 16 bits; None for another one."""
    if not image.mode.startswith("I"):
        return None
    low, high = np.asarray(image).min(), np.asarray(image).max()
    return int(high) if low >= 0 and high <= DEEP_WHITE else None


def _plain_mode(image: Image.Image, profile: object, white: int) -> Image.Image:
    """The same picture in mode L, RGB or RGBA; in CMYK only with a profile, by which `to_srgb` converts it."""
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_eight_bits(np.asarray(image), white))
    if image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode in ("1", "L"):
        return image.convert("L")
    if image.mode == "CMYK" and profile:
        return image
    return image.convert("RGB")  # P, YCbCr, LAB, HSV, and CMYK, whose inversion by Adobe Pillow has undone


def _eight_bits(values: np.ndarray, white: int) -> np.ndarray:
    """(H, W) of 16 bits, 32 bits or floats as uint8.

    16 bits are scaled so that `white` becomes 255, and what is above it too. Floats from 0 to 1 are multiplied by 255. All other
    ranges are unknown, and stretched from their least to their greatest value.
    """
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise Unreadable("broken")
    low, high = values.min(), values.max()
    if values.dtype.kind != "f" and low >= 0 and high <= DEEP_WHITE:
        return ((values.astype(np.uint32).clip(max=white) * 255 + white // 2) // white).astype(np.uint8)
    if values.dtype.kind == "f" and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    spread = float(high) - float(low) or 1.0
    return np.rint((values.astype(np.float32) - np.float32(low)) * np.float32(255 / spread)).clip(0, 255).astype(np.uint8)


def _square(image: Image.Image, side: int, color: str, background: int) -> np.ndarray:
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, (background, background, background, 255)), image)
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
    """No larger than (side, side). Pillow's bicubic averages over every pixel when it shrinks."""
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
    # With premultiplied alpha, so that the invisible colour of transparent pixels does not mix into others.
    return image.convert("RGBa").resize(size, Image.Resampling.BICUBIC, box=box, reducing_gap=3.0).convert("RGBA")

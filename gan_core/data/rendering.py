"""Pictures for the page without torch: many small ones as a grid, one as PNG, and the square around points."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
MARGIN = 0.15  # of the points' extent, free around them: fakes may lie outside


def grid(images: np.ndarray, columns: int) -> np.ndarray:
    """(N, C, H, W) uint8 as one picture (rows*H, columns*W) or (..., 3); missing places stay black."""
    n, c, h, w = images.shape
    rows = -(-n // columns)
    padded = np.zeros((rows * columns, c, h, w), np.uint8)
    padded[:n] = images
    picture = padded.reshape(rows, columns, c, h, w).transpose(0, 3, 1, 4, 2).reshape(rows * h, columns * w, c)
    return picture[..., 0] if c == 1 else picture


def png(picture: np.ndarray, texts: Mapping[str, str] | None = None) -> bytes:
    """(H, W) or (H, W, 3) uint8 as PNG, with ASCII texts by keyword.

    Only runs of equal bytes are sought: of colour two thirds of the time of zlib's fastest level, and fewer bytes.
    """
    buffer, info = io.BytesIO(), PngInfo()
    for keyword, text in (texts or {}).items():
        info.add_text(keyword, text)
    Image.fromarray(picture).save(buffer, "PNG", compress_level=1, compress_type=zlib.Z_RLE, pnginfo=info)
    return buffer.getvalue()


def png_sides(data: bytes) -> tuple[int, int] | None:
    """(width, height), each at least 1, of a PNG of which these are the first 24 bytes or more [RFC 2083, 4.1.1]; else None."""
    if len(data) < 24 or data[:8] != PNG_SIGNATURE or data[12:16] != b"IHDR":
        return None
    width, height = struct.unpack(">II", data[16:24])
    return (width, height) if width and height else None


def png_text(data: bytes, keyword: str) -> str | None:
    """The text of that keyword in a PNG that `png` wrote; None where there is none, or it is no PNG."""
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            text = image.info.get(keyword)  # texts stand before the picture, which is not decoded
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return text if isinstance(text, str) else None


def bounding_square(low: Sequence[float], high: Sequence[float]) -> tuple[float, ...]:
    """(x0, x1, y0, y1) of a square with a margin around points with these least and largest coordinates, to four digits."""
    (x, y), half = ((low[k] + high[k]) / 2 for k in (0, 1)), max(high[k] - low[k] for k in (0, 1)) * (0.5 + MARGIN)
    return tuple(float(f"{v:.4g}") for v in (x - half, x + half, y - half, y + half))

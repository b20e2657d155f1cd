"""Quick, Draw!: 345 categories of doodles, white strokes on black, 28x28; only as many of each are fetched as requested.

A category is one .npy file of about 100 MB at Google. Its header gives the number of drawings, and the first k of them are its
first bytes. What was fetched is kept, and a later request for more resumes from there.
Source: Jongejan et al., The Quick, Draw! data set, 2016 (CC BY 4.0). The course's sheep are one category of it.
"""

from __future__ import annotations

import difflib
import functools
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import numpy as np

from . import memory, resize
from .download import Unreachable, fetch
from .types import DataError, DataRequest, LoadedData, data_folder

BASE = "https://storage.googleapis.com/quickdraw_dataset/full/numpy_bitmap"
DEFAULT_LIMIT = 20_000  # drawings without a limit in the request, all categories together
SHAPE, PIXELS = (1, 28, 28), 784
HEADER = 256  # bytes, more than the header has
NAMES = Path(__file__).with_name("quickdraw.txt")


@functools.cache
def categories() -> tuple[str, ...]:
    """The 345 names, in alphabetical order."""
    return tuple(NAMES.read_text(encoding="utf-8").splitlines())


def parse_categories(argument: str) -> tuple[str, ...]:
    """The categories that "sheep, Cat" names, each once, in that order. Raises DataError with the nearest names."""
    known = {name.lower(): name for name in categories()}
    names = [" ".join(name.split()) for name in argument.split(",") if name.strip()]
    for name in names:
        if name.lower() not in known:
            matches = difflib.get_close_matches(name.lower(), known, n=5, cutoff=0.5)
            if matches:
                near = [known[match] for match in matches]
                raise DataError("category_near", name=name[:60], count=len(known), near=near)
            raise DataError("category", name=name[:60], count=len(known))
    if not names:
        raise DataError("category_none")
    return tuple(dict.fromkeys(known[name.lower()] for name in names))


def label(argument: str) -> str:
    """The display name of "sheep,cat": "sheep, cat"."""
    return ", ".join(argument.split(","))


def source(request: DataRequest) -> LoadedData:
    """The registry's entry. Labels are the categories where there are several; `limit` is shared evenly among them."""
    names = parse_categories(request.argument)
    headers = [_with_header(name, share, request) for name, share in zip(names, _shares(request, names), strict=True)]
    memory.check_pictures(sum(category.take for category in headers), resize.output_shape(SHAPE, request), "Quick, Draw!")
    parts = [_with_drawings(category, request) for category in headers]
    takes = [part.take for part in parts]
    data = resize.fit_slices((images for part in parts for images in part.slices()), sum(takes), SHAPE, request)
    labels = np.repeat(np.arange(len(parts)), takes) if len(parts) > 1 else None
    return LoadedData(data, labels, names if len(parts) > 1 else (), found_count=sum(part.count for part in parts))


def is_downloaded(request: DataRequest) -> bool:
    """Whether `source` needs no network now."""
    try:
        names = parse_categories(request.argument)
        return all(_read(_path(name)).has(share) for name, share in zip(names, _shares(request, names), strict=True))
    except DataError:
        return False


def downloaded_datasets(name: str, limit: int) -> list[str]:
    """The data sets of this kind of which `limit` drawings are here."""
    return [f"{name}:{category}" for category in categories() if is_downloaded(DataRequest(name, category, limit=limit))]


@dataclass(frozen=True)
class _Category:
    """One category's file as it is here. count: drawings in the whole file; held: of these here; take: of these requested."""

    path: Path
    offset: int = 0
    count: int = 0
    held: int = 0
    take: int = 0

    def has(self, share: int) -> bool:
        return self.count > 0 and self.held >= min(share, self.count)

    def slices(self) -> Iterator[np.ndarray]:
        """The first `take` drawings, uint8 (n, 1, 28, 28) each."""
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            for start in range(0, self.take, resize.SLICE):
                n = min(resize.SLICE, self.take - start)
                yield np.frombuffer(file.read(n * PIXELS), np.uint8).reshape(n, *SHAPE)


def _shares(request: DataRequest, names: tuple[str, ...]) -> list[int]:
    total = request.limit or DEFAULT_LIMIT
    if total < len(names):
        raise DataError("category_share", field={"field": "max_images"}, limit=total, count=len(names))
    return [total // len(names) + (k < total % len(names)) for k in range(len(names))]


def _path(name: str) -> Path:
    return data_folder() / "quickdraw" / f"{name}.npy"


def _url(path: Path) -> str:
    base = (os.environ.get("GAN_PLAYGROUND_QUICKDRAW") or BASE).rstrip("/")
    return f"{base}/{quote(path.name)}"


def _with_header(name: str, share: int, request: DataRequest) -> _Category:
    """The category once its header is here."""
    path = _path(name)
    category = _read(path)
    if not category.count:
        path.unlink(missing_ok=True)  # damaged: nothing of it can be used
        fetch(_url(path), path, request, first=HEADER)
        category = _read(path, _url(path))
    return replace(category, take=min(share, category.count))


def _with_drawings(category: _Category, request: DataRequest) -> _Category:
    """The category once `take` drawings are here."""
    if category.held >= category.take:
        return category
    path, url = category.path, _url(category.path)
    try:
        fetch(url, path, request, first=category.offset + category.take * PIXELS)
    except Unreachable as error:
        if not category.held:
            raise
        raise Unreachable("unreachable_held", first=error, held=category.held, field={"field": "max_images"}) from error
    fetched = _read(path, url)
    if fetched.held < category.take:
        raise DataError("drawings_cut", url=url, count=fetched.count, held=fetched.held)
    return replace(fetched, take=category.take)


def _read(path: Path, url: str = "") -> _Category:
    """The category by its file's header; without a valid file an empty one, or with `url` a DataError."""
    try:
        with open(path, "rb") as file:
            head = io.BytesIO(file.read(HEADER))
            file.seek(0, os.SEEK_END)
            size = file.tell()
        version = np.lib.format.read_magic(head)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, fortran, dtype = read(head, max_header_size=HEADER)
        if len(shape) != 2 or shape[0] < 1 or shape[1] != PIXELS or fortran or dtype != np.uint8:
            raise ValueError(f"it holds {dtype} of shape {shape}, not uint8 of (number, {PIXELS})")
    except (OSError, ValueError, KeyError) as error:
        if not url:
            return _Category(path)
        path.unlink(missing_ok=True)
        raise DataError("drawings_other", url=url, reason=str(error)[:200]) from error
    return _Category(path, head.tell(), shape[0], min(shape[0], (size - head.tell()) // PIXELS))

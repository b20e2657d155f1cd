"""Quick, Draw!: 345 categories of doodles, white strokes on black, 28x28; of each only as many are fetched as are wanted.

A category is one .npy file of some 100 MB at Google; its header says how many drawings it has, and the first k of them are its
first bytes. Whatever was fetched stays, and a later wish for more goes on from there.
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
from .types import DataError, DataRequest, Loaded, data_folder

BASE = "https://storage.googleapis.com/quickdraw_dataset/full/numpy_bitmap"
ALL = 20_000  # drawings where nobody says how many, all categories together
SHAPE, PIXELS = (1, 28, 28), 784
HEAD = 256  # bytes, more than the header has
NAMES = Path(__file__).with_name("quickdraw.txt")


@functools.cache
def categories() -> tuple[str, ...]:
    """The 345 names, in alphabetical order."""
    return tuple(NAMES.read_text(encoding="utf-8").splitlines())


def chosen(argument: str) -> tuple[str, ...]:
    """The categories that "sheep, Cat" names, each once, in that order. Raises DataError with the nearest names."""
    known = {name.lower(): name for name in categories()}
    wanted = [" ".join(name.split()) for name in argument.split(",") if name.strip()]
    for name in wanted:
        if name.lower() not in known:
            near = difflib.get_close_matches(name.lower(), known, n=5, cutoff=0.5)
            if near:
                raise DataError("category_near", name=name[:60], count=len(known), near=[known[match] for match in near])
            raise DataError("category", name=name[:60], count=len(known))
    if not wanted:
        raise DataError("category_none")
    return tuple(dict.fromkeys(known[name.lower()] for name in wanted))


def label(argument: str) -> str:
    """What people call "sheep,cat": "sheep, cat"."""
    return ", ".join(argument.split(","))


def source(request: DataRequest) -> Loaded:
    """An entry of the registry. Labels say the category where there is more than one; `limit` is shared evenly."""
    names = chosen(request.argument)
    wanted = [_announced(name, share, request) for name, share in zip(names, _shares(request, names), strict=True)]
    memory.check(sum(one.take for one in wanted), resize.form(SHAPE, request), "Quick, Draw!")
    parts = [_whole(one, request) for one in wanted]
    takes = [part.take for part in parts]
    data = resize.filled((images for part in parts for images in part.slices()), sum(takes), SHAPE, request)
    labels = np.repeat(np.arange(len(parts)), takes) if len(parts) > 1 else None
    return Loaded(data, labels, names if len(parts) > 1 else (), found=sum(part.count for part in parts))


def ready(request: DataRequest) -> bool:
    """Whether `source` needs no network now."""
    try:
        names = chosen(request.argument)
        return all(_here(_path(name)).enough(share) for name, share in zip(names, _shares(request, names), strict=True))
    except DataError:
        return False


def at_hand(name: str, limit: int) -> list[str]:
    """The data sets of this kind that are here, as far as `limit` wants them."""
    return [f"{name}:{category}" for category in categories() if ready(DataRequest(name, category, limit=limit))]


@dataclass(frozen=True)
class _Category:
    """One category's file as it is here. count: drawings in the whole file; held: of them here; take: of them wanted."""

    path: Path
    offset: int = 0
    count: int = 0
    held: int = 0
    take: int = 0

    def enough(self, share: int) -> bool:
        return self.count > 0 and self.held >= min(share, self.count)

    def slices(self) -> Iterator[np.ndarray]:
        """uint8 (n, 1, 28, 28), until `take` of them came."""
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            for at in range(0, self.take, resize.SLICE):
                n = min(resize.SLICE, self.take - at)
                yield np.frombuffer(file.read(n * PIXELS), np.uint8).reshape(n, *SHAPE)


def _shares(request: DataRequest, names: tuple[str, ...]) -> list[int]:
    total = request.limit or ALL
    if total < len(names):
        raise DataError("category_share", field={"field": "max_images"}, limit=total, count=len(names))
    return [total // len(names) + (k < total % len(names)) for k in range(len(names))]


def _path(name: str) -> Path:
    return data_folder() / "quickdraw" / f"{name}.npy"


def _url(path: Path) -> str:
    base = (os.environ.get("GAN_PLAYGROUND_QUICKDRAW") or BASE).rstrip("/")
    return f"{base}/{quote(path.name)}"


def _announced(name: str, share: int, request: DataRequest) -> _Category:
    """What there is of the category: its header is read, fetched where it is not here."""
    path = _path(name)
    here = _here(path)
    if not here.count:
        path.unlink(missing_ok=True)  # damaged: nothing of it can be used
        fetch(_url(path), path, request, first=HEAD)
        here = _here(path, _url(path))
    return replace(here, take=min(share, here.count))


def _whole(wanted: _Category, request: DataRequest) -> _Category:
    """The same, once `take` drawings of it are here."""
    if wanted.held >= wanted.take:
        return wanted
    path, url = wanted.path, _url(wanted.path)
    try:
        fetch(url, path, request, first=wanted.offset + wanted.take * PIXELS)
    except Unreachable as error:
        if not wanted.held:
            raise
        raise Unreachable("unreachable_held", first=error, held=wanted.held, field={"field": "max_images"}) from error
    here = _here(path, url)
    if here.held < wanted.take:
        raise DataError("drawings_cut", url=url, count=here.count, held=here.held)
    return replace(here, take=wanted.take)


def _here(path: Path, url: str = "") -> _Category:
    """What the file's header says; nothing where there is no such file. With `url` another form is refused in a sentence."""
    try:
        with open(path, "rb") as file:
            head = io.BytesIO(file.read(HEAD))
            file.seek(0, os.SEEK_END)
            size = file.tell()
        version = np.lib.format.read_magic(head)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, fortran, dtype = read(head, max_header_size=HEAD)
        if len(shape) != 2 or shape[0] < 1 or shape[1] != PIXELS or fortran or dtype != np.uint8:
            raise ValueError(f"it holds {dtype} of shape {shape}, not uint8 of (number, {PIXELS})")
    except (OSError, ValueError, KeyError) as error:
        if not url:
            return _Category(path)
        path.unlink(missing_ok=True)
        raise DataError("drawings_other", url=url, reason=str(error)[:200]) from error
    return _Category(path, head.tell(), shape[0], min(shape[0], (size - head.tell()) // PIXELS))

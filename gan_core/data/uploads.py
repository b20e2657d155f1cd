"""What people bring: pictures as one zip, and points drawn by hand, kept under data_folder()/own by what is in them.

A name is a few letters of the file's own and the first of its content's hash: handing the same in twice keeps it once, and
nothing ever changes under a name. Reading the pictures is the business of `archive`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import uuid
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..messages import byte_size, message, os_reason
from ..runs import files
from .reading import picture_file
from .reading.archive import Archive
from .reading.decode import common_prefix_length, display_name, found_message
from .reading.picture_file import FORMATS, Unreadable
from .types import DataError, data_folder

MAX_UPLOAD = 512 << 20  # bytes of all that is handed in at once
MAX_KEPT = 8 << 30  # bytes of everything that was ever handed in: whoever reaches the page must not fill the disk
MAX_POINTS = 10_000
DRAWING = re.compile(r"drawn-[0-9a-f]{12}")  # what a drawing is called; an upload's name is archive.NAME


@dataclass(frozen=True)
class Upload:
    """One thing that was handed in. dataset: what a config calls it; count: pictures (files that begin as such) or points."""

    name: str
    kind: str  # "zip" or "drawn"
    count: int
    bytes: int
    created: float  # unix seconds

    @property
    def dataset(self) -> str:
        return f"{self.kind}:{self.name}"


def folder() -> Path:
    """Where all this lies."""
    return data_folder() / "own"


def save_pictures(paths: Sequence[Path | str]) -> str:
    """Keep one zip of pictures, or pictures, which are put into one; returns NAME, to be asked for as zip:NAME.

    Raises DataError in a sentence for what has no picture in it, is too large, or cannot be stored.
    """
    given = [Path(path) for path in paths]
    if not given:
        raise DataError("own_none")
    try:
        size = sum(path.stat().st_size for path in given)
        zips = [path for path in given if _is_zip(path)]
    except OSError as error:
        raise DataError("own_unreadable", reason=os_reason(error)) from error
    if size > MAX_UPLOAD:
        raise DataError("own_large", size=byte_size(size), most=byte_size(MAX_UPLOAD))
    if (used := sum(one.bytes for one in list_uploads())) + size > MAX_KEPT:
        raise DataError("own_full", used=byte_size(used), most=byte_size(MAX_KEPT), folder=folder())
    if zips and len(given) > 1:
        if len(zips) == 1:
            raise DataError("own_mixed_one", n=len(given))
        raise DataError("own_mixed", n=len(given), zips=len(zips))
    with _stored() as temporary:
        if zips:
            count = _checked(given[0])
            shutil.copyfile(given[0], temporary)
        else:
            count = _packed(given, temporary)
        return _named(temporary, _stem(given), count)


def save_points(points: Iterable[Iterable[float]]) -> str:
    """Keep points drawn by hand, [x, y] in [0, 1], y upwards; returns NAME, to be asked for as drawn:NAME.

    Raises DataError in a sentence for what is no list of such points.
    """
    array = _points(points)
    data = json.dumps({"points": array.tolist()}).encode()
    name = f"drawn-{hashlib.sha256(data).hexdigest()[:12]}"
    with _said():
        folder().mkdir(parents=True, exist_ok=True)
        files.atomic_write(folder() / f"{name}.points.json", data)
    return name


def load_points(name: str) -> np.ndarray:
    """The drawing of that name, (K, 2) float64 in [0, 1]. Raises DataError in a sentence."""
    try:
        if not DRAWING.fullmatch(name):
            raise ValueError(name)
        return _points(json.loads((folder() / f"{name}.points.json").read_bytes())["points"])
    except FileNotFoundError as error:
        raise DataError("drawing_unknown", name=name[:100]) from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError("drawing_broken", name=name[:100]) from error


def list_uploads() -> list[Upload]:
    """All that was handed in and is still there, newest first."""
    found = []
    for path in folder().glob("*"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, DataError):
            about = path.stat()
            if path.suffix == ".zip":
                count = int(json.loads(path.with_suffix(".json").read_bytes())["count"])
                found.append(Upload(path.stem, "zip", count, about.st_size, about.st_mtime))
            elif path.name.endswith(".points.json"):
                name = path.name.removesuffix(".points.json")
                found.append(Upload(name, "drawn", len(load_points(name)), about.st_size, about.st_mtime))
    return sorted(found, key=lambda one: (-one.created, one.name))


def _is_zip(path: Path) -> bool:
    """By its first bytes: a picture with an archive at its end is a picture."""
    with open(path, "rb") as file:
        return file.read(4) in (b"PK\3\4", b"PK\5\6")


def _points(given: Any) -> np.ndarray:
    try:
        array = np.asarray([[float(x) for x in point] for point in given], np.float64)
    except (TypeError, ValueError, OverflowError):
        array = np.empty(0)
    if array.ndim != 2 or array.shape[1:] != (2,) or not (array.min() >= 0 and array.max() <= 1):
        raise DataError("drawing_none")
    if len(array) > MAX_POINTS:
        raise DataError("drawing_full", count=len(array), most=MAX_POINTS)
    if len(np.unique(array, axis=0)) < 2:
        raise DataError("drawing_one")
    return array


def _checked(path: Path) -> int:
    """How many files of a zip begin as pictures. Raises DataError where none does."""
    with Archive(path, display_name(path.name)) as archive:
        count, skipped = 0, Counter(archive.skipped)
        for item in archive.items:
            try:
                with archive.opened(item) as file:
                    kind = picture_file.kind_of(file.read(picture_file.HEAD))
            except Unreadable as error:
                kind = error.reason
            except OSError:
                kind = "broken"
            if kind == "picture":
                count += 1
            else:
                skipped[kind] += 1
    if not count:
        raise DataError("no_picture_left", what=archive.what, found=found_message(skipped), formats=FORMATS[:-1],
                        last=FORMATS[-1])
    return count


def _packed(given: Sequence[Path], target: Path) -> int:
    """Write the pictures among the files into one zip; the same pictures under the same names give the same bytes."""
    skipped: Counter[str] = Counter()
    count = 0
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as packed:
        for path in sorted(given, key=lambda path: (path.name, os.fspath(path))):
            try:
                with open(path, "rb") as file:
                    data = picture_file.read_content(file)
            except Unreadable as error:
                skipped[error.reason] += 1
                continue
            count += 1
            # A number before the name: two of one name, and names that become nothing, stay apart and in order.
            name = f"{count:06d}-{files.folder_name(path.stem)}".rstrip("-")
            packed.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    if not count:
        single = len(given) == 1
        what = message("the_file", name=display_name(given[0].name)) if single else message("the_files", n=len(given))
        raise DataError("own_no_picture", what=what, found=found_message(skipped), formats=FORMATS[:-1], last=FORMATS[-1])
    return count


def _named(temporary: Path, stem: str, count: int) -> str:
    """Give a whole zip its name, that of its content; one that is there already keeps the name it has."""
    with open(temporary, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    for path in folder().glob(f"*-{digest}.zip"):
        with contextlib.suppress(OSError):
            os.utime(path)  # it was handed in just now: it is the newest
            return path.stem
    name = f"{stem}-{digest}"
    # The list first: a zip without it would be a zip that nobody lists.
    files.atomic_write(folder() / f"{name}.json", json.dumps({"count": count}).encode())
    with open(temporary, "rb+") as file:
        os.fsync(file.fileno())
    files.replace(temporary, folder() / f"{name}.zip")
    files.sync_folder(folder())
    return name


def _stem(given: Sequence[Path]) -> str:
    """A few letters for people: the file's name, or what all names begin with."""
    stems = sorted(path.stem for path in given)
    plain = files.folder_name(stems[0][:common_prefix_length(stems[0], stems[-1])])[:40].strip("-")
    return plain if re.search("[a-z]", plain) else f"pictures-{plain}".rstrip("-")


@contextlib.contextmanager
def _said() -> Iterator[None]:
    """What the disk refuses, in a sentence."""
    try:
        yield
    except OSError as error:
        raise DataError("own_disk", folder=folder(), reason=os_reason(error)) from error


@contextlib.contextmanager
def _stored() -> Iterator[Path]:
    """A path in the folder for what is being made; gone afterwards unless it was renamed."""
    with _said():
        folder().mkdir(parents=True, exist_ok=True)
        files.remove_leftovers(folder(), older_than=3600)
        temporary = folder() / f".{uuid.uuid4().hex}.tmp"
        try:
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)

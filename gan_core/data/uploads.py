"""Uploaded pictures as one zip, and drawn points, stored under data_folder()/own by their content.

A name is a few letters of the file's name and the start of its content's hash: the same upload is stored once, and what a name
stands for never changes. Reading the pictures is left to `reading.archive`.
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
from .reading.array_files import kind_of as array_kind_of
from .reading.array_sets import count_pictures
from .reading.classes import common_prefix_length
from .reading.decode import display_name, found_message
from .reading.formats import refuse_known_format
from .reading.picture_file import FORMATS, Unreadable
from .types import DataError, data_folder

MAX_UPLOAD = 512 << 20  # bytes of one upload
MAX_TOTAL = 8 << 30  # quota of all uploads together, in bytes: no visitor of the page may fill the disk
MAX_POINTS = 10_000
DRAWING = re.compile(r"drawn-[0-9a-f]{12}")  # a drawing's name; an upload's is archive.NAME


@dataclass(frozen=True)
class Upload:
    """An upload or a drawing. count: pictures (files that begin like one) or points."""

    name: str
    kind: str  # "zip" or "drawn"
    count: int
    bytes: int
    created: float  # unix seconds

    @property
    def dataset(self) -> str:
        """Its name in a config."""
        return f"{self.kind}:{self.name}"


def folder() -> Path:
    """Where uploads and drawings lie."""
    return data_folder() / "own"


def save_pictures(paths: Sequence[Path | str]) -> str:
    """Store one zip of pictures, or pictures, which are packed into one; returns NAME, for zip:NAME.

    Raises DataError where there is no picture, or it is too large, or it cannot be stored.
    """
    uploaded = [Path(path) for path in paths]
    if not uploaded:
        raise DataError("own_none")
    try:
        size = sum(path.stat().st_size for path in uploaded)
        zips = [path for path in uploaded if _is_zip(path)]
    except OSError as error:
        raise DataError("own_unreadable", reason=os_reason(error)) from error
    if size > MAX_UPLOAD:
        raise DataError("own_large", size=byte_size(size), most=byte_size(MAX_UPLOAD))
    if (used := sum(upload.bytes for upload in list_uploads())) + size > MAX_TOTAL:
        raise DataError("own_full", used=byte_size(used), most=byte_size(MAX_TOTAL), folder=folder())
    if zips and len(uploaded) > 1:
        if len(zips) == 1:
            raise DataError("own_mixed_one", n=len(uploaded))
        raise DataError("own_mixed", n=len(uploaded), zips=len(zips))
    with _temporary_file() as temporary:
        if zips:
            count = _count_pictures(uploaded[0])
            shutil.copyfile(uploaded[0], temporary)
        else:
            count = _pack(uploaded, temporary)
        return _publish(temporary, _stem(uploaded), count)


def save_points(points: Iterable[Iterable[float]]) -> str:
    """Store drawn points, [x, y] in [0, 1], y upwards; returns NAME, for drawn:NAME. Raises DataError for anything else."""
    array = _points(points)
    data = json.dumps({"points": array.tolist()}).encode()
    name = f"drawn-{hashlib.sha256(data).hexdigest()[:12]}"
    with _disk_errors():
        folder().mkdir(parents=True, exist_ok=True)
        files.atomic_write(folder() / f"{name}.points.json", data)
    return name


def load_points(name: str) -> np.ndarray:
    """The drawing of that name, (K, 2) float64 in [0, 1]. Raises DataError."""
    try:
        if not DRAWING.fullmatch(name):
            raise ValueError(name)
        return _points(json.loads((folder() / f"{name}.points.json").read_bytes())["points"])
    except FileNotFoundError as error:
        raise DataError("drawing_unknown", name=name[:100]) from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError("drawing_broken", name=name[:100]) from error


def list_uploads() -> list[Upload]:
    """All stored uploads and drawings, newest first."""
    uploads = []
    for path in folder().glob("*"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, DataError):
            stat = path.stat()
            if path.suffix == ".zip":
                count = int(json.loads(path.with_suffix(".json").read_bytes())["count"])
                uploads.append(Upload(path.stem, "zip", count, stat.st_size, stat.st_mtime))
            elif path.name.endswith(".points.json"):
                name = path.name.removesuffix(".points.json")
                uploads.append(Upload(name, "drawn", len(load_points(name)), stat.st_size, stat.st_mtime))
    return sorted(uploads, key=lambda upload: (-upload.created, upload.name))


def _is_zip(path: Path) -> bool:
    """By its first bytes: a picture with an archive at its end is a picture."""
    with open(path, "rb") as file:
        return file.read(4) in (b"PK\3\4", b"PK\5\6")


def _points(values: Any) -> np.ndarray:
    try:
        array = np.asarray([[float(x) for x in point] for point in values], np.float64)
    except (TypeError, ValueError, OverflowError):
        array = np.empty(0)
    if array.ndim != 2 or array.shape[1:] != (2,) or not (array.min() >= 0 and array.max() <= 1):
        raise DataError("drawing_none")
    if len(array) > MAX_POINTS:
        raise DataError("drawing_full", count=len(array), most=MAX_POINTS)
    if len(np.unique(array, axis=0)) < 2:
        raise DataError("drawing_one")
    return array


def _count_pictures(path: Path) -> int:
    """The number of files in a zip that begin like a picture. Raises DataError where there is none."""
    with Archive(path, display_name(path.name)) as archive:
        count, skipped = 0, Counter(archive.skipped)
        for item in archive.items:
            try:
                with archive.open(item) as file:
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
            count = count_pictures(archive.items, archive.open)
    if not count:
        raise DataError("no_picture_left", what=archive.what, found=found_message(skipped), formats=FORMATS[:-1],
                        last=FORMATS[-1])
    return count


def _pack(paths: Sequence[Path], target: Path) -> int:
    """Write the pictures among the files into one zip; the same pictures under the same names give the same bytes."""
    skipped: Counter[str] = Counter()
    count = 0
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(paths, key=lambda path: (path.name, os.fspath(path))):
            try:
                with open(path, "rb") as file:
                    data = picture_file.read_content(file)
            except Unreadable as error:
                skipped[error.reason] += 1
                continue
            count += 1
            # A number before the name keeps equal names, and names without a usable letter, apart and in order.
            name = f"{count:06d}-{files.folder_name(path.stem)}".rstrip("-")
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    if not count:
        count = _pack_arrays(paths, target)
    if not count:
        single = len(paths) == 1
        what = message("the_file", name=display_name(paths[0].name)) if single else message("the_files", n=len(paths))
        raise DataError("own_no_picture", what=what, found=found_message(skipped), formats=FORMATS[:-1], last=FORMATS[-1])
    return count


def _pack_arrays(paths: Sequence[Path], target: Path) -> int:
    """Write the files of arrays into one zip, with the names of classes beside them; returns how many pictures they hold."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(paths, key=lambda path: path.name):
            with open(path, "rb") as file:
                head = file.read(picture_file.HEAD)
                refuse_known_format(display_name(path.name), head)
                if array_kind_of(head) or path.suffix.lower() == ".json":
                    file.seek(0)
                    with archive.open(zipfile.ZipInfo(path.name, (1980, 1, 1, 0, 0, 0)), "w", force_zip64=True) as entry:
                        shutil.copyfileobj(file, entry, 1 << 20)
    with Archive(target) as packed:
        return count_pictures(packed.items, packed.open)


def _publish(temporary: Path, stem: str, count: int) -> str:
    """Move a complete zip to the name of its content; if it was uploaded before, it keeps the name it has."""
    with open(temporary, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    for path in folder().glob(f"*-{digest}.zip"):
        with contextlib.suppress(OSError):
            os.utime(path)  # the newest upload comes first in the list
            return path.stem
    name = f"{stem}-{digest}"
    # The count first: a zip without it would not be listed.
    files.atomic_write(folder() / f"{name}.json", json.dumps({"count": count}).encode())
    with open(temporary, "rb+") as zip_file:
        os.fsync(zip_file.fileno())
    files.replace(temporary, folder() / f"{name}.zip")
    files.sync_folder(folder())
    return name


def _stem(paths: Sequence[Path]) -> str:
    """A few readable letters: the file's name, or what all names begin with."""
    stems = sorted(path.stem for path in paths)
    plain = files.folder_name(stems[0][:common_prefix_length(stems[0], stems[-1])])[:40].strip("-")
    return plain if re.search("[a-z]", plain) else f"pictures-{plain}".rstrip("-")


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    """An OSError becomes a DataError."""
    try:
        yield
    except OSError as error:
        raise DataError("own_disk", folder=folder(), reason=os_reason(error)) from error


@contextlib.contextmanager
def _temporary_file() -> Iterator[Path]:
    """A path in the folder for an upload in the making; deleted afterwards unless it was renamed."""
    with _disk_errors():
        folder().mkdir(parents=True, exist_ok=True)
        files.remove_leftovers(folder(), older_than=3600)
        temporary = folder() / f".{uuid.uuid4().hex}.tmp"
        try:
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)

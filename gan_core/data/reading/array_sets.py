"""A set of pictures in arrays: which array holds pictures, which one their labels, and what their values mean.

Files of one split and of several (train, test) become one set. Values become 8 bits by one rule for the whole set.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ...messages import Message
from ...runs.data_summary import Decisions
from .. import memory
from ..resize import fit_slices, output_shape
from ..types import DataError, DataRequest, LoadedData
from .array_files import ArrayFile, open_arrays
from .classes import SPLIT, spread
from .item import DEFAULT_SIDE, Item, Opener
from .picture_file import BLACK, WHITE, Unreadable

MOST_ARRAYS = 64  # files of a set of arrays
SIDES = (28, 32, 64)  # that networks have; pictures of another side become DEFAULT_SIDE where no size is requested
LEAST_SIDE, MOST_PIXELS = 8, 16 << 20  # of a picture
MAX_CLASSES, MAX_PICTURES = 10_000, 10_000_000
MAX_NAMES, MAX_TEXT = 1 << 20, 64 << 20  # bytes of a file with the names of the classes, of an array of texts
WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")
# Words that say what an array is. What else is in a name says of which split, shard or class.
PICTURE_WORDS = {"x", "images", "image", "imgs", "img", "data", "pixels", "pictures", "arr"}
LABEL_WORDS = {"y", "labels", "label", "targets", "target", "classes", "class", "category"}
OTHER_WORDS = {"idx", "ubyte", "npy", "npz", "csv", "gz"}


@dataclass(frozen=True)
class Pictures:
    """An array of pictures: `convert` makes (n, C, H, W) of a slice of its rows. label_column: of a table, or None."""

    array: ArrayFile
    shape: tuple[int, int, int]
    convert: Callable[[np.ndarray], np.ndarray]
    label_column: int | None = None


def find_arrays(items: Sequence[Item], opener: Opener) -> tuple[list[ArrayFile], list[str]]:
    """(the arrays among these files, the names of the classes that one of them holds). Raises DataError."""
    arrays: list[ArrayFile] = []
    names: list[str] = []
    for item in items:
        with contextlib.suppress(Unreadable, OSError):
            if item.name.lower().endswith(".json"):
                with opener(item) as file:
                    names = names or list(read_names(file.read(MAX_NAMES)))
                continue
            arrays += open_arrays("/".join((*item.folders, item.name)), partial(opener, item))
    lengths = {array.shape[0] for array in arrays if as_pictures(array) is not None}
    for array in arrays:
        # Texts are the names of the classes, or as many as pictures and so their labels.
        if _is_text(array) and array.shape[0] not in lengths and not names:
            names = [str(name) for rows in array.slices() for name in rows.tolist()]
    return [array for array in arrays if not _is_text(array) or array.shape[0] in lengths], names


def _is_text(array: ArrayFile) -> bool:
    return array.dtype.kind in "US" and len(array.shape) == 1 and array.dtype.itemsize * array.shape[0] <= MAX_TEXT


def count_pictures(items: Sequence[Item], opener: Opener) -> int:
    """How many pictures the arrays among these files hold. Raises DataError."""
    if len(items) > MOST_ARRAYS:
        return 0
    return sum(array.shape[0] for array in find_arrays(items, opener)[0] if as_pictures(array) is not None)


def load_arrays(arrays: Sequence[ArrayFile], names: Sequence[str], request: DataRequest, what: Message) -> LoadedData:
    """The pictures in these arrays and their labels. names: of the classes, where a file says them, else ().

    Raises DataError where none of them holds pictures, values are of no known range, or memory does not hold them; Cancelled.
    """
    if len(arrays) > 1 and len({array.shape for array in arrays}) == 1 and all(map(_may_be_one, arrays)):
        raise DataError("array_single", what=what, shape=str(arrays[0].shape))
    found = [pictures for array in arrays if (pictures := as_pictures(array)) is not None]
    if not found:
        listed = ", ".join(f"{array.name} {array.shape}" for array in arrays[:4])
        raise DataError("array_none", what=what, shapes=listed)
    shape = max({one.shape for one in found}, key=lambda shape: (
        sum(one.array.shape[0] for one in found if one.shape == shape), shape))
    parts = [one for one in found if one.shape == shape]
    others = [array for array in arrays if all(array is not one.array for one in found)]
    total = sum(part.array.shape[0] for part in parts)
    if total > MAX_PICTURES:
        raise DataError("array_many", what=what, count=total, most=MAX_PICTURES)
    size = request.size or (shape[1] if shape[1] == shape[2] and shape[1] in SIDES else DEFAULT_SIDE)
    request = replace(request, size=size)
    square = (min(shape[0], 3), min(shape[1:]), min(shape[1:]))  # alpha lies on a ground, and what is long is cut
    memory.check_pictures(min(total, request.limit or total), output_shape(square, request), what)
    surveys = [_survey(part, request) for part in parts]
    labels = [survey.labels if part.label_column is not None else _labels_of(part.array, others, len(parts), what)
              for part, survey in zip(parts, surveys, strict=True)]
    by_name = len(parts) > 1 and all(part is None for part in labels) and _are_classes(parts)
    if by_name:  # cat.npy, dog.npy
        labels = [np.full(part.array.shape[0], " ".join(_split(part.array.name))) for part in parts]
    classes, class_names = _classes(labels, names)
    picks = _picks(total, classes, request.limit)
    scale, white = _scale(parts, min(survey.low for survey in surveys), max(survey.high for survey in surveys), what)
    data = fit_slices(_rows(parts, picks, scale, request), len(picks), square, request)
    decisions = Decisions()
    if len(parts) > 1 and not by_name:
        decisions["merged"] = [part.array.name for part in parts]
    if white:
        decisions["white"] = white
    skipped = {"too_many": total - len(picks)} if total > len(picks) else {}
    return LoadedData(data, None if classes is None else classes[picks], class_names, total, skipped, decisions)


def as_pictures(array: ArrayFile) -> Pictures | None:
    """How to read an array as pictures: (N, H, W), (N, H, W, C), (N, C, H, W), (N, pixels), or a table of a label and pixels."""
    shape, words = array.shape, set(_words(array.name))
    if len(shape) < 2 or not shape[0] or array.dtype.kind not in "biuf" or (words & LABEL_WORDS and not words & PICTURE_WORDS
                                                                           and not array.columns):
        return None
    if len(shape) == 3 and _is_picture(*shape[1:]):
        return Pictures(array, (1, *shape[1:]), lambda rows: rows[:, None])
    if len(shape) == 4 and shape[3] in (1, 3, 4) and _is_picture(*shape[1:3]):
        return Pictures(array, (shape[3], *shape[1:3]), lambda rows: rows.transpose(0, 3, 1, 2))
    if len(shape) == 4 and shape[1] in (1, 3, 4) and _is_picture(*shape[2:]):
        return Pictures(array, (shape[1], *shape[2:]), lambda rows: rows)
    if len(shape) != 2:
        return None
    nameless = [k for k, name in enumerate(array.columns) if not name]  # the index that pandas writes
    column = _label_column(array, len(nameless))
    form = _form(shape[1] - (column is not None) - len(nameless))
    if form is None:
        return None
    left_out = nameless if column is None else [*nameless, column]
    return Pictures(array, form, lambda rows: np.delete(rows, left_out, axis=1).reshape(len(rows), *form), column)


def _is_picture(height: int, width: int) -> bool:
    return min(height, width) >= LEAST_SIDE and height * width <= MOST_PIXELS


def _may_be_one(array: ArrayFile) -> bool:
    """Whether the array may as well be a single picture (H, W) or (H, W, C)."""
    shape = array.shape
    return not array.columns and (len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))) and _is_picture(*shape[:2])


def _form(pixels: int) -> tuple[int, int, int] | None:
    """(C, side, side) of so many values: grey, or three colours one after the other as in CIFAR's files."""
    for channels in (1, 3):
        side = math.isqrt(max(0, pixels) // channels)
        if side >= LEAST_SIDE and channels * side * side == pixels:
            return channels, side, side
    return None


def _label_column(array: ArrayFile, nameless: int) -> int | None:
    """The column of a table that holds the labels: by its name, else the first or the last where the others make a picture."""
    for k, name in enumerate(array.columns):
        if LABEL_WORDS & set(_words(name)):
            return k
    count = array.shape[1] - nameless
    if _form(count) is not None or _form(count - 1) is None:
        return None
    first_rows = next(array.slices())
    first, last = (len(np.unique(first_rows[:, k])) for k in (nameless, -1))
    # A pixel of the corner is mostly black; where both change, labels have fewer values, and most tables put them first.
    return array.shape[1] - 1 if first == 1 < last or last * 2 < first else nameless


# Labels.


def _labels_of(pictures: ArrayFile, others: Sequence[ArrayFile], parts: int, what: Message) -> np.ndarray | None:
    """The labels (N,) of an array of pictures: another array as long; None where there is none.

    Raises DataError for an array of labels that has another length than the only array of pictures.
    """
    count = pictures.shape[0]
    named = [one for one in others if LABEL_WORDS & set(_words(one.name)) and one.shape]
    fitting = [one for one in others if one.shape[:1] == (count,) and one.dtype.kind in "iufUSb" and (
        len(one.shape) == 1 or one.shape[1:] == (1,) or (len(one.shape) == 2 and one in named))]
    fitting.sort(key=lambda one: (_split(one.name) != _split(pictures.name), one not in named))
    if parts > 1:
        fitting = [one for one in fitting if _split(one.name) == _split(pictures.name)]
    elif named and not fitting:
        raise DataError("array_labels", what=what, labels=named[0].shape[0], pictures=count)
    if not fitting:
        return None
    values = np.concatenate(list(fitting[0].slices()))
    if values.ndim == 2 and values.shape[1] > 1:  # one-hot
        return values.argmax(1) if (np.sort(values, axis=1)[:, :-1] == 0).all() else None
    return values.reshape(count)


def _words(name: str) -> list[str]:
    """The words of a name, in small letters; idx1 and idx3, which say how many axes an array has, are one word."""
    return [word.lower() for word in WORDS.findall(re.sub(r"idx\d", "idx ", name))]


def _split(name: str) -> list[str]:
    """What a name says beside the array's role: ["train"] of train-images-idx3-ubyte.gz and of y_train.npy."""
    return [word for word in _words(name) if word not in PICTURE_WORDS | LABEL_WORDS | OTHER_WORDS]


def _are_classes(parts: Sequence[Pictures]) -> bool:
    """Whether the names of arrays without labels say what is in each: not a number, nor a split."""
    splits = [_split(part.array.name) for part in parts]
    return len({*map(tuple, splits)}) == len(parts) and all(
        words and not any(word.isdigit() or SPLIT.fullmatch(word) for word in words) for words in splits)


def _classes(labels: Sequence[np.ndarray | None], names: Sequence[str]) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """(class of each picture, int64 from 0; the classes' names). None, () where a part has no labels, or all have the same."""
    if any(part is None for part in labels):
        return None, ()
    values = np.concatenate([part for part in labels if part is not None])
    if values.dtype.kind == "f" and not (np.isfinite(values).all() and (values == values.round()).all()):
        return None, ()
    if values.dtype.kind == "f":
        values = values.astype(np.int64)
    found, classes = np.unique(values, return_inverse=True)
    if not 2 <= len(found) <= MAX_CLASSES:
        return None, ()
    texts = [one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in found.tolist()]
    if names and values.dtype.kind in "iu" and found[0] >= 0 and found[-1] < len(names):
        texts = [names[int(one)] for one in found]
    return classes.astype(np.int64), tuple(text[:60] for text in texts)


def read_names(data: bytes) -> tuple[str, ...]:
    """The names of the classes in a JSON file: a list, {"0": name}, or {name: 0}; () for anything else."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return ()
    if isinstance(value, dict) and value and all(isinstance(k, int) and not isinstance(k, bool) for k in value.values()):
        value = {str(k): name for name, k in value.items()}
    if isinstance(value, dict):
        value = [value.get(str(k)) for k in range(len(value))]
    return tuple(value) if isinstance(value, list) and all(isinstance(name, str) for name in value) else ()


# Values.


def _picks(total: int, classes: np.ndarray | None, limit: int) -> np.ndarray:
    """The rows that are taken, in order: all, or an even spread over the classes."""
    if not limit or limit >= total:
        return np.arange(total)
    return np.sort(spread([""] * total if classes is None else [str(k) for k in classes.tolist()])[:limit])


@dataclass(frozen=True)
class Survey:
    """The least and the greatest value of an array's pictures; labels (N,) of a table's own column, else None."""

    low: float
    high: float
    labels: np.ndarray | None


def _survey(part: Pictures, request: DataRequest) -> Survey:
    """Reads all of it once."""
    low, high, labels = math.inf, -math.inf, []
    for rows in part.array.slices():
        values = part.convert(rows)
        low, high = min(low, float(values.min())), max(high, float(values.max()))
        if part.label_column is not None:
            labels.append(rows[:, part.label_column])
        request.report_progress("reading", 0, 0, part.array.name)
    return Survey(low, high, np.concatenate(labels) if labels else None)


def _scale(parts: Sequence[Pictures], low: float, high: float, what: Message) -> tuple[Callable[[np.ndarray], np.ndarray], int]:
    """(values -> uint8, what became white where that is not the type's own). Raises DataError for another range."""
    kinds = {part.array.dtype.kind for part in parts}
    if not (math.isfinite(low) and math.isfinite(high)):
        raise DataError("array_infinite", what=what)
    if low >= -1 and high <= 1 and low < high:
        lift, span = (1.0, 2.0) if low < 0 else (0.0, 1.0)
        return lambda values: np.rint((values.astype(np.float32) + lift) * (255 / span)).astype(np.uint8), 0
    if low >= 0 and high <= 255:
        return lambda values: np.rint(values).astype(np.uint8), 0
    if low >= 0 and high <= 65_535 and not kinds & {"f"}:
        white = int(high) if high < 32_768 else 65_535
        return (lambda values: np.rint(values.astype(np.float32) * np.float32(255 / white)).astype(np.uint8),
                white if white != 65_535 else 0)
    raise DataError("array_range", what=what, low=round(low, 4), high=round(high, 4))


def _on_ground(values: np.ndarray, ground: int) -> np.ndarray:
    """(n, 4, H, W) with alpha -> (n, 3, H, W) on this grey level."""
    alpha = values[:, 3:].astype(np.float32) / 255
    return np.rint(values[:, :3] * alpha + ground * (1 - alpha)).astype(np.uint8)


def _rows(parts: Sequence[Pictures], picks: np.ndarray, scale: Callable[[np.ndarray], np.ndarray],
          request: DataRequest) -> Iterator[np.ndarray]:
    """The picked pictures in slices, uint8 (n, C, side, side): a picture that is no square is cut to its middle."""
    start = 0
    for part in parts:
        for rows in part.array.slices():
            mine = picks[np.searchsorted(picks, start):np.searchsorted(picks, start + len(rows))] - start
            start += len(rows)
            if len(mine):
                values = scale(part.convert(rows[mine]))
                if values.shape[1] == 4:
                    values = _on_ground(values, BLACK if request.background == "black" else WHITE)
                high, wide = values.shape[2:]
                side = min(high, wide)
                top, left = (high - side) // 2, (wide - side) // 2
                yield np.ascontiguousarray(values[:, :, top:top + side, left:left + side])
            request.report_progress("reading", 0, 0, part.array.name)

"""Many picture files as one array with classes, for folders and archives alike.

The caller passes the files as Items and a function that opens one. A few threads decode (Pillow releases the GIL), in order;
memory holds the array of the result and a few dozen pictures.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

import numpy as np

from ...compute.cores import cores
from ...messages import Message, message
from ...runs.data_summary import Decisions
from .. import memory
from ..types import DataError, DataRequest, LoadedData
from . import picture_file
from .array_sets import MOST_ARRAYS, find_arrays, load_arrays
from .classes import Grouping, group, spread
from .formats import refuse_known_format
from .item import DEFAULT_SIDE, Item, Opener
from .picture_file import FORMATS, HEAD, Traits, Unreadable

GROUP = 16  # files that a thread takes at a time
TICK = 0.02  # seconds between two reports while large pictures are decoded
SAMPLE = 64  # pictures that decide the form of a set
BRIGHT = 128  # the mean grey level of drawings that are seen better on black


Result: TypeAlias = "np.ndarray | Traits | str"  # a picture (C, H, W), what it says of its set, or the reason why there is none


@dataclass(frozen=True)
class Look:
    """The form of all pictures of a set, chosen once.

    color: "grey" or "color". background: the grey level behind transparent pixels. white: the value of white in pictures of 16
    bits. transparent: whether there are transparent pixels.
    """

    color: str
    background: int
    white: int
    transparent: bool


def decode_files(items: Sequence[Item], opener: Opener, request: DataRequest, what: Message,
                 skipped: Mapping[str, int] | None = None) -> LoadedData:
    """The pictures among the items, in the items' order; `what`: the set's name; `skipped`: files left out before, by reason.

    With a limit the pictures are an even spread over the classes and within each, the same at every call; files without a
    picture are replaced by others, and pictures beside classes are left out (`classes.group`). Raises DataError where no picture
    is left, or memory does not hold them; Cancelled.
    """
    counts = Counter(skipped or {})
    found_count, side = len(items) + sum(counts.values()), request.size or DEFAULT_SIDE
    heads = _Heads(items, opener, request)
    if len(items) <= MOST_ARRAYS and (loaded := _load_arrays(items, heads, opener, request, what)) is not None:
        return loaded
    grouping = group(items, heads.kind)
    counts.update(grouping.left_out.values())
    classes, kept = grouping.classes, np.array([i for i in range(len(items)) if i not in grouping.left_out], np.int64)
    order = kept[spread([classes[i] for i in kept] if classes else [""] * len(kept))]
    limit = min(len(order), request.limit or len(order))
    with picture_file.strict_warnings(), _Decoder(opener, request, side) as decoder:
        look = choose_look(_sample(decoder, items, order), request)
        shape = (1 if look.color == "grey" else 3, side, side)
        memory.check_pictures(limit, shape, what)
        data, indices, count, start = np.empty((limit, *shape), np.uint8), np.empty(limit, np.int64), 0, 0
        while count < limit and start < len(order):
            # The next files of the spread replace those without a picture, so that the limit is reached where it can be.
            batch = np.sort(order[start:start + limit - count])
            start += len(batch)
            for i, result in decoder.run(items, batch, look, count, limit):
                if isinstance(result, np.ndarray):
                    data[count], indices[count] = result, i
                    count += 1
                else:
                    counts[str(result)] += 1
    if len(order) > start:
        counts["too_many"] += len(order) - start
    if not count:
        raise DataError("no_picture_left", what=what, found=found_message(counts), formats=FORMATS[:-1], last=FORMATS[-1])
    labels, names = _labels([classes[i] for i in indices[:count]] if classes else [])
    return LoadedData(data[:count], labels, names, found_count, dict(counts), _decisions(data[:count], look, grouping))


def _decisions(data: np.ndarray, look: Look, grouping: Grouping) -> Decisions:
    """What was decided for these pictures that one may want to know."""
    decisions = Decisions()
    if grouping.merged:
        decisions["merged"] = list(grouping.merged)
    if look.transparent:
        decisions["background"] = "black" if look.background == picture_file.BLACK else "white"
    if look.white != picture_file.DEEP_WHITE:
        decisions["white"] = look.white
    blank = sum(int((part == part[:, :, :1, :1]).all((1, 2, 3)).sum()) for part in np.array_split(data, len(data) // 1000 + 1))
    if blank:
        decisions["blank"] = blank
    return decisions


def _load_arrays(items: Sequence[Item], heads: _Heads, opener: Opener, request: DataRequest, what: Message) -> LoadedData | None:
    """The pictures in the arrays among these few files; None where there are pictures beside them, or no arrays."""
    if not items or any(heads.kind(i) == "picture" for i in range(len(items))):
        return None
    arrays, names = find_arrays(items, opener)
    if arrays:
        return load_arrays(arrays, names, request, what)
    for i, item in enumerate(items):
        refuse_known_format(item.name, heads.head(i))
    return None


class _Heads:
    """What items are, by their first bytes."""

    def __init__(self, items: Sequence[Item], opener: Opener, request: DataRequest) -> None:
        self._items, self._opener, self._request = items, opener, request
        self._heads: dict[int, bytes | str] = {}

    def kind(self, index: int) -> str:
        """"picture", or the reason why there is none. Raises Cancelled."""
        head = self._read(index)
        return head if isinstance(head, str) else picture_file.kind_of(head)

    def head(self, index: int) -> bytes:
        """The first bytes; b"" where there are none to be had. Raises Cancelled."""
        head = self._read(index)
        return b"" if isinstance(head, str) else head

    def _read(self, index: int) -> bytes | str:
        if index not in self._heads:
            if len(self._heads) % 100 == 0:
                self._request.report_progress("reading", 0, 0, display_name(self._items[index].name))
            try:
                with self._opener(self._items[index]) as file:
                    self._heads[index] = file.read(HEAD)
            except Unreadable as error:
                self._heads[index] = error.reason
            except OSError:
                self._heads[index] = "broken"
        return self._heads[index]


def found_message(skipped: Mapping[str, int]) -> Message:
    """"3 files found (2 no picture, 1 encrypted)", as a part of a message."""
    total = sum(skipped.values())
    if not total:
        return message("found_none")
    reasons = [message(f"skipped_{reason}", n=n) for reason, n in skipped.items()]
    return message("found_one", reasons=reasons) if total == 1 else message("found", n=total, reasons=reasons)


def _labels(classes: list[str]) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Labels (N,) int64 and the names of the classes that have pictures; none for fewer than two."""
    names = sorted(set(classes))
    if len(names) < 2:
        return None, ()
    number = {name: k for k, name in enumerate(names)}
    return np.array([number[name] for name in classes], np.int64), tuple(display_name(name) for name in names)


def display_name(name: str) -> str:
    """A file's name as the page may show it: printable, at most 60 characters."""
    plain = name.encode("utf-8", "replace").decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "?" for c in plain)[:60] or "?"


def choose_look(traits: Sequence[Traits], request: DataRequest) -> Look:
    """The form of a set, by what a sample of its pictures says and where the request leaves it open.

    Grey where all of them are. Behind transparent parts white, on which most drawings are dark, or black where the drawings are
    bright. Of 16 bits all are used, unless no picture comes near half of them: then the largest value of all is white.
    """
    color = request.color if request.color != "auto" else "grey" if traits and all(one.grey for one in traits) else "color"
    inks = [one.ink for one in traits if one.ink is not None]
    background = request.background if request.background != "auto" else (
        "black" if inks and np.median(inks) >= BRIGHT else "white")
    peaks = [one.peak for one in traits if one.peak is not None]
    deep = bool(peaks) and 0 < max(peaks) <= picture_file.DEEP_WHITE // 2
    return Look(color, picture_file.BLACK if background == "black" else picture_file.WHITE,
                max(peaks) if deep else picture_file.DEEP_WHITE, bool(inks))


def _sample(decoder: _Decoder, items: Sequence[Item], order: np.ndarray) -> list[Traits]:
    """What some pictures say about their set, spread over it."""
    traits: list[Traits] = []
    for start in range(0, min(len(order), 4 * SAMPLE), SAMPLE):
        results = decoder.run(items, order[start:start + SAMPLE], None, 0, 0)
        traits += [result for _, result in results if isinstance(result, Traits)]
        if len(traits) >= SAMPLE:
            break
    return traits


class _Decoder:
    """A few threads that open, read and decode; the results come in order."""

    def __init__(self, opener: Opener, request: DataRequest, side: int) -> None:
        self._opener, self._request, self._side = opener, request, side
        self._workers = min(4, cores())
        self._pool = ThreadPoolExecutor(self._workers, "pictures")
        self._stopped = threading.Event()

    def __enter__(self) -> _Decoder:
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped.set()  # takes effect between two pictures
        self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, items: Sequence[Item], batch: np.ndarray, look: Look | None, done: int, total: int,
            ) -> Iterator[tuple[int, Result]]:
        """(index, picture in this look, or without one its traits) of each index in `batch`, in that order. Raises Cancelled."""
        groups = (batch[start:start + GROUP].tolist() for start in range(0, len(batch), GROUP))
        pending: deque[tuple[list[int], Future[list[Result]]]] = deque()
        while True:
            for indices in islice(groups, 2 * self._workers - len(pending)):
                pending.append((indices, self._pool.submit(self._decode_group, [items[i] for i in indices], look)))
            if not pending:
                return
            indices, future = pending.popleft()
            self._request.report_progress("reading", done, total, display_name(items[indices[0]].name))
            while not wait([future], timeout=TICK).done:
                self._request.report_progress("reading", done, total, display_name(items[indices[0]].name))
            yield from zip(indices, future.result(), strict=True)
            done += len(indices)

    def _decode_group(self, items: list[Item], look: Look | None) -> list[Result]:
        return [self._decode(item, look) for item in items if not self._stopped.is_set()]

    def _decode(self, item: Item, look: Look | None) -> Result:
        side, crop = self._side, self._request.crop
        try:
            with self._opener(item) as file:
                data = picture_file.read_content(file)
            if look is None:
                return picture_file.read_traits(data, side, crop)
            return picture_file.decode_picture(data, side, look.color, crop, look.background, look.white)
        except Unreadable as error:
            return error.reason
        except OSError:
            return "broken"

"""Many picture files as one array with classes, for folders and archives alike.

The caller passes the files as Items and a function that opens one. A few threads decode (Pillow releases the GIL), in order;
memory holds the array of the result and a few dozen pictures.
"""

from __future__ import annotations

import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from itertools import islice
from typing import TypeAlias

import numpy as np

from ...messages import Message, message
from .. import memory
from ..types import ByteReader, DataError, DataRequest, LoadedData
from . import picture_file
from .classes import group
from .item import Item
from .picture_file import FORMATS, HEAD, Unreadable

DEFAULT_SIDE = 32  # pixels, where no size is requested
GROUP = 16  # files that a thread takes at a time
TICK = 0.02  # seconds between two reports while large pictures are decoded
COLOR_SAMPLE = 64  # pictures that decide whether a set is grey


Opener: TypeAlias = Callable[[Item], AbstractContextManager[ByteReader]]
Result: TypeAlias = "np.ndarray | str"  # a picture (C, H, W), or the reason why there is none


def decode_files(items: Sequence[Item], opener: Opener, request: DataRequest, what: Message,
                 skipped: Mapping[str, int] | None = None) -> LoadedData:
    """The pictures among the items, in the items' order; `what`: the set's name; `skipped`: files left out before, by reason.

    With a limit the pictures are an even spread over the classes and within each, the same at every call; files without a
    picture are replaced by others, and pictures beside classes are left out (`classes.group`). Raises DataError where no picture
    is left, or memory does not hold them; Cancelled.
    """
    counts = Counter(skipped or {})
    found_count, side = len(items) + sum(counts.values()), request.size or DEFAULT_SIDE
    grouping = group(items, _Heads(items, opener, request).kind)
    counts.update(grouping.left_out.values())
    classes, kept = grouping.classes, np.array([i for i in range(len(items)) if i not in grouping.left_out], np.int64)
    order = kept[spread([classes[i] for i in kept] if classes else [""] * len(kept))]
    limit = min(len(order), request.limit or len(order))
    with picture_file.strict_warnings(), _Decoder(opener, request, side) as decoder:
        color = request.color if request.color != "auto" else _color(decoder, items, order)
        shape = (1 if color == "grey" else 3, side, side)
        memory.check_pictures(limit, shape, what)
        data, indices, count, start = np.empty((limit, *shape), np.uint8), np.empty(limit, np.int64), 0, 0
        while count < limit and start < len(order):
            # The next files of the spread replace those without a picture, so that the limit is reached where it can be.
            batch = np.sort(order[start:start + limit - count])
            start += len(batch)
            for i, result in decoder.run(items, batch, color, count, limit):
                if isinstance(result, str):
                    counts[result] += 1
                else:
                    data[count], indices[count] = result, i
                    count += 1
    if len(order) > start:
        counts["too_many"] += len(order) - start
    if not count:
        raise DataError("no_picture_left", what=what, found=found_message(counts), formats=FORMATS[:-1], last=FORMATS[-1])
    labels, names = _labels([classes[i] for i in indices[:count]] if classes else [])
    return LoadedData(data[:count], labels, names, found_count, dict(counts), grouping.merged)


class _Heads:
    """What items are, by their first bytes."""

    def __init__(self, items: Sequence[Item], opener: Opener, request: DataRequest) -> None:
        self._items, self._opener, self._request = items, opener, request
        self._kinds: dict[int, str] = {}

    def kind(self, index: int) -> str:
        """"picture", or the reason why there is none. Raises Cancelled."""
        if index not in self._kinds:
            if len(self._kinds) % 100 == 0:
                self._request.report_progress("reading", 0, 0, display_name(self._items[index].name))
            try:
                with self._opener(self._items[index]) as file:
                    self._kinds[index] = picture_file.kind_of(file.read(HEAD))
            except Unreadable as error:
                self._kinds[index] = error.reason
            except OSError:
                self._kinds[index] = "broken"
        return self._kinds[index]


def found_message(skipped: Mapping[str, int]) -> Message:
    """"3 files found (2 no picture, 1 encrypted)", as a part of a message."""
    total = sum(skipped.values())
    if not total:
        return message("found_none")
    reasons = [message(f"skipped_{reason}", n=n) for reason, n in skipped.items()]
    return message("found_one", reasons=reasons) if total == 1 else message("found", n=total, reasons=reasons)


def spread(classes: Sequence[str]) -> np.ndarray:
    """All indices in an order of which every beginning is spread evenly over the classes, and over each class's order.

    Within a class i is sorted by the fractional part of i times the golden ratio, whose beginnings have no large gaps.
    """
    number = {name: k for k, name in enumerate(sorted(set(classes)))}
    which = np.fromiter((number[name] for name in classes), np.int64, len(classes))
    rank = np.empty(len(classes), np.int64)
    for k in range(len(number)):
        members = np.flatnonzero(which == k)
        rank[members[np.argsort(np.arange(len(members)) * (5 ** 0.5 - 1) / 2 % 1, kind="stable")]] = np.arange(len(members))
    return np.lexsort([which, rank])


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


def _color(decoder: _Decoder, items: Sequence[Item], order: np.ndarray) -> str:
    """"grey" where all pictures of a sample are, which is spread over the set; else "color"."""
    count = 0
    for start in range(0, min(len(order), 4 * COLOR_SAMPLE), COLOR_SAMPLE):
        for _, result in decoder.run(items, order[start:start + COLOR_SAMPLE], "color", 0, 0):
            if not isinstance(result, str):
                if not picture_file.is_grey(result):
                    return "color"
                count += 1
        if count >= COLOR_SAMPLE:
            break
    return "grey" if count else "color"


class _Decoder:
    """A few threads that open, read and decode; the results come in order."""

    def __init__(self, opener: Opener, request: DataRequest, side: int) -> None:
        self._opener, self._request, self._side = opener, request, side
        self._workers = max(1, min(4, os.cpu_count() or 1))
        self._pool = ThreadPoolExecutor(self._workers, "pictures")
        self._stopped = threading.Event()

    def __enter__(self) -> _Decoder:
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped.set()  # takes effect between two pictures
        self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, items: Sequence[Item], batch: np.ndarray, color: str, done: int, total: int) -> Iterator[tuple[int, Result]]:
        """(index, result) of each index in `batch`, in that order. Raises Cancelled."""
        groups = (batch[start:start + GROUP].tolist() for start in range(0, len(batch), GROUP))
        pending: deque[tuple[list[int], Future[list[Result]]]] = deque()
        while True:
            for indices in islice(groups, 2 * self._workers - len(pending)):
                pending.append((indices, self._pool.submit(self._decode_group, [items[i] for i in indices], color)))
            if not pending:
                return
            indices, future = pending.popleft()
            self._request.report_progress("reading", done, total, display_name(items[indices[0]].name))
            while not wait([future], timeout=TICK).done:
                self._request.report_progress("reading", done, total, display_name(items[indices[0]].name))
            yield from zip(indices, future.result(), strict=True)
            done += len(indices)

    def _decode_group(self, items: list[Item], color: str) -> list[Result]:
        return [self._decode(item, color) for item in items if not self._stopped.is_set()]

    def _decode(self, item: Item, color: str) -> Result:
        try:
            with self._opener(item) as file:
                data = picture_file.read_content(file)
            return picture_file.decode_picture(data, self._side, color, self._request.crop)
        except Unreadable as error:
            return error.reason
        except OSError:
            return "broken"

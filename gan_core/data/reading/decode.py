"""Many picture files, from wherever they can be opened, as one array with classes: for folders and archives alike.

It knows neither: each gives the files as Items and a way to open one. Decoding is shared by a few threads (Pillow lets go
of Python meanwhile); the order stays, memory is one array of what is wanted and a few dozen pictures in the air.
"""

from __future__ import annotations

import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Any, BinaryIO

import numpy as np

from ...messages import message
from .. import memory
from ..types import DataError, DataRequest, LoadedData
from . import picture_file
from .picture_file import FORMATS, Unreadable

SIDE = 32  # where no size is asked for
GROUP = 16  # files a thread takes at a time
TICK = 0.02  # seconds between two reports while large pictures are decoded: on a busy machine it becomes twice as much
SAMPLE = 64  # pictures that decide whether a set is grey


@dataclass(frozen=True, slots=True)
class Item:
    """A file: its folders below the root, its name; `key` says to its owner how to open it.

    There may be a million: those of one folder share its tuple, and its key where the name says the rest.
    """

    folders: tuple[str, ...]
    name: str
    key: Any


Opener = Callable[[Item], AbstractContextManager[BinaryIO]]


def decode_files(items: Sequence[Item], opened: Opener, request: DataRequest, what: Any,
                 skipped: Counter[str] | None = None) -> LoadedData:
    """The pictures among the items, in the items' order; `what`: the set, a value of a Fault; `skipped`: what never got here.

    With a limit the pictures are an even spread over the classes and within each, the same at every call; those that turn
    out to be none are replaced by others. Raises DataError where no picture is left, or memory does not hold them; Cancelled.
    """
    skipped = Counter() if skipped is None else Counter(skipped)
    found, side = len(items) + sum(skipped.values()), request.size or SIDE
    classes = item_classes(items)
    order = spread(classes or [""] * len(items))
    count = min(len(items), request.limit or len(items))
    with picture_file.strict_warnings(), _Decoder(opened, request, side) as decoder:
        color = request.color if request.color != "auto" else _color(decoder, items, order)
        shape = (1 if color == "grey" else 3, side, side)
        memory.check_pictures(count, shape, what)
        data, kept, had, at = np.empty((count, *shape), np.uint8), np.empty(count, np.int64), 0, 0
        while had < count and at < len(items):
            # What was left out is made up for by the next in the spread, so that a limit is reached where it can be.
            turn = np.sort(order[at:at + count - had])
            at += len(turn)
            for i, result in decoder.run(items, turn, color, had, count):
                if isinstance(result, str):
                    skipped[result] += 1
                else:
                    data[had], kept[had] = result, i
                    had += 1
    if len(items) > at:
        skipped["too_many"] += len(items) - at
    if not had:
        raise DataError("no_picture_left", what=what, found=found_message(skipped), formats=FORMATS[:-1], last=FORMATS[-1])
    labels, names = _labelled([classes[i] for i in kept[:had]] if classes else [])
    return LoadedData(data[:had], labels, names, found, dict(skipped))


def found_message(skipped: Counter[str] | dict[str, int]) -> dict[str, Any]:
    """"3 files found (2 no picture, 1 encrypted)", as a part of a sentence."""
    total = sum(skipped.values())
    if not total:
        return message("found_none")
    reasons = [message(f"skipped_{reason}", n=n) for reason, n in skipped.items()]
    return message("found_one", reasons=reasons) if total == 1 else message("found", n=total, reasons=reasons)


def item_classes(items: Sequence[Item]) -> list[str]:
    """Each item's class: the folder it lies in below what all share. Empty where a file lies beside the folders, or all in one.

    The convention of torchvision's ImageFolder; a folder that wraps all, as archives often have, is looked through.
    """
    if not items:
        return []
    depth = common_prefix_length(min(item.folders for item in items), max(item.folders for item in items))
    return [] if any(len(item.folders) <= depth for item in items) else [item.folders[depth] for item in items]


def common_prefix_length(one: Sequence[str], other: Sequence[str]) -> int:
    """How many of the first parts, or letters, two names have in common."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def spread(classes: Sequence[str]) -> np.ndarray:
    """All indices in an order of which every beginning is spread evenly over the classes, and over each class's own order.

    Within a class i stands by the fractional part of i times the golden ratio, whose beginnings have no large gaps.
    """
    number = {name: k for k, name in enumerate(sorted(set(classes)))}
    which = np.fromiter((number[name] for name in classes), np.int64, len(classes))
    rank = np.empty(len(classes), np.int64)
    for k in range(len(number)):
        members = np.flatnonzero(which == k)
        rank[members[np.argsort(np.arange(len(members)) * (5 ** 0.5 - 1) / 2 % 1, kind="stable")]] = np.arange(len(members))
    return np.lexsort([which, rank])


def _labelled(classes: list[str]) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Labels (N,) int64 and what each means, of the classes that have pictures; none for fewer than two."""
    names = sorted(set(classes))
    if len(names) < 2:
        return None, ()
    number = {name: k for k, name in enumerate(names)}
    return np.array([number[one] for one in classes], np.int64), tuple(display_name(name) for name in names)


def display_name(name: str) -> str:
    """A file's name as it may stand on a page: printable, at most 60 characters."""
    plain = name.encode("utf-8", "replace").decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "?" for c in plain)[:60] or "?"


def _color(decoder: _Decoder, items: Sequence[Item], order: np.ndarray) -> str:
    """"grey" where all of a sample are, spread over the set."""
    seen = 0
    for at in range(0, min(len(order), 4 * SAMPLE), SAMPLE):
        for _, result in decoder.run(items, order[at:at + SAMPLE], "color", 0, 0):
            if not isinstance(result, str):
                if not picture_file.is_grey(result):
                    return "color"
                seen += 1
        if seen >= SAMPLE:
            break
    return "grey" if seen else "color"


class _Decoder:
    """A few threads that open, read and decode; what they give comes in order."""

    def __init__(self, opened: Opener, request: DataRequest, side: int) -> None:
        self.opened, self.request, self.side = opened, request, side
        self.workers = max(1, min(4, os.cpu_count() or 1))
        self.pool = ThreadPoolExecutor(self.workers, "pictures")
        self.over = threading.Event()

    def __enter__(self) -> _Decoder:
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()  # heard between two pictures
        self.pool.shutdown(wait=True, cancel_futures=True)

    def run(self, items: Sequence[Item], turn: np.ndarray, color: str, done: int,
            total: int) -> Iterator[tuple[int, np.ndarray | str]]:
        """(index, picture or the reason why there is none) of each index in `turn`, in that order. Raises Cancelled."""
        groups = (turn[at:at + GROUP].tolist() for at in range(0, len(turn), GROUP))
        flying: deque[tuple[list[int], Future[list[np.ndarray | str]]]] = deque()
        while True:
            for group in islice(groups, 2 * self.workers - len(flying)):
                flying.append((group, self.pool.submit(self._group, [items[i] for i in group], color)))
            if not flying:
                return
            group, future = flying.popleft()
            self.request.report_progress("reading", done, total, display_name(items[group[0]].name))
            while not wait([future], timeout=TICK).done:
                self.request.report_progress("reading", done, total, display_name(items[group[0]].name))
            yield from zip(group, future.result(), strict=True)
            done += len(group)

    def _group(self, items: list[Item], color: str) -> list[np.ndarray | str]:
        return [self._one(item, color) for item in items if not self.over.is_set()]

    def _one(self, item: Item, color: str) -> np.ndarray | str:
        try:
            with self.opened(item) as file:
                data = picture_file.read_content(file)
            return picture_file.decode_picture(data, self.side, color, self.request.crop)
        except Unreadable as error:
            return error.reason
        except OSError:
            return "broken"

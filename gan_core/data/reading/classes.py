"""Which folders are classes: the order, the grouping and the rubbish in real folders.

Only pictures decide. The folders directly below the one that all pictures share are classes, as in torchvision's ImageFolder,
unless they are the splits of a data set, whose classes lie one folder deeper. Files are not decoded here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby, takewhile

import numpy as np

from .item import Item

# The names that data sets give to their splits, in any case: train, Training-set, test_images, val2017.
SPLIT = re.compile(r"(train(ing)?|tests?|testing|val(id(ation)?)?|dev|eval(uation)?|holdout|unlabell?ed|extra)"
                   r"([-_ ]?(set|data|images|imgs|\d{1,4}))?", re.IGNORECASE)
PICTURE = "picture"
Folders = tuple[str, ...]


@dataclass(frozen=True)
class Grouping:
    """Items in classes. classes: the name of each item's class, "" for those left out; [] where there are no classes.

    left_out: index -> reason, of items that belong to no class. merged: the splits whose classes were put together.
    """

    classes: list[str] = field(default_factory=list)
    left_out: dict[int, str] = field(default_factory=dict)
    merged: tuple[str, ...] = ()


def group(items: Sequence[Item], kind: Callable[[int], str]) -> Grouping:
    """Which item is of which class. items: those of one folder one after the other.

    kind(i): "picture", or the reason why item i is none. It is asked for one picture in each folder and for the files that lie
    beside classes. Some pictures beside classes are left out, fewer than an average class has; with more there are no classes.
    """
    runs = _runs(items)
    if len(runs) < 2:
        return Grouping()
    pictured = {folders: members for folders, members in runs.items() if any(kind(i) == PICTURE for i in members)}
    places: dict[Folders, Folders] = {folders: folders for folders in pictured}  # without the splits among their parts
    loose: list[Folders] = []  # folders of pictures beside classes or splits
    merged: list[str] = []
    while True:
        depth = _shared(list(places.values()))
        loose += [folders for folders, place in places.items() if len(place) == depth]
        places = {folders: place for folders, place in places.items() if len(place) > depth}
        names = {_plain(place[depth]) for place in places.values()}
        if len(names) < 2:
            return Grouping()
        if not all(SPLIT.fullmatch(name) for name in names):
            break
        merged += sorted(names)
        places = {folders: (*place[:depth], *place[depth + 1:]) for folders, place in places.items()}
    beside = [i for folders in loose for i in pictured[folders] if kind(i) == PICTURE]
    if len(beside) * len(names) >= sum(len(pictured[folders]) for folders in places):
        return Grouping()
    classes, left_out = [""] * len(items), dict.fromkeys(beside, "beside")
    for folders, members in runs.items():
        name = _plain(places[folders][depth]) if folders in places else ""
        for i in members:
            classes[i] = name
            if not name and i not in left_out:
                left_out[i] = kind(i)
    return Grouping(classes, left_out, tuple(merged))


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


def common_prefix_length(first: Sequence[str], second: Sequence[str]) -> int:
    """How many parts, or letters, at the start of two names are equal."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))


def _runs(items: Sequence[Item]) -> dict[Folders, range]:
    """The indices of each folder's items."""
    runs: dict[Folders, range] = {}
    start = 0
    for folders, members in groupby(items, key=lambda item: item.folders):
        stop = start + sum(1 for _ in members)
        runs[folders] = range(start, stop)
        start = stop
    return runs


def _shared(places: Sequence[Folders]) -> int:
    """How many folders all of these share."""
    return common_prefix_length(min(places), max(places)) if places else 0


def _plain(name: str) -> str:
    """The name with each accent in one form: macOS writes letters and accents apart (NFD), most others together (NFC)."""
    return unicodedata.normalize("NFC", name)

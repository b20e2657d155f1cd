"""The data that a run learns from, in a few numbers (data.json): a resume compares them with the data of today."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from ..messages import Message, Misfit, message


class Decisions(TypedDict, total=False):
    """What was chosen for a set of pictures as a whole; what was not has no key.

    `merged`: splits, such as train and test, whose classes were put together. `background`: "white" or "black", behind
    transparent parts. `white`: the value that became white, of 16 bits that are not used up. `blank`: pictures of one colour.
    """

    merged: list[str]
    background: str
    white: int
    blank: int


class DataSummary(TypedDict):
    """data.json. An older version's file has fewer keys.

    `shape`: (channels, height, width), or (2,) of points. `names`: of the classes. `found`: items in the source. `skipped`:
    number of items left out, by reason. `bytes`: size in memory. `crc32`: checksum.
    """

    count: int
    shape: list[int]
    names: NotRequired[list[str]]
    skipped: NotRequired[dict[str, int]]
    decisions: NotRequired[Decisions]
    found: NotRequired[int]
    labelled: NotRequired[bool]
    bytes: NotRequired[int]
    crc32: NotRequired[int]


def data_changes(before: DataSummary, now: DataSummary, run_name: str, conditional: bool) -> list[Message]:
    """Notices for a run that learned from `before` and will go on with `now`; empty where they are the same data.

    conditional: whether the networks see the class. Raises Misfit where the networks cannot go on with such data.
    """
    if (before["crc32"], before["count"], before["shape"], before["names"]) == (
            now["crc32"], now["count"], now["shape"], now["names"]):
        return []
    shapes = [" x ".join(str(side) for side in summary["shape"]) for summary in (before, now)]
    if shapes[0] != shapes[1]:
        raise Misfit("misfit_form", run=run_name, before=shapes[0], now=shapes[1])
    if conditional and before["names"] != now["names"]:
        raise Misfit("misfit_other_classes", run=run_name, before=_first_names(before["names"]), now=_first_names(now["names"]))
    return [message("notice_data", before=before["count"], now=now["count"])]


def _first_names(names: list[str]) -> str:
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "") or "–"

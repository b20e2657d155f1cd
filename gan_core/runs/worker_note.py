"""The note beside the runs about the worker that trains in their folder (.worker.json)."""

# Without `from __future__ import annotations`, which would hide NotRequired from the TypedDict at run time.
import json
from pathlib import Path
from typing import NotRequired, TypedDict, cast

from . import layout
from .files import atomic_write, read_json
from .json_types import fits


class WorkerNote(TypedDict):
    """The worker that holds the folder's lock. `run`: the name of its run's folder.

    `pid` and `pid_started` together identify the process on `host`. `server`: the page that started it, as
    `processes.process_identity` returns it, or "" without a page. An older version's note has no `host` and no `server`.
    """

    run: str
    pid: int
    pid_started: float
    host: NotRequired[str]
    server: NotRequired[str]


def write_worker_note(folder: Path, note: WorkerNote) -> None:
    """Replace the note of a folder of runs; only the worker that holds the lock may call this."""
    atomic_write(folder / layout.WORKER_NOTE, json.dumps(note).encode(), durable=False)


def read_worker_note(folder: Path) -> WorkerNote | None:
    """The note of a folder of runs, or None where there is none or it is damaged."""
    try:
        note = read_json(folder / layout.WORKER_NOTE)
    except (OSError, ValueError):
        return None
    note = {name: value for name, value in note.items() if value is not None}
    return cast(WorkerNote, note) if fits(note, WorkerNote) else None

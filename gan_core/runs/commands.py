"""Commands to a worker: one JSON file each in the run's folder control/, in the order in which they were sent.

`run` checks whether a run takes commands; the worker carries them out and acknowledges them in its status.
"""

from __future__ import annotations

import contextlib
import glob
import json
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

from ..messages import Explained, one_line
from ..registry import choose_one
from . import layout
from .files import atomic_write, read_json
from .status import SCHEMA

COMMANDS = ("pause", "resume", "step", "save", "stop", "tune", "restore")


class CommandError(Explained, RuntimeError):
    """The worker refused a command or did not answer; one sentence."""


class Command(TypedDict):
    """One file of control/. `args` depends on the command, see docs/run-folder.md."""

    schema: int
    id: str
    command: str
    args: dict[str, Any]


def write_command(folder: Path, name: str, args: dict[str, Any]) -> str:
    """Send a command through this control folder; returns its id. CommandError for an unknown name, or args that are not JSON."""
    if name not in COMMANDS:
        raise CommandError(f"{name!r} is no command; {choose_one(name, COMMANDS, 'the commands are')}.")
    command: Command = {"schema": SCHEMA, "id": uuid.uuid4().hex, "command": name, "args": args}
    path = folder / layout.command_name(time.time_ns(), command["id"])
    try:
        data = json.dumps(command).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise CommandError(f"{name} cannot be sent with {one_line(args)}; "
                           "give texts, numbers, lists and dicts of these.") from error
    atomic_write(path, data, durable=False)
    return command["id"]


def read_commands(folder: Path, known: Mapping[Path, dict[str, Any]] | None = None) -> list[tuple[Path, dict[str, Any]]]:
    """The waiting commands, oldest first, as they stand in their files: any JSON object, or {} for an unreadable file.

    `known`: what an earlier call returned; these files are not read again, since a command never changes.
    """
    commands: list[tuple[Path, dict[str, Any]]] = []
    for path in _files(folder):
        if known and path in known:
            commands.append((path, known[path]))
            continue
        try:
            commands.append((path, read_json(path)))
        except (OSError, ValueError):
            commands.append((path, {}))
    return commands


def withdraw_command(folder: Path, command_id: str) -> bool:
    """Delete a command that still waits, so that it is never carried out; False where the worker has taken it."""
    for path in folder.glob(f"*-{glob.escape(command_id)}.json"):
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
            return True
    return False


def delete_commands(folder: Path) -> None:
    """Delete all waiting commands."""
    for path in _files(folder):
        path.unlink(missing_ok=True)


def _files(folder: Path) -> list[Path]:
    """What may be commands, in the order of their names; a folder of such a name is none."""
    return [path for path in sorted(folder.glob("*.json")) if not path.is_dir()]

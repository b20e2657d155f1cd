"""A run: its folder, and every way to create, list, read and steer it.

The worker writes the folder through `Run`, everyone else reads it through `Run`. The file names are in `layout`. This module
imports no torch and starts no process.
"""

from __future__ import annotations

import contextlib
import json
import platform
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, cast

from ..compute.processes import process_exists
from ..config import TrainConfig
from ..messages import Fault, Message, reason_of
from . import commands, layout
from .checkpoint_index import CheckpointError, restore_best
from .commands import CommandError
from .data_summary import DataSummary, data_changes
from .files import atomic_write, folder_name, new_folder, read_json
from .frames import Frame
from .json_types import fits, type_hints
from .metrics import MetricsReader, Record
from .run_info import Parent, RunError, RunInfo, check_arguments, is_revivable, runs_folder
from .status import ACTIVE, SCHEMA, Status, controls

__all__ = ["CommandError", "Frame", "MetricsReader", "Run", "RunError", "RunInfo", "Status", "controls", "folder_name",
           "list_runs", "read_json"]


class Run:
    """One run folder. Make it with `Run.create` or `Run.open`."""

    def __init__(self, path: Path, info: RunInfo | None = None) -> None:
        if info is None:
            raise TypeError(f"Run({str(path)[:80]!r}) has no config; open a folder with Run.open(path), or make one with "
                            "Run.create(config, folder).")
        self.path, self.info = path, info
        self.id: str = path.name
        self.kind: str = info.get("kind", "run")
        self.name: str = str(info.get("name") or path.name)
        self.preset: str = info.get("preset", "")

    # Create and open.

    @classmethod
    def create(cls, config: TrainConfig, folder: Path | str, *, preset: str = "", name: str = "",
               parent: Parent | None = None, kind: str = "run") -> Self:
        """A new run folder inside `folder`, with its config and a first status (state "stopped", life 0).

        Raises RunError where the folder cannot be made, ConfigError for what is no TrainConfig; nothing is left behind then.
        """
        check_arguments(config, name, preset)
        stem = folder_name(name) or folder_name(preset) or kind
        folder, exists = runs_folder(folder), False
        path = folder / stem
        try:
            path = new_folder(folder, "" if kind == "starter" else f"{stem}-{time.strftime('%Y%m%d-%H%M%S')}", path)
            exists = True
            for subfolder in layout.SUBFOLDERS:
                (path / subfolder).mkdir(parents=True)
            info: RunInfo = {"schema": SCHEMA, "id": path.name, "name": name or path.name, "kind": kind, "created": time.time(),
                             "preset": preset, "config": config.to_dict(), "parent": parent}
            atomic_write(path / layout.CONFIG, json.dumps(info, indent=1).encode())
            run = cls(path, info)
            run.write_status(Status())
        except Exception as error:
            if exists:  # the disk is full, or `parent` is no JSON: leave no half of a run
                shutil.rmtree(path, ignore_errors=True)
            if not isinstance(error, OSError):
                raise
            raise RunError(f"cannot make the run folder {path}: {error.strerror or error}; choose another with --checkpoints.") \
                from error
        return run

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """An existing run folder. Raises RunError where there is none."""
        try:
            path = Path(path)
        except TypeError as error:
            raise RunError(f"{str(path)[:40]} is not a run folder; give its path, such as checkpoints/NAME.") from error
        try:
            info = read_json(path / layout.CONFIG)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise RunError(f"{path} is not a run folder: it has no {layout.CONFIG}; give the folder of one run.") from error
        except (OSError, ValueError) as error:
            raise RunError(f"{path} is not a run folder: its config.json cannot be read ({error}).") from error
        if info.get("schema") != SCHEMA:
            raise RunError(f"{path} was written with schema {info.get('schema')!r}; this version reads schema {SCHEMA}.")
        for name, hint in type_hints(RunInfo).items():
            if (name in info or name == "config") and not fits(info.get(name), hint):
                raise RunError(f"{path} is not a run folder: in its config.json {name} is {str(info.get(name))[:40]!r}.")
        return cls(path, cast(RunInfo, info))

    @property
    def config(self) -> TrainConfig:
        """The settings of this run. Raises ConfigError for settings that this version cannot train."""
        return TrainConfig.from_dict(self.info["config"])

    # Status.

    def write_status(self, status: Status, durable: bool = True) -> None:
        """Replace status.json. Only the worker may call this, or the supervisor before the worker has the run."""
        atomic_write(self.path / layout.STATUS, json.dumps(status.to_dict()).encode(), durable=durable)

    def stored_status(self) -> Status:
        """status.json as it is on the disk. Raises RunError where it cannot be read."""
        try:
            return Status.from_dict(read_json(self.path / layout.STATUS))
        except (OSError, ValueError, TypeError) as error:
            raise RunError(f"{self.path}: its status.json cannot be read ({error}).") from error

    def status(self) -> Status:
        """The status, checked against the processes of this machine; it is not written back.

        An active run without a living worker is "failed", or "starting" while a torchrun that may restart it lives. The status
        of another host's run is returned as it is stored, because only its heartbeat shows whether its worker lives.
        """
        status = self.stored_status()
        if self.kind == "remote" or status.host not in ("", platform.node()):
            return status
        if status.state in ACTIVE and not process_exists(status.pid, status.pid_started):
            status = self.stored_status()  # the worker may have written its end between the two checks
        if status.state in ACTIVE and not process_exists(status.pid, status.pid_started):
            if process_exists(status.launcher, status.launcher_started):
                status.restarting = status.restarting or status.state
                status.state = "starting"
                return status
            status.state = "failed"
            status.error = {"kind": "killed", "step": status.step, "message":
                            f"The training process ended without a word at step {status.step:,}; "
                            "it may have been killed or run out of memory."}
        return status

    def is_alive(self) -> bool:
        """Whether the worker process exists; for another host's run, whether its status is active."""
        status = self.stored_status()
        if status.host not in ("", platform.node()):
            return status.state in ACTIVE
        return process_exists(status.pid, status.pid_started) or self.status().state in ACTIVE

    def last_modified(self) -> float:
        """The time of the last change of the status, in unix seconds; 0 where there is none."""
        try:
            return (self.path / layout.STATUS).stat().st_mtime
        except OSError:
            return 0.0

    def controls(self, status: Status | None) -> dict[str, bool]:
        """Which controls are enabled in this status: {"start": bool, "pause": bool, ...}."""
        return controls(status, self.kind, is_revivable(self.info))

    # Commands.

    def send(self, command: str, **args: Any) -> str:
        """Send a command to the worker; returns the command's id. Raises CommandError for an unknown command or a copy."""
        if self.kind == "remote":
            raise CommandError(Fault("command_copy", run=self.name))
        return commands.write_command(self.path / layout.CONTROL, command, args)

    def wait(self, command_id: str, timeout: float = 3.0) -> Status:
        """The status after the worker has acknowledged this command.

        Raises CommandError where the command is refused, the run has ended, or no answer comes within `timeout` seconds. Then the
        command is withdrawn, and never carried out, unless the worker has taken it already, which the sentence says.
        """
        deadline, withdrawn = time.monotonic() + timeout, None
        while True:
            status = self.status()
            answer = next((a for a in status.acknowledged if a.get("id") == command_id), None)
            if answer is not None:
                if not answer["ok"]:
                    raise CommandError(answer["message"], answer.get("fault"))
                return status
            if status.state not in ACTIVE:
                raise CommandError(Fault("command_ended", run=self.name))
            if withdrawn is not None:
                raise CommandError(Fault("command_withdrawn", seconds=timeout) if withdrawn
                                   else Fault("command_unanswered", seconds=timeout))
            if time.monotonic() > deadline:  # one more look follows: the worker may have taken and answered it just now
                withdrawn = commands.withdraw_command(self.path / layout.CONTROL, command_id)
                continue
            time.sleep(0.02)

    def pending_commands(self, known: Mapping[Path, dict[str, Any]] | None = None) -> list[tuple[Path, dict[str, Any]]]:
        """(file, content) of the waiting commands, oldest first; the worker checks the content. {} for an unreadable file.

        `known`: what an earlier call returned, as a dict; these files are not read again.
        """
        return commands.read_commands(self.path / layout.CONTROL, known)

    def discard_commands(self) -> None:
        """Delete the commands that were sent to an earlier life."""
        commands.delete_commands(self.path / layout.CONTROL)

    # Files.

    def write_file(self, path: Path, data: bytes) -> None:
        """Replace a file of this run atomically; the file need not survive a power cut."""
        atomic_write(path, data, durable=False)

    def metrics_path(self, life: int) -> Path:
        """The metrics file of a worker life, numbered from 1; it may not exist yet."""
        return self.path / layout.METRICS / layout.metrics_name(life)

    def metrics(self) -> list[Record]:
        """All records of all lives, oldest first."""
        return MetricsReader(self.path).read_new()[0]

    def frames(self) -> list[Frame]:
        """The stored sample grids or frames of points, oldest first."""
        frames = []
        for path in (self.path / layout.FRAMES).glob("*-*.*"):
            numbers = layout.frame_numbers(path.name)
            if numbers is not None:
                frames.append(Frame(*numbers, path))
        return sorted(frames, key=lambda frame: frame.seq)

    def frame_path(self, seq: int, step: int, suffix: str = ".png") -> Path:
        """Where frame number `seq`, of a step, is stored; suffix: ".png" of pictures, ".json" of points."""
        return self.path / layout.FRAMES / layout.frame_name(seq, step, suffix)

    def now_path(self, frame: Frame) -> Path:
        """The grid of the same step and z by the generator as it is; absent where a frame holds both, and in older runs."""
        return self.path / layout.NOW_FRAMES / frame.path.name

    def nearest_path(self, frame: Frame) -> Path:
        """The real pictures nearest to the fakes of a frame; absent where many pictures are learned, of points, in older runs."""
        return self.path / layout.NEAREST / frame.path.name

    def delete_frame(self, frame: Frame) -> None:
        """Delete a frame with its twin by the generator as it is, and with the nearest real pictures of both."""
        for path in (self.nearest_path(frame), self.now_path(frame), frame.path):
            path.unlink(missing_ok=True)

    def newest_frame(self) -> Frame | None:
        """The stored frame with the highest number, or None where there is none yet."""
        frames = self.frames()
        return frames[-1] if frames else None

    def live_file(self, number: int) -> Path:
        """Where a live file is stored, numbered from 1; at most the newest two exist, see `live_path`."""
        return self.path / layout.LIVE / layout.live_name(number)

    def live_path(self) -> Path | None:
        """The newest live file, or None."""
        number = self.stored_status().live
        path = self.live_file(number)
        return path if number and path.exists() else None

    @property
    def real_path(self) -> Path:
        """Samples of the data: real.json for points, else real.png; the file may not exist yet."""
        points = self.path / layout.REAL_POINTS
        return points if points.exists() else self.path / layout.REAL_PICTURES

    @property
    def checkpoint_folder(self) -> Path:
        return self.path / layout.CHECKPOINT

    @property
    def data_path(self) -> Path:
        return self.path / layout.DATA

    def data_summary(self) -> DataSummary | None:
        """data.json, or None where it does not exist yet. An older version's file has fewer keys."""
        return cast(DataSummary | None, _read_if_possible(self.data_path))

    def check_data(self, summary: DataSummary, conditional: bool) -> list[Message]:
        """Notices where the data of today are not those that an earlier life learned from; files made of the old data go.

        conditional: whether the networks see the class. Raises Misfit where the networks cannot go on with such data.
        """
        stored = self.data_summary()
        before = summary if stored is None else DataSummary({**summary, **stored})
        notices = data_changes(before, summary, self.name, conditional)
        if notices:
            for path in (self.real_path, self.floor_path):
                path.unlink(missing_ok=True)
        return notices

    @property
    def floor_path(self) -> Path:
        return self.path / layout.FLOOR

    def floor(self) -> dict[str, float] | None:
        """The quality measures of real data against real data, or None before they are measured."""
        return _read_if_possible(self.floor_path)

    @property
    def log_path(self) -> Path:
        """What the worker printed; the file may not exist yet."""
        return self.path / layout.LOG

    def restore_best(self) -> int:
        """Let an ended run's next life start from its best checkpoint; returns the step. Raises RunError and changes nothing."""
        status = self.status()
        if status.state in ACTIVE:
            raise RunError(f"{self.name} is {status.state}: send it the command restore instead.")
        try:
            return restore_best(self.checkpoint_folder)
        except (CheckpointError, OSError) as error:
            raise RunError(Fault("best_stays", run=self.name, reason=reason_of(error))) from error


def _read_if_possible(path: Path) -> dict[str, Any] | None:
    """A JSON object, or None where there is none yet or it cannot be read."""
    with contextlib.suppress(OSError, ValueError):
        return read_json(path)
    return None


def list_runs(folder: Path | str) -> list[Run]:
    """Every readable run in a folder, most recently changed first; broken folders are skipped. [] where the folder is not there.

    Raises RunError for what is no path.
    """
    runs = []
    for config in runs_folder(folder).glob(f"*/{layout.CONFIG}"):
        with contextlib.suppress(RunError):
            run = Run.open(config.parent)
            run.stored_status()
            runs.append(run)
    return sorted(runs, key=lambda run: run.last_modified(), reverse=True)

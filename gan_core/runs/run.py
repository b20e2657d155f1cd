"""A run is a folder: create it, open it, list it, read it, send it commands.

The only file that knows the names inside a run folder. It imports no torch, starts no process and draws nothing:
the worker writes through it, the page and everybody else read through it.
"""

from __future__ import annotations

import contextlib
import json
import platform
import shutil
import time
import uuid
from pathlib import Path
from typing import Any

from ..compute.processes import process_exists
from ..config import TrainConfig
from ..messages import Misfit, message
from .checkpoint_index import CheckpointError, restore_best
from .files import atomic_write, folder_name, new_folder
from .frames import Frame
from .metrics import MetricsReader
from .status import ACTIVE, SCHEMA, Status, controls

__all__ = ["CommandError", "Frame", "MetricsReader", "Run", "RunError", "Status", "controls", "folder_name", "list_runs"]

COMMANDS = ("pause", "resume", "step", "save", "stop", "tune", "restore")


class RunError(ValueError):
    """A folder that is not a run, or cannot be one; one sentence."""


class CommandError(RuntimeError):
    """The worker refused a command or did not answer; one sentence."""


def read_json(path: Path) -> dict[str, Any]:
    """An object from a file that others replace; Windows may refuse for a moment, so try for half a second."""
    for attempt in range(10):
        try:
            value = json.loads(path.read_bytes())
            break
        except PermissionError:
            if attempt == 9:
                raise
            time.sleep(0.05)
        except RecursionError as error:
            raise ValueError("it is nested too deep") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path.name} holds {type(value).__name__}, not an object")
    return value


def _if_there(path: Path) -> dict[str, Any] | None:
    """The same, or None where there is no such object (yet)."""
    with contextlib.suppress(OSError, ValueError):
        return read_json(path)
    return None


def _some(names: list[str]) -> str:
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "") or "–"


class Run:
    """One run folder. Make it with `Run.create` or `Run.open`."""

    def __init__(self, path: Path, info: dict[str, Any]) -> None:
        self.path, self.info = path, info
        self.id: str = path.name
        self.kind: str = info.get("kind", "run")
        self.name: str = str(info.get("name") or path.name)
        self.preset: str = info.get("preset", "")

    # Create and open.

    @classmethod
    def create(cls, config: TrainConfig, folder: Path | str, *, preset: str = "", name: str = "",
               parent: dict[str, Any] | None = None, kind: str = "run") -> Run:
        """A new run folder inside `folder`, with its config and a first status (state "stopped", life 0)."""
        stem = folder_name(name) or folder_name(preset) or "run"
        path, made = Path(folder) / stem, False
        try:
            path = new_folder(Path(folder), "" if kind == "starter" else f"{stem}-{time.strftime('%Y%m%d-%H%M%S')}", path)
            made = True
            for part in ("control", "metrics", "frames", "live", "checkpoint"):
                (path / part).mkdir(parents=True)
            info = {"schema": SCHEMA, "id": path.name, "name": name or path.name, "kind": kind, "created": time.time(),
                    "preset": preset, "config": config.to_dict(), "parent": parent}
            atomic_write(path / "config.json", json.dumps(info, indent=1).encode())
            run = cls(path, info)
            run.write_status(Status())
        except OSError as error:
            if made:  # a full disk: half a run is none
                shutil.rmtree(path, ignore_errors=True)
            raise RunError(f"cannot make the run folder {path}: {error.strerror or error}; choose another with --checkpoints.") \
                from error
        return run

    @classmethod
    def open(cls, path: Path | str) -> Run:
        """An existing run folder. Raises RunError where there is none."""
        path = Path(path)
        try:
            info = read_json(path / "config.json")
        except (OSError, ValueError) as error:
            raise RunError(f"{path} is not a run folder: its config.json cannot be read ({error}).") from error
        if info.get("schema") != SCHEMA:
            raise RunError(f"{path} was written with schema {info.get('schema')!r}; this version reads schema {SCHEMA}.")
        return cls(path, info)

    @property
    def config(self) -> TrainConfig:
        """What is trained here; raises ConfigError for a config that this version cannot run."""
        return TrainConfig.from_dict(self.info["config"])

    # Status.

    def write_status(self, status: Status, durable: bool = True) -> None:
        """Replace status.json; only the worker, or whoever holds the run before one has it, may call this."""
        atomic_write(self.path / "status.json", json.dumps(status.to_dict()).encode(), durable=durable)

    def stored_status(self) -> Status:
        """status.json as it stands, believed as it is."""
        try:
            return Status.from_dict(read_json(self.path / "status.json"))
        except (OSError, ValueError, TypeError) as error:
            raise RunError(f"{self.path}: its status.json cannot be read ({error}).") from error

    def status(self) -> Status:
        """The truth: a run that says it is active but has no living worker has failed, or starts again where torchrun lives and
        has a restart left. Of another host's run only its heartbeat tells: its status is believed."""
        status = self.stored_status()
        if self.kind == "remote" or status.host not in ("", platform.node()):
            return status  # its worker is elsewhere
        if status.state in ACTIVE and not process_exists(status.pid, status.pid_started):
            status = self.stored_status()  # it may have ended properly between the two looks
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
        """Whether this run's worker process exists; one of another host is believed to."""
        status = self.stored_status()
        if status.host not in ("", platform.node()):
            return status.state in ACTIVE
        return process_exists(status.pid, status.pid_started) or self.status().state in ACTIVE

    def last_modified(self) -> float:
        """When the status last changed, in unix seconds."""
        try:
            return (self.path / "status.json").stat().st_mtime
        except OSError:
            return 0.0

    # Commands.

    def send(self, command: str, **args: Any) -> str:
        """Put a command in front of the worker; returns its id."""
        if command not in COMMANDS:
            raise CommandError(f"{command!r} is no command; the commands are: {', '.join(COMMANDS)}.")
        if self.kind == "remote":
            raise CommandError(f"{self.name} is a copy of a run that lies elsewhere; it cannot be steered from here.")
        identity = uuid.uuid4().hex
        body = {"schema": SCHEMA, "id": identity, "command": command, "args": args}
        atomic_write(self.path / "control" / f"{time.time_ns():020d}-{identity}.json", json.dumps(body).encode(), durable=False)
        return identity

    def wait(self, identity: str, timeout: float = 3.0) -> Status:
        """The status after the worker has acknowledged this command. Raises CommandError (refused, gone, no answer)."""
        deadline = time.monotonic() + timeout
        while True:
            status = self.status()
            answer = next((a for a in status.acknowledged if a.get("id") == identity), None)
            if answer is not None:
                if not answer["ok"]:
                    raise CommandError(answer["message"])
                return status
            if status.state not in ACTIVE:
                raise CommandError(f"The run is {status.state}; no worker is there to obey.")
            if time.monotonic() > deadline:
                raise CommandError(f"The worker has not answered for {timeout:g} s; it may be busy or stuck.")
            time.sleep(0.02)

    def pending_commands(self) -> list[tuple[Path, dict[str, Any]]]:
        """Commands that wait, oldest first (for the worker). A file that cannot be read comes with an empty dict."""
        found = []
        for path in sorted((self.path / "control").glob("*.json")):
            try:
                found.append((path, read_json(path)))
            except (OSError, ValueError):
                found.append((path, {}))
        return found

    def discard_commands(self) -> None:
        """Delete what was asked of an earlier life."""
        for path in (self.path / "control").glob("*.json"):
            path.unlink(missing_ok=True)

    # What the worker leaves behind.

    def metrics_path(self, life: int) -> Path:
        return self.path / "metrics" / f"{life:04d}.jsonl"

    def metrics(self) -> list[dict[str, Any]]:
        """All records, every life joined, oldest first."""
        return MetricsReader(self.path).read_new()[0]

    def frames(self) -> list[Frame]:
        """The kept sample grids, or frames of points, oldest first."""
        frames = []
        for path in (self.path / "frames").glob("*-*.*"):
            seq, _, step = path.stem.partition("-")
            if seq.isdigit() and step.isdigit() and path.suffix in (".png", ".json"):
                frames.append(Frame(int(seq), int(step), path))
        return sorted(frames, key=lambda frame: frame.seq)

    def frame_path(self, seq: int, step: int, suffix: str = ".png") -> Path:
        return self.path / "frames" / f"{seq:08d}-{step}{suffix}"

    def newest_frame(self) -> Frame | None:
        frames = self.frames()
        return frames[-1] if frames else None

    def live_file(self, number: int) -> Path:
        return self.path / "live" / f"{number}.safetensors"

    def live_path(self) -> Path | None:
        """The newest EMA generator and discriminator, or None."""
        number = self.stored_status().live
        path = self.live_file(number)
        return path if number and path.exists() else None

    def write_file(self, path: Path, data: bytes) -> None:
        """Replace a picture of this run as one act; it need not survive a power cut."""
        atomic_write(path, data, durable=False)

    @property
    def real_path(self) -> Path:
        return found if (found := self.path / "real.json").exists() else self.path / "real.png"

    @property
    def checkpoint_folder(self) -> Path:
        return self.path / "checkpoint"

    @property
    def data_path(self) -> Path:
        return self.path / "data.json"

    def data_summary(self) -> dict[str, Any] | None:
        """What the run learns from: {"count", "shape", "names", "skipped", "found", "labelled", "bytes", "crc32"}; else None."""
        return _if_there(self.data_path)

    def check_data(self, now: dict[str, Any], conditional: bool) -> list[dict[str, Any]]:
        """What is to be said where `now`, as `data_summary`, is not what an earlier life learned from; else nothing.

        What was made of the old data goes. conditional: whether the networks are told the class. Raises Misfit where they cannot
        go on with such data.
        """
        before = {**now, **(self.data_summary() or {})}  # a folder of an older version says less
        if all(before[name] == now[name] for name in ("crc32", "count", "shape", "names")):
            return []
        forms = [" x ".join(str(side) for side in about["shape"]) for about in (before, now)]
        if forms[0] != forms[1]:
            raise Misfit("misfit_form", run=self.name, before=forms[0], now=forms[1])
        if conditional and before["names"] != now["names"]:
            raise Misfit("misfit_other_classes", run=self.name, before=_some(before["names"]), now=_some(now["names"]))
        for path in (self.real_path, self.floor_path):  # they were of the old data
            path.unlink(missing_ok=True)
        return [message("notice_data", before=before["count"], now=now["count"])]

    @property
    def floor_path(self) -> Path:
        return self.path / "floor.json"

    def floor(self) -> dict[str, float] | None:
        """What the quality measures say of real against real, or None while they have not been asked."""
        return _if_there(self.floor_path)

    def restore_best(self) -> int:
        """An ended run's next life goes on from its best checkpoint; returns its step. Raises RunError, in a sentence."""
        status = self.status()
        if status.state in ACTIVE:
            raise RunError(f"{self.name} is {status.state}: send it the command restore instead.")
        try:
            return restore_best(self.checkpoint_folder)
        except (CheckpointError, OSError) as error:
            raise RunError(f"{self.name} stays as it is: {error}") from error

    @property
    def log_path(self) -> Path:
        return self.path / "worker.log"


def list_runs(folder: Path | str) -> list[Run]:
    """Every readable run in a folder, most recently changed first; broken folders are skipped."""
    runs = []
    for config in Path(folder).glob("*/config.json"):
        with contextlib.suppress(RunError):
            run = Run.open(config.parent)
            run.stored_status()
            runs.append(run)
    return sorted(runs, key=lambda run: run.last_modified(), reverse=True)

"""Executes the commands in a run's folder and acknowledges each: with "" where it was done, else with a sentence why not.

Training, saving and showing are left to the session that the commands act on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from ..runs.checkpoint import CheckpointError
from ..runs.run import Run
from ..runs.status import Acknowledgement
from .coordinator import NETWORKS
from .status_writer import StatusWriter

INLINE = 1.0  # seconds of single steps before their command is acknowledged and the rest is made as by a running run
ACKNOWLEDGED = 16  # acknowledgements that the status keeps
NAME_LENGTH = 40  # characters of a foreign value that an acknowledgement repeats

Args = dict[str, Any]


class Steerable(Protocol):
    """The part of a session that commands act on; `session.Session` is one."""

    run: Run
    status_writer: StatusWriter
    paused: bool
    pending_steps: tuple[str, int] | None  # (network, count) of single steps still to make, as by a running run

    @property
    def step_count(self) -> int: ...
    def begin_single_steps(self, network: str) -> None: ...
    def make_steps(self, network: str, limit: int = 0) -> int: ...
    def pause(self) -> None: ...
    def publish(self, state: str = "", **fields: Any) -> None: ...
    def save(self) -> str: ...
    def tune(self, changes: dict[str, Any]) -> None: ...
    def restore(self) -> None: ...
    def stop(self) -> None: ...


class Commands:
    """The commands of one session: for each a handler, (args) -> "" or a sentence."""

    def __init__(self, session: Steerable) -> None:
        self.session = session
        self._handlers: dict[str, Callable[[Args], str]] = {
            "pause": self._pause, "resume": self._resume, "step": self._step, "save": self._save, "stop": self._stop,
            "tune": self._tune, "restore": self._restore}

    def execute_pending(self, only: str = "") -> None:
        """Execute all commands in the folder, oldest first; with `only` those of this name, and leave the others there."""
        for path, command in self.session.run.pending_commands():
            if not only or command.get("command") == only:
                self._execute(command)
                path.unlink(missing_ok=True)

    def _execute(self, command: dict[str, Any]) -> None:
        name, args, identity = command.get("command"), command.get("args"), command.get("id")
        if not isinstance(identity, str) or not isinstance(args, dict):
            return  # not written by this program: nobody waits for an answer
        handler = self._handlers.get(name) if isinstance(name, str) else None
        message = f"{_short(name)!r} is no command of this worker." if handler is None else handler(args)
        writer = self.session.status_writer
        acknowledgement = Acknowledgement(id=identity, command=_short(name), ok=not message, message=message,
                                          step=self.session.step_count)
        writer.write(acknowledged=[*writer.status.acknowledged, acknowledgement][-ACKNOWLEDGED:])

    def _pause(self, args: Args) -> str:
        if self.session.paused:
            return "It is paused already."
        self.session.pause()
        return ""

    def _resume(self, args: Args) -> str:
        if not self.session.paused:
            return "It is running already."
        self.session.paused = False
        self.session.publish("running")
        return ""

    def _step(self, args: Args) -> str:
        """Single steps of a paused run: here for a second, the rest as by a running run that then pauses itself."""
        session, network, count = self.session, args.get("network", "both"), args.get("count", 1)
        if not isinstance(network, str) or network not in NETWORKS:
            return f"There is no network {_short(network)!r}; choose one of: {', '.join(NETWORKS)}."
        if type(count) is not int or not 1 <= count <= 10_000:
            return f"The count is {_short(count)!r}; give a whole number from 1 to 10,000."
        if not session.paused:
            return "Single steps are for a paused run; pause it first."
        session.begin_single_steps(network)
        started, done = time.monotonic(), 0
        while done < count and time.monotonic() - started < INLINE:
            done += session.make_steps(network, count - done)
        if done < count:
            session.paused, session.pending_steps = False, (network, count - done)
            session.publish("running")
        else:
            session.pause()
        return ""

    def _save(self, args: Args) -> str:
        message = self.session.save()
        self.session.publish()
        return message

    def _tune(self, args: Args) -> str:
        """Change knobs at once, mark that on the curves and save, so that a kill takes no change back."""
        changes = args.get("changes")
        if not isinstance(changes, dict) or not changes:
            return "There is nothing to change; give an object of field names and values."
        try:
            self.session.tune({str(name): value for name, value in changes.items()})
        except ValueError as error:
            return str(error)
        return ""

    def _restore(self, args: Args) -> str:
        """Go back to the best measured generator and pause: whoever asks for that wants to change something first."""
        try:
            self.session.restore()
        except (CheckpointError, OSError) as error:
            return f"{str(error)[:1].upper()}{str(error)[1:]}"
        return ""

    def _stop(self, args: Args) -> str:
        self.session.stop()
        return ""


def _short(value: object) -> str:
    return str(value)[:NAME_LENGTH]

"""What a person may ask of a living run, and what is answered: "" where it was done, else the sentence that says why not.

It reads the commands in the run's folder and acknowledges each; training, saving and showing are the life's business.
"""

from __future__ import annotations

import time
from typing import Any, Protocol

from ..runs.checkpoint import CheckpointError
from ..runs.run import Run
from .coordinator import NETWORKS
from .status_writer import StatusWriter

INLINE = 1.0  # seconds of single steps before their command is acknowledged and they go on as a running run


class Steerable(Protocol):
    """The part of a session that commands act on; `session.Session` is one."""

    run: Run
    status_writer: StatusWriter
    paused: bool
    budget: tuple[str, int] | None  # (network, steps left) of single steps that go on as a running run

    @property
    def step_count(self) -> int: ...
    def train(self, network: str, most: int = 0) -> int: ...
    def pause(self) -> None: ...
    def publish(self, state: str = "", **fields: Any) -> None: ...
    def save(self) -> str: ...
    def tune(self, changes: dict[str, Any]) -> None: ...
    def restore(self) -> None: ...
    def stop(self) -> None: ...


class Commands:
    """The commands of one life, each a method that takes the command's args."""

    def __init__(self, life: Steerable) -> None:
        self.life = life
        self._known = {"pause": self._pause, "resume": self._resume, "step": self._steps, "save": self._save, "stop": self._stop,
                       "tune": self._tune, "restore": self._restore}

    def obey(self, only: str = "") -> None:
        """Do all that is asked, oldest first, or for now `only` commands of this name."""
        for path, command in self.life.run.pending():
            if not only or command.get("command") == only:
                self._answer(command)
                path.unlink(missing_ok=True)

    def _answer(self, command: dict[str, Any]) -> None:
        """Do it and say so; what cannot be done is answered with a sentence."""
        name, args, identity = command.get("command"), command.get("args"), command.get("id")
        if not isinstance(identity, str) or not isinstance(args, dict):
            return  # not written by this program: there is nobody to answer
        action = self._known.get(name) if isinstance(name, str) else None
        message = f"{str(name)[:40]!r} is no command of this worker." if action is None else action(args)
        status_writer = self.life.status_writer
        answer = {"id": identity, "command": str(name)[:40], "ok": not message, "message": message, "step": self.life.step_count}
        status_writer.write(acknowledged=[*status_writer.status.acknowledged, answer][-16:])

    def _pause(self, args: dict[str, Any]) -> str:
        if self.life.paused:
            return "It is paused already."
        self.life.pause()
        return ""

    def _resume(self, args: dict[str, Any]) -> str:
        if not self.life.paused:
            return "It is running already."
        self.life.paused = False
        self.life.publish("running")
        return ""

    def _steps(self, args: dict[str, Any]) -> str:
        """Single steps of a paused run: here and now for a second, the rest as a running run that pauses itself."""
        life, network, count = self.life, args.get("network", "both"), args.get("count", 1)
        if network not in NETWORKS:
            return f"There is no network {str(network)[:40]!r}; choose one of: {', '.join(NETWORKS)}."
        if type(count) is not int or not 1 <= count <= 10_000:
            return f"The count is {str(count)[:40]!r}; give a whole number from 1 to 10,000."
        if not life.paused:
            return "Single steps are for a paused run; pause it first."
        started, made = time.monotonic(), 0
        while made < count and time.monotonic() - started < INLINE:
            made += life.train(network, count - made)
        if made < count:
            life.paused, life.budget = False, (network, count - made)
            life.publish("running")
        else:
            life.pause()
        return ""

    def _save(self, args: dict[str, Any]) -> str:
        message = self.life.save()
        self.life.publish()
        return message

    def _tune(self, args: dict[str, Any]) -> str:
        """Knobs turned while it trains: at once, with a mark on the curves, and saved: a kill takes no change back."""
        changes = args.get("changes")
        if not isinstance(changes, dict) or not changes:
            return "There is nothing to change; give an object of field names and values."
        try:
            self.life.tune({str(name): value for name, value in changes.items()})
        except ValueError as error:
            return str(error)
        return ""

    def _restore(self, args: dict[str, Any]) -> str:
        """Back to the best measured generator, and pause: somebody will change something first."""
        try:
            self.life.restore()
        except (CheckpointError, OSError) as error:
            return f"{str(error)[:1].upper()}{str(error)[1:]}"
        return ""

    def _stop(self, args: dict[str, Any]) -> str:
        self.life.stop()
        return ""

"""Executes the commands in a run's folder and acknowledges each, with a sentence and the message behind it where it was not done.

Training, saving and showing are left to the session that the commands act on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from ..messages import ENGLISH, Message, message, reason_of
from ..runs.checkpoint import CheckpointError
from ..runs.run import Run
from ..runs.status import Acknowledgement
from .coordinator import NETWORKS
from .status_writer import StatusWriter

INLINE = 1.0  # seconds of single steps before their command is acknowledged and the rest is made as by a running run
ACKNOWLEDGED = 16  # acknowledgements that the status keeps
MAX_STEPS = 10_000  # single steps of one command
NAME_LENGTH = 40  # characters of a foreign value that an acknowledgement repeats
INTERRUPTIONS = ("stop", "pause")  # they wait for no single steps

Args = dict[str, Any]
Refused: TypeAlias = Message | str | None  # why a command was not done: a message, or a sentence in English alone


class Steerable(Protocol):
    """The part of a session that commands act on; `session.Session` is one."""

    run: Run
    status_writer: StatusWriter
    paused: bool
    pending_steps: tuple[str, int] | None  # (network, count) of single steps still to make, as by a running run

    @property
    def step_count(self) -> int: ...
    @property
    def ending(self) -> bool: ...
    def steps_refusal(self, network: str) -> Message | None: ...
    def begin_single_steps(self, network: str) -> None: ...
    def make_steps(self, network: str, limit: int = 0) -> int: ...
    def pause(self) -> None: ...
    def publish(self, state: str = "", **fields: Any) -> None: ...
    def save(self) -> Message | None: ...
    def tune(self, changes: dict[str, Any]) -> None: ...
    def restore(self) -> None: ...
    def stop(self) -> None: ...


class Commands:
    """The commands of one session: for each a handler, (args) -> why it was not done, else None."""

    def __init__(self, session: Steerable) -> None:
        self.session = session
        self._read: dict[Path, dict[str, Any]] = {}  # what the waiting files hold
        self._steps_refused = False  # for a pause that waits
        self._handlers: dict[str, Callable[[Args], Refused]] = {
            "pause": self._pause, "resume": self._resume, "step": self._step, "save": self._save, "stop": self._stop,
            "tune": self._tune, "restore": self._restore}

    def execute_pending(self, only: str = "") -> None:
        """Execute the commands in the folder, oldest first, also those that come meanwhile, until the session ends.

        Steps that a stop or a pause has followed are refused: it waits for none of them. With `only` the commands of this name
        are executed, and the others stay there.
        """
        while not self.session.ending:
            waiting = [one for one in self._waiting() if not only or one[1].get("command") == only]
            if not waiting:
                return
            path, command = waiting[0]
            try:
                path.unlink()  # before it is executed: either the worker or its sender deletes it, who may withdraw it
            except FileNotFoundError:
                continue
            self._execute(command, next((later["command"] for _, later in waiting[1:] if _interrupts(later)), ""))

    def _waiting(self) -> list[tuple[Path, dict[str, Any]]]:
        """The commands in the folder; each file is read once."""
        waiting = self.session.run.pending_commands(self._read)
        self._read = dict(waiting)
        return waiting

    def _execute(self, command: dict[str, Any], interruption: str) -> None:
        """Execute a command that this later one, or none where it is "", has followed."""
        name, args, identity = command.get("command"), command.get("args"), command.get("id")
        if not isinstance(identity, str) or not isinstance(args, dict):
            return  # not written by this program: nobody waits for an answer
        if name == "step" and interruption:
            self._acknowledge(identity, name, message("command_overtaken_stop") if interruption == "stop"
                              else message("command_overtaken_pause"))
            self._steps_refused = True
            return
        handler = self._handlers.get(name) if isinstance(name, str) else None
        refused = message("command_unknown", name=_short(name)) if handler is None else handler(args)
        self._acknowledge(identity, _short(name), refused)

    def _acknowledge(self, identity: str, name: str, refused: Refused) -> None:
        writer, sentence = self.session.status_writer, ENGLISH.sentence(refused) if isinstance(refused, dict) else refused or ""
        acknowledgement = Acknowledgement(id=identity, command=name, ok=not sentence, message=sentence,
                                          step=self.session.step_count)
        if isinstance(refused, dict):
            acknowledgement["fault"] = refused
        writer.write(acknowledged=[*writer.status.acknowledged, acknowledgement][-ACKNOWLEDGED:])

    def _pause(self, args: Args) -> Refused:
        steps_refused, self._steps_refused = self._steps_refused, False
        if self.session.paused:
            return None if steps_refused else message("command_paused")
        self.session.pause()
        return None

    def _resume(self, args: Args) -> Refused:
        if not self.session.paused:
            return message("command_running")
        self.session.paused = False
        self.session.publish("running")
        return None

    def _step(self, args: Args) -> Refused:
        """Single steps of a paused run: here for a second, the rest as by a running run that then pauses itself.

        So it is with the rest as soon as a stop or a pause waits, which then ends it.
        """
        session, network, count = self.session, args.get("network", "both"), args.get("count", 1)
        if not isinstance(network, str) or network not in NETWORKS:
            return message("command_network", given=_short(network), names=list(NETWORKS))
        if type(count) is not int or not 1 <= count <= MAX_STEPS:
            return message("command_count", given=_short(count), most=MAX_STEPS)
        if not session.paused:
            return message("command_steps")
        if refusal := session.steps_refusal(network):
            return refusal
        session.begin_single_steps(network)
        started, done = time.monotonic(), 0
        while done < count and time.monotonic() - started < INLINE:
            done += session.make_steps(network, count - done)
            if session.ending or any(_interrupts(command) for _, command in self._waiting()):
                break
        if done < count:
            session.paused, session.pending_steps = False, (network, count - done)
            session.publish("running")
        else:
            session.pause()
        return None

    def _save(self, args: Args) -> Refused:
        notice = self.session.save()
        self.session.publish()
        return notice

    def _tune(self, args: Args) -> Refused:
        """Change knobs at once, mark that on the curves and save, so that a kill takes no change back."""
        changes = args.get("changes")
        if not isinstance(changes, dict) or not changes:
            return message("command_changes")
        try:
            self.session.tune({str(name): value for name, value in changes.items()})
        except ValueError as error:
            return reason_of(error)
        return None

    def _restore(self, args: Args) -> Refused:
        """Go back to the best measured generator and pause: whoever asks for that wants to change something first."""
        try:
            self.session.restore()
        except (CheckpointError, OSError) as error:
            return message("command_restore", reason=reason_of(error))
        return None

    def _stop(self, args: Args) -> Refused:
        self.session.stop()
        return None


def _interrupts(command: dict[str, Any]) -> bool:
    name, args, identity = command.get("command"), command.get("args"), command.get("id")
    return name in INTERRUPTIONS and isinstance(identity, str) and isinstance(args, dict)


def _short(value: object) -> str:
    return str(value)[:NAME_LENGTH]

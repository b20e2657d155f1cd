"""The status of a run: its fields, its states and the controls that each state allows.

This module touches no disk and no clock. `run` stores the status, the worker writes it, everyone else reads it.
"""

# Without `from __future__ import annotations`, which would hide NotRequired from the TypedDict at run time.
from dataclasses import asdict, dataclass, field
from typing import Any, NotRequired, Self, TypedDict

from ..messages import Message
from .json_types import fits, resembles, type_hints

SCHEMA = 1
ACTIVE = ("starting", "running", "paused")  # in these states a worker must be alive
ENDED = ("finished", "stopped", "failed")

# state -> the states that may follow it
TRANSITIONS: dict[str, tuple[str, ...]] = {
    "starting": ("running", "paused", "failed", "stopped"),
    "running": ("paused", "finished", "stopped", "failed"),
    "paused": ("running", "stopped", "failed"),
    "finished": ("starting",),
    "stopped": ("starting",),
    "failed": ("starting",),
}
STATES = tuple(TRANSITIONS)

STEERED = ("run", "notebook")  # kinds of run that a process trains here, and that take commands

CONTROLS = ("start", "pause", "resume", "step", "reset", "save", "restore")
_ENABLED: dict[str, tuple[str, ...]] = {
    "none": ("start", "step"),
    "starting": ("reset",),
    "running": ("pause", "reset", "save", "restore"),
    "paused": ("resume", "step", "reset", "save", "restore"),
    "finished": ("start", "resume", "reset", "restore"),  # a resume says for how long
    "stopped": ("start", "resume", "reset", "restore"),
    "failed": ("start", "resume", "reset", "restore"),
}


class Acknowledgement(TypedDict):
    """The worker's answer to a command.

    `message` gives the reason where `ok` is false, and is "" otherwise; `fault` is the message behind it where there is one, for
    readers in other languages.
    """

    id: str
    command: str
    ok: bool
    message: str
    step: int
    fault: NotRequired[Message]


class Best(TypedDict):
    """The best measured generator: its step, and the value of the measure `name`."""

    step: int
    name: str
    value: float


class Progress(TypedDict):
    """How far the data set is fetched or read, in bytes or items; `total` is 0 where it is unknown."""

    stage: str
    done: float
    total: float
    what: str


class Beliefs(TypedDict):
    """The discriminator's mean probability of "real", in [0, 1], for real samples and for fakes."""

    real: float
    fake: float


class Probe(TypedDict):
    """What single steps of a paused run have done, seen by fixed samples and by the generator as it is; `Trainer.probe`.

    Those of one network count together, until another one or anything else moves.
    `network`: "discriminator", "generator" or "both"; "" where no single step has been made since the pause, with `before` None.
    """

    network: str
    steps: int
    before: Beliefs | None
    after: Beliefs


class Failure(TypedDict):
    """Why a run failed. `fault`: the message for other languages, where it has a key."""

    kind: str
    message: str
    step: int
    fault: NotRequired[Message]


@dataclass
class Status:
    """`status.json`; the fields are described in docs/run-folder.md."""

    schema: int = SCHEMA
    state: str = "stopped"
    step: int = 0
    images: int = 0
    seq: int = 0
    live: int = 0
    life: int = 0
    heartbeat: int = 0
    pid: int = 0
    pid_started: float = 0.0
    device: str = ""
    precision: str = ""
    memory_format: str = ""
    threads: int = 0
    speed: float = 0.0
    elapsed: float = 0.0
    checkpoint_step: int = -1
    acknowledged: list[Acknowledgement] = field(default_factory=list)
    tuned: dict[str, Any] = field(default_factory=dict)
    best: Best | None = None
    rewrites: bool = True
    exact: bool = True
    progress: Progress | None = None  # while the data set is fetched or read
    probe: Probe | None = None  # while the run is paused
    host: str = ""
    processes: int = 1
    launcher: int = 0  # torchrun's pid, where it would restart a lost process
    launcher_started: float = 0.0
    restarting: str = ""  # while torchrun restarts the processes: the state of the run before
    notice: str = ""
    notices: list[Message] = field(default_factory=list)  # the same for other languages
    kernel: bool = False  # a notebook trains it: the process holds more than the run and is never killed
    error: Failure | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Read the status of any version: missing fields take their defaults, unknown fields are skipped.

        Raises ValueError for a field of another type and for an unknown state.
        """
        hints = type_hints(Status)
        known = {name: values[name] for name in hints if name in values}
        for name, value in known.items():
            if not (fits if name == "best" else resembles)(value, hints[name]):
                raise ValueError(f"{name} is {str(value)[:40]!r}")
        status = cls(**known)
        if status.state not in TRANSITIONS:
            raise ValueError(f"unknown state {status.state!r}; the states are: {', '.join(STATES)}.")
        return status

    def move_to(self, state: str) -> None:
        """Change the state. A transition that the table does not have is a bug here, hence an assertion."""
        assert state in TRANSITIONS[self.state], f"no transition from {self.state} to {state}"
        self.state = state


def controls(status: Status | None, kind: str = "run", revivable: bool = True) -> dict[str, bool]:
    """Which controls are enabled for a run: {"start": bool, "pause": bool, ...}. None: there is no run.

    revivable: whether a worker can begin another life of the run once it has ended.
    """
    state = "none" if status is None or kind not in STEERED else status.state
    enabled = set(_ENABLED[state])
    if state in ENDED and not revivable:
        enabled -= {"resume", "restore"}
    if state in ENDED and status is not None and status.checkpoint_step < 0:
        enabled.discard("resume")
    if status is None or status.best is None:
        enabled.discard("restore")
    return {name: name in enabled for name in CONTROLS}

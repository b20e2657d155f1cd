"""What a run says about itself: one typed record, the states it may be in, and what each state lets a person do.

This file touches no disk and no clock; `run` stores the record, `worker` writes it, everyone reads it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

SCHEMA = 1
ACTIVE = ("starting", "running", "paused")  # a worker must be alive in these
ENDED = ("finished", "stopped", "failed")

# from -> the states that may follow
TRANSITIONS: dict[str, tuple[str, ...]] = {
    "starting": ("running", "paused", "failed", "stopped"),
    "running": ("paused", "finished", "stopped", "failed"),
    "paused": ("running", "stopped", "failed"),
    "finished": ("starting",),
    "stopped": ("starting",),
    "failed": ("starting",),
}
STATES = tuple(TRANSITIONS)

CONTROLS = ("start", "pause", "resume", "step", "reset", "save", "restore")
_ENABLED: dict[str, tuple[str, ...]] = {
    "none": ("start", "step"),
    "starting": ("reset",),
    "running": ("pause", "reset", "save", "restore"),
    "paused": ("resume", "step", "reset", "save", "restore"),
    "finished": ("start", "reset", "restore"),
    "stopped": ("start", "resume", "reset", "restore"),
    "failed": ("start", "resume", "reset", "restore"),
}


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
    acknowledged: list[dict[str, Any]] = field(default_factory=list)
    tuned: dict[str, Any] = field(default_factory=dict)
    best: dict[str, Any] | None = None
    rewrites: bool = True
    exact: bool = True
    progress: dict[str, Any] | None = None  # while data are fetched or read: {"stage", "done", "total", "what"}
    host: str = ""
    processes: int = 1
    launcher: int = 0  # torchrun's pid, where it would start a lost process again
    launcher_started: float = 0.0
    restarting: str = ""  # while processes start again after one was lost: the state that the run was in
    notice: str = ""
    notices: list[dict[str, Any]] = field(default_factory=list)  # the same for any language: what `sentences.part` makes
    error: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Status:
        """Read what an older or newer writer left: missing fields take their defaults, unknown ones are skipped."""
        known = {f.name for f in fields(cls)}
        status = cls(**{k: v for k, v in values.items() if k in known})
        if status.state not in TRANSITIONS:
            raise ValueError(f"unknown state {status.state!r}; the states are: {', '.join(STATES)}.")
        return status

    def move_to(self, state: str) -> None:
        """Change state by the table; an illegal move is a mistake of ours, so it is an assertion."""
        assert state in TRANSITIONS[self.state], f"no way from {self.state} to {state}"
        self.state = state


def controls(status: Status | None, kind: str = "run") -> dict[str, bool]:
    """Which buttons mean something for the shown run: {"start": bool, "pause": ..., ...}."""
    state = "none" if status is None or kind in ("starter", "remote", "reading") else status.state
    enabled = set(_ENABLED[state])
    if state in ("stopped", "failed") and status is not None and status.checkpoint_step < 0:
        enabled.discard("resume")
    if status is None or status.best is None:
        enabled.discard("restore")
    return {name: name in enabled for name in CONTROLS}

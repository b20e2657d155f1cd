"""When a run is finished: the limits in its config, and what changes so that it goes on beyond them."""

from __future__ import annotations

from typing import Any

from ..config import TrainConfig

LIMITS = ("max_steps", "max_minutes")


def reached_limits(config: TrainConfig, step: int, elapsed: float) -> tuple[str, ...]:
    """Those of LIMITS that end a run after so many steps and seconds of training; 0 is no limit."""
    reached = {"max_steps": 0 < config.max_steps <= step, "max_minutes": 0 < config.max_minutes * 60 <= elapsed}
    return tuple(name for name in LIMITS if reached[name])


def with_limits_lifted(config: TrainConfig, step: int, elapsed: float, changes: dict[str, Any]) -> dict[str, Any]:
    """The changes to live fields and, where they name a limit, 0 for each other one that is reached.

    Who says for how many steps a run goes on does not mean the minutes that are over. Raises ConfigError for a bad value.
    """
    if not any(name in changes for name in LIMITS):
        return dict(changes)
    reached = reached_limits(config.replace(**changes), step, elapsed)
    return {**changes, **{name: 0 for name in reached if name not in changes}}


def extension(config: TrainConfig, step: int, elapsed: float, *, steps: int = 0, minutes: float = 0.0) -> dict[str, Any]:
    """{field: value} with which a run goes on for so many more steps or minutes, whichever is over first; 0 and 0: without end.

    Raises ConfigError where the sum is more than a limit may be.
    """
    changes: dict[str, Any] = {}
    if steps:
        changes["max_steps"] = step + steps
    if minutes:
        changes["max_minutes"] = round(elapsed / 60 + minutes, 3)
    return with_limits_lifted(config, step, elapsed, changes or dict.fromkeys(LIMITS, 0))

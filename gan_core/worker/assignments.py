"""The values that a command line gives: of a new run's fields, and of what changes in a run that has begun."""

from __future__ import annotations

from typing import Any

from .. import registry
from ..config import LIVE
from ..runs.limits import LIMITS, reached_limits, with_limits_lifted
from ..runs.run import Run
from .cli import FIELDS, Options

BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
OPTIONS = {"dataset": "--dataset", "max_minutes": "--minutes", "max_steps": "--steps"}  # fields with an option of their own


class OptionError(ValueError):
    """The options ask for something that cannot be trained; one sentence."""


def assignments(options: Options) -> dict[str, Any]:
    """{field: value} that the options give; of several --set for one field the last counts. Raises OptionError."""
    by_option = {name: value for name, value in (("dataset", options.dataset), ("max_minutes", options.minutes),
                                                 ("max_steps", options.steps)) if value is not None}
    assigned: dict[str, Any] = {}
    for text in options.assignments:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals:
            raise OptionError(f"--set {text} has no value; write --set FIELD=VALUE, such as --set batch_size=32.")
        if name in by_option:
            raise OptionError(f"{name} is given twice, by its option and by --set {text}; give it once.")
        assigned[name] = _value(name, value.strip())
    return by_option | assigned


def _value(name: str, text: str) -> Any:
    """A field's value from text: booleans and pairs (two numbers with a comma) are parsed, the config parses the rest."""
    kind = str(FIELDS[name].type) if name in FIELDS else "str"
    if kind == "bool":
        return BOOLEANS.get(text.lower(), text)
    return [part.strip() for part in text.strip("()[]").split(",")] if kind.startswith("tuple") else text


def live_changes(run: Run, options: Options) -> dict[str, Any]:
    """{field: value} that changes in this run before its next step. Raises OptionError or ConfigError, each one sentence.

    A limit that is reached already is refused, because nothing would be trained.
    """
    given = assignments(options)
    if not given:
        return {}
    for name in given:
        if name in FIELDS and name not in LIVE:
            others = registry.choose_one(name, sorted(LIVE), "these can")
            raise OptionError(f"{name} cannot change in a run that has begun; {others}. Write --new for another run.")
    status = run.stored_status()
    now = run.config.replace(**status.tuned)
    changes = with_limits_lifted(now, status.step, status.elapsed, given)
    new = now.replace(**changes)
    reached = reached_limits(new, status.step, status.elapsed)
    if reached:
        by_steps, option = reached[0] == LIMITS[0], OPTIONS[reached[0]]
        now_at, end = ((f"step {status.step:,}", f"step {new.max_steps:,}") if by_steps
                       else (f"{status.elapsed / 60:.3g} minutes", f"{new.max_minutes:g}"))
        raise OptionError(f"{run.name} is at {now_at} already and ends at {end}; give more with {option}, or {option} 0 "
                          "for no end.")
    return {name: new.to_dict()[name] for name in changes}


def as_arguments(options: Options) -> list[str]:
    """The same assignments as arguments, for the processes that torchrun starts."""
    given = (("--steps", options.steps), ("--minutes", options.minutes), *(("--set", text) for text in options.assignments))
    return [part for name, value in given if value is not None for part in (name, value)]

"""What the page cannot do, as one sentence in the caller's language.

Which control is possible is decided by `controls`; the sentences are in `words`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from ..config import ConfigError, TrainConfig
from ..runs.run import Run, RunError
from . import words

WATCHED = ("reading", "remote")  # kinds of run elsewhere that cannot be steered from here
FIELDS = {f.name: f for f in fields(TrainConfig)}


class Refusal(Exception):
    """Something that cannot be done: one sentence, in the caller's language."""

    def __init__(self, key: str, lang: str = "en", **values: object) -> None:
        super().__init__(words.text(key, lang, **values))
        self.key = key


def busy(active: Run, lang: str) -> Refusal:
    """Another run is active; a paused one is too, which its name alone would not explain."""
    state = "running"
    with contextlib.suppress(RunError):
        state = active.status().state
    return Refusal("errors.busy", lang, name=active.name, state=words.text(f"states.{state}", lang).lower())


def not_now(run: Run, state: str, lang: str) -> Refusal:
    """The control is not possible in this state of the run, or never where it is only watched."""
    if run.kind in WATCHED:
        return Refusal("errors.watched", lang, name=run.name)
    shown = "starter" if run.kind == "starter" else state
    return Refusal("errors.not_now", lang, state=words.text(f"states.{shown}", lang).lower())


def validated(build: Callable[[], TrainConfig], lang: str, labels: bool) -> TrainConfig:
    """The config that `build` returns. Raises Refusal, in the caller's language, for a bad value."""
    try:
        return build()
    except ConfigError as error:
        if not (labels and error.kind):
            raise Refusal("errors.refused", lang, message=str(error)) from error
        metadata = FIELDS[error.field].metadata
        low, high = (words.number(metadata[end], lang) if metadata["low"] is not None else "" for end in ("low", "high"))
        raise Refusal(f"errors.{error.kind}", lang, field=words.text(f"fields.{error.field}", lang), low=low, high=high,
                      given=_shorten(error.given), choices=", ".join(metadata["choices"] or ())) from error
    except TypeError as error:
        raise Refusal("errors.refused", lang, message=str(error)) from error


def _shorten(value: Any) -> str:
    """A value as shown in a sentence, at most 40 letters; “” for an empty box."""
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return "“”" if not text else text if len(text) <= 40 else text[:40] + "…"

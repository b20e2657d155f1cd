"""What the page cannot do, as one sentence in the caller's language.

Which control is possible is decided by `controls`; the sentences are in `words`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from ..config import ConfigError, TrainConfig
from ..messages import message
from ..runs.run import Run, RunError
from ..runs.status import ACTIVE
from . import words

WATCHED = ("reading", "remote")  # kinds of run elsewhere that cannot be steered from here
FAILURES = ("diverged", "out_of_memory", "killed", "refused", "crashed")  # kinds that the banner has words for
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


def unsaved(run: Run, lang: str) -> Refusal | None:
    """Why a run that was to be saved and ended was not, by what its status says now; None where it was."""
    status = run.status()
    if status.state in ACTIVE:
        return Refusal("errors.not_ended", lang, name=run.name)
    failed = [notice for notice in status.notices if notice.get("key") == "notice_saving"]  # a full disk, for one
    if status.state == "failed":
        reason = why_failed(status.error or {}, lang)
    elif failed:
        reason = words.fault(message("saving_failed", reason=failed[0].get("values", {}).get("reason", "")), lang)
    else:
        return None
    step = status.checkpoint_step
    resume = words.text("banner.failed_resume", lang, step=words.number(step, lang)) if step >= 0 else \
        words.text("errors.no_checkpoint", lang)
    return Refusal("errors.not_saved", lang, name=run.name, reason=reason, resume=resume)


def why_failed(error: Mapping[str, Any], lang: str) -> str:
    """The sentence of a failed run's `error`, as the banner over the run says it."""
    kind = error.get("kind") if error.get("kind") in FAILURES else "crashed"
    own = error.get("message", "") if kind in ("refused", "crashed") else ""
    return words.fault(error.get("fault"), lang) or str(own) or words.text(f"banner.{kind}", lang)


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

"""The API for programs: named calls for gradio_client, most of which return the status of a run.

Each is a thin wrapper of `controls`; a refusal is a gradio error in English.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
from collections.abc import Callable
from typing import Any

from ..config import PRESETS
from ..runs.run import Run, RunError
from ..runs.status import STEERED
from .controls import Controls, Extension
from .gradio_import import gr
from .latent_service import LatentService, NotReady
from .refusal import Refusal

MAX_PICTURES = 256
EXAMPLE = 'give one such as {"seed": 7}'


def build(controls: Controls, latent_service: LatentService) -> None:
    """Register every call; to be used inside the Blocks."""

    def start(preset: str, overrides: str) -> dict:
        """Begin a new run. preset: such as "quick"; overrides: a JSON object of TrainConfig fields, such as {"seed": 7}.

        Answers with the status; an error where a run is training already or a value is not allowed.
        """
        return _status(controls.start(controls.config(preset, _object(overrides)), preset))

    def pause() -> dict:
        """Pause the active run within one step."""
        return _status(controls.pause())

    def resume() -> dict:
        """Go on with the shown run: at once where it is paused, from its last checkpoint where it was stopped or failed."""
        return _status(controls.resume())

    def step(network: str, count: int) -> dict:
        """Make single steps of a paused run. network: "discriminator", "generator" or "both"; count: 1 to 10,000.

        Steps that take longer than a second go on after the answer. With no run to step, a new one is made and stays paused.
        """
        preset = next(iter(PRESETS))
        return _status(controls.step(network, count, controls.config(preset, {}), preset))

    def reset() -> dict:
        """End the shown run, saved and kept in the list, and begin a new one with the same settings."""
        run = controls.catalogue.default_run()
        if run is None or run.kind not in STEERED:
            raise Refusal("empty.run")
        return _status(controls.reset(run.config, run.preset))

    def save() -> dict:
        """Write a checkpoint of the active run now."""
        return _status(controls.save())

    def state() -> dict:
        """The status of the shown run, with "run", its id; {} where there is no run at all."""
        run = controls.catalogue.default_run()
        return _status(run) if run is not None else {}

    async def generate(seed: int, count: int) -> dict:
        """Pictures by the shown run's newest generator. seed: 0 to 2**31 - 1, picture k uses seed + k; count: 1 to 256.

        Answers with {"run", "step", "pictures"}: pictures is a list of count pictures, each rows of grey values 0 to 255; a run
        of 2-D points answers with "points" instead, a list of [x, y].
        """
        return await _generate(controls, latent_service, seed, count)

    calls: tuple[Callable[..., Any], ...] = (start, pause, resume, step, reset, save, *_steering(controls), state, generate)
    for call in calls:
        gr.api(_with_gradio_errors(call, controls.catalogue.shown), api_name=call.__name__, queue=False)


def _steering(controls: Controls) -> tuple[Callable[..., dict], ...]:
    """The calls that change the course of a run."""

    def tune(changes: str) -> dict:
        """Turn knobs of the active run while it trains. changes: a JSON object of live fields, such as {"lr_d": 0.0005}.

        Answers with the status once the training process has taken them, its "tuned" says what differs from the run's beginning.
        """
        return _status(controls.tune(changes))

    def restore() -> dict:
        """Back to the shown run's best measured state, and pause there; an ended run begins a new life for it."""
        return _status(controls.restore())

    def extend(steps: int, minutes: float) -> dict:
        """Go on with the shown run, which has finished, for so many more steps or minutes, whichever is over first.

        steps: a whole number, minutes: a number; 0 where one does not count, and 0 and 0 to train until it is stopped.
        """
        extension = Extension(steps, minutes)
        if extension.fault is not None:
            raise Refusal(extension.fault[0], given=extension.fault[1])
        return _status(controls.resume(extension=extension))

    return tune, restore, extend


async def _generate(controls: Controls, latent_service: LatentService, seed: int, count: int) -> dict[str, Any]:
    run = controls.catalogue.default_run()
    if run is None:
        raise Refusal("empty.run")
    if type(seed) is not int or not 0 <= seed < 2**31:
        raise Refusal("errors.refused", message=f"seed is {seed}; give a whole number from 0 to 2,147,483,647.")
    if type(count) is not int or not 1 <= count <= MAX_PICTURES:
        raise Refusal("errors.refused", message=f"count is {count}; give a whole number from 1 to {MAX_PICTURES}.")
    await asyncio.to_thread(latent_service.ready.wait, 30)  # torch is imported once the page is served
    pictures, points, step = await asyncio.get_running_loop().run_in_executor(latent_service.pool, latent_service.generate, run,
                                                                              seed, count)
    samples = {"points": points} if points else {"pictures": [picture.tolist() for picture in pictures]}
    return {"run": run.id, "step": step, **samples}


def _status(run: Run) -> dict[str, Any]:
    return {"run": run.id, **run.status().to_dict()}


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}")
    except (ValueError, TypeError, RecursionError) as error:
        raise Refusal("errors.refused", message=f"overrides are not JSON ({str(error)[:100]}); {EXAMPLE}.") from error
    if not isinstance(value, dict):
        raise Refusal("errors.refused", message=f"overrides must be a JSON object of field names and values; {EXAMPLE}.")
    return value


def _with_gradio_errors(call: Callable[..., Any], shown: Callable[[Any], Any]) -> Callable[..., Any]:
    """The same call with gradio's errors for refusals. Clients see its signature and docstring, so both are kept.

    `shown`: of a status, what a client may be shown of it.
    """
    def error(reason: Exception) -> gr.Error:
        return gr.Error(str(reason), print_exception=False)

    if inspect.iscoroutinefunction(call):
        @functools.wraps(call)
        async def wrapped(*args: Any) -> Any:
            try:
                return await call(*args)
            except (Refusal, NotReady, RunError, ValueError) as reason:
                raise error(reason) from reason
    else:
        @functools.wraps(call)
        def wrapped(*args: Any) -> Any:
            try:
                return shown(call(*args))
            except (Refusal, NotReady, RunError, ValueError) as reason:
                raise error(reason) from reason
    return wrapped

"""The epochs of a `fit`, with their bar, their lines and their callbacks. What a step does is the caller's."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

import torch

from ..runs.metrics import LOSSES, SERIES
from ..training.trainer import Metrics
from .callbacks import CallbackList

with warnings.catch_warnings():  # that a notebook's bar is one of text where ipywidgets is not installed
    warnings.simplefilter("ignore")
    from tqdm.auto import tqdm

MakeStep = Callable[[], Metrics | None]  # as of `Trainer.step`; None: somebody has asked to stop


def train_epochs(make_step: MakeStep, epochs: int, steps: int, verbose: int | str, told: CallbackList,
                 end_epoch: Callable[[Mapping[str, float]], None], stopping: Callable[[], bool]) -> dict[str, float]:
    """Make `epochs` times `steps` steps; the means of the last epoch, {metric: mean}.

    It ends early after an epoch at whose end `stopping` is true, and where make_step returns None: the steps of that epoch count
    as an epoch, unless there are none. end_epoch takes the means before the callbacks do. verbose: as of `DCGAN.fit`.
    """
    means: dict[str, float] = {}
    with tqdm(total=epochs * steps, unit="step", dynamic_ncols=True, disable=verbose in (0, 2)) as bar:
        for epoch in range(epochs):
            bar.set_description(f"epoch {epoch + 1}/{epochs}")
            told.call("on_epoch_begin", epoch)
            made, whole = _epoch(make_step, steps, bar, told)
            if made:
                means = made
                end_epoch(means)
                if verbose == 2:
                    print(f"epoch {epoch + 1}/{epochs}: " + ", ".join(f"{name} {means[name]:.4f}" for name in SERIES))
                told.call("on_epoch_end", epoch, logs=means)
            if stopping() or not whole:
                break
    return means


def _epoch(make_step: MakeStep, steps: int, bar: tqdm, told: CallbackList) -> tuple[dict[str, float], bool]:
    """({metric: its mean over the steps that were made}, whether all were); the callbacks are told of each step's own."""
    sums, made = torch.zeros(len(SERIES), dtype=torch.float64), 0
    for step in range(steps):
        told.call("on_train_batch_begin", step)
        metrics = make_step()
        if metrics is None:
            break
        values = torch.stack([metrics[name].detach() for name in SERIES]).cpu()
        sums, made = sums + values, made + 1
        if told:
            told.call("on_train_batch_end", step, logs=dict(zip(SERIES, values.tolist(), strict=True)))
        bar.update()
        if step % 10 == 0 or step == steps - 1:
            means = _means(sums, made)
            bar.set_postfix({name: f"{means[name]:.3f}" for name in LOSSES}, refresh=False)
    return _means(sums, made) if made else {}, made == steps


def _means(sums: torch.Tensor, count: int) -> dict[str, float]:
    return dict(zip(SERIES, (sums / count).tolist(), strict=True))

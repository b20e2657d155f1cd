"""Optimizers and losses of Keras and torch, as a config has them; what a config has not is refused, never forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from .. import registry
from ..config import PRESETS
from ..messages import one_line

KERAS_EXTRAS = ("weight_decay", "clipnorm", "global_clipnorm", "clipvalue", "use_ema", "amsgrad")
# The names of the course's loss in the libraries that it may come from.
CROSS_ENTROPIES = ("BinaryCrossentropy", "BCEWithLogitsLoss", "BCELoss")


def read_adam(optimizer: Any, side: str) -> tuple[float, tuple[float, float]]:
    """(learning rate, betas) of an optimizer as DCGAN.compile takes it; side: "d" or "g". Raises ValueError."""
    course = PRESETS["course"]
    lr, betas = getattr(course, f"lr_{side}"), getattr(course, f"betas_{side}")
    if optimizer is None:
        return lr, betas
    if isinstance(optimizer, int | float) and not isinstance(optimizer, bool):
        return float(optimizer), betas
    if type(optimizer) is torch.optim.Adam:
        _refuse_set("the optimizer", optimizer.defaults, {"weight_decay": 0, "amsgrad": False, "maximize": False})
        return float(optimizer.defaults["lr"]), optimizer.defaults["betas"]
    if type(optimizer).__name__ == "Adam" and hasattr(optimizer, "beta_1"):
        settings = optimizer.get_config()
        if not isinstance(settings["learning_rate"], int | float):
            raise ValueError("the optimizer's learning rate is a schedule; give a number.")
        _refuse_set("the optimizer", settings, dict.fromkeys(KERAS_EXTRAS))
        return float(optimizer.learning_rate), (float(optimizer.beta_1), float(optimizer.beta_2))
    raise ValueError(f"the optimizer is a {type(optimizer).__name__}; give a learning rate, an Adam of torch or Keras, or None.")


def _refuse_set(what: str, settings: Mapping[str, Any], usual: Mapping[str, Any]) -> None:
    """Raises ValueError for a setting that is not as usual and would be forgotten without a word."""
    for name, value in usual.items():
        if settings.get(name, value) not in (value, None, 0, False):
            raise ValueError(f"{what} has {name}={settings[name]!r}, which is not done here; leave it out.")


def read_loss(loss_fn: Any) -> str:
    """The name of a loss as DCGAN.compile takes it. Raises ValueError."""
    if loss_fn is None:
        return "course"
    if type(loss_fn).__name__ in CROSS_ENTROPIES:
        settings = loss_fn.get_config() if hasattr(loss_fn, "get_config") else vars(loss_fn)
        _refuse_set("loss_fn", settings, {"label_smoothing": 0})
        for name in ("weight", "pos_weight"):
            if getattr(loss_fn, name, None) is not None:
                raise ValueError(f"loss_fn has a {name}, which is not done here; leave it out.")
        return "course"
    if isinstance(loss_fn, str) and loss_fn in registry.LOSSES:
        return loss_fn
    raise ValueError(f"loss_fn is {one_line(loss_fn)}; give a binary cross-entropy, or "
                     f"{registry.choose_one(loss_fn, registry.LOSSES, 'one of')}.")

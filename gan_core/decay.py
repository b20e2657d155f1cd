"""How settings fall with the step, along half a cosine: for the training, and for the page, which says what is in force."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

# The settings that fall over `decay_steps`, and the one that says which share of each remains; "": none.
FALLING = {"lr_d": "lr_final", "lr_g": "lr_final", "r1": "penalty_final", "r2": "penalty_final",
           "gradient_penalty": "penalty_final", "instance_noise": ""}


def cosine_decay(step: int, decay_steps: int, final: float) -> float:
    """The share that is left at this step: half a cosine from 1 down to `final` over `decay_steps`; 0 of these keep 1."""
    if not decay_steps:
        return 1.0
    progress = min(1.0, step / decay_steps)
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress))


def share_left(config: Mapping[str, Any], name: str, step: int) -> float:
    """The share of one of FALLING that the update after this step is made with, in [0, 1]."""
    return cosine_decay(step, config["decay_steps"], config[FALLING[name]] if FALLING[name] else 0.0)


def in_force(config: Mapping[str, Any], step: int) -> dict[str, float]:
    """The values of those of FALLING that fall in this run, at this step; those of settings that `config` lacks are left out."""
    needed = {"decay_steps", *filter(None, FALLING.values())}
    if not needed <= set(config) or not config["decay_steps"]:
        return {}
    return {name: config[name] * share_left(config, name, step) for name, final in FALLING.items()
            if config.get(name) and (config[final] if final else 0.0) != 1}

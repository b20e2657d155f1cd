"""Throwaway trainers, for `compute.autotune` to time."""

from __future__ import annotations

from collections.abc import Callable

from ..compute.choices import ComputeChoices
from ..config import TrainConfig
from .setup import Array
from .trainer import Trainer


def trainer_builder(images: Array, labels: Array | None = None) -> Callable[[TrainConfig, ComputeChoices], Trainer]:
    """build(config, choices) -> a new Trainer on these data, as `compute.autotune.choose` takes it."""
    def build(config: TrainConfig, choices: ComputeChoices) -> Trainer:
        return Trainer(config, images, labels, choices=choices)
    return build

"""Throwaway trainers, for `compute.autotune` to time. It measures nothing itself."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..compute.choices import ComputeChoices
from ..config import TrainConfig
from .trainer import Trainer


def trainer_builder(images: torch.Tensor, labels: torch.Tensor | None = None) -> Callable[[TrainConfig, ComputeChoices], Trainer]:
    """build(config, choices) -> a new Trainer on these data, as `compute.autotune.choose` takes it."""
    def build(config: TrainConfig, choices: ComputeChoices) -> Trainer:
        return Trainer(config, images, labels, choices=choices)
    return build

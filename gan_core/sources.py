"""A config's data set, loaded: the way from a name in a config to arrays in memory, for page, worker and notebook alike.

It knows no torch and trains nothing: what a set is made of is the business of its module in gan_core/data.
"""

from __future__ import annotations

from collections.abc import Callable

from . import registry
from .config import TrainConfig
from .data.asking import Ask, DataError, Loaded, Progress

__all__ = ["DataError", "Loaded", "Progress", "ask_for", "load"]


def ask_for(config: TrainConfig, report: Callable[[Progress], None] = lambda progress: None,
            cancelled: Callable[[], bool] = lambda: False) -> Ask:
    """What the config asks of its data set."""
    name, argument = registry.split_dataset(config.dataset)
    size = 0 if config.image_size == "auto" else int(config.image_size)
    return Ask(name, argument, size, config.color, config.crop, config.max_images, report, cancelled)


def load(config: TrainConfig, report: Callable[[Progress], None] = lambda progress: None,
         cancelled: Callable[[], bool] = lambda: False) -> Loaded:
    """The config's data, in the size and colour it asks for. Raises DataError in a sentence, Cancelled where it was.

    `report` is called from time to time, `cancelled` is asked as often.
    """
    ask = ask_for(config, report, cancelled)
    return registry.resolve(registry.DATASETS, ask.name)(ask)

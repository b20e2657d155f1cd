"""A config's data set, loaded: the way from a name in a config to arrays in memory, for page, worker and notebook alike.

It knows no torch and trains nothing: what a set is made of is the business of its module in gan_core/data.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import ModuleType

from .. import registry
from ..config import TrainConfig
from .download import Unreachable
from .types import DataError, DataRequest, LoadedData, Progress

__all__ = ["DataError", "LoadedData", "Progress", "load", "offline_datasets", "request_for", "works_offline"]


def request_for(config: TrainConfig, report: Callable[[Progress], None] = lambda progress: None,
            cancelled: Callable[[], bool] = lambda: False) -> DataRequest:
    """What the config asks of its data set."""
    name, argument = registry.split_dataset(config.dataset)
    size = 0 if config.image_size == "auto" else int(config.image_size)
    return DataRequest(name, argument, size, config.color, config.crop, config.max_images, report, cancelled)


def load(config: TrainConfig, report: Callable[[Progress], None] = lambda progress: None,
         cancelled: Callable[[], bool] = lambda: False) -> LoadedData:
    """The config's data, in the size and colour it asks for. Raises DataError in a sentence, Cancelled where it was.

    `report` is called from time to time, `cancelled` is asked as often.
    """
    request = request_for(config, report, cancelled)
    try:
        return registry.resolve(registry.DATASETS, request.name)(request)
    except Unreachable as error:
        names = [{"dataset": name} for name in offline_datasets(config.max_images)]
        raise DataError("unreachable_offline", first=error, names=names) from error


def works_offline(config: TrainConfig) -> bool:
    """Whether `load` needs no network now. It looks at files and loads no data."""
    request = request_for(config)
    return not registry.DATASETS[request.name].download or _module(request.name).is_downloaded(request)


def offline_datasets(max_images: int = 0) -> list[str]:
    """The data sets of which so many pictures are to be had now without a network, as configs name them; no files of your own."""
    names = []
    for name, entry in registry.DATASETS.items():
        if entry.download:
            names += _module(name).downloaded_datasets(name, max_images)
        elif entry.default or not entry.argument:
            names.append(name)
    return names


def _module(name: str) -> ModuleType:
    return import_module(registry.DATASETS[name].where.partition(":")[0])

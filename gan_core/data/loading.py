"""From a config to its data: the request is made, the data set's module found, and a failed download says what works offline.

Nothing here imports torch. How a set is read is left to its module in gan_core/data.
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


def request_for(config: TrainConfig, on_progress: Callable[[Progress], None] = lambda progress: None,
                is_cancelled: Callable[[], bool] = lambda: False) -> DataRequest:
    """The config's request to its data set."""
    name, argument = registry.split_dataset(config.dataset)
    size = 0 if config.image_size == "auto" else int(config.image_size)
    return DataRequest(name, argument, size, config.color, config.crop, config.max_images, config.background,
                       on_progress, is_cancelled)


def load(config: TrainConfig, on_progress: Callable[[Progress], None] = lambda progress: None,
         is_cancelled: Callable[[], bool] = lambda: False) -> LoadedData:
    """The config's data, in its size and colour. `on_progress` and `is_cancelled` are called often meanwhile.

    Raises DataError; Cancelled once `is_cancelled` returns True.
    """
    request = request_for(config, on_progress, is_cancelled)
    if request.name == registry.NOTEBOOK:
        raise DataError("notebook_data")
    try:
        source: Callable[[DataRequest], LoadedData] = registry.resolve(registry.DATASETS, request.name)
        return source(request)
    except Unreachable as error:
        names = [{"dataset": name} for name in offline_datasets(config.max_images)]
        raise DataError("unreachable_offline", first=error, names=names) from error


def works_offline(config: TrainConfig) -> bool:
    """Whether `load` needs no network now. It looks at files and loads no data."""
    request = request_for(config)
    if request.name not in registry.DATASETS:
        return False  # a notebook's own arrays
    return not registry.DATASETS[request.name].download or bool(_module(request.name).is_downloaded(request))


def offline_datasets(max_images: int = 0) -> list[str]:
    """The data sets, as configs name them, of which `max_images` work without a network; uploads, folders and drawings not."""
    names: list[str] = []
    for name, entry in registry.DATASETS.items():
        if entry.download:
            names += _module(name).downloaded_datasets(name, max_images)
        elif entry.default or not entry.argument:
            names.append(name)
    return names


def _module(name: str) -> ModuleType:
    return import_module(registry.DATASETS[name].where.partition(":")[0])

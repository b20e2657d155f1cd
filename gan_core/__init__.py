"""A GAN that learns live: the public names, each imported the moment it is first used.

    from gan_core import DCGAN, course_discriminator, course_generator

Lazy on purpose: the page's process must be able to read a run folder without importing torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOME = {
    "DCGAN": "dcgan",
    "course_discriminator": "networks.course",
    "course_generator": "networks.course",
    "TrainConfig": "config",
    "ConfigError": "config",
    "PRESETS": "config",
    "Trainer": "training.trainer",
    "Evaluator": "evaluation.evaluator",
    "Gauge": "evaluation.evaluator",  # the name that Evaluator had before
    "train_classifier": "evaluation.classifier",
    "train_judge": "evaluation.classifier",  # the name that train_classifier had before
    "Run": "runs.run",
    "list_runs": "runs.run",
}
__all__ = [
    "DCGAN",
    "PRESETS",
    "ConfigError",
    "Evaluator",
    "Gauge",
    "Run",
    "TrainConfig",
    "Trainer",
    "course_discriminator",
    "course_generator",
    "list_runs",
    "train_classifier",
    "train_judge",
]

if TYPE_CHECKING:
    from .config import PRESETS, ConfigError, TrainConfig
    from .dcgan import DCGAN
    from .evaluation.classifier import train_classifier, train_judge
    from .evaluation.evaluator import Evaluator, Gauge
    from .networks.course import course_discriminator, course_generator
    from .runs.run import Run, list_runs
    from .training.trainer import Trainer


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        known = import_module(".registry", __name__).choose_one(name, __all__, "it has")
        raise AttributeError(f"gan_core has no {name!r}; {known}.", name=name)
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__

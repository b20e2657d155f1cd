"""Every number a run depends on, in one frozen table with its range, unit and help, and the presets.

This file trains nothing and imports no torch: the page, the worker and a notebook all read it.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from . import registry


class ConfigError(ValueError):
    """A value outside what is allowed; the message is one sentence for a person.

    `field`, `given` and `kind` ("choice", "bool", "pair", "whole", "number", "dataset"; "" where the message says it all) let
    the page say it in other words; what is allowed stands in the field's metadata.
    """

    def __init__(self, message: str, field: str = "", given: Any = None, kind: str = "") -> None:
        super().__init__(message)
        self.field, self.given, self.kind = field, given, kind


def knob(default: Any, help: str, *, low: float | None = None, high: float | None = None, unit: str = "",
         choices: tuple[str, ...] | None = None, live: bool = False) -> Any:
    """A config field that carries its own range and help. `live`: it may change while a run trains."""
    about = {"help": help, "low": low, "high": high, "unit": unit, "choices": choices, "live": live}
    return field(default=default, metadata=about)


@dataclass(frozen=True)
class TrainConfig:
    """What is trained, on what, and how. Frozen: a run's config never changes under it.

    Every field is checked on construction; a bad one raises ConfigError and says what is allowed.
    """

    dataset: str = knob("digits", "The real pictures or points to learn from; some take more after a colon.")
    image_size: str = knob("auto", "Height and width of the pictures; auto leaves ready-made sets as they are.",
                           choices=("auto", "28", "32", "64"), unit="pixels")
    color: str = knob("auto", "Whether pictures are grey or coloured; auto takes them as they are.",
                      choices=("auto", "grey", "color"))
    crop: str = knob("center", "How pictures become square: cut to the middle, bars at the edges, or stretched.",
                     choices=("center", "pad", "stretch"))
    max_images: int = knob(0, "At most so many pictures are taken; 0 takes all, as far as memory holds them.",
                           low=0, high=10**8, unit="pictures")
    networks: str = knob("quick", "The pair of networks.", choices=tuple(registry.NETWORKS))
    loss: str = knob("non-saturating", "What the two players minimise.", choices=tuple(registry.LOSSES))
    condition: str = knob("none", "Whether both players are told the class of each picture.", choices=("none", "class"))
    seed: int = knob(0, "Where every random draw starts; the same seed gives the same run.", low=0, high=2**31 - 1)
    latent_dim: int = knob(32, "How many numbers the generator starts from.", low=1, high=1024, unit="numbers")
    batch_size: int = knob(16, "Real images per step.", low=1, high=4096, unit="images", live=True)
    lr_d: float = knob(2e-3, "Learning rate of the discriminator.", low=0.0, high=1.0, live=True)
    lr_g: float = knob(2e-3, "Learning rate of the generator.", low=0.0, high=1.0, live=True)
    betas_d: tuple[float, float] = knob((0.0, 0.99), "Adam's two memories, discriminator.", low=0.0, high=0.999999, live=True)
    betas_g: tuple[float, float] = knob((0.0, 0.99), "Adam's two memories, generator.", low=0.0, high=0.999999, live=True)
    d_steps: int = knob(1, "Discriminator updates for each generator update.", low=1, high=20, unit="updates", live=True)
    label_noise: float = knob(0.0, "Labels are raised by this times U(0, 1); the course uses 0.05.", low=0.0, high=0.5, live=True)
    label_smoothing: float = knob(0.0, "How much less than sure the labels of real pictures are.", low=0.0, high=0.5, live=True)
    instance_noise: float = knob(0.0, "Noise on all that the discriminator sees; it falls to 0 over the decay.",
                                 low=0.0, high=2.0, live=True)
    augment: str = knob("none", "DiffAugment: reals and fakes are disguised in the same ways before the discriminator sees them.",
                        choices=("none", "translation", "translation,cutout", "color,translation,cutout"), live=True)
    spectral_norm: bool = knob(False, "Keeps each layer of the discriminator from stretching anything more than once.")
    r1: float = knob(0.0, "Weight of R1: how steep the discriminator may be at real pictures.", low=0.0, high=1000.0, live=True)
    r2: float = knob(0.0, "Weight of R2: how steep the discriminator may be at generated pictures.",
                     low=0.0, high=1000.0, live=True)
    gradient_penalty: float = knob(0.0, "Weight of WGAN-GP's penalty between reals and fakes; 10 is usual.",
                                   low=0.0, high=1000.0, live=True)
    penalty: str = knob("exact", "How R1 and R2 are computed: exactly, or by a finite difference, which costs less.",
                        choices=("exact", "approximate"))
    decay_steps: int = knob(0, "Learning rates and penalties fall along half a cosine for so many steps; 0 keeps them.",
                            low=0, high=10**9, unit="steps", live=True)
    lr_final: float = knob(0.1, "What remains of the learning rates after the decay, as a share.", low=0.0, high=1.0, live=True)
    penalty_final: float = knob(0.1, "What remains of the penalties' weights after the decay, as a share.",
                                low=0.0, high=1.0, live=True)
    ema_half_life: float = knob(500.0, "Half-life of the averaged generator that is shown; 0 shows the raw one.",
                                low=0.0, high=1e6, unit="steps", live=True)
    max_steps: int = knob(0, "The run finishes after this many steps; 0 goes on until it is stopped.",
                          low=0, high=10**9, unit="steps", live=True)
    max_minutes: float = knob(0.0, "The run finishes after so many minutes of training; 0 goes on until it is stopped.",
                              low=0.0, high=1e6, unit="minutes", live=True)
    measure_share: float = knob(0.05, "Share of the training time spent on measuring quality; 0 measures nothing.",
                                low=0.0, high=0.5, live=True)
    device: str = knob("auto", "Where the networks live.", choices=("auto", "cpu", "cuda", "mps"))
    precision: str = knob("auto", "Number format of the heavy products.", choices=("auto", "fp32", "bf16"))
    memory_format: str = knob("auto", "How pictures lie in memory.", choices=("auto", "channels_last", "contiguous"))
    rewrites: str = knob("auto", "Whether convolutions are computed in a cheaper way with the same result.",
                         choices=("auto", "on", "off"))
    threads: int = knob(0, "Processor threads of the training; 0 measures, and takes fewer while others are busy.",
                        low=0, high=256, unit="threads")
    processes: int = knob(1, "Processes that share each batch: one a graphics card, or some on one processor.",
                          low=1, high=64, unit="processes")

    def __post_init__(self) -> None:
        for f in fields(self):
            object.__setattr__(self, f.name, _checked(f, getattr(self, f.name)))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; `TrainConfig.from_dict` reads it back."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainConfig:
        """Build from plain values; unknown names are refused by name."""
        if not isinstance(values, dict):
            raise ConfigError(f"a config is an object with named fields, not {type(values).__name__}.")
        known = {f.name for f in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ConfigError(f"unknown field {unknown[0]!r}; the fields are: {', '.join(sorted(known))}.")
        return cls(**values)

    def replace(self, **overrides: Any) -> TrainConfig:
        """A copy with some fields changed; unknown names are refused in words."""
        return TrainConfig.from_dict({**self.to_dict(), **overrides})


def _checked(f: Any, value: Any) -> Any:
    """The value in its field's own type, or ConfigError."""
    about = f.metadata
    if f.name == "dataset":
        return _dataset(value)
    if about["choices"] is not None:
        if value not in about["choices"]:
            raise ConfigError(f"{f.name} is {value!r}; choose one of: {', '.join(about['choices'])}.", f.name, value, "choice")
        return value
    if f.type == "bool":
        if not isinstance(value, bool):
            raise ConfigError(f"{f.name} is {value!r}; give true or false.", f.name, value, "bool")
        return value
    if f.type.startswith("tuple"):
        if isinstance(value, str) or not hasattr(value, "__len__") or len(value) != 2:
            raise ConfigError(f"{f.name} is {value!r}; give two numbers from {about['low']:g} to {about['high']:g}.",
                              f.name, value, "pair")
        return tuple(_number(f, v) for v in value)
    return _number(f, value)


def _dataset(value: Any) -> str:
    """A name of the registry, with what it is asked for after a colon."""
    try:
        if not isinstance(value, str):
            raise ValueError(f"dataset is {value!r}; give a name such as 'digits'.")
        kind, argument = registry.split_dataset(value)
    except ValueError as error:
        known = isinstance(value, str) and value.partition(":")[0] in registry.DATASETS  # then what follows is at fault
        raise ConfigError(str(error), "dataset", value, "dataset" if known else "") from error
    return f"{kind}:{argument}" if argument else kind


def _number(f: Any, value: Any) -> int | float:
    about, whole = f.metadata, f.type == "int"
    kind = "a whole number" if whole else "a number"
    allowed = f"{kind} from {about['low']:.9g} to {about['high']:.10g}" + (f" {about['unit']}" if about["unit"] else "")
    try:
        number = float(value) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or not about["low"] <= number <= about["high"] or (whole and number != int(number)):
        raise ConfigError(f"{f.name} is {value!r}; give {allowed}.", f.name, value, "whole" if whole else "number")
    return int(number) if whole else number


LIVE = frozenset(f.name for f in fields(TrainConfig) if f.metadata["live"])  # may change while a run trains

# What the ring and the grid share: R3GAN's loss [2501.05441], sharper as the penalties fall.
_POINTS: dict[str, Any] = {"networks": "mlp", "loss": "relativistic", "latent_dim": 2, "batch_size": 128, "precision": "fp32",
                           "lr_d": 3e-3, "lr_g": 3e-3, "lr_final": 0.02, "r1": 0.1, "r2": 0.1, "penalty_final": 0.01}

# The presets, first the default: small batches and a memoryless Adam make the most of seconds on one core
# (benchmarks/live.py), a little R1 and falling rates keep what was won: without them its distance was 1.2 after 3,000 steps and
# 2.3 after 7,000, with them it is 1.0 and .75. Their names and sentences for people are in gan_core/ui/words.
PRESETS: dict[str, TrainConfig] = {
    "quick": TrainConfig(r1=0.1, penalty_final=1.0, decay_steps=10_000),
    "course": TrainConfig(networks="course", loss="course", latent_dim=128, batch_size=32, lr_d=1e-4, lr_g=1e-4,
                          betas_d=(0.9, 0.999), betas_g=(0.9, 0.999), label_noise=0.05),
    # WGAN-GP [1704.00028] with the course's networks: its own optimizers, five looks of the critic for each move.
    "course-wgan-gp": TrainConfig(networks="course", loss="wasserstein", latent_dim=128, batch_size=32, lr_d=1e-4, lr_g=1e-4,
                                  betas_d=(0.5, 0.9), betas_g=(0.5, 0.9), d_steps=5, gradient_penalty=10.0),
    # R3GAN's loss [2501.05441] on the small networks; the rates are down to a tenth after two minutes of one core.
    # The average grows longer with the run: it takes out what the last rates still make them wander.
    "steady": TrainConfig(loss="relativistic", r1=0.3, r2=0.3, penalty_final=1.0, lr_d=4e-3, lr_g=4e-3, decay_steps=10_000,
                          ema_half_life=5_000),
    "conditional": TrainConfig(loss="relativistic", condition="class", r1=0.1, r2=0.1, lr_d=4e-3, lr_g=4e-3, decay_steps=4_000),
    # Points: 6,000 and 9,000 steps are 20 and 30 seconds of one core; what decays has then decayed (benchmarks/points.py).
    "ring": TrainConfig(dataset="ring", decay_steps=6_000, **_POINTS),
    "grid": TrainConfig(dataset="grid", decay_steps=9_000, **_POINTS),
    # Made to fail: the generator's gradient is the derivative of softplus where the discriminator is sure, which is nothing.
    "expert-too-strong": TrainConfig(loss="saturating", d_steps=5, lr_g=2e-4),
    # Made to fail: a generator five times as fast as its discriminator runs to what is taken for real at the moment, all of it.
    "mode-collapse": TrainConfig(dataset="grid", networks="mlp", latent_dim=2, batch_size=64, lr_d=1e-3, lr_g=5e-3,
                                 betas_d=(0.5, 0.99), betas_g=(0.5, 0.99), ema_half_life=0.0, precision="fp32"),
    # Made to fail: momentum and next to no penalty turn the two round each other for ever, as in Dirac-GAN [1801.04406 sec. 2];
    # the little R1 only keeps them on the plane.
    "merry-go-round": TrainConfig(dataset="ring", networks="mlp", loss="wasserstein", latent_dim=2, batch_size=64, lr_d=2e-3,
                                  lr_g=2e-3, betas_d=(0.9, 0.99), betas_g=(0.9, 0.99), r1=0.01, ema_half_life=0.0,
                                  precision="fp32"),
}

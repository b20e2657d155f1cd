"""Every number a run depends on, in one frozen table with its range, unit and help, and the presets.

This file trains nothing and imports no torch: the page, the worker and a notebook all read it.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any, NoReturn, Self

from . import registry
from .messages import one_line


class ConfigError(ValueError):
    """A value outside what is allowed; the message is one sentence for a person.

    `field`, `given` and `kind` ("choice", "bool", "pair", "whole", "number", "dataset_surplus", "dataset_missing",
    "dataset_long"; "" where the message says it all) let the page say it in other words; what is allowed stands in the
    field's metadata.
    """

    def __init__(self, message: str, field: str = "", given: Any = None, kind: str = "") -> None:
        super().__init__(message)
        self.field, self.given, self.kind = field, given, kind


class FieldError(ConfigError, TypeError):
    """A field that does not exist, or is given twice. Also a TypeError, which Python has for unknown arguments."""


@dataclass(frozen=True)
class Slider:
    """A slider in equal ratios, `stops` of them from low to high; with `zero`, 0 lies left of low.

    The box beside it takes the field's whole range.
    """

    low: float
    high: float
    stops: int
    zero: bool = False


RATE = Slider(1e-6, 1e-1, 200, zero=True)  # learning rates
WEIGHT = Slider(1e-3, 100, 100, zero=True)  # weights of penalties


def knob(default: Any, help: str, group: str, *, low: float | None = None, high: float | None = None, unit: str = "",
         choices: tuple[str, ...] | None = None, live: bool = False, slider: Slider | None = None) -> Any:
    """A config field that carries all there is to say of it.

    help: one sentence in standard terms; the page puts its own names for the two networks into it. group: its heading in the
    form, where fields stand in the order of this file. low, high: the range, ends included. live: it may change while a run
    trains. slider: how its slider is spaced; None gives one in equal steps if the range is short.
    """
    about = {"help": help, "group": group, "low": low, "high": high, "unit": unit, "choices": choices, "live": live,
             "slider": slider}
    return field(default=default, metadata=about)


class NamedFields:
    """Base of a dataclass: refuses fields that do not exist, or come twice, in a sentence that lists those there are."""

    def __new__(cls, *given: Any, **values: Any) -> Self:
        _check_names([f.name for f in fields(cls)], given, values)  # type: ignore[arg-type]
        return super().__new__(cls)


@dataclass(frozen=True)
class TrainConfig(NamedFields):
    """What is trained, on what, and how. Frozen: a run's config never changes under it.

    Every field is checked on construction; a bad one raises ConfigError and says what is allowed.
    """

    dataset: str = knob("digits", "The real pictures or points to learn from; some take more after a colon.", "")
    image_size: str = knob("auto", "Height and width of the pictures; auto leaves ready-made sets as they are.", "pictures",
                           choices=("auto", "28", "32", "64"), unit="pixels")
    color: str = knob("auto", "Grey or coloured; auto takes the pictures as they are.", "pictures",
                      choices=("auto", "grey", "color"))
    crop: str = knob("center", "How a picture becomes square: cut to the middle, bars at the edges, or stretched.", "pictures",
                     choices=("center", "pad", "stretch"))
    background: str = knob("auto", "What lies behind transparent parts; auto takes black where drawings are bright.", "pictures",
                           choices=("auto", "white", "black"))
    max_images: int = knob(0, "The most pictures that are taken; 0 takes all that memory holds.", "pictures",
                           low=0, high=10**8, unit="pictures")

    networks: str = knob("quick", "How the generator and the discriminator are built.", "learned",
                         choices=tuple(registry.NETWORKS))
    loss: str = knob("non-saturating", "What the two players try to make small.", "learned", choices=tuple(registry.LOSSES))
    condition: str = knob("none", "Whether both players are given the class of each picture.", "learned",
                          choices=("none", "class"))
    latent_dim: int = knob(32, "How many random numbers the generator starts from.", "learned",
                           low=1, high=1024, unit="numbers")
    seed: int = knob(0, "Where every random draw starts; the same seed gives the same run.", "learned", low=0, high=2**31 - 1)

    lr_d: float = knob(2e-3, "How far the discriminator moves at each update: its learning rate.", "optimizers",
                       low=0.0, high=1.0, live=True, slider=RATE)
    lr_g: float = knob(2e-3, "How far the generator moves at each update: its learning rate.", "optimizers",
                       low=0.0, high=1.0, live=True, slider=RATE)
    batch_size: int = knob(16, "Real pictures that the discriminator sees at each update.", "optimizers",
                           low=1, high=4096, unit="images", live=True, slider=Slider(1, 512, 9))
    ema_half_life: float = knob(500.0, "Half-life of the averaged generator that is shown; 0 shows the generator itself.",
                                "optimizers", low=0.0, high=1e6, unit="steps", live=True, slider=Slider(1, 1e5, 100))
    betas_d: tuple[float, float] = knob((0.0, 0.99), "How long Adam remembers the gradient, and its size, for the discriminator.",
                                        "optimizers", low=0.0, high=0.999999, live=True)
    betas_g: tuple[float, float] = knob((0.0, 0.99), "How long Adam remembers the gradient, and its size, for the generator.",
                                        "optimizers", low=0.0, high=0.999999, live=True)

    d_steps: int = knob(1, "Updates of the discriminator for each update of the generator.", "steadiness",
                        low=1, high=20, unit="updates", live=True)
    r1: float = knob(0.0, "Weight of R1: a penalty on the discriminator's slope at real pictures.", "steadiness",
                     low=0.0, high=1000.0, live=True, slider=WEIGHT)
    r2: float = knob(0.0, "Weight of R2: a penalty on the discriminator's slope at fakes.", "steadiness",
                     low=0.0, high=1000.0, live=True, slider=WEIGHT)
    gradient_penalty: float = knob(0.0, "WGAN-GP: keeps the discriminator's slope near 1 between reals and fakes; 10 is usual.",
                                   "steadiness", low=0.0, high=1000.0, live=True, slider=Slider(1e-2, 100, 100, zero=True))
    penalty: str = knob("exact", "How R1 and R2 are computed: exactly, or by a finite difference, which costs less.",
                        "steadiness", choices=("exact", "approximate"))
    spectral_norm: bool = knob(False, "Keeps each layer of the discriminator from stretching its input.", "steadiness")
    augment: str = knob("none", "Reals and fakes are moved, covered or recoloured before the discriminator sees them.",
                        "steadiness", live=True,
                        choices=("none", "translation", "translation,cutout", "color,translation,cutout"))
    instance_noise: float = knob(0.0, "Noise on everything the discriminator sees; it falls to 0 over the decay.", "steadiness",
                                 low=0.0, high=2.0, live=True)
    label_noise: float = knob(0.0, "Labels are raised by this times U(0, 1); the course uses 0.05.", "steadiness",
                              low=0.0, high=0.5, live=True)
    label_smoothing: float = knob(0.0, "How far the labels of real pictures are from certain.", "steadiness",
                                  low=0.0, high=0.5, live=True)

    max_steps: int = knob(0, "Steps after which the run is finished; 0 goes on until it is stopped.", "schedule",
                          low=0, high=10**9, unit="steps", live=True)
    max_minutes: float = knob(0.0, "Minutes of training after which the run is finished; 0 goes on until it is stopped.",
                              "schedule", low=0.0, high=1e6, unit="minutes", live=True)
    decay_steps: int = knob(0, "Steps over which learning rates and penalties fall, along half a cosine; 0 keeps them.",
                            "schedule", low=0, high=10**9, unit="steps", live=True)
    lr_final: float = knob(0.1, "The share of the learning rates that remains after the decay.", "schedule",
                           low=0.0, high=1.0, live=True)
    penalty_final: float = knob(0.1, "The share of the penalties that remains after the decay.", "schedule",
                                low=0.0, high=1.0, live=True)

    device: str = knob("auto", "Where the networks are computed.", "machine", choices=("auto", "cpu", "cuda", "mps"))
    precision: str = knob("auto", "Number format of the heavy products.", "machine", choices=("auto", "fp32", "bf16"))
    memory_format: str = knob("auto", "How pictures lie in memory.", "machine", choices=("auto", "channels_last", "contiguous"))
    rewrites: str = knob("auto", "Whether convolutions are computed in a cheaper way with the same result.", "machine",
                         choices=("auto", "on", "off"))
    threads: int = knob(0, "Processor threads for training; 0 measures, and takes fewer while others are busy.", "machine",
                        low=0, high=256, unit="threads")
    processes: int = knob(1, "Processes that share each batch: one a graphics card, or some on one processor.", "machine",
                          low=1, high=64, unit="processes")
    measure_share: float = knob(0.05, "Share of the training time spent on measuring quality; 0 measures nothing.", "machine",
                                low=0.0, high=0.5, live=True)

    def __post_init__(self) -> None:
        for f in fields(self):
            object.__setattr__(self, f.name, _checked(f, getattr(self, f.name)))

    def is_batch_shared_by(self, processes: int) -> bool:
        """Whether so many processes can take equal parts of each batch."""
        return self.batch_size % processes == 0

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; `TrainConfig.from_dict` reads it back."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainConfig:
        """Build from plain values; unknown names are refused by name."""
        if not isinstance(values, dict):
            raise ConfigError(f"a config is an object with named fields, not {type(values).__name__}.")
        _check_names([f.name for f in fields(cls)], (), values)  # also of names that are no text, which ** would not take
        return cls(**values)

    def replace(self, **overrides: Any) -> TrainConfig:
        """A copy with some fields changed; unknown names are refused in words."""
        return TrainConfig.from_dict({**self.to_dict(), **overrides})


def _check_names(known: list[str], given: tuple[Any, ...], values: dict[str, Any]) -> None:
    """Raise FieldError where values without names, in the fields' order, or with them do not fit the `known` fields."""
    unknown = sorted((name for name in values if name not in known), key=str)
    if unknown:
        raise FieldError(f"unknown field {one_line(unknown[0])}; "
                         f"{registry.choose_one(unknown[0], sorted(known), 'the fields are')}.")
    if len(given) > len(known):
        raise FieldError(f"{len(given)} values are given for {len(known)} fields; write each as FIELD=VALUE.")
    twice = [name for name in known[:len(given)] if name in values]
    if twice:
        raise FieldError(f"{twice[0]} is given twice, as {one_line(given[known.index(twice[0])])} and "
                         f"{one_line(values[twice[0]])}; give it once.")


def check_config_type(value: Any) -> TrainConfig:
    """The value itself. Raises ConfigError where it is no TrainConfig, such as a preset's name."""
    if not isinstance(value, TrainConfig):
        known = isinstance(value, str) and value in PRESETS
        raise ConfigError(f"config is {one_line(value)}; give a TrainConfig, such as PRESETS[{value if known else 'quick'!r}].")
    return value


def _checked(f: Any, value: Any) -> Any:
    """The value in its field's own type, or ConfigError."""
    about = f.metadata
    if f.name == "dataset":
        return _dataset(value)
    if (f.name, value) == ("networks", registry.NOTEBOOK):
        return value
    if about["choices"] is not None:
        if not isinstance(value, str) or value not in about["choices"]:
            raise ConfigError(f"{f.name} is {one_line(value)}; {registry.choose_one(value, about['choices'])}.",
                              f.name, value, "choice")
        return value
    if f.type == "bool":
        if not isinstance(value, bool):
            raise ConfigError(f"{f.name} is {one_line(value)}; give true or false.", f.name, value, "bool")
        return value
    if f.type.startswith("tuple"):
        if isinstance(value, str) or not hasattr(value, "__len__") or len(value) != 2:
            raise ConfigError(f"{f.name} is {one_line(value)}; give two numbers from {about['low']:g} to {about['high']:g}.",
                              f.name, value, "pair")
        return tuple(_number(f, v) for v in value)
    return _number(f, value)


def _dataset(value: Any) -> str:
    """A name of the registry, with what it is asked for after a colon."""
    if not isinstance(value, str):
        raise ConfigError(f"dataset is {one_line(value)}; give a name such as 'digits'.", "dataset", value)
    try:
        kind, argument = registry.split_dataset(value)
    except registry.DatasetNameError as error:
        # An unknown name has no sentence of the page's: its list offers only known ones.
        raise ConfigError(str(error), "dataset", value, "" if error.kind == "unknown" else f"dataset_{error.kind}") from error
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
        raise ConfigError(f"{f.name} is {one_line(value)}; give {allowed}.", f.name, value, "whole" if whole else "number")
    return int(number) if whole else number


LIVE = frozenset(f.name for f in fields(TrainConfig) if f.metadata["live"])  # may change while a run trains
OF_FIT = frozenset({"batch_size", "max_steps", "max_minutes"})  # of these, what a notebook's fit was given: what an epoch is
# heading -> fields, both in the order of TrainConfig; the data set has a place of its own
FIELD_GROUPS: dict[str, tuple[str, ...]] = {
    group: tuple(f.name for f in fields(TrainConfig) if f.metadata["group"] == group)
    for group in dict.fromkeys(f.metadata["group"] for f in fields(TrainConfig)) if group}

class Presets(dict[str, TrainConfig]):
    """Name -> preset. Raises UnknownName, a KeyError that is a sentence, for a name that is not there."""

    def __missing__(self, name: object) -> NoReturn:
        raise registry.UnknownName(f"there is no preset {one_line(name)}; {registry.choose_one(name, self)}.")


# The presets, first the default, in the order in which they are shown. Their names and sentences are in gan_core/ui/words.
PRESETS: dict[str, TrainConfig] = Presets()
PRESET_GROUPS: dict[str, str] = {}  # preset -> heading: "digits", "points" or "failing"


def _preset(name: str, group: str, **values: Any) -> None:
    PRESETS[name], PRESET_GROUPS[name] = TrainConfig(**values), group


# Small batches and an Adam without momentum make the most of seconds on one core (benchmarks/live.py). A little R1 and falling
# rates keep what was won: without them the distance was 1.2 after 3,000 steps and 2.3 after 7,000, with them 1.0 and .75.
_preset("quick", "digits", r1=0.1, penalty_final=1.0, decay_steps=10_000)
_preset("course", "digits", networks="course", loss="course", latent_dim=128, batch_size=32, lr_d=1e-4, lr_g=1e-4,
        betas_d=(0.9, 0.999), betas_g=(0.9, 0.999), label_noise=0.05)
# WGAN-GP [1704.00028] with the course's networks: its own optimizers, five updates of the critic for each of the generator.
_preset("course-wgan-gp", "digits", networks="course", loss="wasserstein", latent_dim=128, batch_size=32, lr_d=1e-4, lr_g=1e-4,
        betas_d=(0.5, 0.9), betas_g=(0.5, 0.9), d_steps=5, gradient_penalty=10.0)
# R3GAN's loss [2501.05441] on the small networks; the rates are down to a tenth after two minutes of one core.
# The average reaches further back as the run grows: it removes what the last rates still make the weights wander. Gradients are
# remembered for ten steps, not a hundred: with .99 two of four seeds threw the generator's last layer so far into its sigmoid
# within the first hundred steps that it never came back (|logit| 25 - 45 instead of 15; distance 6.7 after 3,000 steps, not 1.6).
_preset("steady", "digits", loss="relativistic", r1=0.3, r2=0.3, penalty_final=1.0, lr_d=4e-3, lr_g=4e-3, betas_d=(0.0, 0.9),
        betas_g=(0.0, 0.9), decay_steps=10_000, ema_half_life=5_000)
_preset("conditional", "digits", loss="relativistic", condition="class", r1=0.1, r2=0.1, lr_d=4e-3, lr_g=4e-3, decay_steps=4_000)
# Ring and grid share R3GAN's loss, sharper as the penalties fall. Adam's longest step is rate / sqrt(1 - beta2). Near the
# equilibrium gradients are small, so that the first large one goes that far: with .99 it was ten rates, and all fakes were thrown
# away between steps 700 and 2,400; with .9 it is three, and the average hides what is left of it (benchmarks/presets.py).
# 6,000 and 5,000 steps are some 20 seconds of one core; what decays has then decayed (benchmarks/points.py).
# With rates of 3e-3 one of ten seeds of the ring fell below the bar once, after 700 steps, and one of two of the grid. With 2e-3
# no ring did, as soon at its bar; the grid takes longer to its bar, so it has 2.5e-3. When these fell over 9,000 steps two or
# three of ten grids came below the bar again, down to 87.8% good; over 5,000 none did, and the end is 1% less sharp.
_POINTS: dict[str, Any] = {"networks": "mlp", "loss": "relativistic", "latent_dim": 2, "batch_size": 128, "precision": "fp32",
                           "lr_d": 2e-3, "lr_g": 2e-3, "betas_d": (0.0, 0.9), "betas_g": (0.0, 0.9), "lr_final": 0.02,
                           "r1": 0.1, "r2": 0.1, "penalty_final": 0.01}
_preset("ring", "points", dataset="ring", decay_steps=6_000, **_POINTS)
_preset("grid", "points", dataset="grid", decay_steps=5_000, **{**_POINTS, "lr_d": 2.5e-3, "lr_g": 2.5e-3})
# Made to fail: the generator's gradient is the derivative of softplus where the discriminator is sure, which is nothing.
_preset("expert-too-strong", "failing", loss="saturating", d_steps=5, lr_g=2e-4)
# Made to fail: nothing in a plain GAN's loss asks for what the generator does not make. After 1,000 steps of ten seeds 97.5% of
# the fakes or more were near one of the places, and 90% of them at 4 to 7 of the 25 (benchmarks/failures.py). A generator five
# times as fast as its discriminator does not collapse, it leaves: of two seeds 0 and 19% of the fakes were in view by then.
_preset("mode-collapse", "failing", dataset="grid", networks="mlp", latent_dim=2, batch_size=64, lr_d=2e-3, lr_g=2e-3,
        betas_d=(0.5, 0.99), betas_g=(0.5, 0.99), ema_half_life=0.0, precision="fp32")
# Made to fail: a critic without a penalty on its slope and the generator turn round each other without end, as in Dirac-GAN
# [1801.04406 sec. 2]. Spectral norm bounds the critic and so the losses. The generator is bounded as well: the critic of waves
# repeats itself outside the ring, so that without a bound 22 - 54% of the fakes were in view at the worst look of 4,000 steps,
# and with any penalty that kept them there they settled (benchmarks/presets.py).
_preset("merry-go-round", "failing", dataset="ring", networks="mlp-bounded", loss="wasserstein", latent_dim=2, batch_size=64,
        lr_d=2e-3, lr_g=1.5e-3, betas_d=(0.5, 0.9), betas_g=(0.5, 0.9), spectral_norm=True, ema_half_life=0.0, precision="fp32")

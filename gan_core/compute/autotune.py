"""Measures which device, number format, memory format and number of threads train a config fastest.

It times whole steps of throwaway trainers, which the caller builds; a run is not affected. Explicit choices are kept, only open
ones are measured.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol

import torch

from ..config import TrainConfig
from .choices import ComputeChoices, devices, has_bf16, resolve
from .cores import cores
from .thread_tuner import thread_counts

BUDGET, THREADS_BUDGET = 0.8, 0.3  # seconds, about: no measurement begins later; threads are measured last, on their budget
MEASUREMENT = 0.025  # seconds of steps in one measurement, at least one step
SLOW_STEP = 0.05  # seconds; if the first step takes longer, a part of the batch is measured
ROUNDS = 2  # measurements of each candidate; its best one counts
GAIN = 1.1  # a candidate must be so many times faster to replace a simpler one: fp32, one thread
# Fields that do not change what a step costs.
COSTLESS = {"seed", "lr_d", "lr_g", "betas_d", "betas_g", "decay_steps", "lr_final", "penalty_final", "ema_half_life",
            "max_steps", "measure_share", "label_noise", "label_smoothing"}
_known: dict[str, ComputeChoices] = {}  # cache of this process: kind of work -> choices, threads aside


class Trainable(Protocol):
    """What is timed; `training.trainer.Trainer` is one. `choices` may be replaced between two steps."""

    choices: ComputeChoices
    points: bool  # 2-D points, which have no memory format
    G: torch.nn.Module
    D: torch.nn.Module

    def step(self) -> Mapping[str, Any]: ...


TrainerBuilder = Callable[[TrainConfig, ComputeChoices], Trainable]


def choose(config: TrainConfig, build: TrainerBuilder, threads: int = 0) -> ComputeChoices:
    """The fastest choices for training `config`. build(config, choices) makes a throwaway trainer on the run's data.

    threads: used where the config leaves them open; 0 measures them too. A second call for the same kind of work measures only
    the threads again, because the machine may be busier or quieter by then. Raises ValueError for what cannot be trained at all.
    Afterwards torch uses the number of threads that was chosen.
    """
    work = str({name: value for name, value in config.to_dict().items() if name not in COSTLESS})
    fixed = resolve(config.device, config.precision, config.threads or threads, config.memory_format, config.rewrites)
    probe = _Probe(config, build)
    choices = _known.get(work)
    if choices is None:
        choices = _known[work] = _without_threads(probe, config, replace(fixed, threads=config.threads or threads or 1))
    if config.threads or threads or choices.device != "cpu":
        choices = replace(choices, threads=config.threads or threads or 1)
    else:
        choices = _with_threads(probe, replace(choices, threads=1))
    torch.set_num_threads(choices.threads)
    return choices


def _without_threads(probe: _Probe, config: TrainConfig, defaults: ComputeChoices) -> ComputeChoices:
    """Measures each open choice in turn, with the others as they are; those that matter most come first."""
    best = None
    probe.set_deadline(BUDGET)
    for device in devices() if config.device == "auto" else [defaults.device]:
        choices = resolve(device, config.precision, defaults.threads, config.memory_format, config.rewrites)
        if config.precision == "auto":
            choices = probe.fastest(replace(choices, precision=p) for p in ("fp32", *(["bf16"] if has_bf16(device) else [])))
        if config.rewrites == "auto" and probe.has_rewrites(choices):
            choices = probe.fastest(replace(choices, rewrites=on) for on in (choices.rewrites, not choices.rewrites))
        if config.memory_format == "auto" and not probe.has_points(choices):
            choices = probe.fastest(replace(choices, memory_format=name) for name in ("channels_last", "contiguous"))
        best = choices if best is None else probe.fastest([best, choices])
    return best or defaults


def _with_threads(probe: _Probe, choices: ComputeChoices) -> ComputeChoices:
    """The fastest number of threads up to all cores; more threads must be worth it."""
    probe.set_deadline(THREADS_BUDGET)
    candidates = [replace(choices, threads=n) for n in thread_counts(cores())]
    fastest = probe.fastest(candidates)
    speeds = [(c.threads, probe.speeds[c]) for c in candidates if probe.speeds.get(c)]
    return replace(fastest, speeds=tuple(speeds))


class _Probe:
    """Throwaway trainers of one config, one for each device and memory format, and the speeds measured with them."""

    def __init__(self, config: TrainConfig, build: TrainerBuilder) -> None:
        self.config, self._build = config, build
        self.speeds: dict[ComputeChoices, float] = {}  # images per second
        self._trainers: dict[tuple[str, str, int], Trainable] = {}
        self._batch = config.batch_size
        self._deadline = 0.0

    def set_deadline(self, seconds: float) -> None:
        """Begin no measurement later than so many seconds from now."""
        self._deadline = time.monotonic() + seconds

    def fastest(self, candidates: Iterable[ComputeChoices]) -> ComputeChoices:
        """The first candidate, unless a later one is clearly faster; the candidates take turns."""
        candidates = list(candidates)
        if len(candidates) < 2:
            return candidates[0]
        for _ in range(ROUNDS):
            for candidate in candidates:
                if time.monotonic() < self._deadline and not self._hopeless(candidate, candidates):
                    self.speeds[candidate] = max(self._measured(candidate), self.speeds.get(candidate, 0.0))
        best = candidates[0]
        for candidate in candidates[1:]:
            if self.speeds.get(candidate, 0.0) > GAIN * self.speeds.get(best, 0.0):
                best = candidate
        return best

    def has_rewrites(self, choices: ComputeChoices) -> bool:
        """Whether one of the networks has cheaper forms."""
        trainer = self._trainer(choices)
        return any(getattr(network, "has_rewrites", False) for network in (trainer.G, trainer.D))

    def has_points(self, choices: ComputeChoices) -> bool:
        """Whether the data are 2-D points."""
        return self._trainer(choices).points

    def _hopeless(self, candidate: ComputeChoices, candidates: list[ComputeChoices]) -> bool:
        """Whether it was less than half as fast as another before: threads beside a busy process can be very slow."""
        return self.speeds.get(candidate, float("inf")) < 0.5 * max(self.speeds.get(other, 0.0) for other in candidates)

    def _measured(self, choices: ComputeChoices) -> float:
        """Images per second of whole steps, now; 0 for what this device cannot do."""
        try:
            torch.set_num_threads(choices.threads)
            trainer = self._trainer(choices)
            if choices not in self.speeds:
                started = time.monotonic()
                _step(trainer)  # the first step of a kind prepares its kernels
                seconds = time.monotonic() - started
                if not self.speeds and seconds > SLOW_STEP:
                    self._batch = max(2, int(self._batch * SLOW_STEP / seconds))
                    trainer = self._trainer(choices)
                    _step(trainer)
            times: list[float] = []
            while sum(times) < MEASUREMENT:
                started = time.monotonic()
                _step(trainer)
                times.append(time.monotonic() - started)
            return self._batch / statistics.median(times)
        except (RuntimeError, NotImplementedError):
            return 0.0  # the device lacks an operation, or memory

    def _trainer(self, choices: ComputeChoices) -> Trainable:
        key = (choices.device, choices.memory_format, self._batch)
        if key not in self._trainers:
            self._trainers[key] = self._build(self.config.replace(batch_size=self._batch), choices)
        trainer = self._trainers[key]
        trainer.choices = choices
        return trainer


def _step(trainer: Trainable) -> None:
    float(trainer.step()["g_loss"])  # reading a number waits until the device has finished

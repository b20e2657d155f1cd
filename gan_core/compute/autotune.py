"""Measures which device, number format, memory format and number of threads train one config fastest.

It times whole steps of throwaway trainers, which the caller builds: this file does not know what a step is. A run keeps no
trace of it. Explicit choices are kept; only open ones are measured.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol

import torch

from ..config import TrainConfig
from .choices import ComputeChoices, cores, devices, has_bf16, resolve
from .thread_tuner import thread_counts

BUDGET, FOR_THREADS = 0.8, 0.3  # seconds, about: no measurement begins later; the threads are measured last, in time of their own
SPAN = 0.025  # seconds of steps in one measurement, at least one step
SLOW = 0.05  # seconds; where the first step takes longer, a part of the batch is measured
ROUNDS = 2  # each candidate's turns; its best one counts
GAIN = 1.1  # what is not so much faster is not worth leaving the simpler choice: fp32, one thread
# Fields that do not change what a step costs.
FREE = {"seed", "lr_d", "lr_g", "betas_d", "betas_g", "decay_steps", "lr_final", "penalty_final", "ema_half_life", "max_steps",
        "measure_share", "label_noise", "label_smoothing"}
_known: dict[str, ComputeChoices] = {}  # what this process has found out already, but for the threads


class Trainable(Protocol):
    """What is timed: `training.trainer.Trainer` is one. `choices` may be replaced between two steps."""

    choices: ComputeChoices
    points: bool  # 2-D points, which have no memory format
    G: torch.nn.Module
    D: torch.nn.Module

    def step(self) -> Mapping[str, Any]: ...


TrainerBuilder = Callable[[TrainConfig, ComputeChoices], Trainable]


def choose(config: TrainConfig, build: TrainerBuilder, threads: int = 0) -> ComputeChoices:
    """The fastest choices for training `config`. build(config, choices) makes a throwaway trainer on the run's own data.

    threads: used where the config leaves them open; 0 measures them too.

    A second call for the same kind of work measures only the threads again: the machine may be busier by then, or quieter.
    Raises ValueError for what cannot be trained at all. Leaves torch on the number of threads it found.
    """
    work = str({name: value for name, value in config.to_dict().items() if name not in FREE})
    fixed = resolve(config.device, config.precision, config.threads or threads, config.memory_format, config.rewrites)
    probe = _Probe(config, build)
    found = _known.get(work)
    if found is None:
        found = _known[work] = _without_threads(probe, config, replace(fixed, threads=config.threads or threads or 1))
    if config.threads or threads or found.device != "cpu":
        found = replace(found, threads=config.threads or threads or 1)
    else:
        found = _with_threads(probe, replace(found, threads=1))
    torch.set_num_threads(found.threads)
    return found


def _without_threads(probe: _Probe, config: TrainConfig, found: ComputeChoices) -> ComputeChoices:
    """Each open choice in turn, the others as they are; those that matter most come first."""
    best = None
    probe.allow(BUDGET)
    for device in devices() if config.device == "auto" else [found.device]:
        own = resolve(device, config.precision, found.threads, config.memory_format, config.rewrites)
        if config.precision == "auto":
            own = probe.fastest(replace(own, precision=p) for p in ("fp32", *(["bf16"] if has_bf16(device) else [])))
        if config.rewrites == "auto" and probe.has_rewrites(own):
            own = probe.fastest(replace(own, rewrites=on) for on in (own.rewrites, not own.rewrites))
        if config.memory_format == "auto" and not probe.has_points(own):
            own = probe.fastest(replace(own, memory_format=name) for name in ("channels_last", "contiguous"))
        best = own if best is None else probe.fastest([best, own])
    return best or found


def _with_threads(probe: _Probe, found: ComputeChoices) -> ComputeChoices:
    """One thread, or more of them up to all cores as long as each step up is worth it."""
    probe.allow(FOR_THREADS)
    candidates = [replace(found, threads=n) for n in thread_counts(cores())]
    found = probe.fastest(candidates)
    speeds = [(c.threads, probe.speeds[c]) for c in candidates if probe.speeds.get(c)]
    return replace(found, speeds=tuple(speeds))


class _Probe:
    """Throwaway trainers of one config, one for each way in which their tensors lie, and what was measured with them."""

    def __init__(self, config: TrainConfig, build: TrainerBuilder) -> None:
        self.config, self._build = config, build
        self.speeds: dict[ComputeChoices, float] = {}  # images per second
        self._trainers: dict[tuple[str, str, int], Trainable] = {}
        self._batch = config.batch_size
        self._deadline = 0.0

    def allow(self, seconds: float) -> None:
        """Begin measurements for so long from now on."""
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
        """Whether one of the networks has cheaper forms to choose."""
        trainer = self._trainer(choices)
        return any(getattr(network, "has_rewrites", False) for network in (trainer.G, trainer.D))

    def has_points(self, choices: ComputeChoices) -> bool:
        """Whether the data are 2-D points."""
        return self._trainer(choices).points

    def _hopeless(self, candidate: ComputeChoices, candidates: list[ComputeChoices]) -> bool:
        """Less than half as fast as another in an earlier turn: threads beside a busy process can be so slow that it hurts."""
        return self.speeds.get(candidate, float("inf")) < 0.5 * max(self.speeds.get(other, 0.0) for other in candidates)

    def _measured(self, choices: ComputeChoices) -> float:
        """Images per second of whole steps, now; 0 for what does not work on this device."""
        try:
            torch.set_num_threads(choices.threads)
            trainer = self._trainer(choices)
            if choices not in self.speeds:
                started = time.monotonic()
                _step(trainer)  # the first step of a kind prepares its kernels
                took = time.monotonic() - started
                if not self.speeds and took > SLOW:
                    self._batch = max(2, int(self._batch * SLOW / took))
                    trainer = self._trainer(choices)
                    _step(trainer)
            times: list[float] = []
            while sum(times) < SPAN:
                started = time.monotonic()
                _step(trainer)
                times.append(time.monotonic() - started)
            return self._batch / statistics.median(times)
        except (RuntimeError, NotImplementedError):
            return 0.0  # an operation that this device lacks, or memory

    def _trainer(self, choices: ComputeChoices) -> Trainable:
        where = (choices.device, choices.memory_format, self._batch)
        if where not in self._trainers:
            self._trainers[where] = self._build(self.config.replace(batch_size=self._batch), choices)
        trainer = self._trainers[where]
        trainer.choices = choices
        return trainer


def _step(trainer: Trainable) -> None:
    float(trainer.step()["g_loss"])  # a number on the CPU: the device has finished

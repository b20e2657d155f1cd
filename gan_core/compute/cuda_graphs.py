"""An update as one CUDA graph: hundreds of small launches become one, and nothing waits for the device.

A graph repeats what was captured, numbers that Python computed included. So whatever differs from step to step comes in from
outside: the draws through a `DrawTape` of static tensors, learning rates as tensors, averages and counts after the update.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ..losses.randomness import Draws

Metrics = dict[str, torch.Tensor]
WARM_UP_CALLS = 3  # updates made in the usual way first: kernels are chosen and memory is found
Captured = Callable[[], None]  # repeats what was captured


class DrawTape:
    """The draws of one update, kept as tensors at fixed places on the device and drawn anew for each step."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._entries: list[tuple[Draws, str, tuple[Any, ...], torch.Tensor]] = []
        self._place = 0

    def rewind(self, index: int) -> None:
        """To the beginning, with every tensor drawn for step `index`."""
        self._place = 0
        for draws, kind, arguments, place in self._entries:
            values = _draw(draws, kind, index, arguments)
            place.copy_(values.pin_memory() if place.is_cuda else values, non_blocking=True)

    def next(self, draws: Draws, kind: str, index: int, arguments: tuple[Any, ...]) -> torch.Tensor:
        """The tensor of the next draw; the first time round it is made here."""
        if self._place == len(self._entries):
            self._entries.append((draws, kind, arguments, _draw(draws, kind, index, arguments).to(self.device, copy=True)))
        known, expected, before, place = self._entries[self._place]
        assert (known, expected, before) == (draws, kind, arguments), "an update draws the same things in the same order"
        self._place += 1
        return place


class TapedDraws:
    """Draws through a tape, in place of `Draws` while an update is recorded."""

    def __init__(self, draws: Draws, tape: DrawTape) -> None:
        self._draws, self._tape = draws, tape

    def normal(self, stream: str, index: int, *shape: int) -> torch.Tensor:
        return self._tape.next(self._draws, "normal", index, (stream, *shape))

    def uniform(self, stream: str, index: int, *shape: int) -> torch.Tensor:
        return self._tape.next(self._draws, "uniform", index, (stream, *shape))

    def batch(self, index: int, batch_size: int, total: int) -> torch.Tensor:
        return self._tape.next(self._draws, "batch", index, (batch_size, total))


def _draw(draws: Draws, kind: str, index: int, arguments: tuple[Any, ...]) -> torch.Tensor:
    if kind == "batch":
        return draws.batch(index, *arguments)
    stream, *shape = arguments
    return getattr(draws, kind)(stream, index, *shape)


class GraphedUpdate:
    """`update(index)` -> metrics, as a graph after `WARM_UP_CALLS` calls. Where capturing fails it goes on as before and warns.

    holders: (object, attribute name) of every `Draws` that the update draws from. capture: how to capture; see `cuda_capture`.
    """

    def __init__(self, update: Callable[[int], Metrics], device: torch.device, holders: list[tuple[Any, str]],
                 capture: Callable[[Callable[[], None]], Captured] | None = None) -> None:
        self._update, self._device, self._holders = update, device, holders
        self._capture = capture or cuda_capture
        self._tape, self._calls = DrawTape(device), 0
        self._replay: Captured | None = None
        self._metrics: Metrics = {}
        self.failure = ""  # why there is no graph, in a sentence

    def __call__(self, index: int) -> Metrics:
        if self.failure:
            return self._update(index)
        self._calls += 1
        if self._calls <= WARM_UP_CALLS:
            return self._warm(index)
        self._tape.rewind(index)
        if self._replay is None and not self._captured(index):
            return self._update(index)
        assert self._replay is not None
        self._replay()
        # The graph will write over its results.
        return {name: value.clone() for name, value in self._metrics.items()}

    def _warm(self, index: int) -> Metrics:
        """A real update beside the main stream, as CUDA asks of what will be captured; the tape learns what is drawn."""
        self._tape.rewind(index)
        if self._device.type != "cuda":
            with self._taped():
                return self._update(index)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream), self._taped():
            metrics = self._update(index)
        torch.cuda.current_stream().wait_stream(stream)
        return metrics

    def _captured(self, index: int) -> bool:
        def once() -> None:
            self._metrics = self._update(index)

        try:
            with self._taped():
                self._replay = self._capture(once)
        except RuntimeError as error:
            self.failure = f"The update cannot be captured as a CUDA graph ({str(error).splitlines()[0]}); it runs step by step."
            warnings.warn(self.failure, stacklevel=2)
        return not self.failure

    @contextmanager
    def _taped(self) -> Iterator[None]:
        before = [getattr(holder, name) for holder, name in self._holders]
        for (holder, name), draws in zip(self._holders, before, strict=True):
            setattr(holder, name, TapedDraws(draws, self._tape))
        try:
            yield
        finally:
            for (holder, name), draws in zip(self._holders, before, strict=True):
                setattr(holder, name, draws)


def cuda_capture(once: Callable[[], None]) -> Captured:
    """Capture what `once` launches, without running it; returns how to run it."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        once()
    return graph.replay

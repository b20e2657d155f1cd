"""An update as one CUDA graph: hundreds of small launches become one, and nothing waits for the device.

A graph repeats what was captured, numbers that Python computed included. So whatever changes with the step stays outside: the
draws come through a `DrawTape` of static tensors, learning rates are tensors, averages and counts follow the update.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ..losses.randomness import Draws

Metrics = dict[str, torch.Tensor]
WARM_UP_CALLS = 3  # eager updates first, in which kernels are chosen and memory is allocated
Replay = Callable[[], None]  # repeats what was captured


class DrawTape:
    """The draws of one update: tensors at fixed addresses on the device, filled anew for each step."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._entries: list[tuple[Draws, str, tuple[Any, ...], torch.Tensor]] = []
        self._position = 0

    def rewind(self, index: int) -> None:
        """Back to the first draw, with every tensor filled for step `index`."""
        self._position = 0
        for draws, kind, arguments, tensor in self._entries:
            values = _draw(draws, kind, index, arguments)
            tensor.copy_(values.pin_memory() if tensor.is_cuda else values, non_blocking=True)

    def next(self, draws: Draws, kind: str, index: int, arguments: tuple[Any, ...]) -> torch.Tensor:
        """The tensor of the next draw; in the first update it is created here."""
        if self._position == len(self._entries):
            self._entries.append((draws, kind, arguments, _draw(draws, kind, index, arguments).to(self.device, copy=True)))
        *recorded, tensor = self._entries[self._position]
        assert recorded == [draws, kind, arguments], "every update makes the same draws in the same order"
        self._position += 1
        return tensor


class TapedDraws:
    """Takes the place of `Draws` during an update and draws through a tape."""

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
    """`update(index)` -> metrics, as a graph after `WARM_UP_CALLS` calls. If capturing fails it warns and stays eager.

    holders: (object, attribute name) of every `Draws` that the update draws from. capture: how to capture; see `cuda_capture`.
    """

    def __init__(self, update: Callable[[int], Metrics], device: torch.device, holders: list[tuple[Any, str]],
                 capture: Callable[[Callable[[], None]], Replay] | None = None) -> None:
        self._update, self._device, self._holders = update, device, holders
        self._capture = capture or cuda_capture
        self._tape, self._calls = DrawTape(device), 0
        self._replay: Replay | None = None
        self._metrics: Metrics = {}
        self.failure = ""  # why there is no graph, one sentence

    def __call__(self, index: int) -> Metrics:
        if self.failure:
            return self._update(index)
        self._calls += 1
        if self._calls <= WARM_UP_CALLS:
            return self._warm_up(index)
        self._tape.rewind(index)
        if self._replay is None and not self._try_capture(index):
            return self._update(index)
        assert self._replay is not None
        self._replay()
        # The graph will overwrite its results.
        return {name: value.clone() for name, value in self._metrics.items()}

    def _warm_up(self, index: int) -> Metrics:
        """A real update on a side stream, as CUDA requires before a capture; the tape records what is drawn."""
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

    def _try_capture(self, index: int) -> bool:
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


def cuda_capture(once: Callable[[], None]) -> Replay:
    """Capture what `once` launches, without running it; returns what runs it."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        once()
    return graph.replay

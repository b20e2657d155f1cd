"""How rank 0 leads the other processes of a run: it sends an order, all follow it, and so all make the same steps.

Rank 0 alone has the run's folder, its commands and its clock. An order is one exchange of a few whole numbers about every
tenth of a second; by it rank 0 also learns whether another process was asked to end.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Any, TypedDict

import torch

from ..compute.choices import ComputeChoices
from ..compute.distributed import Team
from ..config import LIVE, TrainConfig
from ..data import loading
from ..messages import Misfit
from ..training.trainer import Trainer

STRETCH = 0.1  # seconds of steps that one order asks for, about: a pause waits for so long
MOST_STEPS = 256  # that one order asks for
KEEP_ALIVE = 0.2  # seconds between two messages to processes that have nothing to do
# What a single step may move -> the trainer's method for it.
NETWORKS = {"discriminator": "discriminator_step", "generator": "generator_step", "both": "step"}


class Order(IntEnum):
    """The first number of an exchange, [order, first, second, payload bytes, stops]; `stops` is the number of stop requests."""

    WAIT = 1
    START = 2  # payload: StartPayload
    SET_STATE = 3  # payload: the knobs, {name: value}; then all tensors are broadcast
    STEPS = 4  # first: how many; second: the place in NETWORKS
    END = 5  # first: the exit status


class StartPayload(TypedDict):
    """What the other processes need to build their trainer."""

    config: dict[str, Any]
    resolved: dict[str, Any]  # ComputeChoices


class ProcessMismatch(Misfit):
    """A process of the team cannot do what the first one can; one sentence."""


class Coordinator:
    """Rank 0's side. In a team of one nothing is sent, and every order is one step."""

    def __init__(self, team: Team) -> None:
        self.team = team
        self.stop_requested = False  # by another process
        self._silent = team.size == 1  # nobody waits for an order: alone, while steps are made, or after the end
        self._count, self._sent = 1, 0.0

    def _send(self, order: Order, first: int = 0, second: int = 0, payload: bytes = b"") -> None:
        self._silent = True  # after an exchange that fails there is no other
        *_, stops = self.team.sum([order, first, second, len(payload), 0])
        if payload:
            self.team.broadcast_bytes(payload, len(payload))
        self.stop_requested |= stops > 0
        self._silent, self._sent = False, time.monotonic()

    def keep_alive(self) -> None:
        """Tell the others, now and then, that there is nothing to do; may be called as often as one likes."""
        if not self._silent and time.monotonic() - self._sent >= KEEP_ALIVE:
            self._send(Order.WAIT)

    def start(self, trainer: Trainer) -> None:
        """Let everyone load the same data and build the same trainer. Raises ProcessMismatch, a ValueError, if one cannot."""
        if not self._silent:
            payload = StartPayload(config=trainer.config.to_dict(), resolved=trainer.choices.to_dict())
            self._send(Order.START, payload=json.dumps(payload).encode())
            for _ in range(3):  # data of each machine's first process, of its other ones, trainers
                _check_errors(self.team)
            _check_same_data(self.team, trainer)

    def broadcast_state(self, trainer: Trainer) -> None:
        """Everyone's knobs, weights, moments and counts become this trainer's."""
        if not self._silent:
            knobs = {name: value for name, value in trainer.config.to_dict().items() if name in LIVE}
            self._send(Order.SET_STATE, payload=json.dumps(knobs).encode())
            self.team.broadcast_(trainer.state_dict().values())

    def steps(self, network: str, limit: int = 0) -> Iterator[None]:
        """Yields once for each step that all processes make now, this one included; at most `limit` times unless that is 0."""
        if self._silent:
            yield
            return
        count = min(self._count, limit or self._count)
        self._send(Order.STEPS, count, list(NETWORKS).index(network))
        started, self._silent = time.monotonic(), True
        for _ in range(count):
            yield
        seconds, self._silent = time.monotonic() - started, False
        if seconds > STRETCH:
            self._count = max(1, count // 2)
        elif count == self._count and seconds < STRETCH / 2:
            self._count = min(MOST_STEPS, 2 * count)

    def end(self, status: int) -> None:
        """End the other processes with this exit status, once. Nothing is sent where they are gone, or during a step."""
        if not self._silent:
            self._send(Order.END, status)
            self._silent = True


def follow(team: Team, stop_requested: Callable[[], bool]) -> int:
    """What every process but the first does: follow rank 0 until the end; returns the exit status.

    stop_requested: whether this process was asked to end, which it reports to rank 0. Raises TeamBroken if another has ended.
    """
    trainer: Trainer | None = None
    while True:
        order, first, second, length, _ = team.sum([0, 0, 0, 0, int(stop_requested())])
        payload = json.loads(team.broadcast_bytes(b"", length)) if length else {}
        if order == Order.END:
            return first
        if order == Order.START:
            try:
                trainer = _build_trainer(team, TrainConfig.from_dict(payload["config"]), ComputeChoices(**payload["resolved"]))
            except ProcessMismatch as error:
                print(error, file=sys.stderr)  # rank 0 raises it too, and sends what comes next
        elif order == Order.SET_STATE:
            assert trainer is not None
            trainer.tune(**payload)
            state = trainer.state_dict()
            team.broadcast_(state.values())
            trainer.load_state_dict(state)
        elif order == Order.STEPS:
            step = getattr(trainer, list(NETWORKS.values())[second])
            for _ in range(first):
                step()


def _build_trainer(team: Team, config: TrainConfig, choices: ComputeChoices) -> Trainer:
    """This process's trainer. One process of each machine loads the data before the others: it may have to download them."""
    torch.set_num_threads(choices.threads)
    loaded: loading.LoadedData | None = None
    for turn in (team.local_rank == 0, team.local_rank != 0):
        error = ""
        if turn:
            try:
                loaded = loading.load(config)
            except Exception as problem:
                error = _error_text(problem)
        _check_errors(team, error)
    trainer: Trainer | None = None
    try:
        assert loaded is not None
        trainer = Trainer(config, loaded.data, loaded.labels, choices=choices, team=team)
    except Exception as problem:
        error = _error_text(problem)
    _check_errors(team, error)
    assert trainer is not None
    _check_same_data(team, trainer)
    return trainer


def _error_text(problem: Exception) -> str:
    traceback.print_exc()
    return str(problem) or type(problem).__name__


def _check_errors(team: Team, error: str = "") -> None:
    """Raises ProcessMismatch on every process if one of them has an error."""
    for rank, text in enumerate(team.all_gather_text(error)):
        if text:
            raise ProcessMismatch("not_all", rank=rank + 1, size=team.size, reason=text)


def _check_same_data(team: Team, trainer: Trainer) -> None:
    """Raises ProcessMismatch where the shape or the checksum of 64 rows differs."""
    data = trainer.images
    rows = data[torch.linspace(0, len(data) - 1, min(64, len(data))).long().to(data.device)].cpu().contiguous()
    fingerprint = f"{tuple(data.shape)} {hashlib.blake2b(rows.numpy().tobytes(), digest_size=8).hexdigest()}"
    fingerprints = team.all_gather_text(fingerprint)
    for rank, other in enumerate(fingerprints):
        if other != fingerprints[0]:
            raise ProcessMismatch("not_same", rank=rank + 1, size=team.size)

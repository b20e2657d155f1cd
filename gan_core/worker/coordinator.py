"""What the first of several processes tells the others, and how they follow, so that all of them make the same steps.

Rank 0 alone has the run's folder, its commands and its clock. It says "so many steps", all make them, and it speaks again: one
exchange of a few whole numbers a tenth of a second, by which it also hears whether one of the others was told to end.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from enum import IntEnum

import torch

from ..compute.choices import ComputeChoices
from ..compute.distributed import Team
from ..config import LIVE, TrainConfig
from ..data import loading
from ..messages import Misfit
from ..training.trainer import Trainer

STRETCH = 0.1  # seconds of steps between two orders, about: a pause waits for so long
LONGEST = 256  # steps between two orders
BEAT = 0.2  # seconds between two words to processes that have nothing to do
# What a single step may move -> the trainer's method for it.
NETWORKS = {"discriminator": "discriminator_step", "generator": "generator_step", "both": "step"}


class Order(IntEnum):
    """The first number of an exchange; what the next two mean is said where they are sent."""

    WAIT = 1
    START = 2
    ADOPT = 3
    STEPS = 4
    END = 5


class NotAll(Misfit):
    """A process of the team cannot do what the first one can; one sentence."""


class Coordinator:
    """Rank 0's voice. Of a team of one nobody listens: nothing is sent, and a stretch is one step."""

    def __init__(self, team: Team) -> None:
        self.team = team
        self.stop_asked = False  # one of the others was told to end
        self._silent = team.size == 1  # nobody waits for an order: alone, in a stretch, or after the end
        self._count, self._spoke = 1, 0.0

    def _tell(self, order: Order, first: int = 0, second: int = 0, parcel: bytes = b"") -> None:
        self._silent = True  # where an exchange fails there is none after it
        *_, stops = self.team.sum([order, first, second, len(parcel), 0])
        if parcel:
            self.team.broadcast_bytes(parcel, len(parcel))
        self.stop_asked |= stops > 0
        self._silent, self._spoke = False, time.monotonic()

    def wait(self) -> None:
        """Nothing to do for the moment; may be called as often as one likes."""
        if not self._silent and time.monotonic() - self._spoke >= BEAT:
            self._tell(Order.WAIT)

    def start(self, trainer: Trainer) -> None:
        """Let everyone load the same data and make the same trainer. Raises NotAll, a ValueError, where one cannot."""
        if not self._silent:
            parcel = {"config": trainer.config.to_dict(), "resolved": trainer.choices.to_dict()}
            self._tell(Order.START, parcel=json.dumps(parcel).encode())
            for _ in range(3):
                _all_well(self.team)
            _same_data(self.team, trainer)

    def adopt(self, trainer: Trainer) -> None:
        """Everyone's knobs, weights, moments and counts become this trainer's."""
        if not self._silent:
            knobs = {name: value for name, value in trainer.config.to_dict().items() if name in LIVE}
            self._tell(Order.ADOPT, parcel=json.dumps(knobs).encode())
            self.team.broadcast_(trainer.state_dict().values())

    def stretch(self, network: str, most: int = 0) -> Iterator[None]:
        """Once for each step that is to be made now, at most `most` where that is not 0, each by this process as well."""
        if self._silent:
            yield
            return
        count = min(self._count, most or self._count)
        self._tell(Order.STEPS, count, list(NETWORKS).index(network))
        started, self._silent = time.monotonic(), True
        for _ in range(count):
            yield
        took, self._silent = time.monotonic() - started, False
        if took > STRETCH:
            self._count = max(1, count // 2)
        elif count == self._count and took < STRETCH / 2:
            self._count = min(LONGEST, 2 * count)

    def end(self, status: int) -> None:
        """Send everyone home with this exit status, once. Silent where they are gone, or in the middle of a step."""
        if not self._silent:
            self._tell(Order.END, status)
            self._silent = True


def follow(team: Team, stop: Callable[[], bool]) -> int:
    """What every process but the first does: as it is told, until the end; returns the exit status.

    stop: whether this process was told to end, which it passes on. Raises TeamBroken where another has ended.
    """
    trainer: Trainer | None = None
    while True:
        order, first, second, length, _ = team.sum([0, 0, 0, 0, int(stop())])
        parcel = json.loads(team.broadcast_bytes(b"", length)) if length else {}
        if order == Order.END:
            return first
        if order == Order.START:
            try:
                trainer = _started(team, TrainConfig.from_dict(parcel["config"]), ComputeChoices(**parcel["resolved"]))
            except NotAll as error:
                print(error, file=sys.stderr)  # rank 0 knows it too, and says what comes now
        elif order == Order.ADOPT:
            assert trainer is not None
            trainer.tune(**parcel)
            state = trainer.state_dict()
            team.broadcast_(state.values())
            trainer.load_state_dict(state)
        elif order == Order.STEPS:
            step = getattr(trainer, list(NETWORKS.values())[second])
            for _ in range(first):
                step()


def _started(team: Team, config: TrainConfig, choices: ComputeChoices) -> Trainer:
    """This process's trainer. On each machine one process loads the data before the others: it may have to fetch them."""
    torch.set_num_threads(choices.threads)
    loaded = None
    for turn in (team.local_rank == 0, team.local_rank != 0):
        error = ""
        if turn:
            try:
                loaded = loading.load(config)
            except Exception as problem:
                error = _said(problem)
        _all_well(team, error)
    trainer = None
    try:
        trainer = Trainer(config, loaded.data, loaded.labels, choices=choices, team=team)
    except Exception as problem:
        error = _said(problem)
    _all_well(team, error)
    _same_data(team, trainer)
    return trainer


def _said(problem: Exception) -> str:
    traceback.print_exc()
    return str(problem) or type(problem).__name__


def _all_well(team: Team, error: str = "") -> None:
    """Raises NotAll on every process where one of them says an error."""
    for rank, said in enumerate(team.all_gather_text(error)):
        if said:
            raise NotAll("not_all", rank=rank + 1, size=team.size, reason=said)


def _same_data(team: Team, trainer: Trainer) -> None:
    """Whether everyone has loaded the same; 64 rows stand for all."""
    data = trainer.images
    rows = data[torch.linspace(0, len(data) - 1, min(64, len(data))).long().to(data.device)].cpu().contiguous()
    about = f"{tuple(data.shape)} {hashlib.blake2b(rows.numpy().tobytes(), digest_size=8).hexdigest()}"
    found = team.all_gather_text(about)
    for rank, other in enumerate(found):
        if other != found[0]:
            raise NotAll("not_same", rank=rank + 1, size=team.size)

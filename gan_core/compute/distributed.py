"""Several processes that train as one: each takes its share of every batch, and what they found is put together.

It knows torch.distributed, started by torchrun, and no trainer. `ALONE` is the team of one process: nothing happens in it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist

# How long a process waits for the others before it ends, and torchrun starts all again. Between two steps the longest honest
# wait is for the first one's disk: a checkpoint of 100 MB at 1 MB/s takes two minutes. Who loads data may have to fetch them.
EXCHANGE_TIMEOUT = timedelta(minutes=10)
LOADING_TIMEOUT = timedelta(hours=1)
HEARTBEAT_INTERVAL = 0.5  # seconds between two signs of life
TEXT = 400  # bytes that `all_gather_text` carries


class TeamBroken(RuntimeError):
    """Another process of the team is gone, or no longer answers; one sentence."""


@dataclass(frozen=True)
class Team:
    """Who trains together. Every process calls the same methods in the same order; each `N` is the size of a whole batch.

    rank: this process's number, 0 for the one that writes the run's folder; size: how many there are; local_rank and
    local_size: the same among those of this machine. All but the simplest raise TeamBroken where another has ended.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    def shard(self, rows: torch.Tensor, parts: int = 1) -> torch.Tensor:
        """This process's rows (parts * N / size, ...) of `parts` batches behind each other (parts * N, ...): N / size of each."""
        if self.size == 1:
            return rows
        mine = len(rows) // (parts * self.size)
        return rows.unflatten(0, (parts, self.size, mine))[:, self.rank].flatten(0, 1)

    def all_reduce_gradients(self, parameters: Iterable[torch.Tensor], loss: torch.Tensor,
                             *rows: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """(loss, *rows) of the whole batch; afterwards the gradients are the whole batch's too. One all-reduce.

        loss: the mean over this process's share, so that the shares' mean is the batch's. rows: (N / size,) each, of which the
        whole (N,) comes back. Gradients are replaced; a parameter without one must be without one everywhere.
        """
        found = (loss.detach(), *(r.detach() for r in rows))
        if self.size == 1:
            return found
        owners = [p for p in parameters if p.grad is not None]
        kept = sum(p.numel() for p in owners) + 1
        flat = owners[0].grad.new_zeros(kept + self.size * sum(map(len, rows)))
        places, begin = [], 0
        for p in owners:  # each gradient's place lies as its parameter does, so that a copy is a straight one
            places.append(flat.as_strided(p.shape, p.stride(), begin))
            begin += p.numel()
        torch._foreach_copy_(places, [p.grad for p in owners])
        flat[kept - 1] = found[0]
        slots, begin = [], kept
        for r in found[1:]:
            slots.append(flat[begin:begin + self.size * len(r)])
            slots[-1].view(self.size, -1)[self.rank] = r  # every other process leaves this row zero
            begin += self.size * len(r)
        self._sum(flat)
        flat[:kept].div_(self.size)
        for p, place in zip(owners, places, strict=True):
            p.grad = place
        return (flat[kept - 1].clone(), *(slot.clone() for slot in slots))

    def all_gather(self, values: torch.Tensor) -> torch.Tensor:
        """(size, k): every process's values (k,), bit for bit the same everywhere."""
        slots = values.new_zeros(self.size, len(values))
        slots[self.rank] = values
        self._sum(slots)
        return slots

    def all_gather_text(self, text: str) -> list[str]:
        """What every process says, in at most TEXT bytes each; it may take its time, to load data."""
        said = text.encode()[:TEXT]
        slots = torch.zeros(self.size, TEXT, dtype=torch.uint8)
        slots[self.rank] = torch.tensor([*said, *bytes(TEXT - len(said))], dtype=torch.uint8)
        if self.size > 1:
            self._sum(slots, _loading)
        return [bytes(row).rstrip(b"\0").decode(errors="ignore") for row in slots]

    def broadcast_bytes(self, data: bytes, length: int) -> bytes:
        """Rank 0's `data` of `length` bytes, everywhere."""
        parcel = torch.frombuffer(bytearray(data or bytes(length)), dtype=torch.uint8)
        with _answered():
            dist.broadcast(parcel, 0)
        return bytes(parcel.numpy())

    @torch.no_grad()
    def broadcast_(self, tensors: Iterable[torch.Tensor]) -> None:
        """Every process's tensors become rank 0's, in place."""
        kinds: dict[tuple[torch.dtype, torch.device], list[torch.Tensor]] = {}
        for tensor in tensors:
            kinds.setdefault((tensor.dtype, tensor.device), []).append(tensor)
        for group in kinds.values():
            flat = torch.cat([tensor.flatten() for tensor in group])
            with _answered():
                dist.broadcast(flat, 0)
            for tensor, part in zip(group, flat.split([tensor.numel() for tensor in group]), strict=True):
                tensor.copy_(part.view(tensor.shape))

    def sum(self, numbers: list[int]) -> list[int]:
        """The sums of every process's whole numbers."""
        total = torch.tensor(numbers)
        self._sum(total)
        return total.tolist()

    def _sum(self, tensor: torch.Tensor, group: dist.ProcessGroup | None = None) -> None:
        with _answered():
            dist.all_reduce(tensor, group=group)

    def check_device(self, device: str) -> None:
        """Raises ValueError, a sentence, where there are fewer GPUs here than processes that each need one."""
        if device == "cuda" and self.local_size > torch.cuda.device_count():
            raise ValueError(f"{self.local_size} processes need a GPU each, and this machine has {torch.cuda.device_count()}; "
                             "start fewer, or set device to 'cpu'.")

    def leave(self, status: int) -> None:
        """End this process, if it is not alone, with this exit status; to be called last of all.

        Not by way of the interpreter's end: gloo's threads are taken down there in an order that now and then aborts the process.
        """
        if self.size > 1:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)


ALONE = Team()


class Heartbeats:
    """Every process's signs of life, in torchrun's store, by a thread of its own: they tell a frozen process from a busy one.

    An exchange cannot: it waits in silence for whoever is late, and on a GPU it does not even wait.
    """

    def __init__(self, store: dist.Store, team: Team) -> None:
        self._store, self._team = store, team
        self._beats: dict[int, tuple[int, float]] = {}  # of the others: the last beat, when it was first seen
        self._looked = time.monotonic()
        threading.Thread(target=self._live, daemon=True).start()

    def _live(self) -> None:
        with contextlib.suppress(RuntimeError):  # torchrun is gone and its store with it: from here on nothing is known
            while True:
                self._store.add(f"pulse {self._team.rank}", 1)
                if not self._team.rank:
                    self._look()
                time.sleep(HEARTBEAT_INTERVAL)
        self._beats = {}

    def _look(self) -> None:
        for rank in range(1, self._team.size):
            beat = self._store.add(f"pulse {rank}", 0)
            self._looked = time.monotonic()
            if rank not in self._beats or self._beats[rank][0] != beat:
                self._beats[rank] = beat, self._looked

    def silence(self) -> float:
        """Seconds, up to the last look: where torchrun itself does not answer nobody is called silent."""
        return max((self._looked - since for _, since in list(self._beats.values())), default=0.0)


_pulse: Heartbeats | None = None
_loading: dist.ProcessGroup | None = None


@contextlib.contextmanager
def _answered() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise TeamBroken("Another process of this training has ended or no longer answers.") from error


def join() -> Team:
    """The team that torchrun's environment names, or ALONE. Tensors of a processor travel by gloo, a GPU's by nccl.

    Under CUDA each process takes the GPU of its local rank. Raises TeamBroken where the others are not met.
    """
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    if not dist.is_available() or not dist.is_torchelastic_launched() or not all(name in os.environ for name in names):
        return ALONE
    team = Team(*(int(os.environ[name]) for name in names))
    if team.size == 1:
        return ALONE
    if torch.cuda.is_available():
        torch.cuda.set_device(team.local_rank % torch.cuda.device_count())
    with _answered():
        store, _, _ = next(dist.rendezvous("env://"))
        # torchrun keeps one store over its restarts: without a name of its own a new group finds the dead one's addresses.
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=EXCHANGE_TIMEOUT,
                                store=(own := dist.PrefixStore(f"start {restart_count()}", store)), rank=team.rank,
                                world_size=team.size)
        global _pulse, _loading
        _loading = dist.new_group(backend="gloo", timeout=LOADING_TIMEOUT)
        _pulse = Heartbeats(own.clone(), team)  # a connection of its own: an exchange may keep the other waiting
    return team


def restart_count() -> int:
    """How often torchrun has started this group again after one of it died."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0))


def may_restart() -> bool:
    """Whether torchrun will start this group once more if it ends in failure now."""
    return restart_count() < int(os.environ.get("TORCHELASTIC_MAX_RESTARTS", 0))


def silence() -> float:
    """Seconds since the quietest of the other processes gave a sign of life, as the first one sees it; 0 alone."""
    return _pulse.silence() if _pulse is not None else 0.0

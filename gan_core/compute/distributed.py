"""Several processes that train as one: each computes its share of every batch, and an all-reduce joins the results.

It wraps torch.distributed under torchrun. `ALONE` is the team of one process, in which nothing is exchanged.
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

# How long a process waits for the others before it ends, and torchrun starts all again. Between two steps the longest wait that
# is no fault is for rank 0's disk: a checkpoint of 100 MB at 1 MB/s takes two minutes. Loading may mean downloading.
EXCHANGE_TIMEOUT = timedelta(minutes=10)
LOADING_TIMEOUT = timedelta(hours=1)
HEARTBEAT_INTERVAL = 0.5  # seconds
TEXT = 400  # bytes that `all_gather_text` carries


class TeamBroken(RuntimeError):
    """Another process of the team has ended or no longer answers; one sentence."""


@dataclass(frozen=True)
class Team:
    """The processes that train together. All call the same methods in the same order; each `N` is the size of a whole batch.

    rank: this process's number, 0 for the one that writes the run's folder; size: how many there are; local_rank and
    local_size: the same among those of this machine. Whatever exchanges data raises TeamBroken where another has ended.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    def shard(self, rows: torch.Tensor, parts: int = 1) -> torch.Tensor:
        """This process's rows (parts * N / size, ...) of `parts` batches one after another (parts * N, ...): N / size of each."""
        if self.size == 1:
            return rows
        mine = len(rows) // (parts * self.size)
        return rows.unflatten(0, (parts, self.size, mine))[:, self.rank].flatten(0, 1)

    def all_reduce_gradients(self, parameters: Iterable[torch.Tensor], loss: torch.Tensor,
                             *rows: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """(loss, *rows) of the whole batch; afterwards the gradients are the whole batch's too. One all-reduce.

        loss: the mean over this process's share, so that the mean over the shares is the batch's. rows: (N / size,) each; the
        whole (N,) is returned. Gradients are replaced; a parameter without one must be without one in every process.
        """
        detached = (loss.detach(), *(r.detach() for r in rows))
        if self.size == 1:
            return detached
        pairs = [(p, p.grad) for p in parameters if p.grad is not None]
        reduced = sum(p.numel() for p, _ in pairs) + 1
        flat = pairs[0][1].new_zeros(reduced + self.size * sum(map(len, rows)))
        slots, begin = [], 0
        for p, _ in pairs:  # each gradient's slot has the strides of its parameter, so that the copy is contiguous
            slots.append(flat.as_strided(p.shape, p.stride(), begin))
            begin += p.numel()
        torch._foreach_copy_(slots, [gradient for _, gradient in pairs])
        flat[reduced - 1] = detached[0]
        row_slots, begin = [], reduced
        for r in detached[1:]:
            row_slots.append(flat[begin:begin + self.size * len(r)])
            row_slots[-1].view(self.size, -1)[self.rank] = r  # every other process leaves this row zero
            begin += self.size * len(r)
        self._sum(flat)
        flat[:reduced].div_(self.size)
        for (p, _), slot in zip(pairs, slots, strict=True):
            p.grad = slot
        return (flat[reduced - 1].clone(), *(slot.clone() for slot in row_slots))

    def all_gather(self, values: torch.Tensor) -> torch.Tensor:
        """(size, k): every process's values (k,), bit for bit the same in all."""
        slots = values.new_zeros(self.size, len(values))
        slots[self.rank] = values
        self._sum(slots)
        return slots

    def all_gather_text(self, text: str) -> list[str]:
        """Every process's text, cut to TEXT bytes; a process may take LOADING_TIMEOUT before it sends its own."""
        data = text.encode()[:TEXT]
        slots = torch.zeros(self.size, TEXT, dtype=torch.uint8)
        slots[self.rank] = torch.tensor([*data, *bytes(TEXT - len(data))], dtype=torch.uint8)
        if self.size > 1:
            self._sum(slots, _loading_group)
        return [bytes(row).rstrip(b"\0").decode(errors="ignore") for row in slots]

    def broadcast_bytes(self, data: bytes, length: int) -> bytes:
        """Rank 0's `data` of `length` bytes, in every process."""
        payload = torch.frombuffer(bytearray(data or bytes(length)), dtype=torch.uint8)
        with _team_errors():
            dist.broadcast(payload, 0)
        return bytes(payload.numpy())

    @torch.no_grad()
    def broadcast_(self, tensors: Iterable[torch.Tensor]) -> None:
        """Every process's tensors become rank 0's, in place."""
        groups: dict[tuple[torch.dtype, torch.device], list[torch.Tensor]] = {}
        for tensor in tensors:
            groups.setdefault((tensor.dtype, tensor.device), []).append(tensor)
        for group in groups.values():
            flat = torch.cat([tensor.flatten() for tensor in group])
            with _team_errors():
                dist.broadcast(flat, 0)
            for tensor, part in zip(group, flat.split([tensor.numel() for tensor in group]), strict=True):
                tensor.copy_(part.view(tensor.shape))

    def sum(self, numbers: list[int]) -> list[int]:
        """The sums of every process's whole numbers."""
        total = torch.tensor(numbers)
        self._sum(total)
        return total.tolist()

    def _sum(self, tensor: torch.Tensor, group: dist.ProcessGroup | None = None) -> None:
        with _team_errors():
            dist.all_reduce(tensor, group=group)

    def check_device(self, device: str) -> None:
        """Raises ValueError, one sentence, where this machine has fewer GPUs than processes that each need one."""
        if device == "cuda" and self.local_size > torch.cuda.device_count():
            raise ValueError(f"{self.local_size} processes need a GPU each, and this machine has {torch.cuda.device_count()}; "
                             "start fewer, or set device to 'cpu'.")

    def leave(self, status: int) -> None:
        """End this process, if it is not alone, with this exit status; call it last of all.

        It skips the interpreter's own shutdown: ending gloo's threads there now and then aborts the process.
        """
        if self.size > 1:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)


ALONE = Team()


class Heartbeats:
    """Every process's heartbeat in torchrun's store, from its own thread: it tells a frozen process from a busy one.

    An exchange cannot: it waits in silence for whoever is late, and on a GPU it does not even wait.
    """

    def __init__(self, store: dist.Store, team: Team) -> None:
        self._store, self._team = store, team
        self._last: dict[int, tuple[int, float]] = {}  # of the others: the last count, when it was first seen
        self._checked = time.monotonic()
        threading.Thread(target=self._beat, daemon=True).start()

    def _beat(self) -> None:
        with contextlib.suppress(RuntimeError):  # torchrun is gone and its store with it: nothing is known from here on
            while True:
                self._store.add(f"heartbeat {self._team.rank}", 1)
                if not self._team.rank:
                    self._check()
                time.sleep(HEARTBEAT_INTERVAL)
        self._last = {}

    def _check(self) -> None:
        for rank in range(1, self._team.size):
            count = self._store.add(f"heartbeat {rank}", 0)
            self._checked = time.monotonic()
            if rank not in self._last or self._last[rank][0] != count:
                self._last[rank] = count, self._checked

    def silence(self) -> float:
        """Seconds since the oldest last heartbeat, up to the last check: if torchrun itself does not answer, nobody is silent."""
        return max((self._checked - since for _, since in list(self._last.values())), default=0.0)


_heartbeats: Heartbeats | None = None
_loading_group: dist.ProcessGroup | None = None


@contextlib.contextmanager
def _team_errors() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise TeamBroken("Another process of this training has ended or no longer answers.") from error


def join() -> Team:
    """The team that torchrun's environment names, or ALONE. Tensors on a processor travel by gloo, on a GPU by nccl.

    Under CUDA each process takes the GPU of its local rank. Raises TeamBroken where the others do not join.
    """
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    if not dist.is_available() or not dist.is_torchelastic_launched() or not all(name in os.environ for name in names):
        return ALONE
    team = Team(*(int(os.environ[name]) for name in names))
    if team.size == 1:
        return ALONE
    if torch.cuda.is_available():
        torch.cuda.set_device(team.local_rank % torch.cuda.device_count())
    with _team_errors():
        store, _, _ = next(dist.rendezvous("env://"))
        # torchrun keeps one store over its restarts: without a prefix a new group would find the addresses of the dead one.
        prefixed = dist.PrefixStore(f"start {restart_count()}", store)
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=EXCHANGE_TIMEOUT,
                                store=prefixed, rank=team.rank, world_size=team.size)
        global _heartbeats, _loading_group
        group = dist.new_group(backend="gloo", timeout=LOADING_TIMEOUT)
        assert isinstance(group, dist.ProcessGroup), "every process is a member"
        _loading_group = group
        _heartbeats = Heartbeats(prefixed.clone(), team)  # a second connection: an exchange may block the first
    return team


def restart_count() -> int:
    """How often torchrun has started this group again after one of it died."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0))


def may_restart() -> bool:
    """Whether torchrun will start this group once more if it ends in failure now."""
    return restart_count() < int(os.environ.get("TORCHELASTIC_MAX_RESTARTS", 0))


def silence() -> float:
    """Seconds without a heartbeat from the process that is silent longest, as rank 0 sees it; 0 alone."""
    return _heartbeats.silence() if _heartbeats is not None else 0.0

"""Where and how the networks run: device, number format, memory format, threads. One place decides, and says so.

It knows nothing of what is trained. A choice of "auto" is resolved once per run and stored with every checkpoint.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import asdict, dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Resolved:
    """The choices in force, in words that are shown to people and stored with the run."""

    device: str = "cpu"  # cpu, cuda, mps
    precision: str = "fp32"  # fp32, bf16
    memory_format: str = "channels_last"  # channels_last, contiguous
    threads: int = 1

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def layout(self) -> torch.memory_format:
        return torch.channels_last if self.memory_format == "channels_last" else torch.contiguous_format

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """The context in which the heavy products run; weights, losses and optimizers stay fp32."""
        if self.precision == "bf16":
            return torch.autocast(self.device, torch.bfloat16)
        return contextlib.nullcontext()


def cores() -> int:
    """Processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_has_bf16() -> bool:
    """Whether the processor multiplies bf16 in hardware (AMX or AVX-512 BF16); elsewhere bf16 is slower than fp32."""
    checks = (getattr(torch.cpu, "_is_amx_tile_supported", None), getattr(torch.cpu, "_is_avx512_bf16_supported", None))
    return any(check() for check in checks if check is not None)


def resolve(device: str = "auto", precision: str = "auto", threads: int = 0) -> Resolved:
    """Turn "auto" into choices for this machine. Raises ValueError for a device that is not here."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        device = next(name for name in ("cuda", "mps", "cpu") if available[name])
    if not available[device]:
        here = ", ".join(name for name, there in available.items() if there)
        raise ValueError(f"The device {device} is not available on this machine; choose one of: {here}.")
    if precision == "auto":
        fast = {"cpu": cpu_has_bf16, "cuda": torch.cuda.is_bf16_supported, "mps": lambda: False}[device]()
        precision = "bf16" if fast else "fp32"
    # One core is left to the page: beside a busy neighbour two threads are slower than one.
    return Resolved(device, precision, "channels_last", threads or max(1, cores() - 1))

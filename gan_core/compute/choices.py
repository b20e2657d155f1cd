"""The choices of where and how networks run: device, number format, memory format, threads, cheaper forms of convolutions.

`autotune` measures them on the networks themselves; here are their usual values. A run's choices are made once and stored with
every checkpoint.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import platform
from dataclasses import asdict, dataclass
from typing import Any

import torch

from ..networks.fast_conv import rewrites
from .cores import cores

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # glibc's malloc.h


@dataclass(frozen=True)
class ComputeChoices:
    """The choices in force, in words that are shown on the page and stored with the run."""

    device: str = "cpu"  # cpu, cuda, mps
    precision: str = "fp32"  # fp32, bf16
    memory_format: str = "channels_last"  # channels_last, contiguous
    threads: int = 1
    rewrites: bool = True  # convolutions in the cheaper forms of gan_core/networks/fast_conv.py
    speeds: tuple[tuple[int, float], ...] = ()  # (threads, images per second) as measured, for `thread_tuner`

    def __post_init__(self) -> None:
        object.__setattr__(self, "speeds", tuple((int(n), float(speed)) for n, speed in self.speeds))  # JSON has only lists

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def layout(self) -> torch.memory_format:
        return torch.channels_last if self.memory_format == "channels_last" else torch.contiguous_format

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """The context in which networks run: heavy products in `precision`; weights, losses and optimizers stay fp32."""
        stack = contextlib.ExitStack()
        stack.enter_context(rewrites(self.rewrites))
        if self.precision == "bf16":
            stack.enter_context(torch.autocast(self.device, torch.bfloat16))
        return stack


def cpu_has_bf16() -> bool:
    """Whether the processor multiplies bf16 in hardware (AMX or AVX-512 BF16); elsewhere bf16 is slower than fp32."""
    checks = (getattr(torch.cpu, "_is_amx_tile_supported", None), getattr(torch.cpu, "_is_avx512_bf16_supported", None))
    return any(check() for check in checks if check is not None)


def has_bf16(device: str) -> bool:
    """Whether bf16 is worth trying on this device."""
    return {"cpu": cpu_has_bf16, "cuda": torch.cuda.is_bf16_supported, "mps": lambda: False}[device]()


def devices() -> list[str]:
    """The devices of this machine, the fastest kind first."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return [name for name, present in available.items() if present]


def resolve(device: str = "auto", precision: str = "auto", threads: int = 0, memory_format: str = "auto",
            rewrites: str = "auto") -> ComputeChoices:
    """The usual choices of this machine for what is "auto" or 0, unmeasured. Raises ValueError for a device that it lacks."""
    present = devices()
    device = present[0] if device == "auto" else device
    if device not in present:
        raise ValueError(f"The device {device} is not available on this machine; choose one of: {', '.join(present)}.")
    if precision == "auto":
        precision = "bf16" if has_bf16(device) else "fp32"
    # One core is left to others: beside a busy process two threads are slower than one.
    return ComputeChoices(device, precision, "channels_last" if memory_format == "auto" else memory_format,
                          threads or max(1, cores() - 1), rewrites == "on" or (rewrites == "auto" and device != "mps"))


def prepare_device(device: str) -> None:
    """Set up this process, once, before it trains on the device."""
    if device == "cpu":
        retain_freed_memory()
    elif device == "cuda":
        # TF32: fp32 with 10 bits of mantissa inside products, as convolutions have it by default.
        torch.set_float32_matmul_precision("high")


@functools.cache
def retain_freed_memory() -> bool:
    """Let malloc keep the memory of freed tensors for the next step; returns whether that could be arranged.

    glibc returns every large block to the system at once, and each new one costs page faults: a fifth of a step of the course's
    networks. Up to 1 GiB is kept. Other C libraries are left as they are.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all(mallopt(name, value) == 1 for name, value in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 1 << 30), (M_TOP_PAD, 1 << 26)))

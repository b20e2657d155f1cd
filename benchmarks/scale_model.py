"""Estimates for other machines, by arithmetic: python -m benchmarks.scale --model

Bytes are counted on the networks, operations by torch's counter over a real step. Speeds of links and cards, and prices, are
assumptions, marked as such in the tables. A step's all-reduces are rings: 2 (n - 1) / n times the bytes over the bandwidth of the
slowest link, and 2 (n - 1) times its latency.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from gan_core.compute.distributed import Team
from gan_core.config import PRESETS
from gan_core.training import setup
from gan_core.training.trainer import Trainer

SIZES: list[int] = []  # bytes of the all-reduces that `CountingTeam` received
PRESETS_SHOWN = ("quick", "course")


@dataclass(frozen=True)
class Link:
    """Assumptions. bandwidth: bytes/s that one process can send while it receives as many; latency: seconds of one message."""

    name: str
    bandwidth: float
    latency: float


LINKS = (Link("NVLink 4", 360e9, 4e-6), Link("PCIe 4 x16", 20e9, 10e-6), Link("100 Gb/s Ethernet", 11e9, 30e-6),
         Link("10 Gb/s Ethernet", 1.1e9, 50e-6))
# Assumptions: (name, operations/s that the course's networks reach, price of an hour in $).
CARDS = (("T4", 2.5e12, 0.40), ("V100", 7.8e12, 2.50), ("H100", 40e12, 3.00))
TEAMS = (2, 8, 16)
EFFICIENT = 0.8


class CountingTeam(Team):
    """A team without its other members, which records the bytes of each all-reduce and sums nothing."""

    def _sum(self, tensor: torch.Tensor) -> None:
        SIZES.append(tensor.numel() * tensor.element_size())


class GlobalModuleTracker(contextlib.AbstractContextManager):
    """Replaces the counter's tracker of modules, whose hooks refuse the double backward that R1 needs."""

    parents = frozenset({"Global"})

    def __exit__(self, *error: object) -> None:
        pass


def make_trainer(preset: str, team: Team | None = None, batch: int = 8) -> Trainer:
    """A trainer with the plain form of every layer, on random pictures."""
    config = PRESETS[preset].replace(batch_size=batch, rewrites="off", precision="fp32", device="cpu", threads=1)
    images = torch.randint(0, 256, (64, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return Trainer(config, images, team=team)


def exchanges(preset: str) -> list[int]:
    """Bytes of each all-reduce of one step: gradients, and statistics of batch norms if there are any."""
    trainer = make_trainer(preset, CountingTeam(0, 2, 0, 2))
    SIZES.clear()
    trainer.step()
    return list(SIZES)


def operations(preset: str, batch: int = 8) -> float:
    """Floating point operations per image and step: every product and its addition, forward and backward."""
    trainer, counter = make_trainer(preset, batch=batch), FlopCounterMode(display=False)
    counter.mod_tracker = GlobalModuleTracker()
    with counter:
        trainer.step()
    return counter.get_total_flops() / batch


def parameters(preset: str) -> tuple[int, int]:
    """Numbers of parameters (G, D)."""
    networks = setup.build_networks(PRESETS[preset], (1, 28, 28), 0)
    return tuple(sum(p.numel() for p in network.parameters()) for network in networks)


def communication(sizes: list[int], link: Link, n: int) -> float:
    """Seconds of a step's all-reduces over a ring of n processes."""
    return sum(2 * (n - 1) / n * size / link.bandwidth + 2 * (n - 1) * link.latency for size in sizes)


def enough(sizes: list[int], flop: float, rate: float, link: Link, n: int, efficiency: float = EFFICIENT) -> int:
    """Images a process from which computing takes at least `efficiency` of the step: F b / R >= e / (1 - e) T."""
    return math.ceil(efficiency / (1 - efficiency) * communication(sizes, link, n) * rate / flop)


def cost(price: float, speed: float) -> float:
    """Cost of a million images, at `price` an hour and `speed` images/s."""
    return price * 1e6 / (3600 * speed)


def table(title: str, *columns: str) -> None:
    print(f"\n### {title}\n\n| {' | '.join(columns)} |\n{'|---' * len(columns)}|")


def report() -> None:
    sizes = {preset: exchanges(preset) for preset in PRESETS_SHOWN}
    flops = {preset: operations(preset) for preset in PRESETS_SHOWN}
    table("What travels and what is computed", "preset", "G, parameters", "D, parameters", "all-reduces a step", "bytes a step",
          "GFLOP per image and step", "bytes per MFLOP at 32 images a process")
    for preset in PRESETS_SHOWN:
        total, (g, d) = sum(sizes[preset]), parameters(preset)
        print(f"| {preset} | {g:,} | {d:,} | {len(sizes[preset])} | {total:,} | {flops[preset] / 1e9:.3f} "
              f"| {total / (32 * flops[preset] / 1e6):.0f} |")
    table("Microseconds of a step's all-reduces (links are assumptions)", "link", "GB/s", "latency, us", "preset",
          *(f"{n} processes" for n in TEAMS))
    for link in LINKS:
        for preset in PRESETS_SHOWN:
            times = " | ".join(f"{1e6 * communication(sizes[preset], link, n):,.0f}" for n in TEAMS)
            print(f"| {link.name} | {link.bandwidth / 1e9:g} | {1e6 * link.latency:g} | {preset} | {times} |")
    table(f"Images a process from which {EFFICIENT:.0%} of a step is computing (cards and links are assumptions)", "card",
          "TFLOP/s", "preset", "processes", *(link.name for link in LINKS))
    for card, rate, _ in CARDS:
        for preset in PRESETS_SHOWN:
            for n in TEAMS[1:]:
                batches = " | ".join(f"{enough(sizes[preset], flops[preset], rate, link, n):,}" for link in LINKS)
                print(f"| {card} | {rate / 1e12:g} | {preset} | {n} | {batches} |")
    table("Cost of a million images of the course's networks (cards and prices are assumptions)", "card", "$ an hour",
          "images/s of one", "$, one card", f"$, eight at {EFFICIENT:.0%}")
    for card, rate, price in CARDS:
        speed = rate / flops["course"]
        eight = cost(8 * price, 8 * EFFICIENT * speed)
        print(f"| {card} | {price:.2f} | {speed:,.0f} | {cost(price, speed):.3f} | {eight:.3f} |")

"""Every random draw as a function of (seed, stream, index): no state to save, none shared between runs.

A stream is a word ("z for D", "batch", "dropout", ...); the index is the step. The global generator is never touched.
"""

from __future__ import annotations

import hashlib

import torch


def derive_seed(seed: int, stream: str, index: int) -> int:
    """63 bits that depend on exactly these three."""
    digest = hashlib.blake2b(f"{seed}/{stream}/{index}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


class Draws:
    """One run's draws, made on the CPU so that every device sees the same numbers."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._generator = torch.Generator()
        self._epoch: tuple[int, int, torch.Tensor] | None = None

    def generator(self, stream: str, index: int) -> torch.Generator:
        """The generator of one draw; valid until the next call."""
        return self._generator.manual_seed(derive_seed(self.seed, stream, index))

    def normal(self, stream: str, index: int, *shape: int) -> torch.Tensor:
        """N(0, 1) of this shape, float32."""
        return torch.randn(*shape, generator=self.generator(stream, index))

    def uniform(self, stream: str, index: int, *shape: int) -> torch.Tensor:
        """U(0, 1) of this shape, float32."""
        return torch.rand(*shape, generator=self.generator(stream, index))

    def batch(self, index: int, batch_size: int, total: int) -> torch.Tensor:
        """Row numbers (batch_size,) of batch number `index`, of `total`: each epoch is a new permutation, its remainder dropped.

        A batch larger than the data is drawn with replacement.
        """
        if batch_size > total:
            return torch.randint(total, (batch_size,), generator=self.generator("batch", index))
        per_epoch = total // batch_size
        epoch, batch = divmod(index, per_epoch)
        if self._epoch is None or self._epoch[:2] != (epoch, total):
            order = torch.randperm(total, generator=self.generator("epoch", epoch))
            self._epoch = (epoch, total, order)
        return self._epoch[2][batch * batch_size:(batch + 1) * batch_size]

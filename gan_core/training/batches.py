"""What each step draws: reals, z, classes, noise and augmentations, every one a function of the seed and the step.

Pictures are uint8 (N, C, H, W) outside and [0, 1] inside; points are float32 (N, 2) in the data's units outside, centred and
scaled to standard deviation 1 inside.
"""

from __future__ import annotations

from typing import Literal

import torch

from ..compute.distributed import ALONE, Team
from ..config import TrainConfig
from ..losses import augmentation
from ..losses.randomness import Draws, derive_seed
from .pixel_range import to_uint8, to_unit

Labels = torch.Tensor | None


class Batches:
    """The draws of one run from one set of data; `config` may be replaced between two steps.

    data: uint8 (N, C, H, W) or float32 (N, 2) on the device; labels: int64 (N,) or None. Every method's `player` is "D" or
    "G": the two never share a draw, except that fakes are of the classes of that step's reals.

    Every draw is made for the whole batch, and each process of a team takes its share: N below is the size of that share,
    which is batch_size for one process. So the number of processes changes no draw. `dtype`: what the networks compute in.
    """

    def __init__(self, config: TrainConfig, data: torch.Tensor, labels: Labels, team: Team = ALONE) -> None:
        self.config, self.data, self.device, self.team = config, data, data.device, team
        self.dtype = torch.float32
        self.points = data.ndim == 2
        self.labels = labels if config.condition == "class" else None
        self.classes = int(self.labels.max()) + 1 if self.labels is not None else 0
        self.draws = Draws(config.seed)
        # A second shuffle for the generator, so that the discriminator's epochs stay whole.
        self._other_draws = Draws(derive_seed(config.seed, "reals for G", 0))
        self.mean = data.mean(0) if self.points else torch.zeros(())
        self.scale = float(data.std()) if self.points else 1.0

    def encode(self, data: torch.Tensor) -> torch.Tensor:
        """From the data's units to what the networks see."""
        return ((data - self.mean) / self.scale if self.points else to_unit(data)).to(self.dtype)

    def decode(self, outputs: torch.Tensor) -> torch.Tensor:
        """From a generator's outputs to the data's units: uint8 pictures, or float32 points."""
        return outputs.detach().float() * self.scale + self.mean if self.points else to_uint8(outputs)

    @property
    def rows(self) -> int:
        """How many rows of each batch are this process's."""
        return self.config.batch_size // self.team.size

    def draw(self, kind: Literal["normal", "uniform"], stream: str, index: int, *shape: int) -> torch.Tensor:
        """This process's rows of a draw: `shape` begins with N, or with 2N for fakes and reals behind them."""
        draw = self.draws.normal if kind == "normal" else self.draws.uniform
        whole = draw(stream, index, self.team.size * shape[0], *shape[1:])
        return self.team.shard(whole, max(1, shape[0] // self.rows)).to(self.device, self.dtype)

    def _picks(self, index: int, player: str) -> torch.Tensor:
        draws = self.draws if player == "D" else self._other_draws
        return self.team.shard(draws.batch(index, self.config.batch_size, len(self.data))).to(self.device)

    def real(self, index: int, player: str = "D") -> tuple[torch.Tensor, Labels]:
        """A batch of reals as the networks see them, and their classes. The generator's come from another shuffle."""
        picks = self._picks(index, player)
        return self.encode(self.data[picks]), self.labels[picks] if self.labels is not None else None

    def generator_labels(self, index: int) -> Labels:
        """The classes of the generator's batch, in the proportions of the data."""
        return self.labels[self._picks(index, "G")] if self.labels is not None else None

    def z(self, player: str, index: int) -> torch.Tensor:
        """z ~ N(0, 1), (N, latent_dim)."""
        return self.draw("normal", f"z for {player}", index, self.rows, self.config.latent_dim)

    def label_noise(self, index: int, fake_is_one: bool) -> tuple[Labels, Labels]:
        """What is added to the labels of reals and of fakes, (N,) each: noise on both, smoothing on those of reals."""
        config, n = self.config, self.config.batch_size
        if not (config.label_noise or config.label_smoothing):
            return None, None
        noise = config.label_noise * self.draws.uniform("label noise", index, 2, n)
        real, fake = self.team.shard(noise.flatten(), 2).to(self.device, self.dtype).chunk(2)
        # One-sided [1606.03498]: only the label of reals moves, towards the fakes'.
        return real + (config.label_smoothing if fake_is_one else -config.label_smoothing), fake

    def discriminator_input(self, x: torch.Tensor, player: str, index: int, noise: float) -> torch.Tensor:
        """x as the discriminator sees it: augmented, then with N(0, noise) added; the gradient goes through."""
        if self.config.augment != "none":
            u = self.draw("uniform", f"augment for {player}", index, len(x), augmentation.NUM_DRAWS)
            x = augmentation.augment(x, self.config.augment, u)
        if noise:
            x = x + noise * self.draw("normal", f"instance noise for {player}", index, *x.shape)
        return x

    def fixed_z(self, count: int) -> tuple[torch.Tensor, Labels]:
        """The run's fixed z, (count, latent_dim), and their classes in turn: samples of two steps can be compared."""
        z = self.draws.normal("samples", 0, count, self.config.latent_dim).to(self.device, self.dtype)
        return z, torch.arange(count, device=self.device) % self.classes if self.classes else None

"""Two players, two updates: one learns to tell real from generated, the other learns to be taken for real.

It knows nothing of processes, folders or pages: images in, numbers and pictures out, and one list of all its state.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from . import registry, regularizers
from .acceleration import Resolved, resolve
from .config import TrainConfig
from .images import to_uint8, to_unit
from .losses import Loss, believed
from .networks.layers import Dropout
from .randomness import Draws, seed_for

Metrics = dict[str, torch.Tensor]
SERIES = ("d_loss", "g_loss", "d_real", "d_fake")  # what a whole step measures
MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # what Adam keeps for each parameter
EMA_RAMP = 0.05  # early on the average reaches back this share of the run, as in StyleGAN2-ADA [2006.06676]


class Trainer:
    """Trains one pair of networks on one set of images; every draw is a function of the seed and the step.

    images: uint8 (N, C, H, W), tensor or array; None loads `config.dataset`. labels are kept for later use and not looked at.
    networks: (generator, discriminator) to train in place; None builds `config.networks`, initial weights from the seed.
    resolved: the machine's choices of an earlier life; None makes them now. Raises ValueError, in a sentence.
    """

    def __init__(self, config: TrainConfig, images: torch.Tensor | None = None, labels: torch.Tensor | None = None, *,
                 networks: tuple[nn.Module, nn.Module] | None = None, resolved: Resolved | None = None) -> None:
        self.config = config
        self.resolved = resolved or resolve(config.device, config.precision, config.threads)
        self.loss: Loss = registry.resolve(registry.LOSSES, config.loss)
        if config.label_noise and not self.loss.takes_noise:
            raise ValueError(f"label_noise is {config.label_noise:g}, but the loss {config.loss} has no labels; set it to 0.")
        self.draws = Draws(config.seed)
        # Of its own, so that the discriminator's epochs stay whole.
        self.other_draws = Draws(seed_for(config.seed, "reals for G", 0))
        if images is None:
            images, labels = registry.resolve(registry.DATASETS, config.dataset)()
        device, layout = torch.device(self.resolved.device), self.resolved.layout
        if networks is None:
            networks = _build(config)
        self.G, self.D = (network.to(device, memory_format=layout).train() for network in networks)
        self.images, self.labels = _checked(torch.as_tensor(images), self.G, config.latent_dim, device), labels
        self.opt_G = _adam(self.G, config.lr_g, config.betas_g)
        self.opt_D = _adam(self.D, config.lr_d, config.betas_d)
        # Half-life 0: what is shown is the generator itself.
        self.G_ema = copy.deepcopy(self.G).eval().requires_grad_(False) if config.ema_half_life else self.G
        # A penalty is on the function that D is; with dropout it would be another one at every look.
        self._penalised = bool((config.r1 or config.r2) and config.penalty == "exact")
        if config.r1 or config.r2 or config.gradient_penalty:
            self.D.eval()
        self.step_count = 0  # updates made; a whole step counts 1, a single network's step counts 1
        self.images_seen = 0  # real images the discriminator has seen

    # The two steps.

    def step(self) -> Metrics:
        """`d_steps` updates of the discriminator, then one of the generator: {d_loss, d_real, d_fake, g_loss}, 0-d tensors."""
        for k in range(self.config.d_steps):
            metrics = self._update_discriminator(self.step_count * self.config.d_steps + k)
        metrics |= self._update_generator(self.step_count)
        self.step_count += 1
        return metrics

    def discriminator_step(self) -> Metrics:
        """The discriminator's update alone, no generator tensor moves: {d_loss, d_real, d_fake}."""
        metrics = self._update_discriminator(self.step_count * self.config.d_steps)
        self.step_count += 1
        return metrics

    def generator_step(self) -> Metrics:
        """The generator's update alone, no discriminator tensor moves: {g_loss}."""
        metrics = self._update_generator(self.step_count)
        self.step_count += 1
        return metrics

    def _update_discriminator(self, index: int) -> Metrics:
        """(1) Fakes made without a gradient and reals, in one batch; one update of D."""
        n = self.config.batch_size
        real = self._real(index)
        real_noise, fake_noise = self._label_noise(index)
        self._seed_dropout("D", index)
        with self.resolved.autocast():
            with torch.no_grad(), frozen_statistics(self.G):
                fake = self.G(self._z("D", index))
            both = torch.cat([fake, real]).contiguous(memory_format=self.resolved.layout)
            both.requires_grad_(self._penalised)
            logits = self.D(both)
            fake_logits, real_logits = logits.chunk(2)
            d_loss = self.loss.d_loss(real_logits, fake_logits, real_noise, fake_noise)
            total = d_loss + self._penalties(index, both, logits, fake, real)
        for group in self.opt_D.param_groups:
            group["lr"] = self.config.lr_d * self._decayed(self.config.lr_final)
        self.opt_D.zero_grad()
        total.backward()
        self.opt_D.step()
        with torch.no_grad():
            d_real, d_fake = believed(self.loss, real_logits, fake_logits)
        self.images_seen += n
        return {"d_loss": d_loss.detach(), "d_real": d_real, "d_fake": d_fake}

    def _update_generator(self, index: int) -> Metrics:
        """(2) Fresh z through a discriminator that does not move; one update of G."""
        self._seed_dropout("G", index)
        self.D.requires_grad_(False)
        with self.resolved.autocast():
            fake_logits = self.D(self.G(self._z("G", index)))
            # A relative loss holds each fake against a real, another one than the discriminator has just seen.
            real_logits = self.D(self._real(index, "G")) if self.loss.relative else None
        g_loss = self.loss.g_loss(fake_logits, real_logits)
        for group in self.opt_G.param_groups:
            group["lr"] = self.config.lr_g * self._decayed(self.config.lr_final)
        self.opt_G.zero_grad()
        g_loss.backward()
        self.opt_G.step()
        self.D.requires_grad_(True)
        self._average(index)
        return {"g_loss": g_loss.detach()}

    def _penalties(self, index: int, both: torch.Tensor, logits: torch.Tensor, fake: torch.Tensor,
                   real: torch.Tensor) -> torch.Tensor | float:
        """What D pays for being steep: gamma / 2 E |grad|^2 at reals (R1) and fakes (R2), and WGAN-GP's between them."""
        config, weight = self.config, self._decayed(self.config.penalty_final)
        total: torch.Tensor | float = 0.0
        if config.r1 or config.r2:
            if config.penalty == "exact":
                squares = regularizers.squared_gradients(logits, both)
            else:
                noise = self.draws.normal("penalty", index, *both.shape).to(both.device)
                squares = regularizers.approximate_squared_gradients(self.D, both.detach(), logits, noise)
            at_fake, at_real = squares.chunk(2)
            total = total + weight * 0.5 * (config.r1 * at_real.mean() + config.r2 * at_fake.mean())
        if config.gradient_penalty:
            mix = self.draws.uniform("between", index, config.batch_size).to(both.device)
            total = total + weight * config.gradient_penalty * regularizers.gradient_penalty_one(self.D, real, fake, mix)
        return total

    def _decayed(self, final: float) -> float:
        """The share that is left at this step: half a cosine from 1 down to `final` over `decay_steps`."""
        if not self.config.decay_steps:
            return 1.0
        done = min(1.0, self.step_count / self.config.decay_steps)
        return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * done))

    def _average(self, index: int) -> None:
        """G_ema goes a little of the way to G; buffers such as batch statistics are taken as they are."""
        if self.G_ema is self.G:
            return
        half_life = min(self.config.ema_half_life, EMA_RAMP * index)
        weight = 1 - 0.5 ** (1 / half_life) if half_life else 1.0
        with torch.no_grad():
            torch._foreach_lerp_(list(self.G_ema.parameters()), list(self.G.parameters()), weight)
            for kept, new in zip(self.G_ema.buffers(), self.G.buffers(), strict=True):
                kept.copy_(new)

    # Draws.

    def _real(self, index: int, player: str = "D") -> torch.Tensor:
        """A batch of real pictures, (batch_size, C, H, W) in [0, 1]. The generator's are another shuffle's."""
        n, total = self.config.batch_size, len(self.images)
        picks = self.draws.batch(index, n, total) if player == "D" else self.other_draws.batch(index, n, total)
        return to_unit(self.images[picks.to(self.images.device)])

    def _z(self, player: str, index: int) -> torch.Tensor:
        """z ~ N(0, 1), (batch_size, latent_dim)."""
        return self.draws.normal(f"z for {player}", index, self.config.batch_size, self.config.latent_dim).to(self.images.device)

    def _label_noise(self, index: int) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """What is added to the labels of reals and of fakes, (batch_size,) each."""
        if not self.config.label_noise:
            return None, None
        noise = self.config.label_noise * self.draws.uniform("label noise", index, 2, self.config.batch_size)
        real, fake = noise.to(self.images.device)
        return real, fake

    def _seed_dropout(self, player: str, index: int) -> None:
        for network in (self.G, self.D):
            for place, layer in enumerate(m for m in network.modules() if isinstance(m, Dropout)):
                layer.generator = torch.Generator().manual_seed(
                    seed_for(self.config.seed, f"dropout {place} for {player}", index))

    # What is shown and kept.

    @torch.no_grad()
    def center(self) -> float:
        """The logit at which D is undecided: 0, or for a relative loss midway between what it says of reals and of fakes."""
        if not self.loss.relative:
            return 0.0
        training = self.D.training
        self.D.eval()
        with self.resolved.autocast():
            fake = self.G_ema(self.draws.normal("samples", 0, 64, self.config.latent_dim).to(self.images.device))
            real = to_unit(self.images[self.draws.batch(0, 64, len(self.images)).to(self.images.device)])
            middle = 0.5 * (self.D(fake).float().mean() + self.D(real).float().mean())
        self.D.train(training)
        return float(middle)

    @torch.no_grad()
    def sample(self, z: torch.Tensor | int) -> torch.Tensor:
        """Pictures by the averaged generator, uint8 (N, C, H, W) on the CPU: of z (N, latent_dim), or N of the run's fixed z."""
        if isinstance(z, int):
            z = self.draws.normal("samples", 0, z, self.config.latent_dim)
        training = self.G_ema.training
        self.G_ema.eval()
        with self.resolved.autocast():
            pictures = [to_uint8(self.G_ema(part.to(self.images.device))).cpu() for part in z.float().split(256)]
        self.G_ema.train(training)
        return torch.cat(pictures)

    def state_dict(self) -> dict[str, torch.Tensor]:
        """All there is to keep, by name, as the tensors themselves: G., D., G_ema., opt_G., opt_D., step_count, images_seen."""
        counts = {"step_count": torch.tensor(self.step_count), "images_seen": torch.tensor(self.images_seen)}
        return dict(self._tensors()) | counts

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Take over a state of the same config. Raises ValueError for other names, shapes or types, before anything changes."""
        own = self.state_dict()
        if set(own) != set(state):
            odd = sorted(set(own) ^ set(state))[0]
            raise ValueError(f"this state is of another kind of training: {odd!r} is on one side only.")
        for name, tensor in own.items():
            found = state[name]
            if (found.shape, found.dtype) != (tensor.shape, tensor.dtype):
                raise ValueError(f"{name} is {tuple(found.shape)} {found.dtype}; "
                                 f"here it is {tuple(tensor.shape)} {tensor.dtype}.")
        with torch.no_grad():
            for name, tensor in self._tensors():
                # In place: Adam's moments keep their parameter's memory format, without which fused Adam goes wrong unseen.
                tensor.copy_(state[name])
        self.step_count, self.images_seen = int(state["step_count"]), int(state["images_seen"])

    def _tensors(self) -> Iterator[tuple[str, torch.Tensor]]:
        networks: dict[str, Any] = {"G": self.G, "D": self.D}
        if self.G_ema is not self.G:
            networks["G_ema"] = self.G_ema
        for prefix, network in networks.items():
            for name, tensor in network.state_dict().items():
                yield f"{prefix}.{name}", tensor
        for prefix, network, optimizer in (("opt_G", self.G, self.opt_G), ("opt_D", self.D, self.opt_D)):
            for name, parameter in network.named_parameters():
                for moment in MOMENTS:
                    yield f"{prefix}.{name}.{moment}", optimizer.state[parameter][moment]


class frozen_statistics:  # noqa: N801, a context manager reads as a verb
    """While it lasts, batch norm layers use their batch's statistics and remember nothing: no tensor of the network changes."""

    def __init__(self, network: nn.Module) -> None:
        self._layers = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.track_running_stats]

    def __enter__(self) -> None:
        for layer in self._layers:
            layer.track_running_stats = False
            # In train mode the batch's own statistics are used either way; this only keeps them from being remembered.

    def __exit__(self, *exception: object) -> None:
        for layer in self._layers:
            layer.track_running_stats = True


def _build(config: TrainConfig) -> tuple[nn.Module, nn.Module]:
    """New networks whose initial weights depend on the seed alone; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(config.seed, "weights", 0))
        return registry.resolve(registry.NETWORKS, config.networks)(config.latent_dim)


def _adam(network: nn.Module, lr: float, betas: tuple[float, float]) -> torch.optim.Adam:
    """Fused Adam whose state is there from the start, so that a state dict has the same names before and after step 1."""
    optimizer = torch.optim.Adam(network.parameters(), lr=lr, betas=betas, fused=True)
    for parameter in network.parameters():
        optimizer.state[parameter] = {"step": torch.zeros((), device=parameter.device),
                                      "exp_avg": torch.zeros_like(parameter), "exp_avg_sq": torch.zeros_like(parameter)}
    return optimizer


@torch.no_grad()
def _checked(images: torch.Tensor, G: nn.Module, latent_dim: int, device: torch.device) -> torch.Tensor:
    """The images on the device, if they are of the kind and size that the generator makes."""
    if images.dtype != torch.uint8 or images.ndim != 4 or not len(images):
        raise ValueError(f"images are {images.dtype} {tuple(images.shape)}; give uint8 (N, C, H, W) with N at least 1.")
    training = G.training
    made = tuple(G.eval()(torch.zeros(1, latent_dim, device=device)).shape[1:])
    G.train(training)
    if made != tuple(images.shape[1:]):
        raise ValueError(f"the images are {tuple(images.shape[1:])} and the generator makes {made}; they must agree.")
    return images.to(device)

"""Two players, two updates: one learns to tell real from generated, the other learns to be taken for real.

It knows nothing of processes, folders or pages: images in, numbers and pictures out, and one list of all its state.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import nn

from .. import registry
from ..compute.choices import ComputeChoices, prepare, resolve
from ..compute.cuda_graphs import Update
from ..compute.distributed import ALONE, Team
from ..config import LIVE, ConfigError, TrainConfig
from ..losses import regularizers
from ..losses.adversarial import Loss, believed
from ..networks.layers import Dropout, power_iterate_
from . import setup
from .batches import Batches, Labels
from .setup import MOMENTS, frozen_statistics, play

Metrics = dict[str, torch.Tensor]
EMA_RAMP = 0.05  # early on the average reaches back this share of the run, as in StyleGAN2-ADA [2006.06676]


class Trainer:
    """Trains one pair of networks on one set of images or points; every draw is a function of the seed and the step.

    images: uint8 (N, C, H, W), or points float32 (N, 2), tensor or array; None loads `config.dataset`. labels: whole numbers
    (N,), used where `config.condition` asks for them. networks: (generator, discriminator) to train in place; None builds
    `config.networks`, initial weights from the seed. resolved: the machine's choices of an earlier life; None makes them now.
    team: the processes that share each batch; each makes the same calls and stays equal. Raises ValueError, in a sentence.
    """

    def __init__(self, config: TrainConfig, images: torch.Tensor | None = None, labels: torch.Tensor | None = None, *,
                 networks: tuple[nn.Module, nn.Module] | None = None, choices: ComputeChoices | None = None,
                 team: Team | None = None) -> None:
        if images is None:
            images, labels = setup.data(config)
        images, labels = setup.check_data(torch.as_tensor(images), labels if labels is None else torch.as_tensor(labels),
                                            config.condition)
        self.loss: Loss = registry.resolve(registry.LOSSES, config.loss)
        self.points, self.shape = images.ndim == 2, tuple(images.shape[1:])
        self.config, self.team = config, team or ALONE
        setup.check_config(config, self.loss, self.points, self.team.size)
        self.choices = choices or resolve(config.device, config.precision, config.threads,
                                            config.memory_format, config.rewrites)
        prepare(self.choices.device)
        device, layout = torch.device(self.choices.device), self.choices.layout
        self.batches = Batches(config, images.to(device), labels if labels is None else labels.to(device), self.team)
        self.images, self.labels, self.draws = self.batches.data, labels, self.batches.draws
        self.classes, self.scale = self.batches.classes, self.batches.scale
        if networks is None:
            networks = setup.build(config, self.shape, self.classes)
        self.G, self.D = (network.to(device, memory_format=layout).train() for network in networks)
        self.batches.dtype = next(self.G.parameters()).dtype
        setup.check_made(self.G, *self.batches.some(1), self.shape)
        self.opt_G = setup.adam(self.G, config.lr_g, config.betas_g)
        self.opt_D = setup.adam(self.D, config.lr_d, config.betas_d)
        # Half-life 0: what is shown is the generator itself.
        self.G_ema = copy.deepcopy(self.G).eval().requires_grad_(False) if config.ema_half_life else self.G
        setup.share_norms(self.G, self.D, self.team)
        self._dropouts = [[m for m in network.modules() if isinstance(m, Dropout)] for network in (self.G, self.D)]
        self._set_modes()
        self.step_count = 0  # updates made; a whole step counts 1, a single network's step counts 1
        self.images_seen = 0  # real images the discriminator has seen

    def _set_modes(self) -> None:
        config = self.config
        # A penalty is on the function that D is; with dropout it would be another one at every look.
        self._penalised = bool((config.r1 or config.r2) and config.penalty == "exact")
        # Some discriminators write their gradient out; noise leaves it as it is, an augmentation does not.
        self._written_out = self._penalised and config.augment == "none" and hasattr(self.D, "with_squared_gradients")
        self.D.train(not (config.r1 or config.r2 or config.gradient_penalty))
        self._updates: tuple[Callable[[int], Metrics], ...] = (self._update_discriminator, self._update_generator)
        if self._may_be_captured():
            holders = [(self, "draws"), (self.batches, "draws"), (self.batches, "_other_draws")]
            self._updates = tuple(Update(update, self.images.device, holders) for update in self._updates)

    def tune(self, **changes: Any) -> dict[str, list[Any]]:
        """Turn knobs while it trains: {name: [old, new]} of what really changed. The optimizers keep their moments.

        Raises ConfigError for a name that is not in `config.LIVE` or a value that is not allowed; nothing has changed then.
        """
        for name in changes:
            if name not in LIVE:
                raise ConfigError(f"{name} cannot change while a run trains; these can: {', '.join(sorted(LIVE))}.")
        config = self.config.replace(**changes)
        if bool(config.ema_half_life) != bool(self.config.ema_half_life):
            raise ConfigError(f"ema_half_life is {config.ema_half_life:g}; while a run trains it cannot change from or to 0.")
        setup.check_config(config, self.loss, self.points, self.team.size)
        old, new = self.config.to_dict(), config.to_dict()
        self.config = self.batches.config = config
        for optimizer, betas in ((self.opt_D, config.betas_d), (self.opt_G, config.betas_g)):
            for group in optimizer.param_groups:
                group["betas"] = betas
        self._set_modes()
        return {name: [old[name], new[name]] for name in new if old[name] != new[name]}

    # The two steps.

    def step(self) -> Metrics:
        """`d_steps` updates of the discriminator, then one of the generator: {d_loss, d_real, d_fake, g_loss}, 0-d tensors."""
        for k in range(self.config.d_steps):
            metrics = self._play_discriminator(self.step_count * self.config.d_steps + k)
        metrics |= self._play_generator(self.step_count)
        self.step_count += 1
        return metrics

    def discriminator_step(self) -> Metrics:
        """The discriminator's update alone, no generator tensor moves: {d_loss, d_real, d_fake}."""
        metrics = self._play_discriminator(self.step_count * self.config.d_steps)
        self.step_count += 1
        return metrics

    def generator_step(self) -> Metrics:
        """The generator's update alone, no discriminator tensor moves: {g_loss}."""
        metrics = self._play_generator(self.step_count)
        self.step_count += 1
        return metrics

    # What differs from step to step by numbers that Python knows stays outside the two updates, which may be captured.

    def _play_discriminator(self, index: int) -> Metrics:
        self._set_rate(self.opt_D, self.config.lr_d)
        metrics = self._updates[0](index)
        self.images_seen += self.config.batch_size
        return metrics

    def _play_generator(self, index: int) -> Metrics:
        self._set_rate(self.opt_G, self.config.lr_g)
        metrics = self._updates[1](index)
        self._average(index)
        return metrics

    def _set_rate(self, optimizer: torch.optim.Adam, rate: float) -> None:
        rate *= self._decayed(self.config.lr_final)
        for group in optimizer.param_groups:
            group["lr"] = group["lr"].fill_(rate) if isinstance(group["lr"], torch.Tensor) else rate

    def _may_be_captured(self) -> bool:
        """Whether updates differ by nothing but their draws: decaying weights change, and a team's exchange is not captured."""
        config = self.config
        penalties = (config.r1 or config.r2 or config.gradient_penalty) and config.penalty_final != 1
        decaying = config.decay_steps and (penalties or config.instance_noise)
        return self.choices.device == "cuda" and not decaying and self.team.size == 1

    def _update_discriminator(self, index: int) -> Metrics:
        """(1) Fakes made without a gradient and reals, in one batch; one update of D."""
        real, labels = self.batches.real(index)
        real_noise, fake_noise = self.batches.label_noise(index, self.loss.fake_is_one)
        self._seed_dropout("D", index)
        if self.config.spectral_norm:
            power_iterate_(self.D)
        with self.choices.autocast():
            with torch.no_grad(), frozen_statistics(self.G):
                fake = play(self.G, self.batches.z("D", index), labels)
            both = torch.cat([fake, real])
            if not self.points:
                both = both.contiguous(memory_format=self.choices.layout)
            both.requires_grad_(self._penalised and not self._written_out)
            seen = self._disguised(both, "D", index)
            two = None if labels is None else torch.cat([labels, labels])
            logits, squares = self.D.with_squared_gradients(seen) if self._written_out else (play(self.D, seen, two), None)
            fake_logits, real_logits = logits.chunk(2)
            d_loss = self.loss.d_loss(real_logits, fake_logits, real_noise, fake_noise)
            total = d_loss + self._penalties(index, both, seen, logits, two, squares)
        self.opt_D.zero_grad()
        total.backward()
        d_loss, real_logits, fake_logits = self.team.together(self.D.parameters(), d_loss, real_logits, fake_logits)
        self.opt_D.step()
        with torch.no_grad():
            d_real, d_fake = believed(self.loss, real_logits, fake_logits)
        return {"d_loss": d_loss, "d_real": d_real, "d_fake": d_fake}

    def _update_generator(self, index: int) -> Metrics:
        """(2) Fresh z through a discriminator that does not move; one update of G."""
        self._seed_dropout("G", index)
        self.D.requires_grad_(False)
        with self.choices.autocast():
            # A paired loss holds each fake against a real, another one than the discriminator has just seen.
            real, labels = self.batches.real(index, "G") if self.loss.paired else (None, self.batches.classes_for_g(index))
            fake = play(self.G, self.batches.z("G", index), labels)
            fake_logits = play(self.D, self._disguised(fake, "G", index), labels)
            real_logits = None if real is None else play(self.D, self._disguised(real, "reals of G", index), labels)
        g_loss = self.loss.g_loss(fake_logits, real_logits)
        self.opt_G.zero_grad()
        g_loss.backward()
        (g_loss,) = self.team.together(self.G.parameters(), g_loss)
        self.opt_G.step()
        self.D.requires_grad_(True)
        return {"g_loss": g_loss}

    def _penalties(self, index: int, both: torch.Tensor, seen: torch.Tensor, logits: torch.Tensor,
                   labels: Labels, squares: torch.Tensor | None = None) -> torch.Tensor | float:
        """What D pays for being steep: gamma / 2 E |grad|^2 at reals (R1) and fakes (R2), and WGAN-GP's between them.

        R1 and R2 are of the gradient before the disguise (`both`), as in R3GAN; `seen` is what D was shown, fakes first.
        `squares`: |grad D|^2 (2N,) where D has written it out.
        """
        config, weight = self.config, self._decayed(self.config.penalty_final)
        total: torch.Tensor | float = 0.0
        if config.r1 or config.r2:
            if squares is None and config.penalty == "exact":
                squares = regularizers.squared_gradients(logits, both)
            elif squares is None:
                noise = self.batches.drawn("normal", "penalty", index, *seen.shape)
                squares = regularizers.approximate_squared_gradients(
                    lambda x: play(self.D, x, labels), seen.detach(), logits, noise)
            at_fake, at_real = squares.chunk(2)
            total = total + weight * 0.5 * (config.r1 * at_real.mean() + config.r2 * at_fake.mean())
        if config.gradient_penalty:
            (fake, real), mix = seen.detach().chunk(2), self.batches.drawn("uniform", "between", index, len(seen) // 2)
            half = None if labels is None else labels[:len(real)]
            penalty = regularizers.gradient_penalty_one(lambda x: play(self.D, x, half), real, fake, mix)
            total = total + weight * config.gradient_penalty * penalty
        return total

    def _disguised(self, x: torch.Tensor, player: str, index: int) -> torch.Tensor:
        return self.batches.disguised(x, player, index, self.config.instance_noise * self._decayed(0.0))

    def _decayed(self, final: float) -> float:
        """The share that is left at this step: half a cosine from 1 down to `final` over `decay_steps`."""
        if not self.config.decay_steps:
            return 1.0
        done = min(1.0, self.step_count / self.config.decay_steps)
        return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * done))

    def _average(self, index: int) -> None:
        """G_ema goes a little of the way to G, its batch statistics too: those of the last few batches alone are noisy.

        On 5,000 digits their noise was a third of the distance to the real ones (benchmarks/soak.py).
        """
        if self.G_ema is self.G:
            return
        half_life = min(self.config.ema_half_life, EMA_RAMP * index)
        weight = 1 - 0.5 ** (1 / half_life) if half_life else 1.0
        with torch.no_grad():
            kept, new = ([*network.parameters(), *network.buffers()] for network in (self.G_ema, self.G))
            torch._foreach_lerp_([t for t in kept if t.is_floating_point()], [t for t in new if t.is_floating_point()], weight)
            for counter, now in zip(self.G_ema.buffers(), self.G.buffers(), strict=True):
                if not counter.is_floating_point():
                    counter.copy_(now)

    def _seed_dropout(self, player: str, index: int) -> None:
        for layers in self._dropouts:
            for place, layer in enumerate(layers):
                layer.draw = partial(self.batches.drawn, "uniform", f"dropout {place} for {player}", index)

    # What is shown and kept.

    @torch.no_grad()
    def center(self) -> float:
        """The logit at which D is undecided: 0, or for a relative loss midway between what it says of reals and of fakes."""
        if not self.loss.relative:
            return 0.0
        training = self.D.training
        self.D.eval()
        picks = self.draws.batch(0, 64, len(self.images)).to(self.images.device)
        labels = None if self.batches.labels is None else self.batches.labels[picks]
        with self.choices.autocast():
            fake = play(self.G_ema, self.batches.some(64)[0], labels)
            real = self.batches.encode(self.images[picks])
            middle = 0.5 * (play(self.D, fake, labels).float().mean() + play(self.D, real, labels).float().mean())
        self.D.train(training)
        return float(middle)

    @torch.no_grad()
    def sample(self, z: torch.Tensor | int, labels: torch.Tensor | None = None) -> torch.Tensor:
        """By the averaged generator, on the CPU: pictures uint8 (N, C, H, W), or points float32 (N, 2) in the data's own units.

        Of z (N, latent_dim), or of N of the run's fixed z; `labels` (N,): their classes, each in turn unless given.
        """
        if isinstance(z, int):
            z, in_turn = self.batches.some(z)
        else:
            in_turn = torch.arange(len(z)) % self.classes if self.classes else None
        labels = in_turn if labels is None or not self.classes else torch.as_tensor(labels)
        z, labels = (None if t is None else t.to(self.images.device) for t in (z.to(self.batches.dtype), labels))
        training = self.G_ema.training
        self.G_ema.eval()
        made = []
        with self.choices.autocast():
            for begin in range(0, len(z), 256):
                part = slice(begin, begin + 256)
                made.append(self.batches.decode(play(self.G_ema, z[part], None if labels is None else labels[part])).cpu())
        self.G_ema.train(training)
        return torch.cat(made)

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

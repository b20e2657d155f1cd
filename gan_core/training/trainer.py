"""Two players, two updates: one learns to tell real from generated, the other learns to be taken for real.

Images in, metrics and pictures out. Processes, folders and pages are left to others.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal, cast, get_args

import torch
from torch import nn

from .. import registry
from ..compute.choices import ComputeChoices, prepare_device, resolve
from ..compute.cuda_graphs import GraphedUpdate
from ..compute.distributed import ALONE, Team
from ..config import LIVE, ConfigError, TrainConfig, check_config_type
from ..decay import share_left
from ..losses.adversarial import Loss, mean_realness, probability_real
from ..networks.layers import Dropout
from ..networks.spectral_norm import power_iterate_
from . import setup, state
from .batches import Batches
from .penalties import DiscriminatorPass, SquaredGradients, penalty
from .schedule import set_learning_rate, update_average
from .setup import Array, forward, frozen_statistics

Metrics = dict[str, torch.Tensor]
GeneratorName = Literal["now", "average"]  # the generator as it is, and the moving average of its weights
PROBE_SIZE = 64  # z, and real samples, of a probe


class Trainer:
    """Trains one pair of networks on one set of images or points; every draw is a function of the seed and the step.

    images: uint8 (N, C, H, W), or points float32 (N, 2), tensor or array; None loads `config.dataset`. labels: whole numbers
    (N,), used where `config.condition` asks for them. networks: (generator, discriminator) to train in place; None builds
    `config.networks`, with weights from the seed. choices: how to compute, from an earlier session or `compute.autotune`; None
    takes the usual ones. team: the processes that share each batch; each makes the same calls and stays equal. Raises
    ValueError, one sentence.
    """

    def __init__(self, config: TrainConfig, images: Array | None = None, labels: Array | None = None, *,
                 networks: tuple[nn.Module, nn.Module] | None = None, choices: ComputeChoices | None = None,
                 team: Team | None = None) -> None:
        check_config_type(config)
        if images is None:
            images, labels = setup.load_data(config)
        data, classes = setup.check_data(setup.as_tensor("images", images),
                                         None if labels is None else setup.as_tensor("labels", labels), config.condition)
        self.loss: Loss = registry.resolve(registry.LOSSES, config.loss)
        self.points, self.shape = data.ndim == 2, tuple(data.shape[1:])
        self.config, self.team = config, team or ALONE
        setup.check_config(config, self.loss, self.points, self.team.size)
        self.choices = choices or resolve(config.device, config.precision, config.threads,
                                          config.memory_format, config.rewrites)
        prepare_device(self.choices.device)
        device, layout = torch.device(self.choices.device), self.choices.layout
        self.batches = Batches(config, data.to(device), classes if classes is None else classes.to(device), self.team)
        self.images, self.labels, self.draws = self.batches.data, classes, self.batches.draws
        self.classes, self.scale = self.batches.classes, self.batches.scale
        if networks is None:
            networks = setup.build_networks(config, self.shape, self.classes)
        self.G, self.D = (network.to(device).to(memory_format=layout).train() for network in setup.check_networks(networks))
        self.batches.dtype = next(self.G.parameters()).dtype
        setup.check_generator_output(self.G, *self.batches.fixed_z(1), self.shape)
        self.opt_G = setup.create_adam(self.G, config.lr_g, config.betas_g)
        self.opt_D = setup.create_adam(self.D, config.lr_d, config.betas_d)
        # With half-life 0 the generator itself is shown.
        self.G_ema = copy.deepcopy(self.G).eval().requires_grad_(False) if config.ema_half_life else self.G
        setup.sync_batch_norms(self.G, self.D, self.team)
        self._dropouts = [[m for m in network.modules() if isinstance(m, Dropout)] for network in (self.G, self.D)]
        self._set_modes()
        self.step_count = 0  # updates made; a whole step counts 1, a single network's step counts 1
        self.images_seen = 0  # real images the discriminator has seen

    def _set_modes(self) -> None:
        config = self.config
        self._penalised = bool((config.r1 or config.r2) and config.penalty == "exact")
        # Some discriminators compute their gradient with their logits; noise does not change it, an augmentation does.
        self._written_out = self._penalised and config.augment == "none" and hasattr(self.D, "with_squared_gradients")
        # A penalty is on the function D; with dropout that would be another function at every pass.
        self.D.train(not (config.r1 or config.r2 or config.gradient_penalty))
        self._updates: tuple[Callable[[int], Metrics], ...] = (self._update_discriminator, self._update_generator)
        if self._may_be_captured():
            holders = [(self, "draws"), (self.batches, "draws"), (self.batches, "_other_draws")]
            self._updates = tuple(GraphedUpdate(update, self.images.device, holders) for update in self._updates)

    @property
    def averaged(self) -> bool:
        """Whether there is an average beside the generator itself; False with half-life 0."""
        return self.G_ema is not self.G

    def tune(self, **changes: Any) -> dict[str, list[Any]]:
        """Change knobs between two steps: {name: [old, new]} of what really changed. The optimizers keep their moments.

        Raises ConfigError, before anything changes, for a name that is not in `config.LIVE` or a value that is not allowed.
        """
        for name in changes:
            if name not in LIVE:
                raise ConfigError(f"{name} cannot change while a run trains; "
                                  f"{registry.choose_one(name, sorted(LIVE), 'these can')}.")
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
            metrics = self._train_discriminator(self.step_count * self.config.d_steps + k)
        metrics |= {"g_loss": self._train_generator(self.step_count)["g_loss"]}
        self.step_count += 1
        return metrics

    def discriminator_step(self) -> Metrics:
        """The discriminator's update alone, no generator tensor moves: {d_loss, d_real, d_fake}."""
        metrics = self._train_discriminator(self.step_count * self.config.d_steps)
        self.step_count += 1
        return metrics

    def generator_step(self) -> Metrics:
        """The generator's update alone, no discriminator tensor moves: {g_loss}, and d_fake and d_real as far as D sees them."""
        metrics = self._train_generator(self.step_count)
        self.step_count += 1
        return metrics

    # The two updates may be captured as CUDA graphs: what changes with the step by numbers of Python stays outside them.

    def _train_discriminator(self, index: int) -> Metrics:
        set_learning_rate(self.opt_D, self.config.lr_d * self._share_left("lr_d"))
        metrics = self._updates[0](index)
        self.images_seen += self.config.batch_size
        return metrics

    def _train_generator(self, index: int) -> Metrics:
        set_learning_rate(self.opt_G, self.config.lr_g * self._share_left("lr_g"))
        metrics = self._updates[1](index)
        if self.averaged:
            update_average(self.G_ema, self.G, self.config.ema_half_life, index)
        return metrics

    def _may_be_captured(self) -> bool:
        """Whether updates differ only in their draws: no weight in them decays, and no team exchanges gradients."""
        config = self.config
        penalties = (config.r1 or config.r2 or config.gradient_penalty) and config.penalty_final != 1
        decaying = config.decay_steps and (penalties or config.instance_noise)
        return self.choices.device == "cuda" and not decaying and self.team.size == 1

    def _update_discriminator(self, index: int) -> Metrics:
        """(1) One update of D: minimise L_D(D(x), D(G(z))) + penalties, with x and G(z) in one batch and no gradient in G."""
        real, labels = self.batches.real(index)
        real_noise, fake_noise = self.batches.label_noise(index, self.loss.fake_is_one)
        self._seed_dropout("D", index)
        if self.config.spectral_norm:
            power_iterate_(self.D)
        with self.choices.autocast():
            with torch.no_grad(), frozen_statistics(self.G):
                fake = forward(self.G, self.batches.z("D", index), labels)
            passed = self._discriminate(torch.cat([fake, real]), None if labels is None else torch.cat([labels, labels]), index)
            fake_logits, real_logits = passed.logits.chunk(2)
            d_loss = self.loss.d_loss(real_logits, fake_logits, real_noise, fake_noise)
            total = d_loss + penalty(self.D, passed, self.batches, index, self._share_left("r1"))
        self.opt_D.zero_grad()
        total.backward()
        d_loss, real_logits, fake_logits = self._descend(self.D, self.opt_D, d_loss, real_logits, fake_logits)
        with torch.no_grad():
            d_real, d_fake = mean_realness(self.loss, real_logits, fake_logits)
        return {"d_loss": d_loss, "d_real": d_real, "d_fake": d_fake}

    def _update_generator(self, index: int) -> Metrics:
        """(2) One update of G: minimise L_G(D(G(z))), with fresh z and no gradient in D."""
        self._seed_dropout("G", index)
        self.D.requires_grad_(False)
        with self.choices.autocast(), frozen_statistics(self.D):
            # A paired loss compares each fake with a real, another one than the discriminator has just seen.
            real, labels = self.batches.real(index, "G") if self.loss.paired else (None, self.batches.generator_labels(index))
            fake = forward(self.G, self.batches.z("G", index), labels)
            fake_logits = forward(self.D, self._discriminator_input(fake, "G", index), labels)
            real_logits = None if real is None else forward(self.D, self._discriminator_input(real, "reals of G", index), labels)
        g_loss = self.loss.g_loss(fake_logits, real_logits)
        self.opt_G.zero_grad()
        g_loss.backward()
        results = self._descend(self.G, self.opt_G, g_loss, fake_logits, *([] if real_logits is None else [real_logits]))
        self.D.requires_grad_(True)
        return {"g_loss": results[0], **self._beliefs_of(*results[1:])}

    @torch.no_grad()
    def _beliefs_of(self, fake_logits: torch.Tensor, real_logits: torch.Tensor | None = None) -> Metrics:
        """D's mean P(real) of the generator's batch; nothing where the loss compares fakes with reals and there are none."""
        if real_logits is not None:
            d_real, d_fake = mean_realness(self.loss, real_logits, fake_logits)
            return {"d_real": d_real, "d_fake": d_fake}
        return {} if self.loss.relative else {"d_fake": probability_real(fake_logits, self.loss.fake_is_one).mean()}

    def _descend(self, network: nn.Module, optimizer: torch.optim.Optimizer, *results: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """One step down the gradients of the whole batch; results: the loss and logits, which become the whole batch's too."""
        results = self.team.all_reduce_gradients(network.parameters(), *results)
        optimizer.step()
        return results

    def _discriminate(self, batch: torch.Tensor, labels: torch.Tensor | None, index: int) -> DiscriminatorPass:
        """D's pass over fakes and reals, with what its penalties need."""
        if not self.points:
            batch = batch.contiguous(memory_format=self.choices.layout)
        batch.requires_grad_(self._penalised and not self._written_out)
        inputs = self._discriminator_input(batch, "D", index)
        if self._written_out:
            logits, squares = cast(SquaredGradients, self.D).with_squared_gradients(inputs)
            return DiscriminatorPass(batch, inputs, labels, logits, squares)
        return DiscriminatorPass(batch, inputs, labels, forward(self.D, inputs, labels))

    def _discriminator_input(self, x: torch.Tensor, player: str, index: int) -> torch.Tensor:
        return self.batches.discriminator_input(x, player, index, self.config.instance_noise * self._share_left("instance_noise"))

    def _share_left(self, name: str) -> float:
        return share_left(vars(self.config), name, self.step_count)

    def _seed_dropout(self, player: str, index: int) -> None:
        for layers in self._dropouts:
            for place, layer in enumerate(layers):
                layer.draw = partial(self.batches.draw, "uniform", f"dropout {place} for {player}", index)

    # What is shown and stored.

    @torch.no_grad()
    def center(self) -> float:
        """The logit at which D is undecided: 0, or for a relative loss midway between its means for reals and for fakes."""
        if not self.loss.relative:
            return 0.0
        real, fake = self._probe_logits(self.G_ema)
        return float(0.5 * (fake.float().mean() + real.float().mean()))

    @torch.no_grad()
    def probe(self) -> tuple[float, float]:
        """(mean P(real) of PROBE_SIZE real samples, of as many fakes) by D and G as they are at this step, each in [0, 1].

        The reals and the z are the same at every call, both networks are in evaluation mode, and nothing of the training moves:
        what differs between two probes is what the steps between them did.
        """
        d_real, d_fake = mean_realness(self.loss, *self._probe_logits(self.G))
        return float(d_real), float(d_fake)

    @torch.no_grad()
    def judge(self, samples: torch.Tensor, labels: torch.Tensor | None = None, center: float = 0.0) -> torch.Tensor:
        """D's P(real) (N,) float32 on the CPU, in evaluation mode, of samples (N, ...) in the data's units; nothing moves.

        labels (N,): their classes, where there are classes. center: the logit at which D is undecided, see `center`.
        """
        device, training = self.images.device, self.D.training
        labels = None if not self.classes or labels is None else labels.to(device)
        self.D.eval()
        with self.choices.autocast():
            logits = forward(self.D, self.batches.encode(samples.to(device)), labels)
        self.D.train(training)
        return probability_real(logits.float() - center, self.loss.fake_is_one).cpu()

    def _probe_logits(self, generator: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
        """D's logits of PROBE_SIZE fixed real samples, and of fakes of as many fixed z and the same classes."""
        picks = self.draws.batch(0, PROBE_SIZE, len(self.images)).to(self.images.device)
        labels = None if self.batches.labels is None else self.batches.labels[picks]
        modes = [(network, network.training) for network in (generator, self.D)]
        for network, _ in modes:
            network.eval()
        with self.choices.autocast():
            fake = forward(generator, self.batches.fixed_z(PROBE_SIZE)[0], labels)
            logits = tuple(forward(self.D, x, labels) for x in (self.batches.encode(self.images[picks]), fake))
        for network, training in modes:
            network.train(training)
        return cast(tuple[torch.Tensor, torch.Tensor], logits)

    @torch.no_grad()
    def sample(self, z: torch.Tensor | int, labels: torch.Tensor | None = None,
               generator: GeneratorName = "average") -> torch.Tensor:
        """On the CPU: pictures uint8 (N, C, H, W), or points float32 (N, 2) in the data's units.

        Of z (N, latent_dim), or of N of the run's fixed z; `labels` (N,): their classes, each in turn unless given. Raises
        ValueError, one sentence, for another z or an unknown generator.
        """
        setup.check_sample(z, self.config.latent_dim, generator, get_args(GeneratorName))
        network = self.G if generator == "now" else self.G_ema
        rows = z if isinstance(z, torch.Tensor) else self.batches.fixed_z(int(z))[0]
        device = self.images.device
        labels = setup.sample_labels(labels, len(rows), self.classes, device)
        rows = rows.to(self.batches.dtype).to(device)
        training = network.training
        network.eval()
        samples = []
        with self.choices.autocast():
            for begin in range(0, len(rows), 256):
                part = slice(begin, begin + 256)
                outputs = forward(network, rows[part], None if labels is None else labels[part])
                samples.append(self.batches.decode(outputs).cpu())
        network.train(training)
        return torch.cat(samples)

    def state_dict(self) -> dict[str, torch.Tensor]:
        """All state by name, as the tensors themselves: G., D., G_ema., opt_G., opt_D., step_count, images_seen."""
        counts = {"step_count": torch.tensor(self.step_count), "images_seen": torch.tensor(self.images_seen)}
        return dict(self._tensors()) | counts

    def load_state_dict(self, stored: dict[str, torch.Tensor]) -> None:
        """Take over a state of the same config. Raises ValueError for other names, shapes or types, before anything changes."""
        state.check_state(stored, self.state_dict())
        with torch.no_grad():
            for name, tensor in self._tensors():
                # In place: Adam's moments keep their parameter's memory format, without which fused Adam silently goes wrong.
                tensor.copy_(stored[name])
        self.step_count, self.images_seen = int(stored["step_count"]), int(stored["images_seen"])

    def _tensors(self) -> Iterator[tuple[str, torch.Tensor]]:
        networks = {"G": self.G, "D": self.D} | ({"G_ema": self.G_ema} if self.averaged else {})
        return state.named_tensors(networks, {"G": self.opt_G, "D": self.opt_D})

"""DCGAN, the course's object for notebooks: fit, generate, save, load, plot.

It holds two networks and a history. Training is left to `Trainer`, files to `runs.checkpoint`.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn
from tqdm.auto import tqdm

from . import plots, registry
from .config import PRESETS, TrainConfig
from .messages import is_whole, one_line
from .networks.course import course_discriminator, course_generator
from .runs import checkpoint
from .runs.metrics import LOSSES, SERIES
from .training import pixel_range
from .training.trainer import Trainer

# The names of the course's loss in the libraries that it may come from.
CROSS_ENTROPIES = ("BinaryCrossentropy", "BCEWithLogitsLoss", "BCELoss")


class DCGAN:
    """A generator and a discriminator that learn from each other.

        gan = DCGAN(discriminator=course_discriminator(), generator=course_generator(latent_dim=128), latent_dim=128)
        gan.fit(images, epochs=5, batch_size=32)
        gan.plot_samples()

    discriminator: any module (N, 1, 28, 28) in [0, 1] -> logits (N,); above 0 means "fake" under the course's loss.
    generator: any module (N, latent_dim) -> (N, 1, 28, 28) in [0, 1]. Left out, they are the course's networks.
    Both are trained in place. `history` holds one mean per epoch of d_loss, g_loss and of the probability of "real" given
    to real (d_real) and to generated images (d_fake).
    """

    def __init__(self, discriminator: nn.Module | None = None, generator: nn.Module | None = None, latent_dim: int = 128) -> None:
        self.config: TrainConfig = PRESETS["course"].replace(latent_dim=latent_dim, ema_half_life=0.0)
        self.latent_dim = self.config.latent_dim
        self.generator = course_generator(self.latent_dim) if generator is None else generator
        self.discriminator = course_discriminator() if discriminator is None else discriminator
        _check_networks(self.generator, self.discriminator, self.latent_dim)
        self.history: dict[str, list[float]] = {name: [] for name in SERIES}
        self.trainer: Trainer | None = None

    def compile(self, discriminator_optimizer: Any = None, generator_optimizer: Any = None, loss_fn: Any = None) -> None:
        """Choose optimizers and loss; calling it is optional and forgets the optimizers' state.

        An optimizer is a learning rate, a torch or Keras Adam (its rate and betas are read), or None, the course's Adam(1e-4).
        loss_fn is a name ("course", "non-saturating"), a binary cross-entropy of torch or Keras, or None, the course's.
        """
        changes: dict[str, Any] = {"loss": _loss_name(loss_fn)}
        for side, optimizer in (("d", discriminator_optimizer), ("g", generator_optimizer)):
            changes[f"lr_{side}"], changes[f"betas_{side}"] = _adam(optimizer, self.config, side)
        # The noise on labels belongs to the course's loss.
        changes["label_noise"] = PRESETS["course"].label_noise if changes["loss"] == "course" else 0.0
        self.config = self.config.replace(**changes)
        self.trainer = None

    def fit(self, x: Any, epochs: int = 1, batch_size: int = 32, callbacks: Any = None, seed: int = 0) -> History:
        """Train for whole epochs of floor(N / batch_size) steps and return the history so far, a dict of lists.

        x: (N, 28, 28, 1) or (N, 1, 28, 28), float in [0, 1] (rounded to 256 grey levels) or uint8. Calling it again goes on
        where the last call ended. Callbacks are not called. Raises ValueError, in a sentence, for other images or numbers.
        """
        data = as_images(x)
        if not is_whole(epochs) or epochs < 1:
            raise ValueError(f"epochs is {one_line(epochs)}; give a whole number from 1.")
        if callbacks:
            warnings.warn("callbacks are not called here; read the returned history, or use Trainer.step().", stacklevel=2)
        trainer = self._prepare(data, self.config.replace(batch_size=batch_size, seed=seed))
        steps = max(1, len(data) // self.config.batch_size)
        with tqdm(total=epochs * steps, unit="step", dynamic_ncols=True) as bar:
            for epoch in range(epochs):
                bar.set_description(f"epoch {epoch + 1}/{epochs}")
                means = _epoch(trainer, steps, bar)
                for name in SERIES:
                    self.history[name].append(means[name])
        return History({name: list(values) for name, values in self.history.items()})

    def _prepare(self, data: torch.Tensor, config: TrainConfig) -> Trainer:
        """A trainer for these images that goes on from the last one's state."""
        previous, self.config = self.trainer, config
        self.trainer = trainer = Trainer(config, images=data, networks=(self.generator, self.discriminator))
        if previous is not None:
            trainer.load_state_dict(previous.state_dict())
        return trainer

    def generate(self, z: Any = 16, seed: int = 0) -> np.ndarray:
        """Generated images (N, 28, 28), float32 in [0, 1].

        z: how many to draw, z ~ N(0, 1) from `seed`; or the z themselves, (N, latent_dim), `seed` then unused.
        """
        if is_whole(z):
            if z < 1:
                raise ValueError(f"the number of images is {z}; give a whole number from 1.")
            if not is_whole(seed) or not -2**63 <= seed < 2**63:
                raise ValueError(f"seed is {one_line(seed)}; give a whole number of at most 64 bits.")
            z = torch.randn(int(z), self.latent_dim, generator=torch.Generator().manual_seed(int(seed)))
        try:
            z = torch.as_tensor(z, dtype=torch.float32)
        except (TypeError, ValueError, RuntimeError) as error:
            raise ValueError(f"z cannot be read from {type(z).__name__}; give numbers of the shape (N, {self.latent_dim}), "
                             "or a number of images.") from error
        if z.ndim != 2 or z.shape[1] != self.latent_dim or not len(z):
            raise ValueError(f"z has the shape {tuple(z.shape)}; give (N, {self.latent_dim}), or a number of images.")
        if not z.isfinite().all():
            raise ValueError("z holds a NaN or an infinite number; give finite numbers.")
        was_training = self.generator.training
        self.generator.eval()
        with torch.no_grad():
            device = next(self.generator.parameters()).device
            pictures = torch.cat([self.generator(part.to(device)).float().cpu() for part in z.split(256)])
        self.generator.train(was_training)
        return pictures[:, 0].contiguous().numpy()

    def save(self, path: str | Path) -> None:
        """Write both networks, the settings and the history to one safetensors file, atomically."""
        tensors = {f"generator.{name}": t for name, t in self.generator.state_dict().items()}
        tensors |= {f"discriminator.{name}": t for name, t in self.discriminator.state_dict().items()}
        _check_path(path)
        try:
            checkpoint.write(path, tensors, {"kind": "DCGAN", "config": self.config.to_dict(), "history": self.history})
        except OSError as error:  # its own message would name a temporary file
            raise _advised(error, path, "give a file in a folder that is there and can be written to") from error

    @classmethod
    def load(cls, path: str | Path, discriminator: nn.Module | None = None, generator: nn.Module | None = None) -> DCGAN:
        """The DCGAN that `save` wrote; its optimizers start anew. Networks other than the course's must be given again.

        Raises checkpoint.CheckpointError (a ValueError) for a file that is not exactly that, and OSError where none can be
        read: no code in it is ever run.
        """
        _check_path(path)
        # Read twice: the settings name latent_dim, which gives the shapes that the second reading checks.
        try:
            _, notes = checkpoint.read(path)
        except OSError as error:
            raise _advised(error, path, "give a file that DCGAN.save has written and that can be read") from error
        if notes.get("kind") != "DCGAN" or not isinstance(notes.get("config"), dict):
            raise checkpoint.CheckpointError(f"{Path(path).name} was not written by DCGAN.save.")
        config = TrainConfig.from_dict(notes["config"])
        gan = cls(discriminator, generator, config.latent_dim)
        parts = {"generator": gan.generator, "discriminator": gan.discriminator}
        expected = {f"{part}.{name}": (tuple(t.shape), t.dtype)
                    for part, network in parts.items() for name, t in network.state_dict().items()}
        tensors, _ = checkpoint.read(path, expected)
        for part, network in parts.items():
            network.load_state_dict({name: tensors[f"{part}.{name}"] for name in network.state_dict()})
        gan.config, gan.history = config, _history(notes.get("history"), path)
        return gan

    def plot_history(self) -> Figure:
        """The history as a figure: losses and the discriminator's verdicts, one point an epoch."""
        return plots.draw_curves(self.history)

    def plot_samples(self, count: int = 32, seed: int = 0) -> Figure:
        """Generated images side by side; the same seed shows the same z again."""
        return plots.draw_grid(self.generate(count, seed))


class History(dict):
    """What fit returns: name -> one mean per epoch. `.history` is the dict itself, as in Keras."""

    @property
    def history(self) -> History:
        return self


def as_images(x: Any) -> torch.Tensor:
    """(N, 28, 28, 1) or (N, 1, 28, 28), float in [0, 1] or uint8, as uint8 (N, 1, 28, 28). ValueError for anything else."""
    allowed = "give (N, 28, 28, 1) or (N, 1, 28, 28)"
    try:
        x = x.detach().cpu() if isinstance(x, torch.Tensor) else torch.from_numpy(np.ascontiguousarray(x))
    except (TypeError, ValueError) as error:
        raise ValueError(f"images cannot be read from {type(x).__name__}; {allowed} numbers.") from error
    if x.ndim == 4 and x.shape[1:] == (28, 28, 1):
        x = x.permute(0, 3, 1, 2)
    if x.ndim != 4 or x.shape[1:] != (1, 28, 28) or not len(x):
        raise ValueError(f"images have the shape {tuple(x.shape)}; {allowed}, with N at least 1.")
    if x.dtype == torch.uint8:
        return x.contiguous()
    if not x.is_floating_point():
        raise ValueError(f"images have the type {x.dtype}; give floats in [0, 1], or uint8.")
    if not x.isfinite().all():
        raise ValueError("images hold a NaN or an infinite number; give floats in [0, 1], or uint8.")
    low, high = (v.item() for v in x.float().aminmax())
    if low < 0 or high > 1:
        raise ValueError(f"images lie between {low:g} and {high:g}; give floats in [0, 1] (0..255 as uint8, or divided by 255).")
    return pixel_range.to_uint8(x).contiguous()


def _check_path(path: Any) -> None:
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"the path is {one_line(path)}; give that of a file, such as 'digits.safetensors'.")


def _advised(error: OSError, path: Any, advice: str) -> OSError:
    """The same error with the path that was given, and what to do."""
    return type(error)(error.errno, f"{error.strerror or error}; {advice}", str(path))


def _epoch(trainer: Trainer, steps: int, bar: tqdm) -> dict[str, float]:
    """{metric: its mean over these steps}."""
    sums = torch.zeros(len(SERIES), dtype=torch.float64)
    for step in range(steps):
        metrics = trainer.step()
        sums += torch.stack([metrics[name].detach() for name in SERIES]).cpu()
        bar.update()
        if step % 10 == 0 or step == steps - 1:
            means = dict(zip(SERIES, (sums / (step + 1)).tolist(), strict=True))
            bar.set_postfix({name: f"{means[name]:.3f}" for name in LOSSES}, refresh=False)
    return means


def _check_networks(generator: nn.Module, discriminator: nn.Module, latent_dim: int) -> None:
    """Passes two z through both, so that a mismatch is one sentence now and not a traceback from fit."""
    for name, network in (("generator", generator), ("discriminator", discriminator)):
        if not isinstance(network, nn.Module):
            raise ValueError(f"{name} is a {type(network).__name__}; give a torch.nn.Module, such as course_{name}().")
        if next(network.parameters(), None) is None:
            raise ValueError(f"the {name} has no weights to train; give a torch.nn.Module with some, such as course_{name}().")
    training = [(m, m.training) for m in (generator, discriminator)]
    try:
        with torch.no_grad():
            pictures = generator.eval()(torch.zeros(2, latent_dim, device=next(generator.parameters()).device))
            if _shape(pictures) != (2, 1, 28, 28):
                raise ValueError(f"the generator makes {_shape(pictures)} of two z; it must make (2, 1, 28, 28).")
            logits = discriminator.eval()(pictures)
            if _shape(logits) != (2,):
                raise ValueError(f"the discriminator makes {_shape(logits)} of two images; it must make logits (2,).")
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"the networks do not fit each other or latent_dim {latent_dim}: {reason}.") from error
    finally:
        for network, was in training:
            network.train(was)


def _shape(output: Any) -> Any:
    """The shape of what a network makes; where that is no tensor, its type."""
    return tuple(output.shape) if isinstance(output, torch.Tensor) else f"a {type(output).__name__}"


def _adam(optimizer: Any, config: TrainConfig, side: str) -> tuple[float, tuple[float, float]]:
    """(learning rate, betas) of an optimizer as DCGAN.compile takes it."""
    course = PRESETS["course"]
    lr, betas = getattr(course, f"lr_{side}"), getattr(course, f"betas_{side}")
    if optimizer is None:
        return lr, betas
    if isinstance(optimizer, int | float) and not isinstance(optimizer, bool):
        return float(optimizer), betas
    if type(optimizer) is torch.optim.Adam:
        return float(optimizer.defaults["lr"]), optimizer.defaults["betas"]
    if type(optimizer).__name__ == "Adam" and hasattr(optimizer, "beta_1"):
        return float(optimizer.learning_rate), (float(optimizer.beta_1), float(optimizer.beta_2))
    raise ValueError(f"the optimizer is a {type(optimizer).__name__}; give a learning rate, an Adam of torch or Keras, or None.")


def _loss_name(loss_fn: Any) -> str:
    if loss_fn is None or type(loss_fn).__name__ in CROSS_ENTROPIES:
        return "course"
    if isinstance(loss_fn, str) and loss_fn in registry.LOSSES:
        return loss_fn
    raise ValueError(f"loss_fn is {one_line(loss_fn)}; give a binary cross-entropy, or "
                     f"{registry.choose_one(loss_fn, registry.LOSSES, 'one of')}.")


def _history(stored: Any, path: str | Path) -> dict[str, list[float]]:
    if not isinstance(stored, dict) or any(not isinstance(stored.get(name), list) for name in SERIES):
        raise checkpoint.CheckpointError(f"the history in {Path(path).name} is damaged.")
    try:
        return {name: [float(v) for v in stored[name]] for name in SERIES}
    except (TypeError, ValueError) as error:
        raise checkpoint.CheckpointError(f"the history in {Path(path).name} holds something that is not a number.") from error

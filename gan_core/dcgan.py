"""DCGAN, the course's object for notebooks: fit, generate, save, load, plot.

It holds two networks and a history. What networks and arrays may be is left to `notebook`, training to `Trainer`, files to
`runs.checkpoint`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from . import plots
from .config import PRESETS, TrainConfig
from .data.types import LoadedData
from .messages import is_whole, one_line
from .networks.course import course_discriminator, course_generator
from .notebook.adapters import adapt
from .notebook.arrays import as_images
from .notebook.callbacks import CallbackList
from .notebook.compile_arguments import read_adam, read_loss
from .notebook.epochs import MakeStep, train_epochs
from .runs import checkpoint
from .runs.metrics import SERIES
from .runs.run import Run
from .runs.run_info import Parent
from .surroundings import printable
from .training.setup import MAX_SAMPLES
from .training.trainer import Trainer


class DCGAN:
    """A generator and a discriminator that learn from each other.

        gan = DCGAN(discriminator=course_discriminator(), generator=course_generator(latent_dim=128), latent_dim=128)
        gan.fit(images, epochs=5, batch_size=32)
        gan.plot_samples()

    generator: a network in torch or a Keras model, (N, latent_dim) -> pictures in [0, 1], or in [-1, 1] where it ends in a tanh;
    torch's may take (N, latent_dim, 1, 1). discriminator: of the same pictures, one number each; above 0 means "fake" under the
    course's loss. A sigmoid at its end is left out, because the loss applies one. Left out, they are the course's networks.

    Both are trained in place; Keras models hold what was learned after each epoch. What cannot be taken is refused by a
    ValueError, of one sentence. `history` holds one mean per epoch of d_loss, g_loss and of the probability of "real" given to
    real (d_real) and to generated images (d_fake).
    """

    stop_training = False  # a callback may set it: `fit` ends after the epoch

    def __init__(self, discriminator: Any = None, generator: Any = None, latent_dim: int = 128) -> None:
        self.config: TrainConfig = PRESETS["course"].replace(latent_dim=latent_dim, ema_half_life=0.0)
        self.latent_dim = self.config.latent_dim
        self.generator = course_generator(self.latent_dim) if generator is None else generator
        self.discriminator = course_discriminator() if discriminator is None else discriminator
        self._pair = adapt(self.generator, self.discriminator, self.latent_dim)
        self._history: dict[str, list[float]] = {name: [] for name in SERIES}
        self._fitting = False
        self.trainer: Trainer | None = None
        self.run: Run | None = None  # of the last fit that was given a folder of runs

    @property
    def history(self) -> dict[str, list[float]]:
        """One mean per epoch of d_loss, g_loss, d_real and d_fake."""
        return self._history

    @history.setter
    def history(self, value: Any) -> None:
        if isinstance(value, dict):  # Keras' History puts itself here when training begins
            self._history = value

    def compile(self, discriminator_optimizer: Any = None, generator_optimizer: Any = None, loss_fn: Any = None) -> None:
        """Choose optimizers and loss; calling it is optional and forgets the optimizers' state.

        An optimizer is a learning rate, a torch or Keras Adam (its rate and betas are read), or None, the course's Adam(1e-4).
        loss_fn is a name ("course", "non-saturating"), a binary cross-entropy of torch or Keras, or None, the course's.
        """
        changes: dict[str, Any] = {"loss": read_loss(loss_fn)}
        for side, optimizer in (("d", discriminator_optimizer), ("g", generator_optimizer)):
            changes[f"lr_{side}"], changes[f"betas_{side}"] = read_adam(optimizer, side)
        # The noise on labels belongs to the course's loss.
        changes["label_noise"] = PRESETS["course"].label_noise if changes["loss"] == "course" else 0.0
        self.config = self.config.replace(**changes)
        self.trainer = None

    def fit(self, x: Any, epochs: int = 1, batch_size: int = 32, callbacks: Any = None, seed: int = 0,
            verbose: int | str = "auto", run: str | Path | None = None) -> History:
        """Train for whole epochs of floor(N / batch_size) steps and return the history so far, a dict of lists.

        x: (N, H, W, C), (N, C, H, W) or, of grey pictures, (N, H, W), uint8 or float in [0, 1], rounded to 256 levels; with a
        generator that makes [-1, 1] also float in [-1, 1]. Calling it again goes on where the last call ended. callbacks: one or
        several as Keras has them, told after each batch and epoch of the four metrics. verbose: 0 silent, 1 or "auto" a bar, 2 a
        line for each epoch. run: a folder of runs, in which the fit is a run that a page on the same folder shows and steers
        meanwhile (python playground.py --checkpoints FOLDER); `self.run` is that run. A stop there ends the fit after its step.
        Raises ValueError, in a sentence, for anything else, and RunError, one too, where the folder trains another run already.
        """
        data = as_images(x, self._pair.shape, self._pair.signed)
        if not is_whole(epochs) or epochs < 1:
            raise ValueError(f"epochs is {one_line(epochs)}; give a whole number from 1.")
        if verbose not in (0, 1, 2, "auto"):
            raise ValueError(f"verbose is {one_line(verbose)}; give 0 (silent), 1 or \"auto\" (a bar) or 2 (a line an epoch).")
        facts: dict[str, Any] = {}
        config, folder = self.config.replace(batch_size=batch_size, seed=seed), None
        steps = max(1, len(data) // config.batch_size)
        if run is not None:
            from .worker.fit import check_folder  # at the first use: it imports what measures, which takes a second
            folder = check_folder(run)
            facts, loaded = self._facts(data, epochs * steps)
        trainer = self._prepare(data, config, facts)
        told = CallbackList(callbacks, self, {"epochs": epochs, "steps": steps, "verbose": 0 if verbose == 0 else 1})
        self.stop_training, self._fitting, means = False, True, {}
        try:
            with contextlib.ExitStack() as stack:
                make_step: MakeStep = trainer.step
                if folder is not None:
                    make_step = stack.enter_context(self._recorded(folder, trainer, loaded, epochs * steps, verbose != 0))
                told.call("on_train_begin")
                means = train_epochs(make_step, epochs, steps, verbose, told, self._end_epoch, lambda: self.stop_training)
        except BaseException:  # whoever interrupts keeps what was learned until then
            self._pair.write_weights()
            raise
        finally:
            self._fitting = False
        told.call("on_train_end", logs=means)
        return History({name: list(values) for name, values in self.history.items()})

    def _end_epoch(self, means: Mapping[str, float]) -> None:
        self._pair.write_weights()
        for name in SERIES:
            self.history[name].append(means[name])

    def _prepare(self, data: torch.Tensor, config: TrainConfig, facts: Mapping[str, Any]) -> Trainer:
        """A trainer for these images that goes on from the last one's state; facts: what its run's config says besides."""
        previous, self.config = self.trainer, config
        self._read_weights()
        self.trainer = trainer = Trainer(config.replace(**facts), images=data,
                                         networks=(self._pair.generator, self._pair.discriminator))
        if previous is not None:
            trainer.load_state_dict(previous.state_dict())
        return trainer

    def _facts(self, data: torch.Tensor, steps: int) -> tuple[dict[str, Any], LoadedData]:
        """What a run's config says of its networks, its pictures and its end, and what is known of the pictures."""
        from .notebook.recognition import name_data, name_networks

        facts, loaded = name_data(data)
        end = steps + (0 if self.trainer is None else self.trainer.step_count)
        return {**facts, "networks": name_networks(self._pair, self.latent_dim), "max_steps": end}, loaded

    @contextlib.contextmanager
    def _recorded(self, folder: Path, trainer: Trainer, loaded: LoadedData, steps: int, says: bool) -> Iterator[MakeStep]:
        """Within it the steps are those of a new run in this folder, and the page may turn knobs, which stay turned."""
        from .worker.fit import recorded_fit

        parent: Parent | None = None
        if self.run is not None and self.run.path.parent == folder and trainer.step_count:
            parent = {"run": self.run.id, "step": trainer.step_count}
        with recorded_fit(folder, trainer, loaded, steps, parent) as session:
            self.run = session.run
            if says:
                print(printable(f"This fit is the run {session.run.path}; to see it: python playground.py "
                                f"--checkpoints {folder}"))
            try:
                yield session.step
            finally:
                self.config = self.config.replace(**session.status_writer.status.tuned)
        if not session.complete and not self.stop_training:
            print(printable(f"Stopped on the page at step {trainer.step_count:,}; the run {session.run.path} is saved."))

    def generate(self, z: Any = 16, seed: int = 0) -> np.ndarray:
        """Generated images (N, H, W), in colour (N, H, W, 3), float32 in [0, 1].

        z: how many to draw, z ~ N(0, 1) from `seed`, the k-th the same whatever their number; or the z themselves,
        (N, latent_dim), `seed` then unused.
        """
        if is_whole(z):
            if not 1 <= z <= MAX_SAMPLES:
                raise ValueError(f"the number of images is {one_line(z)}; give a whole number from 1 to {MAX_SAMPLES:,}.")
            if not is_whole(seed) or not -2**63 <= seed < 2**63:
                raise ValueError(f"seed is {one_line(seed)}; give a whole number of at most 64 bits.")
            z = _draw_z(int(z), self.latent_dim, int(seed))
        try:
            z = torch.as_tensor(z, dtype=torch.float32)
        except (TypeError, ValueError, RuntimeError, OverflowError) as error:
            raise ValueError(f"z cannot be read from {type(z).__name__}; give numbers of the shape (N, {self.latent_dim}), "
                             "or a number of images.") from error
        if z.ndim != 2 or z.shape[1] != self.latent_dim or not len(z):
            raise ValueError(f"z has the shape {tuple(z.shape)}; give (N, {self.latent_dim}), or a number of images.")
        if not z.isfinite().all():
            raise ValueError("z holds a NaN or an infinite number; give finite numbers.")
        self._read_weights()
        network = self._pair.generator
        was_training = network.training
        network.eval()
        with torch.no_grad():
            weight = next(network.parameters())
            pictures = torch.cat([network(part.to(weight)).float().cpu() for part in z.split(256)])
        network.train(was_training)
        return (pictures[:, 0] if pictures.shape[1] == 1 else pictures.permute(0, 2, 3, 1)).contiguous().numpy()

    def _read_weights(self) -> None:
        """Take what Keras models hold; while they train they are behind, and a callback may ask for pictures then."""
        if not self._fitting:
            self._pair.read_weights()

    def get_weights(self) -> list[np.ndarray]:
        """All tensors of both networks, for `set_weights`."""
        self._read_weights()
        return [t.detach().cpu().numpy().copy() for network in self._pair.inner.values() for t in network.state_dict().values()]

    def set_weights(self, weights: Any) -> None:
        """Take what `get_weights` gave."""
        tensors = [t for network in self._pair.inner.values() for t in network.state_dict().values()]
        with torch.no_grad():
            for tensor, array in zip(tensors, weights, strict=True):
                tensor.copy_(torch.as_tensor(array))
        self._pair.write_weights()

    def save(self, path: str | Path, overwrite: bool = True) -> None:
        """Write both networks, the settings and the history to one safetensors file, atomically; `overwrite` is Keras'."""
        _check_path(path)
        if not overwrite and Path(path).exists():
            raise FileExistsError(f"{path} is there already; give another path, or overwrite=True.")
        self._read_weights()
        tensors = {f"{part}.{name}": t for part, network in self._pair.inner.items() for name, t in network.state_dict().items()}
        try:
            checkpoint.write(path, tensors, {"kind": "DCGAN", "config": self.config.to_dict(), "history": self.history})
        except OSError as error:  # its own message would name a temporary file
            raise _advised(error, path, "give a file in a folder that is there and can be written to") from error

    @classmethod
    def load(cls, path: str | Path, discriminator: Any = None, generator: Any = None) -> DCGAN:
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
        parts = gan._pair.inner
        expected = {f"{part}.{name}": (tuple(t.shape), t.dtype)
                    for part, network in parts.items() for name, t in network.state_dict().items()}
        tensors, _ = checkpoint.read(path, expected)
        for part, network in parts.items():
            network.load_state_dict({name: tensors[f"{part}.{name}"] for name in network.state_dict()})
        gan._pair.write_weights()
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


def _check_path(path: Any) -> None:
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"the path is {one_line(path)}; give that of a file, such as 'digits.safetensors'.")
    if not Path(path).name or "\0" in str(path):  # neither can be a file
        raise ValueError(f"the path is {one_line(str(path))}; give that of a file, such as 'digits.safetensors'.")


def _advised(error: OSError, path: Any, advice: str) -> OSError:
    """The same error with the path that was given, and what to do."""
    return type(error)(error.errno, f"{error.strerror or error}; {advice}", str(path))


def _draw_z(count: int, latent_dim: int, seed: int) -> torch.Tensor:
    """z ~ N(0, 1), (count, latent_dim); row k depends on the seed and k alone.

    torch draws normal numbers in blocks of 16 and draws the last of an incomplete block again: only whole ones are asked for.
    """
    blocks = -(-count * latent_dim // 16)
    return torch.randn(blocks * 16, generator=torch.Generator().manual_seed(seed))[:count * latent_dim].view(count, latent_dim)


def _history(stored: Any, path: str | Path) -> dict[str, list[float]]:
    if not isinstance(stored, dict) or any(not isinstance(stored.get(name), list) for name in SERIES):
        raise checkpoint.CheckpointError(f"the history in {Path(path).name} is damaged.")
    try:
        return {name: [float(v) for v in stored[name]] for name in SERIES}
    except (TypeError, ValueError) as error:
        raise checkpoint.CheckpointError(f"the history in {Path(path).name} holds something that is not a number.") from error

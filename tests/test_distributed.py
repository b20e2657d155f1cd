"""Several processes train what one trains: the same weights to the last digits of float64, whatever the loss and the penalty.

Real processes over gloo. Each compares nothing by itself: it writes its state, and the test compares it with one process's.
"""

import multiprocessing
import os
import socket
import traceback
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from gan_core import distributed, players, registry
from gan_core.config import PRESETS, TrainConfig
from gan_core.distributed import ALONE, Team
from gan_core.trainer import Trainer

SEED = np.random.default_rng(0)
IMAGES = torch.from_numpy(SEED.integers(0, 256, (40, 1, 28, 28), np.uint8))
LABELS = torch.arange(40) % 4
POINTS = torch.from_numpy(SEED.normal(size=(60, 2)).astype(np.float32))
BATCH, STEPS = 8, 3
SAME = 1e-9  # of the largest value of a tensor

ALL_CASES: dict[str, dict] = {  # name -> what differs from the plain config
    **{f"loss {name}": {"loss": name} for name in registry.LOSSES},
    "r1": {"r1": 0.5}, "r2": {"r2": 0.5}, "r1 and r2, relativistic": {"r1": 0.1, "r2": 0.1, "loss": "relativistic"},
    "r1 and r2 approximately": {"r1": 0.5, "r2": 0.5, "penalty": "approximate"},
    "gradient penalty": {"loss": "wasserstein", "gradient_penalty": 10.0, "d_steps": 2},
    "spectral norm": {"loss": "hinge", "spectral_norm": True},
    **{f"augment {policy}": {"augment": policy, "r1": 0.1} for policy in
       ("translation", "translation,cutout", "color,translation,cutout")},
    "instance noise": {"instance_noise": 0.2, "decay_steps": 50},
    "noise and smoothing of labels": {"label_noise": 0.1, "label_smoothing": 0.1},
    "the course's, with dropout and noise on labels": {**PRESETS["course"].to_dict(), "label_smoothing": 0.1},
    "the course's as wgan-gp": PRESETS["course-wgan-gp"].to_dict(),
    "classes": {"condition": "class", "r1": 0.1, "loss": "relativistic"},
    "classes, gradient penalty, noise": {"condition": "class", "gradient_penalty": 5.0, "instance_noise": 0.1},
    "residual networks": {"networks": "resnet", "loss": "relativistic", "r1": 0.1, "r2": 0.1},
    "residual networks of classes": {"networks": "resnet", "condition": "class", "spectral_norm": True, "loss": "hinge"},
    "points": {**PRESETS["ring"].to_dict()},
    "points with noise": {**PRESETS["grid"].to_dict(), "instance_noise": 0.1},
    "no average": {"ema_half_life": 0.0},
    "everything at once": {"condition": "class", "loss": "relativistic", "r1": 0.1, "r2": 0.1, "spectral_norm": True,
                           "d_steps": 2, "augment": "color,translation,cutout", "instance_noise": 0.1, "decay_steps": 20},
}


def config_of(case: str) -> TrainConfig:
    own = {"batch_size": BATCH, "device": "cpu", "precision": "fp32", "threads": 1, "rewrites": "off", "seed": 3}
    return TrainConfig().replace(**{**ALL_CASES[case], **own})


def trainer_of(config: TrainConfig, team: Team = ALONE) -> Trainer:
    """In float64, weights, inputs and all."""
    points = config.networks == "mlp"
    data, labels = (POINTS, None) if points else (IMAGES, LABELS)
    classes = 4 if config.condition == "class" else 0
    networks = players.build(config, tuple(data.shape[1:]), classes)
    return Trainer(config, data, labels, networks=tuple(network.double() for network in networks), team=team)


def trained(case: str, team: Team = ALONE) -> dict[str, torch.Tensor]:
    """The state after some steps, and what was measured at each."""
    t = trainer_of(config_of(case), team)
    metrics = [t.step() for _ in range(STEPS - 1)] + [t.discriminator_step() | t.generator_step()]
    return t.state_dict() | {f"metrics.{k}.{name}": value for k, found in enumerate(metrics) for name, value in found.items()}


def train_cases(team: Team, folder: Path, cases: list[str]) -> None:
    for number, case in enumerate(cases):
        state = trained(case, team)
        save_file({name: t.contiguous() for name, t in state.items()}, folder / f"{number}-{team.rank}.safetensors")


def _process(rank: int, size: int, port: int, folder: Path, what, args) -> None:
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(size), "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": str(size),
                   "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "TORCHELASTIC_RUN_ID": "test"}
    torch.set_num_threads(1)
    try:
        team = distributed.join()
        assert (team.rank, team.size) == (rank, size)
        what(team, folder, *args)
        team.leave(0)
    except BaseException:
        (folder / f"error-{rank}").write_text(traceback.format_exc())
        raise


def together(size: int, folder: Path, what, *args) -> None:
    """Run what(team, folder, *args) in `size` processes, and wait for all."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    members = [context.Process(target=_process, args=(rank, size, port, folder, what, args)) for rank in range(size)]
    for member in members:
        member.start()
    for member in members:
        member.join()
    errors = [path.read_text() for path in sorted(folder.glob("error-*"))]
    assert not errors and all(member.exitcode == 0 for member in members), "\n".join(errors)


def largest_difference(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> tuple[float, str]:
    """Relative to the largest value of each tensor, and of which tensor.

    A tensor that is zero but for rounding (a bias that a relative loss does not feel) is held against all of its kind.
    """
    assert set(ours) == set(theirs)

    def kind(name: str) -> str:
        return name.split(".")[0] + name.rpartition(".")[2] * name.startswith("opt")

    sizes = {name: float(t.double().abs().max()) for name, t in theirs.items()}
    kinds = {kind(name): max(size for other, size in sizes.items() if kind(other) == kind(name)) for name in sizes}
    scale = {name: size if size > 1e-9 * kinds[kind(name)] else kinds[kind(name)] for name, size in sizes.items()}
    return max((float((ours[n].double() - theirs[n].double()).abs().max()) / max(scale[n], 1e-300), n) for n in ours)


def check_equal(size: int, folder: Path, cases: list[str]) -> float:
    together(size, folder, train_cases, cases)
    worst = 0.0
    for number, case in enumerate(cases):
        found = [load_file(folder / f"{number}-{rank}.safetensors") for rank in range(size)]
        for other in found[1:]:
            assert all(torch.equal(found[0][name], other[name]) for name in found[0]), f"{case}: the processes differ"
        difference, where = largest_difference(found[0], trained(case))
        print(f"{size} processes, {case}: {difference:.1e} at {where}")
        assert difference < SAME, f"{case}: {where} differs by {difference:.1e} between {size} processes and one"
        worst = max(worst, difference)
    return worst


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 4])
def test_every_loss_and_regularizer_trains_as_one_process_does(size: int, tmp_path: Path) -> None:
    check_equal(size, tmp_path, list(ALL_CASES))

"""Several processes train what one trains: the same weights to the last digits of float64, whatever the loss and the penalty.

Real processes over gloo. Each compares nothing by itself: it writes its state, and the test compares it with one process's.
"""

import copy
import functools
import multiprocessing
import os
import socket
import threading
import time
import traceback
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from gan_core import registry
from gan_core.compute import distributed
from gan_core.compute.distributed import ALONE, Team
from gan_core.config import PRESETS, TrainConfig
from gan_core.networks.layers import BatchNorm2d
from gan_core.training import setup
from gan_core.training.batches import Batches
from gan_core.training.trainer import Trainer

SEED = np.random.default_rng(0)
IMAGES = torch.from_numpy(SEED.integers(0, 256, (40, 1, 28, 28), np.uint8))
LABELS = torch.arange(40) % 4
POINTS = torch.from_numpy(SEED.normal(size=(60, 2)).astype(np.float32))
BATCH, STEPS = 8, 3
SAME = 1e-8  # of the largest value of a tensor: Adam blows rounding up where a gradient is nothing else; float32 begins at 6e-8

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
    points = registry.NETWORKS[config.networks].points
    data, labels = (POINTS, None) if points else (IMAGES, LABELS)
    classes = 4 if config.condition == "class" else 0
    networks = setup.build_networks(config, tuple(data.shape[1:]), classes)
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


def together(size: int, folder: Path, what, *args, how: str = "spawn") -> None:
    """Run what(team, folder, *args) in `size` processes, and wait for all. how: "fork" starts them without importing anything."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    context = multiprocessing.get_context(how)
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


def check_equal(size: int, folder: Path, cases: list[str], how: str = "spawn") -> float:
    alone = {case: trained(case) for case in cases}  # first: what a fork inherits is warm
    together(size, folder, train_cases, cases, how=how)
    worst = 0.0
    for number, case in enumerate(cases):
        found = [load_file(folder / f"{number}-{rank}.safetensors") for rank in range(size)]
        for other in found[1:]:
            assert all(torch.equal(found[0][name], other[name]) for name in found[0]), f"{case}: the processes differ"
        difference, where = largest_difference(found[0], alone[case])
        print(f"{size} processes, {case}: {difference:.1e} at {where}")
        assert difference < SAME, f"{case}: {where} differs by {difference:.1e} between {size} processes and one"
        worst = max(worst, difference)
    return worst


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 4])
def test_every_loss_and_regularizer_trains_as_one_process_does(size: int, tmp_path: Path) -> None:
    check_equal(size, tmp_path, list(ALL_CASES))


@pytest.mark.skipif(not hasattr(os, "fork") or torch.cuda.is_available(), reason="needs fork, which CUDA does not survive")
def test_two_processes_train_as_one_does(tmp_path: Path) -> None:
    check_equal(2, tmp_path, ["everything at once", "noise and smoothing of labels"], how="fork")


# What needs no second process.


def members(size: int) -> list[Team]:
    return [Team(rank, size, rank, size) for rank in range(size)]


@given(st.integers(1, 6), st.integers(1, 4), st.integers(1, 3), st.integers(0, 2))
def test_shares_are_equal_contiguous_and_all_there_is(size: int, mine: int, parts: int, dimensions: int) -> None:
    whole = torch.arange(parts * size * mine * 2**dimensions).view(parts * size * mine, *[2] * dimensions)
    shares = [team.shard(whole, parts) for team in members(size)]
    for part in range(parts):
        batch = torch.cat([share.view(parts, mine, *share.shape[1:])[part] for share in shares])
        assert torch.equal(batch, whole[part * size * mine:(part + 1) * size * mine])


@pytest.mark.parametrize("size", [2, 4])
def test_every_draw_is_the_whole_batchs_whatever_the_number_of_processes(size: int) -> None:
    config = config_of("everything at once").replace(label_noise=0.1, label_smoothing=0.1)
    alone, *shares = (Batches(config, IMAGES, LABELS, team) for team in (ALONE, *members(size)))

    def together(of, parts: int = 1):
        drawn = [of(batches) for batches in shares]
        return torch.cat([torch.cat([d.chunk(parts)[part] for d in drawn]) for part in range(parts)])

    of_one = [lambda b: b.z("D", 3), lambda b: b.real(3)[0], lambda b: b.real(3)[1], lambda b: b.real(3, "G")[0],
              lambda b: b.generator_labels(3), lambda b: b.label_noise(3, True)[0], lambda b: b.label_noise(3, True)[1],
              lambda b: b.draw("uniform", "between", 3, b.rows)]
    of_two = [lambda b: b.draw("normal", "penalty", 3, 2 * b.rows, 5),
              lambda b: b.discriminator_input(torch.zeros(2 * b.rows, 1, 28, 28), "D", 3, 0.5)]
    for parts, draws in ((1, of_one), (2, of_two)):
        for draw in draws:
            assert torch.equal(together(draw, parts), draw(alone))
    assert torch.equal(alone.fixed_z(7)[0], shares[0].fixed_z(7)[0]), "what is shown is not shared"


def test_alone_nothing_happens() -> None:
    assert distributed.join() == ALONE, "torchrun has not started this"
    layer = torch.nn.Linear(3, 1)
    logits = layer(torch.ones(4, 3)).squeeze(1)
    logits.mean().backward()
    before = layer.weight.grad
    loss, rows = ALONE.all_reduce_gradients(layer.parameters(), logits.mean(), logits)
    assert layer.weight.grad is before and torch.equal(rows, logits) and torch.equal(loss, logits.mean())
    assert not rows.requires_grad and ALONE.shard(rows) is rows
    assert not any(getattr(m, "all_gather", None) for m in trainer_of(config_of("classes")).G.modules())


@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm_over_all_rows_is_torchs_batch_norm(affine: bool) -> None:
    """Two processes are two threads here, which wait for each other in `all_gather`; the oracle sees all rows at once."""
    torch.manual_seed(0)
    oracle = torch.nn.BatchNorm2d(3, affine=affine).double()
    if affine:
        torch.nn.init.normal_(oracle.weight)
    x, weights = torch.randn(8, 3, 5, 5, dtype=torch.float64) + 2, torch.randn(8, 3, 5, 5, dtype=torch.float64)
    slots, barrier, found = [None, None], threading.Barrier(2, timeout=60), [None, None]

    def half(rank: int) -> None:
        def all_gather(values: torch.Tensor) -> torch.Tensor:
            slots[rank] = values
            barrier.wait()
            rows = torch.stack(slots)
            barrier.wait()
            return rows

        layer = BatchNorm2d(3, affine=affine).double()
        layer.load_state_dict(oracle.state_dict())
        layer.all_gather = all_gather
        mine = x[rank * 4:rank * 4 + 4].clone().requires_grad_(True)
        y = layer(mine)
        (y * weights[rank * 4:rank * 4 + 4]).sum().backward()
        with torch.no_grad(), setup.frozen_statistics(layer):
            kept = layer.running_mean.clone()
            assert torch.allclose(layer(mine), y) and torch.equal(layer.running_mean, kept)
        layer.eval()
        found[rank] = (layer, mine, y, layer(mine.detach()[:1]))  # alone again: the other is not asked

    threads = [threading.Thread(target=half, args=(rank,)) for rank in range(2)]
    initial = copy.deepcopy(oracle)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole = x.clone().requires_grad_(True)
    expected = initial(whole)
    (expected * weights).sum().backward()
    close = functools.partial(torch.testing.assert_close, rtol=1e-12, atol=1e-12)
    close(torch.cat([y for _, _, y, _ in found]), expected)
    close(torch.cat([mine.grad for _, mine, _, _ in found]), whole.grad)
    for layer, _, _, shown in found:
        close(dict(layer.named_buffers()), dict(initial.named_buffers()))
        close(shown, initial.eval()(whole.detach()[:1] if layer is found[0][0] else whole.detach()[4:5]))
    if affine:
        close(sum(layer.weight.grad for layer, *_ in found), initial.weight.grad)
        close(sum(layer.bias.grad for layer, *_ in found), initial.bias.grad)


def test_what_a_team_cannot_train_is_refused_in_words() -> None:
    config = config_of("loss course").replace(batch_size=9)
    with pytest.raises(ValueError, match="batch_size is 9, which 2 processes cannot share evenly; give a multiple of 2"):
        trainer_of(config, Team(0, 2, 0, 2))
    t = trainer_of(config.replace(batch_size=8), Team(0, 2, 0, 2))
    with pytest.raises(ValueError, match="batch_size is 6, which 4"):
        trainer_of(config.replace(batch_size=8), Team(0, 4, 0, 4)).tune(batch_size=6)
    with pytest.raises(ValueError, match="BatchNorm1d sees only a part of the batch"):
        setup.sync_batch_norms(torch.nn.Sequential(torch.nn.BatchNorm1d(3)), t.D, t.team)
    with pytest.raises(ValueError, match="BatchNorm2d sees only a part of the batch"):
        setup.sync_batch_norms(t.D, t.G, t.team)
    with pytest.raises(ValueError, match="64 processes need a GPU each"):
        Team(0, 64, 0, 64).check_device("cuda")


def test_a_process_without_a_sign_of_life_is_silent_and_one_that_comes_back_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "HEARTBEAT_INTERVAL", 0.01)
    store = dist.HashStore()
    first = distributed.Heartbeats(store, Team(0, 3, 0, 3))

    def until(condition) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    until(lambda: len(first._last) == 2)
    assert distributed.Heartbeats(store, Team(1, 3, 1, 3)).silence() == 0, "the others are the first one's business"
    until(lambda: first.silence() > 0.2)  # of the third, which never was
    third = distributed.Heartbeats(store, Team(2, 3, 2, 3))
    until(lambda: first.silence() < 0.1)

    def gone(*_):
        raise RuntimeError("the store is gone")
    third._store = type("Gone", (), {"add": gone})()
    until(lambda: first.silence() > 0.2)
    first._store = third._store
    until(lambda: first.silence() == 0)
    assert distributed.silence() == 0, "alone"

"""Updates that are captured and repeated. On the CPU everything but CUDA's own capturing is put to the test."""

import numpy as np
import pytest
import torch

from gan_core.compute.choices import ComputeChoices
from gan_core.compute.cuda_graphs import WARM_UP_CALLS, GraphedUpdate
from gan_core.config import TrainConfig
from gan_core.training.trainer import Trainer

IMAGES = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (40, 1, 28, 28), np.uint8))
LABELS = torch.arange(40) % 4
KINDS = [{"networks": "course", "latent_dim": 8, "loss": "course", "label_noise": 0.05},
         {"loss": "relativistic", "r1": 1.0, "r2": 1.0, "d_steps": 2},
         {"augment": "translation,cutout", "instance_noise": 0.1, "label_smoothing": 0.1, "spectral_norm": True},
         {"loss": "wasserstein", "gradient_penalty": 10.0}, {"decay_steps": 5, "r1": 1.0, "penalty": "approximate"}]


def trainer(**changes):
    config = TrainConfig().replace(**{"batch_size": 2, "device": "cpu", "precision": "fp32", "threads": 1, **changes})
    return Trainer(config, IMAGES, LABELS, choices=ComputeChoices(threads=1))


def taped(t, **options):
    """The trainer with both updates as `GraphedUpdate`s; their graph is Python again, with all numbers as captured."""
    made = []

    def wrap(update):
        def capture(once):
            frozen = t.step_count

            def replay():
                now, t.step_count = t.step_count, frozen
                with whole._taped():
                    once()
                t.step_count = now

            made.append(replay)
            return replay

        holders = [(t, "draws"), (t.batches, "draws"), (t.batches, "_other_draws")]
        whole = GraphedUpdate(update, torch.device("cpu"), holders, **{"capture": capture, **options})
        return whole

    t._updates = tuple(wrap(update) for update in t._updates)
    return made


def same(a, b):
    return set(a) == set(b) and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("changes", KINDS[:-1], ids=["course", "penalties", "disguises", "gradient penalty"])
def test_a_repeated_update_is_the_update_bit_for_bit(changes):
    """Whatever differs from step to step comes from outside: with the captured step's own numbers the runs would part."""
    plain, repeated = trainer(**changes), trainer(**changes)
    graphs = taped(repeated)
    for k in range(WARM_UP_CALLS + 3):
        method = "discriminator_step" if k == WARM_UP_CALLS + 1 else "step"
        assert same(getattr(plain, method)(), getattr(repeated, method)())
    assert len(graphs) == 2, "each player's update is captured once"
    assert same(plain.state_dict(), repeated.state_dict())
    assert same({"z": plain.sample(3)}, {"z": repeated.sample(3)}), "other draws are as they were"


def test_results_are_not_written_over_by_the_next_step():
    t = trainer()
    taped(t)
    for _ in range(WARM_UP_CALLS + 1):
        t.step()
    kept = t.step()
    values = {name: float(value) for name, value in kept.items()}
    t.step()
    assert values == {name: float(value) for name, value in kept.items()}


def test_rates_that_fall_reach_a_repeated_update():
    changes = {"decay_steps": 6, "lr_final": 0.0}
    plain, repeated = trainer(**changes), trainer(**changes)
    taped(repeated)
    for _ in range(WARM_UP_CALLS + 5):
        plain.step()
        repeated.step()
    assert same(plain.state_dict(), repeated.state_dict()) and repeated.opt_G.param_groups[0]["lr"] == 0.0


def test_what_cannot_be_captured_is_said_once_and_training_goes_on_exactly():
    plain, t = trainer(), trainer()

    def refuse(once):
        raise RuntimeError("operation not permitted when stream is capturing\nmore of it")

    taped(t, capture=refuse)
    with pytest.warns(UserWarning, match="cannot be captured as a CUDA graph .operation not permitted when stream is capturing"):
        for _ in range(WARM_UP_CALLS + 3):
            assert same(plain.step(), t.step())
    assert same(plain.state_dict(), t.state_dict()) and all(update.failure for update in t._updates)


@pytest.mark.parametrize(("changes", "may"), [*((kind, True) for kind in KINDS[:-1]), (KINDS[-1], False),
                                              ({"decay_steps": 5}, True),
                                              ({"decay_steps": 5, "r1": 1.0, "penalty_final": 1.0}, True),
                                              ({"decay_steps": 5, "instance_noise": 0.1}, False)])
def test_weights_that_decay_inside_an_update_are_not_captured(changes, may):
    t = trainer(**changes)
    assert not t._may_be_captured(), "there are no graphs on a CPU"
    t.choices = ComputeChoices("cuda")
    assert bool(t._may_be_captured()) == may


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("changes", KINDS, ids=["course", "penalties", "disguises", "gradient penalty", "decay"])
def test_on_a_gpu_a_graph_trains_as_the_single_launches_do(changes, monkeypatch):
    def train(captured):
        if not captured:
            monkeypatch.setattr(Trainer, "_may_be_captured", lambda self: False)
        config = TrainConfig().replace(**{"batch_size": 4, "device": "cuda", "precision": "fp32", **changes})
        t = Trainer(config, IMAGES, LABELS, choices=ComputeChoices("cuda"))
        metrics = [t.step() for _ in range(WARM_UP_CALLS + 5)]
        assert not any(update.failure for update in t._updates if isinstance(update, GraphedUpdate))
        return t.state_dict(), torch.tensor([[float(v) for v in m.values()] for m in metrics])

    (state, metrics), (expected, wanted) = train(True), train(False)
    torch.testing.assert_close(metrics, wanted, rtol=1e-3, atol=1e-3)
    for name, value in state.items():
        torch.testing.assert_close(value.float(), expected[name].float(), rtol=1e-2, atol=1e-3)

"""What falls with the step, and that the page is told what the training uses."""

import dataclasses

import pytest

from gan_core.config import PRESETS, TrainConfig
from gan_core.decay import FALLING, cosine_decay, in_force, share_left

CONFIG = dataclasses.asdict(TrainConfig(decay_steps=100, lr_final=0.02, penalty_final=0.5, lr_d=0.002, lr_g=0.004, r1=0.2,
                                        instance_noise=0.3))


@pytest.mark.parametrize(("step", "share"), [(0, 1.0), (25, 0.8682), (50, 0.55), (75, 0.2318), (100, 0.1), (10**9, 0.1)])
def test_half_a_cosine_falls_to_the_final_share_and_stays_there(step, share):
    assert cosine_decay(step, 100, 0.1) == pytest.approx(share, abs=1e-4)
    assert cosine_decay(step, 0, 0.1) == 1.0, "0 steps keep everything"


def test_what_is_in_force_is_given_of_what_falls_and_of_nothing_else():
    assert in_force(CONFIG, 0) == {"lr_d": 0.002, "lr_g": 0.004, "r1": 0.2, "instance_noise": 0.3}, "what is 0 stays so"
    assert in_force(CONFIG, 200) == pytest.approx({"lr_d": 0.00004, "lr_g": 0.00008, "r1": 0.1, "instance_noise": 0.0})
    assert set(in_force({**CONFIG, "lr_final": 1.0}, 50)) == {"r1", "instance_noise"}
    assert in_force({**CONFIG, "decay_steps": 0}, 50) == {} == in_force({"lr_d": 0.002}, 50)
    assert in_force(dataclasses.asdict(PRESETS["ring"]), 18_245)["lr_d"] == pytest.approx(0.00004)


def test_every_setting_that_falls_is_one_and_so_is_what_remains_of_it():
    assert {*FALLING, *filter(None, FALLING.values())} <= set(CONFIG)
    assert [share_left(CONFIG, name, 100) for name in FALLING] == [0.02, 0.02, 0.5, 0.5, 0.5, 0.0]

"""When a run is finished, and what changes so that it goes on: pure arithmetic over a config."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan_core.config import PRESETS, ConfigError
from gan_core.runs.limits import extension, reached_limits, with_limits_lifted

QUICK = PRESETS["quick"]


@pytest.mark.parametrize(("limits", "step", "elapsed", "reached"), [
    ({}, 10**9, 1e9, ()), ({"max_steps": 200}, 199, 0, ()), ({"max_steps": 200}, 200, 0, ("max_steps",)),
    ({"max_minutes": 1}, 0, 59.9, ()), ({"max_minutes": 1}, 0, 60, ("max_minutes",)),
    ({"max_steps": 5, "max_minutes": 1}, 6, 61, ("max_steps", "max_minutes"))])
def test_a_run_is_finished_at_its_limits(limits, step, elapsed, reached):
    assert reached_limits(QUICK.replace(**limits), step, elapsed) == reached


@given(st.integers(0, 10**6), st.floats(0, 1e5), st.integers(0, 10**6), st.integers(0, 10**4), st.integers(0, 10**6),
       st.floats(0, 1e4))
def test_whoever_goes_on_trains_for_as_long_as_they_say(step, elapsed, max_steps, max_minutes, steps, minutes):
    minutes = round(minutes, 2)
    config = QUICK.replace(max_steps=max_steps, max_minutes=max_minutes)
    new = config.replace(**extension(config, step, elapsed, steps=steps, minutes=minutes))
    assert not reached_limits(new, step, elapsed)
    if steps:
        assert new.max_steps == step + steps and reached_limits(new, step + steps, elapsed)
    if minutes:
        assert new.max_minutes * 60 == pytest.approx(elapsed + 60 * minutes, abs=0.04)
    if not steps and not minutes:
        assert (new.max_steps, new.max_minutes) == (0, 0)
    if steps and 0 < config.max_minutes * 60 > elapsed and not minutes:
        assert new.max_minutes == config.max_minutes, "a limit that is not reached still holds"


def test_knobs_alone_lift_no_limit():
    config = QUICK.replace(max_steps=200)
    assert with_limits_lifted(config, 200, 0, {"lr_d": 0.001}) == {"lr_d": 0.001}


def test_a_limit_beyond_what_a_limit_may_be_is_refused():
    with pytest.raises(ConfigError, match="max_steps is 1000000001; give a whole number"):
        extension(QUICK, 1, 0.0, steps=10**9)

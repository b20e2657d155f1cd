import torch
from hypothesis import given
from hypothesis import strategies as st

from gan_core.losses.randomness import Draws, derive_seed


def test_a_draw_depends_on_seed_stream_and_index_and_on_nothing_before_it() -> None:
    fresh = Draws(3).normal("z", 7, 4, 5)
    used = Draws(3)
    for index in range(20):
        used.normal("z", index, 9)
        used.uniform("noise", index, 3)
    assert torch.equal(used.normal("z", 7, 4, 5), fresh) and fresh.shape == (4, 5) and fresh.dtype == torch.float32
    others = [Draws(4).normal("z", 7, 4, 5), Draws(3).normal("y", 7, 4, 5), Draws(3).normal("z", 8, 4, 5)]
    assert not any(torch.equal(fresh, other) for other in others)


@given(st.integers(0, 2**31), st.text(max_size=10), st.integers(0, 10**9))
def test_seeds_are_63_bits_and_never_meet_by_a_shift(seed: int, stream: str, index: int) -> None:
    seeds = [derive_seed(seed + a, stream, index + b) for a in (0, 1) for b in (0, 1)]
    assert all(0 <= one < 2**63 for one in seeds) and len(set(seeds)) == 4


def test_the_global_generator_is_neither_read_nor_moved() -> None:
    before = torch.random.get_rng_state()
    first = Draws(1).batch(5, 4, 100)
    torch.manual_seed(99)
    assert torch.equal(Draws(1).batch(5, 4, 100), first)
    torch.random.set_rng_state(before)
    draws = Draws(1)
    draws.normal("z", 0, 10), draws.uniform("u", 0, 10), draws.batch(0, 4, 100), draws.batch(0, 200, 100)
    assert torch.equal(torch.random.get_rng_state(), before)


@given(seed=st.integers(0, 100), batch=st.integers(1, 10), total=st.integers(10, 40), epoch=st.integers(0, 5))
def test_an_epoch_shows_every_picture_at_most_once_and_the_next_in_another_order(seed, batch, total, epoch) -> None:
    draws, per_epoch = Draws(seed), total // batch
    shown = torch.cat([draws.batch(epoch * per_epoch + k, batch, total) for k in range(per_epoch)])
    assert len(shown) == per_epoch * batch == len(set(shown.tolist())) and shown.min() >= 0 and shown.max() < total
    following = torch.cat([draws.batch((epoch + 1) * per_epoch + k, batch, total) for k in range(per_epoch)])
    assert not torch.equal(shown, following)


def test_a_batch_larger_than_the_data_is_drawn_with_replacement() -> None:
    batch = Draws(0).batch(3, 50, 7)
    assert batch.shape == (50,) and set(batch.tolist()) <= set(range(7))


def test_normal_and_uniform_are_what_they_are_called() -> None:
    normal, uniform = Draws(0).normal("z", 0, 100_000), Draws(0).uniform("u", 0, 100_000)
    assert abs(normal.mean()) < 0.02 and abs(normal.std() - 1) < 0.02
    assert uniform.min() >= 0 and uniform.max() < 1 and abs(uniform.mean() - 0.5) < 0.01

"""The watch over the threads, on simulated machines: no clock, no process, every second is counted by the simulation."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gan_core.compute import thread_tuner
from gan_core.compute.thread_tuner import PATIENCE, ThreadPolicy, ThreadTuner, thread_counts

ALONE = 100.0  # images a second of one thread


class Machine:
    """Cores with other work on them. Threads wait for the slowest: where they outnumber the free cores, speed collapses."""

    def __init__(self, cores: int, busy: float = 0.0, collapse: float = 6.0) -> None:
        self.cores, self.busy, self.collapse = cores, busy, collapse

    def speed(self, n: int) -> float:
        """Images per second of n threads: near n-fold, a little less for a little load, broken where a core is missing."""
        missing = n + self.busy - self.cores
        together = ALONE * n ** 0.8
        if missing <= 0:
            return together
        if n == 1:
            return ALONE / (1 + missing)
        return together * (1 - missing) if missing <= 0.2 else together / self.collapse

    def idle(self, n: int) -> float:
        return max(0.0, self.cores - self.busy - n)


def live(machine: Machine, watch: ThreadPolicy, seconds: float, step: int = 16) -> tuple[float, list[tuple[float, int]]]:
    """(images trained, [(second, threads) of each change]) in so much simulated time."""
    clock, images, changes = 0.0, 0.0, []
    watch._idle = lambda: machine.idle(watch.threads)
    while clock < seconds:
        took = step / machine.speed(watch.threads)
        clock, images = clock + took, images + step
        new = watch.add(step, took)
        if new is not None:
            assert new == watch.threads
            changes.append((clock, new))
    return images, changes


def probed(cores: int, most: int | None = None) -> ThreadPolicy:
    quiet = Machine(cores)
    return ThreadPolicy(most or cores, cores, {n: quiet.speed(n) for n in thread_counts(cores)})


@pytest.mark.parametrize(("most", "expected"), [(1, [1]), (2, [1, 2]), (4, [1, 2, 3, 4]), (8, [1, 2, 4, 7, 8])])
def test_the_numbers_worth_trying(most: int, expected: list[int]) -> None:
    assert thread_counts(most) == expected


def test_beside_a_busy_process_training_keeps_the_speed_of_one_thread_and_comes_back_when_it_is_quiet() -> None:
    machine, watch = Machine(2), probed(2)
    assert live(machine, watch, 20)[1] == [] and watch.threads == 2

    machine.busy = 1.0
    images, changes = live(machine, watch, 60)
    assert [n for _, n in changes] == [1] and changes[0][0] < 2.0
    assert images >= 0.97 * ALONE * 60, "all but the moment of noticing"

    machine.busy = 0.0
    images, changes = live(machine, watch, 60)
    assert [n for _, n in changes] == [2] and images > 1.5 * ALONE * 60


@pytest.mark.parametrize("busy", [0.05, 0.1, 0.19])
def test_a_little_load_takes_no_thread_away(busy: float) -> None:
    watch = probed(2)
    assert live(Machine(2, busy), watch, 60)[1] == [] and watch.threads == 2


@given(st.integers(2, 16), st.floats(0, 3), st.floats(1.5, 15), st.integers(1, 32))
def test_on_any_machine_a_steady_load_costs_little_more_than_the_moment_of_noticing(cores, busy, collapse, step) -> None:
    machine, watch = Machine(cores, busy, collapse), probed(cores)
    live(machine, watch, 60, step)
    images, changes = live(machine, watch, 600, step)
    assert images >= 0.95 * machine.speed(1) * 600
    assert len(changes) <= 16, "ten minutes of the same load: the trials die out"


@given(st.lists(st.floats(0, 2), min_size=20, max_size=60), st.integers(0, 2**31))
def test_loads_that_come_and_go_do_not_make_it_flap(loads, seed) -> None:
    machine, watch, changes = Machine(2), probed(2), 0
    for busy in loads:
        machine.busy = busy
        changes += len(live(machine, watch, 5)[1])
        assert 1 <= watch.threads <= 2
    # A trial and its end are two changes, and each trial doubles the wait: 5 + 10 + ... seconds, or a calm of four times it.
    assert changes <= 2 + 2 * len(loads) * 5 / (2 * PATIENCE)


def test_a_trial_that_is_no_faster_is_over_at_once_and_the_next_one_waits_longer() -> None:
    watch = ThreadPolicy(1, 2)
    machine = Machine(2, busy=1.0)
    machine.idle = lambda n: 2.0  # a container that sees its host's idle cores
    images, changes = live(machine, watch, 600)
    ups = [at for at, n in changes if n == 2]
    assert [n for _, n in changes] == [2, 1] * len(ups)
    waits = [later - earlier for earlier, later in itertools.pairwise(ups)]
    assert len(ups) >= 5 and all(later > 1.5 * earlier for earlier, later in itertools.pairwise(waits))
    assert images > 0.98 * ALONE * 600


def test_without_idle_cores_more_threads_are_not_even_tried() -> None:
    watch = ThreadPolicy(1, 2)
    assert live(Machine(2, busy=1.0), watch, 600)[1] == []


def test_what_was_never_measured_is_guessed_in_favour_of_the_threads_there_are() -> None:
    """A resumed run knows no speeds: the best it has seen, divided, is what fewer threads would do at least."""
    machine, watch = Machine(2), ThreadPolicy(2, 2)
    assert live(machine, watch, 30)[1] == []
    machine.busy = 1.0
    assert [n for _, n in live(machine, watch, 30)[1]] == [1]


def test_a_chosen_number_stays_and_a_changed_one_reaches_torch(monkeypatch) -> None:
    before, used = torch.get_num_threads(), []
    monkeypatch.setattr(thread_tuner.torch, "set_num_threads", used.append)
    fixed = ThreadTuner(2, 0)
    for _ in range(50):
        assert fixed.record(1, 1.0) is None
    assert used == [2]
    watched = ThreadTuner(2, 2, {1: 100.0, 2: 160.0})
    assert [change for change in (watched.record(10, 1.0) for _ in range(5)) if change] == [(2, 1)]
    assert used == [2, 2, 1] and torch.get_num_threads() == before
    assert watched._idle() >= 0.0

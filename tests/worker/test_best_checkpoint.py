"""The best generator of a run: measured within its share; the saved state is the measured one, kept, known, gone back to."""

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gan_core.config import PRESETS
from gan_core.data.digits import load
from gan_core.evaluation.evaluator import Measurement
from gan_core.runs import checkpoint
from gan_core.runs.checkpoint_index import BEST, CheckpointError, read_pointer
from gan_core.runs.run import Run
from gan_core.training.trainer import Trainer
from gan_core.worker import best_checkpoint as b
from gan_core.worker.recorder import Recorder

IMAGES, LABELS = load()
CONFIG = PRESETS["quick"].replace(batch_size=4, latent_dim=8, threads=1, device="cpu", measure_share=0.5)


class StatusFields(dict):
    """What the status was told last."""

    def __call__(self, **fields):
        self.update(fields)


def life(folder, run=None):
    """A run, its trainer and what a life of it writes with."""
    run = run or Run.create(CONFIG, folder)
    trainer = Trainer(CONFIG, IMAGES[::10], LABELS[::10])
    kept = checkpoint.newest_valid(run.checkpoint_folder)
    if kept is not None:
        trainer.load_state_dict(kept.tensors)
    result = StatusFields()
    recorder = Recorder(run, trainer, 1 if kept is None else 2, 0, 0)
    return run, trainer, recorder, b.BestCheckpoint(run, trainer, result, 0.0), result


def found(step, value, name="fd"):
    """A measurement as the gauge gives it."""
    return Measurement(step, step * 4, {name: value}, (value,))


def measured(monkeypatch, trainer, best, recorder, value):
    """One measurement, of this very step, that finds `value`."""
    best.evaluator.suite = best.evaluator.suite or type("Fd", (), {"headline": "fd"})
    best._capture()
    monkeypatch.setattr(best.evaluator, "advance", lambda: found(trainer.step_count, value))
    best._credit = 1.0
    best.run_slice(recorder, best._credited_at)


@given(st.lists(st.floats(0.0, 0.05), min_size=1, max_size=200), st.floats(0.01, 0.5))
def test_measuring_takes_no_more_than_its_share_of_the_time(tmp_path_factory, costs, share):
    with pytest.MonkeyPatch.context() as patch:
        now, spent = [50.0], 0.0
        patch.setattr(b.time, "monotonic", lambda: now[0])
        best = b.BestCheckpoint.__new__(b.BestCheckpoint)
        best.trainer = Trainer.__new__(Trainer)
        best.trainer.config = CONFIG.replace(measure_share=share)
        best.run = Run.create(CONFIG, tmp_path_factory.mktemp("run"))
        best._credit, best._credited_at, best.seconds_spent, costs = 0.0, 0.0, 0.0, list(costs)
        best._metadata, best.evaluator = None, type("Clock", (), {"floor": None, "compared": 0})

        def turn():
            nonlocal spent
            cost = costs.pop()
            spent += cost
            now[0] += cost

        best.evaluator.advance = turn
        began, most = now[0], max(costs)
        while costs:
            now[0] += 0.125
            best.run_slice(None, now[0] - began)
            assert spent <= share * (now[0] - began) + most
        quiet = spent
        assert best.seconds_spent == pytest.approx(spent)
        best.trainer.config = CONFIG.replace(measure_share=0.0)
        for _ in range(10):
            now[0] += 60.0
            best.run_slice(None, now[0] - began)
        assert spent == quiet, "0 is off"


def test_what_is_saved_is_the_state_of_the_step_that_was_measured(tmp_path):
    run, trainer, recorder, best, result = life(tmp_path)
    elapsed = 0.0
    while not result.get("best"):
        trainer.step()
        elapsed += 1.0
        best.run_slice(recorder, elapsed)
    pointer, line = read_pointer(run.checkpoint_folder, BEST), next(r for r in run.metrics() if "quality" in r)
    step = line["step"]
    assert 0 < step < trainer.step_count and line["images"] == 4 * step and line["t"] == step, "one second a step"
    assert result["best"] == {"step": step, "name": "fd", "value": line["quality"]["fd"]} and result["checkpoint_step"] == step
    assert pointer["step"] == step and pointer["rank"] == [line["quality"]["fd"]] and len(line["histogram"]) == 10
    while run.floor() is None:
        elapsed += 1.0
        best.run_slice(recorder, elapsed)
    assert set(run.floor()) == set(line["quality"])
    again = Trainer(CONFIG, IMAGES[::10], LABELS[::10])
    for _ in range(step):
        again.step()
    kept = checkpoint.read(checkpoint.step_path(run.checkpoint_folder, step))[0]
    assert kept.keys() == again.state_dict().keys()
    assert all(torch.equal(kept[name], tensor) for name, tensor in again.state_dict().items())


def paused(best, recorder, elapsed=1.0):
    """The slices of a pause, until nothing is left to measure; the steps of all measurements so far."""
    while best.run_paused_slice(recorder, elapsed):
        pass
    return [record["step"] for record in recorder.run.metrics() if "quality" in record]


def test_a_paused_run_is_measured_once_at_its_step_and_takes_none_of_the_share(tmp_path):
    run, trainer, recorder, best, result = life(tmp_path)
    assert paused(best, recorder) == [], "nothing has been learned yet"
    trainer.step()
    assert paused(best, recorder) == [1] and set(run.floor()) == set(run.metrics()[-1]["quality"])
    assert paused(best, recorder) == [1] and best.seconds_spent == 0.0 and best._credit == 0.0
    assert result["best"]["step"] == 1 == read_pointer(run.checkpoint_folder, BEST)["step"]
    trainer.discriminator_step()
    trainer.generator_step()
    assert paused(best, recorder, 7.0) == [1, 3]
    assert [record["t"] for record in run.metrics() if "quality" in record] == [1.0, 7.0]
    recorder.save(0.0)
    run, trainer, recorder, best, _ = life(tmp_path, run)
    assert paused(best, recorder).count(trainer.step_count) == 1, "so has what an earlier life measured"
    trainer.config = trainer.config.replace(measure_share=0.0)
    trainer.step()
    assert trainer.step_count not in paused(best, recorder)


def test_after_a_return_the_steps_that_are_made_again_are_measured_again(tmp_path):
    _, trainer, recorder, best, _ = life(tmp_path)
    trainer.step()
    with pytest.MonkeyPatch.context() as patch:
        measured(patch, trainer, best, recorder, 0.0)
    for _ in range(3):
        trainer.step()
    assert paused(best, recorder) == [1, 4]
    best.restore()
    assert trainer.step_count == 1 and paused(best, recorder) == [1, 4], "the best one has its measurement"
    trainer.step()
    assert paused(best, recorder) == [1, 4, 2]


def test_a_measurement_under_way_is_completed_before_that_of_the_pause(tmp_path):
    _, trainer, recorder, best, _ = life(tmp_path)
    trainer.step()
    elapsed = 0.0
    while best._metadata is None:
        elapsed += 1.0
        best.run_slice(recorder, elapsed)
    trainer.step()
    assert paused(best, recorder) == [1, 2]


def test_what_has_no_numbers_is_measured_once_too(tmp_path, monkeypatch):
    _, trainer, recorder, best, _ = life(tmp_path)
    trainer.step()
    paused(best, recorder)
    trainer.step()

    def compare(fakes):
        yield
        return {"fd": float("nan")}

    monkeypatch.setattr(best.evaluator.suite, "compare", compare)
    assert paused(best, recorder) == [1]


def test_few_pictures_are_not_measured_on_a_pause(tmp_path):
    run = Run.create(CONFIG, tmp_path)
    trainer = Trainer(CONFIG, IMAGES[:19], LABELS[:19])
    recorder, best = Recorder(run, trainer, 1, 0, 0), b.BestCheckpoint(run, trainer, StatusFields(), 0.0)
    trainer.step()
    assert paused(best, recorder) == []


def test_the_best_is_kept_whatever_is_saved_later_and_known_in_the_next_life(tmp_path, monkeypatch):
    run, trainer, recorder, best, result = life(tmp_path)
    for value in (9.0, 4.0, 6.0, 5.0, 4.0):
        trainer.step()
        measured(monkeypatch, trainer, best, recorder, value)
        recorder.save(0.0)
    assert result["best"] == {"step": 2, "name": "fd", "value": 4.0}
    assert checkpoint._steps(run.checkpoint_folder) == [5, 4, 2], "the newest two and the best; the first best is gone"
    assert [r["quality"]["fd"] for r in run.metrics() if "quality" in r] == [9.0, 4.0, 6.0, 5.0, 4.0]

    run, trainer, recorder, best, result = life(tmp_path, run)
    assert trainer.step_count == 5 and result["best"] == {"step": 2, "name": "fd", "value": 4.0}
    for value in (4.5, 3.0):
        trainer.step()
        measured(monkeypatch, trainer, best, recorder, value)
    assert result["best"]["step"] == 7 == read_pointer(run.checkpoint_folder)["step"], "a resume begins no earlier than the best"
    assert checkpoint.newest_valid(run.checkpoint_folder).step == 7


def test_a_best_beyond_the_beginning_of_a_life_is_forgotten(tmp_path, monkeypatch):
    run, trainer, recorder, best, _ = life(tmp_path)
    recorder.save(0.0)
    trainer.step()
    measured(monkeypatch, trainer, best, recorder, 1.0)
    (run.checkpoint_folder / "step-1.safetensors").write_bytes(b"torn")
    run, trainer, _, _, result = life(tmp_path, run)
    assert trainer.step_count == 0 and result["best"] is None and read_pointer(run.checkpoint_folder, BEST) is None


def test_restoring_puts_back_tensors_and_knobs_and_the_way_on_is_the_same_as_before(tmp_path, monkeypatch):
    run, trainer, recorder, best, _ = life(tmp_path)
    with pytest.raises(CheckpointError, match="nothing has been measured"):
        best.restore()
    for _ in range(3):
        trainer.step()
    measured(monkeypatch, trainer, best, recorder, 2.0)
    wanted = [trainer.step() for _ in range(2)]
    trainer.tune(lr_d=1e-5)
    trainer.step()
    recorder.save(0.0)
    kept, changes = best.restore()
    assert kept.step == 3 == trainer.step_count and trainer.images_seen == 12 and changes == {"lr_d": [1e-5, CONFIG.lr_d]}
    assert checkpoint._steps(run.checkpoint_folder) == [3], "what came after belongs to a way that was left"
    again = [trainer.step() for _ in range(2)]
    assert all(torch.equal(a[name], w[name]) for a, w in zip(again, wanted, strict=True) for name in w)


def test_a_knob_turned_at_the_step_of_the_best_leaves_that_as_it_was_measured(tmp_path, monkeypatch):
    """As after a return: the run waits at its best, and whoever changes something there may want to go back again."""
    run, trainer, recorder, best, _ = life(tmp_path)
    trainer.step()
    measured(monkeypatch, trainer, best, recorder, 2.0)
    file = checkpoint.step_path(run.checkpoint_folder, 1)
    before = file.read_bytes()
    trainer.tune(lr_d=1e-5)
    assert recorder.save(0.0) == 1 and file.read_bytes() == before
    resumed = checkpoint.newest_valid(run.checkpoint_folder)
    assert resumed.step == 1 and resumed.metadata["config"]["lr_d"] == 1e-5, "a kill takes no change back"
    assert resumed.metadata["config"].keys() == CONFIG.to_dict().keys()
    trainer.step()
    recorder.save(0.0)
    assert checkpoint.newest_valid(run.checkpoint_folder).metadata["config"]["lr_d"] == 1e-5
    kept, changes = best.restore()
    assert kept.step == 1 and changes == {"lr_d": [1e-5, CONFIG.lr_d]}
    file.write_bytes(b"torn")  # then it is written anew
    recorder.save(0.0)
    assert checkpoint.newest_valid(run.checkpoint_folder).path == file and file.read_bytes() != b"torn"


def test_an_ended_run_goes_on_from_its_best_and_says_so_once(tmp_path, monkeypatch):
    run, trainer, recorder, best, _ = life(tmp_path)
    for value in (2.0, 3.0, 3.0):
        trainer.step()
        measured(monkeypatch, trainer, best, recorder, value)
        recorder.save(0.0)
    assert run.restore_best() == 1 and json.loads((run.checkpoint_folder / "latest.json").read_bytes())["restored"]
    run, trainer, recorder, best, result = life(tmp_path, run)
    assert trainer.step_count == 1 and result["best"]["step"] == 1
    for _ in range(2):
        recorder.mark_restored({}, 0.5)
    assert [r["mark"] for r in run.metrics() if "mark" in r] == [{"kind": "restore", "changes": {}}]
    assert max(r["step"] for r in run.metrics()) == 1
    assert "restored" not in read_pointer(run.checkpoint_folder)

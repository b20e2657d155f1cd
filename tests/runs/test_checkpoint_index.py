"""The checkpoint that counts and the best one: going back is whole or not at all, and never to a file that is not the one."""

import hashlib
import json
import os

import psutil
import pytest

from gan_core.config import PRESETS
from gan_core.runs import checkpoint_index as p
from gan_core.runs.run import Run, RunError


def make(folder, step, best=False):
    data = f"state of {step}".encode()
    (folder / f"step-{step}.safetensors").write_bytes(data)
    sha = hashlib.sha256(data).hexdigest()
    p.write_pointer(folder, f"step-{step}.safetensors", sha, step)
    if best:
        p.write_pointer(folder, f"step-{step}.safetensors", sha, step, p.BEST, name="fd", value=1.5, rank=[1.5])


def steps(folder):
    return sorted(p.checkpoint_step(path.name) for path in folder.glob("step-*"))


def test_going_back_moves_the_pointer_and_removes_what_came_after(tmp_path):
    for step, best in ((1, False), (2, True), (3, False), (30, False)):
        make(tmp_path, step, best)
    assert p.restore_best(tmp_path) == 2 and steps(tmp_path) == [1, 2]
    assert p.read_pointer(tmp_path) == {**p.read_pointer(tmp_path), "file": "step-2.safetensors", "step": 2, "restored": True}
    assert p.read_pointer(tmp_path, p.BEST)["value"] == 1.5
    assert p.left_step(p.read_pointer(tmp_path)) == 30
    assert p.restore_best(tmp_path) == 2 and p.left_step(p.read_pointer(tmp_path)) == 30, "twice is as good as once"
    assert p.restore_best(tmp_path, left=35) == 2 and p.left_step(p.read_pointer(tmp_path)) == 35, "a living worker is further"
    (tmp_path / p.LATEST).write_text("{")
    assert p.restore_best(tmp_path) == 2 and p.left_step(p.read_pointer(tmp_path)) == 2, "of a damaged pointer nothing is known"


@pytest.mark.parametrize("more", [{}, {"left": 9}, {"restored": True}, {"restored": True, "left": "9"},
                                  {"restored": True, "left": 1}, {"restored": True, "left": True}])
def test_a_pointer_without_a_sound_step_that_was_left_names_none(tmp_path, more):
    p.write_pointer(tmp_path, "step-2.safetensors", "0" * 64, 2, **more)
    assert p.left_step(p.read_pointer(tmp_path)) is None


@pytest.mark.parametrize(("fault", "sentence"), [
    ("none", "nothing has been measured"), ("gone", "cannot be read"), ("other", "checksum"), ("torn", "damaged"),
    ("outside", "does not name")])
def test_without_a_sound_best_nothing_changes(tmp_path, fault, sentence):
    make(tmp_path, 1, best=fault != "none")
    make(tmp_path, 2)
    if fault == "gone":
        (tmp_path / "step-1.safetensors").unlink()
    if fault == "other":
        (tmp_path / "step-1.safetensors").write_bytes(b"another")
    if fault == "torn":
        (tmp_path / p.BEST).write_text("{")
    if fault == "outside":
        (tmp_path / p.BEST).write_text(json.dumps({"file": "../../step-1.safetensors", "sha256": "0" * 64, "step": 1}))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(p.CheckpointError, match=sentence):
        p.restore_best(tmp_path)
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_a_run_goes_back_only_when_it_has_ended_and_has_somewhere_to_go(tmp_path):
    run = Run.create(PRESETS["quick"], tmp_path)
    with pytest.raises(RunError, match="stays as it is: nothing has been measured"):
        run.restore_best()
    make(run.checkpoint_folder, 4, best=True)
    make(run.checkpoint_folder, 5)
    status = run.stored_status()
    status.state, status.pid, status.pid_started = "paused", os.getpid(), psutil.Process().create_time()
    run.write_status(status)
    with pytest.raises(RunError, match="is paused: send it the command restore"):
        run.restore_best()
    status.state = "stopped"
    run.write_status(status)
    assert run.restore_best() == 4

"""Damaged files of a run: each is refused where it is read, in a sentence that names the field."""

import json

import pytest

from gan_core.config import PRESETS
from gan_core.runs.json_types import fits, resembles
from gan_core.runs.metrics import MetricsReader
from gan_core.runs.run import Run, RunError
from gan_core.runs.status import Best, Status


@pytest.fixture
def run(tmp_path):
    return Run.create(PRESETS["quick"], tmp_path)


@pytest.mark.parametrize(("name", "value"), [
    ("pid", "x"), ("pid", 10**30), ("step", 10**400), ("best", {"step": 10**400, "name": "fd", "value": 1.0}),
    ("checkpoint_step", "x"), ("best", 5), ("best", {}),
    ("acknowledged", 5), ("acknowledged", [5]),
    ("speed", None), ("exact", 1), ("tuned", [])])
def test_a_status_with_a_field_of_another_type_is_refused_by_its_name(run, name, value):
    (run.path / "status.json").write_text(json.dumps(Status().to_dict() | {name: value}))
    with pytest.raises(RunError, match=name):
        run.stored_status()


@pytest.mark.parametrize(("name", "value"), [
    ("config", None), ("config", []), ("preset", [1]), ("created", "x"), ("created", 1e300), ("created", 10**400),
    ("name", 5), ("kind", {})])
def test_a_config_file_with_a_field_of_another_type_is_no_run(run, name, value):
    path = run.path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
    with pytest.raises(RunError, match=f"{name} is"):
        Run.open(run.path)


@pytest.mark.parametrize("line", [{"step": "x"}, {"step": 1, "t": "y"}, {"step": 1, "quality": 5},
                                  {"step": 1, "quality": {"fd": "x"}}, {"start_step": "y"},
                                  {"step": 1, "mark": {}}, {"step": 1, "d_loss": [1]}, {"step": 1.5},
                                  {"step": 10**400}, {"step": 1, "d_loss": 10**400}, {"step": 1, "quality": {"fd": 10**400}}])
def test_a_line_of_metrics_that_is_no_record_is_left_out(run, line):
    good = {"step": 2, "images": 4, "t": 0.5, "d_loss": float("nan"), "d_fake": None, "of a later version": []}
    run.metrics_path(1).write_text(json.dumps(line) + "\n" + json.dumps(good) + "\n")
    (record,), _ = MetricsReader(run.path).read_new()
    assert record["step"] == 2


def test_older_and_newer_objects_resemble_what_they_are_and_a_strict_reader_refuses_them():
    assert resembles({"of a later version": 1}, Best | None) and not fits({"of a later version": 1}, Best | None)
    assert resembles(None, Best | None) and not resembles([], Best | None)

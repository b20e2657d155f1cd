"""Which run is shown, and that an id cannot lead out of the folders."""

import os

import pytest
from making import make_run


def test_the_newest_touched_is_shown_else_the_starter_else_nothing(catalogue, tmp_path):
    assert catalogue.default_run() is None and catalogue.own_runs() == [] and catalogue.starters() == []
    starter = make_run(tmp_path / "shipped", kind="starter", steps=1)
    assert catalogue.default_run().id == starter.id
    first, second = make_run(catalogue.folder, steps=1), make_run(catalogue.folder, steps=1)
    os.utime(first.path / "status.json", (2e9, 2e9))
    assert catalogue.default_run().id == first.id
    assert [run.id for run in catalogue.own_runs()] == [first.id, second.id]
    (first.path / "status.json").write_text("torn")
    os.utime(first.path / "status.json", (2e9, 2e9))
    assert catalogue.default_run().id == second.id, "a broken folder hides no other"
    assert [run.id for run in catalogue.starters()] == [starter.id]


@pytest.mark.parametrize("name", ["", ".", "..", "../runs", "a/b", "/etc", "a\\b", "x\0y", "é", "a" * 200, " ", "none"])
def test_an_id_that_is_no_runs_name_finds_nothing(catalogue, name):
    make_run(catalogue.folder, steps=1)
    assert catalogue.find(name) is None


def test_a_run_is_found_in_either_folder(catalogue, tmp_path):
    mine, starter = make_run(catalogue.folder, steps=1), make_run(tmp_path / "shipped", kind="starter", steps=1)
    assert catalogue.find(mine.id).path == mine.path and catalogue.find(starter.id).path == starter.path

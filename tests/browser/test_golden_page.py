"""The page over the golden runs: every element that has a name has the same one, and old runs are shown as they were."""

import json

import pytest
from conftest import Server
from golden import recording

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def golden(tmp_path_factory):
    """(server, {name: run folder}) over the golden runs."""
    folder = tmp_path_factory.mktemp("golden-page") / "checkpoints"
    runs = {name: recording.unpacked(name, folder) for name in recording.RUNS}
    server = Server(folder)
    yield server, runs
    server.stop()


@pytest.mark.parametrize("name", recording.RUNS)
def test_an_old_run_is_shown_under_the_same_names(name, golden, visit):
    server, runs = golden
    recording.touch(runs, name)
    person = visit(server.url)
    found, golden_page = recording.on_the_page(person.page), json.loads((recording.HERE / "dom.json").read_text())[name]
    assert set(found.pop("ids")) >= set(golden_page.pop("ids")), "an id may be added, never taken away"
    assert found == golden_page
    assert person.errors == []

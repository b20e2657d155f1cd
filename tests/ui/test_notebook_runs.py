"""A notebook's run as the page's server sees it: listed and steered like any other; what no worker can do is refused with why."""

import json
import os

import psutil
import pytest
from making import make_run

from gan_core.registry import NOTEBOOK
from gan_core.runs import layout
from gan_core.ui.controls import Controls
from gan_core.ui.external_runs import ExternalRun
from gan_core.ui.forms import runs_tab
from gan_core.ui.refusal import Refusal
from gan_core.ui.run_events import RunEvents
from gan_core.ui.words import text

QUIET = {"worker": "none", "active": None, "active_run": None, "ending": []}


def of_notebook(catalogue, state="stopped", **names):
    """A run of a notebook that stands in this state; names: of the networks and the data set, where they are its own."""
    run = make_run(catalogue.folder, kind="notebook", steps=1, state=state)
    info = json.loads((run.path / layout.CONFIG).read_text())
    info["config"] |= names
    (run.path / layout.CONFIG).write_text(json.dumps(info))
    status = run.stored_status()
    status.kernel, status.checkpoint_step = True, 1
    status.best = {"step": 1, "name": "fd", "value": 1.0}
    if state == "paused":
        status.pid, status.pid_started = os.getpid(), psutil.Process().create_time()
    run.write_status(status)
    return catalogue.find(run.id)


@pytest.mark.parametrize("lang", ["en", "fr"])
@pytest.mark.parametrize(("names", "able"), [({}, True), ({"networks": NOTEBOOK}, False), ({"dataset": NOTEBOOK}, False)])
def test_a_stopped_run_is_resumed_only_where_a_worker_has_its_networks_and_data(catalogue, names, able, lang):
    run, controls = of_notebook(catalogue, **names), Controls(catalogue)
    enabled = run.controls(run.status())
    refusal = controls.resume_refusal(run, run.status(), None, lang)
    assert enabled["start"] and enabled["resume"] == enabled["restore"] == (refusal is None) == able
    assert able or str(refusal) == text("runs.not_resumed_notebook", lang)
    events = RunEvents(run)
    list(events.refresh(QUIET))
    shown = json.loads(events.snapshot())
    assert shown["kind"] == "notebook" and shown["controls"] == enabled and shown["status"]["kernel"]
    assert run.id in [one.id for one in catalogue.own_runs()] and catalogue.default_run().id == run.id
    card = runs_tab.card(run, lang)
    assert text("runs.notebook", lang) in card
    assert "dataset" not in names or text("settings.dataset.notebook", lang) in card


def test_while_the_fit_trains_it_is_steered_but_for_what_fit_was_given(catalogue, monkeypatch):
    run, controls, sent = of_notebook(catalogue, "paused", networks=NOTEBOOK), Controls(catalogue), []
    monkeypatch.setattr(Controls, "_send", lambda self, run, command, lang, **args: sent.append(command) or run)
    enabled = run.controls(run.status())
    assert enabled["resume"] and enabled["step"] and enabled["restore"] and controls.can_stop(run, run.status(), None)
    controls.tune('{"lr_d": 0.001}', run.id)
    controls.single_steps("both", 1, run.id)
    assert sent == ["tune", "step"]
    for lang in ("en", "fr"):
        with pytest.raises(Refusal) as refusal:
            controls.tune('{"lr_d": 0.001, "batch_size": 8}', run.id, lang, labels=True)
        assert str(refusal.value) == text("errors.of_fit", lang, field=text("fields.batch_size", lang))
    assert sent == ["tune", "step"]


@pytest.mark.parametrize("names", [{"networks": NOTEBOOK}, {"dataset": NOTEBOOK}])
def test_no_run_begins_here_with_what_is_a_notebooks_own(catalogue, names):
    run, controls = of_notebook(catalogue, **names), Controls(catalogue)
    before = {path.name for path in catalogue.folder.iterdir()}
    for begin in (lambda: controls.config("quick", names), lambda: controls.start(run.config, "quick"),
                  lambda: controls.reset(run.config, "quick", run_id=run.id)):
        with pytest.raises(Refusal) as refusal:
            begin()
        assert str(refusal.value) == text("errors.notebook_only")
    assert {path.name for path in catalogue.folder.iterdir()} == before and run.status().state == "stopped"


def test_strangers_are_shown_no_nearest_pictures_of_a_notebooks_own(catalogue):
    catalogue.public = True
    assert not catalogue.shows_nearest(of_notebook(catalogue, dataset=NOTEBOOK))


def test_elsewhere_and_not_to_be_written_it_is_only_watched(catalogue, monkeypatch):
    run = of_notebook(catalogue)
    assert ExternalRun(run.path, run.info).kind == "notebook"
    monkeypatch.setattr("gan_core.ui.external_runs.os.access", lambda *_: False)
    assert ExternalRun(run.path, run.info).kind == "reading"

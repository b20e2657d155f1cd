"""A finished run goes on from the page and from programs: for how long must be said, and nothing is ended before it is right."""

import math

import pytest
from making import make_run

from gan_core.runs.status import ACTIVE
from gan_core.ui import words
from gan_core.ui.control_routes import ControlRoutes
from gan_core.ui.controls import Controls, Extension, Refusal
from gan_core.ui.json_body import BodyError
from gan_core.ui.preview_jobs import PreviewJobs


@pytest.fixture
def begun(catalogue, monkeypatch):
    """The changes with which each run is begun."""
    lives = []
    monkeypatch.setattr(type(catalogue.supervisor), "start",
                        lambda self, run, paused=False, changes=None: lives.append((run.id, paused, changes)))
    return lives


def finished(catalogue, *, state="finished", step=1, elapsed=0.0, **fields):
    """A run that has finished there, and is saved."""
    run = make_run(catalogue.folder, steps=1, state=state, **fields)
    status = run.stored_status()
    status.step, status.checkpoint_step, status.elapsed = step, step, elapsed
    run.write_status(status)
    return run


@pytest.mark.parametrize(("longer", "changes"), [
    (Extension(250, 0), {"max_steps": 350, "max_minutes": 0}), (Extension(0, 2.5), {"max_steps": 0, "max_minutes": 12.5}),
    (Extension(7, 1), {"max_steps": 107, "max_minutes": 11}), (Extension(), {"max_steps": 0, "max_minutes": 0})])
def test_a_finished_run_goes_on_for_as_long_as_is_said(catalogue, begun, longer, changes):
    run = finished(catalogue, step=100, elapsed=600.0, max_steps=100, max_minutes=10)
    assert Controls(catalogue).resume(run.id, extension=longer).id == run.id
    assert begun == [(run.id, False, changes)]


def test_what_was_tuned_later_counts_and_a_limit_ahead_stays(catalogue, begun):
    run = finished(catalogue, step=100, elapsed=60.0, max_steps=50)
    status = run.stored_status()
    status.tuned = {"max_steps": 100, "max_minutes": 5.0}
    run.write_status(status)
    Controls(catalogue).resume(run.id, extension=Extension(steps=20))
    assert begun == [(run.id, False, {"max_steps": 120, "max_minutes": 5})]


@pytest.mark.parametrize("lang", words.LANGUAGES)
def test_without_an_answer_or_of_another_run_nothing_begins(catalogue, begun, lang):
    run, stopped = finished(catalogue), finished(catalogue, state="stopped")
    controls = Controls(catalogue)
    assert run.controls(run.status())["resume"] and not set(ACTIVE) & {run.status().state}
    for one, extension, key in ((run, None, "errors.how_long"), (stopped, Extension(5), "errors.not_finished")):
        with pytest.raises(Refusal) as caught:
            controls.resume(one.id, lang, extension=extension)
        assert str(caught.value) == words.text(key, lang, name=one.name)
    with pytest.raises(Refusal) as caught:
        controls.resume(run.id, lang, extension=Extension(10**9))
    assert "1000000001" in str(caught.value) or "1,000,000,001" in str(caught.value)
    assert begun == []


@pytest.mark.parametrize("lang", words.LANGUAGES)
@pytest.mark.parametrize(("body", "key"), [
    *(({"steps": given}, "errors.steps_type") for given in (-1, 1.5, True, "", "5", None, [1])),
    *(({"minutes": given}, "errors.minutes_type") for given in (-0.1, math.inf, math.nan, True, "", None))])
def test_an_answer_that_is_no_such_number_is_one_sentence(catalogue, begun, body, key, lang):
    run, preview_jobs = finished(catalogue), PreviewJobs()
    try:
        with pytest.raises(BodyError) as caught:
            ControlRoutes(Controls(catalogue), preview_jobs).resume({"run": run.id, **body}, lang)
    finally:
        preview_jobs.close()
    assert str(caught.value).startswith(words.text(key, lang, given="@").partition("@")[0]) and caught.value.status == 422
    assert begun == []

"""POST control/NAME: a real page and a real worker, asked as the page's scripts ask."""

import json
import os
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from PIL import Image

from gan_core.config import PRESETS
from gan_core.data import uploads
from gan_core.runs.run import Run
from gan_core.ui import words
from gan_core.ui.doors import CONTROLS

PAGE_HEADER = {"X-Gan-Page": "1"}


@pytest.fixture
def ask(page):
    def ask(action, headers=PAGE_HEADER, **body):
        url = f"{page.demo.local_url}gradio_api/gan/control/{action}"
        reply = httpx.post(url, json=body, headers=headers, timeout=30)
        return reply.status_code, reply.json()
    return ask


def refused(key, lang="en", **values):
    return {"message": words.text(key, lang, **values), "title": words.text("errors.title", lang)}


def test_a_run_is_tuned_and_stopped(page, ask):
    run = page.controls.start(page.controls.config("quick", {"batch_size": 2, "latent_dim": 8, "seed": 3}), "quick")
    deadline = time.monotonic() + 60
    while run.status().state != "running":
        assert time.monotonic() < deadline, run.status()
        time.sleep(0.02)
    assert ask("tune", run=run.id, lang="en", changes={"lr_d": 0.0005}) == (200, {"ok": True})
    assert run.status().tuned == {"lr_d": 0.0005}
    status, sentence = ask("tune", run=run.id, lang="fr", changes={"latent_dim": 9})
    assert (status, sentence["title"]) == (409, words.text("errors.title", "fr"))
    assert words.text("fields.latent_dim", "fr") in sentence["message"]
    assert ask("restore", run=run.id, lang="fr") == (409, refused("errors.no_best", "fr"))
    assert ask("stop", run=run.id) == (200, {"ok": True})
    assert Run.open(run.path).status().state == "stopped" and run.status().checkpoint_step > 0
    status, sentence = ask("tune", run=run.id, changes={"lr_d": 0.0005})
    assert status == 409 and "stopped" in sentence["message"]


def training(page, **config):
    """A new run, once it makes steps."""
    small = {"batch_size": 2, "latent_dim": 8, "measure_share": 0.0, **config}
    run = page.controls.start(page.controls.config("quick", small), "quick")
    deadline = time.monotonic() + 60
    while run.status().state != "running" or run.status().step < 1:
        assert time.monotonic() < deadline, run.status()
        time.sleep(0.02)
    return run


@pytest.mark.parametrize(("end", "lang"), [("killed", "en"), ("frozen", "fr")])
def test_stop_says_that_a_run_ended_without_being_saved(page, ask, end, lang):
    run = training(page)
    pid, saved = run.status().pid, run.wait(run.send("save"), 60).checkpoint_step
    os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, "stop", run=run.id, lang=lang)
        while end == "killed" and not run.pending_commands():
            time.sleep(0.01)
        if end == "killed":
            os.kill(pid, signal.SIGKILL)
        reason = words.text("banner.killed" if end == "killed" else "fault.ended_unsaved", lang)
        resume = words.text("banner.failed_resume", lang, step=words.number(saved, lang))
        assert answer.result(60) == (409, refused("errors.not_saved", lang, name=run.name, reason=reason, resume=resume))
    assert run.status().state == "failed"


def test_a_stopped_run_goes_on_in_place_of_the_one_that_is_named(page, ask):
    first = training(page)
    assert ask("stop", run=first.id) == (200, {"ok": True})
    second = training(page)
    status, body = ask("resume", run=first.id, instead_of="another", lang="en")
    assert status == 409 and f"{second.name} is active" in body["message"] and second.status().state == "running"
    assert ask("resume", run=first.id, instead_of=second.id) == (200, {"ok": True, "warnings": []})
    ended = second.status()
    assert ended.state == "stopped" and ended.checkpoint_step == ended.step > 0
    assert page.supervisor.active().id == first.id and first.status().state in ("starting", "running")
    assert ask("stop", run=first.id) == (200, {"ok": True})


@pytest.mark.parametrize("lang", words.LANGUAGES)
def test_what_cannot_be_done_is_said_in_the_language_that_is_asked_for(ask, lang):
    assert ask("tune", run="nobody", lang=lang, changes={"lr_d": 1}) == (409, refused("errors.unknown_run", lang, name="nobody"))
    assert ask("restore", run="../x", lang=lang) == (409, refused("errors.unknown_run", lang, name="../x"))
    assert ask("delete-data", name="../own/x", lang=lang) == (409, refused("data.delete_gone", lang))
    assert ask("delete-data", headers={**PAGE_HEADER, "Accept-Language": lang}) == (409, refused("data.delete_gone", lang))
    assert ask("keep-drawing", points=[[0.5, 0.5]], lang=lang) == (422, refused("fault.drawing_one", lang))
    for bad in ([[7, 7], [8, 8]], "{", None, "<b>", {}):
        assert ask("keep-drawing", points=bad, lang=lang) == (422, refused("fault.drawing_none", lang)), bad


def test_a_drawing_is_kept_and_an_upload_deleted(ask, tmp_path):
    status, sentence = ask("keep-drawing", points=[[0.1, 0.2], [0.8, 0.9]])
    assert status == 200 and uploads.load_points(sentence["name"]).tolist() == [[0.1, 0.2], [0.8, 0.9]]
    assert ask("keep-drawing", points=[]) == (200, {"ok": True, "name": ""}), "a pad that was wiped"
    names = []
    for value in (1, 2):
        path = tmp_path / f"farm{'ab'[value - 1]}.png"
        Image.new("L", (9, 9), value).save(path)
        names.append(uploads.save_pictures([path]))
    status, sentence = ask("delete-data", name=names[0], lang="en")
    assert status == 200 and [name for _, name in sentence["uploads"]] == [names[1]] and "farmb" in sentence["uploads"][0][0]
    assert [one.name for one in uploads.list_uploads() if one.kind == "zip"] == [names[1]]


@pytest.mark.parametrize("action", CONTROLS)
def test_no_form_of_another_site_can_press_it(page, ask, action):
    status, sentence = ask(action, headers={"Origin": "https://elsewhere.example"})
    assert status == 403 and "x-gan-page" in sentence["message"]
    url = f"{page.demo.local_url}gradio_api/gan/control/{action}"
    assert httpx.get(url).status_code == 404
    for body in (b"", b"[]", b"{", b"[" * 9000, b'"x"'):
        assert httpx.post(url, content=body, headers=PAGE_HEADER).status_code == 422


@pytest.mark.parametrize("body", [{"changes": None}, {"changes": []}, {"changes": {}}, {"changes": "x"},
                                  {"lang": ["en"]}, {"changes": {"lr_d": 1}, "lang": "de"}])
def test_values_of_any_kind_are_refused_in_a_sentence(ask, body):
    status, sentence = ask("tune", **body)
    assert status == 409 and sentence["message"] and json.dumps(sentence)


@pytest.mark.parametrize("action", ["resume", "restore"])
@pytest.mark.parametrize(("name", "shown"), [(["x"], '["x"]'), (5, "5"), (None, "null"), (False, "false")])
def test_a_run_to_be_stopped_that_is_no_text_is_refused(page, ask, monkeypatch, action, name, shown):
    monkeypatch.setattr(page.controls, action, lambda *args, **more: pytest.fail("it meant another run"))
    for lang in words.LANGUAGES:
        assert ask(action, instead_of=name, lang=lang) == (422, refused("errors.instead_of_type", lang, given=shown))


@pytest.mark.parametrize("action", ["step", "tune", "stop", "resume", "restore"])
@pytest.mark.parametrize(("run", "shown"), [(["x"], '["x"]'), (5, "5"), (None, "null"), (False, "false")])
def test_a_run_that_is_no_text_is_refused_and_never_means_the_active_one(page, ask, monkeypatch, action, run, shown):
    reached = []
    for name in ("single_steps", "tune", "stop", "resume", "restore"):
        monkeypatch.setattr(page.controls, name, lambda *args, **more: reached.append(args))
    for lang in words.LANGUAGES:
        assert ask(action, run=run, lang=lang) == (422, refused("errors.run_type", lang, given=shown))
    assert reached == []
    assert "give the id of a run" in ask(action, run=run, lang="en")[1]["message"]


@pytest.mark.parametrize(("step", "shown"), [("x", '"x"'), (1.5, "1.5"), (None, "null"), (True, "true")])
def test_a_best_step_that_is_no_whole_number_is_refused(page, ask, monkeypatch, step, shown):
    reached = []
    monkeypatch.setattr(page.controls, "restore", lambda *args, warn: reached.append(args))
    for lang in words.LANGUAGES:
        assert ask("restore", step=step, lang=lang) == (422, refused("errors.step_type", lang, given=shown))
    assert reached == []
    assert ask("restore", step=7, lang="en")[0] == 200 and reached == [("", "en", 7, "")], "no run means the active one"


def test_half_a_letter_and_a_damaged_run_are_sentences(page, ask):
    url = f"{page.demo.local_url}gradio_api/gan/control/restore"
    reply = httpx.post(url, content=rb'{"run": "\ud800"}', headers=PAGE_HEADER, timeout=30)
    assert reply.status_code == 422 and reply.json()["message"] == "Send a JSON object."
    run = Run.create(PRESETS["quick"], page.catalogue.folder)
    (run.path / "status.json").write_text("[]")
    status, body = ask("restore", run=run.id)
    assert status == 409 and "status.json cannot be read" in body["message"]
    shutil.rmtree(run.path)

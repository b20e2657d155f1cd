"""The choice of data: every set has its place and its name, what is missing is said, what does not fit is said before Start."""

import io
import json
import re
import zipfile

import gradio as gr
import psutil
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from gan_core import registry
from gan_core.config import PRESETS, TrainConfig
from gan_core.data import quickdraw, storage, uploads
from gan_core.data.reading import archive
from gan_core.data.types import DataError, DataRequest
from gan_core.runs.run import Run, Status
from gan_core.ui import preview_routes, words
from gan_core.ui.controls import Controls, Refusal
from gan_core.ui.forms import data_panel, settings
from gan_core.ui.preview_jobs import PreviewJobs
from gan_core.ui.upload_deletion import delete_upload


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_PLAYGROUND_DATA", str(tmp_path / "data"))


@pytest.fixture
def page(catalogue, data):
    preview_jobs = PreviewJobs()
    yield TestClient(Starlette(routes=preview_routes.routes(Controls(catalogue), preview_jobs)))
    preview_jobs.close()


def values(preset="quick", kind="digits", categories=("sheep",), folder="", kept=None, drawn="", **fields):
    """What the form holds, in its order."""
    config = PRESETS[preset]
    return [preset, kind, list(categories), folder, kept, drawn,
            *(fields.get(name, settings.to_widget(name, getattr(config, name))) for name in settings.ADVANCED)]


def ask(page, header="1", **sentence):
    ours = {"X-Gan-Page": header} if header else {}
    reply = page.post("/gradio_api/gan/data", json={"who": "me", "lang": "en", **sentence}, headers=ours)
    return reply.json() if reply.status_code == 200 else (reply.status_code, reply.json()["sentence"])


@pytest.mark.parametrize("lang", words.LANGUAGES)
def test_every_set_has_a_place_under_a_heading_and_a_name(lang):
    groups = [entry.group for entry in registry.DATASETS.values()]
    assert next(iter(registry.DATASETS)) == "digits"
    assert groups == sorted(groups, key=list(dict.fromkeys(groups)).index), "each group in one piece"
    for kind, entry in registry.DATASETS.items():
        assert words.text(f"settings.dataset.{kind}", lang) and words.text(f"data.group_{entry.group}", lang)
        assert (entry.group == "points") == entry.points


def test_what_names_a_set_is_put_together_and_what_is_missing_is_said_by_kind():
    name = data_panel.dataset_name
    assert name("quickdraw", ["sheep", "cat"], "", None, "") == "quickdraw:sheep,cat"
    assert name("folder", [], " /a:b/c ", None, "") == "folder:/a:b/c" and name("zip", [], "", "x-1", "") == "zip:x-1"
    assert name("drawn", [], "", None, "d-2") == "drawn:d-2" and name("digits", ["cat"], "/x", "y", "z") == "digits"
    for kind in ("quickdraw", "folder", "zip", "drawn"):
        for lang in words.LANGUAGES:
            with pytest.raises(Refusal) as caught:
                name(kind, [], " ", None, "", lang=lang)
            assert str(caught.value) == words.text(f"data.empty_{kind}", lang)


GREY, COLOUR = {"shape": [1, 28, 28], "labelled": True}, {"shape": [3, 28, 28], "labelled": False}


@pytest.mark.parametrize(("fields", "about", "sentence"), [
    ({}, None, ""), ({"networks": "mlp"}, None, "pictures"), ({"networks": "course"}, None, ""),
    ({"networks": "course", "image_size": "32"}, None, "shape"), ({"networks": "course", "color": "color"}, None, "shape"),
    ({"networks": "course", "dataset": "cifar10"}, None, "shape"),
    ({"networks": "course", "dataset": "cifar10", "image_size": "28", "color": "grey"}, None, ""),
    ({"networks": "course", "dataset": "folder:/x", "image_size": "28"}, None, ""),  # nobody knows yet
    ({"networks": "course", "dataset": "folder:/x", "image_size": "28"}, COLOUR, "shape"),
    ({"networks": "course", "dataset": "folder:/x", "image_size": "28"}, GREY, ""),
    ({"networks": "course", "condition": "class"}, None, "classes"),
    ({"condition": "class", "dataset": "quickdraw:cat"}, None, "unlabelled"),
    ({"condition": "class", "dataset": "quickdraw:cat,dog"}, None, ""),
    ({"condition": "class", "dataset": "zip:x"}, None, ""), ({"condition": "class", "dataset": "zip:x"}, COLOUR, "unlabelled"),
    ({"dataset": "ring"}, None, "points"), ({"dataset": "ring", "networks": "mlp"}, None, ""),
    ({"dataset": "ring", "networks": "mlp", "condition": "class"}, None, "classes")])
def test_what_networks_cannot_take_is_known_before_and_better_after_reading(fields, about, sentence):
    assert data_panel.misfit(TrainConfig(**fields), about) == (f"data.misfit_{sentence}" if sentence else "")


@pytest.mark.parametrize("kind", registry.DATASETS)
@pytest.mark.parametrize("preset", PRESETS)
def test_a_data_set_always_brings_a_preset_that_can_take_it_and_keeps_one_that_can(preset, kind):
    chosen = settings.preset_for(kind, preset)
    config = {name: PRESETS[name].replace(dataset=data_panel.example_name(kind)) for name in (chosen, preset)}
    assert not data_panel.misfit(config[chosen])
    assert chosen == preset or data_panel.misfit(config[preset])


def test_a_request_is_answered_and_a_misfit_is_said_beside_it(page):
    result = ask(page, values=values())
    while result["state"] in ("waiting", "working"):
        result = ask(page, values=values(), look=True)
    assert result["state"] == "ready" and result["about"]["count"] == 5000 and result["misfit"] == ""
    assert result["preview"].startswith("data:image/png;base64,")
    sentence = ask(page, values=values(networks="mlp"))
    assert sentence["state"] == "ready" and sentence["misfit"].startswith("These are pictures")
    assert ask(page, values=values(networks="mlp"), lang="fr")["misfit"].startswith("Ce sont des images")
    assert ask(page, values=values(lr_d=7))["state"] == "ready", "a number that is out of range is said elsewhere"
    assert ask(page, leave=True) == {"state": "cancelled"} and ask(page, values=values(), look=True)["state"] == "none"


MACHINE = {"device", "precision", "memory_format", "rewrites", "threads", "processes", "measure_share"}


def test_the_answer_says_what_the_form_holds_but_not_what_the_machine_decides(page):
    quick = PRESETS["quick"].to_dict()
    chosen = {name: value for name, value in quick.items() if name not in MACHINE}
    assert ask(page, values=values())["config"] == chosen
    assert ask(page, values=values(seed=7, threads=2), look=True)["config"] == {**chosen, "seed": 7, "threads": 2}
    assert ask(page, values=values(betas_d="0.1, 0.9"))["config"] == {**chosen, "betas_d": [0.1, 0.9]}
    assert ask(page, values=values("ring", "ring"))["config"]["dataset"] == "ring"
    assert ask(page, values=values(lr_d=7))["config"] is None, "it cannot be trained"
    assert "config" not in ask(page, values=values(kind="zip")), "nor this"


@pytest.mark.parametrize(("sentence", "state"), [
    ({"values": values(kind="zip")}, words.text("data.empty_zip")),
    ({"values": values(max_images=-1)}, "At most is -1"), ({"values": values(kind="moon")}, "choose one of: digits")])
def test_what_is_still_to_be_chosen_or_out_of_range_is_said_and_nothing_is_started(page, sentence, state):
    result = ask(page, **sentence)
    assert result["state"] == "open" and state in result["sentence"]


def test_the_route_takes_nothing_but_the_pages_own_form(page):
    assert ask(page, header="", values=values())[0] == 403
    assert ask(page, values=values()[:-1])[0] == ask(page, values="x")[0] == 422
    send = {"headers": {"X-Gan-Page": "1"}}
    for body in (b"", b"[]", b"{", b'{"lang": "en"}', b"[" * 9000):
        assert page.post("/gradio_api/gan/data", content=body, **send).status_code == 422
    assert page.post("/gradio_api/gan/data", content=b" " * 70_000, **send).status_code == 413


def test_what_comes_over_the_network_is_told_apart_by_whether_it_is_here(page):
    result = page.get("/gradio_api/gan/data/sets").json()
    assert set(result["ready"]) | set(result["download"]) == {kind for kind, entry in registry.DATASETS.items() if entry.download}
    assert "mnist" in result["download"] and not set(result["ready"]) & set(result["download"])
    assert result["download"]["emnist"] > 5e8 and result["download"]["cifar10"] == 170_498_071


def test_two_browsers_hear_of_one_job_in_their_own_languages(page):
    missing = values(kind="folder", folder="/no/such/place")
    sentence = {lang: ask(page, who=lang, lang=lang, values=missing) for lang in words.LANGUAGES}
    for lang in sentence:
        while sentence[lang]["state"] in ("waiting", "working"):
            sentence[lang] = ask(page, who=lang, lang=lang, values=missing, look=True)
        assert sentence[lang]["state"] == "refused" and "fault" not in sentence[lang]
    assert sentence["en"]["sentence"].startswith("The folder /no/such/place is not there; give the path")
    assert sentence["fr"]["sentence"].startswith("Le dossier /no/such/place n’existe pas")


def test_a_name_too_long_is_refused_in_the_page_s_language(page):
    for lang, start in (("en", "Data set: quickdraw:"), ("fr", "Données : quickdraw:")):
        result = ask(page, lang=lang, values=values(kind="quickdraw", categories=quickdraw.categories()))
        assert result["state"] == "open" and result["sentence"].startswith(start) and len(result["sentence"]) < 150


def test_an_upload_is_refused_in_the_page_s_language(panel, tmp_path):
    (tmp_path / "x.zip").write_bytes(b"no zip")
    *_, notice = panel._keep("fr", [str(tmp_path / "x.zip")])
    assert "Le fichier x.zip : ni image, ni zip d’images" in notice and "pas des images : 1" in notice


def test_a_page_that_strangers_can_open_names_no_folders(catalogue):
    controls = Controls(catalogue)
    assert controls.config("quick", {"dataset": "folder:/x"}).dataset == "folder:/x"
    controls.local_paths = False
    for lang in words.LANGUAGES:
        with pytest.raises(Refusal) as caught:
            controls.config("quick", {"dataset": "folder:/x"}, lang)
        assert str(caught.value) == words.text("errors.no_local_paths", lang)


def test_a_refusal_is_text_and_nothing_else(panel, monkeypatch):
    def refuse(paths):
        raise DataError("archive_missing", path="<img src=x> ${value} {{x}}")
    monkeypatch.setattr(uploads, "save_pictures", refuse)
    *_, notice = panel._keep("en", ["x"])
    assert "There is no file &lt;img src=x&gt; &#36;&#123;value&#125; &#123;&#123;x&#125;&#125;; give the path" in notice


@pytest.mark.parametrize(("dataset", "en", "fr"), [
    ("digits", "Handwritten digits", "Chiffres manuscrits"), ("quickdraw:sheep,cat", "sheep, cat", "sheep, cat"),
    ("quickdraw", "Quick, Draw! doodles", "Croquis Quick, Draw!"), ("zip:my-farm-0123abcd", "my-farm", "my-farm"),
    ("folder:/home/me/my sheep/", "my sheep", "my sheep"), ("folder:C:\\me\\sheep", "sheep", "sheep"),
    ("folder:/", "A folder", "Un dossier"),
    ("drawn:0123", "Drawn by hand", "Dessinés à la main"), ("moon\n", "moon", "moon"), ("", "", "")])
def test_a_data_set_is_called_by_its_own_name(dataset, en, fr):
    assert [words.dataset(dataset, lang) for lang in ("en", "fr")] == [en, fr]


@pytest.fixture
def farm(tmp_path, data):
    """The name of an upload that was read once."""
    path = tmp_path / "my farm.zip"
    with zipfile.ZipFile(path, "w") as packed:
        for k in range(3):
            file = io.BytesIO()
            Image.new("L", (28, 28), 50 * k).save(file, "PNG")
            packed.writestr(f"{k}.png", file.getvalue())
    name = uploads.save_pictures([path])
    archive.source(DataRequest("zip", name))
    return name


def learned(catalogue, name, state="stopped", checkpoint=5, pid=0, started=0.0):
    run = Run.create(TrainConfig(dataset=f"zip:{name}"), catalogue.folder)
    run.write_status(Status(state=state, checkpoint_step=checkpoint, pid=pid, pid_started=started))
    return run


@pytest.fixture
def panel(catalogue, data):
    """The panel's handlers with real controls and real preview jobs, without its components."""
    made = data_panel.DataPanel.__new__(data_panel.DataPanel)
    made._controls, made._preview_jobs = Controls(catalogue), PreviewJobs()
    yield made
    made._preview_jobs.close()


@pytest.fixture
def delete(panel):
    """As the route does it: (language, name)."""
    return lambda lang, name: data_panel.delete(panel._controls, panel._preview_jobs, name, lang)


@pytest.mark.parametrize("lang", words.LANGUAGES)
def test_before_an_upload_is_deleted_it_is_said_what_goes_and_who_needs_it(panel, farm, catalogue, lang):
    learned(catalogue, farm, checkpoint=-1)  # it has nothing to go on from
    learned(catalogue, "other-0123")
    sentence = json.loads(panel._question(lang, farm)[0])
    assert sentence["name"] == farm and "my-farm" in sentence["title"] and sentence["text"].startswith("3 ")
    assert words.text("data.delete_run", lang) not in sentence["text"]
    assert "0" + {"en": ".", "fr": ","}[lang] + "1" in sentence["text"]
    learned(catalogue, farm)
    assert words.text("data.delete_run", lang) in json.loads(panel._question(lang, farm)[0])["text"]
    learned(catalogue, farm, "finished")
    text = json.loads(panel._question(lang, farm)[0])["text"]
    assert words.text("data.delete_runs", lang, n=2) in text and "16" not in text, "of few pictures a run may keep all"
    assert storage.find(f"zip:{farm}") is not None, "asking deletes nothing"


def test_an_upload_is_deleted_with_its_preview_and_the_next_stands_in_its_place(panel, delete, farm):
    Image.new("L", (9, 9)).save(uploads.folder().parent / "x.png")
    other = uploads.save_pictures([uploads.folder().parent / "x.png"])
    config = TrainConfig(dataset=f"zip:{farm}")
    result = panel._preview_jobs.request("me", config)
    while result["state"] in ("waiting", "working"):
        result = panel._preview_jobs.status("me")
    assert result["state"] == "ready" and result["about"]["count"] == 3
    assert panel._left("en", "") == gr.skip(), "nothing was deleted"
    delete("en", farm)
    dropdown = panel._left("en", farm)
    assert dropdown.value == other and [name for _, name in dropdown.choices] == [other]
    assert storage.find(f"zip:{farm}") is None and panel._preview_jobs.summary(config) is None
    assert panel._preview_jobs.status("me") == {"state": "none"}, "nobody is shown pictures that were deleted"
    result = panel._preview_jobs.request("me", config)
    while result["state"] in ("waiting", "working"):
        result = panel._preview_jobs.status("me")
    assert result["state"] == "refused" and "upload it again" in result["sentence"]
    with pytest.raises(Refusal, match=words.text("data.delete_gone", "fr")):
        delete("fr", farm)


def test_an_upload_is_not_deleted_while_a_run_learns_from_it_nor_by_strangers(panel, delete, farm, catalogue):
    me = psutil.Process()
    run = learned(catalogue, farm, "paused", pid=me.pid, started=me.create_time())
    busy = words.text("data.delete_busy", run=run.name)
    assert panel._question("en", farm)[-1] == data_panel.alert(busy)
    with pytest.raises(Refusal, match=re.escape(busy)):
        delete("en", farm)
    run.write_status(Status(state="stopped", checkpoint_step=5))
    panel._controls.local_paths = False
    assert words.text("data.delete_shared", "fr").partition(",")[0] in panel._question("fr", farm)[-1]
    with pytest.raises(Refusal, match=re.escape(words.text("data.delete_shared", "fr"))):
        delete("fr", farm)
    assert storage.find(f"zip:{farm}") is not None
    panel._controls.local_paths = True
    delete("en", farm)
    assert storage.find(f"zip:{farm}") is None


@pytest.mark.parametrize("name", ["../own/{}", "{}.zip", "", "/etc/passwd", "a/b", "..", "x" * 300, None])
def test_the_page_deletes_nothing_by_another_name(panel, delete, farm, name):
    asked = name and name.format(farm)
    assert words.text("data.delete_gone") in panel._question("en", asked)[-1]
    with pytest.raises(Refusal, match=re.escape(words.text("data.delete_gone"))):
        delete("en", str(asked))
    assert storage.find(f"zip:{farm}") is not None
    with pytest.raises(Refusal):
        delete_upload(panel._controls, "mnist")


@pytest.mark.parametrize("wrong", [{"kind": {}}, {"kind": [1]}, {"kind": "folder", "folder": 5},
                                   {"kind": "quickdraw", "categories": [{}]}, {"kind": "zip", "kept": 7}])
def test_values_that_no_form_holds_are_refused_in_a_sentence(page, wrong):
    assert ask(page, values=values(**wrong))["sentence"] == words.text("errors.form")

"""Paths of this machine: every data set through every door that takes one, where strangers reach the page and where not."""

import io
import json
import time
import zipfile

import httpx
import numpy as np
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from making import make_run
from PIL import Image

from gan_core import registry
from gan_core.config import PRESETS, TrainConfig
from gan_core.data import loading, uploads
from gan_core.data.download import Unreachable
from gan_core.data.types import DataError
from gan_core.runs.run import Run, list_runs
from gan_core.runs.status import ACTIVE
from gan_core.ui import words
from gan_core.ui.app import Playground
from gan_core.ui.controls import Controls, Refusal
from gan_core.ui.forms import settings

HEADERS = {"X-Gan-Page": "1"}
SMALL = {"batch_size": 2, "latent_dim": 8, "threads": 1}


def png(value):
    file = io.BytesIO()
    Image.fromarray(np.full((28, 28), value, np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    """A folder of somebody's own beside the data folder, with a zip, pictures, a drawing and doodles in it."""
    root = tmp_path_factory.mktemp("home")
    (root / "mine").mkdir()
    for k in range(20):
        (root / "mine" / f"{k}.png").write_bytes(png(10 * k))
    with zipfile.ZipFile(root / "mine.zip", "w") as packed:
        for k in range(20):
            packed.writestr(f"{k}.png", png(10 * k))
    (root / "mine.points.json").write_text('{"points": [[0, 0], [1, 1]]}')
    np.save(root / "mine.npy", np.zeros((50, 784), np.uint8))
    return root


@pytest.fixture(scope="module")
def pages(outside, tmp_path_factory):
    """(one that listens to everybody, one that listens to this machine), over runs and data folders of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAN_PLAYGROUND_DATA", str(outside / "kept"))
        for name in ("SPACE_ID", "GRADIO_SHARE"):
            patch.delenv(name, raising=False)
        made = []
        for host in ("0.0.0.0", "127.0.0.1"):
            folder = tmp_path_factory.mktemp("runs") / "runs"
            folder.mkdir()
            made.append(Playground(folder, threads=1))
            made[-1].launch(host=host, quiet=True)
        yield made
        for page in made:
            page.close()


@pytest.fixture
def public(pages):
    return pages[0]


@pytest.fixture
def private(pages):
    return pages[1]


def address(page, path):
    return f"http://127.0.0.1:{page.demo.server_port}/gradio_api/{path}"


def client(page):
    return Client(f"http://127.0.0.1:{page.demo.server_port}", verbose=False)


def form(dataset, **fields):
    """The form's values for a data set: the preset, kind, categories, folder, upload, drawing, and every field."""
    kind, _, argument = dataset.partition(":")
    config = PRESETS["quick"].replace(**fields)
    given = [argument if kind == one else empty for one, empty in (("folder", ""), ("zip", None), ("drawn", ""))]
    categories = [argument] if kind == "quickdraw" else ["sheep"]
    return ["quick", kind, categories, *given, *(settings.to_widget(name, getattr(config, name)) for name in settings.ADVANCED)]


def preview(page, dataset, lang="en"):
    """What POST data says of it in the end."""
    body = {"who": dataset, "lang": lang, "values": form(dataset)}
    for _ in range(600):
        result = httpx.post(address(page, "gan/data"), json=body, headers=HEADERS, timeout=30).json()
        if result["state"] not in ("waiting", "working"):
            return result
        body["look"] = True
        time.sleep(0.05)
    raise AssertionError(result)


def event(page, name, *data):
    """(what came, whether it is an error) of an event of the page."""
    reply = httpx.post(address(page, f"call/{name}"), json={"data": list(data)}, timeout=30)
    assert reply.status_code == 200, reply.text
    text = httpx.get(address(page, f"call/{name}/{reply.json()['event_id']}"), timeout=60).text
    if "event: error" in text:
        return json.loads(text.partition("data: ")[2].partition("\n")[0])["error"], True
    return text, False


def handed(path):
    """The value of a File component."""
    return [{"path": path, "meta": {"_type": "gradio.FileData"}}]


def spellings(kind, root):
    """Every way to name something outside the data folder as this kind of data."""
    stem = root / "mine"
    ways = [f"{stem}.zip", str(stem), f"{stem}.points", f"file://{stem}.zip", f"file://{stem}", f"'{stem}.zip'", f" {stem}.zip",
            "../mine", "../../mine", "../../mine.zip", "../own/../../mine", "..\\mine.zip", "mine.zip", "mine", "~/mine.zip",
            f"{stem}".replace("/", "%2f"), f"{stem}.zip".replace(".", "%2e"), ".", "/", "x\u2028y"]
    return [f"{kind}:{way}" for way in ways]


WITH_ARGUMENT = [kind for kind, entry in registry.DATASETS.items() if entry.argument]


@pytest.mark.parametrize("kind", registry.DATASETS)
def test_an_entry_says_whether_it_reads_a_path(kind, outside):
    entry = registry.DATASETS[kind]
    if not entry.argument:
        assert not registry.reads_local_path(kind)
        return
    read = {name: registry.reads_local_path(name) for name in spellings(kind, outside) if name.isprintable()}
    assert set(read.values()) == {kind in ("zip", "folder")}
    assert registry.reads_local_path(f"{kind}:farm-0123456789abcdef") == (kind == "folder")


@pytest.mark.parametrize("name", [
    "farm-0123456789abcde", "farm-0123456789abcdef0/..", "farm-0123456789abcdeF", "farm-0123456789abcdef.zip",
    "./farm-0123456789abcdef", "-0123456789abcdef", "Farm-0123456789abcdef", "farm-0123456789abcdef/",
    "f\u00e4rm-0123456789abcdef", "farm-0123456789abcd\u0665f", "f" * 99 + "-0123456789abcdef"])
def test_what_is_nearly_the_name_of_an_upload_is_a_path(name):
    assert registry.reads_local_path(f"zip:{name}")


@pytest.mark.parametrize("kind", registry.DATASETS)
def test_no_data_set_shows_a_stranger_what_lies_outside(public, outside, kind):
    for name in spellings(kind, outside)[:None if kind in WITH_ARGUMENT else 2]:
        if kind in ("zip", "folder"):
            result = preview(public, name)
            assert result["state"] == "open" and "preview" not in result, name
            assert result["sentence"] == words.text("errors.no_local_paths") or "printable" in result["sentence"], name
        if kind in ("zip", "folder") or kind not in WITH_ARGUMENT:
            reply = httpx.post(address(public, "run/start"), json={"data": ["quick", json.dumps({"dataset": name})]}, timeout=30)
            assert reply.status_code == 500 and reply.json()["error"], name
        else:  # it may be asked for, and opens nothing that is called so
            with pytest.raises((DataError, ValueError)) as caught:
                loading.load(TrainConfig(dataset=name))
            assert not isinstance(caught.value, Unreachable), "nothing is asked for over the network"
    for name in spellings(kind, outside)[:2] if kind in ("quickdraw", "drawn") else ():
        result = preview(public, name)
        assert result["state"] == "refused" and "preview" not in result, name
    assert list_runs(public.catalogue.folder) == []


@pytest.mark.parametrize("lang", words.LANGUAGES)
def test_the_form_and_its_preview_refuse_a_path_in_the_page_s_language(public, outside, lang):
    sentence = words.text("errors.no_local_paths", lang)
    for kind, path in (("folder", outside / "mine"), ("zip", outside / "mine.zip")):
        assert preview(public, f"{kind}:{path}", lang) == {"state": "open", "sentence": sentence}
    for button in ("start", "start-force", "step", "step-d", "step-g", "reset-confirm", "reset-paused"):
        for filled in ("quick", "course"):  # also where the form has not been filled by the chosen preset yet
            message, failed = event(public, f"button-{button}", "", lang, filled, *form(f"folder:{outside / 'mine'}"))
            assert failed and message == sentence, button
        message, failed = event(public, f"button-{button}", "", lang, "quick", *form(f"zip:{outside / 'mine.zip'}"))
        assert failed, "gradio itself takes no upload that is not in its list"
    assert list_runs(public.catalogue.folder) == []


@pytest.mark.parametrize("kind", ["zip", "folder"])
def test_a_run_on_a_path_is_begun_again_by_no_door(public, outside, kind):
    dataset = f"{kind}:{outside / 'mine'}{'.zip' if kind == 'zip' else ''}"
    run = make_run(public.catalogue.folder, state="stopped", dataset=dataset)
    status = run.stored_status()
    status.checkpoint_step, status.best = 3, {"step": 1, "name": "fd", "value": 1.0}
    run.write_status(status)
    before, program = (run.path / "status.json").read_bytes(), client(public)
    for name, sentence in (("reset", "no_local_paths"), ("resume", "no_local_life"), ("restore", "no_local_life")):
        with pytest.raises(AppError, match=words.text(f"errors.{sentence}")[:40]):
            program.predict(api_name=f"/{name}")
    for name, data in (("button-resume", ["", "en"]), ("resume-run", ["", "en", run.id])):
        assert event(public, name, *data)[1], name
    reply = httpx.post(address(public, "gan/control/restore"), json={"run": run.id, "lang": "fr"}, headers=HEADERS, timeout=30)
    assert (reply.status_code, reply.json()["message"]) == (409, words.text("errors.no_local_life", "fr"))
    assert (run.path / "status.json").read_bytes() == before
    assert [one.id for one in list_runs(public.catalogue.folder)] == [run.id]
    for path in sorted(run.path.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    run.path.rmdir()


def test_no_other_door_leads_to_a_path(public, outside, tmp_path):
    run = make_run(tmp_path / "elsewhere", steps=1)
    for door in ("attach", "attach-submit"):
        message, failed = event(public, door, "", "en", str(run.path))
        assert failed and message == words.text("errors.attach_shared")
    for name in (f"../{run.id}", str(run.path), run.id, "..", "%2e%2e"):
        for path in ("seed", "directions", "frame"):
            assert httpx.get(address(public, f"gan/{path}"), params={"run": name}, timeout=30).status_code in (404, 503), name
    for name in (str(outside / "mine"), "../../mine", "mine"):
        reply = httpx.post(address(public, "gan/control/delete-data"), json={"name": name}, headers=HEADERS)
        assert reply.status_code == 409
    assert (outside / "mine.zip").exists()


def test_an_upload_s_own_name_leads_nowhere_and_no_address_is_fetched(public, outside):
    url = address(public, "upload")
    reply = httpx.post(url, files={"files": ("../../../../mine.zip", (outside / "mine.zip").read_bytes())})
    (path,) = reply.json()
    assert path.endswith("/mine.zip") and ".." not in path
    for stolen in (str(outside / "mine.zip"), "/etc/passwd", path.replace("/mine.zip", "/../../../../etc/passwd")):
        assert event(public, "keep-upload", "en", handed(stolen))[1], stolen
    assert event(public, "keep-upload", "en", handed("http://93.184.216.34/x.zip")) == (words.text("errors.no_address"), True)
    assert uploads.list_uploads() == []
    _, failed = event(public, "keep-upload", "en", handed(path))
    (kept,) = uploads.list_uploads()
    assert not failed and kept.count == 20 and not registry.reads_local_path(kept.dataset)
    result = preview(public, kept.dataset)
    assert result["state"] == "ready" and result["about"]["count"] == 20, "an upload is what strangers may look at"


def test_on_this_machine_alone_paths_are_read(private, outside):
    for name in (f"zip:{outside / 'mine.zip'}", f"folder:{outside / 'mine'}", f"zip:file://{outside / 'mine.zip'}"):
        result = preview(private, name)
        assert result["state"] == "ready" and result["about"]["count"] == 20, name
        assert result["preview"].startswith("data:image/png"), name


@pytest.mark.slow
def test_on_this_machine_alone_a_path_is_trained_on_resumed_and_begun_again(private, outside):
    page = client(private)
    started = page.predict("quick", json.dumps({"dataset": f"zip:{outside / 'mine.zip'}", **SMALL}), api_name="/start")
    run = Run.open(private.catalogue.folder / started["run"])
    deadline = time.monotonic() + 120
    while not run.real_path.exists() or run.status().checkpoint_step < 0:
        assert time.monotonic() < deadline and run.status().state in ACTIVE, run.status()
        time.sleep(0.05)
    reply = httpx.post(address(private, "gan/control/stop"), json={"run": run.id}, headers=HEADERS, timeout=30)
    assert reply.json() == {"ok": True} and run.status().state == "stopped"
    assert page.predict(api_name="/resume")["state"] in ACTIVE
    again = page.predict(api_name="/reset")
    assert again["run"] != run.id and Run.open(private.catalogue.folder / again["run"]).config.dataset == run.config.dataset
    private.supervisor.stop()


@pytest.mark.parametrize("kind", ["zip", "folder"])
def test_nothing_is_ended_for_a_new_run_that_is_refused(catalogue, monkeypatch, kind):
    controls = Controls(catalogue)
    config = controls.config("quick", {"dataset": f"{kind}:/x.zip"})
    controls.local_paths = False
    ended = []
    monkeypatch.setattr(type(catalogue.supervisor), "stop", lambda self, *_: ended.append(self))
    monkeypatch.setattr(type(catalogue.supervisor), "active", lambda self: make_run(catalogue.folder))
    for act in (lambda: controls.start(config, "quick", force=True), lambda: controls.reset(config, "quick")):
        with pytest.raises(Refusal, match=words.text("errors.no_local_paths")[:40]):
            act()
    assert ended == []

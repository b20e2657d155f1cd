"""Where strangers reach the page no answer names a path of this machine; where they do not, it says which file is meant."""

import asyncio
import json
import sys

import httpx
import pytest
from making import make_run
from starlette.applications import Starlette
from starlette.testclient import TestClient

from gan_core.config import PRESETS
from gan_core.data import uploads
from gan_core.data.types import DataError
from gan_core.messages import Fault, message
from gan_core.runs.run import RunError
from gan_core.ui import preview_routes
from gan_core.ui.app import Playground
from gan_core.ui.controls import Controls
from gan_core.ui.forms import settings
from gan_core.ui.hub import Hub
from gan_core.ui.preview_jobs import PreviewJobs
from gan_core.ui.redaction import PathRedaction

HEADERS = {"X-Gan-Page": "1"}


@pytest.mark.parametrize(("text", "shown"), [
    ("The folder /home/me/sheep is not there; give", "The folder sheep is not there; give"),
    ("[Errno 13] Permission denied: '/home/me/my sheep/a.png'", "[Errno 13] Permission denied: 'a.png'"),
    ("/srv/my runs/quick-1/status.json: unreadable", "status.json: unreadable"), ("kept in `/srv/my runs`", "kept in `my runs`"),
    ("kept in /srv/my runs.", "kept in my runs."), ("/srv/my runsome", "my runsome"),
    (r"C:\Users\me\x.png is broken", "x.png is broken"), ("folder:/home/me/sheep", "folder:sheep"), ("~/pictures/x", "x"),
    ("file:///home/me/x, too", "x, too"), ("The folder ../x", "The folder ../x"),
    *((same, same) for same in ("s3://bucket/runs has not answered", "http://127.0.0.1:7860/x", "and/or 1/2 images/s",
                                "grey / colour", "zip:farm-0123456789abcdef", ""))])
def test_of_a_path_its_last_part_is_shown(tmp_path, monkeypatch, text, shown):
    monkeypatch.chdir(tmp_path)
    redaction = PathRedaction([type(tmp_path)("/srv/my runs"), type(tmp_path)("/"), type(tmp_path)("relative")])
    assert redaction.text(text) == shown


def test_values_of_any_kind_are_shown_without_paths():
    value = {"dataset": "folder:/home/me/my sheep/pictures of them", "list": ["/a/b", 3, None], "in": {"dataset": "digits"}}
    shown = {"dataset": "folder:pictures of them", "list": ["b", 3, None], "in": {"dataset": "digits"}}
    assert PathRedaction([]).value(value) == shown


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("somebody's own")


@pytest.fixture(scope="module")
def public(root):
    """A page that everybody can reach, over a folder whose name holds a space."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAN_PLAYGROUND_DATA", str(root / "kept"))
        (root / "my runs").mkdir()
        page = Playground(root / "my runs", threads=1)
        page.launch(host="0.0.0.0", quiet=True)
        yield page
        page.close()


@pytest.fixture
def http(public):
    with httpx.Client(base_url=f"http://127.0.0.1:{public.demo.server_port}/gradio_api/", timeout=60) as client:
        yield client


def event(http, name, *data):
    """Everything that comes of an event of the page."""
    reply = http.post(f"call/{name}", json={"data": list(data)})
    return reply.text + http.get(f"call/{name}/{reply.json()['event_id']}").text


def damaged(public, root):
    """A run on a folder of this machine that has failed, with paths in whatever it says; its status is what `status` is."""
    run = make_run(public.catalogue.folder, steps=1, state="failed", dataset=f"folder:{root}/my sheep")
    status = run.stored_status()
    fault = Fault("folder_missing", path=f"{root}/my sheep")
    status.error = {"kind": "refused", "message": f"{fault} OSError: '{root}/x'", "step": 1, "fault": fault.payload()}
    status.notices = [message("notice_log", name="x", reason=f"no such file: {root}/x")]
    status.notice = f"Logging to {root}/x.txt has ended."
    run.write_status(status)
    return run


def test_no_answer_of_a_route_names_a_path(public, http, root):
    run = damaged(public, root)
    public.latent_service.ready.wait(60)
    (run.path / "status.json").write_text("[]")
    z = bytes(4 * 20)
    replies = [http.post(f"gan/z?run={run.id}", content=z), http.get(f"gan/directions?run={run.id}"),
               http.get(f"gan/seed?run={run.id}&seed=1")]
    assert {reply.status_code for reply in replies} == {404} and "status.json" in replies[0].text
    for action in ("step", "tune", "stop", "resume", "restore"):
        replies.append(http.post(f"gan/control/{action}", json={"run": run.id, "changes": {"lr_d": 0.1}}, headers=HEADERS))
        assert replies[-1].status_code == 409 and "status.json" in replies[-1].text
    for path in ("gan/frame?seq=1", "gan/data/sets", "info", "startup-events", "../config", "../"):
        replies.append(http.get(path))
        assert replies[-1].status_code == 200, path
    assert not [reply.url for reply in replies if str(root) in reply.text]
    for name, data in (("resume-run", ["", "en", run.id]), ("button-pause", [run.id, "en"]), ("list-runs", ["", "fr", None]),
                       ("state", []), ("pause", []), ("resume", []), ("restore", []), ("generate", [1, 1])):
        assert str(root) not in event(http, name, *data), name


@pytest.mark.parametrize("error", [RunError, OSError])
def test_no_error_of_an_event_names_a_path_whether_it_was_expected_or_not(public, http, root, monkeypatch, error):
    def fail():
        raise error(f"{root / 'my runs' / 'sheep'} is damaged")

    monkeypatch.setattr(public.controls, "pause", fail)
    answer = event(http, "pause")
    assert "sheep is damaged" in answer and str(root) not in answer


def test_no_event_of_the_stream_names_a_path(public, root):
    run = damaged(public, root)

    async def told():
        hub = Hub(public.catalogue)
        watching = hub.watch(run.id)
        _, snapshot, _ = await asyncio.wait_for(anext(watching), 20)
        hub.closed = True
        return snapshot

    snapshot = asyncio.run(told())
    assert str(root) not in snapshot
    found = json.loads(snapshot)
    assert found["config"]["dataset"] == "folder:my sheep" and found["config"]["loss"] == run.info["config"]["loss"]
    for said in (found["status"]["error"]["said"]["en"], found["status"]["error"]["message"]):
        assert "The folder my sheep is not there" in said
    assert "Logging to x has ended" in found["status"]["noticed"]["en"] and "x.txt" in found["status"]["notice"]


def test_what_is_refused_about_data_names_no_path(public, http, root, monkeypatch, catalogue):
    def full(paths):
        raise DataError("own_full", used="1", most="1", folder=root / "kept" / "own")

    monkeypatch.setattr(uploads, "save_pictures", full)
    path = http.post("upload", files={"files": ("a.png", b"x")}).json()[0]
    refused = event(http, "keep-upload", "en", [{"path": path, "meta": {"_type": "gradio.FileData"}}])
    assert "delete what is not needed from own" in refused and str(root) not in refused

    said = {"refused": "no", "fault": Fault("digits_unreadable", path=root / "digits.csv", reason="x").payload()}
    jobs = PreviewJobs(command=(sys.executable, "-c", f"print({json.dumps(json.dumps(said))})"))
    client = TestClient(Starlette(routes=preview_routes.routes(Controls(catalogue), jobs)))
    config = PRESETS["quick"]
    values = ["quick", "digits", ["sheep"], "", None, "",
              *(settings.to_widget(name, getattr(config, name)) for name in settings.ADVANCED)]
    for catalogue.public, shown in ((False, str(root / "digits.csv")), (True, "The digits in digits.csv")):
        body = {"who": str(shown), "lang": "en", "values": values}
        reply = client.post(f"{preview_routes.PREFIX}data", json=body, headers=HEADERS).json()
        while reply["state"] in ("waiting", "working"):
            reply = client.post(f"{preview_routes.PREFIX}data", json={**body, "look": True}, headers=HEADERS).json()
        assert reply["state"] == "refused" and shown in reply["sentence"]
        assert (str(root) in reply["sentence"]) is not catalogue.public
    jobs.close()


def test_where_no_stranger_comes_a_damaged_run_is_named_by_its_path(catalogue):
    run = make_run(catalogue.folder, steps=1)
    assert catalogue.shown(str(run.path)) == str(run.path)

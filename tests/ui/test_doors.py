"""The table of doors against the page as it is built and served: a row for everything, nothing without one, by real requests."""

import asyncio
import io
import json
import re
import socket
import zipfile

import gradio as gr
import httpx
import pytest
from gradio_client import Client, handle_file
from starlette.requests import Request

from gan_core.runs.run import list_runs
from gan_core.ui import doors, words
from gan_core.ui.doors import EVENTS, PATHS, SHUT, Role
from gan_core.ui.live_routes import PREFIX


@pytest.fixture
def http(page):
    with httpx.Client(base_url=page.demo.local_url, timeout=30) as client:
        yield client


@pytest.fixture
def watcher(monkeypatch):
    """Whoever sends the key is an operator, and so is the inside; everybody else watches."""
    def role(headers):
        return Role.OPERATOR if headers is None or headers.get("x-gan-key") == "key" else Role.WATCHER
    monkeypatch.setattr(doors, "caller_role", role)


def routes_of(app):
    """(method, path) of every route, those of included routers too."""
    for route in app.routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from routes_of(inner)
        else:
            assert hasattr(route, "methods"), f"{route} is mounted: decide what it opens"
            yield from ((method, route.path) for method in route.methods or ())


def number(page, name):
    (found,) = [fn._id for fn in page.demo.fns.values() if fn.api_name == name]
    return found


def test_every_event_has_a_row_and_every_row_an_event(page):
    names = [fn.api_name for fn in page.demo.fns.values()]
    assert len(names) == len(set(names)) and set(names) == set(EVENTS)
    assert not [name for name in names if re.search(r"_\d+$", name)], "gradio has numbered one: its name is not stable"


def test_every_route_has_a_row_or_is_shut_and_every_row_leads_to_a_route(page):
    routes = set(routes_of(page.demo.app))
    # Starlette answers HEAD wherever it answers GET: a HEAD without a row of its own is refused before it comes there.
    undecided = {(method, path) for method, path in routes if (method, path) not in PATHS and path not in SHUT
                 and not (method == "HEAD" and ("GET", path) in PATHS)}
    assert not undecided
    assert not set(PATHS) - routes and not SHUT - {path for _, path in routes}
    assert not SHUT & {path for _, path in PATHS}, "open or shut, not both"


def test_a_page_without_state_needs_no_heartbeat(page):
    assert not page.demo.config["connect_heartbeat"], "then its path must be opened"


def concrete(path):
    """An address that a route's path matches."""
    values = {"path_or_url": "/etc/passwd", "url_path": "http://127.0.0.1/"}
    return re.sub(r"{(\w+)(:\w+)?}", lambda found: values.get(found[1], "x"), path)


@pytest.mark.parametrize("path", sorted(SHUT))
def test_what_is_shut_answers_one_sentence_to_every_method(http, path):
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"):
        reply = http.request(method, concrete(path))
        assert reply.status_code == 404, method
        assert method == "HEAD" or reply.json() == {"detail": words.text("errors.no_door")}
    french = http.get(concrete(path), headers={"Accept-Language": "de-CH, fr-CH;q=0.9, en;q=0.8"})
    assert french.json() == {"detail": words.text("errors.no_door", "fr")}


SPELLINGS = """
gradio_api/file%3D/etc/passwd  gradio_api/%66ile=/etc/passwd  //gradio_api/file=/etc/passwd  gradio_api//file=/etc/passwd
gradio_api/./file=/etc/passwd  gradio_api/gan/../file=/etc/passwd  gradio_api/gan/%2e%2e/file=/etc/passwd
GRADIO_API/file=/etc/passwd  assets/../gradio_api/file=/etc/passwd  static/%2e%2e/%2e%2e/index.html
assets/..%2f..%2f..%2froutes.py  gradio_api  \\gradio_api  gradio_api/gan/  gradio_api/gan/control  gradio_api/gan/control/
gradio_api/gan/control/attach  gradio_api/run/  gradio_api/run/nobody  gradio_api/call/nobody  gradio_api/queue/join/
docs  redoc  mcp/  gradio_api/mcp/  gradio_api/mcp/sse  nobody
"""


@pytest.mark.parametrize("path", SPELLINGS.split())
def test_no_other_spelling_opens_one(page, path):
    for method in ("GET", "POST"):
        with socket.create_connection(("127.0.0.1", page.demo.server_port), 30) as link:  # a client would tidy the path up
            link.sendall(f"{method} /{path} HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            reply = b"".join(iter(lambda: link.recv(65536), b""))
        assert reply.startswith((b"HTTP/1.1 404", b"HTTP/1.1 403")), reply[:300]
        assert b"root:" not in reply


@pytest.mark.parametrize("path", sorted({path for method, path in PATHS if method == "GET" and "{" not in path}))
def test_head_is_answered_for_the_page_alone(http, path):
    assert http.head(path).status_code == (200 if path == "/" else 404)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_no_door_takes_another_method(http, method):
    for path in ("/", "/config", "/gradio_api/queue/join", f"{PREFIX}z", f"{PREFIX}control/stop"):
        assert http.request(method, path).status_code == 404


def test_an_upload_is_never_served_again(http):
    (path,) = http.post("/gradio_api/upload", files={"files": ("a.txt", b"somebody's")}).json()
    for asked in (f"/gradio_api/file={path}", f"/gradio_api/file{path}", f"/file={path}"):
        assert http.get(asked).status_code == 404


def test_what_the_page_loads_is_open(http):
    text = http.get("/").text
    files = [found for found in re.findall(r'(?:src|href)="([^"]+)"', text) if found != "./" and "//" not in found]
    assert any("assets/index-" in file for file in files) and "/manifest.json" in files
    for file in [*files, "/config", "/theme.css", "/favicon.ico", "/gradio_api/info", "/gradio_api/app_id"]:
        assert http.get(file.removeprefix(".")).status_code == 200, file


def test_the_client_of_programs_uploads_and_cancels(page, http, tmp_path):
    """What it calls by name is tried in test_api, on a page that is served with the same doors."""
    client = Client(page.demo.local_url, verbose=False)
    job = client.submit(api_name="/state")
    assert job.result(30)["run"] and job.cancel()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("a.txt", "no picture")
    (fn,) = [fn for fn in client.endpoints.values() if getattr(fn, "api_name", "") == "/keep-upload"]
    sent = fn._upload_file(handle_file(str(tmp_path / "a.zip")), 1)
    assert sent["path"].endswith("a.zip") and http.get("/gradio_api/upload_progress?upload_id=x").status_code == 404


def run(http, path, name, page, data=(), **headers):
    """POST run/PATH with the number of the event NAME in the body."""
    return http.post(f"/gradio_api/run/{path}", json={"data": list(data), "fn_index": number(page, name)}, headers=headers)


def test_an_event_without_a_row_is_refused_by_whatever_path_it_is_called(page, http, monkeypatch):
    assert run(http, "predict", "state", page).status_code == 200
    at = number(page, "state")
    monkeypatch.delitem(doors.EVENTS, "state")
    assert http.post("/gradio_api/run/state", json={"data": []}).json() == {"detail": words.text("errors.no_door")}
    for path in ("predict", "generate", "check-seed"):
        reply = http.post(f"/gradio_api/run/{path}", json={"data": [], "fn_index": at}, headers={"Accept-Language": "fr"})
        assert (reply.status_code, reply.json()["error"]) == (500, words.text("errors.no_door", "fr")), path
    joined = http.post("/gradio_api/queue/join", json={"data": [], "fn_index": at, "session_hash": "walker"})
    assert joined.status_code == 200
    sentence = http.get("/gradio_api/queue/data?session_hash=walker").text
    assert words.text("errors.no_door") in sentence and '"success":false' in sentence


def test_the_number_in_the_body_counts_and_not_the_name_in_the_path(page, http, watcher):
    assert http.post("/gradio_api/run/state", json={"data": []}).status_code == 200
    for name, data in (("start", ["quick", "{}"]), ("pause", []), ("attach", ["", "en", "/"]), ("ask-delete-data", ["en", "x"])):
        for path in ("state", "predict", "generate"):
            reply = run(http, path, name, page, data)
            assert (reply.status_code, reply.json()["error"]) == (500, words.text("errors.no_role")), (name, path)
        if name in ("start", "pause"):
            sentence = run(http, "state", name, page, ["nothing", "{}"][:len(data)], **{"X-Gan-Key": "key"}).json()["error"]
            assert sentence and sentence != words.text("errors.no_role")
    assert list_runs(page.catalogue.folder) == []


@pytest.mark.parametrize(("method", "path"), sorted(key for key, door in PATHS.items() if door.role > Role.WATCHER))
def test_a_path_of_a_higher_role_is_refused_to_a_watcher(http, watcher, method, path):
    reply = http.request(method, path)
    assert (reply.status_code, reply.json()) == (403, {"detail": words.text("errors.no_role")})
    assert http.request(method, path, headers={"X-Gan-Key": "key"}).status_code != 403 or "control/" in path


@pytest.mark.parametrize("wrap", [lambda request: gr.Request(request=request), lambda request: [gr.Request(request=request)] * 2,
                                  lambda request: request])
def test_every_kind_of_request_that_gradio_hands_on_is_asked_for_its_role(page, watcher, wrap):
    def ask(headers):
        scope = {"type": "http", "headers": [(name.encode(), value.encode()) for name, value in headers.items()]}
        with pytest.raises(gr.Error) as caught:
            asyncio.run(page.demo.process_api(number(page, "pause"), [], request=wrap(Request(scope))))
        return str(caught.value.message)
    assert ask({}) == words.text("errors.no_role")
    assert ask({"accept-language": "fr"}) == words.text("errors.no_role", "fr")
    assert ask({"x-gan-key": "key"}) != words.text("errors.no_role")


def test_a_call_from_inside_needs_no_role_but_a_row(page, watcher, monkeypatch):
    event = page.demo.fns[number(page, "state")]
    assert asyncio.run(page.demo.process_api(event, [], request=None))["data"]
    monkeypatch.delitem(doors.EVENTS, "state")
    with pytest.raises(gr.Error, match=words.text("errors.no_door")):
        asyncio.run(page.demo.process_api(event, [], request=None))


def test_a_body_is_bounded_with_its_length_and_without(page, http):
    for path, most in (("gradio_api/queue/join", doors.EVENT_BODY), ("gradio_api/run/state", doors.EVENT_BODY),
                       ("gradio_api/gan/data", 64 << 10), ("gradio_api/cancel", 4096)):
        long = json.dumps({"data": ["x" * most]}).encode()
        for body in (long, iter([long[:most // 2], long[most // 2:]])):  # the second is sent in chunks, without a length
            reply = http.post(f"/{path}", content=body, headers={"Content-Type": "application/json", "X-Gan-Page": "1"})
            assert (reply.status_code, reply.json()) == (413, {"detail": words.text("errors.body_large")}), path
    assert http.post("/gradio_api/run/state", json={"data": []}).status_code == 200


def test_the_largest_drawing_and_the_fullest_form_pass(http):
    points = [[k / 4001 + 1e-17, 1 - k / 4001] for k in range(4000)]
    reply = http.post(f"{PREFIX}control/keep-drawing", json={"points": points}, headers={"X-Gan-Page": "1"})
    assert reply.status_code == 200 and len(json.dumps(points)) > 150_000
    assert reply.json()["name"].startswith("drawn-")


def test_an_upload_beyond_what_is_kept_is_refused_before_it_is_read(page):
    with socket.create_connection(("127.0.0.1", page.demo.server_port), 30) as link:
        length = doors.UPLOAD_BODY + 1
        link.sendall(f"POST /gradio_api/upload HTTP/1.1\r\nHost: [::1]\r\nContent-Length: {length}\r\n\r\n".encode())
        assert link.recv(65536).startswith(b"HTTP/1.1 413")


def test_a_picture_still_goes_up(http):
    reply = http.post("/gradio_api/upload", files={"files": ("a.png", io.BytesIO(b"\x89PNG" + bytes(100_000)))})
    assert reply.status_code == 200 and reply.json()[0].endswith("a.png")


@pytest.fixture
def said(http, page):
    """What an event answers, by either way of asking: the error's sentence, or None; nothing of it is a traceback in the log."""
    def said(name, *data, lang="en"):
        headers = {"Accept-Language": lang}
        at_once = http.post(f"/gradio_api/run/{name}", json={"data": list(data)}, headers=headers)
        queued = http.post(f"/gradio_api/call/{name}", json={"data": list(data)}, headers=headers)
        if queued.status_code != 200:
            return at_once.json().get("error")
        text = http.get(f"/gradio_api/call/{name}/{queued.json()['event_id']}").text
        error = json.loads(text.partition("data: ")[2].partition("\n")[0])["error"] if "event: error" in text else None
        assert at_once.json().get("error") == error
        return error
    return said


@pytest.mark.parametrize("lang", words.LANGUAGES)
def test_a_run_that_the_list_does_not_have_is_one_sentence(said, capfd, lang):
    unknown, none = words.text("errors.unknown_run", lang, name="made-up"), words.text("runs.not_resumed_none", lang)
    for door in ("stop-run", "resume-run"):
        assert said(door, "", lang, "made-up", lang=lang) == unknown
        for choice in (None, "", 7, ["made-up"], {"path": "made-up"}):
            assert said(door, "", lang, choice, lang=lang) == none, "no choice means no run, and never the default one"
    assert said("let-go", "", lang, "made-up", lang=lang) == words.text("errors.attach_gone", lang)
    for run in ("", "made-up", {}, [1]):
        assert said("list-runs", run, lang, run, lang=lang) is None
    assert "Traceback" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("lang", words.LANGUAGES)
def test_what_happens_in_the_browser_alone_is_no_door_of_the_server(said, page, capfd, lang):
    alone = [fn for fn in page.demo.fns.values() if fn.fn is None]
    assert "stop-run-enabled" in {fn.api_name for fn in alone} and len(alone) > 20
    for fn in alone:
        assert said(fn.api_name, *[""] * len(fn.inputs), lang=lang) == words.text("errors.no_door", lang), fn.api_name
    assert "Traceback" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("lang", words.LANGUAGES)
def test_what_are_no_values_of_the_form_is_one_sentence(said, capfd, lang):
    for door, data in (("button-start", ["", lang, "quick", "no-preset"]), ("button-start", []), ("stop-run", []),
                       ("fill-preset", ["no-preset", "digits"]), ("fill-preset", ["quick", "no-data"]), ("button-pause", [{}])):
        assert said(door, *data, lang=lang) == words.text("errors.form", lang), door
    assert "Traceback" not in "".join(capfd.readouterr())
    assert "needed: 2" in said("step", "both"), "a program is told what is wrong with its call"

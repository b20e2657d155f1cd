"""By which names a page answers: its own, those that somebody allowed, and no stranger's that points to this machine."""

import asyncio
import socket

import httpx
import pytest
from gradio import http_server
from gradio_client import Client
from test_guard import LOOK, STREAM, UPLOAD, Held, ask

from gan_core.ui import words
from gan_core.ui.app import Playground
from gan_core.ui.command_line import arguments
from gan_core.ui.doors import PATHS, SHUT
from gan_core.ui.exposure import answered_hosts
from gan_core.ui.guard import Guard
from gan_core.ui.hosts import VARIABLE, Hosts, allowed_names, host_name
from gan_core.ui.live_routes import PREFIX

OWN = ["localhost", "localhost:7860", "LocalHost:1", "localhost.", "localhost.:7860", "127.0.0.1", "127.0.0.1:7860",
       "127.8.9.1:1", "[::1]", "[::1]:7860", "[::ffff:127.0.0.1]:80", "localhost:"]
FOREIGN = ["evil.example", "evil.example:7860", "localhost.evil.example", "127.0.0.1.evil.example:7860", "evil-localhost",
           "10.0.0.1", "192.168.1.7:7860", "[fe80::1]:7860", "0.0.0.0:7860", "xn--lcalhost-54a", "my-laptop:7860"]
NONSENSE = ["", " ", "localhost/path", "user@localhost", "localhost@evil.example", "localhost evil.example", "[::1", "::1",
            ":7860", "a" * 64, "localhost:port", "localhost:7860:1", "<b>", "ｌocalhost", "127.1", "0x7f.1", "local\x00host"]


@pytest.mark.parametrize("header", OWN)
def test_loopback_is_answered_with_any_port(header):
    assert Hosts().admit([header])


@pytest.mark.parametrize("header", FOREIGN + NONSENSE)
def test_anything_else_is_not_unless_every_name_is_allowed(header):
    assert not Hosts().admit([header]) and not Hosts(frozenset({"hub.example"})).admit([header])
    assert Hosts(frozenset({"*"})).admit([header]) is bool(host_name(header))


def test_every_host_header_counts_and_none_is_none():
    assert not Hosts().admit([]) and not Hosts().admit(["localhost", "evil.example"]) and Hosts().admit(["localhost", "[::1]"])


def test_allowed_names_come_from_the_flag_the_variable_and_the_address_of_a_proxy():
    environ = {VARIABLE: "Hub.Example:443, second.example,", "GRADIO_ROOT_PATH": "https://user:key@proxy.example:8443/gan"}
    assert allowed_names(["third.example.", "été.example"], environ) == {
        "hub.example", "second.example", "third.example", "xn--t-9fab.example", "proxy.example"}
    assert allowed_names(None, {"GRADIO_ROOT_PATH": "/gan"}) == frozenset() == allowed_names([], {})
    assert allowed_names(["*"], {}) == {"*"}


@pytest.mark.parametrize("name", ["https://hub.example", "hub.example/user", "", "*.example", "a b", "é" * 70])
def test_what_is_no_name_is_refused_by_its_source(name, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        arguments(["--allow-host", name])
    said = capsys.readouterr().err
    assert said.startswith(f"--allow-host is {name}; give the name in the browser's address bar, such as hub.example.org, ")
    assert said.count("\n") == 1
    monkeypatch.setenv(VARIABLE, "https://hub.example")
    with pytest.raises(ValueError, match=rf"^{VARIABLE} is https://hub\.example; give the name"):
        allowed_names()


NAMES = frozenset({"hub.example"})


@pytest.mark.parametrize(("host", "share", "environ", "allowed", "hosts"), [
    (None, None, {}, frozenset(), Hosts()), (None, None, {}, NAMES, Hosts(NAMES)), ("127.0.0.1", False, {}, NAMES, Hosts(NAMES)),
    ("[::1]", None, {}, frozenset(), Hosts()), (None, None, {"GRADIO_SERVER_NAME": "0.0.0.0"}, frozenset(), None),
    ("0.0.0.0", None, {}, frozenset(), None), ("0.0.0.0", None, {}, NAMES, Hosts(NAMES, addresses=True)),
    ("192.168.1.7", None, {}, frozenset(), None), ("127.0.0.1", None, {"GRADIO_SERVER_NAME": "0.0.0.0"}, frozenset(), Hosts()),
    (None, True, {}, NAMES, None), ("127.0.0.1", True, {}, frozenset(), None),
    (None, None, {"GRADIO_SHARE": "true"}, NAMES, None),
    (None, None, {"SPACE_ID": "somebody/gan"}, frozenset(), None)])
def test_only_a_page_whose_name_is_not_known_here_answers_by_any(host, share, environ, allowed, hosts):
    assert answered_hosts(allowed, host, share, environ) == hosts


def test_a_page_for_others_with_allowed_names_still_answers_by_bare_addresses():
    hosts = Hosts(NAMES, addresses=True)
    assert all(hosts.admit([header]) for header in ("192.168.1.7:7860", "[fe80::1]", "hub.example", "localhost"))
    assert not hosts.admit(["evil.example"])


@pytest.mark.parametrize("door", [STREAM, LOOK, UPLOAD, ("GET", "/"), ("GET", "/assets/x.js"), ("POST", f"{PREFIX}control/stop"),
                                  ("POST", "/gradio_api/run/start"), ("GET", "/gradio_api/file=x"), ("GET", "/nowhere")])
@pytest.mark.parametrize("lang", ["en", "fr"])
def test_the_guard_refuses_before_anything_else_and_says_what_to_set(door, lang):
    held = Held()

    async def play(host):
        headers = [(b"host", host), (b"accept-language", lang.encode())]
        return await ask(Guard(held, hosts=Hosts(NAMES)), door, headers=headers)

    status, _, body = asyncio.run(play(b"evil.example:7860"))
    assert status == 403 and words.text("errors.host_unknown", lang, host="evil.example").encode() in body
    assert b"--allow-host evil.example" in body
    status, _, body = asyncio.run(play(b"<script>"))
    assert status == 403 and words.text("errors.host_missing", lang).encode() in body and b"<" not in body
    assert held.most == 0, "the app has heard nothing of it"


def test_a_socket_of_another_name_is_closed_as_every_socket():
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "websocket", "path": "/", "headers": [(b"host", b"evil.example")]}
    asyncio.run(Guard(Held(), hosts=Hosts())(scope, None, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]


# The page as it is served.

def asked(page, method, path, host):
    return httpx.request(method, f"http://127.0.0.1:{page.demo.server_port}{path}", headers={"Host": host}, timeout=30)


def test_every_route_of_a_served_page_is_closed_to_a_name_that_points_here(page):
    paths = [(method, path) for method, path in PATHS] + [("GET", path) for path in SHUT]
    for method, path in paths:
        found = asked(page, method, path.replace("{", "x").replace("}", "x").replace(":path", ""), "rebound.example:7860")
        assert found.status_code == 403, (method, path)
        assert method == "HEAD" or "rebound.example" in found.json()["detail"], (method, path)
    preflight = httpx.request("OPTIONS", f"http://127.0.0.1:{page.demo.server_port}{PREFIX}control/stop", timeout=30, headers={
        "Host": "rebound.example", "Origin": "http://rebound.example", "Access-Control-Request-Method": "POST"})
    assert "GAN" not in preflight.text


def test_a_served_page_answers_by_each_name_of_loopback_and_to_its_own_client(page):
    for host in ("localhost:1", "127.0.0.1", "[::1]:8080", "LOCALHOST."):
        assert asked(page, "GET", "/", host).status_code == 200
        assert asked(page, "GET", f"{PREFIX}data/sets", host).status_code == 200
    assert Client(page.demo.local_url, verbose=False).predict(api_name="/state") is not None
    with socket.create_connection(("127.0.0.1", page.demo.server_port), 30) as link:  # as no browser asks
        link.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b" 403 " in link.recv(65536).splitlines()[0]


@pytest.mark.parametrize(("host", "allowed", "answered", "refused"), [
    ("127.0.0.1", {"hub.example"}, ["hub.example", "HUB.example:443", "localhost"], ["evil.example"]),
    ("0.0.0.0", set(), ["evil.example", "localhost", "10.0.0.1:7860"], []),
    ("0.0.0.0", {"hub.example"}, ["hub.example", "10.0.0.1:7860", "localhost"], ["evil.example"])])
def test_how_the_page_was_started_decides(tmp_path, monkeypatch, host, allowed, answered, refused):
    for name in ("SPACE_ID", "GRADIO_SHARE", VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(http_server, "LOCALHOST_NAME", "127.0.0.1")
    (tmp_path / "runs").mkdir()
    served = Playground(tmp_path / "runs", threads=1)
    monkeypatch.setattr(served.supervisor, "warm", lambda: None)
    try:
        served.launch(host=host, quiet=True, allowed=frozenset(allowed))
        assert [asked(served, "GET", "/config", name).status_code for name in answered + refused] == (
            [200] * len(answered) + [403] * len(refused))
    finally:
        served.close()


def test_behind_the_name_of_a_space_the_page_answers(tmp_path, monkeypatch):
    monkeypatch.setenv("SPACE_ID", "somebody/gan")
    (tmp_path / "runs").mkdir()
    served = Playground(tmp_path / "runs", threads=1)
    monkeypatch.setattr(served.supervisor, "warm", lambda: None)
    try:
        served.launch(host="127.0.0.1", quiet=True)
        assert asked(served, "GET", "/config", "somebody-gan.hf.space").status_code == 200
    finally:
        served.close()

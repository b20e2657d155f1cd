"""A school's proxy: nothing within this machine goes through it, downloads do, and a proxy that fails is named."""

import os
import platform
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from gan_core.data import download, http
from gan_core.data.download import fetch
from gan_core.data.types import DataError, DataRequest
from gan_core.proxies import bypass_for_this_machine, proxy_for

NAMES = [variant for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY") for variant in (name, name.lower())]


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    monkeypatch.setattr(download, "RETRY_PAUSE", 0)
    for name in NAMES:
        monkeypatch.setenv(name, "x")  # so that what a test's code sets is undone as well
        monkeypatch.delenv(name)


@pytest.fixture
def silent():
    """The port of something that takes connections and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(50)
        yield server.getsockname()[1]


def test_this_machine_is_added_to_what_needs_no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "school.example")
    bypass_for_this_machine("192.168.1.7")
    bypass_for_this_machine("0.0.0.0")
    for name in ("no_proxy", "NO_PROXY"):
        hosts = os.environ[name].split(",")
        assert {"localhost", "127.0.0.1", "::1", "192.168.1.7", platform.node()} <= set(hosts) and len(hosts) == len(set(hosts))
        assert "0.0.0.0" not in hosts
    assert os.environ["no_proxy"].startswith("school.example,")
    monkeypatch.setenv("NO_PROXY", "*")
    bypass_for_this_machine()
    assert os.environ["NO_PROXY"] == os.environ["no_proxy"] == "*"


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_what_a_school_has_set_stays(monkeypatch, name):
    monkeypatch.setenv(name, "school.example")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example")
    bypass_for_this_machine()
    assert proxy_for("http://school.example/x") == "" and proxy_for("http://other.example/x") == "proxy.example"


@pytest.mark.parametrize(("name", "value", "url", "expected"), [
    ("HTTPS_PROXY", "http://proxy.example:3128", "https://x.org/a", "proxy.example:3128"),
    ("https_proxy", "http://me:secret@proxy.example:3128/", "https://x.org/a", "proxy.example:3128"),
    ("HTTP_PROXY", "proxy.example:8080", "http://x.org", "proxy.example:8080"), ("HTTP_PROXY", "http://a", "https://x.org", ""),
    ("ALL_PROXY", "http://all:1", "https://x.org", "all:1"), ("ALL_PROXY", "http://all:1", "http://localhost:7860", "")])
def test_the_proxy_of_an_address_is_known_without_its_password(monkeypatch, name, value, url, expected):
    bypass_for_this_machine()
    monkeypatch.setenv(name, value)
    assert proxy_for(url) == expected


def refused(path):
    with pytest.raises(DataError) as caught:
        fetch("http://data.example/it.bin", path / "it.bin", DataRequest("mnist"))
    return str(caught.value)


def test_a_proxy_that_fails_is_named_and_no_password_is(tmp_path, monkeypatch, silent):
    monkeypatch.setattr(http, "READ_TIMEOUT", 0.3)
    monkeypatch.setenv("HTTP_PROXY", "http://me:secret@127.0.0.1:1")
    sentence = refused(tmp_path)
    assert "the proxy 127.0.0.1:1 cannot be reached" in sentence and "HTTP_PROXY" in sentence and "secret" not in sentence
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{silent}")
    assert f"the proxy 127.0.0.1:{silent} does not answer" in refused(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dead", "silent"])
def test_the_page_starts_behind_a_proxy_that_does_not_work(tmp_path, silent, kind):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    proxy = f"http://127.0.0.1:{silent if kind == 'silent' else 1}"
    env = {**os.environ, "HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "http_proxy": proxy, "https_proxy": proxy}
    command = [sys.executable, "playground.py", "--host", "127.0.0.1", "--port", str(port), "--checkpoints", str(tmp_path)]
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with subprocess.Popen(command, cwd=Path(__file__).parents[1], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True) as page:
        try:
            deadline, said = time.monotonic() + 60, ""
            while "Running on local URL" not in said:  # gradio has asked its own page by then
                assert time.monotonic() < deadline and page.poll() is None, said
                said += page.stdout.readline()
            with opener.open(f"http://127.0.0.1:{port}/gradio_api/gan/stream", timeout=60) as stream:
                while b'"worker": "ready"' not in stream.readline().replace(b'":"', b'": "'):
                    assert page.poll() is None, page.stdout.read()
        finally:
            page.terminate()
            page.wait(20)

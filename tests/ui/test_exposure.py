"""Whether strangers reach the page: flags and gradio's variables, as gradio reads them."""

import pytest
from gradio import http_server

from gan_core.ui.app import Playground
from gan_core.ui.exposure import is_loopback, is_public

LOOPBACK = ["127.0.0.1", "127.0.0.2", "127.255.255.254", "localhost", "LOCALHOST", "::1", "[::1]", "::ffff:127.0.0.1"]
BEYOND = ["", "0.0.0.0", "::", "[::]", "192.168.1.7", "10.0.0.1", "fe80::1%eth0", "::ffff:10.0.0.1", "0", "my-laptop",
          "example.com", "localhost.example.com", "127.0.0.1.example.com"]


@pytest.mark.parametrize("host", LOOPBACK)
def test_loopback_is_this_machine_alone(host):
    assert is_loopback(host)
    assert not is_public(host, environ={}) and not is_public(environ={"GRADIO_SERVER_NAME": host})


@pytest.mark.parametrize("host", BEYOND)
def test_any_other_listener_is_beyond_loopback(host):
    assert not is_loopback(host)
    assert is_public(environ={"GRADIO_SERVER_NAME": host})
    assert not host or is_public(host, environ={})  # without a host the variable counts


@pytest.mark.parametrize(("host", "share", "environ", "public"), [
    (None, None, {}, False), (None, False, {}, False), (None, True, {}, True), ("127.0.0.1", True, {}, True),
    (None, None, {"GRADIO_SHARE": "True"}, True), (None, None, {"GRADIO_SHARE": "true"}, True),
    (None, None, {"GRADIO_SHARE": "1"}, False), (None, None, {"GRADIO_SHARE": "False"}, False),  # gradio knows "true" only
    (None, False, {"GRADIO_SHARE": "True"}, False), (None, None, {"SPACE_ID": "somebody/gan"}, True),
    ("127.0.0.1", False, {"SPACE_ID": "somebody/gan"}, True), (None, None, {"SPACE_ID": ""}, False),
    ("127.0.0.1", None, {"GRADIO_SERVER_NAME": "0.0.0.0"}, False), ("0.0.0.0", None, {"GRADIO_SERVER_NAME": "127.0.0.1"}, True)])
def test_flags_go_before_variables(host, share, environ, public):
    assert is_public(host, share, environ) is public


def test_gradio_shares_by_itself_from_a_hosted_notebook(monkeypatch):
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    assert is_public(environ={}) and not is_public(share=False, environ={})


@pytest.mark.parametrize(("host", "variable", "local"), [
    ("127.0.0.1", "0.0.0.0", True), ("localhost", "127.0.0.1", True), (None, "127.0.0.1", True), ("0.0.0.0", "127.0.0.1", False),
    (None, "0.0.0.0", False)])
def test_a_page_that_is_served_knows_where_it_listens(tmp_path, monkeypatch, host, variable, local):
    monkeypatch.setattr(http_server, "LOCALHOST_NAME", variable)
    for name in ("SPACE_ID", "GRADIO_SHARE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "runs").mkdir()
    playground = Playground(tmp_path / "runs", threads=1)
    monkeypatch.setattr(playground.supervisor, "warm", lambda: None)
    try:
        playground.launch(host=host, quiet=True)
        assert playground.controls.local_paths is local is not playground.catalogue.public
        assert playground.demo.server_name == (host or variable)
    finally:
        playground.close()

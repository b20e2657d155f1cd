"""The containers and the head of the page: everything is there, early enough, and no script writes raw HTML."""

import html
import re

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from gan_core.ui import knobs, view

PARTS = {"gan-bar": view.bar, "gan-flow": view.flow, "gan-grid": view.samples, "gan-real": view.real, "gan-curves": view.curves,
         "gan-latent": view.latent, "gan-faces": view.faces, "gan-presets": lambda: view.presets({"quick": "digits"}),
         "gan-knobs": lambda: view.knobs(knobs.tables())}


@pytest.mark.parametrize("elem_id", PARTS)
def test_every_container_has_a_script_that_fills_it(elem_id):
    part = PARTS[elem_id]()
    assert part.elem_id == elem_id
    name = re.search(r'data-gan="(\w+)"', part.value)[1]
    assert re.search(rf"\bparts\.{name} = ", view.HEAD)


def test_what_a_script_is_handed_comes_through_gradios_template_and_the_browser_unchanged():
    given = '{"a": "x${1}\'\\"<b>{{y}}&"}'
    value = view.part("knobs", given).value
    assert "${" not in value and "{{" not in value
    assert html.unescape(re.search(r'data-knobs="([^"]*)"', value)[1]) == given


def test_the_page_has_the_ids_that_others_rely_on():
    for stable in ("run-state", "run-step", "sample-grid", "loss-curves", "latent-image", "latent-sliders", "btn-restore",
                   "quality-curves"):
        assert f'id: "{stable}"' in view.HEAD
    for name in ("state", "step", "frames", "lastFrameAgeMs", "sliderLatencyMs"):
        assert re.search(rf"\b{name}\b", view.HEAD)


@pytest.mark.parametrize("name", view.SCRIPTS)
def test_no_script_writes_html_or_closes_itself(name):
    script = view._asset(name)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", script)
    assert "</script" not in script


def page(request):
    return HTMLResponse("<html><head><meta charset=utf-8></head><body>é</head></body></html>")


@pytest.mark.parametrize("prefix", ["", "/space"])
def test_the_head_is_in_the_page_itself_and_nowhere_else(prefix):
    routes = [Route("/", page), Route("/gradio_api/x", lambda request: PlainTextResponse("</head>")), Route("/other", page)]
    inner = Starlette(routes=routes, middleware=[Middleware(view.HeadFirst)])
    client = TestClient(Starlette(routes=[Mount(prefix, inner)]) if prefix else inner)
    reply = client.get(f"{prefix}/")
    assert reply.text.count("window.GAN_WORDS =") == 1
    assert reply.text.index("window.GAN_WORDS =") < reply.text.index("<body>")
    assert int(reply.headers["content-length"]) == len(reply.content)
    assert client.get(f"{prefix}/gradio_api/x").text == "</head>"
    assert "GAN_WORDS" not in client.get(f"{prefix}/other").text

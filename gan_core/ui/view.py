"""The parts of the page that move: their empty containers, and the style and script that the page's head carries.

Everything that changes while a run trains is drawn by the scripts in `assets/` from one event stream. This file
only hands them to gradio: it knows no run, opens no file but its own assets, and puts no user's text in a page.
"""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

import gradio as gr

from . import words
from .theme import theme

__all__ = ["CSS", "HEAD", "HeadFirst", "bar", "curves", "faces", "flow", "knobs", "latent", "part", "presets", "real",
           "samples", "theme"]

ASSETS = Path(__file__).parent / "assets"
# In this order: the first decides language and colours before gradio boots, the last starts the stream.
SCRIPTS = ("core.js", "bar.js", "plane.js", "samples.js", "data.js", "draw.js", "charts.js", "curves.js", "quality.js",
           "settings.js", "knobs.js", "latent.js", "controls.js", "stream.js")
STYLES = ("page.css", "parts.css", "steer.css", "data.css")


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _head() -> str:
    """Everything in one piece, so that the page needs no second request to be alive."""
    tables = json.dumps({lang: words.shown(lang) for lang in words.LANGUAGES}, ensure_ascii=False).replace("<", "\\u003c")
    scripts = "\n".join(f"<script>{_asset(name)}</script>" for name in SCRIPTS)
    styles = "\n".join(f"<style>{_asset(name)}</style>" for name in STYLES)
    return f"{styles}\n<script>window.GAN_WORDS = {tables};</script>\n{scripts}\n"


HEAD = _head()
CSS = ""  # for `launch(css=...)`; ours is in the head, because gradio rewrites its own so that `:root` and `body` miss


class HeadFirst:
    """ASGI middleware that writes HEAD into the page itself: `launch(app_kwargs={"middleware": [Middleware(HeadFirst)]})`.

    `launch(head=...)` adds its tags by a script once gradio has started: too late to choose language and colours.
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("path", "").removeprefix(scope.get("root_path", "")).strip("/")
        if scope["type"] != "http" or scope["method"] != "GET" or path:
            await self.app(scope, receive, send)
            return
        start: dict[str, Any] = {}
        body = b""

        async def hold(message: dict[str, Any]) -> None:
            nonlocal body
            if message["type"] == "http.response.start":
                start.update(message)
                return
            body += message.get("body", b"")
            if message.get("more_body"):
                return
            body = body.replace(b"</head>", HEAD.encode() + b"</head>", 1)
            headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
            await send({**start, "headers": [*headers, (b"content-length", str(len(body)).encode())]})
            await send({"type": "http.response.body", "body": body})

        await self.app(scope, receive, hold)


def part(name: str, data: str = "") -> gr.HTML:
    """An empty container; the script of the same name fills it as soon as it is in the page. `data`: JSON for that script."""
    # Escaped twice over: html for the browser, and no template marks for gradio's own reading.
    said = html.escape(data).replace("$", "&#36;").replace("{", "&#123;").replace("}", "&#125;")
    given = f' data-{name}="{said}"' if data else ""
    return gr.HTML(f'<div class="gan-part" data-gan="{name}"{given}></div>', elem_id=f"gan-{name}", js_on_load=None,
                   apply_default_css=False)


def bar() -> gr.HTML:
    """State, step and facts of the shown run, banners, language and colours."""
    return part("bar")


def flow() -> gr.HTML:
    """Noise, generator, fake, discriminator, verdict, in one line."""
    return part("flow")


def samples() -> gr.HTML:
    """The 8x8 grid of fakes with its history."""
    return part("grid")


def real() -> gr.HTML:
    """A strip of 16 real pictures."""
    return part("real")


def faces() -> gr.HTML:
    """The switch of the settings card: the next run, or the run that trains now."""
    return part("faces")


def presets(groups: dict[str, str]) -> gr.HTML:
    """The headings between the presets: name -> group, in the order shown."""
    return part("presets", json.dumps(groups))


def knobs(tables: str) -> gr.HTML:
    """What can be turned while a run trains; `tables` as `knobs.tables` makes them."""
    return part("knobs", tables)


def curves() -> gr.HTML:
    """Both losses, and how real the discriminator finds real and generated images; behind them the measures of quality."""
    return part("curves")


def latent() -> gr.HTML:
    """The slider bank, the image it drives and the discriminator's verdict on it."""
    return part("latent")

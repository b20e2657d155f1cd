"""The empty containers of the moving parts of the page, and the middleware that writes the page's head.

Whatever changes while a run trains is drawn by the modules in `web/` from one event stream. This module only gives gradio
their containers, and puts no user's text in a page.
"""

from __future__ import annotations

import html
import json
from typing import Any

from .. import registry
from .gradio_import import gr
from .theme import theme
from .web_files import web_files

__all__ = ["HeadMiddleware", "bar", "call", "curves", "faces", "flow", "knobs", "latent", "part", "presets", "real", "samples",
           "theme"]

# An event's `js=` that sets its first inputs: to the run that this browser shows and its language, or to its language.
WITH_RUN = "(run, lang, ...rest) => [ganPage.run, ganPage.language, ...rest]"
WITH_LANGUAGE = "(lang, ...rest) => [ganPage.language, ...rest]"


def call(name: str) -> str:
    """An event's `js=` that calls one of the functions in `web/page.js` with the values of the event's inputs."""
    return f"(...values) => {{ ganPage.call('{name}', ...values); return []; }}"


class HeadMiddleware:
    """ASGI middleware that writes our head into the page: `launch(app_kwargs={"middleware": [Middleware(HeadMiddleware)]})`.

    `launch(head=...)` adds its tags by a script once gradio has started: too late to choose language and colours.
    `launch(css=...)` is rewritten by gradio, so that `:root` and `body` miss.
    """

    def __init__(self, app: Any) -> None:
        self.app = app
        self.head = web_files().head().encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("path", "").removeprefix(scope.get("root_path", "")).strip("/")
        if scope["type"] != "http" or scope["method"] != "GET" or path:
            await self.app(scope, receive, send)
            return
        start: dict[str, Any] = {}
        body = b""

        async def buffer(message: dict[str, Any]) -> None:
            nonlocal body
            if message["type"] == "http.response.start":
                start.update(message)
                return
            body += message.get("body", b"")
            if message.get("more_body"):
                return
            body = body.replace(b"</head>", self.head + b"</head>", 1)
            headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
            await send({**start, "headers": [*headers, (b"content-length", str(len(body)).encode())]})
            await send({"type": "http.response.body", "body": body})

        await self.app(scope, receive, buffer)


def part(name: str, data: str = "") -> gr.HTML:
    """An empty container; the part that `web/main.js` lists under this name fills it. `data`: JSON for that part."""
    # Escaped twice: as HTML for the browser, and without the marks of gradio's templates.
    escaped = html.escape(data).replace("$", "&#36;").replace("{", "&#123;").replace("}", "&#125;")
    attribute = f' data-{name}="{escaped}"' if data else ""
    return gr.HTML(f'<gan-part class="gan-part" data-gan="{name}"{attribute}></gan-part>', elem_id=f"gan-{name}", js_on_load=None,
                   apply_default_css=False)


def bar() -> gr.HTML:
    """State, step and facts of the shown run, banners, language and colours."""
    return part("bar")


def flow() -> gr.HTML:
    """Noise, generator, fake, discriminator, verdict, in one line; it comes with the names of the relative losses."""
    return part("flow", json.dumps([name for name, entry in registry.LOSSES.items() if entry.relative]))


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
    """The knobs of a run while it trains; `tables` is the JSON of `knobs.tables`."""
    return part("knobs", tables)


def curves() -> gr.HTML:
    """Both losses, the mean verdicts on real and generated images, and the measures of quality.

    It comes with what a loss below 0 is, by the loss's name and the player's.
    """
    return part("curves", json.dumps({name: dict(entry.below_zero) for name, entry in registry.LOSSES.items()}))


def latent() -> gr.HTML:
    """The sliders, the image that they drive and the discriminator's verdict on it."""
    return part("latent")

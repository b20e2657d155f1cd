"""The page's own files in `web/` and its words: read once, served under an address that changes whenever any of them does.

Only names in a fixed table, made at the start, are served; no other file of the machine can be reached. The head of the page
is made here too, because it names these files.
"""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from . import words

FOLDER = Path(__file__).parent / "web"
ADDRESS = "gradio_api/gan/assets/"  # relative to the page, which may lie below another path
BOOT = "boot.js"  # inside the page itself
MAIN = "main.js"
STYLE = "styles.css"  # all styles in one piece: the first paint waits for them, and each request costs it some milliseconds
# In the order of the cascade: the tokens first, then gradio's components, then ours.
STYLES = tuple(f"styles/{name}.css" for name in (
    "tokens", "gradio", "layout", "transport", "forms", "runs", "parts", "bar", "flow", "samples", "plane", "real", "charts",
    "latent", "dialog", "toast", "settings", "knobs", "quality", "data", "pad", "present", "forced"))
MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".json": "application/json"}
CACHED = {"Cache-Control": "public, max-age=31536000, immutable"}


@dataclass(frozen=True)
class WebFiles:
    """`contents`: name -> bytes. `version`: a hash of all names and contents."""

    contents: dict[str, bytes]
    version: str

    @property
    def modules(self) -> list[str]:
        return [name for name in self.contents if name.endswith(".js")]

    @property
    def address(self) -> str:
        """Where the files are, relative to the page."""
        return f"{ADDRESS}{self.version}/"

    def head(self) -> str:
        """The tags for the page's head: the boot script, the styles, which hold back the first paint, and the modules.

        `async`: gradio's own script comes later in the page, and would otherwise wait until all of ours have run.
        """
        data = {"assets": self.address, "languages": " ".join(words.LANGUAGES), "modules": " ".join(self.modules)}
        attributes = " ".join(f'data-{name}="{html.escape(value)}"' for name, value in data.items())
        return "\n".join([f"<script {attributes}>\n{_boot()}</script>",
                          f'<link rel="stylesheet" href="{self.address}{STYLE}">',
                          f'<script type="module" async src="{self.address}{MAIN}"></script>', ""])

    async def reply(self, request: Request) -> Response:
        """One file of this version."""
        name = request.path_params["name"]
        if request.path_params["version"] != self.version or name not in self.contents:
            return PlainTextResponse("There is no such file.", 404, headers={"Cache-Control": "no-store"})
        media_type = MEDIA_TYPES[Path(name).suffix]
        return Response(self.contents[name], media_type=media_type, headers={**CACHED, "X-Content-Type-Options": "nosniff"})


@cache
def web_files() -> WebFiles:
    """The files as they were at the first call."""
    paths = sorted(path for path in FOLDER.rglob("*.js") if path.name != BOOT)
    contents = {path.relative_to(FOLDER).as_posix(): path.read_bytes() for path in paths}
    contents[STYLE] = b"\n".join((FOLDER / name).read_bytes() for name in STYLES)
    contents |= {f"words.{lang}.json": json.dumps(words.page_table(lang), ensure_ascii=False).encode()
                 for lang in words.LANGUAGES}
    return WebFiles(contents, _fingerprint(contents.items()))


def routes() -> list[Route]:
    """What `launch(app_kwargs={"routes": ...})` takes."""
    return [Route(f"/{ADDRESS}{{version}}/{{name:path}}", web_files().reply, methods=["GET"])]


def _boot() -> str:
    """The boot script without its comment lines."""
    lines = (FOLDER / BOOT).read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.lstrip().startswith(("//", "/**")))


def _fingerprint(contents: Iterable[tuple[str, bytes]]) -> str:
    digest = hashlib.sha256()
    for name, content in contents:
        digest.update(f"{name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:12]

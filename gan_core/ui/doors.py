"""The doors of the page: every event, API name, route and path of gradio by which a request can reach something, with its role.

A door without a row here is shut. `page` asks this table about events, `guard` about methods and paths; nobody else does.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from re import Pattern
from typing import Any

from starlette.routing import compile_path

from .controls import FIELDS
from .live_routes import PREFIX


class Role(enum.IntEnum):
    """What a caller may do; a higher role may also do what the lower ones may."""

    WATCHER = 1  # look
    DRIVER = 2  # steer the run, and what belongs to it
    OPERATOR = 3  # everything


def caller_role(headers: Mapping[str, str] | None) -> Role:
    """The role of whoever sent a request with these headers (None: a call from inside). Everybody is an operator for now."""
    return Role.OPERATOR


# Events, by the name that gradio calls an api_name. What the page hides from its API is reached by anybody all the same.
EVENTS: dict[str, Role] = {
    # API names, for programs.
    **dict.fromkeys(("state", "generate"), Role.WATCHER),
    **dict.fromkeys(("start", "pause", "resume", "step", "reset", "save", "tune", "restore"), Role.DRIVER),
    # The row of buttons; the scripts on the page hear what became of some of them.
    **dict.fromkeys((f"button-{name}{end}" for name in ("start", "start-force", "step", "step-d", "step-g", "reset-confirm",
                                                        "reset-paused") for end in ("", "-failed")), Role.DRIVER),
    **dict.fromkeys((f"button-{name}" for name in ("pause", "resume", "save")), Role.DRIVER),
    # The form. It changes nothing but itself.
    **dict.fromkeys(("fill-preset", "fill-defaults", "follow-dataset"), Role.WATCHER),
    **dict.fromkeys((f"check-{name}" for name in FIELDS if name != "dataset"), Role.WATCHER),
    # The choice of data.
    **dict.fromkeys((f"wish-{name}" for name in ("load", "dataset", "preset", "data-categories", "data-kept", "data-drawn",
                                                 "folder-submit", "folder-blur", "field-image_size", "field-color", "field-crop",
                                                 "field-max_images", "field-networks", "field-condition")), Role.WATCHER),
    **dict.fromkeys(("list-uploads", "keep-upload"), Role.DRIVER),
    **dict.fromkeys(("ask-delete-data", "ask-delete-data-shown"), Role.OPERATOR),
    # The list of runs.
    **dict.fromkeys(("list-runs", "list-runs-enabled", "refresh-runs", "refresh-runs-enabled", "choose-run", "show-tab",
                     "show-run"), Role.WATCHER),
    "resume-run": Role.DRIVER,
    **dict.fromkeys((f"{name}{end}" for name in ("attach", "attach-submit", "let-go") for end in ("", "-enabled")),
                    Role.OPERATOR),
}
BY_NUMBER = "predict"  # what gradio's page calls an event in a path; the body says which one


@dataclass(frozen=True)
class Door:
    """A method and path. body: most bytes that a request may carry; stream: whether the answer stays open."""

    role: Role
    body: int = 0
    stream: bool = False


EVENT_BODY = 1 << 20  # bytes; the form with all 345 categories is 10 kB, the largest drawing 200 kB
UPLOAD_BODY = (512 << 20) + (1 << 20)  # as much as `data.own` keeps at once, and what a form puts around it
_LOOK, _STREAM = Door(Role.WATCHER), Door(Role.WATCHER, stream=True)
_EVENT = Door(Role.WATCHER, body=EVENT_BODY)  # which event it is, is asked again where that is known
CONTROLS = {"tune": Role.DRIVER, "stop": Role.DRIVER, "restore": Role.DRIVER, "keep-drawing": Role.DRIVER,
            "delete-data": Role.OPERATOR}  # by the last part of their path

# (method, path as its route is written) of what is open.
PATHS: dict[tuple[str, str], Door] = {
    # The page itself, and gradio's own files.
    **{("GET", path): _LOOK for path in ("/", "/config", "/theme.css", "/assets/{path:path}", "/static/{path:path}",
                                         "/favicon.ico", "/manifest.json", "/robots.txt")},
    ("HEAD", "/"): _LOOK,  # gradio asks so whether its own server answers
    # gradio's protocol, as the page and gradio_client speak it.
    **{("GET", f"/gradio_api/{path}"): _LOOK for path in ("info", "app_id", "startup-events")},
    **{("GET", f"/gradio_api/{path}"): _STREAM for path in ("queue/data", "upload_progress", "call/{api_name}/{event_id}")},
    **{("POST", f"/gradio_api/{path}"): _EVENT for path in ("queue/join", "run/{api_name}", "call/{api_name}")},
    **{("POST", f"/gradio_api/{path}"): Door(Role.WATCHER, body=4096) for path in ("cancel", "reset")},
    ("POST", "/gradio_api/upload"): Door(Role.DRIVER, body=UPLOAD_BODY),
    # Our own routes.
    **{("GET", PREFIX + path): _LOOK for path in ("directions", "seed", "frame", "bokeh.js", "bokeh-api.js", "data/sets")},
    ("GET", PREFIX + "assets/{version}/{name:path}"): _LOOK,
    ("GET", PREFIX + "stream"): _STREAM,
    ("POST", PREFIX + "z"): Door(Role.WATCHER, body=16 << 10),
    ("POST", PREFIX + "data"): Door(Role.WATCHER, body=64 << 10),
    **{("POST", f"{PREFIX}control/{name}"): Door(role, body=EVENT_BODY) for name, role in CONTROLS.items()},
}

# Paths of gradio 6.31 that stay shut, by any method, so that a new one is noticed.
SHUT: frozenset[str] = frozenset({
    # Reads files: all of gradio's cache with everybody's uploads. Nothing on the page is fetched from there.
    "/gradio_api/file={path_or_url:path}", "/gradio_api/file/{path:path}", "/gradio_api/deep_link",
    # Fetches addresses for others.
    "/gradio_api/proxy={url_path:path}",
    # Calls a component's functions, past `Page.process_api`; runs code, or records it.
    "/gradio_api/component_server", "/gradio_api/component_server/", "/gradio_api/process_recording",
    "/gradio_api/custom_component/{id}/{environment}/{type}/{file_name}", "/svelte/{path:path}", "/gradio_api/dev/reload",
    *(f"/gradio_api/{name}{end}" for name in ("vibe-edit", "undo-vibe-edit", "vibe-code", "vibe-starter-queries")
      for end in ("", "/")),
    # Says what others do, or how the server is made.
    "/monitoring", "/monitoring/summary", "/monitoring/{key}", "/gradio_api/queue/status", "/openapi.json",
    "/gradio_api/openapi.json",
    # Belongs to what this page has not: state of sessions, accounts, media streams, a history of calls, an app to install.
    "/gradio_api/heartbeat/{session_hash}",
    "/login", "/login/", "/logout",
    *(f"/gradio_api/{name}{end}" for name in ("user", "login_check", "token") for end in ("", "/")),
    "/gradio_api/stream/{event_id}", "/gradio_api/stream/{event_id}/close",
    *(f"/gradio_api/stream/{{session_hash}}/{{run}}/{{component_id}}/{name}"
      for name in ("playlist.m3u8", "{segment_id}.{ext}", "playlist-file")),
    "/gradio_api/runs", "/gradio_api/runs/", "/pwa_icon", "/pwa_icon/{size}",
    # The same as an open one under another name, or with a slash at its end.
    "/gradio_api/theme.css", "/gradio_api/api/{api_name}", "/gradio_api/call/v2/{api_name}",
    "/gradio_api/call/v2/{api_name}/{event_id}", "/config/", "/gradio_api/info/", "/gradio_api/app_id/", "/gradio_api/reset/",
    *(f"/gradio_api/{name}/{{api_name}}/" for name in ("run", "api", "call", "call/v2")),
})


def event_role(name: Any) -> Role | None:
    """The role that an event asks for; None where it has no row."""
    return EVENTS.get(name) if isinstance(name, str) else None


def find(method: str, path: str) -> Door | None:
    """The door that a request comes to; None where it has no row, is shut, or names an event without a row."""
    door = PATHS.get((method, path)) if "{" not in path else None
    if door is not None:
        return door
    if any(pattern.match(path) for pattern in _shut()):
        return None
    for pattern, known in _patterns().get(method, ()):
        found = pattern.match(path)
        if found and found.groupdict().get("api_name", BY_NUMBER) in (BY_NUMBER, *EVENTS):
            return known
    return None


@cache
def _patterns() -> dict[str, list[tuple[Pattern[str], Door]]]:
    """The open paths with something in braces, by method, as the router reads them."""
    found: dict[str, list[tuple[Pattern[str], Door]]] = {}
    for (method, path), door in PATHS.items():
        if "{" in path:
            found.setdefault(method, []).append((compile_path(path)[0], door))
    return found


@cache
def _shut() -> list[Pattern[str]]:
    return [compile_path(path)[0] for path in SHUT]

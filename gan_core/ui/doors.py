"""The doors of the page: each event, API name, route and path of gradio that a request can reach, with the role it needs.

A door without a row here is shut. `page` checks events against this table, `guard` methods and paths; no other module does.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from re import Pattern
from typing import Any

from starlette.routing import compile_path

from ..config import FIELD_GROUPS
from ..data.uploads import MAX_UPLOAD
from .live_routes import PREFIX
from .refusal import FIELDS


class Role(enum.IntEnum):
    """What a caller may do; a role includes the lower ones."""

    WATCHER = 1  # look
    DRIVER = 2  # also steer the run and choose its data
    OPERATOR = 3  # everything


def caller_role(headers: Mapping[str, str] | None) -> Role:
    """The role of a caller, by the headers of the request (None: an internal call). For now, every caller is an operator."""
    return Role.OPERATOR


# Events by their api_name. Anyone can also call those that gradio hides from its API page.
EVENTS: dict[str, Role] = {
    # API names, for programs.
    **dict.fromkeys(("state", "generate"), Role.WATCHER),
    **dict.fromkeys(("start", "pause", "resume", "extend", "step", "reset", "save", "tune", "restore"), Role.DRIVER),
    # The row of buttons, and the events by which the page's scripts learn the outcome.
    **dict.fromkeys((f"button-{name}{end}" for name in ("start", "start-force", "step", "step-d", "step-g", "reset-confirm",
                                                        "reset-paused") for end in ("", "-accepted", "-failed")), Role.DRIVER),
    **dict.fromkeys((f"button-{name}" for name in ("pause", "resume", "save")), Role.DRIVER),
    # The form; these change only the form itself.
    **dict.fromkeys((*(f"fill-{what}{end}" for what in ("preset", "defaults") for end in ("", "-filled")), "follow-dataset",
                     "recall-form"), Role.WATCHER),
    **dict.fromkeys((f"check-{name}" for name in FIELDS if name != "dataset"), Role.WATCHER),
    # The choice of data.
    **dict.fromkeys((f"preview-{name}" for name in ("load", "dataset", "preset", "data-categories", "data-kept", "data-drawn",
                                                    "folder-submit", "folder-blur", "field-networks", "field-condition",
                                                    *(f"field-{name}" for name in FIELD_GROUPS["pictures"]))), Role.WATCHER),
    **dict.fromkeys(("list-uploads", "recall-upload", "keep-upload"), Role.DRIVER),
    **dict.fromkeys(("ask-delete-data", "ask-delete-data-shown"), Role.OPERATOR),
    # The list of runs.
    **dict.fromkeys(("list-runs", "list-runs-enabled", "refresh-runs", "refresh-runs-enabled", "choose-run", "read-abilities",
                     "read-abilities-enabled", "show-tab", "show-run"), Role.WATCHER),
    **dict.fromkeys(("resume-run", "stop-run", "stop-run-enabled"), Role.DRIVER),
    **dict.fromkeys((f"{name}{end}" for name in ("attach", "attach-submit", "let-go") for end in ("", "-enabled")),
                    Role.OPERATOR),
}
BY_NUMBER = "predict"  # gradio's page uses this name in the path of any event; the body has the number of the event


@dataclass(frozen=True)
class Door:
    """A method and path. body: the most bytes of a request; stream: whether the response stays open."""

    role: Role
    body: int = 0
    stream: bool = False


EVENT_BODY = 1 << 20  # bytes; the largest drawing is 200 kB
FORM_BODY = 64 << 10  # bytes; the form with all 345 categories is 10 kB
UPLOAD_BODY = MAX_UPLOAD + (1 << 20)  # and the form around it
_LOOK, _STREAM = Door(Role.WATCHER), Door(Role.WATCHER, stream=True)
_EVENT = Door(Role.WATCHER, body=EVENT_BODY)  # `page` checks the event itself
CONTROLS = {**dict.fromkeys(("step", "tune", "stop", "resume", "restore", "keep-drawing", "prepare"), Role.DRIVER),
            "delete-data": Role.OPERATOR}  # by the last part of the path

# The open routes: (method, path in the router's notation).
PATHS: dict[tuple[str, str], Door] = {
    # The page itself, and gradio's own files.
    **{("GET", path): _LOOK for path in ("/", "/config", "/theme.css", "/assets/{path:path}", "/static/{path:path}",
                                         "/favicon.ico", "/manifest.json", "/robots.txt")},
    ("HEAD", "/"): _LOOK,  # gradio checks in this way that its server responds
    # gradio's protocol, as used by the page and gradio_client.
    **{("GET", f"/gradio_api/{path}"): _LOOK for path in ("info", "app_id", "startup-events")},
    **{("GET", f"/gradio_api/{path}"): _STREAM for path in ("queue/data", "upload_progress", "call/{api_name}/{event_id}")},
    **{("POST", f"/gradio_api/{path}"): _EVENT for path in ("queue/join", "run/{api_name}", "call/{api_name}")},
    **{("POST", f"/gradio_api/{path}"): Door(Role.WATCHER, body=4096) for path in ("cancel", "reset")},
    ("POST", "/gradio_api/upload"): Door(Role.DRIVER, body=UPLOAD_BODY),
    # Our own routes.
    **{("GET", PREFIX + path): _LOOK for path in ("directions", "seed", "frame", "bokeh.js", "bokeh-api.js", "data/sets")},
    ("GET", PREFIX + "assets/{version}/{name:path}"): _LOOK,
    **{("GET", PREFIX + path): _STREAM for path in ("stream", "events")},  # an answer with events waits for one
    ("POST", PREFIX + "z"): Door(Role.WATCHER, body=16 << 10),
    ("POST", PREFIX + "data"): Door(Role.WATCHER, body=FORM_BODY),
    **{("POST", f"{PREFIX}control/{name}"): Door(role, body=EVENT_BODY) for name, role in CONTROLS.items()},
}

# Paths of gradio 6.31 that stay shut for every method. They are listed so that a test notices new ones.
SHUT: frozenset[str] = frozenset({
    # Reads files: all of gradio's cache, with all uploads. The page needs none of them.
    "/gradio_api/file={path_or_url:path}", "/gradio_api/file/{path:path}", "/gradio_api/deep_link",
    # Fetches an address on behalf of the caller.
    "/gradio_api/proxy={url_path:path}",
    # Calls a component's functions, bypassing `Page.process_api`; runs or records code.
    "/gradio_api/component_server", "/gradio_api/component_server/", "/gradio_api/process_recording",
    "/gradio_api/custom_component/{id}/{environment}/{type}/{file_name}", "/svelte/{path:path}", "/gradio_api/dev/reload",
    *(f"/gradio_api/{name}{end}" for name in ("vibe-edit", "undo-vibe-edit", "vibe-code", "vibe-starter-queries")
      for end in ("", "/")),
    # Reveals what others do, or how the server is built.
    "/monitoring", "/monitoring/summary", "/monitoring/{key}", "/gradio_api/queue/status", "/openapi.json",
    "/gradio_api/openapi.json",
    # Features that this page does not use: session state, accounts, media streams, a history of calls, an installable app.
    "/gradio_api/heartbeat/{session_hash}",
    "/login", "/login/", "/logout",
    *(f"/gradio_api/{name}{end}" for name in ("user", "login_check", "token") for end in ("", "/")),
    "/gradio_api/stream/{event_id}", "/gradio_api/stream/{event_id}/close",
    *(f"/gradio_api/stream/{{session_hash}}/{{run}}/{{component_id}}/{name}"
      for name in ("playlist.m3u8", "{segment_id}.{ext}", "playlist-file")),
    "/gradio_api/runs", "/gradio_api/runs/", "/pwa_icon", "/pwa_icon/{size}",
    # An open path under another name, or with a trailing slash.
    "/gradio_api/theme.css", "/gradio_api/api/{api_name}", "/gradio_api/call/v2/{api_name}",
    "/gradio_api/call/v2/{api_name}/{event_id}", "/config/", "/gradio_api/info/", "/gradio_api/app_id/", "/gradio_api/reset/",
    *(f"/gradio_api/{name}/{{api_name}}/" for name in ("run", "api", "call", "call/v2")),
})


def event_role(name: Any) -> Role | None:
    """The role that an event needs; None where it has no row."""
    return EVENTS.get(name) if isinstance(name, str) else None


def find(method: str, path: str) -> Door | None:
    """The door of a request; None where it has no row, is shut, or names an event without a row."""
    door = PATHS.get((method, path)) if "{" not in path else None
    if door is not None:
        return door
    if any(pattern.match(path) for pattern in _shut()):
        return None
    for pattern, known in _patterns().get(method, ()):
        match = pattern.match(path)
        if match and match.groupdict().get("api_name", BY_NUMBER) in (BY_NUMBER, *EVENTS):
            return known
    return None


@cache
def _patterns() -> dict[str, list[tuple[Pattern[str], Door]]]:
    """The open paths with parameters, by method, compiled as the router does."""
    patterns: dict[str, list[tuple[Pattern[str], Door]]] = {}
    for (method, path), door in PATHS.items():
        if "{" in path:
            patterns.setdefault(method, []).append((compile_path(path)[0], door))
    return patterns


@cache
def _shut() -> list[Pattern[str]]:
    return [compile_path(path)[0] for path in SHUT]

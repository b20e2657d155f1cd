"""The ASGI middleware in front of all routes, gradio's and ours: admits what `doors` opens, and limits its rate and size.

A request by another name than the page's is refused first. It counts concurrent requests, streams and uploads, and limits the
bytes and seconds of a body. Events are checked in `page`.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette._utils import get_route_path  # the path as the router reads it: a second way of reading it would leave a gap
from starlette.datastructures import Headers
from starlette.responses import JSONResponse

from . import doors, words
from .doors import Door
from .hosts import Hosts, host_name

# Concurrent: (from one address, in all). A school's 200 viewers may share one address, and behind the tunnel of a public link
# everyone has this machine's. A viewer keeps one stream open, and a second one while an event is answered: 450 streams leave
# an eighth to spare. A browser opens six connections to a server: 1,200 requests. Uploads fill the disk.
LIMITS = {"stream": (450, 900), "request": (1200, 2400), "upload": (50, 100)}
RETRY_AFTER = 5  # seconds
BODY_GRACE = 30.0  # seconds that a body may take beyond its bytes / MIN_BODY_RATE
MIN_BODY_RATE = 10_000  # bytes a second


class Guard:
    """`launch(app_kwargs={"middleware": [Middleware(Guard), ...]})`, before all others.

    limits: as LIMITS. hosts: the names by which it answers, None for any.
    """

    def __init__(self, app: Any, limits: dict[str, tuple[int, int]] | None = None, body_grace: float = BODY_GRACE,
                 hosts: Hosts | None = None) -> None:
        self.app, self.limits, self.body_grace, self.hosts = app, limits or LIMITS, body_grace, hosts
        self._counts: Counter[tuple[str, str]] = Counter()  # by (kind, address), and by (kind, "") for all addresses

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # the page has no websocket
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = Headers(scope=scope)
        if self.hosts is not None and not self.hosts.admit(headers.getlist("host")):
            name = next((host_name(header) for header in headers.getlist("host") if not self.hosts.admit([header])), "")
            await _refuse(scope, send, 403, "host_unknown" if name else "host_missing", host=name[:253])
            return
        door = doors.find(scope["method"], get_route_path(scope) or "/")
        kind = "stream" if door and door.stream else "upload" if door and door.body > doors.EVENT_BODY else "request"
        address = (scope.get("client") or ("?",))[0]
        if door is None:
            await _refuse(scope, send, 404, "no_door")
        elif doors.caller_role(headers) < door.role:
            await _refuse(scope, send, 403, "no_role")
        elif int(length if (length := headers.get("content-length", "")).isdecimal() else 0) > door.body:
            await _refuse(scope, send, 413, "body_large")
        elif any(self._counts[kind, counted] >= limit for counted, limit in zip((address, ""), self.limits[kind], strict=True)):
            await _refuse(scope, send, 429, "too_many", {"Retry-After": str(RETRY_AFTER)})
        else:
            with self._counted(kind, address):
                await _BoundedRequest(door, self.body_grace).run(self.app, scope, receive, send)

    @contextmanager
    def _counted(self, kind: str, address: str) -> Iterator[None]:
        self._counts[kind, address] += 1
        self._counts[kind, ""] += 1
        try:
            yield
        finally:
            for key in ((kind, address), (kind, "")):
                self._counts[key] -= 1
                if not self._counts[key]:
                    del self._counts[key]


class _BoundedRequest:
    """One request and its response. To the app, a body that is too long or too slow looks like a disconnected client."""

    def __init__(self, door: Door, body_grace: float) -> None:
        self.door, self.body_grace = door, body_grace
        self.refusal: tuple[int, str] | None = None
        self.answered = False

    async def run(self, app: Any, scope: Any, receive: Any, send: Any) -> None:
        started, read, reading = time.monotonic(), 0, True

        async def bounded_receive() -> Any:
            nonlocal read, reading
            if self.refusal:
                return {"type": "http.disconnect"}
            if not reading:
                return await receive()
            try:
                left = self.body_grace + read / MIN_BODY_RATE - (time.monotonic() - started)
                message = await asyncio.wait_for(receive(), max(left, 0.001))
            except TimeoutError:
                self.refusal = 408, "body_slow"
                return {"type": "http.disconnect"}
            read += len(message.get("body", b""))
            reading = bool(message.get("more_body"))
            if read > self.door.body:
                self.refusal = 413, "body_large"
                return {"type": "http.disconnect"}
            return message

        async def bounded_send(message: Any) -> None:
            if not self.refusal or self.answered:
                self.answered = True
                await send(message)

        try:
            await app(scope, bounded_receive, bounded_send)
        except Exception:
            if not self.refusal:
                raise
        if self.refusal and not self.answered:
            await _refuse(scope, send, *self.refusal)


async def _refuse(scope: Any, send: Any, status: int, key: str, headers: dict[str, str] | None = None, **values: str) -> None:
    """One sentence in the browser's language; gradio's page and client read it from `detail`."""
    sentence = words.text(f"errors.{key}", words.match_language(Headers(scope=scope).get("accept-language", "")), **values)
    response = JSONResponse({"detail": sentence}, status, headers={"Cache-Control": "no-store", **(headers or {})})

    async def disconnected() -> Any:
        return {"type": "http.disconnect"}

    await response(scope, disconnected, send)

"""The ASGI middleware in front of all routes, gradio's and ours: it lets through what `doors` opens, within bounds.

It counts requests, streams and uploads, and the bytes and seconds of bodies. What an event may do is asked in `page`.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette._utils import get_route_path  # the path as the router reads it: two readings would leave a gap
from starlette.datastructures import Headers
from starlette.responses import JSONResponse

from . import doors, words
from .doors import Door

# At most so many at once: (of one address, of all). A school's 200 viewers may share one address, and behind a public link's
# tunnel everybody has this machine's. A viewer keeps one stream open and for a moment a second one, where an event is answered:
# 450 streams leave an eighth to spare. A browser opens six connections to a server: 1,200 requests. Uploads fill the disk.
MOST = {"stream": (450, 900), "request": (1200, 2400), "upload": (50, 100)}
RETRY_AFTER = 5  # seconds
PATIENCE = 30.0  # seconds that a body may take beyond what RATE allows
RATE = 10_000  # bytes a second of the slowest body


class Guard:
    """`launch(app_kwargs={"middleware": [Middleware(Guard), ...]})`, before all others. `most` as MOST."""

    def __init__(self, app: Any, most: dict[str, tuple[int, int]] | None = None, patience: float = PATIENCE) -> None:
        self.app, self.most, self.patience = app, most or MOST, patience
        self._now: Counter[tuple[str, str]] = Counter()  # of (kind, address), and of (kind, "") for all

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # the page speaks no websocket
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = Headers(scope=scope)
        door = doors.find(scope["method"], get_route_path(scope) or "/")
        kind = "stream" if door and door.stream else "upload" if door and door.body > doors.EVENT_BODY else "request"
        address = (scope.get("client") or ("?",))[0]
        if door is None:
            await _refuse(scope, send, 404, "no_door")
        elif doors.caller_role(headers) < door.role:
            await _refuse(scope, send, 403, "no_role")
        elif int(length if (length := headers.get("content-length", "")).isdecimal() else 0) > door.body:
            await _refuse(scope, send, 413, "body_large")
        elif any(self._now[kind, who] >= most for who, most in zip((address, ""), self.most[kind], strict=True)):
            await _refuse(scope, send, 429, "too_many", {"Retry-After": str(RETRY_AFTER)})
        else:
            with self._counted(kind, address):
                await _Exchange(door, self.patience).pass_on(self.app, scope, receive, send)

    @contextmanager
    def _counted(self, kind: str, address: str) -> Iterator[None]:
        self._now[kind, address] += 1
        self._now[kind, ""] += 1
        try:
            yield
        finally:
            for key in ((kind, address), (kind, "")):
                self._now[key] -= 1
                if not self._now[key]:
                    del self._now[key]


class _Exchange:
    """One request and its answer. A body that is too long or too slow looks to the app as if the client had gone."""

    def __init__(self, door: Door, patience: float) -> None:
        self.door, self.patience = door, patience
        self.refusal: tuple[int, str] | None = None
        self.answered = False

    async def pass_on(self, app: Any, scope: Any, receive: Any, send: Any) -> None:
        started, read, reading = time.monotonic(), 0, True

        async def bounded() -> Any:
            nonlocal read, reading
            if self.refusal:
                return {"type": "http.disconnect"}
            if not reading:
                return await receive()
            try:
                left = self.patience + read / RATE - (time.monotonic() - started)
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

        async def checked(message: Any) -> None:
            if not self.refusal or self.answered:
                self.answered = True
                await send(message)

        try:
            await app(scope, bounded, checked)
        except Exception:
            if not self.refusal:
                raise
        if self.refusal and not self.answered:
            await _refuse(scope, send, *self.refusal)


async def _refuse(scope: Any, send: Any, status: int, key: str, headers: dict[str, str] | None = None) -> None:
    """One sentence, in the language that the browser prefers; `detail` is where gradio's page and client look for it."""
    sentence = words.text(f"errors.{key}", words.preferred(Headers(scope=scope).get("accept-language", "")))
    response = JSONResponse({"detail": sentence}, status, headers={"Cache-Control": "no-store", **(headers or {})})

    async def nothing() -> Any:
        return {"type": "http.disconnect"}

    await response(scope, nothing, send)

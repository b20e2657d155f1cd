"""Reads the body of a request from the page's own scripts: a JSON object of bounded length, with a header of ours."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request

PAGE_HEADER = "x-gan-page"  # a header that a form on another site cannot send


class BodyError(ValueError):
    """The body is refused: one sentence and an HTTP status."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


async def read_json(request: Request, max_bytes: int) -> dict[str, Any]:
    """The JSON object in the body, of at most `max_bytes` bytes. Raises BodyError."""
    if PAGE_HEADER not in request.headers:
        raise BodyError(403, f"Send the header {PAGE_HEADER}.")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > max_bytes:
            raise BodyError(413, f"A request is at most {max_bytes:,} bytes.")
    try:
        value = json.loads(body)
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair cannot be answered, stored or shown
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise BodyError(422, "Send a JSON object.")
    return value

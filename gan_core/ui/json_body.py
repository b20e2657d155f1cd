"""The body of a request that only this page's own scripts send: a JSON object of bounded length, behind a header of ours."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request

OURS = "x-gan-page"  # a header that no form of another site can send


class BadBody(ValueError):
    """It cannot be taken; one sentence, with the HTTP status that fits it."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


async def read_json(request: Request, most: int) -> dict[str, Any]:
    """The JSON object in the body, of at most `most` bytes. Raises BadBody."""
    if OURS not in request.headers:
        raise BadBody(403, f"Send the header {OURS}.")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise BadBody(413, f"A request is at most {most:,} bytes.")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise BadBody(422, "Send a JSON object.")
    return found

"""The page as gradio builds it. Every event passes its door here: queue, /run, /api, /call, unload and MCP all end in it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import gradio as gr
from gradio_client.utils import is_file_obj, is_http_url_like, traverse

from . import doors, words

CLOSING = 0.15  # seconds in which a browser may not have noticed yet that its stream of answers has ended


class Page(gr.Blocks):
    """gr.Blocks whose events are checked against `doors`. The name in a path proves nothing: the body may name another event."""

    _answered: dict[str, float]  # session -> when its last event ended, for CLOSING seconds

    def queue(self, *args: Any, **kwargs: Any) -> Page:
        """As gradio's, but no answer is lost.

        Gradio 6.31 ends a session's stream of answers with the last pending event. A browser that asks for another event just
        then takes the old stream for open, opens none, and never gets the answer. Such a request waits until the end has arrived.
        """
        super().queue(*args, **kwargs)
        queue, push, self._answered = self._queue, self._queue.push, {}

        async def push_when_closed(body: Any, *more: Any, **named: Any) -> Any:
            if not queue.pending_event_ids_session.get(body.session_hash):
                ended = self._answered.get(body.session_hash, 0.0)
                await asyncio.sleep(max(0.0, ended + CLOSING - time.monotonic()))
            return await push(body, *more, **named)

        queue.push = push_when_closed  # type: ignore[method-assign]
        return self

    async def process_api(self, block_fn: Any, inputs: list[Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
        """As gradio's. Raises gr.Error, in the caller's language, for an event that the caller may not use."""
        request = kwargs.get("request", args[1] if len(args) > 1 else None)
        headers = _headers(request)
        lang = words.preferred(headers.get("accept-language", "") if headers is not None else "")
        event = self.fns[block_fn] if isinstance(block_fn, int) else block_fn
        role = doors.event_role(getattr(event, "api_name", None))
        if role is None:
            raise gr.Error(words.text("errors.no_door", lang), print_exception=False)
        if doors.caller_role(headers) < role:
            raise gr.Error(words.text("errors.no_role", lang), print_exception=False)
        if headers is not None:
            traverse(inputs, lambda file: _refuse_address(file, lang), is_file_obj)
        try:
            return await super().process_api(block_fn, inputs, *args, **kwargs)
        finally:
            self._note_end(getattr(request, "session_hash", None))

    def _note_end(self, session: str | None) -> None:
        now = time.monotonic()
        self._answered = {name: ended for name, ended in self._answered.items() if now - ended < CLOSING}
        if session:
            self._answered[session] = now


def _headers(request: Any) -> Mapping[str, str] | None:
    """The headers of a gr.Request, of the first of a batch, or of a bare Starlette request; None of a call from inside."""
    first = request[0] if isinstance(request, list) and request else request
    headers = getattr(first, "headers", None)
    return headers if hasattr(headers, "get") else None


def _refuse_address(file: Any, lang: str) -> Any:
    """The file itself. Raises gr.Error for an address in its place, which gradio would fetch on behalf of a stranger."""
    if is_http_url_like(file["path"]):
        raise gr.Error(words.text("errors.no_address", lang), print_exception=False)
    return file

"""The page as gradio builds it, with every event behind its door: queue, /run, /api, /call, unload and MCP all end here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr
from gradio_client.utils import is_file_obj, is_http_url_like, traverse

from . import doors, words


class Page(gr.Blocks):
    """gr.Blocks whose events ask `doors` first. What a path calls an event proves nothing: a body may name another one."""

    async def process_api(self, block_fn: Any, inputs: list[Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
        """As gradio's; raises gr.Error in a sentence, in the caller's language, for an event that the caller may not use."""
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
        return await super().process_api(block_fn, inputs, *args, **kwargs)


def _headers(request: Any) -> Mapping[str, str] | None:
    """The headers of a gr.Request, of the first of a batch, or of a bare Starlette request; None of a call from inside."""
    first = request[0] if isinstance(request, list) and request else request
    found = getattr(first, "headers", None)
    return found if hasattr(found, "get") else None


def _refuse_address(file: Any, lang: str) -> Any:
    """A file that was handed in is left as it is; an address in its place is one that gradio would fetch for a stranger."""
    if is_http_url_like(file["path"]):
        raise gr.Error(words.text("errors.no_address", lang), print_exception=False)
    return file

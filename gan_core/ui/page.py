"""The page as gradio builds it. Every event passes its door here: queue, /run, /api, /call, unload and MCP all end in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gradio.exceptions import InvalidPathError
from gradio_client.utils import is_file_obj, is_http_url_like, traverse

from . import doors, words
from .gradio_import import gr


class Page(gr.Blocks):
    """gr.Blocks whose events are checked against `doors`. The name in a path proves nothing: the body may name another event.

    `shown`: of the sentence of an error, what a browser may be shown of it.
    """

    shown: Callable[[str], str] = staticmethod(str)

    async def process_api(self, block_fn: Any, inputs: list[Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
        """As gradio's. Raises gr.Error, in the caller's language, for an event that the caller may not use."""
        request = kwargs.get("request", args[1] if len(args) > 1 else None)
        headers = _headers(request)
        lang = words.match_language(headers.get("accept-language", "") if headers is not None else "")
        event = self.fns[block_fn] if isinstance(block_fn, int) else block_fn
        role = doors.event_role(getattr(event, "api_name", None))
        if role is None:
            raise gr.Error(words.text("errors.no_door", lang), print_exception=False)
        if doors.caller_role(headers) < role:
            raise gr.Error(words.text("errors.no_role", lang), print_exception=False)
        if getattr(event, "fn", None) is None:  # it happens in the browser alone
            raise gr.Error(words.text("errors.no_door", lang), print_exception=False)
        if headers is not None:
            traverse(inputs, lambda file: _refuse_address(file, lang), is_file_obj)
        try:
            return await super().process_api(block_fn, inputs, *args, **kwargs)
        except InvalidPathError:  # its text names folders of this machine
            raise gr.Error(words.text("errors.no_address", lang), print_exception=False) from None
        except UnfitValues as error:  # a program is told in gradio's words which argument is wrong
            of_page = getattr(event, "api_visibility", "private") == "private"
            sentence = words.text("errors.form", lang) if of_page else self.shown(str(error.__cause__))
            raise gr.Error(sentence, print_exception=False) from None
        except gr.Error as error:
            error.message = self.shown(error.message)
            raise
        except Exception as error:  # gradio would show its text, too
            raise gr.Error(words.text("errors.unexpected", lang, message=self.shown(str(error)))) from error

    async def preprocess_data(self, *args: Any, **kwargs: Any) -> list[Any]:
        """As gradio's. Raises UnfitValues for what the event's components do not hold, which gradio says in words of its own."""
        try:
            return await super().preprocess_data(*args, **kwargs)
        except InvalidPathError:
            raise
        except Exception as error:
            raise UnfitValues from error


class UnfitValues(Exception):
    """What was sent are not values of the event's components."""


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

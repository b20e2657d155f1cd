"""The routes of the data panel: a browser says what its form wishes for, asks how far that is, and leaves.

It turns requests into calls of the library and its answers into JSON. Short questions, not a stream: a browser has only six
connections to a server, and whoever stops asking has gone.
"""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import words
from .controls import Controls, Refusal
from .forms import data_panel, settings
from .json_body import BadBody, read_json
from .live_routes import PREFIX, QUIET
from .preview_jobs import PreviewJobs

LARGEST_BODY = 64 * 1024  # bytes of a wish: 345 categories are 4 kB


class PreviewRoutes:
    """The handlers of one page."""

    def __init__(self, controls: Controls, preview_jobs: PreviewJobs) -> None:
        self.controls, self.preview_jobs = controls, preview_jobs

    async def wish(self, request: Request) -> Response:
        """Body {"who", "lang", "values"}: this is wished for; with "look": true, how far is it; with "leave": true, no more."""
        try:
            said = await read_json(request, LARGEST_BODY)
            who, lang, values = str(said["who"])[:64], said.get("lang"), said.get("values", [])
        except BadBody as error:
            return _no(error.status, str(error))
        except KeyError:
            return _no(422, 'Send {"who", "lang", "values"}.')
        if said.get("leave"):
            return JSONResponse(await asyncio.to_thread(self.preview_jobs.leave, who), headers=QUIET)
        if not isinstance(values, list) or len(values) != settings.INPUTS:
            return _no(422, "These are not the form's values; reload the page.")
        action = self._look if said.get("look") else self._wish
        told = await asyncio.to_thread(action, who, lang if lang in words.LANGUAGES else "en", values)
        return JSONResponse(told, headers=QUIET)

    def _look(self, who: str, lang: str, values: list[Any]) -> dict[str, Any]:
        return {**_said(self.preview_jobs.look(who), lang), "misfit": self._misfit(lang, values)}

    def _wish(self, who: str, lang: str, values: list[Any]) -> dict[str, Any]:
        try:
            config = settings.wish(self.controls, lang, values)
        except Refusal as refusal:  # something is still to be chosen, or a number is out of range
            self.preview_jobs.leave(who)
            return {"state": "open", "sentence": str(refusal)}
        told = _said(self.preview_jobs.wish(who, config), lang)
        return {**told, "misfit": self._misfit(lang, values)}

    def _misfit(self, lang: str, values: list[Any]) -> str:
        """Why the whole form could not be started, as far as data and networks are concerned; other faults are told elsewhere."""
        try:
            config = settings.form(self.controls, lang, *values)
        except Refusal:
            return ""
        try:
            data_panel.wanted(config, self.preview_jobs, lang)
        except Refusal as refusal:
            return str(refusal)
        return ""

    async def sets(self, request: Request) -> Response:
        """Which data sets are here already, and which are downloaded the first time."""
        return JSONResponse(await asyncio.to_thread(data_panel.sets), headers=QUIET)


def routes(controls: Controls, preview_jobs: PreviewJobs) -> list[Route]:
    """What `launch(app_kwargs={"routes": ...})` takes."""
    wishes = PreviewRoutes(controls, preview_jobs)
    return [Route(PREFIX + "data", wishes.wish, methods=["POST"]),
            Route(PREFIX + "data/sets", wishes.sets, methods=["GET"])]


def _said(told: dict[str, Any], lang: str) -> dict[str, Any]:
    """What the library tells everybody, for one browser: its sentence in that one's language."""
    sentence = words.fault(told.get("fault"), lang, told.get("sentence", ""))
    return {**{name: value for name, value in told.items() if name != "fault"}, "sentence": sentence}


def _no(status: int, sentence: str) -> Response:
    return JSONResponse({"state": "refused", "sentence": sentence}, status, headers=QUIET)

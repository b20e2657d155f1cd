"""The routes of the data panel: a browser requests the data of its form, polls for the preview, and releases it.

Requests become calls of `preview_jobs`, their results JSON. Polling, not a stream: a browser has only six connections to a
server, and a browser that stops polling has gone.
"""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import doors, words
from .controls import Controls
from .forms import data_panel, settings
from .json_body import BodyError, read_json
from .live_routes import NO_STORE, PREFIX
from .preview_jobs import PreviewJobs
from .refusal import Refusal


class PreviewRoutes:
    """The handlers of one page."""

    def __init__(self, controls: Controls, preview_jobs: PreviewJobs) -> None:
        self.controls, self.preview_jobs = controls, preview_jobs

    async def data(self, request: Request) -> Response:
        """Body {"who", "lang", "values"}: request these data; with "look": true only poll, with "leave": true release them."""
        try:
            body = await read_json(request, doors.FORM_BODY)
            client, lang, values = str(body["who"])[:64], body.get("lang"), body.get("values", [])
        except BodyError as error:
            return _refusal_response(error.status, str(error))
        except KeyError:
            return _refusal_response(422, 'Send {"who", "lang", "values"}.')
        if body.get("leave"):
            return JSONResponse(await asyncio.to_thread(self.preview_jobs.release, client), headers=NO_STORE)
        if not isinstance(values, list) or len(values) != settings.INPUTS:
            return _refusal_response(422, "These are not the form's values; reload the page.")
        action = self._status if body.get("look") else self._request
        result = await asyncio.to_thread(action, client, lang if lang in words.LANGUAGES else "en", values)
        return JSONResponse(result, headers=NO_STORE)

    def _status(self, client: str, lang: str, values: list[Any]) -> dict[str, Any]:
        return {**self._localized(self.preview_jobs.status(client), lang), **self._form(lang, values)}

    def _request(self, client: str, lang: str, values: list[Any]) -> dict[str, Any]:
        try:
            config = settings.preview_config(self.controls, lang, values)
        except Refusal as refusal:  # something is not chosen yet, or a number is out of range
            self.preview_jobs.release(client)
            return {"state": "open", "sentence": str(refusal)}
        return {**self._localized(self.preview_jobs.request(client, config), lang), **self._form(lang, values)}

    def _localized(self, result: dict[str, Any], lang: str) -> dict[str, Any]:
        """A job's payload with its sentence in this language, as this browser may be shown it."""
        shown = self.controls.catalogue.shown
        sentence = words.fault(shown(result.get("fault")), lang, shown(result.get("sentence", "")))
        progress = {"progress": shown(result["progress"])} if "progress" in result else {}
        return {**{name: value for name, value in result.items() if name != "fault"}, **progress, "sentence": sentence}

    def _form(self, lang: str, values: list[Any]) -> dict[str, Any]:
        """{"misfit": why the chosen networks cannot take the data, or "", "config": the values that were chosen, or None}.

        Other faults of the form are shown elsewhere.
        """
        misfit = ""
        try:
            config = settings.form_config(self.controls, lang, *values)
        except Refusal:
            return {"misfit": misfit, "config": None}
        try:
            data_panel.check_networks(config, self.preview_jobs, lang)
        except Refusal as refusal:
            misfit = str(refusal)
        return {"misfit": misfit, "config": settings.chosen_values(self.controls, config, values[0])}

    async def datasets(self, request: Request) -> Response:
        """Which data sets are downloaded already, and which will be."""
        return JSONResponse(await asyncio.to_thread(data_panel.downloads), headers=NO_STORE)


def routes(controls: Controls, preview_jobs: PreviewJobs) -> list[Route]:
    """What `launch(app_kwargs={"routes": ...})` takes."""
    handlers = PreviewRoutes(controls, preview_jobs)
    return [Route(PREFIX + "data", handlers.data, methods=["POST"]),
            Route(PREFIX + "data/sets", handlers.datasets, methods=["GET"])]


def _refusal_response(status: int, sentence: str) -> Response:
    return JSONResponse({"state": "refused", "sentence": sentence}, status, headers=NO_STORE)

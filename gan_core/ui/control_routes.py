"""POST control/NAME: the controls that need no form: step, tune, stop, resume, restore, prepare, and two for data.

A refusal is one sentence in the language of the request. `controls` defines what each control does.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..data import uploads
from ..data.types import DataError
from ..runs.run import RunError
from . import words
from .controls import Controls, Extension
from .doors import CONTROLS, EVENT_BODY
from .forms import data_panel
from .json_body import BodyError, read_json
from .live_routes import NO_STORE, PREFIX
from .preview_jobs import PreviewJobs
from .refusal import Refusal

Body = dict[str, Any]


class ControlRoutes:
    """The handlers of one page. Each takes (body, lang) and returns the fields of the answer beside "ok"."""

    def __init__(self, controls: Controls, preview_jobs: PreviewJobs) -> None:
        self.controls, self.preview_jobs = controls, preview_jobs
        self.actions: dict[str, Callable[[Body, str], dict[str, Any]]] = {
            "step": self.step, "tune": self.tune, "stop": self.stop, "resume": self.resume, "restore": self.restore,
            "keep-drawing": self.keep_drawing, "delete-data": self.delete_data, "prepare": self.prepare}

    def step(self, body: Body, lang: str) -> dict[str, Any]:
        """{"run", "network", "count"} -> {"state"}: single steps of a paused run; "running" while the rest of them is made."""
        run = self.controls.single_steps(body.get("network", "both"), body.get("count", 1), _run(body, lang), lang)
        return {"state": run.stored_status().state}

    def tune(self, body: Body, lang: str) -> dict[str, Any]:
        """{"run", "changes": {field: value}}: turn knobs; they are in force when this is answered."""
        self.controls.tune(json.dumps(body.get("changes")), _run(body, lang), lang, labels=True)
        return {}

    def stop(self, body: Body, lang: str) -> dict[str, Any]:
        """{"run"}: save and end the run, by force where it does not answer."""
        self.controls.stop(_run(body, lang), lang)
        return {}

    def resume(self, body: Body, lang: str) -> dict[str, Any]:
        """{"run", "instead_of", "steps", "minutes"} -> {"warnings"}: go on with a run; `instead_of` is saved and stopped for it.

        steps, minutes: of a finished run, how much longer it trains; 0 where they do not count. Where another run is active by
        now nothing is ended. warnings: sentences, where that run could not be saved.
        """
        warnings: list[str] = []
        instead_of, extension = _run(body, lang, "instead_of"), _extension(body, lang)
        self.controls.resume(_run(body, lang), lang, instead_of, warn=warnings.append, extension=extension)
        return {"warnings": warnings}

    def restore(self, body: Body, lang: str) -> dict[str, Any]:
        """{"run", "step", "instead_of"} -> {"warnings"}: go back to its best measured state, paused.

        Refused where that is no longer the one of `step`. The others: as in `resume`.
        """
        step = body.get("step")
        if "step" in body and type(step) is not int:
            raise _wrong_type("errors.step_type", step, lang)
        warnings: list[str] = []
        instead_of = _run(body, lang, "instead_of")
        self.controls.restore(_run(body, lang), lang, step, instead_of, warn=warnings.append)
        return {"warnings": warnings}

    def keep_drawing(self, body: Body, lang: str) -> dict[str, Any]:
        """{"points": [[x, y], ...] in [0, 1]} -> {"name"}: keep a drawing; the name of an empty one is ""."""
        points = body.get("points")
        drawing: list[Any] = points if isinstance(points, list) else [None]
        return {"name": uploads.save_points(drawing) if drawing else ""}

    def delete_data(self, body: Body, lang: str) -> dict[str, Any]:
        """{"name"} -> {"uploads": [[label, name], ...]}: delete an upload; the others, newest first."""
        data_panel.delete(self.controls, self.preview_jobs, str(body.get("name", "")), lang)
        return {"uploads": data_panel.kept(lang)}

    def prepare(self, body: Body, lang: str) -> dict[str, Any]:
        """{} -> {"warm": whether a worker is warmed up}: the caller may begin a run in place of the active one."""
        return {"warm": self.controls.prepare()}

    def handler(self, name: str) -> Callable[[Request], Any]:
        """The route's function for one action: {"ok": true, ...}, or status 4xx with {"message", "title"}."""
        async def handle(request: Request) -> Response:
            lang = words.match_language(request.headers.get("accept-language", ""))
            try:
                body = await read_json(request, EVENT_BODY)
                choice = body.get("lang")
                lang = choice if isinstance(choice, str) and choice in words.LANGUAGES else lang
                answer = await run_in_threadpool(self.actions[name], body, lang)
            except BodyError as error:
                return self._refused(error.status, str(error), lang)
            except Refusal as refusal:
                return self._refused(409, str(refusal), lang)
            except RunError as error:  # its folder is damaged or gone
                return self._refused(409, words.text("errors.unexpected", lang, message=self.controls.reason(error, lang)), lang)
            except DataError as error:
                return self._refused(422, words.fault(self.controls.catalogue.shown(error.payload()), lang, str(error)), lang)
            return JSONResponse({"ok": True, **self.controls.catalogue.shown(answer)}, headers=NO_STORE)
        return handle

    def _refused(self, status: int, message: str, lang: str) -> Response:
        shown = self.controls.catalogue.shown(message)
        return JSONResponse({"message": shown, "title": words.text("errors.title", lang)}, status, headers=NO_STORE)


def routes(controls: Controls, preview_jobs: PreviewJobs) -> list[Route]:
    """What `launch(app_kwargs={"routes": ...})` takes."""
    handlers = ControlRoutes(controls, preview_jobs)
    return [Route(f"{PREFIX}control/{name}", handlers.handler(name), methods=["POST"]) for name in CONTROLS]


def _run(body: Body, lang: str, name: str = "run") -> str:
    """The id of a run; "" for none, or the default one. Raises BodyError for what is no text: it must not mean another run."""
    run = body.get(name, "")
    if not isinstance(run, str):
        raise _wrong_type(f"errors.{name}_type", run, lang)
    return run


def _extension(body: Body, lang: str) -> Extension | None:
    """What "steps" and "minutes" say; None where neither is there. Raises BodyError for what is no such number."""
    if "steps" not in body and "minutes" not in body:
        return None
    extension = Extension(body.get("steps", 0), body.get("minutes", 0))
    if extension.fault is not None:
        raise _wrong_type(*extension.fault, lang)
    return extension


def _wrong_type(key: str, given: object, lang: str) -> BodyError:
    shown = json.dumps(given, ensure_ascii=False)
    return BodyError(422, words.text(key, lang, given=shown if len(shown) <= 40 else shown[:40] + "…"))


"""The live routes under /gradio_api/gan/: the events of a run, the sliders' pictures, the history, Bokeh's own scripts.

It turns requests into calls of the hub and the latent service, and their results into HTTP.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ..data.rendering import png_text
from ..runs.frames import NEAREST, VERDICTS
from ..runs.run import Run, RunError
from .hub import Hub
from .latent_service import LatentService, NotReady
from .nearest_places import read_nearest_places
from .run_catalogue import RunCatalogue
from .run_pictures import WrongKindError, read_grid, read_nearest, read_points

PREFIX = "/gradio_api/gan/"  # under server-side rendering gradio's proxy forwards only what begins with /gradio_api/
MAX_BODY = 16 * 1024  # bytes; 1,024 numbers take 4,096
PING_SECONDS = 2  # a page that hears nothing for two of them asks whether the stream is held back
NO_STORE = {"Cache-Control": "no-store"}
NEAREST_PLACES = f"{NEAREST}-places"
SCRIPTS = {"bokeh.js": "bokeh.min.js", "bokeh-api.js": "bokeh-api.min.js"}


class LiveRoutes:
    """The handlers of one page's routes."""

    def __init__(self, catalogue: RunCatalogue, hub: Hub, latent_service: LatentService) -> None:
        self.catalogue, self.hub, self.latent_service = catalogue, hub, latent_service

    async def stream(self, request: Request) -> Response:
        """Server-sent events: what came after the event `cursor`, or a snapshot, at once; then every change."""
        run, cursor = request.query_params.get("run", ""), request.query_params.get("cursor", "")

        async def events() -> Any:
            yield _ping()  # there may be no news, and a page wants to know whether it is heard
            async for name, text, identity in self.hub.watch(run, cursor):
                yield ServerSentEvent(data=text, event=name, id=identity)
        headers = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
        return EventSourceResponse(events(), headers=headers, ping=PING_SECONDS, ping_message_factory=_ping)

    async def events(self, request: Request) -> Response:
        """The same events in one answer, for a page whose stream something on the way holds back."""
        events = await self.hub.events(request.query_params.get("run", ""), request.query_params.get("cursor", ""))
        rows = (f"[{json.dumps(name)}, {json.dumps(identity)}, {text}]" for name, text, identity in events)
        return Response(f'{{"events": [{", ".join(rows)}]}}', media_type="application/json", headers=NO_STORE)

    async def z(self, request: Request) -> Response:
        """The picture of one z and the verdict on it; `label`: its class, for a conditional run; `of`: by which generator."""
        run, psi, now = self._run(request), _number(request, "psi", "1"), _is_now(request)
        label = _integer(request, "label") if "label" in request.query_params else None
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > MAX_BODY:
                raise ValueError(f"The body is larger than {MAX_BODY:,} bytes; give latent_dim numbers of 4 bytes.")
        picture, verdict, point, step = await self._in_latent_thread(self.latent_service.image, run, body, psi, label, now)
        headers = {"X-Gan-Step": str(step), "X-Gan-Run": run.id, "X-Gan-Verdict": f"{verdict:.4f}", **NO_STORE}
        if point is not None:
            headers["X-Gan-Point"] = ",".join(f"{v:.6g}" for v in point)
        return Response(picture, media_type="image/png", headers=headers)

    async def directions(self, request: Request) -> Response:
        """The directions of the newest generator, in a stable order."""
        directions = await self._in_latent_thread(self.latent_service.directions, self._run(request))
        return Response(directions, media_type="application/json", headers=NO_STORE)

    async def seed(self, request: Request) -> Response:
        """The z of a seed; with `fake` in its place z and class of one picture of the run's sample grid, counted from 0."""
        name = "fake" if "fake" in request.query_params else "seed"
        service, number = self.latent_service, _integer(request, name)
        find = service.fake if name == "fake" else service.seed
        return JSONResponse(await self._in_latent_thread(find, self._run(request), number), headers=NO_STORE)

    async def frame(self, request: Request) -> Response:
        """One sample grid of the history, or one frame of points; without `seq` the newest, which is not cached.

        `of`: by which generator; frames of points hold both. `as=verdicts`: instead of a grid what the discriminator of that
        step says of each of its pictures, and of the real ones: {"fakes": [percent real], "reals": [...]}. `as=nearest`: the
        grid of the real ones nearest to its pictures; `as=nearest-places`: where in that grid, and how far, as NearestPlaces.
        """
        run, seq, now = self._run(request), request.query_params.get("seq", ""), _is_now(request)
        newest = "seq" not in request.query_params
        frame = run.newest_frame() if newest else next((frame for frame in run.frames() if str(frame.seq) == seq), None)
        if frame is None:
            raise LookupError(f"The picture {seq[:20]!r} of this run is not kept.")
        kind = request.query_params.get("as", "")
        if kind not in ("", VERDICTS, NEAREST, NEAREST_PLACES):
            raise ValueError(f"as is {kind[:40]!r}; give {VERDICTS}, {NEAREST} or {NEAREST_PLACES}.")
        headers = NO_STORE if newest else {"Cache-Control": "private, max-age=3600"}
        if kind in (NEAREST, NEAREST_PLACES) and not self.catalogue.shows_nearest(run):
            raise LookupError("Strangers can reach this page, so it does not show which real pictures of this run are nearest.")
        if kind == NEAREST_PLACES:
            places = await asyncio.to_thread(read_nearest_places, run.nearest_path(frame), "now" if now else "average")
            return JSONResponse(places, headers=headers)
        path = run.now_path(frame) if now and frame.path.suffix == ".png" else frame.path
        if kind == NEAREST:
            path = run.nearest_path(frame).with_suffix(".png")  # none of points
        read = read_nearest if kind == NEAREST else read_points if path.suffix == ".json" else read_grid
        try:
            picture = await asyncio.to_thread(read, path)
        except OSError as error:  # removed since, by the rule of kept frames
            raise LookupError(f"The picture {seq[:20]!r} of this run is no longer kept.") from error
        except WrongKindError as error:
            raise LookupError(f"The picture {seq[:20]!r} of this run is damaged.") from error
        if kind == VERDICTS:
            return Response(_verdicts(picture), media_type="application/json", headers=headers)
        media_type = "application/json" if path.suffix == ".json" else "image/png"
        return Response(picture, media_type=media_type, headers={"X-Content-Type-Options": "nosniff", **headers})

    async def script(self, request: Request) -> Response:
        """One of Bokeh's own scripts."""
        path = _bokeh() / SCRIPTS[request.url.path.rsplit("/", 1)[-1]]
        return FileResponse(path, media_type="text/javascript", headers={"Cache-Control": "public, max-age=86400"})

    def with_status(self, handler: Callable[[Request], Any]) -> Callable[[Request], Any]:
        """The handler with its errors as one sentence and a status."""
        def refused(sentence: object, status: int, headers: dict[str, str] | None = None) -> Response:
            return PlainTextResponse(self.catalogue.shown(str(sentence)), status, headers={**NO_STORE, **(headers or {})})

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except NotReady as error:
                return refused(error, 503, {"Retry-After": "1"})
            except LookupError as error:
                return refused(error.args[0], 404)
            except RunError as error:
                return refused(error, 404)
            except ValueError as error:
                return refused(error, 422)
        return answer

    def _run(self, request: Request) -> Run:
        run_id = request.query_params.get("run", "")
        run = self.catalogue.find_or_default(run_id)
        if run is None:
            raise LookupError(f"There is no run called {run_id[:80]!r}." if run_id else "There is no run yet.")
        return run

    async def _in_latent_thread(self, function: Callable[..., Any], *args: Any) -> Any:
        if not self.latent_service.ready.is_set():
            raise NotReady("The sliders are getting ready; ask again in a moment.")
        return await asyncio.get_running_loop().run_in_executor(self.latent_service.pool, function, *args)


def routes(catalogue: RunCatalogue, hub: Hub, latent_service: LatentService) -> list[Route]:
    """What `launch(app_kwargs={"routes": ...})` takes."""
    live = LiveRoutes(catalogue, hub, latent_service)
    by_get = {"stream": live.stream, "events": live.events, "directions": live.directions, "seed": live.seed, "frame": live.frame,
             **{name: live.script for name in SCRIPTS}}
    return [*(Route(PREFIX + name, live.with_status(handler), methods=["GET"]) for name, handler in by_get.items()),
            Route(PREFIX + "z", live.with_status(live.z), methods=["POST"])]


def _ping() -> ServerSentEvent:
    """An event and no comment, because a browser tells its page of events only; without an id, so that it is no cursor."""
    return ServerSentEvent(data="{}", event="ping")


def _number(request: Request, name: str, default: str) -> float:
    text = request.query_params.get(name, default)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{name} is {text[:40]!r}; give a number.")
    return value


def _verdicts(picture: bytes) -> bytes:
    """The verdicts that a grid was kept with; none where it is of an older version, or a plane of points."""
    return (png_text(picture, VERDICTS) or '{"fakes": [], "reals": []}').encode()


def _is_now(request: Request) -> bool:
    """Whether the generator as it is was asked for, not its average."""
    name = request.query_params.get("of", "average")
    if name not in ("now", "average"):
        raise ValueError(f"of is {name[:40]!r}; give now or average.")
    return name == "now"


def _integer(request: Request, name: str) -> int:
    number = _number(request, name, "0")
    if number != int(number) or not 0 <= number < 2**31:
        raise ValueError(f"The {name} must be a whole number from 0 to 2,147,483,647.")
    return int(number)


@cache
def _bokeh() -> Path:
    """Bokeh's scripts inside the installed package, found without importing it: no network, no copy."""
    spec = importlib.util.find_spec("bokeh")
    assert spec is not None and spec.origin is not None, "bokeh is a requirement"
    return Path(spec.origin).parent / "server" / "static" / "js"

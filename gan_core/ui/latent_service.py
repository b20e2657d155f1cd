"""The sliders' other end: the newest generator of a run, the picture of a z, and the directions worth a slider.

torch is imported in a thread after the page answers; until then there is nothing to drive. It knows no HTTP.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .. import registry
from ..runs.run import Run

if TYPE_CHECKING:
    import numpy as np

    from ..latent.view import LatentView

KEPT_VIEWS = 4  # runs whose generator stays in memory
KEPT_PICTURES = 512  # a class whose sliders all stand still asks for the same picture 200 times
SAME = 0.99  # directions all closer to the old ones than this cosine keep their version


Point = tuple[float, float] | None


class NotReady(Exception):
    """torch is still being imported, or the run has no generator yet; one sentence."""


@dataclass
class Driven:
    """One run's newest networks, and directions that keep their place and sign while these change."""

    live: int
    view: LatentView
    directions: np.ndarray
    version: int = 1
    pictures: OrderedDict[tuple[bytes, float, int | None], tuple[bytes, float, Point]] = field(default_factory=OrderedDict)


class LatentService:
    """All driving happens in one thread of its own: one torch thread, no view used by two."""

    def __init__(self) -> None:
        self.ready = threading.Event()
        self._driven: OrderedDict[str, Driven] = OrderedDict()
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="latent")

    def wake(self) -> None:
        """Import torch in the desk's own thread; returns at once."""
        self.pool.submit(self._wake)

    def _wake(self) -> None:
        import torch

        from ..latent import view  # noqa: F401, what every later call needs

        torch.set_num_threads(1)  # the other cores belong to the training
        self.ready.set()

    def close(self) -> None:
        self.pool.shutdown(wait=False, cancel_futures=True)

    # In the desk's thread.

    def image(self, run: Run, body: bytes, psi: float, label: int | None = None) -> tuple[bytes, float, Point, int]:
        """(PNG, verdict: probability of real, the point if it is one, step) of one z, float32 little-endian, and one class.

        Raises ValueError in a sentence.
        """
        import numpy as np

        from ..training import pixel_range

        driven = self._newest(run)
        if len(body) != 4 * driven.view.latent_dim:
            raise ValueError(f"The body has {len(body)} bytes; give {driven.view.latent_dim} numbers of 4 bytes "
                             "(float32, little-endian).")
        if not (np.isfinite(psi) and 0 <= psi <= 10):
            raise ValueError(f"psi is {psi}; give a number from 0 to 10.")
        key = (body, psi, label)
        if key not in driven.pictures:
            picture, verdict, point = driven.view.render(np.frombuffer(body, "<f4").astype(np.float32), psi, label)
            driven.pictures[key] = (pixel_range.png(picture), verdict, point)
            if len(driven.pictures) > KEPT_PICTURES:
                driven.pictures.popitem(last=False)
        return *driven.pictures[key], driven.view.step

    def directions(self, run: Run) -> bytes:
        """JSON {"version", "step", "latent_dim", "classes", "directions"} of the newest generator."""
        driven = self._newest(run)
        view, rows = driven.view, [[round(float(v), 5) for v in row] for row in driven.directions]
        return json.dumps({"version": driven.version, "step": view.step, "latent_dim": view.latent_dim, "classes": view.classes,
                           "directions": rows}).encode()

    def seed(self, run: Run, seed: int) -> list[float]:
        """z of a seed, as the networks take it."""
        from ..latent.view import seed_z

        return [float(v) for v in seed_z(seed, self._newest(run).view.latent_dim)]

    def generate(self, run: Run, seed: int, count: int) -> tuple[list[np.ndarray], list[Point], int]:
        """`count` pictures uint8 of consecutive seeds, each class in turn, or as many points; and their generator's step."""
        from ..latent.view import seed_z

        view = self._newest(run).view
        made = [view.render(seed_z(seed + k, view.latent_dim), 1.0, (seed + k) % view.classes if view.classes else None)
                for k in range(count)]
        points = [point for _, _, point in made if point is not None]
        return [] if points else [picture for picture, _, _ in made], points, view.step

    def _newest(self, run: Run) -> Driven:
        """The run's newest networks, swapped whole when the pointer has moved."""
        if not self.ready.is_set():
            raise NotReady("The sliders are waking up; ask again in a moment.")
        driven = self._driven.get(run.id)
        for _ in range(5):
            live = run.stored_status().live
            if driven is not None and driven.live == live:
                break
            with contextlib.suppress(FileNotFoundError):  # replaced by a newer one between two looks
                driven = self._loaded(run, live, driven)
                break
        if driven is None:
            raise NotReady("This run has no generator to drive yet.")
        self._driven[run.id] = driven
        self._driven.move_to_end(run.id)
        while len(self._driven) > KEPT_VIEWS:
            self._driven.popitem(last=False)
        return driven

    def _loaded(self, run: Run, live: int, before: Driven | None) -> Driven:
        from ..latent.view import find_directions, load_live

        def build(name: str, *of: Any) -> Any:
            return registry.resolve(registry.NETWORKS, name)(*of)

        if not live:
            raise NotReady("This run has no generator to drive yet.")
        view = load_live(run.live_file(live), build)
        old = before.directions if before is not None else None
        found = find_directions(view, old)
        if before is None or old is None:
            return Driven(live, view, found)
        if old.shape == found.shape and float((old * found).sum(axis=1).min()) > SAME:
            return Driven(live, view, old, before.version)
        return Driven(live, view, found, before.version + 1)

"""The server side of the sliders: the newest generator of a run, the picture of a z, and the directions worth a slider.

torch is imported in a thread once the page is served; until then every call raises NotReady. HTTP is left to `live_routes`.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..runs.run import Run

if TYPE_CHECKING:
    import numpy as np

    from ..latent.view import LatentView

MAX_VIEWS = 4  # runs whose networks stay in memory
MAX_CACHED_PICTURES = 512  # of each run: 200 pupils who have not moved a slider ask for the same picture
MIN_COSINE = 0.99  # above this cosine, all directions count as unchanged


Point = tuple[float, float] | None


class NotReady(Exception):
    """torch is still being imported, or the run has no generator yet; one sentence."""


@dataclass
class GeneratorState:
    """One run's newest networks, and directions that keep their order and sign while the networks change."""

    live: int
    view: LatentView
    directions: np.ndarray
    version: int = 1
    pictures: OrderedDict[tuple[bytes, float, int | None, bool], tuple[bytes, float, Point]] = field(default_factory=OrderedDict)


class LatentService:
    """All calls run in one thread: torch uses one core, and no view is shared between threads."""

    def __init__(self) -> None:
        self.ready = threading.Event()
        self._generators: OrderedDict[str, GeneratorState] = OrderedDict()
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="latent")

    def start(self) -> None:
        """Import torch in the service's thread; returns at once."""
        self.pool.submit(self._start)

    def _start(self) -> None:
        import torch

        from ..latent import view  # noqa: F401, needed by every later call

        torch.set_num_threads(1)  # the other cores belong to the training
        self.ready.set()

    def close(self) -> None:
        self.pool.shutdown(wait=False, cancel_futures=True)

    # In the service's thread

    def image(self, run: Run, body: bytes, psi: float, label: int | None = None,
              now: bool = False) -> tuple[bytes, float, Point, int]:
        """(PNG, probability of real, the point or None, step) of one z, float32 little-endian, and one class.

        `now`: by the generator as it is instead of its average. Raises ValueError.
        """
        import numpy as np

        from ..training import pixel_range

        generator = self._current(run)
        if len(body) != 4 * generator.view.latent_dim:
            raise ValueError(f"The body has {len(body)} bytes; give {generator.view.latent_dim} numbers of 4 bytes "
                             "(float32, little-endian).")
        if not (np.isfinite(psi) and 0 <= psi <= 10):
            raise ValueError(f"psi is {psi}; give a number from 0 to 10.")
        key = (body, psi, label, now)
        if key not in generator.pictures:
            view = generator.view.of_now if now else generator.view
            picture, verdict, point = view.render(np.frombuffer(body, "<f4").astype(np.float32), psi, label)
            generator.pictures[key] = (pixel_range.png(picture), verdict, point)
            if len(generator.pictures) > MAX_CACHED_PICTURES:
                generator.pictures.popitem(last=False)
        return *generator.pictures[key], generator.view.step

    def directions(self, run: Run) -> bytes:
        """JSON {"version", "step", "latent_dim", "classes", "directions"} of the newest generator."""
        generator = self._current(run)
        view, rows = generator.view, [[round(float(v), 5) for v in row] for row in generator.directions]
        return json.dumps({"version": generator.version, "step": view.step, "latent_dim": view.latent_dim,
                           "classes": view.classes, "directions": rows}).encode()

    def seed(self, run: Run, seed: int) -> dict[str, Any]:
        """{"z"} of a seed."""
        from ..latent.view import seed_z

        return {"z": seed_z(seed, self._current(run).view.latent_dim).tolist()}

    def fake(self, run: Run, index: int) -> dict[str, Any]:
        """{"z", "label"} of one picture of the run's sample grid, label 0 where there are no classes. Raises ValueError."""
        from ..latent.view import fake_z

        view = self._current(run).view
        z, label = fake_z(run.config.seed, index, view.latent_dim, view.classes)
        return {"z": z.tolist(), "label": label}

    def generate(self, run: Run, seed: int, count: int) -> tuple[list[np.ndarray], list[tuple[float, float]], int]:
        """(pictures uint8, points, step): `count` of one of the two, from consecutive seeds, each class in turn."""
        from ..latent.view import seed_z

        view = self._current(run).view
        drawn = [view.render(seed_z(seed + k, view.latent_dim), 1.0, (seed + k) % view.classes if view.classes else None)
                for k in range(count)]
        points = [point for _, _, point in drawn if point is not None]
        return [] if points else [picture for picture, _, _ in drawn], points, view.step

    def _current(self, run: Run) -> GeneratorState:
        """The run's newest networks, loaded when there are newer ones."""
        if not self.ready.is_set():
            raise NotReady("The sliders are getting ready; ask again in a moment.")
        generator = self._generators.get(run.id)
        for _ in range(5):
            live = run.stored_status().live
            if generator is not None and generator.live == live:
                break
            with contextlib.suppress(FileNotFoundError):  # replaced by a newer one meanwhile
                generator = self._load(run, live, generator)
                break
        if generator is None:
            raise NotReady("This run has no generator to drive yet.")
        self._generators[run.id] = generator
        self._generators.move_to_end(run.id)
        while len(self._generators) > MAX_VIEWS:
            self._generators.popitem(last=False)
        return generator

    def _load(self, run: Run, live: int, before: GeneratorState | None) -> GeneratorState:
        from ..latent.view import find_directions, load_live
        from ..networks.pair import build_pair

        if not live:
            raise NotReady("This run has no generator to drive yet.")
        view = load_live(run.live_file(live), build_pair)
        old = before.directions if before is not None else None
        new = find_directions(view, old)
        if before is None or old is None:
            return GeneratorState(live, view, new)
        if old.shape == new.shape and float((old * new).sum(axis=1).min()) > MIN_COSINE:
            return GeneratorState(live, view, old, before.version)
        return GeneratorState(live, view, new, before.version + 1)

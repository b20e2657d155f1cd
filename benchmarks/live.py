"""The page as its users meet it: python -m benchmarks.live

Starts the real program on an empty folder and measures: command to page, Start to first picture, seconds until most digits can be
read (defined in gan_core/evaluation/readability.py), slider latency in a real browser at rest and while training, and the speed
of training with 0, 1 and 50 viewers, in turns (A B C A B C ...). Times are medians unless marked p95.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from benchmarks.serving import ROOT, serving
from gan_core.runs.run import Run

VIEWERS = (0, 1, 50)


class Page:
    """A running playground.py of the checkout `root`, on a free port, with the given folder of runs."""

    def __init__(self, folder: Path, root: Path = ROOT) -> None:
        self.folder, self._stack, began = folder, contextlib.ExitStack(), time.monotonic()
        self.url = self._stack.enter_context(serving(folder, root))
        self.seconds_to_page = time.monotonic() - began

    def connect(self) -> None:
        from gradio_client import Client

        self.client = Client(self.url, verbose=False)

    def call(self, name: str, *args: Any) -> dict[str, Any]:
        return self.client.predict(*args, api_name=name)

    def events(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yields (event, data) of the live stream."""
        with httpx.stream("GET", self.url + "gradio_api/gan/stream", timeout=60) as reply:
            name = ""
            for line in reply.iter_lines():
                if line.startswith("event:"):
                    name = line[6:].strip()
                elif line.startswith("data:"):
                    yield name, json.loads(line[5:])

    def until_warm(self) -> None:
        for _, data in self.events():
            if data.get("worker") == "ready":
                return

    def close(self) -> float:
        """Stops the server; returns the seconds from SIGTERM to its end."""
        began = time.monotonic()
        self._stack.close()
        return time.monotonic() - began


def learn(page: Page, seed: int, seconds: float, folder: Path) -> tuple[float, list[tuple[float, Path]]]:
    """(seconds from Start to the first picture, [(seconds since Start, copy of a live file)]) of one run on a warm worker."""
    page.until_warm()
    began = time.monotonic()
    run = Run.open(page.folder / page.call("/start", "quick", json.dumps({"seed": seed}))["run"])
    while run.newest_frame() is None:
        time.sleep(0.01)
    first = time.monotonic() - began
    snapshots: list[tuple[float, Path]] = []
    last = 0
    while time.monotonic() - began < seconds:
        status = run.stored_status()
        if status.live != last and (path := run.live_path()) is not None:
            last = status.live
            with contextlib.suppress(OSError):
                snapshots.append((time.monotonic() - began, Path(shutil.copy(path, folder / f"{seed}-{last}.safetensors"))))
        time.sleep(0.05)
    page.call("/pause")
    return first, snapshots


def readable(snapshots: list[tuple[float, Path]], grid: Path | None) -> tuple[float, list[str]]:
    """(seconds to the first of three readable snapshots in a row, scores near the marks). To be run after the training."""
    import torch

    from gan_core import registry
    from gan_core.data.digits import load
    from gan_core.evaluation.classifier import load_classifier
    from gan_core.evaluation.readability import ReadabilityScorer
    from gan_core.latent.view import load_live
    from gan_core.losses.randomness import Draws
    from gan_core.training import pixel_range

    torch.set_num_threads(1)
    pictures, labels = (torch.from_numpy(part) for part in load())
    scorer = ReadabilityScorer(load_classifier(), pictures, labels)
    results, scores, first, marks = [], [], float("inf"), [5, 10, 15, 20, 30]
    for at, path in snapshots:
        view = load_live(path, lambda name, *of: registry.resolve(registry.NETWORKS, name)(*of))
        z = Draws(0).normal("benchmark", 0, 1000, view.latent_dim)
        with torch.inference_mode():
            fakes = pixel_range.to_uint8(view.generator(z))
        readability = scorer.assess(fakes)
        results.append((at, readability.readable))
        if marks and at >= marks[0]:
            scores.append(f"{at:.0f} s {readability.agreement:.2f}/{readability.classes}/{readability.precision:.2f}")
            marks.pop(0)
        if len(results) >= 3 and all(ok for _, ok in results[-3:]) and first == float("inf"):
            first = results[-3][0]
        if readability.readable and grid is not None and first == float("inf"):
            grid.write_bytes(pixel_range.png(pixel_range.grid(fakes[:64].numpy(), 8)))
    return first, scores


DRAG = """async moves => {
    const sliders = [...document.querySelectorAll('#latent-sliders input')], times = [];
    const image = () => document.getElementById('latent-image').src;
    for (let k = 0; k < moves; k++) {
        const slider = sliders[k % sliders.length], before = image(), began = performance.now();
        slider.value = String(((k * 0.37) % 4) - 2 + 0.05);
        slider.dispatchEvent(new Event('input', { bubbles: true }));
        while (image() === before && performance.now() - began < 2000) await new Promise(requestAnimationFrame);
        times.push(performance.now() - began);
        await new Promise(done => setTimeout(done, 40));
    }
    return times;
}"""


def drag(url: str, moves: int) -> list[float]:
    """Milliseconds from a slider's move to its picture in the page, in headless Chromium on the same machine."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(url)
        page.wait_for_selector("#latent-image[src]:not([hidden])", timeout=60_000)
        page.evaluate(DRAG, 20)
        return page.evaluate(DRAG, moves)


async def _watch(url: str, count: int) -> None:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client:
        async def one() -> None:
            async with client.stream("GET", url + "gradio_api/gan/stream") as reply:
                async for _ in reply.aiter_raw():
                    pass
        await asyncio.gather(*(one() for _ in range(count)))


def viewer_speeds(page: Page, run: Run, rounds: int, seconds: float) -> dict[int, list[float]]:
    """Images per second with each number of viewers, in turns; the viewers are a separate process that only reads."""
    speeds: dict[int, list[float]] = {count: [] for count in VIEWERS}
    for turn in range(rounds + 1):
        for count in VIEWERS:
            viewers = subprocess.Popen([sys.executable, "-m", "benchmarks.live", "--watch", page.url, str(count)], cwd=ROOT,
                                        stderr=subprocess.DEVNULL) if count else None
            time.sleep(2.0 if count else 0.5)  # until all have connected and received their snapshot
            before, began = run.stored_status().images, time.monotonic()
            time.sleep(seconds)
            after, ended = run.stored_status().images, time.monotonic()
            if viewers is not None:
                assert viewers.poll() is None, "the viewers ended before their turn did"
                viewers.kill()
                viewers.wait()
            if turn:  # the first turn warms up
                speeds[count].append((after - before) / (ended - began))
    return speeds


def p95(values: list[float]) -> float:
    return sorted(values)[max(0, round(0.95 * len(values)) - 1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="one run each")
    parser.add_argument("--seconds", type=float, default=35, help="of each run")
    parser.add_argument("--moves", type=int, default=150, help="of a slider")
    parser.add_argument("--rounds", type=int, default=5, help="turns with each number of viewers")
    parser.add_argument("--grids", type=Path, help="a folder for the sample grids of the readable moments")
    parser.add_argument("--root", type=Path, default=ROOT, help="another checkout to measure")
    parser.add_argument("--watch", nargs=2, metavar=("URL", "COUNT"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.watch:
        asyncio.run(_watch(args.watch[0], int(args.watch[1])))
        return
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as snapshot_folder:
        runs = []
        for seed in args.seeds:  # one server each: a warm worker is kept only while nothing trains
            page = Page(Path(folder) / str(seed), args.root.resolve())
            page.connect()
            first, snapshots = learn(page, seed, args.seconds, Path(snapshot_folder))
            runs.append((seed, snapshots))
            print(f"seed {seed}: command to page {page.seconds_to_page:.1f} s, Start to first picture {first:.2f} s", flush=True)
            if seed != args.seeds[-1]:
                print(f"seed {seed}: SIGTERM to the end {page.close():.1f} s", flush=True)
        if args.grids:
            args.grids.mkdir(parents=True, exist_ok=True)
        for seed, snapshots in runs:
            seconds, scores = readable(snapshots, args.grids / f"readable-{seed}.png" if args.grids else None)
            print(f"readable, seed {seed}: {seconds:.1f} s   (agreement/classes/precision: {', '.join(scores)})", flush=True)
        rest = drag(page.url, args.moves)
        page.call("/resume")
        busy = drag(page.url, args.moves)
        for name, values in (("at rest", rest), ("while training", busy)):
            print(f"slider to picture, {name}: median {statistics.median(values):.0f} ms, p95 {p95(values):.0f} ms", flush=True)
        speeds = viewer_speeds(page, Run.open(page.folder / page.call("/state")["run"]), args.rounds, 5.0)
        alone = statistics.median(speeds[0])
        for count, values in speeds.items():
            print(f"training with {count} viewers: {statistics.median(values):.0f} images/s "
                  f"({min(values):.0f} - {max(values):.0f}), {statistics.median(values) / alone:.2f} of its speed with none")
        print(f"SIGTERM to the end: {page.close():.1f} s")


if __name__ == "__main__":
    main()

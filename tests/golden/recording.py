"""What the golden fixtures are made of and compared with: command lines, HTTP, files and the public names of `gan_core`.

`make.py` writes what these functions return, `tests/test_golden.py` compares with it. Nothing here imports a module of the
package, so that the fixtures outlive every reorganisation of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import io
import json
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import gan_core

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
RUNS = ("ring", "conditional")  # the zipped run folders
PATIENCE = 90.0  # seconds; only something broken needs them
COMMANDS = {"playground": ["playground.py"], "worker": ["-m", "gan_core.worker"], "data": ["-m", "gan_core.data"],
            "remote": ["-m", "gan_core.remote"], "sinks": ["-m", "gan_core.sinks"]}
# The first steps of every preset, small, on one thread: which networks, losses and penalties are computed, and how.
SMALL = {"batch_size": 4, "device": "cpu", "precision": "fp32", "threads": 1, "memory_format": "contiguous", "rewrites": "off"}
STEPS = 3


def until(condition: Callable[[], Any], what: str) -> Any:
    """The condition's first true value."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {PATIENCE:g} s for: {what}"
        time.sleep(0.01)
    return value


def unpacked(name: str, folder: Path) -> Path:
    """The golden run folder, below `folder`."""
    with zipfile.ZipFile(HERE / f"{name}.zip") as archive:
        archive.extractall(folder)
        path = folder / archive.namelist()[0].split("/")[0]
    for part in ("control", "metrics", "frames", "live", "checkpoint"):  # a zip keeps no empty folders
        (path / part).mkdir(exist_ok=True)
    return path


def reading(path: Path) -> dict[str, Any]:
    """What `gan_core.Run` says of a run folder."""
    run = gan_core.Run.open(path)
    status, records = run.status(), run.metrics()
    return normal({"id": run.id, "name": run.name, "kind": run.kind, "preset": run.preset, "config": run.config.to_dict(),
                   "status": status.to_dict(), "metrics": records, "losses": sum("d_loss" in record for record in records),
                   "marks": [record["mark"] for record in records if "mark" in record],
                   "quality": [record["quality"] for record in records if "quality" in record],
                   "frames": [[frame.seq, frame.step, frame.path.name] for frame in run.frames()],
                   "live": run.live_path().name, "floor": run.floor(), "data": run.data_summary(),
                   "real": run.real_path.name})


# Numbers.

def machine() -> str:
    """What decides the bits of a sum: torch's version, the instructions that it uses, and the processor that its kernels suit."""
    import torch

    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "another processor")
    return f"torch {torch.__version__.split('+')[0]}, {torch.backends.cpu.get_cpu_capability()}, {model}"


def first_losses(values: dict[str, Any]) -> list[list[float]]:
    """The four numbers of each of the first steps with a config's values, unrounded."""
    import torch

    torch.set_num_threads(1)
    trainer = gan_core.Trainer(gan_core.TrainConfig.from_dict({**values, **SMALL}))
    return [[float(metrics[name]) for name in ("d_loss", "g_loss", "d_real", "d_fake")]
            for metrics in (trainer.step() for _ in range(STEPS))]


@contextlib.contextmanager
def worker(*arguments: str) -> Iterator[subprocess.Popen]:
    """`python -m gan_core.worker`, which is gone afterwards."""
    process = subprocess.Popen([sys.executable, "-m", "gan_core.worker", *arguments], cwd=ROOT, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
                               env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def ask(run: Any, command: str, **args: Any) -> Any:
    return run.wait(run.send(command, **args), timeout=PATIENCE)


def resumed(path: Path, steps: int) -> dict[str, Any]:
    """Resume a run folder in a real worker, make single steps one by one and stop: what it recorded and what it saved."""
    run = gan_core.Run.open(path)
    before = run.stored_status()
    with worker(str(path), "--paused") as process:
        until(lambda: run.stored_status().life > before.life and run.stored_status().state == "paused", "the run to be resumed")
        began = run.stored_status().step
        for step in range(began + 1, began + steps + 1):
            ask(run, "step", network="both", count=1)
            until(lambda step=step: run.stored_status().step == step and run.stored_status().state == "paused", f"step {step}")
        run.send("stop")
        assert process.wait(PATIENCE) == 0
    records = [record for record in run.metrics() if record["step"] > began and "d_loss" in record]
    status = run.stored_status()
    latest = json.loads((path / "checkpoint" / "latest.json").read_text())
    return {"state": status.state, "life": status.life - before.life, "from": began, "to": status.step, "exact": status.exact,
            "tuned": status.tuned, "steps": [record["step"] for record in records],
            "losses": [[record[name] for name in ("d_loss", "g_loss", "d_real", "d_fake")] for record in records],
            "tensors": digests(path / "checkpoint" / latest["file"])}


def digests(path: Path) -> dict[str, str]:
    """{name: type, shape and SHA-256 of the bytes} of every tensor of a safetensors file."""
    from safetensors import safe_open

    found = {}
    with safe_open(path, "pt") as file:
        for name in sorted(file.keys()):
            tensor = file.get_tensor(name).contiguous()
            data = tensor.view(-1).numpy().tobytes() if tensor.numel() else b""
            found[name] = f"{tensor.dtype} {list(tensor.shape)} {hashlib.sha256(data).hexdigest()[:16]}"
    return found


# What stands in public.

def help_text(name: str) -> str:
    """What a command line says to --help, 100 columns wide."""
    done = subprocess.run([sys.executable, *COMMANDS[name], "--help"], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE,
                          env={**os.environ, "COLUMNS": "100", "LC_ALL": "C.UTF-8", "NO_COLOR": "1"})
    assert done.returncode == 0, done.stderr
    return done.stdout


def public_names() -> dict[str, Any]:
    """Names of `gan_core`, every field of a config with its default and its range, every preset."""
    from dataclasses import fields

    keep = ("low", "high", "unit", "choices", "live")
    about = {f.name: {"type": f.type, "default": f.default, **{key: f.metadata[key] for key in keep}}
             for f in fields(gan_core.TrainConfig)}
    return json.loads(json.dumps({"gan_core": sorted(gan_core.__all__), "fields": about,
                                  "presets": {name: config.to_dict() for name, config in gan_core.PRESETS.items()}}))


# The served page.

class Page:
    """playground.py on a free port over a folder of runs."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/"
        self.process = subprocess.Popen([sys.executable, "playground.py", "--host", "127.0.0.1", "--port", str(port), "--threads",
                                         "1", "--checkpoints", str(folder)], cwd=ROOT, stdout=subprocess.DEVNULL)

        def answers() -> bool:
            assert self.process.poll() is None, "the page ended before it answered"
            with contextlib.suppress(OSError), urllib.request.urlopen(self.url, timeout=5) as reply:
                return reply.status == 200
            return False
        until(answers, "the page")

    def close(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            assert self.process.wait(30) == 0
        finally:
            if self.process.poll() is None:
                self.process.kill()

    def get(self, path: str, body: bytes | None = None) -> tuple[int, dict[str, str], bytes]:
        """(status, headers that begin with X-Gan and the type, body); a 503 is asked again, torch is being imported."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with urllib.request.urlopen(urllib.request.Request(self.url + path, data=body), timeout=PATIENCE) as reply:
                    status, headers, data = reply.status, reply.headers, reply.read()
            except urllib.error.HTTPError as error:
                status, headers, data = error.code, error.headers, error.read()
            if status != 503 or time.monotonic() > deadline:
                return status, {name.lower(): value for name, value in headers.items()
                                if name.lower().startswith("x-gan") or name.lower() == "content-type"}, data
            time.sleep(0.05)

    def api(self) -> dict[str, Any]:
        """Every named call as gradio's own client sees it, without its prose."""
        from gradio_client import Client

        calls = Client(self.url, verbose=False).view_api(return_format="dict", print_info=False)["named_endpoints"]
        keep = ("parameter_name", "parameter_has_default", "parameter_default", "type", "python_type", "component")
        return {name: {part: [{key: one[key] for key in keep if key in one} for one in about[part]]
                       for part in ("parameters", "returns")} for name, about in sorted(calls.items())}

    def elements(self) -> dict[str, str]:
        """{elem_id: kind of component}, "hidden KIND" for what nobody sees, of all components."""
        config = json.loads(self.get("config")[2])
        found = {}
        for component in config["components"]:
            props = component.get("props", {})
            if props.get("elem_id"):
                shown = props.get("visible", True) is True
                found[props["elem_id"]] = ("" if shown else "hidden ") + component["type"]
        return dict(sorted(found.items()))


class Stream:
    """The events of one run, as a browser gets them."""

    def __init__(self, page: Page, run: str) -> None:
        self._events: queue.Queue[tuple[str, str, Any]] = queue.Queue()
        connection = http.client.HTTPConnection(page.url.split("/")[2], timeout=PATIENCE)
        connection.connect()
        self._socket = connection.sock
        connection.request("GET", f"/gradio_api/gan/stream?run={run}")
        self._reply = connection.getresponse()
        assert self._reply.headers["Content-Type"].startswith("text/event-stream")
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        self.seen: list[dict[str, Any]] = []

    def _read(self) -> None:
        event: dict[str, str] = {}
        with contextlib.suppress(OSError, ValueError, AttributeError):
            for line in self._reply:
                name, _, value = line.decode().rstrip("\r\n").partition(": ")
                if name in ("event", "data", "id"):
                    event[name] = value
                elif not name and event:
                    if event["event"] != "ping":  # it only says that the stream gets through
                        self._events.put((event["event"], event["id"], json.loads(event["data"])))
                    event = {}

    def until(self, *names: str) -> None:
        """Wait for news until each of these names has come since the last call, in any order, and nothing else."""
        missing = list(names)
        while missing:
            name, identity, value = self._events.get(timeout=PATIENCE)
            value = normal(value)
            if name == "status" and self.seen and _status_of(self.seen) == value["status"]:
                continue  # only the spare worker moved
            self.seen.append({"event": name, "id": re.sub(r"^[0-9a-f]{8}\.(.+)\.[0-9]+$", r"BOOT.\1.N", identity), "data": value})
            assert name in missing, f"{name} came unexpectedly"
            missing.remove(name)

    def close(self) -> None:
        """Ends the reading thread as well, which waits for the next line."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE)
        self._reply.close()


def _status_of(seen: list[dict[str, Any]]) -> Any:
    return next(one["data"]["status"] for one in reversed(seen) if one["event"] in ("status", "snapshot"))


def normal(value: Any, name: str = "") -> Any:
    """A message without what differs from server to server; long texts and lists by their SHA-256."""
    if name == "boot":
        assert re.fullmatch(r"[0-9a-f]{8}", value), value
        return "BOOT"
    if name == "worker":
        assert value in ("none", "warming", "ready", "busy"), value
        return "WORKER"
    if name in ("said", "noticed"):
        assert all(value.values()), value
        return dict.fromkeys(value, "SENTENCE")
    if isinstance(value, dict):
        return {key: normal(one, key) for key, one in value.items()}
    if isinstance(value, list) and len(value) <= 64:
        return [normal(one) for one in value]
    text = value if isinstance(value, str) else json.dumps(value)
    if isinstance(value, str | list) and len(text) > 400:
        return f"{type(value).__name__} of {len(value)}, {text[:24]}... {hashlib.sha256(text.encode()).hexdigest()[:16]}"
    return value


def snapshot(page: Page, run: str) -> list[dict[str, Any]]:
    """What somebody is given who opens this run."""
    stream = Stream(page, run)
    try:
        stream.until("snapshot")
    finally:
        stream.close()
    return stream.seen


def told_again(page: Page, golden: Path, folder: Path) -> list[dict[str, Any]]:
    """The events of a run that grows to the golden ring run, stage by stage, and then fails; `folder` is the page's."""
    path, story = folder / golden.name.replace("golden", "growing"), Growing(golden)
    story.begin(path)
    stream = Stream(page, path.name)
    try:
        stream.until("snapshot")
        for stage, news in story.stages():
            stage(path)
            stream.until(*news)
    finally:
        stream.close()
    return stream.seen


class Growing:
    """A finished run of two lives as it grew: its files in the order in which a worker wrote them."""

    def __init__(self, golden: Path) -> None:
        self.golden = golden
        self.status = json.loads((golden / "status.json").read_text())
        self.first, self.second = ((golden / "metrics" / f"{life:04d}.jsonl").read_text().splitlines(True) for life in (1, 2))
        self.frames = sorted((golden / "frames").iterdir())
        self.live = next((golden / "live").iterdir()).read_bytes()

    def begin(self, path: Path) -> None:
        """Only its first curve, one frame, no network to drive."""
        (path / "frames").mkdir(parents=True)
        (path / "metrics").mkdir()
        (path / "live").mkdir()
        for name in ("config.json", "real.json", "data.json"):
            (path / name).write_bytes((self.golden / name).read_bytes())
        self._frame(path, 0)
        (path / "metrics" / "0001.jsonl").write_text("".join([self.first[0], *self._kind("d_loss")[:2]]))
        self._write(path, state="stopped", step=1, images=16, seq=1, live=0, life=1, tuned={}, best=None, elapsed=0.5, speed=0.0)

    def stages(self) -> list[tuple[Callable[[Path], None], tuple[str, ...]]]:
        return [(self._curves, ("metrics",)), (self._measured, ("quality",)), (self._turned, ("marks",)),
                (lambda path: self._frame(path, 1) or self._write(path, seq=2, step=40), ("status", "frame")),
                (lambda path: self._networks(path) or self._write(path, live=1), ("status", "latent")),
                (self._failed, ("status",)), (self._again, ("snapshot",))]

    def _kind(self, name: str) -> list[str]:
        return [line for line in self.first if name in json.loads(line)]

    def _append(self, path: Path, lines: list[str]) -> None:
        with (path / "metrics" / "0001.jsonl").open("a") as file:
            file.write("".join(lines))

    def _curves(self, path: Path) -> None:
        lines = self._kind("d_loss")
        self._append(path, lines[2:7] + lines[-3:])  # the last ones are of steps that the second life takes back

    def _measured(self, path: Path) -> None:
        (path / "floor.json").write_bytes((self.golden / "floor.json").read_bytes())
        self._append(path, self._kind("quality"))

    def _turned(self, path: Path) -> None:
        self._append(path, self._kind("mark"))

    def _networks(self, path: Path) -> None:
        (path / "live" / "1.safetensors").write_bytes(self.live)

    def _frame(self, path: Path, index: int) -> None:
        frame = self.frames[index]
        (path / "frames" / f"{index + 1:08d}-{frame.stem.partition('-')[2]}.json").write_bytes(frame.read_bytes())

    def _failed(self, path: Path) -> None:
        fault = {"key": "no_memory", "values": {}}
        error = {"kind": "out_of_memory", "message": "Out of memory.", "step": 40, "fault": fault}
        self._write(path, state="failed", error=error, best=self.status["best"], tuned=self.status["tuned"])

    def _again(self, path: Path) -> None:
        """A second life that begins before the end of the first."""
        (path / "metrics" / "0002.jsonl").write_text("".join(self.second))

    def _write(self, path: Path, **changes: Any) -> None:
        """status.json, replaced at once as a worker does it."""
        self.now = {**getattr(self, "now", self.status), **changes}
        (path / "status.tmp").write_text(json.dumps(self.now))
        os.replace(path / "status.tmp", path / "status.json")


def driven(page: Page, run: str, latent_dim: int, label: int | None = None) -> dict[str, Any]:
    """What the sliders' routes answer for a run: pictures as lists of grey values or colours."""
    from PIL import Image

    found: dict[str, Any] = {}
    z = json.loads(page.get(f"gradio_api/gan/seed?run={run}&seed=7")[2])["z"]
    found["seed"] = z
    query = "" if label is None else f"&label={label}"
    status, headers, data = page.get(f"gradio_api/gan/z?run={run}&psi=0.8{query}", np.array(z, "<f4").tobytes())
    found["z"] = {"status": status, "headers": headers,
                  "picture": np.asarray(Image.open(io.BytesIO(data))).reshape(-1)[::7 if label is not None else 97].tolist()}
    status, headers, data = page.get(f"gradio_api/gan/z?run={run}", np.zeros(latent_dim + 1, "<f4").tobytes())
    found["wrong length"] = {"status": status, "headers": headers}
    directions = json.loads(page.get(f"gradio_api/gan/directions?run={run}")[2])
    found["directions"] = {name: value for name, value in directions.items() if name != "directions"}
    found["directions"]["count"] = len(directions["directions"])
    return found


@contextlib.contextmanager
def page(folder: Path) -> Iterator[Page]:
    """The page over a folder with the golden runs in it."""
    served = Page(folder)
    try:
        yield served
    finally:
        served.close()


def events(folder: Path) -> dict[str, Any]:
    """Everything that the live routes say about the golden runs and about the shipped starter."""
    runs = {name: unpacked(name, folder) for name in RUNS}
    read = {name: reading(path) for name, path in runs.items()}
    with page(folder) as served:
        return {"reading": read, "snapshots": {name: snapshot(served, run) for name, run in
                              (*((name, path.name) for name, path in runs.items()), ("starter", "starter-digits"))},
                "growing": told_again(served, runs["ring"], folder),
                "driven": {"ring": driven(served, runs["ring"].name, 2),
                           "conditional": driven(served, runs["conditional"].name, 8, label=3)}}


def served(folder: Path) -> dict[str, Any]:
    """API names with their parameters, and the ids of all components."""
    with page(folder) as shown:
        return {"api": shown.api(), "elements": shown.elements()}


# In a browser.

# What the browser's libraries number by chance says nothing.
NAMED = "() => [...document.querySelectorAll('[id]')].map((e) => e.id).filter((id) => id && !/^html-[a-z0-9]+$/.test(id))"
SHOWN = """() => ({
    run: document.getElementById('run-state').dataset.state,
    step: document.getElementById('run-step').textContent,
    data: document.getElementById('gan-data').dataset.kind,
    preview: 'state' in document.getElementById('data-preview').dataset,
    grid: document.querySelector('#sample-grid img[src]:not([hidden])')?.src ?? '',
    plane: document.querySelector('#sample-grid .gan-plane:not([hidden])') !== null,
    classes: [...document.querySelectorAll('#latent-class option')].map((e) => e.textContent),
    tuned: [...document.querySelectorAll('[id^=knob-]')].map((e) => [e.id, e.value]),
})"""


def touch(runs: dict[str, Path], name: str) -> None:
    """Make this run the one that was touched last, which the page shows."""
    for moment, other in enumerate(sorted(runs, key=lambda other: other == name), start=1):
        os.utime(runs[other] / "status.json", (moment, moment))


def on_the_page(page: Any) -> dict[str, Any]:
    """The ids in the page that this browser (playwright's) stands before, and what the shown run looks like."""
    page.wait_for_selector("#latent-image:not([hidden])", timeout=PATIENCE * 1000)
    shown = page.evaluate(SHOWN)
    page.get_by_role("tab").nth(1).click()  # gradio makes a tab when it is first opened
    page.wait_for_selector("#runs")
    return {"ids": sorted(page.evaluate(NAMED)), **normal(shown)}


def seen(folder: Path) -> dict[str, Any]:
    """The same for every golden run."""
    from playwright.sync_api import sync_playwright

    runs = {name: unpacked(name, folder) for name in RUNS}
    found = {}
    with page(folder) as served, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        for name in runs:
            touch(runs, name)
            tab = chromium.new_page(viewport={"width": 1440, "height": 900}, locale="en-US")
            tab.goto(served.url)
            tab.wait_for_selector("#run-state[data-state=stopped]", timeout=PATIENCE * 1000)
            found[name] = on_the_page(tab)
            tab.close()
        chromium.close()
    return found

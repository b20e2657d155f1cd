"""The real playground in a subprocess, and people with real browsers in front of it."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from golden import recording

from gan_core.ui.words import text

ROOT = Path(__file__).parent.parent.parent
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
         "--disable-sync"]
# Gradio renders the page in pieces: all of them are there, and the page's own parts have filled theirs, but for the headings
# between the presets, which stand in gradio's.
STANDS = """() => ['#btn-start', '#preset input', '#generator-shown [data-key]', '#settings-face [data-key]',
    '#curves-face [data-key]', '.gan-flow', '.gan-latent'].every((selector) => document.querySelector(selector))
    && [...document.querySelectorAll('gan-part:not([data-gan=presets])')].every((part) => part.hasChildNodes())"""
CONTROLS = ("btn-start", "btn-pause", "btn-resume", "btn-step", "btn-step-d", "btn-step-g", "btn-reset", "btn-save")


class Server:
    """playground.py on a port of its own with a checkpoints folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self.log = folder.parent / f"{folder.name}.log"
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as log:
            command = [sys.executable, str(ROOT / "playground.py"), "--host", "127.0.0.1", "--port", str(self.port),
                       "--checkpoints", str(self.folder)]
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), urllib.request.urlopen(self.url, timeout=5) as reply:
                if reply.status == 200:
                    return
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            time.sleep(0.1)
        raise AssertionError("the playground did not answer within 60 s:\n" + self.log.read_text()[-3000:])

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for process in psutil.process_iter(["cmdline"]):  # a worker that outlived a killed server, only of this folder
            if any(str(self.folder) in part for part in process.info["cmdline"] or []):
                with contextlib.suppress(psutil.Error):
                    process.kill()


class Person:
    """Somebody in front of the page."""

    def __init__(self, page) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def state(self) -> str:
        return self.page.locator("#run-state").get_attribute("data-state")

    def wait_state(self, *names: str, seconds: float = 40) -> None:
        wanted = ", ".join(f"#run-state[data-state={name}]" for name in names)
        self.page.wait_for_selector(wanted, timeout=seconds * 1000)

    def step(self) -> int:
        """The step as it is written on the page."""
        return int("".join(c for c in self.page.locator("#run-step").inner_text() if c.isdigit()))

    def until(self, script: str, arg=None, seconds: float = 40) -> None:
        """Wait until a condition holds in the page."""
        self.page.wait_for_function(script, arg=arg, timeout=seconds * 1000)

    def until_step(self, least: int) -> None:
        """Wait for training to come there: on a busy machine that takes its time."""
        self.until("least => Number(document.getElementById('run-step').textContent.replace(/\\D/g, '')) >= least", least,
                   seconds=120)

    def enabled(self) -> set[str]:
        return {name for name in CONTROLS if self.page.locator(f"#{name}").is_enabled()}

    def click(self, name: str) -> None:
        self.page.locator(f"#{name}").click()

    def start(self) -> None:
        """Train a new run, and wait until a picture of it is on the page."""
        before = self.page.evaluate("ganPlayground.run")
        self.click("btn-start")
        self.until("before => ganPlayground.run !== before && ganPlayground.state === 'running'", before)
        self.until_step(1)
        frames = self.page.evaluate("ganPlayground.frames")
        self.until("frames => ganPlayground.frames > frames", frames)

    def begin(self, label: str) -> None:
        """Train what the form holds in place of the run at work, by the button beside it that says so."""
        before = self.page.evaluate("ganPlayground.run")
        self.page.locator("#btn-begin", has_text=label).click()
        self.page.get_by_role("button", name=text("dialog.reset_go")).click()
        self.until("before => ganPlayground.run !== before && ganPlayground.state === 'running' && ganPlayground.step > 0 "
                   "&& ganPlayground.store.frame", before, seconds=60)

    def measure_often(self) -> None:
        """Ten times as often as a run does: nobody waits for what a test is not about."""
        self.page.click("#settings-face [data-key=now]")
        self.page.click("details.gan-fold:has(#knob-measure_share) > summary")
        self.page.fill("#knob-measure_share", "0.5")
        self.page.keyboard.press("Enter")

    def pause(self) -> int:
        self.click("btn-pause")
        self.wait_state("paused")
        return self.step()


@pytest.fixture
def playground(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "checkpoints")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests of a module."""
    server = Server(tmp_path_factory.mktemp("standing") / "checkpoints")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, dict[str, str]]]:
    """(server, {name: run id}) with a finished run of points and one of classes, whose z are of other lengths."""
    folder = tmp_path_factory.mktemp("school") / "checkpoints"
    runs = {name: recording.unpacked(name, folder).name for name in recording.RUNS}
    server = Server(folder)
    yield server, runs
    server.stop()


@pytest.fixture(scope="session")
def chromium():
    sync_api = pytest.importorskip("playwright.sync_api")
    path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium) -> Iterator[Callable[..., Person]]:
    """visit(url, width=1440, height=900, **context options) -> Person.

    All of the page stands then, and the stream has told it how things are.
    """
    contexts = []

    def come(url: str, width: int = 1440, height: int = 900, **options) -> Person:
        context = chromium.new_context(viewport={"width": width, "height": height}, **{"locale": "en-US", **options})
        contexts.append(context)
        person = Person(context.new_page())
        person.page.goto(url)
        person.wait_state("running", "paused", "finished", "stopped", "failed", "none")
        person.until(STANDS)
        return person

    yield come
    for context in contexts:
        context.close()

"""Looking at the past: whoever goes on sees what comes of it, and nobody else is taken along."""

import base64
import dataclasses
import json
import os
import signal

import numpy as np
import pytest
from PIL import Image

from gan_core.config import PRESETS
from gan_core.data import loading
from gan_core.runs.run import Run
from gan_core.training.trainer import Trainer
from gan_core.ui.words import text
from gan_core.worker.recorder import Recorder

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
MOMENT = "ganPlayground.store.moment"
AT = "step => document.querySelector('.gan-at').textContent.replace(/\\D/g, '') === String(step)"  # beside the fakes


# Whatever stands in the line noise - generator - verdict stands inside its card.
LINE_FITS = """() => { const card = document.getElementById('gan-stage').getBoundingClientRect();
    return [...document.querySelectorAll('.gan-flow-row *')].filter((one) => one.checkVisibility())
        .every((one) => one.getBoundingClientRect().right <= card.right && one.getBoundingClientRect().left >= card.left); }"""


def back(person) -> int:
    """An early moment of the fakes, on the page."""
    slider = person.page.get_by_label(text("samples.history"))
    slider.focus()
    person.page.keyboard.press("Home")
    person.page.keyboard.press("ArrowRight")
    person.until(f"() => {MOMENT} !== null && document.querySelector('.gan-past')")
    moment = person.page.evaluate(MOMENT)
    person.until(AT, moment)
    return moment


def is_live(person) -> None:
    """The newest fakes are on the page, and are said to be."""
    person.until(f"() => {MOMENT} === null && !document.querySelector('.gan-past')")
    live = person.page.locator(".gan-scrub button")
    assert live.get_attribute("aria-pressed") == "true" and live.inner_text().strip() == text("samples.live")
    person.until("() => ({AT})(ganPlayground.store.frame.step)".replace("{AT}", AT))


def test_who_goes_on_sees_what_comes_of_it_and_who_looks_at_the_past_stays_there(playground, visit):
    person, other = visit(playground.url), visit(playground.url)
    person.start()
    person.until("() => ganPlayground.store.history.length > 6")
    held = person.pause()
    person.click("btn-save")  # so that a crash takes no moment until here
    person.until("held => ganPlayground.store.status.checkpoint_step >= held", held)
    other.wait_state("paused")
    moment = back(other)
    for width, height in ((1440, 900), (1366, 610), (1280, 720), (820, 1180), (390, 844), (360, 640)):
        other.page.set_viewport_size({"width": width, "height": height})
        other.until(LINE_FITS)
    other.page.set_viewport_size({"width": 1440, "height": 900})

    back(person)
    for press in ("btn-step", "btn-step-g"):  # one looks back, and then at the next step
        person.click(press)
        is_live(person)
        back(person)
    person.until_step(held + 2)
    person.page.locator("body").click(position={"x": 3, "y": 3})
    person.page.keyboard.press("Space")  # resumes
    person.wait_state("running")
    is_live(person)
    other.wait_state("running")
    assert other.page.evaluate(MOMENT) == moment

    # After a crash steps are lost, and everybody is sent the run anew.
    person.until("() => { const { series, status } = ganPlayground.store; return series.step.at(-1) > status.checkpoint_step; }")
    os.kill(person.page.evaluate("ganPlayground.store.status.pid"), signal.SIGKILL)
    person.wait_state("failed")
    back(person)
    snapshots = "() => { window.snapshots = 0; ganPlayground.on('snapshot', () => { window.snapshots += 1; }); }"
    other.page.evaluate(snapshots)
    person.click("btn-resume")
    person.wait_state("running")
    is_live(person)
    other.until("() => window.snapshots > 0")
    other.wait_state("running")
    other.until(AT, moment)
    assert other.page.evaluate(MOMENT) == moment and other.page.locator(".gan-past").count()
    other.page.locator(".gan-scrub button").click()
    is_live(other)
    assert person.errors == other.errors == []


@pytest.fixture(scope="module")
def recorded(standing):
    """{name: stopped run} of pictures and of points, four frames each, between which the networks have changed."""
    runs = {}
    for name, changes in (("ring", {"batch_size": 64}), ("quick", {"batch_size": 16, "max_images": 500})):
        config = PRESETS[name].replace(threads=1, device="cpu", **changes)
        data = loading.load(config)
        run, trainer = Run.create(config, standing.folder, name=name), Trainer(config, data.data, data.labels)
        recorder = Recorder(run, trainer, life=1, seq=0, live=0)
        recorder.write_frame()
        for step in (trainer.discriminator_step, trainer.generator_step, trainer.discriminator_step):
            for _ in range(10):
                step()
            recorder.write_frame()
        run.write_status(dataclasses.replace(run.stored_status(), state="stopped", step=trainer.step_count, seq=recorder.seq))
        runs[name] = run
    return runs


def believed(run, frame) -> float:
    """How real the Expert finds the fakes of a frame, from its files alone, of the Counterfeiter as it was."""
    if frame.path.suffix == ".png":
        return np.mean(json.loads(Image.open(run.now_path(frame)).text["verdicts"])["fakes"]) / 100
    points = json.loads(frame.path.read_text())
    size = points["heat"]["size"]
    cells = np.frombuffer(base64.b64decode(points["heat"]["values"]), np.uint8).reshape(size, size)
    (x0, x1, y0, y1), (x, y) = points["view"], np.array(points["now"]["fake"]).T
    column, row = ((size * share).clip(0, size - 1).astype(int) for share in ((x - x0) / (x1 - x0), (y - y0) / (y1 - y0)))
    return cells[row, column].mean() / 255


@pytest.mark.parametrize("name", ["ring", "quick"])
def test_the_verdict_is_of_the_very_frame_that_is_looked_at(standing, recorded, visit, name):
    run, person = recorded[name], visit(standing.url)
    page, frames = person.page, run.frames()
    page.evaluate("run => ganPlayground.showRun(run)", run.id)
    person.until("run => ganPlayground.run === run && ganPlayground.store.frame", run.id)
    shares = [round(100 * believed(run, frame)) for frame in frames]
    assert len(set(shares)) > 2, shares
    reads = "words => document.querySelector('.gan-flow .gan-box.v').innerText === words"
    person.until(reads, text("flow.verdict", n=shares[-1]))  # it has ended: of its last frame, and no mean of many steps
    page.get_by_label(text("samples.history")).focus()
    page.keyboard.press("Home")
    for frame, share in zip(frames[:-1], shares, strict=False):
        person.until(f"step => {MOMENT} === step", frame.step)
        person.until(reads, text("flow.verdict", n=share))
        page.keyboard.press("ArrowRight")
    person.until(f"() => {MOMENT} === null")
    person.until(reads, text("flow.verdict", n=shares[-1]))
    assert person.errors == []

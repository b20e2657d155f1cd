"""A run that learns 50 digits: each fake above its nearest real one; and nothing that is said under the fakes is cut off."""

import io
import json
import re
import time

import numpy as np
import pytest
import torch
from conftest import Server
from PIL import Image
from test_reach import SETTLED

from gan_core.config import PRESETS
from gan_core.data import loading
from gan_core.evaluation.feature_free import thumbnails
from gan_core.runs.run import Run, list_runs
from gan_core.training.trainer import Trainer
from gan_core.ui.words import number, text
from gan_core.worker.recorder import Recorder

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
SIZES = [(1440, 900), (1366, 610), (1280, 720), (820, 1180), (390, 844)]
# The pairs on the page: grey values of the fakes and of the real ones under them, one list for each cell.
PAIRS = """() => [...document.querySelectorAll('#sample-grid .gan-cell canvas')].map(canvas => {
    const side = canvas.width, grey = top => [...canvas.getContext('2d').getImageData(0, top, side, side).data]
        .filter((_, i) => i % 4 === 0);
    return [grey(0), grey(side + 1)];
})"""
AT_STEP = "step => document.querySelector('#sample-grid .paired') && document.querySelector('.gan-at').textContent === step"
AT_GRID = "step => !document.querySelector('#sample-grid .paired') && document.querySelector('.gan-at').textContent === step"
# Where the parts of the stage are, the pictures' own place among them.
PLACES = """() => ['#gan-flow', '#gan-transport', '#sample-grid', '#generator-shown', '#nearest-shown', '.gan-under',
    '.gan-nearest', '.gan-scrub', '#sample-grid .gan-picture'].map(one => {
        const { x, y, width, height } = document.querySelector(one).getBoundingClientRect();
        return [x, y, width, height].join();
    })"""
# Texts under the fakes that are cut off, or stand in one another's place, or out of the card; and whether the headline is read.
CUT = """() => {
    const faults = [], card = document.querySelector('#gan-grid').getBoundingClientRect();
    const said = [...document.querySelectorAll('.gan-under *, .gan-nearest *')]
        .filter(one => one.checkVisibility({ visibilityProperty: true })
            && [...one.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.textContent.trim()))
        .map(one => {
            const range = document.createRange();
            range.selectNodeContents(one);
            return { one, words: one.textContent, lines: [...range.getClientRects()] };
        });
    for (const { one, words, lines } of said) {
        const out = ({ left, right }) => left < card.left - 1 || right > card.right + 1;
        if (lines.some(out)) faults.push(`${words}: out of the card`);
        for (let around = one; around.closest('.gan-stage'); around = around.parentElement) {
            const frame = around.getBoundingClientRect();
            const cuts = getComputedStyle(around).overflowX !== 'visible' && lines.some(({ right }) => right > frame.right + 0.1);
            if (cuts) faults.push(`${words}: cut off`);
        }
    }
    said.forEach((a, k) => said.slice(k + 1).forEach(b => {
        const over = a.lines.some(x => b.lines.some(y => x.left < y.right - 1 && y.left < x.right - 1
            && x.top < y.bottom - 3 && y.top < x.bottom - 3));
        if (over && !a.one.contains(b.one)) faults.push(`${a.words} over ${b.words}`);
    }));
    const headline = [...document.querySelectorAll('#headline span')].find(one => one.checkVisibility());
    if (!/\\d/.test(headline?.textContent)) faults.push('no headline');
    return faults;
}"""


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """(server, run): a paused run of 50 digits that has been measured; beside it a finished one of classes."""
    from gradio_client import Client
    folder = tmp_path_factory.mktemp("few") / "checkpoints"
    server = Server(folder)
    try:
        page = Client(server.url, verbose=False)
        page.predict("quick", json.dumps({"max_images": 50, "threads": 1, "measure_share": 0.5}), api_name="/start")
        while True:  # the test's own timeout ends a wait in vain
            run = list_runs(folder)[0]
            if any("quality" in record for record in run.metrics()) and len(run.frames()) > 4:
                break
            time.sleep(0.2)
        page.predict(api_name="/pause")
        yield server, run
    finally:
        server.stop()


def cells_of(png: bytes) -> np.ndarray:
    """The pictures of a grid (N, 28, 28), by rows."""
    pixels = np.asarray(Image.open(io.BytesIO(png)))
    return pixels.reshape(pixels.shape[0] // 28, 28, -1, 28).transpose(0, 2, 1, 3).reshape(-1, 28, 28)


def expected(run, path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The fakes of a grid, their nearest real ones and the distances, from its file and the data of the run alone."""
    reals, fakes = torch.as_tensor(loading.load(run.config).data), torch.from_numpy(cells_of(path.read_bytes()))
    rows = thumbnails(reals).double()
    distances, found = torch.cdist(thumbnails(fakes[:, None]).double(), rows).min(1)
    others = torch.cdist(rows, rows).fill_diagonal_(torch.inf).min(1).values
    return fakes.numpy(), reals[found, 0].numpy(), (distances / others.median()).numpy()


def shows(person, run, frame, path) -> None:
    """The page shows the pairs of this very grid, and says their distances."""
    page = person.page
    person.until(AT_STEP, text("samples.at_step", step=f"{frame.step:,}"))
    fakes, reals, distances = expected(run, path)
    person.until(f"fake => ({PAIRS})()[63]?.[0].join() === fake", ",".join(map(str, fakes[63].flatten())))
    pairs = np.array(page.evaluate(PAIRS), np.uint8)
    np.testing.assert_array_equal(pairs[:, 0], fakes.reshape(64, -1))
    np.testing.assert_array_equal(pairs[:, 1], reals.reshape(64, -1))
    labels = page.locator("#sample-grid .gan-cell").evaluate_all("cells => cells.map(cell => cell.getAttribute('aria-label'))")
    said = np.array([float(re.findall(r"\d+\.\d\d", label)[-1]) for label in labels])
    np.testing.assert_allclose(said, distances, atol=0.006)
    copies = [text("nearest.copy", n=f"{n:.2f}") in label for n, label in zip(said, labels, strict=True)]
    assert all(copy == (distance < 0.5) for copy, distance in zip(copies, distances, strict=True) if abs(distance - 0.5) > 1e-3)
    assert page.locator(".gan-nearest .gan-caption").inner_text().endswith(text("nearest.copies", n=sum(copies), of=64))


def test_each_fake_stands_above_its_nearest_real_one(few, visit):
    server, run = few
    person = visit(server.url)
    page, newest = person.page, run.frames()[-1]
    page.wait_for_selector("#sample-grid img[src]:not([hidden])")
    assert page.locator("#nearest-shown").get_attribute("aria-pressed") == "false"
    assert page.locator(".gan-nearest .gan-caption").is_hidden() and page.locator(".gan-cell canvas").count() == 0
    before = page.evaluate(PLACES)
    page.locator(".gan-scrub button").focus()  # by keyboard: the next stop after those under the fakes
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "nearest-shown"
    page.keyboard.press("Space")
    shows(person, run, newest, run.now_path(newest))  # paused, the page shows the generator as it is
    assert page.evaluate(PLACES) == before, "nothing has moved"
    page.locator("#generator-shown [data-key=average]").click()
    shows(person, run, newest, newest.path)

    # All 64 are reached, and seen, by the arrows.
    page.locator("#sample-grid .gan-cell").first.focus()
    for row in range(8):
        assert page.evaluate("""row => {
            const focused = document.activeElement, cell = focused.getBoundingClientRect();
            const view = document.querySelector('.paired').getBoundingClientRect();
            return focused.getAttribute('aria-label').includes(String(8 * row + 1))
                && cell.top >= view.top - 1 && cell.bottom <= view.bottom + 1;
        }""", row), row
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("#latent-seed[placeholder='#57']")

    # A moment of the past has its own pairs, or says that it has none.
    page.locator(".gan-scrub input").focus()
    page.keyboard.press("Home")
    first = run.frames()[0]
    shows(person, run, first, first.path)
    run.nearest_path(run.frames()[1]).unlink()  # as an older version left it
    page.keyboard.press("ArrowRight")
    person.until("() => !document.querySelector('#sample-grid .paired')")
    assert page.locator(".gan-nearest .gan-caption").inner_text().endswith(text("nearest.none"))
    assert page.locator("#sample-grid img").is_visible() and page.evaluate(PLACES) == before
    damaged, whole = run.nearest_path(run.frames()[2]), run.nearest_path(run.frames()[2]).read_bytes()
    damaged.write_bytes(whole[:whole.index(b"IDAT") - 4] + whole[-12:])  # its text, its end, and no pixels
    kept = page.evaluate("ganPlayground.store.history.length")
    page.keyboard.press("ArrowRight")
    person.until(AT_GRID, text("samples.at_step", step=f"{run.frames()[2].step:,}"))
    assert page.locator(".gan-nearest .gan-caption").inner_text().endswith(text("nearest.failed"))
    assert page.locator("#sample-grid img").is_visible() and page.evaluate("ganPlayground.store.history.length") == kept
    damaged.write_bytes(whole)
    page.keyboard.press("End")
    page.wait_for_selector("#sample-grid .paired")
    page.click("#verdicts-shown")
    page.wait_for_selector("#sample-grid .paired.judged")
    label = page.locator("#sample-grid .gan-cell").first.get_attribute("aria-label")
    assert "% real" in label and re.search(r"\d\.\d\d", label)
    page.reload()
    page.wait_for_selector("#sample-grid .paired.judged")
    page.click("#verdicts-shown")
    page.click("#nearest-shown")
    page.wait_for_selector("#sample-grid .gan-cells:not(.paired, .judged)")
    assert page.locator(".gan-cell canvas").count() == 0 and page.evaluate(PLACES) == before
    assert person.errors == []


def test_where_nothing_is_kept_there_is_no_switch(standing, visit):
    person = visit(standing.url)
    person.page.wait_for_selector("#sample-grid img[src]:not([hidden])")
    assert person.page.locator("#nearest-shown").is_hidden()


def test_the_pairs_of_classes_keep_their_columns(few, visit):
    server, _ = few
    config = PRESETS["conditional"].replace(batch_size=2, latent_dim=4, threads=1, device="cpu", max_images=60)
    data = loading.load(config)
    run, trainer = Run.create(config, server.folder, name="classes"), Trainer(config, data.data, data.labels)
    Recorder(run, trainer, life=1, seq=0, live=0).write_frame()
    run.data_path.write_text(json.dumps({"count": 60, "shape": [1, 28, 28], "names": list("0123456789")}))
    person = visit(server.url)
    page = person.page
    page.evaluate("run => ganPlayground.showRun(run)", run.id)
    person.until("run => ganPlayground.run === run && ganPlayground.store.frame?.cols === 10", run.id)
    page.click("#nearest-shown")
    page.wait_for_selector("#sample-grid .paired canvas >> nth=79")
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        person.until("""() => {
            const box = one => one.getBoundingClientRect(), middle = one => (box(one).left + box(one).right) / 2;
            const cells = [...document.querySelectorAll('.paired .gan-cell')];
            const names = [...document.querySelectorAll('.gan-columns span')];
            return names.length === 10 && names.every((name, k) => Math.abs(middle(name) - middle(cells[k])) < 4)
                && new Set(cells.slice(0, 10).map(cell => box(cell).top)).size === 1 && box(cells[10]).top > box(cells[0]).bottom
                && document.documentElement.scrollWidth <= innerWidth;
        }""")
    assert person.errors == []


def test_it_says_whether_it_waits_or_nothing_was_kept(few, visit):
    server, run = few
    person = visit(server.url)
    page, held = person.page, []
    page.wait_for_selector("#sample-grid img[src]:not([hidden])")
    page.route("**/frame*as=nearest-places*", lambda route: held.append(route))
    said = page.locator(".gan-nearest .gan-caption span").last
    page.click("#nearest-shown")
    page.wait_for_function("words => document.querySelector('.gan-nearest .gan-caption').innerText.endsWith(words)",
                           arg=text("nearest.asked"))
    while not held:
        page.wait_for_timeout(20)  # the browser's events are seen while the page waits
    held.pop().abort()
    person.until("words => document.querySelector('.gan-nearest .gan-caption').innerText.endsWith(words)", text("nearest.failed"))
    assert page.locator("#sample-grid img").is_visible() and not page.locator(".paired").count()
    page.click("#nearest-shown")
    page.click("#nearest-shown")
    assert said.inner_text() == text("nearest.asked"), "asked again"
    while not held:
        page.wait_for_timeout(20)
    held.pop().continue_()
    page.wait_for_selector("#sample-grid .paired")
    # Another run: what was found for this one is no longer said, while its own is on the way.
    other = next(one for one in list_runs(server.folder) if one.id != run.id)
    page.evaluate("run => ganPlayground.showRun(run)", other.id)
    person.until("run => ganPlayground.run === run", other.id)
    assert said.inner_text() == text("nearest.asked")
    while not held:
        page.wait_for_timeout(20)
    held.pop().continue_()
    page.wait_for_selector("#sample-grid .paired canvas >> nth=79")
    page.click("#nearest-shown")
    page.evaluate("run => ganPlayground.showRun(run)", run.id)
    person.until("run => ganPlayground.run === run", run.id)
    assert [error for error in person.errors if "ERR_FAILED" not in error] == []


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_nothing_that_is_said_under_the_fakes_is_cut_off(few, visit, lang):
    person = visit(few[0].url, locale={"en": "en-US", "fr": "fr-FR"}[lang])
    page = person.page
    page.wait_for_selector("#headline:not(.none)")
    assert page.evaluate("ganPlayground.state") == "paused"
    # The longest of what it may say, in the past too.
    page.evaluate("""() => {
        const { quality } = ganPlayground.store;
        for (const one of quality) Object.assign(one, { coverage: 1, nearest: 0.44 });
        quality.unshift({ ...quality[0], step: 0 });
        ganPlayground.emit('quality');
    }""")
    close = text("headline.close", lang, n=number(0.44, lang))
    assert close in page.locator("#headline .gan-long").text_content(), "copies are not praised by the share that they cover"
    for shown in ("", "?show=present"):
        for moment in ("End", "Home"):
            if shown and moment == "End":
                page.keyboard.press("p")
                page.wait_for_selector("[data-show=present]")
            page.evaluate("""home => { const slider = document.querySelector('.gan-scrub input');
                slider.value = home ? 0 : slider.max; slider.dispatchEvent(new Event('input')); }""", moment == "Home")
            for pressed in ("true", "false"):
                page.click("#nearest-shown")
                page.wait_for_selector(f"#nearest-shown[aria-pressed={pressed}]")
                for width, height in [*SIZES, (1920, 1080), (1024, 768), (640, 900)]:
                    page.set_viewport_size({"width": width, "height": height})
                    page.evaluate(SETTLED)
                    where = f"{lang} {width}x{height} {moment} {shown} {pressed}"
                    assert page.evaluate(CUT) == [], where
    assert person.errors == []

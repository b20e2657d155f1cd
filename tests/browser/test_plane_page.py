"""A run on 2-D points in the real page: its layers and their switches, its history, the driven point, and how it looks."""

import base64

import pytest
from conftest import Server
from test_look import OVERFLOW

from gan_core.config import PRESETS
from gan_core.evaluation.plane import to_json
from gan_core.runs.run import Run
from gan_core.ui.words import text

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
LAYERS = ("real", "fakes", "opinion", "arrows", "grid")
PLANE = "#sample-grid .gan-plane:not([hidden])"
# How many pixels of the plane are of the colours of meaning: opaque for marks, see-through for the map.
SEEN = """() => {
    const canvas = document.querySelector('#sample-grid canvas'), root = getComputedStyle(document.documentElement);
    const of = (name) => root.getPropertyValue(name).trim().match(/[0-9a-f]{2}/gi).map((two) => parseInt(two, 16));
    const named = Object.fromEntries(['real', 'gen', 'dis'].map((key) => [key, of('--' + key)]));
    const found = { real: 0, gen: 0, dis: 0, map: 0 };
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < data.length; i += 4) {
        const near = (key) => named[key].every((value, k) => Math.abs(value - data[i + k]) < 24);
        if (data[i + 3] > 130) for (const key of ['real', 'gen', 'dis']) found[key] += near(key);
        else found.map += data[i + 3] > 0;
    }
    return found;
}"""


# What the plane writes, and in how wide a part of it the discriminator's colour is seen, in shares of its side.
WRITTEN = """() => {
    const fill = CanvasRenderingContext2D.prototype.fillText, clear = CanvasRenderingContext2D.prototype.clearRect;
    window.written = [];
    CanvasRenderingContext2D.prototype.clearRect = function (...area) {
        if (this.canvas.className === 'gan-points') window.written = [];
        return clear.apply(this, area);
    };
    CanvasRenderingContext2D.prototype.fillText = function (words, ...place) {
        if (this.canvas.className === 'gan-points') window.written.push(words);
        return fill.call(this, words, ...place);
    };
}"""
BLUE_WIDTH = """() => {
    const canvas = document.querySelector('#sample-grid canvas'), { width, height } = canvas, columns = [];
    const wanted = getComputedStyle(document.documentElement).getPropertyValue('--dis').match(/[0-9a-f]{2}/gi)
        .map((two) => parseInt(two, 16));
    const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
    for (let i = 0; i < data.length; i += 4) {
        if (data[i + 3] > 130 && wanted.every((value, k) => Math.abs(value - data[i + k]) < 24)) columns.push((i / 4) % width);
    }
    return columns.length ? (Math.max(...columns) - Math.min(...columns)) / width : 0;
}"""


def points_run(folder, older, newest):
    """A stopped run of points with two frames, whose fakes are given: (fakes, fields that the frame has beside)."""
    run = Run.create(PRESETS["ring"], folder, preset="ring")
    view = {"view": [-1.0, 1.0, -1.0, 1.0]}
    heat = {"size": 48, "values": base64.b64encode(bytes(48 * 48)).decode()}
    for seq, (fakes, more) in enumerate((older, newest), start=1):
        warp = [[[0.0, 0.0]] * 17] * 17
        frame = {"fake": fakes, "push": [[0.0, 0.0]] * len(fakes), "heat": heat, "warp": warp, **view, **more}
        run.write_file(run.frame_path(seq, 10 * seq, ".json"), to_json(frame))
    run.write_file(run.real_path.with_suffix(".json"), to_json({"points": [[0.0, 0.5]], **view}))
    status = run.stored_status()
    status.state, status.step, status.seq = "stopped", 20, 2
    run.write_status(status)
    return run


def test_the_key_to_the_arrows_and_the_counts_of_fakes_outside_are_of_the_frame_that_is_shown(standing, visit):
    scale = {"full_arrow": 8.0, "longest_arrow": 0.125}
    run = points_run(standing.folder, ([[5.0, 0.0], [0.0, 0.0]], {}),
                     ([[-2.0, 0.0], [-3.0, 0.5], [0.1, 9.0], [0.2, 0.2]], scale))
    person = visit(standing.url)
    page, canvas = person.page, person.page.locator("#sample-grid canvas")
    page.evaluate(WRITTEN)
    page.evaluate("run => ganPlayground.showRun(run)", run.id)
    page.wait_for_selector(PLANE)
    key = text("plane.arrow_key", n=73)
    places = {side: text(f"plane.{side}") for side in ("left", "right", "top")}
    person.until("key => window.written.includes(key)", key)
    assert sorted(page.evaluate("written")) == sorted([key, "2", "1"])
    assert text("plane.outside", places=f"{places['left']} 2, {places['top']} 1") in canvas.get_attribute("aria-label")
    for name in LAYERS:
        layer(page, name, name == "arrows")
    drawn(page)
    assert page.evaluate("written") == [key]
    assert page.evaluate(BLUE_WIDTH) == pytest.approx(0.125, abs=0.01), "as long as the longest arrow"
    layer(page, "arrows", False)
    drawn(page)
    assert page.evaluate("written") == [] and page.evaluate(BLUE_WIDTH) == 0

    layer(page, "arrows", True)
    layer(page, "fakes", True)
    box = page.locator("[data-box=verdict]")
    assert box.evaluate("box => box.tagName") == "SPAN" and box.is_visible(), "the plane has no pictures to write verdicts under"
    page.locator(".gan-scrub input").focus()
    page.keyboard.press("Home")  # an older frame, whose arrows have a scale of their own
    person.until("() => window.written.join() === '1'")
    assert text("plane.outside", places=f"{places['right']} 1") in canvas.get_attribute("aria-label")
    page.evaluate("ganPlayground.showRun('starter-digits')")
    person.until("() => ganPlayground.store.data === 'images'")
    assert box.evaluate("box => box.tagName") == "BUTTON" and box.inner_text()
    assert person.errors == []


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    """A server on which the ring trains from beginning to end of this module."""
    from gradio_client import Client
    server = Server(tmp_path_factory.mktemp("plane") / "checkpoints")
    try:
        Client(server.url, verbose=False).predict("ring", "{}", api_name="/start")
        yield server
    finally:
        server.stop()


@pytest.fixture
def look(training, visit):
    """look(**visit's options) -> a person in front of the plane, everything on the page drawn once."""
    def come(width: int = 1440, height: int = 900, **options):
        person = visit(training.url, width, height, **options)
        person.page.wait_for_selector(PLANE, timeout=60_000)
        person.page.wait_for_selector("#latent-image.gan-smooth:not([hidden])", timeout=60_000)
        return person
    return come


def layer(page, name: str, on: bool) -> None:
    page.locator(f"#layer-{name}").set_checked(on)


def drawn(page) -> dict:
    """What is on the plane after the next drawing."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.evaluate(SEEN)


def held(person) -> None:
    """Nothing moves any more: paused, and the last frame has arrived."""
    if person.state() == "running":
        person.click("btn-pause")
    person.wait_state("paused")
    person.until("() => { const { frame, latent, status } = ganPlayground.store; "
                 "return frame.seq === status.seq && latent.live === status.live; }")
    person.page.wait_for_timeout(1000)  # points glide to their places, the slider bank's answer comes


def early(person) -> None:
    """Back to a moment whose arrows can be seen: those of a settled ring are hardly longer than their heads are wide."""
    page = person.page
    layer(page, "arrows", True)
    page.locator(".gan-scrub input").focus()
    key = "Home"
    for _ in range(20):
        at = page.locator(".gan-at").inner_text()
        page.keyboard.press(key)
        person.until("at => document.querySelector('.gan-at').textContent !== at", at)
        if drawn(page)["dis"] > 200:
            break
        key = "ArrowRight"
    layer(page, "arrows", False)


def test_the_plane_is_live_its_history_is_kept_and_nothing_is_reported_in_the_console(look):
    person = look()
    page = person.page
    sentence = []
    page.on("console", lambda message: sentence.append(message.text) if message.type in ("error", "warning") else None)
    first = page.evaluate("ganPlayground.frames")
    person.until("first => ganPlayground.frames > first + 3 && ganPlayground.store.history.length > 4", first)
    page.click("#settings-face [data-key=now]")
    assert page.locator(".gan-reals.points").is_visible() and not page.locator("#sample-grid img").is_visible()
    page.click("#settings-face [data-key=next]")
    assert page.locator(".gan-under .gan-caption").get_attribute("title") == text("plane.caption")
    seen = drawn(page)
    assert seen["real"] > 20 and seen["gen"] > 200

    slider = page.locator(".gan-scrub input")
    slider.focus()
    page.keyboard.press("Home")
    person.until("wanted => document.querySelector('.gan-at').textContent === wanted", text("samples.at_step", n=0, step=0))
    assert page.locator(".gan-past").count() == 1
    for _ in range(3):
        step = page.locator(".gan-at").inner_text()
        page.keyboard.press("ArrowRight")
        person.until("step => document.querySelector('.gan-at').textContent !== step", step)
    assert "step 0" not in page.locator("#sample-grid canvas").get_attribute("aria-label")
    page.locator(".gan-scrub button").click()
    frames = page.evaluate("ganPlayground.frames")
    person.until("frames => ganPlayground.frames > frames + 1", frames)
    assert page.locator(".gan-past").count() == 0
    assert sentence == [] and person.errors == []


def test_every_layer_has_a_switch_that_the_keyboard_reaches_and_the_browser_remembers(look):
    person = look()
    page = person.page
    held(person)
    for name in LAYERS:
        layer(page, name, False)
    page.evaluate("ganPlayground.emit('driven', null)")  # the ring of the slider bank is no layer
    assert set(drawn(page).values()) == {0}
    early(person)
    # What each layer alone puts on the plane: its own colour, and no other.
    for name, colour in (("real", "real"), ("fakes", "gen"), ("arrows", "dis"), ("opinion", "map")):
        layer(page, name, True)
        seen = drawn(page)
        assert seen[colour] > 20 and not any(seen[other] for other in {"real", "gen", "dis"} - {colour}), (name, seen)
        layer(page, name, False)
    page.evaluate("() => new Promise((done) => setTimeout(done))")  # the last click has had all its consequences
    box = page.locator("#layer-grid")
    box.focus()
    page.keyboard.press("Space")
    assert box.is_checked() and sum(drawn(page).values()) > 100
    assert person.state() == "paused", "the space bar was the switch's"
    page.reload()
    page.wait_for_selector(PLANE)
    assert {name: page.locator(f"#layer-{name}").is_checked() for name in LAYERS} == {name: name == "grid" for name in LAYERS}
    person.click("btn-resume")
    person.wait_state("running")
    assert person.errors == []


def test_a_slider_moves_its_point_on_both_planes(look):
    person = look()
    page = person.page
    held(person)
    shot = "() => document.querySelector('#sample-grid canvas').toDataURL()"
    before, small = page.evaluate(shot), page.locator("#latent-image").get_attribute("src")
    page.locator("#latent-sliders input").first.focus()
    for _ in range(25):
        page.keyboard.press("ArrowRight")
    person.until("small => document.getElementById('latent-image').src !== small", small)
    person.until("before => document.querySelector('#sample-grid canvas').toDataURL() !== before", before)
    assert page.locator("#latent-image").evaluate("image => image.naturalWidth") == 280
    assert page.locator("#latent-sliders input").count() == 2
    person.click("btn-resume")
    person.wait_state("running")
    assert person.errors == []


def test_the_plane_never_blinks(look):
    person = look()
    person.page.evaluate("""() => {
        window.watched = { looks: 0, blank: 0 };
        (function again() {
            const canvas = document.querySelector('#sample-grid canvas'), middle = canvas.width / 2;
            const { data } = canvas.getContext('2d').getImageData(0, middle, canvas.width, 1);
            watched.looks += 1;
            watched.blank += !data.some((value) => value);
            requestAnimationFrame(again);
        })();
    }""")
    frames = person.page.evaluate("ganPlayground.frames")
    person.until("frames => ganPlayground.frames > frames + 5", frames)
    looks, blank = person.page.evaluate("[watched.looks, watched.blank]")
    assert looks > 20 and blank == 0


def test_who_asked_for_less_motion_sees_each_frame_drawn_once(look):
    person = look(reduced_motion="reduce")
    person.until("() => ganPlayground.frames > 2")  # a page that is still being laid out draws once more where its size changes
    person.page.evaluate("""() => {
        const clear = CanvasRenderingContext2D.prototype.clearRect;
        window.drawings = 0;
        CanvasRenderingContext2D.prototype.clearRect = function (...area) {
            drawings += this.canvas.className === 'gan-points';
            return clear.apply(this, area);
        };
        ganPlayground.on('frame driven', () => { window.reasons = (window.reasons || 0) + 1; });
    }""")
    person.until("() => window.reasons > 8")
    drawings, reasons = person.page.evaluate("[drawings, reasons]")
    assert 0 < drawings <= reasons


@pytest.mark.parametrize("locale", ["en-US", "fr-FR"])
def test_the_plane_and_its_legend_fit_one_screen(look, locale):
    for width, height in ((1440, 900), (1280, 800)):
        page = look(width, height, locale=locale).page
        assert page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]") == [width, height]
        assert page.evaluate(OVERFLOW) == []
        stage = page.locator("#sample-grid").bounding_box()
        for part in ("#sample-grid canvas", ".gan-layers"):
            box = page.locator(part).bounding_box()
            assert box["x"] >= stage["x"] - 1 and box["x"] + box["width"] <= stage["x"] + stage["width"] + 1, (width, part)
            assert box["y"] >= stage["y"] - 1 and box["y"] + box["height"] <= stage["y"] + stage["height"] + 1, (width, part)
        assert page.locator("#sample-grid canvas").bounding_box()["width"] > (420 if width == 1440 else 250)
        assert page.locator(".gan-layer label").evaluate_all("all => all.every(one => one.scrollWidth <= one.clientWidth)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_the_plane_above_its_legend(look, scheme):
    page = look(390, 844, color_scheme=scheme, locale="fr-FR", device_scale_factor=2, has_touch=True).page
    assert page.evaluate("document.documentElement.scrollWidth") == 390 and page.evaluate(OVERFLOW) == []
    canvas, legend = (page.locator(part).bounding_box() for part in ("#sample-grid canvas", ".gan-layers"))
    assert legend["y"] >= canvas["y"] + canvas["height"] and canvas["width"] > 300
    assert page.locator("#sample-grid canvas").evaluate("canvas => canvas.width") >= 2 * (canvas["width"] - 8)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_the_plane(look, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = look(color_scheme=scheme).page
    found = axe.run(page).response["violations"]
    serious = [violation for violation in found if violation["impact"] in ("serious", "critical")]
    assert [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in serious] == []

"""The lesson of docs/teaching.md after its 20 minutes: points in the plane, and data that the class brings."""

import numpy as np
import pytest
from conftest import Server
from test_data_page import choose, facts
from test_lesson import press, settled

from gan_core.ui.words import text

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
LAYERS = ("real", "fakes", "opinion", "arrows", "grid")
PLANE = """() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() =>
    done(document.querySelector('#sample-grid canvas').toDataURL()))))"""


@pytest.fixture(scope="module")
def school(tmp_path_factory):
    """One server for the whole module, with a data folder of its own."""
    folder = tmp_path_factory.mktemp("school")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAN_PLAYGROUND_DATA", str(folder / "data"))
        server = Server(folder / "checkpoints")
    yield server
    server.stop()


def now(person) -> tuple[np.ndarray, np.ndarray, str]:
    """(fakes, arrows, the Expert's opinion) of the frame on the page, by the Counterfeiter as it is now."""
    points = person.page.evaluate("ganPlayground.store.frame.points")
    return np.array(points["now"]["fake"]), np.array(points["now"]["push"]), points["heat"]["values"]


def only(page, *names: str) -> str:
    """What is on the plane when only these layers are switched on."""
    for name in LAYERS:
        page.locator(f"#layer-{name}").set_checked(name in names)
    return page.evaluate(PLANE)


def test_one_step_moves_the_fakes_along_their_arrows_and_the_experts_move_the_map(school, visit):
    person = visit(school.url, reduced_motion="reduce")
    page = person.page
    page.locator("#preset label", has_text=text("presets.ring.name")).click()
    person.until("ring => document.querySelector('#dataset input').value === ring", text("settings.dataset.ring"))
    person.start()
    # The same 50 steps on every machine, so from the first one.
    person.click("btn-reset")
    old = page.evaluate("ganPlayground.run")
    page.get_by_role("button", name=text("dialog.reset_paused")).click()
    person.until("old => ganPlayground.run !== old && ganPlayground.state === 'paused'", old)
    page.select_option("#step-stride", "10")
    for _ in range(5):
        person.click("btn-step")
    settled(person, 50)
    page.select_option("#step-stride", "1")
    page.evaluate("ganPlayground.emit('driven', null)")  # the ring of the slider bank is no layer
    seen = [only(page, *LAYERS[:count]) for count in range(len(LAYERS) + 1)]
    assert len(set(seen)) == len(seen), "each layer that is switched on adds to the plane"
    fakes, arrows, _ = now(person)
    assert len(fakes) == 512 and len(arrows) == 64, "every fake is a point, and an eighth of them have an arrow"
    scale = page.locator("[data-layer=arrows]").get_attribute("title")
    assert scale == text("plane.arrow_scale", rise="1", n="73"), "and they have one scale"

    press(person, "btn-step-g", 1)
    moved, _, _ = now(person)
    ways = (moved - fakes)[:len(arrows)]
    cosine = (ways * arrows).sum(1) / (np.linalg.norm(ways, axis=1) * np.linalg.norm(arrows, axis=1) + 1e-12)
    assert cosine.mean() > 0.2, "the fakes moved along their arrows"

    _, _, opinion = now(person)
    points, map_ = only(page, "real", "fakes"), only(page, "opinion")
    press(person, "btn-step-d", 10)
    still, _, changed = now(person)
    assert (still == moved).all() and only(page, "real", "fakes") == points, "the fakes do not change"
    assert changed != opinion and only(page, "opinion") != map_, "the map does"
    assert person.errors == []


def test_fakes_run_along_what_was_drawn_by_hand(school, visit):
    person = visit(school.url)
    page = person.page
    page.click("#settings-face [data-key=next]")
    choose(person, "drawn")
    box = page.locator("#data-pad").bounding_box()
    for x in (0.25, 0.75):  # two strokes that do not touch
        page.mouse.move(box["x"] + x * box["width"], box["y"] + 0.2 * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + x * box["width"], box["y"] + 0.8 * box["height"], steps=12)
        page.mouse.up()
    facts(person, text("data.facts_points", n="100,000"))
    person.begin(text("knobs.begin_these"))
    assert page.evaluate("ganPlayground.store.config.dataset").startswith("drawn:")
    strokes = np.array(page.evaluate("ganPlayground.store.real.points"))
    near = np.unique(np.round(strokes, 2), axis=0)
    left, right = strokes[strokes[:, 0] < 0.5][:, 0].max(), strokes[strokes[:, 0] > 0.5][:, 0].min()
    assert right - left > 0.2, "the real points are two islands"
    person.until("""([near, reach]) => {
        const fakes = ganPlayground.store.frame.points?.fake ?? [];
        const on = fakes.filter(([x, y]) => near.some(([a, b]) => Math.hypot(x - a, y - b) < reach));
        return on.length > 0.6 * fakes.length && fakes.some(([x]) => x < 0.5) && fakes.some(([x]) => x > 0.5);
    }""", [near.tolist(), 0.05], seconds=90)
    assert person.errors == []


def test_fifty_digits_are_what_the_networks_see_and_nearest_is_under_quality(school, visit):
    person = visit(school.url)
    page = person.page
    page.click("#settings-face [data-key=next]")
    choose(person, "digits")
    page.click("#data-form-door")
    page.locator("#field-max_images input").fill("50")
    page.keyboard.press("Enter")
    facts(person, "50 pictures")
    page.locator("#preset label", has_text=text("presets.quick.name")).click()
    person.begin(text("knobs.begin", name=text("presets.quick.name")))
    assert page.evaluate("ganPlayground.store.config.max_images") == 50
    person.measure_often()
    page.click("#curves-face [data-key=quality]")
    nearest = page.locator("#quality-curves [data-measure=nearest]")
    nearest.wait_for(timeout=120_000)
    assert text("measures.nearest") in nearest.inner_text()
    nearest.focus()
    assert text("measures.nearest.help") in page.locator("#quality-curves .gan-told").inner_text()
    assert person.errors == []

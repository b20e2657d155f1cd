"""Presentation mode, and what is read from far away: the sentences of its assertions are what a class in the last row needs."""

import os
import signal

import pytest
from test_reach import Walker

from gan_core.ui.words import text

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

ON = "() => document.documentElement.dataset.show === 'present'"
OFF = "() => !('show' in document.documentElement.dataset)"
ONE_SCREEN = [(1920, 1080), (1280, 720), (1024, 768), (1366, 610)]
SCROLLING = [(820, 1180), (390, 844), (683, 384)]
NUMBERS = ("#run-state", "#run-step", ".gan-box.v", "#loss-curves .gan-key b", ".gan-verdict b", ".gan-share")
SEEN = ("gan-bar", "run-name", "run-state", "run-step", "btn-step", "btn-step-d", "btn-step-g", "sample-grid", "loss-curves",
        "latent-image", "gan-present")
STEPS = ("btn-step", "btn-step-d", "btn-step-g")
UNSEEN = ("gan-settings", "latent-sliders", "latent-seed", "btn-save", "curves-face", "btn-restore", "gan-language")
NONE = {"run": None, "name": "", "preset": "", "kind": "none", "status": None, "frame": None, "real": None, "latent": None,
        "about": None, "history": [], "quality": [], "marks": [], "series": {"step": []}, "controls": {"start": True},
        "active": None}
SIZES = """selectors => Object.fromEntries(selectors.map((one) =>
    [one, parseFloat(getComputedStyle(document.querySelector(one)).fontSize)]))"""
# What stands beyond the window, and what its own box cuts off.
CUT = """() => [...document.querySelectorAll('#gan-bar *, #gan-train, #gan-train *')].filter(one => {
    const box = one.getBoundingClientRect(), { overflowX, overflowY, position } = getComputedStyle(one);
    if (!one.checkVisibility() || !box.width || !box.height || one.closest('.gan-hidden, .bk-Canvas, svg')) return false;
    const clipped = (overflowX !== 'visible' && one.scrollWidth > one.clientWidth + 1)
        || (overflowY !== 'visible' && one.scrollHeight > one.clientHeight + 1);
    return clipped || box.right > innerWidth + 1 || box.bottom > innerHeight + 1 || box.left < -1 || box.top < -1;
}).map(one => `${one.tagName} ${one.id} ${one.className}`)"""
# Whether what these boxes hold stands in one line each.
ONE_LINE = """selectors => selectors.every((one) => {
    const boxes = [...document.querySelector(one).children].filter(each => each.checkVisibility())
        .map(each => each.getBoundingClientRect()).filter(({ width }) => width);
    return Math.max(...boxes.map(({ top }) => top)) < Math.min(...boxes.map(({ bottom }) => bottom));
})"""
# The charts that are seen: how large, and with what letters.
CHARTS = """() => [...document.querySelectorAll('.gan-plotbox')].filter(box => box.checkVisibility()).map(box => {
    const plot = box.querySelector('.gan-plot').getBoundingClientRect(), { height } = box.getBoundingClientRect();
    const figures = (window.Bokeh?.documents ?? []).flatMap(one => one.roots())
        .filter(one => Math.abs(one.height - Math.floor(height)) < 9);
    return { kind: box.dataset.chart, height: Math.round(height), wide: Math.round(plot.width),
             letters: figures.map(one => parseFloat(one.below[0].major_label_text_font_size)) };
})"""


def look_at(person, run):
    """Everything of this run is on the page."""
    person.page.evaluate("run => ganPlayground.showRun(run)", run)
    person.until("run => ganPlayground.run === run && ganPlayground.store.frame", run)
    person.page.wait_for_selector("#sample-grid :is(img[src], .gan-plane):not([hidden])")


def letters(person, kind):
    """Of the one chart that is seen, once it has the size of its place."""
    person.until(f"kind => {{ const charts = ({CHARTS})(); return charts.length === 1 && charts[0].kind === kind"
                 " && charts[0].letters.length > 0; }", kind)
    return person.page.evaluate(CHARTS)[0]["letters"][-1]


def test_an_address_with_nonsense_opens_the_normal_page(school, visit):
    person = visit(school[0].url + "?show=banana")
    assert person.page.evaluate(OFF)
    person.page.locator("#gan-settings").wait_for()
    assert person.page.get_by_role("tab").first.is_visible() and person.page.locator("#chart-shown").is_hidden()
    assert person.errors == []


def test_entering_and_leaving_change_nothing_but_the_look(school, visit):
    server, runs = school
    person = visit(server.url, 1440, 900)
    page = person.page
    look_at(person, runs["conditional"])
    page.wait_for_selector("#latent-sliders input")
    page.locator("#latent-sliders input").nth(2).fill("1.5")
    page.evaluate("window.stayed = [...document.querySelectorAll('gan-part')]")
    where = """() => [...document.querySelectorAll('#gan-settings, #gan-stage, #gan-side, #gan-bottom, #gan-transport')]
        .map(one => { const box = one.getBoundingClientRect(); return [box.x, box.y, box.width, box.height]; })"""
    page.wait_for_selector(".gan-plotbox .gan-empty", state="hidden")
    before, address = page.evaluate(where), page.url

    page.click("#gan-present")
    person.until(ON)
    assert page.url == address + "?show=present", "the address follows the button"
    assert page.evaluate("document.activeElement === document.body"), "after the mouse the keys are the page's"
    person.until("() => document.querySelector('#gan-present').title.length > 0")
    assert page.locator("#gan-present").get_attribute("aria-label") == text("bar.present_leave")
    page.go_back()
    person.until(OFF)
    page.go_forward()
    person.until(ON)
    page.keyboard.press("Escape")
    person.until(OFF)
    assert page.url == address
    page.keyboard.press("p")
    person.until(ON)
    page.click("#gan-present")
    person.until(OFF)
    assert page.evaluate("stayed.every((one, i) => one === document.querySelectorAll('gan-part')[i])"), "no reload, no new parts"
    assert page.locator("#latent-sliders input").nth(2).input_value() == "1.5"
    assert page.evaluate(where) == before

    page.get_by_role("tab").nth(1).click()
    page.wait_for_selector("#runs label")
    page.click("#gan-present")
    page.wait_for_selector("#gan-grid")
    page.locator("#runs").wait_for(state="hidden")
    page.keyboard.press("r")
    page.wait_for_selector("dialog[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="detached")
    assert page.evaluate(ON), "Escape closes the dialog first"
    assert person.errors == []


@pytest.mark.parametrize(("locale", "scheme", "kind"), [
    ("en-US", "light", "conditional"), ("fr-FR", "dark", "ring"), ("fr-FR", "light", "none")])
def test_it_fits_the_window_and_shows_nothing_else(school, visit, locale, scheme, kind):
    server, runs = school
    person = visit(server.url + "?show=present", 1920, 1080, locale=locale, color_scheme=scheme)
    page = person.page
    assert page.evaluate(ON)
    if kind == "none":
        page.wait_for_selector("#sample-grid img[src]:not([hidden])")
        page.evaluate("none => { Object.assign(ganPlayground.store, none); ganPlayground.emit('snapshot'); }", NONE)
        assert page.locator("#sample-grid .gan-empty").inner_text() == text("samples.empty", locale[:2])
    else:
        look_at(person, runs[kind])
        page.wait_for_selector("#latent-image[src]")
    for size in ONE_SCREEN + SCROLLING:
        walker = Walker(page, [size])
        walker.walk("presented")
        assert walker.found == [], "\n" + "\n".join(walker.found)
        if size in ONE_SCREEN:
            assert page.evaluate(ONE_LINE, ["#gan-transport", ".gan-flow"]), size
            person.until(f"() => ({CUT})().length === 0")
            assert page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]") == [*size]
    if kind != "none":
        # A run that can be resumed or begun makes no steps, and a second button has their place.
        assert page.locator("#btn-start").is_visible() and page.locator("#btn-resume").is_visible() == (kind == "ring")
        missing = [one for one in SEEN if not page.locator(f"#{one}").is_visible()]
        assert missing == (list(STEPS) if kind == "ring" else [])
    assert [one for one in UNSEEN if page.locator(f"#{one}").is_visible()] == []
    assert [one for one in page.get_by_role("tab").all() if one.is_visible()] == []
    assert page.locator(".gan-plotbox:visible").count() == 1, "one chart"
    assert person.errors == []


def test_numbers_are_as_large_as_the_window_allows(school, visit):
    server, runs = school
    person = visit(server.url + "?show=present", 1920, 1080)
    page = person.page
    look_at(person, runs["conditional"])
    sizes = page.evaluate(SIZES, NUMBERS)
    assert all(28 <= size <= 36 for size in sizes.values()), sizes
    assert 28 <= letters(person, "losses") <= 36
    page.click("#chart-shown [data-key=beliefs]")
    assert 28 <= letters(person, "beliefs") <= 36
    page.click("#chart-shown [data-key=quality]")
    assert 28 <= letters(person, "head") <= 36
    page.set_viewport_size({"width": 3840, "height": 2160})
    assert all(56 <= size <= 72 for size in page.evaluate(SIZES, NUMBERS).values()), "twice the screen, twice the size"
    page.set_viewport_size({"width": 1280, "height": 720})
    assert all(28 * 2 / 3 <= size <= 36 * 2 / 3 for size in page.evaluate(SIZES, NUMBERS).values())
    assert letters(person, "head") < 28, "the charts follow"

    # The normal page has the face of the chart that was presented, and its own letters.
    page.keyboard.press("Escape")
    person.until(OFF)
    assert page.locator("#curves-face [data-key=quality]").get_attribute("aria-pressed") == "true"
    page.set_viewport_size({"width": 1920, "height": 1080})
    sizes = page.evaluate(SIZES, NUMBERS)
    assert all(16 <= size < 20 for size in sizes.values()), sizes


def test_the_fakes_have_the_room_of_a_low_laptop(school, visit):
    person = visit(school[0].url, 1280, 720)
    look_at(person, "starter-digits")
    person.page.wait_for_selector("#latent-sliders input")
    person.until("() => document.querySelector('#sample-grid img[src]:not([hidden])')?.offsetWidth >= 305")


def test_a_run_is_driven_from_the_presentation(playground, visit):
    person = visit(playground.url + "?show=present", 1280, 720)
    page = person.page
    person.start()
    where = """() => ['btn-step', 'btn-step-g', 'sample-grid', 'loss-curves']
        .map(id => document.getElementById(id).getBoundingClientRect().top)
        .concat(document.getElementById('run-name').getBoundingClientRect().left)"""
    before = page.evaluate(where)
    held = person.pause()
    page.wait_for_selector("#step-stride")
    page.select_option("#step-stride", "10")
    person.click("btn-step-g")
    person.until("step => ganPlayground.step === step && ganPlayground.store.status.probe?.before", held + 10)
    person.until("() => /\\d.*\\d/.test(document.querySelector('.gan-box.v').textContent)")
    assert page.evaluate(where) == before, "pausing and stepping move nothing"
    for width, height in ONE_SCREEN:
        page.set_viewport_size({"width": width, "height": height})
        person.until(f"() => ({CUT})().length === 0")
        assert page.evaluate(ONE_LINE, ["#gan-transport", ".gan-flow"]), width
    page.locator(".gan-scrub").wait_for(state="hidden")

    person.click("btn-resume")
    person.wait_state("running")
    os.kill(page.evaluate("ganPlayground.store.status.pid"), signal.SIGKILL)
    person.wait_state("failed")
    page.locator(".gan-banner").wait_for()
    assert text("banner.killed") in page.locator(".gan-banner").inner_text()
    for width, height in ONE_SCREEN:
        page.set_viewport_size({"width": width, "height": height})
        person.until(f"() => ({CUT})().length === 0")
    page.evaluate("""sentence => {
        Object.assign(ganPlayground.store.status.error, { kind: 'crashed', said: null, message: sentence });
        ganPlayground.emit('status');
    }""", "A sentence as long as no refusal of ours is yet. " * 9)
    for width, height in ONE_SCREEN:
        page.set_viewport_size({"width": width, "height": height})
        banner, bar = page.locator(".gan-banner").bounding_box(), page.locator("#gan-bar").bounding_box()
        assert banner["y"] + banner["height"] <= bar["y"] + bar["height"] + 1, "it covers nothing and moves nothing"
    assert page.locator("#btn-resume").is_enabled()
    assert person.errors == []

"""What the page looks like: it fits, on a desk and on a phone, in both colours and both languages, for axe too."""

import pytest

from gan_core.ui.words import text

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

OVERFLOW = """() => [...document.querySelectorAll('body *')].filter(e => {
    const box = e.getBoundingClientRect();
    return box.width && box.right > innerWidth + 1 && getComputedStyle(e).position !== 'absolute';
}).map(e => e.tagName + '#' + e.id + '.' + e.className).slice(0, 5)"""


@pytest.mark.parametrize("locale", ["en-US", "fr-FR"])
def test_everything_fits_one_screen_without_scrolling(standing, visit, locale):
    person = visit(standing.url, locale=locale)
    person.page.wait_for_selector("#sample-grid img[src]:not([hidden])")
    person.page.wait_for_selector("#latent-sliders input")
    assert person.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]") == [1440, 900]
    assert person.page.evaluate(OVERFLOW) == []
    for part in ("gan-bar", "gan-settings", "gan-stage", "gan-side", "gan-bottom", "sample-grid", "loss-curves", "latent-sliders",
                 "btn-save"):
        box = person.page.locator(f"#{part}").bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 900 and box["x"] + box["width"] <= 1440, part


def test_pixels_are_drawn_at_a_whole_multiple(standing, visit):
    person = visit(standing.url)
    for selector, native in (("#sample-grid img", 224), ("#latent-image", 28), ("#data-preview img", 224)):
        person.page.wait_for_selector(f"{selector}[src]:not([hidden])")
        # Other parts of the page may still be arriving; the picture follows the room that they leave it.
        person.until("""([selector, native]) => {
            const image = document.querySelector(selector);
            const whole = image.clientWidth > 0 && image.clientWidth % native === 0;
            return whole && getComputedStyle(image).imageRendering === 'pixelated';
        }""", [selector, native])


@pytest.mark.parametrize("locale", ["en-US", "fr-FR"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_stacks_without_sideways_scrolling(standing, visit, scheme, locale):
    person = visit(standing.url, 390, 844, color_scheme=scheme, locale=locale, device_scale_factor=2, has_touch=True)
    page = person.page
    page.wait_for_selector("#sample-grid img[src]:not([hidden])")
    page.wait_for_selector("#latent-sliders input")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate(OVERFLOW) == []
    order = ["gan-bar", "gan-grid", "gan-transport", "gan-bottom", "gan-side", "gan-settings"]
    tops = [page.locator(f"#{part}").bounding_box()["y"] for part in order]
    assert tops == sorted(tops)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(standing, visit, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    person = visit(standing.url, color_scheme=scheme)
    page = person.page
    page.wait_for_selector("#latent-sliders input")
    page.wait_for_selector(".gan-plotbox .gan-empty", state="hidden")
    for tab in page.get_by_role("tab").all():
        tab.click()
        found = axe.run(page).response["violations"]
        serious = [violation for violation in found if violation["impact"] in ("serious", "critical")]
        assert [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in serious] == []


def test_colours_and_language_are_chosen_and_kept(standing, visit):
    person = visit(standing.url, color_scheme="light")
    page = person.page
    page.click(".gan-icon")
    assert page.evaluate("document.body.classList.contains('dark')")
    page.click("#gan-language")
    page.wait_for_selector("html[lang=fr]")
    page.wait_for_selector(f"#btn-start:has-text('{text('transport.start', 'fr')}')")
    assert page.locator("#gan-flow").inner_text().startswith(text("flow.noise", "fr"))
    page.reload()
    page.wait_for_selector("html[lang=fr]")
    page.wait_for_selector("#btn-start")
    person.until("() => document.body.classList.contains('dark')")
    page.click("#gan-language")
    page.wait_for_selector("html[lang=en]")


def test_numbers_that_grow_move_nothing(standing, visit):
    person = visit(standing.url)
    page = person.page
    where = """() => [...document.querySelectorAll('#gan-stage, #gan-side, #gan-bottom, #sample-grid, #btn-save, .gan-legend')]
        .map(e => { const b = e.getBoundingClientRect(); return [b.x, b.y, b.width, b.height]; })"""
    page.wait_for_selector("#latent-sliders input")
    page.wait_for_selector("#sample-grid img[src]:not([hidden])")
    before = page.evaluate(where)
    page.evaluate("""() => {
        Object.assign(ganPlayground.store.status, { step: 98765432, images: 9876543210, speed: 123456, elapsed: 360000 });
        ganPlayground.emit('status');
    }""")
    assert page.evaluate(where) == before

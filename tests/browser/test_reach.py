"""Nothing on the page is out of reach: every control of every face is scrolled into view, on screens from a phone to a desk."""

import shutil

import pytest
from conftest import FLAGS, Person

from gan_core.ui.words import text

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

# A laptop with the bars of its browser, a frame in a page, the smallest desk, tablets both ways, phones, and a zoom of 200% on
# 1366x768, which is half of it. Where scrollbars take room (`classic`) less is left for the page.
VIEWS = {
    "desk": ({"locale": "en-US", "color_scheme": "light"}, True,
             [(1366, 610), (1280, 720), (1280, 600), (1024, 768), (820, 1180)]),
    "tablet": ({"locale": "fr-FR", "color_scheme": "dark"}, False,
               [(1366, 610), (1280, 720), (1180, 820), (1024, 768), (820, 1180), (390, 844)]),
    "zoom": ({"locale": "fr-FR", "color_scheme": "light", "device_scale_factor": 2}, True, [(960, 540), (683, 384), (640, 360)]),
    "phone": ({"locale": "en-US", "color_scheme": "dark", "device_scale_factor": 2, "has_touch": True, "is_mobile": True}, False,
              [(390, 844), (360, 640)]),
}

# What is wrong within `root`, one line each. An ancestor that hides its overflow can be scrolled by a script and by no person.
WALK = """root => {
    const faults = [];
    const named = e => e.id || e.getAttribute('aria-label') || e.textContent.trim().slice(0, 30) || e.className || e.tagName;
    const inside = (box, frame, slack) => box.left >= frame.left - slack && box.right <= frame.right + slack
        && box.top >= frame.top - slack && box.bottom <= frame.bottom + slack;
    const controls = 'button, input, select, textarea, a[href], summary, .gan-layer label, [tabindex]:not([tabindex="-1"])';
    for (const control of document.querySelector(root).querySelectorAll(controls)) {
        const shown = { opacityProperty: false, visibilityProperty: true };
        if (!control.checkVisibility(shown) || control.type === 'file') continue;
        if (control.closest('.visually-hidden, [aria-hidden=true], .gan-skips')) continue;
        // A radio button out of sight stands for its label.
        const small = control.offsetWidth <= 1 || getComputedStyle(control).opacity === '0';
        const target = small && control.closest('label') || control;
        target.scrollIntoView({ block: 'nearest', inline: 'nearest', behavior: 'instant' });
        const fault = what => faults.push(`${named(control)}: ${what}`);
        for (let one = target.parentElement; one; one = one.parentElement) {
            const { overflowX, overflowY } = getComputedStyle(one);
            if ((overflowX === 'hidden' && one.scrollLeft) || (overflowY === 'hidden' && one.scrollTop)) {
                one.scrollTo(0, 0);
                fault(`${named(one)} cuts it off`);
            }
        }
        const box = target.getBoundingClientRect();
        if (box.width < 2 || box.height < 2) { fault('has no size'); continue; }
        const { clientWidth, clientHeight } = document.documentElement;
        if (!inside(box, { left: 0, top: 0, right: clientWidth, bottom: clientHeight }, 1)) {
            fault(`is not in view: ${[box.x, box.y, box.width, box.height].map(Math.round)}`);
            continue;
        }
        for (let one = target.parentElement; one && one !== document.body; one = one.parentElement) {
            const { display, overflowX, overflowY } = getComputedStyle(one), frame = one.getBoundingClientRect();
            if (display === 'contents' || (overflowX === 'visible' && overflowY === 'visible')) continue;
            const fits = box.height <= frame.height || overflowY === 'hidden';
            if (fits && !inside(box, frame, 2)) fault(`is cut by ${named(one)}`);
        }
        const hit = document.elementFromPoint((box.left + box.right) / 2, (box.top + box.bottom) / 2);
        const own = hit && (target.contains(hit) || [...(control.labels ?? [])].some(one => one.contains(hit)));
        if (!own) fault(`is covered by ${hit ? `${hit.tagName} ${named(hit)}` : 'nothing'}`);
    }
    return faults;
}"""

# Cards over one another, pictures larger than their place, and what makes the page wider than the screen.
SPREAD = """() => {
    const faults = [], box = e => e.getBoundingClientRect(), { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth > clientWidth) faults.push(`the page is ${scrollWidth - clientWidth} pixels too wide`);
    const cards = ['gan-bar', 'gan-settings', 'gan-stage', 'gan-side', 'gan-bottom'].map(id => document.getElementById(id))
        .filter(card => card.checkVisibility());
    cards.forEach((one, k) => cards.slice(k + 1).forEach(other => {
        const a = box(one), b = box(other);
        if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1) {
            faults.push(`${one.id} and ${other.id} overlap`);
        }
    }));
    for (const card of cards) {
        if (card.scrollWidth > card.clientWidth + 1) faults.push(`what stands in ${card.id} is wider than it`);
        if (card.scrollHeight > card.clientHeight + 1 && !/auto/.test(getComputedStyle(card).overflowY)) {
            faults.push(`what stands in ${card.id} is ${card.scrollHeight - card.clientHeight} pixels higher than it`);
        }
    }
    const places = { '#data-preview img': '#data-preview', '#sample-grid img': '#sample-grid', '.gan-plane': '#sample-grid' };
    for (const [inner, outer] of Object.entries(places)) {
        const one = document.querySelector(inner);
        if (!one?.checkVisibility()) continue;
        const a = box(one), b = box(document.querySelector(outer));
        if (a.width > b.width + 1 || a.height > b.height + 5) faults.push(`${inner} is larger than its place`);
    }
    return faults;
}"""
SETTLED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(done))))"


@pytest.fixture(scope="module")
def classic(chromium):
    """A browser whose scrollbars take room beside the page."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    browser = chromium.browser_type.launch(executable_path=path, args=FLAGS, ignore_default_args=["--hide-scrollbars"])
    yield browser
    browser.close()


class Walker:
    """Somebody who tries every control of a face on each screen."""

    def __init__(self, page, sizes) -> None:
        self.page, self.sizes, self.found = page, sizes, []

    def spread(self) -> list[str]:
        """What is wrong with the layout, once the charts have their new size too."""
        faults = self.page.evaluate(SPREAD)
        for _ in range(15):
            if not faults:
                break
            self.page.wait_for_timeout(100)
            faults = self.page.evaluate(SPREAD)
        return faults

    def walk(self, face: str, root: str = "body") -> None:
        for width, height in self.sizes:
            self.page.set_viewport_size({"width": width, "height": height})
            self.page.evaluate(SETTLED)
            for fault in [*self.spread(), *self.page.evaluate(WALK, root)]:
                self.found.append(f"{width}x{height}, {face}: {fault}")


def choose(person, kind, lang):
    page = person.page
    page.click("#dataset input")
    page.locator("#dataset li", has_text=text(f"settings.dataset.{kind}", lang)).first.click()
    person.until("kind => document.getElementById('gan-data').dataset.kind === kind", kind)


def walk_data(person, walker, lang, tmp_path):
    """Every kind of data that has a face of its own, with what it says of a mistake."""
    page = person.page
    bad = tmp_path / "not.zip"
    bad.write_bytes(b"this is no archive")
    choose(person, "zip", lang)
    page.locator("#data-upload input[type=file]").set_input_files(bad)
    page.locator("#gan-data-notice p[role=alert]").wait_for()
    walker.walk("a refused upload", "#gan-settings")
    choose(person, "folder", lang)
    page.locator("#data-folder :is(textarea, input)").fill(str(tmp_path / "nothing"))
    page.locator("#data-folder :is(textarea, input)").press("Enter")
    person.until("() => document.getElementById('data-preview').dataset.state === 'refused'")
    walker.walk("a folder", "#gan-settings")
    choose(person, "quickdraw", lang)
    walker.walk("doodles", "#gan-settings")
    choose(person, "drawn", lang)
    walker.walk("drawn points", "#gan-settings")
    choose(person, "digits", lang)
    page.locator("#data-preview img[src]:not([hidden])").wait_for()


@pytest.mark.parametrize("view", VIEWS)
def test_every_control_can_be_reached(standing, chromium, classic, tmp_path, view):
    options, bars, sizes = VIEWS[view]
    lang = options["locale"][:2]
    context = (classic if bars else chromium).new_context(viewport={"width": sizes[0][0], "height": sizes[0][1]}, **options)
    person = Person(context.new_page())
    page, walker = person.page, Walker(person.page, sizes)
    page.goto(standing.url)
    page.wait_for_selector("#latent-sliders input")
    page.wait_for_selector("#sample-grid img[src]:not([hidden]), .gan-points")
    page.wait_for_selector("#data-preview img[src]:not([hidden])")
    walker.walk("as it comes")
    page.click("#data-form-door")
    walker.walk("size, colour, number", "#gan-settings")
    if view in ("desk", "phone"):
        walk_data(person, walker, lang, tmp_path)
    page.click("#data-form-door")
    page.click("#gan-advanced > button")
    page.locator("#gan-advanced .gan-group > button").first.wait_for()
    page.evaluate("document.querySelectorAll('#gan-advanced .gan-group > button').forEach(door => door.click())")
    walker.walk("every field", "#gan-settings")
    page.locator("#settings-face .gan-seg").nth(1).click()
    page.evaluate("document.querySelectorAll('#gan-knobs details').forEach(fold => { fold.open = true; })")
    walker.walk("this run", "#gan-settings")
    page.locator("#curves-face .gan-seg").nth(1).click()
    walker.walk("quality", "#gan-side")
    page.get_by_role("tab").nth(1).click()
    page.locator("#runs label").first.wait_for()
    walker.walk("runs")
    context.close()
    assert walker.found == [], "\n" + "\n".join(walker.found)
    assert person.errors == []


def test_every_control_of_a_plane_can_be_reached(playground, visit):
    person = visit(playground.url)
    page = person.page
    page.wait_for_selector("#data-preview img[src]:not([hidden])")
    page.locator("#preset input[value=ring]").check(force=True)
    person.until("() => !ganPlayground.store.pending && document.getElementById('gan-data').classList.contains('points')")
    person.start()
    page.wait_for_selector(".gan-points")
    person.pause()
    page.wait_for_selector("#latent-sliders input")
    walker = Walker(page, [(1440, 900), (1280, 720), (1280, 600), (1180, 820), (1024, 768), (820, 1180), (768, 1024), (360, 640)])
    walker.walk("a plane")
    page.locator("#settings-face .gan-seg").nth(1).click()
    page.evaluate("document.querySelectorAll('#gan-knobs details').forEach(fold => { fold.open = true; })")
    walker.walk("knobs", "#gan-settings")
    assert walker.found == [], "\n" + "\n".join(walker.found)

"""The page by keyboard alone: where the focus goes, single keys and the page without them, skip links; and forced colours."""

import pytest

from gan_core.ui.words import text

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

# How many drawn frames the focus was nowhere, at the longest time.
WATCH = """() => {
    window.nowhere = 0;
    let lost = 0;
    const look = () => {
        lost = !document.activeElement || document.activeElement === document.body ? lost + 1 : 0;
        window.nowhere = Math.max(window.nowhere, lost);
        requestAnimationFrame(look);
    };
    requestAnimationFrame(() => requestAnimationFrame(look));
}"""


def at_work(person):
    """A run trains: begun once on the server of this module, and gone on with after that."""
    if person.state() == "paused":
        person.click("btn-resume")
        person.wait_state("running")
    elif person.state() != "running":
        person.start()


def has_focus(person, selector):
    """Wait until a control has the focus, which nothing else had meanwhile."""
    person.until("selector => document.activeElement.matches(selector)", selector, seconds=20)


def tab_to(person, selector, most=90, key="Tab"):
    """Go on by Tab until a control has the focus."""
    for _ in range(most):
        person.page.keyboard.press(key)
        if person.page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} is not reached by {most} times {key}")


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_links_at_the_start_lead_over_everything_to_what_one_came_for(standing, visit, lang):
    person = visit(standing.url, locale={"en": "en-US", "fr": "fr-FR"}[lang])
    page = person.page
    page.wait_for_selector("#latent-sliders input")
    places = {"controls": "#gan-transport button", "fakes": "#sample-grid button.gan-cell", "sliders": "#latent-sliders input",
              "charts": "#curves-face button"}
    for i, (name, place) in enumerate(places.items()):
        page.evaluate("document.querySelector('.gan-skips a').focus()")
        for _ in range(i):
            page.keyboard.press("Tab")
        link = page.locator(".gan-skips a", has_text=text(f"skip.{name}", lang))
        box = link.bounding_box()
        assert box["width"] > 90 and box["height"] > 30 and box["x"] >= 0 and box["y"] >= 0
        assert page.evaluate("box => document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2).textContent",
                             box) == text(f"skip.{name}", lang), "nothing covers it"
        if name == "sliders":
            page.get_by_role("tab").nth(1).click()
            page.locator("#latent-sliders").wait_for(state="hidden")
            link.focus()
        page.keyboard.press("Enter")
        has_focus(person, place)
        assert link.bounding_box()["width"] < 2, "it is seen only while it has the focus"
    assert page.url == standing.url and person.errors == []


def test_the_tab_key_stops_at_controls_that_have_names_and_at_one_place_for_each_choice(standing, visit):
    person = visit(standing.url)
    page = person.page
    page.wait_for_selector("#latent-sliders input")
    person.until("() => document.querySelectorAll('.gan-plotbox .bk-Figure').length >= 2")
    stops, nowhere = [], 0
    for _ in range(80):
        page.keyboard.press("Tab")
        stop = page.evaluate("""() => {
            const one = document.activeElement, named = one.getAttribute('aria-label') || one.labels?.[0]?.textContent
                || one.textContent.trim() || one.closest('label')?.textContent;
            if (one === document.body) return null;
            return [one.id || one.closest('[id]')?.id, named, Boolean(one.closest('.gan-plot'))];
        }""")
        if stop is None and (nowhere := nowhere + 1) == 1:
            continue  # the end of the page
        if stops and stop == stops[0]:
            break
        stops.append(stop)
    assert stops[0][1] == text("skip.controls") and None not in stops, stops
    assert [stop for stop in stops if not stop[1]] == []
    assert not any(in_chart for _, _, in_chart in stops), "a chart does nothing by keys"
    assert [place for place, _, _ in stops].count("preset") == 1
    # Its arrows choose.
    page.locator("#preset input:checked").focus()
    page.keyboard.press("ArrowDown")
    person.until("() => document.querySelector('#preset input:checked').value === 'course'")
    assert person.errors == []


def test_the_focus_goes_to_what_takes_the_place_of_its_control(standing, visit):
    person = visit(standing.url)
    page = person.page
    press = page.keyboard.press
    tab_to(person, "#btn-start")
    page.evaluate(WATCH)
    press("Enter")
    has_focus(person, "#btn-pause")
    assert person.state() == "running"
    run = page.evaluate("ganPlayground.run")
    press("Enter")
    has_focus(person, "#btn-resume")
    held = person.step()
    # A step's button cannot be pressed while many steps are made; then it has the focus again.
    page.locator("#step-stride").select_option("100")
    tab_to(person, "#btn-step")
    page.evaluate("""() => new MutationObserver(() => { window.disabled ||= document.getElementById('btn-step').disabled; })
        .observe(document.getElementById('btn-step'), { attributes: true })""")
    press("Enter")
    person.until_step(held + 100)
    has_focus(person, "#btn-step:enabled")
    assert person.step() == held + 100 and page.evaluate("window.disabled")
    # Whatever was meant for the page: the button that has the focus in a dialog does nothing but close it.
    tab_to(person, "#btn-reset")
    ways = (("Enter", "Enter"), ("Enter", "Escape"), ("r", "Enter"), ("r", " "), ("Enter", "Tab", "ArrowLeft", "Enter"))
    for opens, *keys in ways:
        press(opens)
        page.wait_for_selector("dialog[open]")
        for key in keys:
            press(key)
        page.wait_for_selector("dialog", state="detached")
        has_focus(person, "#btn-reset")
    assert page.evaluate("[ganPlayground.run, ganPlayground.store.pending]") == [run, ""]
    press("Enter")
    for key, label in (("Tab", "reset_go"), ("ArrowRight", "reset_paused")):
        press(key)
        assert page.evaluate("document.activeElement.textContent") == text(f"dialog.{label}")
    press("Enter")
    person.until("run => ganPlayground.run !== run && ganPlayground.state === 'paused'", run)
    has_focus(person, "#btn-reset:enabled")
    # The Start of another preset is there only while it differs from the run's.
    page.locator("#preset input[value=course]").check(force=True)
    page.wait_for_selector("#btn-begin", state="visible")
    tab_to(person, "#btn-begin", key="Shift+Tab")
    press("Enter")
    page.wait_for_selector("dialog[open]")
    press("Escape")
    has_focus(person, "#btn-begin")
    # A change is noticed in the frame after it, and this test may look earlier in a frame than the page does.
    assert page.evaluate("window.nowhere") <= 2
    assert person.errors == []


def test_after_a_slider_or_a_switch_that_the_mouse_pressed_the_keys_are_the_pages(standing, visit):
    person = visit(standing.url, locale="fr-FR")
    page = person.page
    press = page.keyboard.press
    at_work(person)
    page.wait_for_selector("#latent-sliders input")
    slider = page.locator("#latent-sliders input").first
    slider.click()
    assert page.evaluate("document.activeElement.type") == "range"
    moved = slider.input_value()
    press("Space")
    person.wait_state("paused")
    held = person.step()
    press("s")
    person.until_step(held + 1)
    assert slider.input_value() == moved, "the page's keys move no slider"
    moves = (("Home", "-6"), ("ArrowRight", "-5.95"), ("End", "6"), ("Delete", "0"), ("PageUp", "1.2"), ("Delete", "0"))
    for key, value in moves:
        press(key)
        assert slider.input_value() == value, key
    press("F2")
    page.keyboard.type("gras s r")
    press("Enter")
    has_focus(person, "#latent-sliders input")
    assert page.locator(".gan-name").first.inner_text() == "gras s r" and person.step() == held + 1
    press("Space")
    person.wait_state("running")
    # A button that the mouse has pressed does not keep the space bar; one that the keyboard came to does.
    page.wait_for_selector("#btn-pause:enabled")
    page.locator("#curves-face button").nth(1).click()
    press("Space")
    person.wait_state("paused")
    assert page.locator(".gan-faces").get_attribute("data-face") == "quality"
    held = person.step()
    press("Shift+Tab")
    has_focus(person, "#curves-face button")
    press("Space")
    assert page.locator(".gan-faces").get_attribute("data-face") == "losses" and person.state() == "paused"
    # Where letters are typed they stay letters.
    page.locator("#latent-seed").click()
    for key in ("Space", "s", "r"):
        press(key)
    assert page.locator("dialog[open]").count() == 0 and person.state() == "paused" and person.step() == held
    assert person.errors == []


def test_single_keys_can_be_switched_off_where_they_are_listed(standing, visit):
    person = visit(standing.url, locale="fr-FR")
    page = person.page
    press = page.keyboard.press
    at_work(person)
    assert page.locator("#btn-pause").get_attribute("title").endswith(f" ({text('keys.space', 'fr')})")
    tab_to(person, "#btn-keys")
    press("Enter")
    listed = page.locator("dialog .gan-keys").first
    for name in ("train", "step", "reset"):
        assert text(f"keys.{name}", "fr") in listed.inner_text()
    has_focus(person, "dialog button")
    tab_to(person, "#keys-on", most=2)
    press("Space")
    press("Escape")
    has_focus(person, "#btn-keys")
    page.reload()  # this browser remembers it
    person.wait_state("running")
    for key in ("r", "Space", "s"):
        press(key)
    assert page.locator("dialog[open]").count() == 0 and person.state() == "running"
    for name in ("btn-pause", "btn-reset", "btn-step"):
        button = page.locator(f"#{name}")
        assert "(" not in button.get_attribute("title") and button.get_attribute("aria-keyshortcuts") is None
    page.click("#btn-keys")
    assert not page.locator("#keys-on").is_checked()
    page.click("#keys-on")
    page.get_by_role("button", name=text("keys.close", "fr")).click()
    press("Space")
    person.wait_state("paused")
    assert person.errors == []


# Of one control, or one part of it: what the eye tells apart.
LOOK = """selector => {
    const style = getComputedStyle(document.querySelector(selector));
    return [style.backgroundColor, style.color, style.borderTopColor, style.borderTopStyle, style.borderTopWidth].join();
}"""


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_forced_colours_leave_what_is_chosen_pressed_or_off_to_be_seen(standing, visit, scheme):
    other = {"dark": "light", "light": "dark"}[scheme]
    person = visit(standing.url, forced_colors="active", color_scheme=scheme)
    page = person.page
    page.evaluate("theme => localStorage.setItem('gan.theme', theme)", other)
    page.reload()
    page.wait_for_selector("#latent-sliders input")
    page.click("#settings-face [data-key=next]")
    page.locator(".gan-key").first.click()
    canvas = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")

    assert page.evaluate("document.documentElement.dataset.colours") == scheme, "charts are drawn for the system's colours"
    assert page.locator(".gan-icon:has(.gan-half)").is_hidden(), "no button that does nothing"
    apart = {"a switch": ("#curves-face [aria-pressed=true]", "#curves-face [aria-pressed=false]"),
             "tabs": ("[role=tab][aria-selected=true]", "[role=tab][aria-selected=false]"),
             "presets": ("#preset label:has(input:checked)", "#preset label:not(:has(input:checked))"),
             "buttons that are off": ("#gan-transport button[data-place=first]", "#gan-transport button:disabled")}
    looks = {name: [page.evaluate(LOOK, one) for one in pair] for name, pair in apart.items()}
    assert {name: look for name, look in looks.items() if look[0] == look[1]} == {}
    # What has its meaning by its background alone.
    marks = [("#loss-curves .gan-key i", ""), ("#loss-curves .gan-key + .gan-key i", ""), (".gan-meter i", ""),
             ("#btn-step-d", "::before"), ("#btn-step-g", "::before"), (".gan-caption .g", "::before")]
    background = [page.evaluate("([one, part]) => getComputedStyle(document.querySelector(one), part || null).backgroundColor",
                                list(mark)) for mark in marks]
    assert canvas not in background and "rgba(0, 0, 0, 0)" not in background, list(zip(marks, background, strict=True))
    assert background[0] == background[3] != background[4] == background[1] == background[5], "one colour for each player"
    hidden, shown = (page.locator(".gan-key").nth(i).evaluate("key => getComputedStyle(key).textDecorationLine") for i in (0, 1))
    assert (hidden, shown) == ("line-through", "none")
    assert page.locator(".gan-meter").evaluate("meter => getComputedStyle(meter).borderTopStyle") == "solid"
    assert person.errors == []

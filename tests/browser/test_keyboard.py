"""The page by keyboard alone: where the focus goes, single keys and the page without them, skip links; and forced colours."""

import pytest

from gan_core.ui.words import text

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

# Counts the drawn frames in which the focus is nowhere.
WATCH = """() => {
    window.nowhere = 0;
    const look = () => {
        if (!document.activeElement || document.activeElement === document.body) window.nowhere += 1;
        requestAnimationFrame(look);
    };
    requestAnimationFrame(() => requestAnimationFrame(look));
}"""


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


def test_the_focus_goes_to_what_takes_the_place_of_its_control(playground, visit):
    person = visit(playground.url)
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
    page.locator("#step-stride").select_option("10")
    tab_to(person, "#btn-step")
    press("Enter")
    person.until("() => document.getElementById('btn-step').disabled")
    has_focus(person, "#btn-step:enabled")
    assert person.step() == held + 10
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
    assert page.evaluate("window.nowhere") == 0
    assert person.errors == []

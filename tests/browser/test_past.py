"""Looking at the past: whoever goes on sees what comes of it, and nobody else is taken along."""

import os
import signal

import pytest

from gan_core.ui.words import text

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
MOMENT = "ganPlayground.store.moment"
AT = "step => document.querySelector('.gan-at').textContent.replace(/\\D/g, '') === String(step)"  # beside the fakes


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

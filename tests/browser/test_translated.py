"""A browser that translates the page replaces its texts, again and again: everything works all the same."""

import re

import pytest
from translating import TRANSLATION

from gan_core.ui.words import text

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

TRANSLATED = "selector => document.querySelector(`${selector} font > font`)"


def steps_on(person) -> None:
    step, frames = person.step(), person.page.evaluate("ganPlayground.frames")
    person.until_step(step + 1)
    person.until("frames => ganPlayground.frames > frames", frames)


def until_still(person) -> None:
    """The translation has done its work once, and the page does not write against it."""
    person.until("""() => new Promise(done => {
        const before = window.translatedTexts;
        setTimeout(() => done(before > 50 && window.translatedTexts === before), 500);
    })""", seconds=20)


def test_a_translated_page_trains_pauses_steps_and_changes_its_faces(playground, visit):
    person = visit(playground.url)
    page = person.page
    page.evaluate(TRANSLATION)
    until_still(person)
    for selector in ("#btn-start", "#preset", ".gan-flow", "#settings-face"):
        assert page.evaluate(TRANSLATED, selector), f"{selector} is prose that somebody may want to have translated"
    person.start()
    steps_on(person)
    before = page.evaluate("translatedTexts")
    steps_on(person)
    assert not page.evaluate(TRANSLATED, ".gan-facts b") and not page.evaluate(TRANSLATED, "#run-step")
    step = person.pause()
    for button in ("btn-step", "btn-step-d", "btn-step-g"):
        person.click(button)
        person.until_step(step + 1)
        step = person.step()
    person.click("btn-resume")
    person.wait_state("running")
    steps_on(person)
    assert page.evaluate("translatedTexts") - before < 100, "what moves is left alone"

    page.click("#settings-face [data-key=now]")
    page.locator("#knob-lr_d").wait_for()
    page.fill("#knob-lr_d", "0.0001")
    page.keyboard.press("Enter")
    person.until("() => ganPlayground.store.status.tuned.lr_d === 0.0001")
    page.click("#settings-face [data-key=next]")
    page.locator("#dataset input").wait_for()
    page.locator("#preset input[value=ring]").check(force=True)
    person.until("() => document.getElementById('gan-data').dataset.kind === 'ring'")
    page.click("#curves-face .gan-seg >> nth=1")
    page.locator("#quality-curves").wait_for()
    page.click("#curves-face .gan-seg >> nth=0")

    page.get_by_role("tab").nth(1).click()
    row = page.locator("#runs label", has_text=re.compile("Training")).first
    row.wait_for()
    told = row.inner_text()
    person.until("told => !document.getElementById('runs').innerText.includes(told)", told)  # its step goes on
    page.get_by_role("tab").nth(0).click()
    person.pause()
    person.click("btn-reset")
    page.get_by_role("button", name=re.compile("ski")).first.wait_for()
    page.keyboard.press("Escape")
    until_still(person)
    assert person.errors == []


def test_another_language_is_chosen_on_a_translated_page(playground, visit):
    person = visit(playground.url)
    page = person.page
    page.add_init_script(f"addEventListener('DOMContentLoaded', {TRANSLATION})")  # it translates each page of this site by itself
    page.evaluate(TRANSLATION)
    until_still(person)
    page.click("#gan-language")
    page.wait_for_selector("html[lang=fr]")
    person.until("() => document.querySelector('#btn-start font > font')")
    until_still(person)
    assert page.locator("#btn-start").inner_text().startswith(text("transport.start", "fr") + "ski")
    person.until("() => document.getElementById('data-preview')?.dataset.state === 'ready'")
    person.start()
    steps_on(person)
    person.pause()
    assert person.errors == []


def test_gradios_own_texts_follow_on_a_translated_page(playground, visit):
    person = visit(playground.url)
    page = person.page
    page.evaluate(TRANSLATION)
    until_still(person)
    page.click("#settings-face [data-key=next]")
    for kind in ("drawn", "digits", "zip", "digits"):
        page.click("#dataset input")
        page.locator("#dataset li").first.wait_for()
        until_still(person)
        person.until("""kind => { const list = [...document.querySelectorAll('#dataset li')];
            return list.length > 3 && new Set(list.map(one => one.textContent)).size === list.length; }""", kind)
        shown = re.sub(r"([^\W\d]+)", r"\1(ski)?", re.escape(text(f"settings.dataset.{kind}")).replace("\\ ", " "))
        page.locator("#dataset li", has_text=re.compile(shown)).first.click()
        person.until("kind => document.getElementById('gan-data').dataset.kind === kind", kind)
    for door in ("#gan-advanced", "#gan-group-optimizers"):
        page.click(f"{door} > button")
    betas, notice = page.locator("#field-betas_d :is(input, textarea)"), page.locator("#gan-notice")
    for wrong, named in (("much", "much"), ("0.5; none", "none"), ("7; 8", "7")):
        betas.fill("")
        betas.press_sequentially(wrong)
        person.until("named => document.getElementById('gan-notice').innerText.includes(named)", named)
        until_still(person)
    said = notice.inner_text()
    assert "much" not in said and "none" not in said and "\n" not in said, "one sentence, and no older one beside it"
    betas.fill("")
    betas.press_sequentially("0.5; 0.99")
    person.until("() => !document.getElementById('gan-notice').innerText.trim()")
    page.get_by_role("tab").nth(1).click()
    page.locator("#runs label").first.wait_for()
    page.click("#btn-refresh")
    until_still(person)
    assert person.errors == []

"""The list of runs in a real browser: going on with one run in place of another, and what a row says while it is open."""

import os
import re
import signal

import pytest

from gan_core.runs.run import Run
from gan_core.ui.words import text

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
LOCALES = {"en": "en-US", "fr": "fr-FR"}


def chosen(person, run: str, lang: str = "en") -> None:
    """This run, chosen in the list as it is now: it is opened, and read."""
    person.page.get_by_role("tab", name=text("tabs.runs", lang)).click()
    shown, state = person.page.evaluate("[ganPlayground.run, ganPlayground.state]")
    rows = person.page.locator("#runs label")
    rows.filter(has_text=shown).filter(has_text=text(f"states.{state}", lang)).wait_for()
    rows.filter(has_text=run).click()


def ended(person, folder, lang: str = "en") -> str:
    """A run that has made some steps and was stopped in the list."""
    person.start()
    run = person.page.evaluate("ganPlayground.run")
    chosen(person, run, lang)
    person.page.locator("#btn-stop-run:enabled").click()
    person.until("() => ganPlayground.state === 'stopped'")
    assert Run.open(folder / run).status().checkpoint_step > 0
    person.page.get_by_role("tab", name=text("tabs.train", lang)).click()
    return run


def asked(person, folder, run: str, lang: str):
    """The dialog that names this run, as its preset and about its step; its safe button has the focus."""
    dialog = person.page.locator("dialog[open]")
    dialog.wait_for()
    name = f"{text('presets.quick.name', lang)} \\({text('samples.at_step', lang, step='(.+)')}\\)"
    title = re.escape(text("dialog.instead_title", lang, name="@")).replace("@", name)
    named = re.fullmatch(title, dialog.locator("h2").inner_text())
    said = int("".join(filter(str.isdigit, named[1])))
    assert 0 < said <= Run.open(folder / run).stored_status().step
    assert dialog.get_by_role("button", name=text("dialog.cancel", lang)).evaluate("one => one === document.activeElement")
    return dialog


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_resume_beside_an_active_run_asks_and_goes_on_in_its_place(playground, visit, lang):
    person = visit(playground.url, locale=LOCALES[lang])
    page = person.page
    first = ended(person, playground.folder, lang)
    person.start()
    second = page.evaluate("ganPlayground.run")

    # In the list: refused by the safe button, done by the other one.
    chosen(person, first, lang)
    said = text("runs.resumed_instead", lang, name=second, state=text("states.running", lang).lower())
    person.until("said => document.getElementById('runs-reason').textContent === said", said)
    page.locator("#btn-resume-run:enabled").focus()
    page.keyboard.press("Enter")
    asked(person, playground.folder, second, lang)
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog", state="detached")
    assert person.state() == "running" and page.evaluate("ganPlayground.run") == second
    page.keyboard.press("Enter")
    asked(person, playground.folder, second, lang).get_by_role("button", name=text("dialog.instead_go", lang)).click()
    person.until("first => ganPlayground.run === first && ganPlayground.state === 'running'", first)
    page.locator("#sample-grid").wait_for()  # the Train view is open
    status = Run.open(playground.folder / second).status()
    assert status.state == "stopped" and status.checkpoint_step == status.step > 0

    # Over the stopped run that is shown.
    chosen(person, second, lang)
    page.locator("#btn-show:enabled").click()
    person.until("second => ganPlayground.run === second && ganPlayground.state === 'stopped'", second)
    page.locator("#btn-resume:enabled").click()
    asked(person, playground.folder, first, lang).get_by_role("button", name=text("dialog.instead_go", lang)).click()
    person.until("second => ganPlayground.run === second && ganPlayground.state === 'running'", second)
    assert Run.open(playground.folder / first).status().state == "stopped"
    assert page.locator(".toast-body").count() == 0 and person.errors == []


def test_a_start_in_place_of_a_run_that_could_not_be_saved_says_so(playground, visit):
    person = visit(playground.url)
    page = person.page
    person.start()
    first, pid = page.evaluate("[ganPlayground.run, ganPlayground.store.status.pid]")
    os.kill(pid, signal.SIGSTOP)
    person.click("btn-reset")
    page.get_by_role("button", name=text("dialog.reset_go")).click()
    toast = page.locator(".toast-body", has_text=first)
    toast.wait_for(timeout=60_000)
    assert text("fault.ended_unsaved") in toast.inner_text()
    title = "one => getComputedStyle(one.querySelector('.toast-title'), '::before').content"
    assert toast.evaluate(title) == f'"{text("errors.not_saved_title")}"'
    person.until("first => ganPlayground.run !== first && ganPlayground.state === 'running'", first)
    assert Run.open(playground.folder / first).status().state == "failed" and person.errors == []


ROW = """run => document.querySelector(`#runs input[value="${run}"]`).closest("label").textContent.trim().split("\\n")[1]"""


def row(person, run: str) -> list[str]:
    """The facts of a run in the list: its state, its step, and so on."""
    return person.page.evaluate(ROW, run).split(" \u00b7 ")


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_the_row_of_the_run_that_trains_follows_it_without_asking(playground, visit, lang):
    person = visit(playground.url, locale=LOCALES[lang])
    page = person.page
    person.start()
    run = page.evaluate("ganPlayground.run")
    for shown in (run, "starter-digits"):  # the run itself is shown, or another one
        chosen(person, shown, lang)
        page.locator("#btn-show:enabled").click()
        person.until("shown => ganPlayground.run === shown", shown)
        with page.expect_response("**/queue/data*"):  # the list is read once, as it is opened
            page.get_by_role("tab", name=text("tabs.runs", lang)).click()
        page.locator("#runs label", has_text=run).filter(has_text=text("states.running", lang)).wait_for()
        asked = []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        state, step, *rest = row(person, run)
        for _ in range(2):
            person.until(f"([run, step]) => ({ROW})(run).split(' \u00b7 ')[1] !== step", [run, step])
            again = row(person, run)
            assert again[0] == state and again[2:] == rest and again[1] != step
            digits = [int("".join(c for c in one if c.isdigit())) for one in (step, again[1])]
            assert digits[0] < digits[1]
            step = again[1]
        assert [url for url in asked if "queue/join" in url or "control" in url] == []
    assert person.errors == []


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_while_a_run_is_being_saved_bar_and_list_say_so(playground, visit, lang):
    person, other = (visit(playground.url, locale=LOCALES[lang]) for _ in range(2))
    saving = text("states.saving", lang)
    person.start()
    run, pid = person.page.evaluate("[ganPlayground.run, ganPlayground.store.status.pid]")
    other.until("run => ganPlayground.run === run", run)
    chosen(person, run, lang)
    person.page.locator("#btn-stop-run:enabled").wait_for()
    os.kill(pid, signal.SIGSTOP)  # as in a step that takes long
    try:
        person.page.locator("#btn-stop-run").click()
        for one in (person, other):
            one.page.locator("#run-state", has_text=saving).locator("span > span:not([aria-hidden])", has_text=saving).wait_for()
        person.until(f"([run, saving]) => ({ROW})(run).startsWith(saving)", [run, saving])
    finally:
        os.kill(pid, signal.SIGCONT)
    other.wait_state("stopped")
    stopped = text("states.stopped", lang)
    other.until("said => document.querySelector('#run-state .gan-words > span').textContent === said", stopped)
    person.until(f"([run, said]) => ({ROW})(run).startsWith(said)", [run, stopped])
    assert person.errors == other.errors == []

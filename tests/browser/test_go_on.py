"""A run that has finished: the page asks for how much longer it trains, and it goes on where it was."""

import forked
import pytest
from conftest import Server
from waiting import PATIENCE

from gan_core.runs.run import list_runs
from gan_core.ui.words import text

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
SMALL = ["--set", "batch_size=4", "--set", "latent_dim=8", "--set", "threads=1"]


@pytest.fixture
def ended(tmp_path):
    """(server, run): a run that has finished at step 30."""
    folder = tmp_path / "checkpoints"
    assert forked.started(["--new", "--steps", "30", "--name", "short", "--checkpoints", str(folder), *SMALL]).wait(PATIENCE) == 0
    (run,) = list_runs(folder)
    server = Server(folder)
    yield server, run
    server.stop()


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_a_finished_run_goes_on_for_as_many_steps_as_are_asked_for(ended, visit, lang):
    server, run = ended
    person = visit(server.url, locale={"en": "en-US", "fr": "fr-FR"}[lang])
    page = person.page
    person.wait_state("finished")
    go_on, start = page.locator("#btn-resume"), page.locator("#btn-start")
    assert go_on.inner_text().strip() == text("transport.go_on", lang) and go_on.is_enabled()
    assert start.get_attribute("data-place") == "first" and go_on.get_attribute("data-place") == "second"
    go_on.click()
    dialog, box = page.locator("dialog[open]"), page.locator("#gan-longer")
    assert box.input_value() == "30" and "30" in dialog.locator("p").first.inner_text()
    page.keyboard.press("Enter")  # on the safe button
    dialog.wait_for(state="detached")
    assert person.state() == "finished" and run.stored_status().life == 1

    go_on.click()
    box.fill("-5")
    dialog.get_by_role("button", name=text("dialog.go_on_go", lang), exact=True).click()
    page.get_by_text(text("errors.steps_type", lang, given="-5")).first.wait_for()
    assert run.stored_status().life == 1

    go_on.click()
    box.fill("12")
    box.press("Enter")
    person.until("() => ganPlayground.state === 'finished' && ganPlayground.step === 42")
    assert run.stored_status().tuned == {"max_steps": 42} and run.stored_status().life == 2

    # From the list, without an end.
    page.get_by_role("tab", name=text("tabs.runs", lang)).click()
    page.locator("#runs label", has_text="short").click()
    page.locator("#btn-resume-run:enabled").click()
    assert page.locator("#runs-reason").inner_text() == text("runs.resumed_longer", lang)
    page.locator("#gan-longer-unit").select_option("minutes")
    assert box.input_value() == "5"
    dialog.get_by_role("button", name=text("dialog.go_on_open", lang), exact=True).click()
    person.wait_state("running")
    person.until_step(50)
    assert page.locator("#btn-pause").is_visible() and run.stored_status().tuned == {"max_steps": 0}
    person.pause()
    assert page.locator("#btn-resume").inner_text().strip() == text("transport.resume", lang) and person.errors == []

"""A run that somebody trains elsewhere: opened on the Runs tab, seen live, steered, let go; it goes on without the page."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gan_core.runs.run import list_runs
from gan_core.ui.words import text

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def theirs(tmp_path):
    """A run that trains in a folder of somebody else's, without a page."""
    folder = tmp_path / "theirs"
    process = subprocess.Popen([sys.executable, "-m", "gan_core.worker", "--new", "--name", "Dolly", "--checkpoints", str(folder),
                                "--set", "batch_size=4", "--set", "threads=1"], cwd=ROOT, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 90
    while not (list_runs(folder) and list_runs(folder)[0].stored_status().step > 2):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    yield list_runs(folder)[0], process
    process.kill()
    process.wait()


def test_a_run_elsewhere_is_opened_watched_steered_and_let_go(playground, visit, theirs):
    run, process = theirs
    person = visit(playground.url)
    page = person.page
    page.get_by_role("tab", name=text("tabs.runs"), exact=True).click()
    box = page.locator("#attach-place").locator("input, textarea")
    box.fill(str(run.path.parent / "no-such-run"))
    page.click("#btn-attach")
    page.get_by_text("There is no run at").first.wait_for()
    box.fill(str(run.path.parent))
    page.click("#btn-attach")
    card = page.locator("#runs label", has_text="Dolly")
    card.wait_for()
    assert text("runs.elsewhere", path=run.path) in card.inner_text() and box.input_value() == ""
    card.click()
    page.locator("#btn-show:not([disabled])").click()
    # Live: the same page, another folder.
    person.wait_state("running")
    person.until_step(person.step() + 3)
    frames = page.evaluate("ganPlayground.frames")
    person.until("frames => ganPlayground.frames > frames", frames)
    page.wait_for_selector("#latent-sliders input")
    step = person.pause()
    assert run.stored_status().state == "paused" and run.stored_status().step == step
    person.click("btn-step")
    person.until_step(step + 1)
    assert run.status().state == "paused" and run.status().step == step + 1
    # Off the list; nothing is deleted, nobody is stopped.
    page.reload()
    person.wait_state("paused")
    page.get_by_role("tab", name=text("tabs.runs"), exact=True).click()
    card.click()
    page.locator("#btn-let-go:not([disabled])").click()
    card.wait_for(state="detached")
    assert process.poll() is None and run.status().state == "paused" and not person.errors
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(30) == 128 + signal.SIGTERM and run.status().checkpoint_step == step + 1


def test_who_trains_without_a_page_is_named_when_somebody_presses_start(playground, visit):
    process = subprocess.Popen([sys.executable, "-m", "gan_core.worker", "--new", "--name", "Dolly", "--checkpoints",
                                str(playground.folder), "--set", "batch_size=4", "--set", "threads=1"], cwd=ROOT,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        person = visit(playground.url)
        person.wait_state("running")
        assert person.page.evaluate("ganPlayground.run") == list_runs(playground.folder)[0].id
        from gradio_client import Client
        from gradio_client.exceptions import AppError

        with pytest.raises(AppError, match="Only one run can be active at a time, and Dolly is active"):
            Client(playground.url, verbose=False).predict("quick", "{}", api_name="/start")
        person.pause()
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()

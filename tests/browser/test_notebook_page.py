"""A notebook's fit on the page: seen live, paused, stepped, steered and stopped; what its networks do not allow is said."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from gan_core.runs.run import list_runs
from gan_core.ui.words import text

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
ROOT = Path(__file__).parent.parent.parent
OWN = """
import sys, numpy as np
from torch import nn
from gan_core import DCGAN
G = nn.Sequential(nn.Linear(8, 784), nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28)))
D = nn.Sequential(nn.Flatten(), nn.Linear(784, 1))
DCGAN(D, G, 8).fit(np.random.default_rng(0).random((64, 28, 28)), epochs=10**6, batch_size=8, run=sys.argv[1], verbose=0)
print("the cell after it")
"""
KNOWN = """
import sys
from gan_core import DCGAN, TrainConfig
from gan_core.data import loading
from gan_core.networks.pair import build_pair
G, D = build_pair("quick", 8, (1, 28, 28))
DCGAN(D, G, 8).fit(loading.load(TrainConfig(max_images=200)).data, epochs=10**6, batch_size=4, run=sys.argv[1], verbose=0)
"""


@pytest.fixture
def fitting(playground):
    """fitting(code) -> (process, run): a notebook's kernel whose fit trains in the page's folder."""
    processes = []

    def begin(code: str):
        with (playground.folder.parent / "cell").open("w") as out:
            process = subprocess.Popen([sys.executable, "-c", code, str(playground.folder)], cwd=ROOT, stdin=subprocess.DEVNULL,
                                       stdout=out, stderr=subprocess.STDOUT)
        processes.append(process)
        deadline = time.monotonic() + 90
        while not (list_runs(playground.folder) and list_runs(playground.folder)[0].stored_status().step > 2):
            assert time.monotonic() < deadline and process.poll() is None, (playground.folder.parent / "cell").read_text()
            time.sleep(0.05)
        return process, list_runs(playground.folder)[0]

    yield begin
    for process in processes:
        process.kill()
        process.wait()


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_a_fit_of_a_notebooks_own_networks_is_seen_steered_and_stopped(playground, visit, fitting, lang):
    process, run = fitting(OWN)
    person = visit(playground.url, locale={"en": "en-US", "fr": "fr-FR"}[lang])
    page = person.page
    person.wait_state("running")
    assert page.evaluate("ganPlayground.run") == run.id
    person.until_step(person.step() + 3)
    frames, rows = page.evaluate("[ganPlayground.frames, ganPlayground.store.series.step.length]")
    person.until("([frames, rows]) => ganPlayground.frames > frames && ganPlayground.store.series.step.length > rows",
                 [frames, rows])
    page.get_by_text(text("latent.notebook", lang), exact=True).wait_for()
    assert page.locator("#latent-sliders input").count() == 0
    # Steered between its steps.
    step = person.pause()
    person.click("btn-step")
    person.until_step(step + 1)
    person.click("btn-step-d")
    person.until_step(step + 2)
    assert run.status().state == "paused" and run.status().step == step + 2
    page.click("#settings-face [data-key=now]")
    assert page.locator("#knob-batch_size").is_disabled() and page.get_by_text(text("knobs.of_fit", lang)).first.is_visible()
    page.fill("#knob-lr_g", "0.0005")
    page.keyboard.press("Enter")
    person.until("() => ganPlayground.store.status.tuned.lr_g === 0.0005")
    person.click("btn-resume")
    person.until_step(step + 5)
    # Stopped, and not to be resumed here.
    page.get_by_role("tab", name=text("tabs.runs", lang), exact=True).click()
    card = page.locator("#runs label", has_text=run.name)
    card.click()
    assert text("runs.notebook", lang) in card.inner_text()
    page.locator("#btn-stop-run:not([disabled])").click()
    assert process.wait(60) == 0 and "the cell after it" in (playground.folder.parent / "cell").read_text()
    assert run.status().state == "stopped" and run.status().checkpoint_step == run.status().step > step + 2
    person.wait_state("stopped")
    page.locator(".gan-banner", has_text=text("runs.not_resumed_notebook", lang)).first.wait_for()
    assert "btn-resume" not in person.enabled() and "btn-start" in person.enabled() and not person.errors


def test_a_fit_of_networks_and_pictures_with_a_name_has_sliders_and_is_resumed(playground, visit, fitting):
    process, run = fitting(KNOWN)
    person = visit(playground.url)
    person.wait_state("running")
    person.page.wait_for_selector("#latent-sliders input")
    person.pause()
    run.send("stop")
    assert process.wait(60) == 0
    person.wait_state("stopped")
    step = run.status().step
    person.click("btn-resume")
    person.wait_state("running")
    person.until_step(step + 5)
    status = run.status()
    assert status.life == 2 and not status.kernel and not status.notices and not person.errors

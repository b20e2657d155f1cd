"""Choosing data in a real browser: an upload with what was left out, points drawn by hand, doodles from a server that is slow."""

import io
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import Server
from PIL import Image
from standin import StandIn, npy

from gan_core.ui.words import text

pytestmark = [pytest.mark.browser, pytest.mark.timeout(150)]


def pictures(count, shape, seed=0):
    """Strokes on black, uint8."""
    rng = np.random.default_rng(seed)
    made = np.zeros((count, *shape), np.uint8)
    for picture in made:
        row, column = rng.integers(4, shape[0] - 8), rng.integers(4, shape[1] - 8)
        picture[row:row + 3, 3:-3] = picture[3:-3, column:column + 3] = 255
    return made


@pytest.fixture(scope="module")
def shop():
    """A server of doodles that holds every answer until it is told to go on."""
    doodles = npy(pictures(9000, (28, 28)).reshape(9000, 784))
    with StandIn({"/sheep.npy": doodles}, hold_after=2_000_000) as standin:
        yield standin


@pytest.fixture(scope="module")
def place(tmp_path_factory, shop):
    """A server with a data folder of its own."""
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAN_PLAYGROUND_DATA", str(folder))
        patch.setenv("GAN_PLAYGROUND_QUICKDRAW", shop.url())
        server = Server(folder / "checkpoints")
        yield server
        server.stop()


def test_a_list_that_was_left_with_escape_opens_again(place, visit):
    page = visit(place.url).page
    choices = page.locator("#dataset li")
    for _ in range(2):
        page.click("#dataset input")
        choices.first.wait_for()
        page.keyboard.press("Escape")
        choices.first.wait_for(state="detached")


def test_what_stands_there_of_the_choice_before_is_faint_until_the_new_ones_own_is_here(place, visit):
    person = visit(place.url)
    page, facts, held = person.page, person.page.locator("#data-facts"), []
    person.until("() => document.getElementById('data-preview').dataset.state === 'ready'")
    before = facts.inner_text()
    assert "28" in before and facts.is_visible() and not page.locator("#data-preview.old").count()
    holding = True
    page.route("**/gan/data", lambda route: held.append(route) if holding else route.continue_())
    choose(person, "ring")
    page.locator("#data-preview.old").wait_for()
    assert facts.text_content() == before and not facts.is_visible(), "it says nothing of the points"
    while not held:
        page.wait_for_timeout(50)
    holding = False
    for route in held:
        route.continue_()
    person.until("before => document.getElementById('data-facts').textContent !== before", before)
    facts.wait_for(state="visible")
    assert not page.locator("#data-preview.old").count() and "28" not in facts.inner_text() and person.errors == []


def choose(person, kind, lang="en"):
    page = person.page
    page.click("#dataset input")
    page.locator("#dataset li", has_text=text(f"settings.dataset.{kind}", lang)).first.click()
    person.until("kind => document.getElementById('gan-data').dataset.kind === kind", kind)


def facts(person, *message):
    """Wait until the preview says all of this; a regular space stands for every kind of space."""
    person.until("""said => { const now = document.getElementById('data-facts').textContent.replace(/\\s/g, ' ');
        return said.every(part => now.includes(part)); }""", list(message))


def preset(person):
    return person.page.locator("#preset input:checked").get_attribute("value")


def stopped(person):
    """End what trains, for the next test."""
    person.page.evaluate("""() => fetch('gradio_api/gan/control/stop', { method: 'POST', headers: { 'X-Gan-Page': '1' },
        body: JSON.stringify({ run: ganPlayground.run }) })""")
    person.wait_state("stopped")


def archive(path):
    with zipfile.ZipFile(path, "w") as packed:
        for seed, (name, colour) in enumerate({"cat": (255, 150, 60), "sheep": (120, 220, 140)}.items()):
            for k, picture in enumerate(pictures(24, (40, 48), seed)):
                file = io.BytesIO()
                Image.fromarray((picture[..., None] / 255 * np.array(colour)).astype(np.uint8)).save(file, "PNG")
                packed.writestr(f"{name}/{k}.png", file.getvalue())
        packed.writestr("cat/broken.png", b"\x89PNG\r\n\x1a\nand nothing more")
        packed.writestr("cat/<img src=x onerror=document.title='owned'>.png", b"\x89PNG\r\n\x1a\nnor here")
        packed.writestr("sheep/notes.txt", b"these are sheep")
    return path


def test_an_upload_is_shown_with_what_was_left_out_and_its_classes_have_names(place, visit, tmp_path):
    person = visit(place.url)
    page = person.page
    choose(person, "zip")
    page.locator("#data-preview").get_by_text(text("data.empty_zip")).wait_for()
    page.locator("#data-upload input[type=file]").set_input_files(archive(tmp_path / "farm.zip"))
    facts(person, "48 pictures, 32 × 32, colour", "2 classes: cat, sheep", "3 left out", "broken: 2", "not a picture: 1")
    assert page.locator("#data-preview img").evaluate("image => [image.naturalWidth, image.naturalHeight]") == [256, 64]
    assert page.locator("#data-kept input").input_value().startswith("farm")
    # Another form: the preview follows.
    page.click("#data-form-door")
    page.click("#field-color input")
    page.locator("#field-color li", has_text=text("choices.color.grey")).click()
    facts(person, "48 pictures, 32 × 32, grey")
    # Networks that cannot take these say so before Start, and Start says it too.
    page.locator("#preset input[value=course]").check(force=True)
    sentence = text("data.misfit_shape", networks=text("choices.networks.course"), sides="28 × 28", colors="grey")
    page.locator("#data-misfit").get_by_text(sentence).wait_for()
    person.click("btn-start")
    page.locator(".toast-body").get_by_text(sentence).wait_for()
    page.locator(".toast-close").click()
    page.locator("#preset input[value=conditional]").check(force=True)
    page.locator("#data-misfit").wait_for(state="hidden")
    person.until("() => !ganPlayground.store.pending")
    person.start()
    person.until("() => [...document.getElementById('latent-class').options].map(one => one.textContent).join() === 'cat,sheep'")
    person.until("() => [...document.querySelectorAll('.gan-columns span')].map(one => one.textContent).join() === 'cat,sheep'")
    assert page.title() != "owned" and person.errors == []
    stopped(person)


def test_what_is_no_archive_is_refused_where_it_was_given(place, visit, tmp_path):
    person = visit(place.url)
    choose(person, "zip")
    bad = tmp_path / "not.zip"
    bad.write_bytes(b"<b>this is no archive</b>")
    person.page.locator("#data-upload input[type=file]").set_input_files(bad)
    notice = person.page.locator("#gan-data-notice p[role=alert]")
    notice.wait_for()
    assert "not.zip" in notice.inner_text() and person.errors == []
    choose(person, "digits")
    facts(person, "5,000 pictures")
    notice.wait_for(state="detached")


def test_a_folder_that_is_not_there_is_refused_to_each_in_their_own_language(place, visit, tmp_path):
    folder = tmp_path / "sheep"
    french, english = visit(place.url, locale="fr-FR"), visit(place.url)

    def look():
        for person, lang in ((french, "fr"), (english, "en")):
            choose(person, "folder", lang)
            person.page.locator("#data-folder :is(textarea, input)").fill(str(folder))
            person.page.keyboard.press("Enter")

    look()
    facts(french, f"Le dossier {folder} n’existe pas")
    facts(english, f"The folder {folder} is not there")
    # Start tries again; what is refused again makes no run.
    before = french.page.evaluate("ganPlayground.run")
    french.click("btn-start")
    french.page.locator(".toast-body").get_by_text(f"Le dossier {folder} n’existe pas").wait_for()
    french.page.locator(".toast-close").click()
    assert french.page.evaluate("ganPlayground.run") == before
    # What went between a look at it and Start fails: one status for all, and a sentence for each.
    folder.mkdir()
    for k, picture in enumerate(pictures(20, (28, 28))):
        Image.fromarray(picture).save(folder / f"{k}.png")
    for person in (french, english):
        person.page.locator("#gan-look .gan-part > button.gan-btn").click()
    facts(french, "20 images")
    facts(english, "20 pictures")
    shutil.rmtree(folder)
    french.click("btn-start")
    french.wait_state("failed")
    french.page.locator(".gan-banner").get_by_text(f"au pas 0 : Le dossier {folder} n’existe pas ; donnez").wait_for()
    english.page.locator(".gan-banner").get_by_text(f"at step 0: The folder {folder} is not there; give").wait_for()
    assert french.errors == english.errors == []


def test_points_are_drawn_by_hand_and_trained_on(place, visit):
    person = visit(place.url)
    page = person.page
    choose(person, "drawn")
    page.locator("#data-preview").get_by_text(text("data.empty_drawn")).wait_for()
    assert preset(person) == "ring", "a preset for points came along"
    box = page.locator("#data-pad").bounding_box()
    page.mouse.move(box["x"] + 30, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 110, steps=8)
    page.mouse.up()
    facts(person, text("data.facts_points", n="100,000"))
    page.get_by_role("button", name=text("data.undo"), exact=True).click()
    person.until("() => document.getElementById('data-preview').dataset.state === 'open'")  # wiped: asked for anew, no fault
    page.mouse.move(box["x"] + 30, box["y"] + 110)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 40, steps=8)
    page.mouse.up()
    page.locator("#data-preview canvas").wait_for(state="visible")
    person.start()
    assert page.evaluate("ganPlayground.store.config.dataset").startswith("drawn:")
    points = np.array(page.evaluate("ganPlayground.store.real.points"))
    assert np.corrcoef(points.T)[0, 1] > 0.9, "the line as it was drawn last, upwards to the right"
    assert person.errors == []
    stopped(person)


def test_doodles_come_with_progress_can_be_given_up_and_a_run_waits_for_them(place, visit, shop):
    person = visit(place.url)
    page = person.page
    shop.go_on.clear()
    choose(person, "quickdraw")
    work = page.locator("#data-preview .gan-work")
    work.get_by_text("2.0 of 7.1 MB").wait_for()
    assert page.locator("#data-preview [role=progressbar]").get_attribute("aria-valuenow") == "28"
    page.get_by_role("button", name=text("data.cancel"), exact=True).click()
    facts(person, text("data.cancelled"))
    # Start works all the same: the run itself says how far it is, and can be stopped while it waits.
    person.click("btn-start")
    person.wait_state("starting")
    page.locator("#run-state").get_by_text(text("data.downloading", n="").split("%")[0].strip()).wait_for()
    assert person.enabled() == {"btn-reset"}
    page.locator(".gan-banner").get_by_role("button", name=text("banner.stop")).click()
    person.wait_state("stopped")
    page.get_by_role("button", name=text("data.again")).click()
    work.get_by_text("of 7.1 MB").wait_for()
    shop.go_on.set()
    facts(person, "9,000 pictures, 28 × 28, grey")
    person.start()
    assert page.evaluate("ganPlayground.store.config.dataset") == "quickdraw:sheep" and person.errors == []
    stopped(person)
    page.click("#dataset input")
    assert page.locator("#dataset li[data-note]", has_text=text("settings.dataset.quickdraw")).get_attribute("data-note") in (
        text("data.here"), text("data.once", n=16))


@pytest.mark.parametrize(("width", "height", "scheme", "locale"), [(1440, 900, "dark", "fr-FR"), (390, 844, "light", "en-US")])
def test_every_kind_fits_and_axe_finds_nothing(place, visit, width, height, scheme, locale):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    lang = locale[:2]
    person = visit(place.url, width, height, color_scheme=scheme, locale=locale)
    page = person.page
    for kind in ("quickdraw", "zip", "folder", "spiral", "drawn", "digits"):
        choose(person, kind, lang)
        page.locator(":is(#data-preview > *, #data-preview .gan-work):not([hidden])").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") == width
        inside = page.locator("#gan-settings").evaluate("card => card.scrollWidth <= card.clientWidth")
        assert inside, kind
        found = axe.run(page, context="#gan-settings").response["violations"]
        serious = [violation for violation in found if violation["impact"] in ("serious", "critical")]
        assert [(kind, one["id"], [node["html"][:160] for node in one["nodes"]]) for one in serious] == []


def test_an_upload_is_deleted_after_it_was_said_what_goes_with_it(place, visit, tmp_path):
    person = visit(place.url)
    page = person.page
    choose(person, "zip")
    page.locator("#data-upload input[type=file]").set_input_files(archive(tmp_path / "mistake.zip"))
    person.until("() => document.querySelector('#data-kept input').value.startsWith('mistake')")
    facts(person, "48 pictures, 32 × 32, colour")
    page.click("#btn-delete-data")
    dialog = page.locator("dialog[open]")
    dialog.get_by_text("50 pictures and everything prepared").wait_for()
    dialog.get_by_role("button", name=text("dialog.cancel")).click()
    assert page.locator("#data-kept input").input_value().startswith("mistake")
    page.click("#btn-delete-data")
    page.locator("dialog[open]").get_by_role("button", name=text("data.delete"), exact=True).click()
    person.until("() => !document.querySelector('#data-kept input').value.startsWith('mistake')")
    page.click("#data-kept input")
    assert "mistake" not in page.locator("#data-kept").inner_text()
    page.keyboard.press("Escape")
    folder = Path(os.environ["GAN_PLAYGROUND_DATA"]) / "data"
    assert not list((folder / "own").glob("mistake*")) and person.errors == []
    assert not [about for about in (folder / "prepared").glob("*/about.json") if "mistake" in about.read_text()]

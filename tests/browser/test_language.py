"""Another language: the page is loaded anew, and what was chosen for the next run is still chosen."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import Server
from PIL import Image

from gan_core.ui.words import text

pytestmark = [pytest.mark.browser, pytest.mark.timeout(150)]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A server with a data folder of its own."""
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAN_PLAYGROUND_DATA", str(folder))
        server = Server(folder / "checkpoints")
        yield server
        server.stop()


def farm(path: Path, count: int) -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        for k in range(count):
            file = io.BytesIO()
            Image.fromarray(np.full((28, 28), 8 * k, np.uint8)).save(file, "PNG")
            packed.writestr(f"{k}.png", file.getvalue())
    return path


def choose(person, kind: str) -> None:
    person.page.click("#dataset input")
    person.page.locator("#dataset li", has_text=text(f"settings.dataset.{kind}")).first.click()
    person.until("kind => document.getElementById('gan-data').dataset.kind === kind", kind)


def switched(person, lang: str) -> None:
    """The other language, once the page stands and has its preview."""
    person.page.click("#gan-language")
    person.page.wait_for_selector(f"html[lang={lang}]")
    person.page.wait_for_selector(f"#btn-start:has-text('{text('transport.start', lang)}')")
    person.until("() => document.getElementById('data-preview')?.dataset.state === 'ready'")


def opened(page) -> None:
    """The groups of fields that are looked at."""
    for door in ("#gan-advanced", "#gan-group-learned", "#gan-group-optimizers", "#gan-group-steadiness"):
        page.click(f"{door} > button")
    page.wait_for_selector("#field-latent_dim input")


def fields(person) -> dict:
    return person.page.evaluate("""() => ({
        preset: document.querySelector('#preset input:checked').value, kind: document.getElementById('gan-data').dataset.kind,
        kept: document.querySelector('#data-kept input').value, facts: document.getElementById('data-facts').textContent })""")


@pytest.mark.parametrize("locale", ["fr-FR", "en-US"])
def test_a_decimal_comma_is_read_where_a_fraction_is_meant(place, visit, locale):
    person = visit(place.url, locale=locale)
    page = person.page
    page.click("#settings-face [data-key=next]")
    opened(page)
    rate, size = page.locator("#field-lr_d input"), page.locator("#field-batch_size input")
    betas = page.locator("#field-betas_d :is(input, textarea)")

    def typed(box, text):
        box.fill("")
        box.press_sequentially(text)
        return box.input_value()

    def pasted(box, text):
        betas.fill(text)
        betas.press("Control+A")
        betas.press("Control+X")
        betas.fill("0.5; 0.99")
        box.fill("")
        box.focus()
        page.keyboard.press("Control+V")
        return box.input_value()

    assert [typed(rate, text) for text in ("0,0005", "0.0005", "0,25")] == ["0.0005", "0.0005", "0.25"]
    assert [pasted(rate, text) for text in ("0,0007", " 0,5 ", "1\u202f234,5")] == ["0.0007", "0.5", "1234.5"]
    typed(rate, "0,0005")
    assert typed(size, "1,024") == pasted(size, "1,024") == "1024", "there a comma separates thousands"
    assert pasted(size, "1,5") == "1.5"
    refused = page.locator("#gan-notice", has_text="1.5")
    refused.wait_for()
    typed(size, "32")
    refused.wait_for(state="hidden")
    typed(betas, "0,5; much")
    refused = page.locator("#gan-notice", has_text="much")
    refused.wait_for()
    typed(betas, "0,5; 0,99")
    refused.wait_for(state="hidden")
    assert person.errors == []


def test_all_choices_for_the_next_run_survive_another_language(place, visit, tmp_path):
    person = visit(place.url)
    page = person.page
    choose(person, "zip")
    for name, count in (("farm", 24), ("barn", 30)):
        page.locator("#data-upload input[type=file]").set_input_files(farm(tmp_path / f"{name}.zip", count))
        person.until("n => document.getElementById('data-facts').textContent.includes(n)", str(count))
    page.click("#data-kept input")
    page.locator("#data-kept li", has_text="farm").click()  # not the newest one
    person.until("() => document.getElementById('data-facts').textContent.includes('24')")
    page.locator("#preset input[value=course]").check(force=True)
    opened(page)
    person.until("() => document.querySelector('#field-latent_dim input').value === '128'")
    page.locator("#field-lr_d input").fill("0.0007")
    page.locator("#field-spectral_norm input").check()
    before = fields(person)
    assert before["preset"] == "course" and before["kept"].startswith("farm")

    switched(person, "fr")
    person.until("() => document.querySelector('#data-kept input').value.startsWith('farm')")
    after = fields(person)
    assert (after["preset"], after["kind"]) == ("course", "zip") and after["facts"].startswith("vrais 24 images")
    opened(page)
    assert page.locator("#field-latent_dim input").input_value() == "128"
    assert page.locator("#field-lr_d input").input_value() == "0.0007"
    assert page.locator("#field-spectral_norm input").is_checked()
    with page.expect_request("**/gradio_api/queue/join*") as pressed:  # and these are what Start sends
        person.click("btn-start")
    sent = json.loads(pressed.value.post_data)["data"]
    assert sent[2:5] == ["course", "course", "zip"] and sent[7].startswith("farm-") and 0.0007 in sent and True in sent
    page.reload()
    person.until("() => document.querySelector('#preset input:checked')?.value === 'quick'")  # it was kept for once
    assert person.errors == []


def test_what_was_drawn_by_hand_survives_another_language(place, visit):
    person = visit(place.url)
    page = person.page
    choose(person, "drawn")
    box = page.locator("#data-pad").bounding_box()
    page.mouse.move(box["x"] + 30, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 110, steps=8)
    page.mouse.up()
    count = "() => document.querySelector('.gan-pad-side [role=status]').textContent.replace(/\\D/g, '')"
    drawn = page.evaluate(count)
    assert int(drawn) > 5
    switched(person, "fr")  # at once, before the server has kept it
    assert fields(person)["kind"] == "drawn" and page.evaluate(count) == drawn
    person.start()
    assert page.evaluate("ganPlayground.store.config.dataset").startswith("drawn:") and person.errors == []

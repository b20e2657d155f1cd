"""The lesson of docs/teaching.md, from 0 to 11 minutes: the line, and that the page says what single steps did."""

import re

import pytest

from gan_core.ui.words import text

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
PIXELS = """async () => {
    const image = document.querySelector('#sample-grid img'), canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    canvas.getContext('2d').drawImage(image, 0, 0);
    return [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data].filter((_, i) => i % 4 === 0);
}"""
# What stands on the line from noise to verdict, from left to right.
LINE = """() => [...document.querySelectorAll('.gan-flow .gan-box, .gan-flow .gan-word')].filter(one => one.checkVisibility())
    .sort((a, b) => a.getBoundingClientRect().left - b.getBoundingClientRect().left)
    .map(one => one.dataset.box ?? one.textContent.replace(/\\W/g, ''))"""
SHOWN = "name => document.querySelector(`#generator-shown [data-key=${name}]`).getAttribute('aria-pressed') === 'true'"


def settled(person, step):
    """Everything on the page is of this step: the probe, the pictures, the driven picture."""
    person.until("""step => ganPlayground.step === step && ganPlayground.store.status.probe
                 && document.querySelector('.gan-at').textContent.replace(/\\D/g, '') === String(step)""", step)


def flow(person):
    """The numbers of the line from noise to verdict: (fakes before, after), (gap before, after) in percent."""
    said = person.page.locator(".gan-box.v").inner_text(), person.page.locator(".gan-gap").inner_text().replace("\u2212", "-")
    return tuple(tuple(float(n) for n in re.findall(r"-?\d+(?:\.\d)?", part)) for part in said)


def press(person, name, times):
    """That many quick presses; all of them count."""
    step = person.step()
    for _ in range(times):
        person.click(name)
    settled(person, step + times)
    return step + times


def test_the_two_steps_are_seen_apart(playground, visit):
    person = visit(playground.url)
    page = person.page
    assert page.evaluate(LINE) == ["noise", "counterfeiter", "fake", "expert", "verdict"], "the story, before Start is pressed"
    person.start()
    person.until_step(300)
    assert page.evaluate(SHOWN, "average"), "while it trains"
    held = person.pause()
    settled(person, held)
    person.until(SHOWN, "now")
    visit(playground.url).until(SHOWN, "now")  # also for whoever comes while it is paused
    before = page.evaluate(PIXELS)

    step = press(person, "btn-step-g", 10)
    (fakes_before, fakes_after), _ = flow(person)
    assert fakes_after > fakes_before + 1, "the Expert, held still, takes them for more real"
    moved = page.evaluate(PIXELS)
    assert sum(abs(a - b) for a, b in zip(before, moved, strict=True)) / len(before) > 1, "the fakes change"
    probe = page.evaluate("ganPlayground.store.status.probe")
    assert probe["network"] == "generator" and probe["steps"] == 10 and probe["before"]["real"] == probe["after"]["real"]
    drawn = page.evaluate("ganPlayground.store.series.d_fake.at(-1)")
    assert drawn is not None, "the curve of the fakes goes on"

    step = press(person, "btn-step-d", 10)
    _, (gap_before, gap_after) = flow(person)
    assert gap_after > gap_before + 1, "the gap widens"
    assert page.evaluate(PIXELS) == moved, "the fakes stay exactly the same"

    # The verdict under each picture is of this very picture: its z on the sliders has the same one.
    page.click("#verdicts-shown")
    page.wait_for_selector(".gan-holder .judged")
    assert page.locator(".gan-strip .judged .gan-cell").count() == 16, "under the real ones too"
    for index in (12, 63):
        cell = page.locator(".gan-holder .gan-cell").nth(index)
        n = int(re.search(r"\d+", cell.get_attribute("title"))[0])
        cell.click()
        page.wait_for_selector(f"#latent-seed[placeholder='#{index + 1}']")
        assert page.locator("#latent-seed").input_value() == "", "no seed's"
        person.until("n => Math.abs(n - Number(document.querySelector('.gan-share').textContent.match(/\\d+/)[0])) <= 2", n)
    page.click("#verdicts-shown")
    page.wait_for_selector(".gan-holder .gan-cells:not(.judged)")

    page.locator("#generator-shown [data-key=average]").click()
    person.until(SHOWN, "average")
    person.until(f"async before => (await ({PIXELS})()).some((value, i) => value !== before[i])", moved)

    # Drag the history back: one moment for the pictures, the verdict and the curves.
    slider = page.locator(".gan-scrub input")
    slider.focus()
    page.keyboard.press("Home")
    person.until("() => ganPlayground.store.moment !== null")
    moment = page.evaluate("ganPlayground.store.moment")
    person.until("words => document.querySelector('.gan-gap').innerText === words", text("samples.at_step", step=str(moment)))
    page.get_by_role("button", name=text("samples.live")).click()
    person.until("() => ganPlayground.store.moment === null")

    page.select_option("#step-stride", "100")
    person.click("btn-step")
    person.until_step(step + 100)
    person.wait_state("paused")
    assert person.step() == step + 100, "one press, a hundred steps"
    assert page.locator("#run-name").inner_text() == text("presets.quick.name")
    person.click("btn-resume")
    person.wait_state("running")
    person.until(SHOWN, "average")
    assert person.errors == []


def test_whatever_differs_in_the_form_has_its_start_beside_a_run(playground, visit):
    person = visit(playground.url)
    page, begin = person.page, person.page.locator("#btn-begin")
    compared = "ganPlayground.store.config && document.querySelector('#data-preview')?.dataset.state === 'ready'"

    person.start()
    for _ in range(2):
        page.click("#settings-face [data-key=next]")
        person.until(f"() => {compared}")
        assert begin.is_hidden(), "the form holds the run's own settings"
        page.reload()
        person.wait_state("running")
    page.click("#settings-face [data-key=next]")
    person.until(f"() => {compared}")
    page.click("#gan-advanced > button")
    page.click("#gan-group-learned > button")
    page.fill("#field-seed input", "41")
    begin.wait_for(state="visible")
    assert begin.inner_text() == text("knobs.begin_these")
    page.fill("#field-seed input", "0")
    begin.wait_for(state="hidden")
    page.fill("#field-seed input", "41")
    begin.wait_for(state="visible")
    page.click("#btn-defaults")
    begin.wait_for(state="hidden")
    page.fill("#field-seed input", "41")
    begin.wait_for(state="visible")
    person.begin(text("knobs.begin_these"))
    assert page.evaluate("ganPlayground.store.config.seed") == 41
    begin.wait_for(state="hidden")
    assert person.errors == []


def test_a_preset_chosen_beside_a_run_has_its_start_at_once(playground, visit):
    person = visit(playground.url)
    page = person.page
    old = page.evaluate("ganPlayground.run")
    # Sooner than the form has been filled: what trains is what was chosen all the same.
    page.evaluate("() => { document.querySelector('#preset input[value=grid]').click(); "
                  "document.querySelector('#btn-start').click(); }")
    person.until("old => ganPlayground.run !== old && ganPlayground.step > 0", old)
    assert page.evaluate("[ganPlayground.store.preset, ganPlayground.store.config.dataset]") == ["grid", "grid"]
    page.locator("#btn-begin").wait_for(state="hidden")
    page.locator("#preset label", has_text=text("presets.ring.name")).click()
    begin = page.locator("#btn-begin")
    begin.wait_for()
    assert begin.inner_text() == text("knobs.begin", name=text("presets.ring.name"))
    person.begin(text("knobs.begin", name=text("presets.ring.name")))
    assert page.evaluate("ganPlayground.store.preset") == "ring"
    begin.wait_for(state="hidden")
    page.wait_for_selector("#sample-grid .gan-points")
    held = person.pause()
    settled(person, held)
    person.until(SHOWN, "now")
    press(person, "btn-step-g", 1)
    assert page.locator("#run-name").inner_text() == text("presets.ring.name")
    assert person.errors == []

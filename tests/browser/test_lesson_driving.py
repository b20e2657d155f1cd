"""The lesson of docs/teaching.md from 11 to 20 minutes: driving by hand, then breaking it."""

import re

import numpy as np
import pytest
from test_lesson import PIXELS, settled

from gan_core.ui.words import text

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
DRIVEN = PIXELS.replace("#sample-grid img", "#latent-image")
# `answer`: the newest answer to the sliders, which z was drawn, at which step, and its verdict; `shown`: the one on the page.
LISTEN = """() => {
    const ask = window.fetch;
    window.fetch = async (url, options) => {
        const reply = await ask(url, options), of = (name) => Number(reply.headers.get(name));
        if (reply.headers.has('X-Gan-Verdict')) window.answer = { step: of('X-Gan-Step'), verdict: of('X-Gan-Verdict'),
            z: [...new Float32Array(await options.body.arrayBuffer())] };
        return reply;
    };
    ganPlayground.on('driven', () => { window.shown = window.answer; });
}"""
# The steps at which the shown charts have a line across them, a list for each chart.
LINES = """() => (window.Bokeh?.documents ?? []).flatMap(one => one.roots())
    .map(plot => (plot.renderers || []).filter(one => one.glyph.type === 'VSpan' && one.data_source.data.said)
        .flatMap(one => [...one.data_source.data.step]))
    .filter(steps => steps.length)"""
TUNED = "ganPlayground.store.marks.filter(mark => mark.kind === 'tune' && mark.changes.lr_d)"


def picture(person, act) -> np.ndarray:
    """The driven picture of the z where `act` leads."""
    before = person.page.evaluate("shown.z")
    act()
    person.until("before => shown.z.some((value, i) => value !== before[i])", before)
    return np.array(person.page.evaluate(DRIVEN), float)


def picture_at(person, act, home, distance) -> np.ndarray:
    """The driven picture that far from the z `home`: new directions may move a pushed slider's z before `act` does."""
    act()
    person.until("([home, distance]) => Math.abs(Math.hypot(...shown.z.map((value, i) => value - home[i])) - distance) < 1e-3",
                 [home, distance])
    return np.array(person.page.evaluate(DRIVEN), float)


def spread(pictures: list[np.ndarray]) -> float:
    """How far they are from each other, on average."""
    return float(np.mean(np.var(pictures, axis=0)))


def test_the_sliders_drive_it_while_it_trains_and_truncation_makes_it_safer(standing, visit):
    person = visit(standing.url)
    page = person.page
    page.evaluate(LISTEN)
    person.start()
    person.pause()
    person.click("btn-resume")
    person.wait_state("running")
    page.wait_for_selector("#latent-image[src]:not([hidden])")
    person.until_step(100)
    person.until("() => window.shown")
    slider, z = page.locator("#latent-sliders input").first, page.evaluate("shown.z")
    picture_at(person, lambda: slider.fill("2"), z, 2)  # a direction in the space of z
    person.until("step => shown.step > step", page.evaluate("shown.step"))
    assert person.state() == "running", "and the picture follows the training"

    held = person.pause()
    settled(person, held)
    person.until("step => shown.step === step && ganPlayground.store.latent.live === ganPlayground.store.status.live", held)
    home, moved = picture_at(person, lambda: slider.press("Delete"), z, 0), picture_at(person, lambda: slider.fill("2"), z, 2)
    assert (moved != home).any(), "along it the picture changes"
    assert (picture_at(person, lambda: slider.press("Delete"), z, 0) == home).all(), "and back"
    shares = []
    for psi in ("1", "0.3"):
        page.fill("#latent-psi", psi)
        shown = []
        for seed in range(1, 6):
            shown.append(picture(person, lambda seed=seed: page.fill("#latent-seed", str(seed)) or page.keyboard.press("Enter")))
        shares.append(spread(shown))
    assert shares[1] < 0.5 * shares[0], "safer, with fewer surprises"
    said = int(re.search(r"\d+", page.locator(".gan-share").inner_text())[0])
    assert said == pytest.approx(100 * page.evaluate("shown.verdict"), abs=0.51), "the verdict on one's own picture"
    assert person.errors == []


def test_ten_times_the_experts_rate_is_marked_and_the_best_is_gone_back_to_after_asking(standing, visit):
    person = visit(standing.url)
    page = person.page
    if person.state() == "paused":
        person.click("btn-resume")
        person.wait_state("running")
    else:
        person.start()
    person.measure_often()
    person.until("() => { const { status, quality } = ganPlayground.store; return status.best && quality.length > 0; }",
                 seconds=120)
    rate = page.locator("#knob-lr_d")
    before = float(rate.input_value())
    rate.fill(str(10 * before))
    page.keyboard.press("Enter")
    person.until(f"() => {TUNED}.length === 1")
    step = page.evaluate(f"{TUNED}[0].step")
    person.until(f"step => {{ const lines = ({LINES})(); "
                 "return lines.length >= 2 && lines.every(one => one.includes(step)); }", step)
    change = text("marks.change", name=text("fields.lr_d"), to="0.02", **{"from": "0.002"})
    assert change in page.locator(".gan-log li").first.inner_text()
    person.until("""step => ganPlayground.store.series.step.some((at, i) =>
        at > step && ganPlayground.store.series.d_loss[i] > 10)""", step, seconds=120)  # "the losses leap"
    assert person.state() == "running", "it trained all the while"

    page.click("#curves-face [data-key=quality]")
    person.until("() => { const { history, status } = ganPlayground.store; "
                 "return history.filter((frame) => frame.step > status.best.step).length > 1; }")
    page.locator("#btn-restore:enabled").click()
    dialog = page.locator("dialog[open]")
    assert "deterministic" in dialog.inner_text(), "training would repeat itself"
    # The same z at the best moment and now, by both generators; what each is of: test_quality.py.
    page.wait_for_function("() => [...document.querySelectorAll('dialog img')].filter(one => one.naturalWidth).length === 4")
    page.get_by_role("button", name=text("dialog.cancel")).click()
    assert person.state() == "running", "it asks first"
    best = page.evaluate("ganPlayground.store.status.best.step")
    page.locator("#btn-restore:enabled").click()
    page.get_by_role("button", name=text("dialog.restore_go"), exact=True).click()
    person.wait_state("paused")
    person.until("() => ganPlayground.store.marks.some(mark => mark.kind === 'restore')")
    assert best <= person.step() and page.evaluate("Math.max(...ganPlayground.store.series.step)") <= person.step()
    assert page.evaluate("ganPlayground.store.status.best.step") == person.step()
    assert float(rate.input_value()) == (before if person.step() <= step else 10 * before), "and so stand the knobs"
    assert person.errors == []


def test_the_three_that_are_made_to_fail_fail_where_the_lesson_says(standing, visit):
    person = visit(standing.url)
    page = person.page
    page.click("#settings-face [data-key=next]")
    cards = page.locator("#preset label").evaluate_all(
        "all => all.map(one => [one.dataset.head ?? '', one.querySelector('input').value])")
    heads = [head for head, _ in cards]
    assert [name for _, name in cards[heads.index(text("presets.group_failing")):]] == [
        "expert-too-strong", "mode-collapse", "merry-go-round"]
    seen = {
        "expert-too-strong": "() => { const { d_real, d_fake } = ganPlayground.store.series; "
                             "return d_real.at(-1) > 0.9 && d_fake.at(-1) < 0.1; }",  # both curves at their limits
        "mode-collapse": "() => { const modes = ganPlayground.store.quality.at(-1)?.modes; return modes > 0 && modes <= 15; }",
        "merry-go-round": "() => { const loss = ganPlayground.store.series.g_loss; "
                          "return loss.some(value => value > 0.05) && loss.some(value => value < -0.05); }",  # it swings
    }
    for name, condition in seen.items():
        page.locator("#preset label", has_text=text(f"presets.{name}.name")).first.click()
        person.begin(text("knobs.begin", name=text(f"presets.{name}.name")))
        page.click(f"#curves-face [data-key={'quality' if name == 'mode-collapse' else 'losses'}]")
        person.until(condition, seconds=120)
        plane = name in ("mode-collapse", "merry-go-round")
        assert page.locator("#sample-grid .gan-plane" if plane else "#sample-grid img").first.is_visible(), name
    assert text("presets.course.sentence") in page.locator("#preset label", has_text=text("presets.course.name")).inner_text()
    assert person.errors == []

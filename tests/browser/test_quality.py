"""Steering a run while it trains, and judging it: knobs and their marks, the face for quality, presets in groups."""

import json
import re
from pathlib import Path

import pytest
from fake_run import PNG

from gan_core.config import PRESETS, TrainConfig
from gan_core.evaluation.evaluator import MIN_REALS
from gan_core.runs.run import Run
from gan_core.ui import web_files
from gan_core.ui.words import text

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
# A line of a chart that ends at a step, seen on its axis.
GHOST_DRAWN = """to => [...Bokeh.index].some(({ model: p }) => p.type === "Figure" && p.x_range.end >= to
  && p.renderers.some(({ data_source, visible }) => visible && data_source?.data.step?.at(-1) === to))"""
QUALITY = Path(web_files.FOLDER) / "quality" / "quality.js"
FITS = "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"


def measured_run(folder, measurements=12, **config):
    """A finished run as a worker leaves it, measured and tuned, without its pictures."""
    run = Run.create(TrainConfig(**config), folder, preset="quick")
    lines = [{"life": 1, "start_step": 0}]
    for step in range(1, 121):
        at = {"step": step, "images": 16 * step, "t": step / 10}
        lines.append({**at, "d_loss": 1.0, "g_loss": 0.9, "d_real": 0.6, "d_fake": 0.4})
        if step % 10 == 0 and step <= 10 * measurements:
            lines.append({**at, "quality": {"fd": 900 / step + (step - 60) ** 2 / 200, "coverage": step / 200, "precision": 0.8,
                                            "recall": 0.5, "kid": 0.01, "classes": 9}})
        if step == 50:
            lines.append({"step": 50, "t": 5.0, "mark": {"kind": "tune", "changes": {"lr_d": [0.002, 0.0005]}}})
        if step == 80:
            lines.append({"step": 80, "t": 8.0, "mark": {"kind": "restore", "changes": {"augment": ["translation", "none"]}}})
    run.metrics_path(1).write_text("".join(json.dumps(line) + "\n" for line in lines))
    (run.path / "floor.json").write_text('{"fd": 0.32, "coverage": 0.97}')
    status = run.stored_status()
    status.state, status.step, status.life, status.tuned = "stopped", 120, 1, {"lr_d": 0.0005}
    status.best = {"step": 70, "name": "fd", "value": 13.357} if measurements else None
    run.write_status(status)
    return run


def show(person, run, face="quality"):
    person.page.evaluate("run => ganPlayground.showRun(run)", run.id)
    person.until("run => ganPlayground.store.run === run", run.id)
    person.page.click(f"#curves-face [data-key={face}]")


@pytest.fixture(scope="module")
def measured(standing):
    return measured_run(standing.folder)


@pytest.mark.parametrize("locale", ["en-US", "fr-FR"])
def test_quality_is_drawn_told_in_words_and_fits_the_screen(standing, visit, measured, locale):
    person = visit(standing.url, locale=locale)
    page, lang = person.page, locale[:2]
    show(person, measured)
    page.wait_for_selector("#quality-curves .gan-empty", state="hidden")
    assert page.evaluate(FITS) == [1440, 900]
    bottom = page.locator("#quality-curves .gan-told").bounding_box()
    card = page.locator("#gan-side").bounding_box()
    assert bottom["y"] + bottom["height"] <= card["y"] + card["height"]
    assert not page.locator("#loss-curves").is_visible()
    legend = page.locator("#quality-curves").inner_text()
    best = text("quality.best_at", lang, value="13,4" if lang == "fr" else "13.4", step=70)
    assert text("quality.floor", lang) in legend and best in legend
    result = page.locator("#quality-curves .gan-told")
    assert text("measures.fd.help", lang) in result.inner_text(), "the leading measure is explained without being asked"
    page.locator("[data-measure=coverage]").focus()
    name, sentence = text("measures.coverage", lang), text("measures.coverage.help", lang)
    assert result.inner_text() == text("quality.told", lang, name=name, value="0,60" if lang == "fr" else "0.60", help=sentence)
    page.locator("[data-measure=classes]").hover()
    assert text("measures.classes.help", lang) in result.inner_text()
    keys, tops = page.locator("#quality-curves [data-measure]"), "all => all.map(one => one.getBoundingClientRect().top)"
    places = keys.evaluate_all(tops)
    for n in range(keys.count()):
        keys.nth(n).hover()
        assert keys.evaluate_all(tops) == places, "however long its sentence is, it moves nothing"
    page.reload()
    person.until("() => document.querySelector('.gan-faces')?.dataset.face === 'quality'")
    assert person.errors == []


def test_what_has_too_few_pictures_to_be_measured_says_so_and_what_waits_its_share(standing, visit):
    assert re.search(r"FEWEST = (\d+);", QUALITY.read_text())[1] == str(MIN_REALS)
    person = visit(standing.url)
    for share, count, said in ((0.05, 19, text("quality.few", n=20)), (0.2, 20, text("quality.empty", n=20)),
                               (0.0, 20, text("quality.none"))):
        run = measured_run(standing.folder, 0, measure_share=share)
        (run.path / "data.json").write_text(json.dumps({"count": count, "shape": [1, 28, 28]}))
        status = run.stored_status()
        status.state, status.host = "running", "a-node-of-the-cluster"
        run.write_status(status)
        show(person, run)
        person.until("said => document.querySelector('#quality-curves .gan-empty').textContent === said", said)


def test_a_run_without_measurements_says_why(standing, visit):
    person = visit(standing.url)
    note = person.page.locator("#quality-curves .gan-empty").first
    for run, key in ((measured_run(standing.folder, 0, measure_share=0.0), "quality.none"),
                     (measured_run(standing.folder, 0), "quality.never")):
        show(person, run)
        person.until("said => document.querySelector('#quality-curves .gan-empty').textContent === said", text(key))
        assert note.is_visible()


def test_marks_are_lines_on_the_curves_and_a_list_in_words(standing, visit, measured):
    person = visit(standing.url)
    page = person.page
    show(person, measured, "losses")
    page.wait_for_selector("#loss-curves .gan-empty", state="hidden")
    page.click("#settings-face [data-key=now]")
    assert page.locator(".gan-log li").all_inner_texts() == ["step 80\nBack to the best\nDisguises moved → none",
                                                             "step 50\nExpert's learning rate 0.002 → 0.0005"]
    person.until("""() => (window.Bokeh?.documents ?? []).flatMap(d => d.roots()).flatMap(p => p.renderers || [])
        .filter(r => r.glyph.type === 'VSpan' && [...r.data_source.data.step].includes(50)).length >= 4""")  # two in each chart
    assert page.locator("#knob-lr_d").input_value() == "0.0005" and not page.locator("#knob-lr_d").is_enabled()
    assert page.locator("[data-knob=lr_d] .gan-was").inner_text() == text("knobs.was", value="0.002")
    assert person.errors == []


def test_a_knob_turned_while_it_trains_acts_is_marked_and_can_be_put_back(playground, visit):
    person, other = visit(playground.url), visit(playground.url, locale="fr-FR")
    page = person.page
    # Marks of other kinds may come between: on a busy machine the training changes its number of threads.
    tuned = "ganPlayground.store.marks.filter((mark) => mark.kind === 'tune')"
    person.start()
    for one in (person, other):
        one.page.click("#settings-face [data-key=now]")
        one.page.wait_for_selector("#knob-lr_d:enabled")
    page.fill("#knob-lr_d", "0.0005")
    page.keyboard.press("Enter")
    for one in (person, other):
        one.until(f"() => (ganPlayground.store.status.tuned || {{}}).lr_d === 0.0005 && {tuned}.length === 1")
        one.until("() => document.querySelector('[data-knob=lr_d]').classList.contains('gan-changed')")
    assert other.page.locator("#knob-lr_d").input_value() == "0.0005"
    assert text("knobs.was", "fr", value="0,002") in other.page.locator("[data-knob=lr_d]").inner_text()
    page.click("#settings-face [data-key=next]")
    for door in ("#gan-advanced", "#gan-group-optimizers"):
        page.click(f"{door} > button")
    assert page.locator("#field-lr_d input").input_value() == "0.002", "the settings of the next run stay as they are"
    page.click("#settings-face [data-key=now]")
    step = page.evaluate(f"{tuned}[0].step")
    assert step > 0 and not page.evaluate("ganPlayground.store.series.step.includes(null)")

    page.locator("[data-knob=lr_g] input[type=range]").focus()
    page.keyboard.press("ArrowLeft")
    person.until("() => (ganPlayground.store.status.tuned || {}).lr_g < 0.002")
    page.locator("[data-knob=lr_d] .gan-back").click()
    person.until("() => !('lr_d' in ganPlayground.store.status.tuned)")
    page.wait_for_selector("[data-knob=lr_d]:not(.gan-changed, .gan-waits)")

    page.fill("#knob-batch_size", "0")
    page.keyboard.press("Enter")
    page.wait_for_selector(".toast-body:has-text('Batch is 0; give a whole number from 1 to 4,096.')")
    person.until("() => document.getElementById('knob-batch_size').value === '16'")
    person.pause()
    assert page.locator("#knob-lr_d").is_enabled(), "a paused run can be tuned before it goes on"
    person.click("btn-reset")
    page.get_by_role("button", name=text("dialog.reset_paused")).click()
    person.until(f"() => Object.keys(ganPlayground.store.status.tuned || {{}}).length === 0 && {tuned}.length === 0")
    assert person.errors == [] and other.errors == []


def test_the_number_beside_the_fakes_is_of_the_step_at_which_a_run_waits(playground, visit):
    person = visit(playground.url)
    headline = person.page.locator("#headline:not(.none):not(.old)")
    person.start()
    person.until_step(20)
    held = person.pause()
    for step in (held, held + 1):  # after a pause, and after a single step
        person.until("step => ganPlayground.store.quality.at(-1)?.step === step", step)
        headline.wait_for()
        assert text("headline.of", step=step) in headline.get_attribute("title")
        person.click("btn-step")
        person.until_step(step + 1)
    person.click("btn-resume")
    person.wait_state("running")
    assert person.errors == []


def test_the_best_is_gone_back_to_after_asking_and_the_run_waits_there(playground, visit):
    person = visit(playground.url)
    page = person.page
    person.start()
    page.click("#curves-face [data-key=quality]")
    page.locator("#quality-curves .gan-empty", has_text=text("quality.empty", n=5)).first.wait_for()
    person.measure_often()
    person.until("() => { const { status, quality, floor } = ganPlayground.store; "
                 "return status.best && quality.length > 0 && floor; }", seconds=120)
    person.until("() => document.querySelector('#quality-curves .gan-empty').hidden")
    person.until("() => { const { history, status } = ganPlayground.store; "
                 "return history.filter((frame) => frame.step > status.best.step).length > 1; }")
    page.locator("#btn-restore:enabled").click()
    dialog = page.locator("dialog[open]")
    assert "deterministic" in dialog.inner_text()
    # Before and after beside the question, each by both generators, and each says its step.
    page.wait_for_function("() => [...document.querySelectorAll('dialog img')].filter(one => one.naturalWidth).length === 4")
    newest = page.evaluate("ganPlayground.store.frame.step")
    titles = dialog.locator(".gan-before-after p").all_inner_texts()
    best = int(re.search(r"step ([\d,]+)", titles[0])[1].replace(",", ""))
    shown = dialog.locator("figcaption").all_inner_texts()
    assert [caption.split(" \u00b7 ")[0] for caption in shown] == 2 * [text("generator.average"), text("generator.now")]
    steps = [int("".join(c for c in caption if c.isdigit())) for caption in shown]
    assert steps[0] == steps[1] < steps[2] == steps[3] <= newest and abs(steps[0] - best) <= steps[2] - best
    page.get_by_role("button", name=text("dialog.cancel")).click()
    assert person.state() == "running"
    best = page.evaluate("ganPlayground.store.status.best.step")
    page.locator("#btn-restore:enabled").click()
    page.get_by_role("button", name=text("dialog.restore_go"), exact=True).click()
    person.wait_state("paused")
    person.until("() => ganPlayground.store.marks.some(mark => mark.kind === 'restore')")
    # What came after the best is given up, not hidden: it stays on the curves, for whoever opens the page later too.
    back = person.step()
    for _ in range(2):
        past = page.evaluate("ganPlayground.store.given_up")
        assert past["step"] == back < past["series"]["step"][-1] and past["series"]["step"] == sorted(past["series"]["step"])
        page.click("#curves-face [data-key=quality]")
        key = text("curves.given_up", "en", **{"from": f"{back:,}", "to": f"{past['series']['step'][-1]:,}"})
        page.locator("#quality-curves .gan-legend").get_by_text(key).first.wait_for()
        page.click("#curves-face [data-key=losses]")
        page.locator("#loss-curves .gan-legend").get_by_text(key).first.wait_for()
        page.wait_for_function(GHOST_DRAWN, arg=past["series"]["step"][-1])
        page.reload()
        person.wait_state("paused")
    assert best <= person.step() and page.evaluate("Math.max(...ganPlayground.store.series.step)") <= person.step()
    assert page.evaluate("ganPlayground.store.status.best.step") == person.step()
    assert person.errors == []


@pytest.mark.parametrize(("measurements", "said"), [(7, ""), (11, "FD (judge) 20.7 (step 110)"), (12, "FD (judge) 25.5")])
def test_beside_the_question_stands_what_was_measured_since_the_best_and_when(standing, visit, measurements, said):
    run = measured_run(standing.folder, measurements)
    for seq, step in ((1, 70), (2, 120)):
        run.frame_path(seq, step).write_bytes(PNG)
    person = visit(standing.url)
    show(person, run)
    person.page.locator("#btn-restore:enabled").click()
    best, newest = person.page.locator(".gan-before-after p").all_inner_texts()
    assert best == f"{text('quality.best')} · step 70\nFD (judge) 13.4"
    assert newest.rstrip() == f"{text('dialog.newest')} · step 120\n{said}".rstrip()
    assert person.errors == []


def test_a_picture_of_the_best_that_was_thinned_away_meanwhile_is_replaced_by_the_next_nearest(standing, visit):
    run = measured_run(standing.folder, 11)
    for seq, step in ((1, 50), (2, 70), (3, 120)):
        run.frame_path(seq, step).write_bytes(PNG)
    person = visit(standing.url)
    show(person, run)
    person.page.route(f"**/frame?*run={run.id}*seq=2&*", lambda route: route.fulfill(status=404, body="gone"))
    person.page.locator("#btn-restore:enabled").click()
    captions = person.page.locator(".gan-before-after figcaption")
    captions.filter(has_text="step 50").wait_for()
    assert captions.all_inner_texts() == ["step 50", "step 120"]
    person.until("() => [...document.querySelectorAll('dialog img')].every(one => one.naturalWidth)")


@pytest.mark.parametrize("locale", ["en-US", "fr-FR"])
def test_a_loss_below_zero_is_explained_for_those_losses_that_can_be_there(standing, visit, measured, locale):
    person = visit(standing.url, locale=locale)
    sentence = person.page.locator("#loss-below-zero")
    for loss, reasons in (("wasserstein", ("distance", "score")), ("hinge", ("score",)), ("saturating", ("logarithm",))):
        show(person, measured_run(standing.folder, loss=loss), "losses")
        sentence.wait_for(state="visible")
        said = [text(f"curves.below_zero_{reason}", locale[:2]) for reason in reasons]
        assert sentence.inner_text() == " ".join(said)
    show(person, measured, "losses")
    sentence.wait_for(state="hidden")
    assert person.errors == []


def test_every_preset_is_in_sight_under_its_heading_and_brings_its_data_set(standing, visit):
    person = visit(standing.url)
    page = person.page
    page.wait_for_selector("#preset label[data-head]")
    heads = page.locator("#preset label").evaluate_all("all => all.map(one => one.dataset.head || '')")
    assert heads[0] == text("presets.group_digits") and len(heads) == len(PRESETS)
    door = page.locator("#gan-advanced").bounding_box()
    card = page.locator("#gan-settings").bounding_box()
    assert door["y"] + door["height"] <= card["y"] + card["height"], "the fields' door needs no scrolling"
    data = {name: text(f"settings.dataset.{config.dataset}") for name, config in PRESETS.items()}
    for name in PRESETS:
        page.locator(f"#preset input[value='{name}']").check(force=True)
        person.until("said => document.querySelector('#dataset input').value === said", data[name])
        clash = page.evaluate("""() => [...document.querySelectorAll('#preset label + label[data-head]')].some(label =>
            label.previousElementSibling.getBoundingClientRect().bottom > label.getBoundingClientRect().top - 18)""")
        assert not clash, f"a heading lies on the card above it when {name} is chosen"
    assert page.evaluate(FITS) == [1440, 900] and person.errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_behind_the_other_faces(standing, visit, measured, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    person = visit(standing.url, color_scheme=scheme)
    page = person.page
    show(person, measured)
    page.click("#settings-face [data-key=now]")
    page.wait_for_selector("#quality-curves .gan-empty", state="hidden")
    found = [one for one in axe.run(page).response["violations"] if one["impact"] in ("serious", "critical")]
    page.click("#settings-face [data-key=next]")
    page.click("#gan-advanced > button")
    for group in page.locator("#gan-advanced .gan-group > button").all():
        group.click()
    found += [one for one in axe.run(page).response["violations"] if one["impact"] in ("serious", "critical")]
    assert [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found] == []


def test_a_triangle_at_the_edge_of_a_chart_points_to_where_the_value_lies(standing, visit):
    run = measured_run(standing.folder)
    wild = {30: 900.0, 60: -900.0}
    records = [json.loads(line) for line in run.metrics_path(1).read_text().splitlines()]
    for record in records:
        if "d_loss" in record:
            record["d_loss"] = wild.get(record["step"], 1.0 + 0.1 * (record["step"] % 3))
    run.metrics_path(1).write_text("".join(json.dumps(record) + "\n" for record in records))
    person = visit(standing.url)
    show(person, run, "losses")
    marked = """() => (window.Bokeh?.documents ?? []).flatMap(d => d.roots()).flatMap(p => p.renderers || [])
        .filter(({ glyph }) => glyph.type === 'Scatter' && glyph.y?.field?.startsWith('d_loss'))
        .map(({ glyph, data_source: { data } }) => [glyph.marker.value,
            [...data.step].filter((_, i) => Number.isFinite(data[glyph.y.field][i]))])"""
    person.until(f"() => ({marked})().length >= 2")
    assert dict(person.page.evaluate(marked)) == {"triangle": [30], "inverted_triangle": [60]}
    assert person.errors == []

"""The whole story in a real browser: start, pause, single steps, save, reset, reload, a second viewer, a killed worker."""

import os
import signal

import pytest

from gan_core.runs.run import Run, list_runs
from gan_core.ui.words import text

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
ALL_STEPS = {"btn-step", "btn-step-d", "btn-step-g"}


def test_the_page_is_alive_before_anything_is_pressed(standing, visit):
    person = visit(standing.url)
    page = person.page
    page.wait_for_selector("#sample-grid img[src]:not([hidden])")
    assert person.step() > 0, "the starter run is on the page"
    person.until("() => ganPlayground.store.series.step.length > 10")
    page.wait_for_selector("#latent-image[src]:not([hidden])")
    before = page.locator("#latent-image").get_attribute("src")
    slider = page.locator("#latent-sliders input").first
    assert page.locator("#latent-sliders input").count() == 16
    slider.focus()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    person.until("before => document.getElementById('latent-image').src !== before", before)
    assert page.locator("#latent-image").evaluate("image => image.naturalWidth") == 28
    assert text("latent.verdict", n="").strip() in page.locator(".gan-share").inner_text()
    assert person.enabled() == {"btn-start", *ALL_STEPS}
    assert person.errors == []


def test_every_slider_of_raw_z_is_there_and_the_middle_is_zero(standing, visit):
    person = visit(standing.url)
    page = person.page
    page.wait_for_selector("#latent-sliders input")
    page.click("#latent-mode")
    assert page.locator("#latent-sliders input").count() == page.evaluate("ganPlayground.store.latent.latent_dim")
    assert any(float(v) for v in page.locator("#latent-sliders input").evaluate_all("all => all.map(one => one.value)"))
    page.click("#latent-middle")
    assert {float(v) for v in page.locator("#latent-sliders input").evaluate_all("all => all.map(one => one.value)")} == {0.0}


def test_start_pause_step_save_reset(playground, visit):
    person = visit(playground.url)
    page = person.page
    person.start()
    assert person.enabled() == {"btn-pause", "btn-reset", "btn-save"}
    assert page.locator("#btn-pause").is_visible() and not page.locator("#btn-start").is_visible()
    first = person.step()
    person.until_step(first + 5)

    held = person.pause()
    page.wait_for_timeout(800)
    assert person.step() == held, "pause holds"
    assert person.enabled() == {"btn-resume", "btn-reset", "btn-save", *ALL_STEPS}
    for i, name in enumerate(["btn-step", "btn-step-d", "btn-step-g"], start=1):
        person.click(name)
        person.until_step(held + i)
        assert person.step() == held + i, f"{name} makes one step"

    person.click("btn-save")
    person.until("step => ganPlayground.store.status.checkpoint_step === step", held + 3)

    old = page.evaluate("ganPlayground.run")
    with page.expect_response("**/control/prepare") as prepared:
        person.click("btn-reset")
    assert prepared.value.json() == {"ok": True, "warm": True}, "a worker, while the question is read"
    page.get_by_role("button", name=text("dialog.cancel")).click()
    assert page.evaluate("ganPlayground.run") == old
    person.click("btn-reset")
    page.get_by_role("button", name=text("dialog.reset_go")).click()
    person.until("old => ganPlayground.run !== old && ganPlayground.state === 'running' && ganPlayground.step > 0", old)
    assert old in {run.id for run in list_runs(playground.folder)}, "the old run stays"
    assert person.errors == []


def test_a_bad_number_is_refused_in_words_and_nothing_starts(playground, visit):
    person = visit(playground.url)
    page = person.page
    for door in ("#gan-advanced", "#gan-group-optimizers", "#gan-group-learned"):
        page.click(f"{door} > button")
    for value in ("0", "16"):
        page.locator("#field-batch_size input").fill(value)
        page.locator("#gan-notice").get_by_text("1 to 4,096").wait_for(state="visible" if value == "0" else "hidden")
        if value == "0":
            person.click("btn-start")
            page.locator(".toast-body").get_by_text("Batch is 0").wait_for()
            person.until("() => !ganPlayground.store.pending")
            assert person.enabled() == {"btn-start", *ALL_STEPS} and list_runs(playground.folder) == []
            page.locator(".toast-close").click()
    # The preset's own numbers come back by one button, and another preset brings its own.
    page.locator("#field-lr_d input").fill("0.5")
    page.locator("#btn-defaults").click()
    person.until("() => document.querySelector('#field-lr_d input').value === '0.002'")
    page.locator("#preset label").nth(1).click()
    person.until("() => document.querySelector('#field-latent_dim input').value === '128'")
    page.locator("#preset label").nth(0).click()
    person.until("() => document.querySelector('#field-latent_dim input').value === '32'")
    person.start()
    assert person.errors == []


def test_a_stopped_run_is_found_in_the_list_and_resumed(playground, visit):
    person = visit(playground.url)
    page = person.page
    person.start()
    person.until_step(5)
    person.pause()
    run = page.evaluate("ganPlayground.run")
    playground.process.send_signal(signal.SIGTERM)
    assert playground.process.wait(15) == 0
    playground.start()
    page.reload()
    person.wait_state("stopped")
    held = person.step()
    page.get_by_role("tab", name=text("tabs.runs")).click()
    page.locator("#runs label", has_text="starter").click()
    page.locator("#btn-show:enabled").click()
    person.until("run => ganPlayground.run !== run", run)
    page.wait_for_selector("#btn-start", state="visible")
    page.get_by_role("tab", name=text("tabs.runs")).click()
    page.locator("#runs label", has_text=run).click()
    page.locator("#btn-resume-run:enabled").click()
    person.wait_state("running")
    assert page.evaluate("ganPlayground.run") == run
    person.until_step(held + 1)
    # This browser is tied to that run. A new one that it begins is the one to look at.
    person.click("btn-pause")
    page.get_by_role("tab", name=text("tabs.runs")).click()
    page.locator("#runs label", has_text="starter").click()
    page.locator("#btn-show:enabled").click()
    person.until("run => ganPlayground.run !== run", run)
    starter = page.evaluate("ganPlayground.run")
    person.click("btn-start")
    page.get_by_role("button", name=text("dialog.busy_go")).click()
    person.until("others => !others.includes(ganPlayground.run) && ganPlayground.state === 'running'", [run, starter])
    # The list was read while it trained; what may be done with the old one is asked anew when that is chosen.
    page.get_by_role("tab", name=text("tabs.runs")).click()
    other = page.evaluate("ganPlayground.run")
    page.locator("#runs label", has_text=other).wait_for()  # the list has been read
    page.locator("#runs label", has_text=run).click()
    page.locator("#runs-reason", has_text=other).wait_for()
    # And when the other one ends while the list is open; the keyboard stays in the list.
    page.locator("#runs input:checked").focus()
    Run.open(playground.folder / other).send("stop")
    person.until("() => ganPlayground.state === 'stopped'")
    person.until("() => document.getElementById('runs-reason').textContent === ''")
    assert page.locator("#btn-resume-run").is_enabled()
    assert page.evaluate("document.activeElement === document.querySelector('#runs input:checked')")
    assert person.errors == []


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_the_list_says_why_no_resume_resumes_what_is_paused_and_stops_it(playground, visit, lang):
    person = visit(playground.url, locale={"en": "en-US", "fr": "fr-FR"}[lang])
    page = person.page
    resume, stop = page.locator("#btn-resume-run"), page.locator("#btn-stop-run")
    reason = page.get_by_role("status").and_(page.locator("#runs-reason"))

    def says(name: str) -> None:
        said = text(name, lang) if name else ""
        person.until("said => document.getElementById('runs-reason').textContent === said", said)
        assert resume.get_attribute("aria-describedby") == ("runs-reason" if name else None)

    person.start()
    person.pause()
    run = page.evaluate("ganPlayground.run")
    page.get_by_role("tab", name=text("tabs.runs", lang)).click()
    page.locator("#runs label", has_text="starter").click()
    says("runs.not_resumed_starter")
    assert reason.is_visible() and resume.is_disabled() and stop.is_disabled()
    page.locator("#runs label", has_text=run).click()
    page.locator("#btn-resume-run:enabled").click()
    person.wait_state("running")
    page.get_by_role("tab", name=text("tabs.runs", lang)).click()
    says("runs.not_resumed_running")
    assert resume.is_disabled()
    page.locator("#btn-stop-run:enabled").focus()
    page.keyboard.press("Enter")
    person.until("() => ganPlayground.state === 'stopped'")
    page.locator("#btn-resume-run:enabled").wait_for()
    says("")
    assert stop.is_disabled() and Run.open(playground.folder / run).status().state == "stopped"
    person.until("() => document.activeElement.id === 'btn-resume-run'")  # the keyboard is not left nowhere
    assert person.errors == []


def test_keyboard_works_except_where_keys_are_typed(playground, visit):
    person = visit(playground.url)
    page = person.page
    person.start()
    page.keyboard.press("Space")
    person.wait_state("paused")
    held = person.step()
    page.keyboard.press("s")
    person.until_step(held + 1)
    page.locator("#latent-seed").focus()
    for key in ("Space", "s", "r"):
        page.keyboard.press(key)
    assert page.locator("dialog[open]").count() == 0 and person.state() == "paused" and person.step() == held + 1
    page.evaluate("""() => new Promise((done) => {
        document.activeElement.blur();
        requestAnimationFrame(() => requestAnimationFrame(done)); // no hand is faster than a frame
    })""")
    page.keyboard.press("r")
    page.wait_for_selector("dialog[open]")
    page.keyboard.press("s")  # not through a dialog
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="detached")
    assert person.step() == held + 1
    page.keyboard.press("Space")
    person.wait_state("running")


def test_reloads_lose_nothing_and_a_second_browser_sees_the_same(playground, visit):
    first = visit(playground.url)
    first.start()
    first.until("() => ganPlayground.store.series.step.length > 3")
    run, step, points = first.page.evaluate("[ganPlayground.run, ganPlayground.step, ganPlayground.store.series.step[0]]")
    for _ in range(5):
        first.page.reload()
        first.wait_state("running", seconds=15)
        now = first.page.evaluate("[ganPlayground.run, ganPlayground.step, ganPlayground.store.series.step[0]]")
        assert now[0] == run and now[1] >= step and now[2] == points, "the same run, further on, its whole curve"
        step = now[1]
        first.page.wait_for_selector("#sample-grid img[src]:not([hidden])")

    second = visit(playground.url)
    assert second.page.evaluate("ganPlayground.run") == run
    assert second.enabled() == first.enabled() == {"btn-pause", "btn-reset", "btn-save"}
    second.pause()
    first.wait_state("paused")
    assert first.enabled() == second.enabled()
    assert first.step() == second.step()


def test_the_samples_never_blink(playground, visit):
    person = visit(playground.url)
    person.start()
    person.page.evaluate("""() => {
        window.watched = { looks: 0, blank: 0, faces: new Set() };
        (function look() {
            const image = document.querySelector('#sample-grid img');
            watched.looks += 1;
            if (image && image.complete && image.naturalWidth > 0 && image.offsetWidth > 0) watched.faces.add(image.src);
            else watched.blank += 1;
            requestAnimationFrame(look);
        })();
    }""")
    person.until("() => watched.faces.size >= 6")
    looks, blank = person.page.evaluate("[watched.looks, watched.blank]")
    assert looks > 20 and blank == 0


def test_a_killed_worker_is_told_and_resume_goes_on(playground, visit):
    person = visit(playground.url)
    page = person.page
    person.start()
    saved = page.evaluate("ganPlayground.store.status.checkpoint_step")
    person.click("btn-save")
    person.until("saved => ganPlayground.store.status.checkpoint_step > saved", saved)
    status = page.evaluate("ganPlayground.store.status")
    saved, run, pid = status["checkpoint_step"], page.evaluate("ganPlayground.run"), status["pid"]
    os.kill(pid, signal.SIGKILL)
    person.wait_state("failed")
    banner = page.locator(".gan-banner")
    assert text("banner.killed") in banner.inner_text()
    assert {"btn-start", "btn-resume", "btn-reset"} == person.enabled()
    person.click("btn-resume")
    person.wait_state("running")
    person.until_step(saved + 1)
    assert page.evaluate("ganPlayground.run") == run
    assert not banner.is_visible()


def test_a_lost_server_is_told_and_found_again(playground, visit):
    person = visit(playground.url)
    person.start()
    run = person.page.evaluate("ganPlayground.run")
    playground.process.kill()
    playground.process.wait()
    person.wait_state("gone", seconds=15)
    assert text("banner.gone") in person.page.locator(".gan-banner").inner_text()
    assert person.enabled() == set()
    step = person.step()
    playground.start()
    person.wait_state("running", seconds=30)
    assert person.page.evaluate("ganPlayground.run") == run
    person.until_step(step + 1)  # the training process never noticed

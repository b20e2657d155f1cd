"""The slider bank while runs change and answers come late: the picture is of the run that is shown, and always comes."""

from itertools import product

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
PICTURE = "#latent-image[src]:not([hidden])"


def push(page):
    slider = page.locator("#latent-sliders input").first
    slider.focus()
    slider.press("ArrowRight")


def holder(held):
    """A handler that keeps every request for later."""
    return lambda route: held.append(route)


def first_held(page, held):
    """Waits until the page has asked; playwright hands requests over only while it waits."""
    while not held:
        page.wait_for_timeout(20)


def shows(person, run):
    person.page.evaluate("run => ganPlayground.showRun(run)", run)
    person.until("run => ganPlayground.run === run && ganPlayground.store.frame", run)


def test_what_comes_late_of_another_run_is_not_taken(school, visit):
    server, runs = school
    person = visit(server.url)
    page = person.page
    page.wait_for_selector(PICTURE)
    for late, first, second in product(("seed", "directions", "z"), runs.values(), runs.values()):
        if first == second:
            continue
        shows(person, second)
        held, wanted = [], f"**/gan/{late}?*run={first}*"
        page.route(wanted, holder(held))
        shows(person, first)
        first_held(page, held)
        shows(person, second)
        page.wait_for_selector(PICTURE)
        if late != "z":  # a picture's request is given up
            with page.expect_response(lambda reply, part=f"/gan/{late}?", run=first: part in reply.url and run in reply.url):
                held[0].continue_()
        page.unroute(wanted)
        with page.expect_response(lambda reply, run=second: "/gan/z?" in reply.url and run in reply.url) as answer:
            push(page)
        assert answer.value.status == 200, (late, first, second)
        assert page.locator("#latent-class").is_visible() == (second == runs["conditional"])
    assert person.errors == []


def test_a_refused_position_does_not_hold_up_the_next(school, visit):
    person = visit(school[0].url)
    page, held = person.page, []
    page.wait_for_selector(PICTURE)
    page.route("**/gan/z?*", lambda route: route.continue_() if held else held.append(route))
    push(page)
    first_held(page, held)
    push(page)  # while the first is on its way
    before = page.evaluate("document.getElementById('latent-image').src")
    held[0].fulfill(status=422, body="psi is nonsense; give a number.")
    person.until("before => document.getElementById('latent-image').src !== before", before)
    assert person.errors == []

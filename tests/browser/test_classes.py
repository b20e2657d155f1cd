"""A run whose networks are told the class: a column for each in the grid, and a chooser beside the sliders."""

import time

import pytest
from conftest import Server

from gan_core.ui.words import text

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def conditional(tmp_path_factory):
    """A server with a paused run of the preset for one of each digit."""
    from gradio_client import Client
    server = Server(tmp_path_factory.mktemp("classes") / "checkpoints")
    try:
        page = Client(server.url, verbose=False)
        state = page.predict("conditional", "{}", api_name="/start")["state"]
        while state == "starting":  # until its worker has imported torch; the test's own timeout ends a wait in vain
            time.sleep(0.2)
            state = page.predict(api_name="/state")["state"]
        page.predict(api_name="/pause")
        yield server
    finally:
        server.stop()


def test_each_class_has_its_column_and_the_sliders_draw_the_class_that_is_chosen(conditional, visit):
    person = visit(conditional.url)
    page = person.page
    image = page.wait_for_selector("#sample-grid img[src]:not([hidden])", timeout=60_000)
    assert image.evaluate("e => [e.naturalWidth, e.naturalHeight]") == [280, 224]
    width, height = image.evaluate("e => [e.clientWidth, e.clientHeight]")
    assert abs(height * 280 - width * 224) <= 280 and height > 0.7 * page.locator("#sample-grid").evaluate("e => e.clientHeight")
    assert page.locator(".gan-under .gan-caption").get_attribute("title") == text("samples.caption_classes")
    page.wait_for_selector("#latent-image[src]:not([hidden])", timeout=60_000)
    chooser = page.locator("#latent-class")
    assert chooser.locator("option").all_inner_texts() == [str(k) for k in range(10)]
    before = page.locator("#latent-image").get_attribute("src")
    with page.expect_response(lambda reply: "/gan/z?" in reply.url and "label=4" in reply.url) as reply:
        chooser.select_option("4")
    assert reply.value.status == 200
    person.until("before => document.getElementById('latent-image').src !== before", before)
    assert page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]") == [1440, 900]
    assert person.errors == []


def test_where_there_are_no_classes_there_is_no_chooser(standing, visit):
    page = visit(standing.url).page
    page.wait_for_selector("#latent-image[src]:not([hidden])", timeout=60_000)
    assert not page.locator("#latent-class").is_visible()

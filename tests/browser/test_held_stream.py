"""A proxy between page and server that holds server-sent events back, hands them on in pieces, cuts or refuses them."""

import pytest
from conftest import Person
from proxying import Proxy

from gan_core.ui.words import text

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

POLLED = "() => document.querySelector('#run-state.gan-polled') && ganPlayground.store.polled"
STREAMED = "() => !document.querySelector('#run-state.gan-polled') && !ganPlayground.store.polled"


@pytest.fixture
def behind(standing):
    """behind(mode, seconds) -> Proxy in front of the server of this module."""
    proxies = []

    def put(mode: str, seconds: float = 0.0) -> Proxy:
        proxies.append(Proxy(standing.port, mode, seconds))
        return proxies[-1]

    yield put
    for proxy in proxies:
        proxy.close()


def train(person: Person) -> None:
    """A run of this module trains: a new one, or the one that waits."""
    if person.state() == "paused":
        person.click("btn-resume")
        person.wait_state("running")
    elif person.state() != "running":
        person.start()


def goes_on(person: Person) -> None:
    """Steps grow and new frames are drawn."""
    step, frames = person.step(), person.page.evaluate("ganPlayground.frames")
    person.until_step(step + 1)
    person.until("frames => ganPlayground.frames > frames", frames)


def curve(person: Person) -> list[int]:
    return person.page.evaluate("ganPlayground.store.series.step")


def test_behind_a_proxy_that_holds_the_stream_back_the_page_asks_and_returns_when_it_can(behind, visit):
    proxy = behind("hold")
    person = visit(proxy.url)  # the page stands and knows its state, by requests
    page = person.page
    person.until(POLLED)
    pill = page.locator("#run-state")
    assert pill.get_attribute("title") == text("bar.polled") and page.locator("#btn-start").is_enabled()
    person.start()
    goes_on(person)
    step = person.pause()
    page.wait_for_timeout(1500)
    assert person.step() == step and person.state() == "paused"
    person.click("btn-step")
    person.until_step(step + 1)
    person.click("btn-resume")
    person.wait_state("running")
    goes_on(person)
    before = len(proxy.streams)
    proxy.mode = "pass"
    person.until(STREAMED)  # it tries again every half minute
    assert len(proxy.streams) == before + 1 and pill.get_attribute("title") is None
    asked = sum("/gan/events" in one for one in proxy.requests)
    goes_on(person)
    assert sum("/gan/events" in one for one in proxy.requests) == asked, "and asks no more"
    steps = curve(person)
    assert steps == sorted(set(steps)), "what came by both ways is taken in once"
    person.pause()
    assert person.errors == []


def test_the_words_for_it_are_there_in_french_and_the_next_page_of_the_tab_need_not_wait(behind, visit):
    proxy = behind("hold")
    person = visit(proxy.url)
    person.until(POLLED)
    person.page.click("#gan-language")
    person.page.wait_for_selector("html[lang=fr]")
    person.until(POLLED)
    assert person.page.locator("#run-state").get_attribute("title") == text("bar.polled", "fr")
    first = proxy.requests.index("/", 1)
    asked = [one for one in proxy.requests[first:] if "/gan/stream" in one or "/gan/events" in one]
    assert "/gan/events" in asked[0] or "/gan/events" in asked[1], "both ways at once"
    assert person.errors == []


def test_a_proxy_that_hands_on_64_kb_at_a_time_leaves_no_last_event_behind(behind, visit):
    proxy = behind("pieces")
    person = visit(proxy.url)
    train(person)
    goes_on(person)
    step = person.pause()  # whose answer is smaller than a piece
    person.until(POLLED)
    person.click("btn-step")
    person.until_step(step + 1)
    assert person.errors == []


def test_a_stream_that_is_cut_again_and_again_is_not_noticed(behind, visit):
    proxy = behind("cut", 3.0)
    person = visit(proxy.url)
    train(person)
    person.page.evaluate("""() => {
        window.noticed = [];
        const look = () => window.noticed.push(document.getElementById('run-state').dataset.state);
        new MutationObserver(look).observe(document.getElementById('run-state'), { attributes: true });
        ganPlayground.on('snapshot', () => window.noticed.push('snapshot'));
    }""")
    cuts = proxy.cuts
    while proxy.cuts < cuts + 4:
        goes_on(person)
    noticed = set(person.page.evaluate("noticed"))
    assert noticed <= {"running"}, "neither another state nor a run that is sent anew"
    assert not person.page.evaluate("ganPlayground.store.polled")
    steps = curve(person)
    assert steps == sorted(set(steps))
    person.pause()
    assert person.errors == []


def test_where_streams_are_refused_the_page_asks_and_a_server_that_comes_back_is_streamed(playground, visit):
    proxy = Proxy(playground.port, "refuse")
    try:
        person = visit(proxy.url)
        person.until(POLLED)
        assert person.page.locator("#btn-start").is_enabled()
        proxy.mode = "pass"
        playground.stop()
        person.wait_state("gone")
        assert person.page.locator("#run-state").get_attribute("title") is None, "now it is something else"
        playground.start()
        person.until(STREAMED)
        person.until("() => ganPlayground.store.connection === 'open'")
        assert person.errors == []
    finally:
        proxy.close()

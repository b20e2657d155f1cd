"""The queue's answers all arrive: the race between the end of a stream of answers and the next event."""

from types import SimpleNamespace

import httpx
import pytest

from gan_core.ui import page as pages


@pytest.fixture
def waits(monkeypatch):
    """The waits of events, in seconds, instead of waiting; an end counts as just now for a minute."""
    waits = []

    async def sleep(seconds):
        waits.append(seconds)

    monkeypatch.setattr(pages, "asyncio", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(pages, "CLOSING", 60.0)
    return waits


def test_an_event_right_after_the_last_answer_waits_until_the_browser_knows_of_its_end(page, waits):
    (at,) = [fn._id for fn in page.demo.fns.values() if fn.api_name == "state"]
    with httpx.Client(base_url=page.demo.local_url, timeout=30) as http:

        def ask(session):
            joined = http.post("/gradio_api/queue/join", json={"data": [], "fn_index": at, "session_hash": session})
            assert joined.status_code == 200
            return waits.copy()

        def read(session):
            assert "close_stream" in http.get(f"/gradio_api/queue/data?session_hash={session}").text

        assert ask("one") == [0.0], "nobody has been answered yet"
        read("one")
        assert ask("other") == [0.0, 0.0], "another browser's stream does not matter"
        (*_, wait) = ask("one")
        assert 50 < wait <= 60
        assert len(ask("one")) == 3, "with an event that is not answered yet the stream stays"
        read("one")

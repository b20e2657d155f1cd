"""An upload that is dropped while the list of uploads is read is the one that is chosen in the end."""

import threading

import httpx

from gan_core.ui.forms import data_panel


def test_a_list_that_was_asked_for_earlier_is_answered_earlier(page, monkeypatch):
    reading, keeping = threading.Event(), threading.Event()
    overtaken = []

    def slow_list(lang):
        reading.set()
        overtaken.append(keeping.wait(1))  # by what was asked for later; it has a second to do so
        return [("farm", "farm")] if overtaken[-1] else []

    def save(paths):
        keeping.set()
        return "farm"

    monkeypatch.setattr(data_panel, "kept", slow_list)
    monkeypatch.setattr(data_panel.uploads, "save_pictures", save)
    with httpx.Client(base_url=f"{page.demo.local_url}gradio_api/", timeout=30) as http:
        def asked(name, *data):
            return name, http.post(f"call/{name}", json={"data": list(data)}).json()["event_id"]

        events = [asked("list-uploads", "en", "zip", None)]
        assert reading.wait(10)
        events.append(asked("keep-upload", "en", []))
        assert all("event: complete" in http.get(f"call/{name}/{one}").text for name, one in events)
    assert keeping.is_set() and overtaken == [False, True]  # the list as it was, and the list with the upload

"""Runs that lie elsewhere: opened, found again under ids of their own, steered through their folder, refused in words, let go."""

import json
import os
import threading
import time

import pytest
from making import make_run

from gan_core.runs import remote
from gan_core.runs.run import Run, RunError
from gan_core.runs.supervisor import WorkerBusy
from gan_core.ui import external_runs, words
from gan_core.ui.controls import Controls, Refusal
from gan_core.ui.external_runs import PLACES_FILE, ExternalRuns, PlaceError
from gan_core.ui.forms.runs_tab import card
from gan_core.ui.run_events import RunEvents


@pytest.fixture
def away(tmp_path):
    """A folder of two runs, one of them with the very name of a run of the page's own."""
    for name in ("first", "second"):
        make_run(tmp_path / "away", steps=1).path.rename(tmp_path / "away" / name)
    os.utime(tmp_path / "away" / "first" / "status.json", (2e9, 2e9))
    return tmp_path / "away"


def test_a_folder_of_runs_is_opened_and_is_there_again_after_a_restart(catalogue, away):
    own = make_run(catalogue.folder, steps=1)
    own.path.rename(catalogue.folder / "first")
    opened = catalogue.external_runs.open(f" '{away}/' ")
    assert [run.path.name for run in opened] == ["first", "second"]
    again = ExternalRuns(catalogue.folder)
    assert [run.id for run in again.runs()] == [run.id for run in opened] and again.places() == [str(away)]
    assert len({run.id for run in opened} | {"first"}) == 3, "no id is another run's"
    assert catalogue.find("first").path == catalogue.folder / "first" and catalogue.find(opened[0].id).path == away / "first"
    make_run(away, steps=1).path.rename(away / "third")
    assert len(ExternalRuns(catalogue.folder).runs()) == 3, "what comes later is shown too"


def test_a_run_that_is_chosen_is_shown_and_none_that_is_not(catalogue, away):
    (opened,) = catalogue.external_runs.open(str(away / "first"))
    assert catalogue.default_run() is None and catalogue.own_runs() == [], "it is no run of this page's folder"
    snapshot = json.loads(_snapshot(catalogue.find(opened.id)))
    assert snapshot["run"] == opened.id and snapshot["series"]["step"] == [1] and snapshot["frame"] and snapshot["latent"]["live"]


def _snapshot(run):
    feed = RunEvents(run)
    list(feed.refresh({"worker": "none", "active": None}))
    return feed.snapshot()


def test_its_commands_go_into_its_own_folder(catalogue, away, monkeypatch):
    (opened,) = catalogue.external_runs.open(str(away / "first"))
    sent = []
    monkeypatch.setattr(Run, "wait", lambda self, identity, timeout: sent.append(self.path))
    status = opened.stored_status()
    status.state, status.host = "running", "a-node-of-the-cluster"
    opened.write_status(status)
    assert Controls(catalogue).pause(opened.id).id == opened.id
    assert sent == [away / "first"] and [body["command"] for _, body in opened.pending_commands()] == ["pause"]


@pytest.mark.parametrize("lang", words.LANGUAGES)
@pytest.mark.parametrize(("text", "key"), [("", "attach_empty"), ("  ", "attach_empty"), ("a\0b", "attach_empty"),
                                           ("/nowhere/at/all", "attach_none"), ("empty", "attach_none"), ("runs", "attach_own"),
                                           ("runs/mine", "attach_own")])
def test_what_is_no_place_of_runs_is_refused_in_words_and_not_remembered(catalogue, tmp_path, monkeypatch, text, key, lang):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(Refusal) as caught:
        Controls(catalogue).attach(text, lang)
    values = {"path": text if text.startswith("/") else tmp_path / text} if "{path}" in words.table(lang)[f"errors.{key}"] else {}
    assert str(caught.value) == words.text(f"errors.{key}", lang, **values)
    assert not (catalogue.folder / PLACES_FILE).exists()


def test_a_page_that_strangers_reach_opens_nothing(catalogue, away):
    controls = Controls(catalogue)
    controls.local_paths = False
    with pytest.raises(Refusal, match="opens no other folders"):
        controls.attach(str(away))
    assert catalogue.external_runs.runs() == []


def test_let_go_forgets_the_place_and_deletes_nothing(catalogue, away):
    opened = catalogue.external_runs.open(str(away))
    before = sorted(path for path in away.rglob("*"))
    Controls(catalogue).detach(opened[1].id)
    assert catalogue.external_runs.runs() == [] and catalogue.find(opened[0].id) is None and sorted(away.rglob("*")) == before
    with pytest.raises(Refusal, match="not opened by its path"):
        Controls(catalogue).detach(opened[1].id)


@pytest.mark.parametrize("note", [b"", b"{", b"[1]", b'{"places": 7}', b'{"places": [7, null, "/gone"]}'])
def test_a_damaged_note_or_a_place_that_is_gone_shows_nothing(catalogue, note):
    (catalogue.folder / PLACES_FILE).write_bytes(note)
    assert catalogue.external_runs.runs() == [] and catalogue.find("first-at-12345678") is None


def test_a_place_that_cannot_be_written_to_is_for_reading(catalogue, away, monkeypatch):
    real = os.access
    monkeypatch.setattr(external_runs.os, "access", lambda path, mode: "away" not in str(path) and real(path, mode))
    (opened,) = catalogue.external_runs.open(str(away / "first"))
    status = opened.stored_status()
    status.state, status.host = "running", "a-node-of-the-cluster"
    opened.write_status(status)
    result = json.loads(_snapshot(opened))
    assert result["kind"] == "reading" and result["status"]["state"] == "running" and not result["controls"]["pause"]
    with pytest.raises(Refusal):
        Controls(catalogue).pause(opened.id)
    assert words.text("runs.reading", "en", path=opened.path) in card(opened, "en")


def test_twenty_places_opened_at_once_are_all_remembered(catalogue, tmp_path):
    places = [tmp_path / f"away-{i}" for i in range(20)]
    run = make_run(tmp_path / "away", steps=1)
    for place in places:
        place.symlink_to(run.path.parent)
    threads = [threading.Thread(target=catalogue.external_runs.open, args=(str(place),)) for place in places]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(catalogue.external_runs.places()) == sorted(map(str, places))
    assert len({run.id for run in catalogue.external_runs.runs()}) == 20


def test_the_card_says_where_it_lies(catalogue, away):
    (opened,) = catalogue.external_runs.open(str(away / "first"))
    assert card(opened, "en").splitlines()[2] == f"elsewhere: {away / 'first'}"
    assert card(opened, "fr").splitlines()[2] == f"ailleurs\u00a0: {away / 'first'}"


def test_an_address_is_mirrored_watched_and_never_steered(catalogue, tmp_path):
    there = make_run(tmp_path / "trained", steps=2)
    remote.push(there, "memory://class/runs/theirs")
    opened = Controls(catalogue).attach("memory://class/runs/theirs")
    assert opened.kind == "remote" and catalogue.find(opened.id).stored_status().step == 2
    result = json.loads(_snapshot(catalogue.find(opened.id)))
    assert result["origin"] == "memory://class/runs/theirs" and result["frame"] and not result["controls"]["pause"]
    assert "elsewhere, read-only: memory://class/runs/theirs" in card(opened, "en")
    with pytest.raises(Refusal):
        Controls(catalogue).resume(opened.id)
    with pytest.raises(Refusal, match="There is no run at memory://class/nothing"):
        Controls(catalogue).attach("memory://class/nothing")
    Controls(catalogue).detach(opened.id)
    catalogue.external_runs.closed.set()
    assert catalogue.external_runs.runs() == [] and opened.path.exists()


def test_a_password_in_an_address_is_neither_shown_nor_written(catalogue, tmp_path):
    remote.push(make_run(tmp_path / "trained", steps=1), "memory://key:se/cret@bucket/sheep")
    opened = Controls(catalogue).attach("memory://key:se/cret@bucket/sheep")
    assert opened.place == opened.info["origin"] == "memory://bucket/sheep" and catalogue.external_runs.runs()
    catalogue.external_runs.closed.set()
    assert not [path for path in catalogue.folder.rglob("*") if path.is_file() and b"cret" in path.read_bytes()]
    with pytest.raises(Refusal, match="There is no run at memory://bucket/nothing;"):
        Controls(catalogue).attach("memory://key:se/cret@bucket/nothing")
    Controls(catalogue).detach(opened.id)
    assert catalogue.external_runs.places() == []


def test_a_look_now_and_then_finds_new_runs_and_ended_ones_that_go_on(catalogue, tmp_path):
    first, second = (make_run(tmp_path / name, steps=1, state="stopped") for name in ("one", "two"))
    remote.push(first, "memory://later/runs/first")
    catalogue.external_runs.closed.set()  # this test is the follower
    (opened,) = catalogue.external_runs.open("memory://later/runs")
    status = first.stored_status()
    status.state, status.step = "running", 2
    first.write_status(status)
    remote.push(first, "memory://later/runs/first")
    remote.push(second, "memory://later/runs/second")
    catalogue.external_runs._refresh(opened.place, thorough=False)
    assert catalogue.find(opened.id).stored_status().state == "stopped", "that would be a request each time for nothing"
    catalogue.external_runs._refresh(opened.place, thorough=True)
    catalogue.external_runs._cached_at = -1e9
    assert {run.name for run in catalogue.external_runs.runs()} == {first.name, second.name}
    assert catalogue.find(opened.id).stored_status().state == "running"


def test_one_bad_run_at_an_address_does_not_hide_the_others(catalogue, tmp_path):
    run = make_run(tmp_path / "one", steps=1)
    for name in ("a", "b"):
        remote.push(run, f"memory://mixed/runs/{name}")
    remote.folder.RemoteFolder("memory://mixed/runs/a").write("status.json", b"{}]")
    catalogue.external_runs.closed.set()
    assert Controls(catalogue).attach("memory://mixed/runs").info["origin"] == "memory://mixed/runs/b"
    remote.folder.RemoteFolder("memory://mixed/runs/b").write("status.json", b"{}]")
    with pytest.raises(PlaceError) as caught:
        ExternalRuns(tmp_path / "fresh").open("memory://mixed/runs")
    assert "status.json from there is not JSON" in words.text(caught.value.key, **caught.value.values)


def test_an_address_opened_after_all_were_let_go_is_followed_too(catalogue, tmp_path, monkeypatch):
    monkeypatch.setattr(external_runs, "REFRESH_SECONDS", 0.001)
    remote.push(make_run(tmp_path / "one", steps=1), "memory://again/run")
    for _ in range(3):
        opened = Controls(catalogue).attach("memory://again/run")
        follower = catalogue.external_runs._refreshers["memory://again/run"]
        assert follower.is_alive()
        Controls(catalogue).detach(opened.id)
        follower.join(20)
        assert not catalogue.external_runs._refreshers, "nothing to follow"


def test_an_address_that_does_not_answer_is_said_and_keeps_no_other_waiting(catalogue, tmp_path, monkeypatch):
    monkeypatch.setattr(external_runs, "REFRESH_SECONDS", 0.001)
    run, find = make_run(tmp_path / "one", steps=1, state="running"), remote.find
    asked, hang = threading.Event(), threading.Event()
    remote.push(run, "memory://quick/run")

    def silent(url):
        if url == "memory://silent":
            asked.set()
            hang.wait()
        return find(url)

    monkeypatch.setattr(remote, "find", silent)
    monkeypatch.setattr(external_runs, "FIND_TIMEOUT", 0.01)
    with pytest.raises(Refusal, match=r"memory://silent has not answered for 0\.01 s"):
        Controls(catalogue).attach("memory://silent")
    monkeypatch.setattr(external_runs, "FIND_TIMEOUT", 20.0)
    asked.clear()
    (catalogue.folder / PLACES_FILE).write_text('{"places": ["memory://silent"]}')  # it was quicker once
    catalogue.external_runs._cached_at = -1e9
    catalogue.external_runs.runs()
    assert asked.wait(20), "it is asked, and hangs"
    opened = Controls(catalogue).attach("memory://quick/run")
    status = run.stored_status()
    status.step = 7
    run.write_status(status)
    remote.push(run, "memory://quick/run")
    deadline = time.monotonic() + 20
    while catalogue.find(opened.id).stored_status().step != 7:
        assert time.monotonic() < deadline
    catalogue.external_runs.closed.set()
    hang.set()


def test_who_trains_in_its_folder_is_told_before_anything_is_written(catalogue, away):
    first, second = catalogue.external_runs.open(str(away))
    status = second.stored_status()
    status.state, status.host, status.heartbeat = "running", "a-node-of-the-cluster", 5
    second.write_status(status)
    (away / ".worker.json").write_text(json.dumps({"run": "second", "pid": 1, "pid_started": 0, "host": "a-node-of-the-cluster"}))
    before = (first.path / "status.json").read_bytes()
    with pytest.raises(WorkerBusy) as busy:
        catalogue.supervisor.start(first)
    assert busy.value.run.path == second.path and (first.path / "status.json").read_bytes() == before


def test_a_place_whose_note_cannot_be_written_is_said(catalogue, away, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(external_runs, "atomic_write", full)
    with pytest.raises(PlaceError) as caught:
        catalogue.external_runs.open(str(away))
    sentence = words.text(caught.value.key, **caught.value.values)
    assert sentence == "The list of opened places cannot be saved: No space left on device."


def test_a_run_that_goes_away_is_gone_and_no_fault(catalogue, away):
    (opened,) = catalogue.external_runs.open(str(away / "first"))
    (away / "first" / "config.json").unlink()
    assert catalogue.find(opened.id) is None
    with pytest.raises(RunError):
        Run.open(away / "first")


def test_stop_and_reset_of_a_run_elsewhere_ask_that_run_and_end_no_other(catalogue, away, monkeypatch):
    (opened,) = catalogue.external_runs.open(str(away / "first"))
    status = opened.stored_status()
    status.state, status.host = "running", "a-node-of-the-cluster"
    opened.write_status(status)
    done = []

    def ends(run, identity, timeout):
        """It has answered, and then it ends."""
        done.append(run.path)
        ended = run.stored_status()
        ended.state = "stopped"
        run.write_status(ended)

    monkeypatch.setattr(type(catalogue.supervisor), "stop", lambda self, timeout: done.append("own"))
    monkeypatch.setattr(Run, "wait", ends)
    monkeypatch.setattr(type(catalogue.supervisor), "start", lambda self, run, paused=False, changes=None: done.append("start"))
    controls = Controls(catalogue)
    controls.stop(opened.id)
    assert done == [away / "first"]
    opened.write_status(status)
    controls.reset(opened.config, "quick", run_id=opened.id)
    assert done == [away / "first", away / "first", "start"]
    assert [body["command"] for _, body in opened.pending_commands()] == ["stop", "stop"]
    controls.stop()
    assert done[-1] == "own"


@pytest.mark.parametrize(("changes", "sentence"), [
    ({"processes": 3, "batch_size": 16}, "3 processes cannot share a batch of 16 evenly"),
    ({"processes": 64, "batch_size": 64, "device": "cpu"}, "64 processes need a core each, and this machine has")])
def test_processes_that_cannot_be_are_refused_before_a_run_is_made(catalogue, monkeypatch, changes, sentence):
    if changes["processes"] == 3:
        monkeypatch.setattr("gan_core.ui.controls.capacity_limit", lambda processes, device: None)
    controls = Controls(catalogue)
    with pytest.raises(Refusal, match=sentence):
        controls.start(controls.config("quick", changes), "quick")
    assert catalogue.own_runs() == []

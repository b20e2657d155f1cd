"""What a viewer is told of a run: everything once, then only what changed."""

import itertools
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import IMAGES, OF_POINTS, make_run

from gan_core.config import PRESETS
from gan_core.messages import Fault, message
from gan_core.runs.run import Run
from gan_core.training.pixel_range import grid, png
from gan_core.ui import words
from gan_core.ui.run_events import MAX_MARKS, MAX_MEASUREMENTS, SERIES, RunEvents, _subsample, _thin

AROUND = {"worker": "ready", "active": None, "active_run": None, "ending": []}


def look(feed, around=AROUND):
    return {name: json.loads(text) for name, text in feed.refresh(around)}


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


def test_a_snapshot_holds_everything_and_nothing_is_told_twice(run):
    feed = RunEvents(run)
    look(feed)
    everything = json.loads(feed.snapshot())
    assert everything["run"] == run.id and everything["status"]["step"] == 3 and everything["kind"] == "run"
    assert everything["series"]["step"] == [1, 2, 3] and all(len(everything["series"][name]) == 3 for name in SERIES)
    assert everything["dataset_label"] == {lang: words.dataset(run.config.dataset, lang) for lang in words.LANGUAGES}
    assert everything["frame"]["step"] == 3 and everything["frame"]["src"].startswith("data:image/png;base64,")
    assert everything["real"].startswith("data:image/png;base64,") and everything["latent"] == {"live": 1, "latent_dim": 20}
    assert [h["step"] for h in everything["history"]] == [0, 3] and everything["controls"]["start"]
    assert look(feed) == {}
    assert json.loads(feed.snapshot()) == everything


def test_changes_come_one_kind_an_event(run):
    feed = RunEvents(run)
    look(feed)
    with open(run.metrics_path(1), "a") as file:
        file.write('{"step": 4, "d_loss": 1.5}\n')
    nothing = {key: [None] for key in ("g_loss", "d_real", "d_fake")}
    assert look(feed) == {"metrics": {"series": {"step": [4], "d_loss": [1.5], **nothing}}}
    status = run.stored_status()
    status.heartbeat += 1
    run.write_status(status)
    assert look(feed) == {}, "a heartbeat is no news"
    status.live, status.step = 2, 4
    run.write_status(status)
    events = look(feed)
    assert set(events) == {"status", "latent"} and events["latent"]["live"] == 2 and events["status"]["status"]["step"] == 4
    assert set(look(feed, {"worker": "warming", "active": "other"})) == {"status"}
    assert json.loads(feed.snapshot())["active"] == "other"


def test_a_run_of_points_comes_with_their_coordinates(tmp_path):
    run = make_run(tmp_path, **OF_POINTS)
    feed = RunEvents(run)
    first = look(feed)
    newest = run.frames()[-1]
    assert first["frame"]["points"] == json.loads(newest.path.read_bytes()) and first["frame"]["seq"] == newest.seq
    everything = json.loads(feed.snapshot())
    assert everything["data"] == "points" and everything["real"] == json.loads(run.real_path.read_bytes())
    assert everything["frame"] == {key: first["frame"][key] for key in ("seq", "step", "points", "now")}
    assert everything["frame"]["now"] is True


def test_what_is_real_comes_with_the_first_frame_of_a_run_that_was_watched_from_its_start(tmp_path):
    run, ready = Run.create(PRESETS["quick"], tmp_path / "new"), make_run(tmp_path)
    feed = RunEvents(run)
    look(feed)
    before = json.loads(feed.snapshot())
    assert before["real"] is None and before["frame"] is None and before["data"] == "images"
    run.write_file(run.real_path, ready.real_path.read_bytes())
    for seq, frame in enumerate(ready.frames(), start=1):
        run.write_file(run.frame_path(seq, frame.step), frame.path.read_bytes())
        status = run.stored_status()
        status.seq = seq
        run.write_status(status)
        result = look(feed)["frame"]
        assert result["rows"] == result["cols"] == 8 and ("real" in result) == (seq == 1)
    assert json.loads(feed.snapshot())["real"].startswith("data:image/png;base64,")


def test_a_resume_that_found_other_data_shows_them_to_those_who_watch(run):
    feed = RunEvents(run)
    look(feed)
    old = json.loads(feed.snapshot())["real"]
    run.write_file(run.real_path, png(grid(IMAGES[:16].numpy()[::-1].copy(), 8)))
    run.write_file(run.data_path, json.dumps({"count": 7, "shape": [1, 28, 28]}).encode())
    status = run.stored_status()
    status.seq += 1
    run.write_file(run.frame_path(status.seq, status.step), run.newest_frame().path.read_bytes())
    run.write_status(status)
    result = look(feed)["frame"]
    assert result["real"] != old and result["real"].startswith("data:image/png") and result["about"]["count"] == 7
    assert json.loads(feed.snapshot())["about"]["count"] == 7


def test_a_grid_says_how_many_columns_it_has(tmp_path):
    run = make_run(tmp_path)
    run.write_file(run.frame_path(9, 9), png(grid(IMAGES[:20].repeat(4, 1, 1, 1).numpy(), 10)))
    feed = RunEvents(run)
    result = look(feed)["frame"]
    assert (result["rows"], result["cols"]) == (8, 10)


def test_a_rewound_curve_comes_as_a_whole_snapshot(run):
    feed = RunEvents(run)
    look(feed)
    run.metrics_path(2).write_text('{"life": 2, "start_step": 1}\n{"step": 2, "d_loss": 9.0}\n')
    events = look(feed)
    assert list(events) == ["snapshot"]
    assert events["snapshot"]["series"]["step"] == [1, 2] and events["snapshot"]["series"]["d_loss"][1] == 9.0


def test_what_was_given_up_at_a_return_comes_with_every_snapshot(run):
    feed = RunEvents(run)
    look(feed)
    assert json.loads(feed.snapshot())["given_up"] is None
    append(run, MARK, MEASURED, *({"step": step, "d_loss": 1.0} for step in range(4, 3004)))
    look(feed)
    run.metrics_path(2).write_text('{"life": 2, "start_step": 1}\n')
    assert look(feed)["snapshot"]["given_up"] is None, "it may be a resume that repeats them"
    append(run, {"step": 1, "mark": {"kind": "restore", "changes": {}}}, life=2)
    past = look(feed)["snapshot"]["given_up"]
    assert past["step"] == 1 and [mark["step"] for mark in past["marks"]] == [3] and past["quality"][0]["fd"] == 12.5
    assert past["series"]["step"][0] == 2 and past["series"]["step"][-1] == 3003 and len(past["series"]["d_loss"]) <= 600
    append(run, {"step": 2, "d_loss": 4.0}, life=2)
    assert list(look(feed)) == ["metrics"] and json.loads(feed.snapshot())["given_up"] == past


def append(run, *lines, life=1):
    with open(run.metrics_path(life), "a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)


MEASURED = {"step": 3, "images": 6, "t": 0.3, "quality": {"fd": 12.5, "coverage": 0.4, "classes": 9, "nearest": float("nan")}}
MARK = {"step": 3, "t": 0.3, "mark": {"kind": "tune", "changes": {"lr_d": [0.002, 0.0005]}}}


def test_measurements_and_marks_are_events_of_their_own_and_never_in_the_curves(run):
    feed = RunEvents(run)
    look(feed)
    nothing = json.loads(feed.snapshot())
    assert nothing["quality"] == [] and nothing["marks"] == [] and nothing["floor"] is None
    (run.path / "floor.json").write_text('{"fd": 0.32}')
    append(run, MEASURED, MARK)
    measured = {"step": 3, "t": 0.3, "fd": 12.5, "coverage": 0.4, "classes": 9}
    mark = {"step": 3, "kind": "tune", "changes": {"lr_d": [0.002, 0.0005]}}
    assert look(feed) == {"quality": {"quality": [measured], "floor": {"fd": 0.32}}, "marks": {"marks": [mark]}}
    everything = json.loads(feed.snapshot())
    assert everything["quality"] == [measured] and everything["marks"] == [mark] and everything["floor"] == {"fd": 0.32}
    assert everything["series"] == nothing["series"], "no empty row in the losses"
    assert look(feed) == {}
    later = RunEvents(run)
    look(later)
    assert json.loads(later.snapshot()) == everything, "who comes later is told the same"


def test_going_back_takes_later_measurements_and_marks_away(run):
    append(run, MEASURED, MARK, {**MEASURED, "step": 1}, {**MARK, "step": 1})
    feed = RunEvents(run)
    look(feed)
    run.metrics_path(2).write_text('{"life": 2, "start_step": 2}\n')
    events = look(feed)
    assert list(events) == ["snapshot"]
    assert [one["step"] for one in events["snapshot"]["quality"]] == [one["step"] for one in events["snapshot"]["marks"]] == [1]
    assert events["snapshot"]["series"]["step"] == [1, 2]


def test_a_long_run_hands_over_a_few_measurements_and_its_newest_marks(run):
    append(run, *({**MEASURED, "step": 3 + i} for i in range(1203)), *({**MARK, "step": 3 + i} for i in range(300)))
    feed = RunEvents(run)
    look(feed)
    everything = json.loads(feed.snapshot())
    assert len(everything["quality"]) <= MAX_MEASUREMENTS and everything["quality"][-1]["step"] == 1205
    assert len(everything["marks"]) == MAX_MARKS and everything["marks"][-1]["step"] == 302


@given(st.integers(0, 900), st.integers(1, 60))
def test_spreading_keeps_the_last_the_order_and_the_limit(size, most):
    some = _subsample(list(range(size)), most)
    assert len(some) <= most and some == sorted(set(some)) and some[-1:] == list(range(size))[-1:]
    assert size > most or len(some) == size
    assert len({b - a for a, b in itertools.pairwise(some)}) <= 1, "evenly"


def test_silence_is_counted_by_our_own_clock_and_only_of_the_living(run, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("gan_core.ui.run_events.time.monotonic", lambda: now[0])
    status = run.stored_status()
    status.state, status.pid = "running", os.getpid()
    import psutil
    status.pid_started = psutil.Process().create_time()
    run.write_status(status)
    feed = RunEvents(run)
    assert look(feed)["status"]["silent"] == 0
    now[0] += 2.9
    assert look(feed) == {}
    now[0] += 4
    assert look(feed)["status"]["silent"] == 7
    status.heartbeat += 1
    run.write_status(status)
    assert look(feed)["status"]["silent"] == 0
    status.state = "stopped"
    run.write_status(status)
    look(feed)
    now[0] += 100
    assert look(feed) == {}


def test_a_run_that_begins_again_is_silent_from_there_on_and_not_since_its_last_life(run, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("gan_core.ui.run_events.time.monotonic", lambda: now[0])
    monkeypatch.setattr(run, "status", run.stored_status)  # of whatever pids
    feed, status = RunEvents(run), run.stored_status()
    status.state, status.pid, status.heartbeat = "paused", 11, 500
    run.write_status(status)
    assert look(feed)["status"]["silent"] == 0

    def silent(passed, **changes):
        for name, value in changes.items():
            setattr(status, name, value)
        run.write_status(status)
        for _ in range(passed):
            now[0] += 1
            look(feed)
        return json.loads(feed.snapshot())["silent"]

    assert silent(4) == 4
    assert silent(1, state="starting", pid=12) == 0, "the supervisor's, with the last heartbeat of the life before"
    assert silent(30) == 0 and silent(1) == 31, "it was counted from its start"
    assert silent(1, life=status.life + 1, heartbeat=501) == 0
    assert silent(1, state="running") == 0 and silent(5) == 5
    assert silent(1, pid=13) == 0 and silent(1, life=status.life + 1) == 0

    now[0] += 1396  # nobody looked at it
    look(feed)
    assert json.loads(feed.snapshot())["silent"] == 0
    assert silent(4) == 4


def test_what_falls_with_the_step_comes_with_its_value_in_force_and_follows_the_knobs(tmp_path):
    run = make_run(tmp_path, decay_steps=200, lr_final=0.02, lr_d=0.002, lr_g=0.001, r1=0.1, penalty_final=1.0)
    feed, status = RunEvents(run), run.stored_status()

    def told(step, **tuned):
        status.step, status.tuned = step, tuned
        run.write_status(status)
        return look(feed)["status"]["decayed"]

    assert told(0) == {"lr_d": 0.002, "lr_g": 0.001}, "the penalty keeps all its weight"
    assert told(100) == pytest.approx({"lr_d": 0.00102, "lr_g": 0.00051})
    assert told(18_245) == pytest.approx({"lr_d": 0.00004, "lr_g": 0.00002})
    assert told(18_246, lr_d=0.02) == pytest.approx({"lr_d": 0.0004, "lr_g": 0.00002})
    assert json.loads(feed.snapshot())["decayed"] == pytest.approx({"lr_d": 0.0004, "lr_g": 0.00002})
    assert told(18_247, decay_steps=0) == {}


def test_no_run_at_all_is_a_state_too():
    feed = RunEvents(None)
    look(feed)
    everything = json.loads(feed.snapshot())
    assert everything["run"] is None and everything["status"] is None and everything["controls"]["start"]


@given(st.lists(st.tuples(*[st.none() | st.floats(-1e3, 1e3)] * 4), max_size=700), st.integers(16, 64))
def test_thinning_keeps_the_extremes_the_order_and_the_limit(values, most):
    rows = [[i, *row] for i, row in enumerate(values)]
    thin = _thin(rows, most)
    assert len(thin) <= max(most + 2, 1) and thin == sorted(thin, key=lambda row: row[0]) and all(row in rows for row in thin)
    for column in range(1, 5):
        there = [row[column] for row in rows if row[column] is not None]
        if there:
            kept = [row[column] for row in thin if row[column] is not None]
            assert (min(kept), max(kept)) == (min(there), max(there))


def test_notices_are_told_in_every_language_and_where_one_is_unknown_as_they_were_written(run):
    status, known = run.stored_status(), message("notice_data", before=1234, now=5)
    status.notice, status.notices = "As it was written.", [known, message("notice_log", name="x", reason="y")]
    run.write_status(status)
    feed = RunEvents(run)
    look(feed)
    result = json.loads(feed.snapshot())["status"]["noticed"]
    assert "1,234 then, 5 now" in result["en"] and "(1\u202f234 alors, 5 maintenant)" in result["fr"] and "vers x" in result["fr"]
    status.notices = [known, {"key": "of another version", "values": {}}]
    run.write_status(status)
    assert look(feed)["status"]["status"]["noticed"] == {"en": "As it was written.", "fr": "As it was written."}


def test_a_failure_is_told_in_every_language_and_one_without_a_key_as_it_was_written(run):
    feed, status = RunEvents(run), run.stored_status()
    fault = Fault("folder_missing", path="/x")
    status.state = "failed"
    status.error = {"kind": "refused", "message": str(fault), "step": 0, "fault": fault.payload()}
    run.write_status(status)
    result = look(feed)["status"]["status"]["error"]
    assert result["said"]["fr"].startswith("Le dossier /x n’existe pas")
    assert result["said"]["en"] == result["message"] == str(fault)
    status.error = {"kind": "refused", "message": "Of an older version.", "step": 0}
    run.write_status(status)
    assert look(feed)["status"]["status"]["error"] == status.error
    for odd in ({"key": "of a newer version", "values": {}}, "text", [1]):
        status.error = {"kind": "refused", "message": "As it was.", "step": 0, "fault": odd}
        run.write_status(status)
        assert look(feed)["status"]["status"]["error"]["said"] == {"en": "As it was.", "fr": "As it was."}

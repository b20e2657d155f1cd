import json
import os
import re
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan_core.compute.processes import process_exists
from gan_core.config import PRESETS, ConfigError, TrainConfig
from gan_core.messages import ENGLISH, Misfit
from gan_core.runs import commands
from gan_core.runs.run import CommandError, MetricsReader, Run, RunError, folder_name, list_runs
from gan_core.runs.status import Status, controls

ME = psutil.Process()


def make(folder: Path, **changes: object) -> Run:
    return Run.create(TrainConfig(seed=7), folder, **changes)


def alive(run: Run, **changes: object) -> Status:
    """A status whose worker exists: this very process."""
    status = Status(**{"state": "running", "pid": ME.pid, "pid_started": ME.create_time(), **changes})
    run.write_status(status)
    return status


# Create, open, list.


def test_a_run_is_opened_as_it_was_created(tmp_path: Path) -> None:
    run = Run.create(PRESETS["course"], tmp_path, preset="course", parent={"run": "old", "step": 5})
    again = Run.open(run.path)
    assert again.config == PRESETS["course"] and again.info == run.info and again.preset == "course" and again.kind == "run"
    assert again.info["parent"] == {"run": "old", "step": 5}
    assert again.status() == Status() and again.status().state == "stopped" and again.status().life == 0
    assert not again.is_alive() and again.metrics() == [] and again.frames() == [] and again.live_path() is None


@given(st.one_of(st.text(max_size=400), st.sampled_from([
    "", "CON", "con.txt", "nul", "COM1", "../../etc", "/", "a/b", "\\", ".", "..", "-rf", "é" * 300, "🐑" * 100, "\0",
    "a\nb", " ", "x" * 300, "LPT9 "])))
def test_any_name_becomes_a_safe_folder(name: str) -> None:
    safe = folder_name(name)
    assert len(safe) <= 64 and all(c.isascii() and (c.isalnum() or c == "-") for c in safe)
    assert safe not in {"con", "prn", "aux", "nul", "com1", "lpt9"}
    assert not safe.startswith("-") and safe == safe.lower()


@pytest.mark.parametrize("name", ["", "CON", "../up", "mouton 🐑", "a/b", "x" * 300, "\0", "Été"])
def test_odd_names_make_runs_inside_the_folder_that_keep_what_they_were_called(tmp_path: Path, name: str) -> None:
    run = make(tmp_path, name=name)
    assert run.path.parent == tmp_path and len(os.fsencode(run.id)) < 100
    again = Run.open(run.path)
    assert again.name == (name or run.id) and [r.id for r in list_runs(tmp_path)] == [run.id]


def test_twenty_runs_made_at_once_are_twenty_folders(tmp_path: Path) -> None:
    barrier, made = threading.Barrier(20), []

    def go() -> None:
        barrier.wait()
        made.append(make(tmp_path).id)

    threads = [threading.Thread(target=go) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 20 == len(list_runs(tmp_path))


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"null", b'{"schema": 2}', b"\xff\xfe", b"[" * 100_000],
                         ids=["missing", "empty", "torn", "list", "null", "schema 2", "not text", "deep"])
def test_a_folder_that_is_no_run_is_refused_in_words_and_left_out_of_the_list(tmp_path: Path, content: bytes | None) -> None:
    good, broken = make(tmp_path), make(tmp_path)
    (broken.path / "config.json").unlink()
    if content is not None:
        (broken.path / "config.json").write_bytes(content)
    with pytest.raises(RunError, match=r"is not a run folder|schema 2; this version reads schema 1"):
        Run.open(broken.path)
    assert [run.id for run in list_runs(tmp_path)] == [good.id]


@pytest.mark.parametrize("path", ["", "/nowhere", None, 3, "\0", __file__])
def test_what_is_no_folder_is_refused_in_a_sentence(path: object) -> None:
    with pytest.raises(RunError, match=r"is not a run folder[:;]") as caught:
        Run.open(path)  # type: ignore[arg-type]
    assert "Errno" not in str(caught.value)


def test_a_config_from_another_version_is_refused_by_its_field(tmp_path: Path) -> None:
    run = make(tmp_path)
    info = json.loads((run.path / "config.json").read_text())
    (run.path / "config.json").write_text(json.dumps({**info, "config": {**info["config"], "wings": 2}}))
    with pytest.raises(ConfigError, match="unknown field 'wings'"):
        _ = Run.open(run.path).config


def test_what_cannot_be_written_down_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        Run.create(PRESETS["quick"], tmp_path, parent={1})  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RunError, match="choose another with --checkpoints"):
        make(tmp_path / "file")
    assert list_runs(tmp_path / "nowhere") == []


def test_the_newest_touched_run_comes_first(tmp_path: Path) -> None:
    runs = [make(tmp_path) for _ in range(3)]
    for age, run in enumerate((runs[1], runs[2], runs[0])):
        os.utime(run.path / "status.json", (1e9 - age, 1e9 - age))
    assert [run.id for run in list_runs(tmp_path)] == [runs[1].id, runs[2].id, runs[0].id]


def test_a_disk_without_room_makes_no_half_a_run(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gan_core.runs.run.atomic_write", full)
    with pytest.raises(RunError, match="No space left on device; choose another"):
        Run.create(TrainConfig(), tmp_path, name="sheep")
    assert list(tmp_path.iterdir()) == []


def test_two_runs_of_the_same_second_never_share_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, first_tries = uuid.uuid4, ["aaaa", "aaaa"]
    monkeypatch.setattr("gan_core.runs.run.time.strftime", lambda *_: "20260101-000000")
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(hex=first_tries.pop() * 8) if first_tries else real())
    taken = tmp_path / "run-20260101-000000-aaaa"
    taken.mkdir()
    assert make(tmp_path).path != taken and not first_tries and not list(taken.iterdir())


# Status.


def test_a_status_survives_its_file_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    run = make(tmp_path)
    status = alive(run, step=10, speed=123.5, acknowledged=[{"id": "x", "ok": True}], notice="é")
    assert run.status() == status and run.is_alive()
    (run.path / "status.json").write_bytes(b'{"state": "run')
    with pytest.raises(RunError, match=r"status\.json cannot be read"):
        run.status()


@pytest.mark.parametrize("state", ["starting", "running", "paused"])
def test_an_active_run_without_its_worker_has_failed_and_nobody_writes_that_down(tmp_path: Path, state: str) -> None:
    run = make(tmp_path)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = psutil.Process(child.pid).create_time()
    alive(run, state=state, pid=child.pid, pid_started=started, step=42)
    assert run.status().state == state
    child.kill()
    # A zombie, not yet waited for, is dead already.
    deadline = time.monotonic() + 10
    while run.status().state == state and time.monotonic() < deadline:
        time.sleep(0.01)
    assert run.status().state == "failed" and not run.is_alive()
    assert run.status().error["kind"] == "killed" and run.status().error["step"] == 42 and "42" in run.status().error["message"]
    child.communicate()
    assert run.status().state == "failed" and run.stored_status().state == state


def test_a_reused_pid_is_another_process() -> None:
    assert process_exists(ME.pid, ME.create_time())
    assert not process_exists(ME.pid, ME.create_time() - 100)
    assert not process_exists(ME.pid, 10**400) and not process_exists(10**400, 0)
    assert not process_exists(0, 0) and not process_exists(-1, 0) and not process_exists(2**31 - 1, 0)


def test_an_ended_run_stays_as_it_ended_whoever_lives(tmp_path: Path) -> None:
    run = make(tmp_path)
    for state in ("finished", "stopped", "failed"):
        alive(run, state=state, pid=0)
        assert run.status().state == state and run.status().error is None


def test_the_clock_may_jump_and_nothing_is_taken_for_dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make(tmp_path)
    alive(run)
    now = time.time()
    for jump in (86_400, -86_400):
        monkeypatch.setattr(time, "time", lambda jump=jump: now + jump)
        assert run.status().state == "running"
        with pytest.raises(CommandError, match="has not answered"):
            run.wait(run.send("pause"), timeout=0.05)


def test_a_reader_never_sees_half_a_status(tmp_path: Path) -> None:
    run = make(tmp_path)
    done = threading.Event()

    def write() -> None:
        for step in range(400):
            run.write_status(Status(step=step, notice="x" * (step * 7 % 977)), durable=False)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    last = -1
    while not done.is_set():
        status = run.stored_status()
        assert status.step >= last and len(status.notice) == status.step * 7 % 977
        last = status.step
    writer.join()


# Commands.


def test_commands_wait_in_order_and_a_broken_one_is_an_empty_one(tmp_path: Path) -> None:
    run = make(tmp_path)
    first, second = run.send("step", network="both", count=3), run.send("stop")
    assert [body["id"] for _, body in run.pending_commands()] == [first, second]
    assert run.pending_commands()[0][1]["args"] == {"network": "both", "count": 3}
    (run.path / "control" / "0-x.json").write_bytes(b"{")
    assert [body.get("command") for _, body in run.pending_commands()] == [None, "step", "stop"]
    run.discard_commands()
    (run.path / "control" / "zz.json").mkdir()  # no command, whatever its name
    assert run.pending_commands() == []


def test_an_unknown_command_is_not_sent(tmp_path: Path) -> None:
    run = make(tmp_path)
    with pytest.raises(CommandError, match="'fly' is no command; the commands are: pause, resume"):
        run.send("fly")
    assert run.pending_commands() == []


def test_waiting_ends_with_the_acknowledgement_the_refusal_or_the_end_of_the_worker(tmp_path: Path) -> None:
    run = make(tmp_path)
    alive(run, acknowledged=[{"id": "a", "command": "pause", "ok": True, "message": "", "step": 3},
                             {"id": "b", "command": "step", "ok": False, "message": "Pause first.", "step": 3}])
    assert run.wait("a").state == "running"
    with pytest.raises(CommandError, match="Pause first"):
        run.wait("b")
    with pytest.raises(CommandError, match="has not answered"):
        run.wait("c", timeout=0.05)
    alive(run, state="stopped", pid=0)
    with pytest.raises(CommandError, match="has ended; no worker"):
        run.wait("c", timeout=60)


def test_a_command_without_an_answer_is_withdrawn_and_one_that_was_taken_is_said_to_go_on(tmp_path: Path) -> None:
    run = make(tmp_path)
    alive(run)
    other, late = run.send("save"), run.send("step")
    with pytest.raises(CommandError, match=r"has not answered for 0\.05 s; .* the command is withdrawn\."):
        run.wait(late, timeout=0.05)
    assert [body["id"] for _, body in run.pending_commands()] == [other], "nobody else's command is touched"
    run.discard_commands()  # as a worker does that begins with it
    with pytest.raises(CommandError, match="it has taken the command and may still carry it out"):
        run.wait(other, timeout=0.05)


def test_an_answer_that_comes_while_the_command_is_withdrawn_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make(tmp_path)
    alive(run)
    command_id = run.send("save")

    def too_late(folder: Path, identity: str) -> bool:
        run.discard_commands()
        alive(run, acknowledged=[{"id": identity, "command": "save", "ok": True, "message": "", "step": 3}])
        return False

    monkeypatch.setattr(commands, "withdraw_command", too_late)
    assert run.wait(command_id, timeout=0.05).acknowledged[0]["id"] == command_id


# Metrics.


def segment(run: Run, life: int, start: int, steps: range, tail: str = "") -> None:
    lines = [{"life": life, "start_step": start}, *({"step": step, "d_loss": life} for step in steps)]
    run.metrics_path(life).write_text("".join(json.dumps(line) + "\n" for line in lines) + tail)


def test_a_new_life_replaces_what_the_old_one_did_beyond_its_checkpoint(tmp_path: Path) -> None:
    run = make(tmp_path)
    segment(run, 1, 0, range(1, 61))
    segment(run, 2, 50, range(51, 56))
    records = run.metrics()
    assert [r["step"] for r in records] == list(range(1, 56))
    assert [r["d_loss"] for r in records] == [1] * 50 + [2] * 5


def test_a_follower_is_told_to_forget_when_the_run_was_set_back(tmp_path: Path) -> None:
    run = make(tmp_path)
    reader = MetricsReader(run.path)
    assert reader.read_new() == ([], False)
    segment(run, 1, 0, range(1, 11))
    assert [r["step"] for r in reader.read_new()[0]] == list(range(1, 11))
    segment(run, 1, 0, range(1, 13))
    assert [r["step"] for r in reader.read_new()[0]] == [11, 12] and reader.read_new() == ([], False)
    segment(run, 2, 10, range(11, 14))
    records, rewound = reader.read_new()
    assert rewound and [r["step"] for r in records] == list(range(1, 14)) and records[-1]["d_loss"] == 2
    segment(run, 3, 13, range(14, 15))
    assert reader.read_new() == ([{"step": 14, "d_loss": 3}], False)


def go_on(run: Run, life: int, start: int, *records: dict, left: int | None = None) -> None:
    lines = [{"life": life, "start_step": start} | ({} if left is None else {"left": left}), *records]
    run.metrics_path(life).write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_what_was_given_up_at_the_last_return_is_remembered_and_what_a_resume_repeats_is_not(tmp_path: Path) -> None:
    run, back = make(tmp_path), {"mark": {"kind": "restore", "changes": {}}}
    reader = MetricsReader(run.path)

    def given_up() -> tuple[int, list[int]] | None:
        for one in (reader, MetricsReader(run.path)):
            one.read_new()
        assert one.given_up == reader.given_up, "who follows and who comes later read the same"
        past = reader.given_up
        return past and (past.step, [record["step"] for record in past.records])

    segment(run, 1, 0, range(1, 11))
    go_on(run, 2, 8, *({"step": step, "d_loss": 2} for step in range(9, 13)))
    assert given_up() is None, "a resume after a crash"
    go_on(run, 3, 12, {"step": 12, **back}, {"step": 13, "d_loss": 3})
    assert given_up() is None, "nothing came after the best"
    go_on(run, 4, 5, left=13)
    records, rewound = reader.read_new()
    assert rewound and [record["step"] for record in records] == [*range(1, 6)]
    assert given_up() == (5, [*range(6, 13), 12, 13])
    go_on(run, 5, 5, {"step": 5, **back}, left=13)  # the one before was killed at once
    assert given_up() == (5, [*range(6, 13), 12, 13])
    go_on(run, 6, 5, {"step": 5, **back}, {"step": 6, "d_loss": 6}, {"step": 7, "d_loss": 6})
    assert given_up() == (5, [*range(6, 13), 12, 13]), "a second return at once gives nothing more up"
    go_on(run, 7, 6, {"step": 6, **back})
    assert given_up() == (6, [7]), "of several returns the last"
    go_on(run, 8, 3, {"step": 4, "d_loss": 8})
    assert reader.read_new()[1] and given_up() is None, "a resume from before it: today's curves no longer lead there"


def test_steps_that_a_crash_lost_before_a_return_are_not_what_was_given_up(tmp_path: Path) -> None:
    back = {"mark": {"kind": "restore", "changes": {}}}

    def given_up(run: Run) -> tuple[int, list[int]] | None:
        reader = MetricsReader(run.path)
        reader.read_new()
        return reader.given_up and (reader.given_up.step, [record["step"] for record in reader.given_up.records])

    behind = make(tmp_path, name="taken back after its crash")
    segment(behind, 1, 0, range(1, 13))
    go_on(behind, 2, 5, {"step": 5, **back}, left=8)  # the newest checkpoint was of step 8
    assert given_up(behind) == (5, [6, 7, 8])

    at_once = make(tmp_path, name="resumed and taken back to that very step")
    segment(at_once, 1, 0, range(1, 13))
    go_on(at_once, 2, 8)
    go_on(at_once, 3, 8, {"step": 8, **back}, left=8)
    assert given_up(at_once) is None

    older = make(tmp_path, name="the same of a version that did not write what was left")
    segment(older, 1, 0, range(1, 13))
    go_on(older, 2, 8)
    go_on(older, 3, 8, {"step": 8, **back})
    assert given_up(older) is None
    go_on(older, 4, 5, {"step": 5, **back})
    assert given_up(older) == (5, [6, 7, 8, 8])


def test_half_a_line_waits_and_a_torn_one_is_passed_over(tmp_path: Path) -> None:
    run = make(tmp_path)
    reader = MetricsReader(run.path)
    segment(run, 1, 0, range(1, 3), tail='{"step": 3, "d_lo')
    assert [r["step"] for r in reader.read_new()[0]] == [1, 2]
    with open(run.metrics_path(1), "a") as file:
        file.write('ss": 1}\n{"torn\n[1]\n{"step": 4}\n')
    assert [r["step"] for r in reader.read_new()[0]] == [3, 4]


lives = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 30)), min_size=1, max_size=6)


@given(lives, st.integers(1, 7))
def test_however_it_is_followed_the_curve_is_what_happened_last_at_each_step(tmp_path_factory, lives: list, every: int) -> None:
    run = make(tmp_path_factory.mktemp("run"))
    truth: dict[int, int] = {}
    reader, followed = MetricsReader(run.path), []
    end = 0
    for life, (start, count) in enumerate(lives, start=1):
        start = min(start, end)
        truth = {step: by for step, by in truth.items() if step <= start} | {s: life for s in range(start + 1, start + count + 1)}
        end = start + count
        segment(run, life, start, range(start + 1, end + 1))
        if life % every == 0 or life == len(lives):
            records, rewound = reader.read_new()
            followed = records if rewound else followed + records
    assert [(r["step"], r["d_loss"]) for r in followed] == sorted(truth.items())
    assert run.metrics() == followed


# Frames and live files.


def test_frames_are_found_by_their_names_and_strangers_are_passed_over(tmp_path: Path) -> None:
    run = make(tmp_path)
    for seq, step in ((2, 20), (1, 10), (100_000_000, 30)):
        run.frame_path(seq, step).write_bytes(b"png")
    for stranger in ("x-1.png", "1-x.png", ".tmp.png", "5.png", "1-2-3.png"):
        (run.path / "frames" / stranger).write_bytes(b"")
    assert [(f.seq, f.step) for f in run.frames()] == [(1, 10), (2, 20), (100_000_000, 30)]
    assert run.newest_frame().step == 30


def test_the_live_file_is_the_one_the_status_names(tmp_path: Path) -> None:
    run = make(tmp_path)
    run.live_file(3).write_bytes(b"x")
    assert run.live_path() is None
    run.write_status(Status(live=3))
    assert run.live_path() == run.live_file(3)
    run.write_status(Status(live=4))
    assert run.live_path() is None


def test_a_lost_process_starts_again_while_torchrun_lives_and_has_a_restart_left(tmp_path: Path) -> None:
    run = make(tmp_path)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    started = psutil.Process(gone.pid).create_time()
    gone.wait()
    for state in ("running", "paused", "starting"):
        status = alive(run, state=state)
        status.pid, status.pid_started, status.checkpoint_step = gone.pid, started, 7
        status.launcher, status.launcher_started = ME.pid, ME.create_time()
        run.write_status(status)
        result = run.status()
        assert (result.state, result.restarting, result.error) == ("starting", state, None)
        assert run.is_alive() and run.stored_status().state == state, "a reader writes nothing"
        assert [name for name, may in controls(result).items() if may] == ["reset"]
        status.launcher_started -= 100  # another process has its number now
        run.write_status(status)
        assert run.status().state == "failed" and run.status().error["kind"] == "killed" and not run.is_alive()


ABOUT = {"count": 3, "shape": [1, 8, 8], "names": ["cat", "dog"], "crc32": 7}


@pytest.mark.parametrize("now, conditional, sentence", [
    ({}, True, ""), ({"crc32": 8}, True, r"3 then, 3 now"), ({"count": 4, "crc32": 8}, False, r"3 then, 4 now"),
    ({"names": ["cat", "dog", "eel"]}, False, "no longer reproducible bit for bit"),
    ({"names": ["cat", "dog", "eel"]}, True, "the classes cat, dog, and they are now cat, dog, eel"),
    ({"shape": [3, 8, 8]}, False, "of shape 1 x 8 x 8, and they are now 3 x 8 x 8")])
def test_a_run_whose_data_have_changed_says_so_or_cannot_go_on(tmp_path: Path, now, conditional, sentence) -> None:
    run = Run.create(TrainConfig(), tmp_path)
    run.write_file(run.data_path, json.dumps(ABOUT).encode())
    run.write_file(run.path / "real.png", b"of the old data")
    run.write_file(run.floor_path, b"{}")
    refused = "Put the old files back" if "shape" in now or (conditional and "names" in now) else ""
    if refused:
        with pytest.raises(Misfit, match=sentence) as caught:
            run.check_data({**ABOUT, **now}, conditional)
        assert refused in str(caught.value)
    else:
        notice = " ".join(map(ENGLISH.sentence, run.check_data({**ABOUT, **now}, conditional)))
        assert re.search(sentence, notice) and bool(notice) == bool(sentence)
    stale = bool(sentence) and not refused
    assert run.real_path.exists() != stale and run.floor_path.exists() != stale


def test_data_that_an_older_version_described_are_not_called_changed(tmp_path: Path) -> None:
    run = Run.create(TrainConfig(), tmp_path)
    assert run.check_data(ABOUT, True) == []  # it never came to its data
    run.write_file(run.data_path, json.dumps({"count": 3, "shape": [1, 8, 8]}).encode())
    assert run.check_data(ABOUT, True) == []

import itertools
import json
import os
import signal
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from fake_run import ROOT, SUPPORT, FakeRun

from gan_core.integrations.follower import Follower, follow
from gan_core.integrations.interface import IntegrationError
from gan_core.integrations.processes import FollowerProcesses
from gan_core.integrations.registry import INTEGRATIONS, IntegrationEntry, check_available
from gan_core.messages import ENGLISH
from gan_core.runs.run import Run


def result(run: Run) -> dict[str, list[tuple[int, Any]]]:
    """What TensorBoard shows of the run's event files: tag -> [(step, value)], by its own rule for sessions that begin again.

    The format is TFRecord (length, its checksum, bytes, their checksum); a session that starts at a step hides what the
    older files, by name, hold at that step and beyond.
    """
    from tensorboardX.proto.event_pb2 import Event, SessionLog

    found: dict[str, list[tuple[int, Any]]] = {}
    for path in sorted((run.path / "tensorboard").glob("events*")):
        data, begin = path.read_bytes(), 0
        while begin < len(data):
            (length,) = struct.unpack_from("<Q", data, begin)
            event = Event.FromString(data[begin + 12:begin + 12 + length])
            begin += length + 16
            if event.session_log.status == SessionLog.START and event.step:
                found = {tag: [row for row in rows if row[0] < event.step] for tag, rows in found.items()}
            for value in event.summary.value:
                what = {"image": value.image.encoded_image_string, "simple_value": value.simple_value}.get(
                    value.WhichOneof("value"), b"".join(value.tensor.string_val).decode())
                found.setdefault(value.tag, []).append((event.step, what))
    return found


def look(run: Run, name: str = "tensorboard") -> dict[str, list[tuple[int, Any]]]:
    stop = threading.Event()
    stop.set()  # one look
    follow(run, name, stop)
    return result(run) if name == "tensorboard" else {}


def test_a_run_is_told_at_its_own_steps(tmp_path: Path) -> None:
    fake = FakeRun(tmp_path)
    fake.step(30)
    fake.line({"step": 30, "t": 3.0, "mark": {"kind": "tune", "changes": {"lr_d": [0.002, 0.001]}}})
    fake.line({"step": 28, "images": 448, "t": 2.8, "quality": {"fd": 3.5, "coverage": 0.25}, "histogram": [0.5, 0.5]})
    fake.line({"step": 31, "images": 480, "t": 3.2, "d_loss": 1.5, "g_loss": 2.5, "d_real": 0.75, "d_fake": 0.125})
    found = look(fake.run)
    assert found["loss/discriminator"] == [(n, pytest.approx(1 / n)) for n in range(1, 31)] + [(31, 1.5)]
    assert found["loss/generator"] == [(31, 2.5)]
    assert found["believed/real"] == [(31, 0.75)] and found["believed/fake"] == [(31, 0.125)]
    assert found["quality/fd"] == [(28, 3.5)] and found["quality/coverage"] == [(28, 0.25)]
    assert found["marks/text_summary"] == [(30, "tune lr_d: 0.002 -> 0.001")]
    assert "seed: 7" in found["config/text_summary"][0][1]
    steps = [step for step, _ in found["samples"]]
    assert steps[:4] == [1, 2, 3, 4] and all(b > 1.25 * a for a, b in itertools.pairwise(steps)) and steps[-1] > 24


def test_followers_one_after_the_other_tell_each_record_once(tmp_path: Path) -> None:
    fake = FakeRun(tmp_path)
    for _ in range(4):
        fake.step(5)
        found = look(fake.run)
    assert [step for step, _ in found["loss/discriminator"]] == list(range(1, 21))
    assert len(found["config/text_summary"]) == 1 and len({step for step, _ in found["samples"]}) == len(found["samples"])


def begin(fake: FakeRun, step: int) -> None:
    """A new life goes on from this step."""
    for frame in fake.run.frames():
        if frame.step > step:
            frame.path.unlink()
    fake.status.life, fake.status.step = fake.status.life + 1, step
    fake.line({"life": fake.status.life, "start_step": step})


@pytest.mark.parametrize("again", [False, True], ids=["the same follower", "another follower"])
@pytest.mark.parametrize(("first", "starts"), [(20, [20]), (20, [10]), (8, [10]), (20, [15, 5]), (20, [5, 12]), (10, [10])])
def test_after_a_resume_the_log_is_what_happened_last_at_each_step(tmp_path: Path, again: bool, first: int,
                                                                   starts: list[int]) -> None:
    """first: how much was told before the run went back (it may have been less than was trained)."""
    fake = FakeRun(tmp_path)
    fake.step(first)
    follower = Follower(fake.run, "tensorboard")
    follower.update()
    if again:
        follower.integration.close()
    fake.step(20 - first)
    for start in starts:
        begin(fake, start)
        fake.line({"step": start, "t": 0.0, "mark": {"kind": "restore", "changes": {}}})
        fake.step(10)
    if again:
        follower = Follower(fake.run, "tensorboard")
    follower.update()
    follower.integration.close()
    found, records = result(fake.run), fake.run.metrics()
    assert [step for step, _ in found["loss/discriminator"]] == [r["step"] for r in records if "d_loss" in r]
    assert found["marks/text_summary"] == [(r["step"], "restore") for r in records if "mark" in r]
    pictures = [step for step, _ in found["samples"]]
    assert pictures == sorted(set(pictures)) and fake.status.step / 1.25 - 1 <= pictures[-1] <= fake.status.step


def test_what_is_missing_is_a_sentence_before_anything_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = FakeRun(tmp_path).run
    with pytest.raises(IntegrationError, match="no log 'wandb'; choose from: tensorboard, trackio, webhook"):
        FollowerProcesses(run, ["tensorboard", "wandb"], pytest.fail)
    monkeypatch.setitem(INTEGRATIONS, "trackio", IntegrationEntry(INTEGRATIONS["trackio"].where, "", "a_package_that_nobody_has"))
    with pytest.raises(IntegrationError, match=r"pip install a_package_that_nobody_has$"):
        check_available(["trackio"])


def test_a_follower_that_fails_is_told_and_the_trainer_goes_on(tmp_path: Path) -> None:
    fake, notices = FakeRun(tmp_path), []
    (fake.run.path / "tensorboard").write_text("in the way")
    logs = FollowerProcesses(fake.run, ["tensorboard"], notices.append)
    logs.close()
    assert len(notices) == 1 and ENGLISH.sentence(notices[0]).startswith("Logging to tensorboard has ended (FileExistsError")
    fake.step()
    assert fake.run.metrics()[-1]["step"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("end", ["finished", "killed"])
def test_the_followers_process_tells_a_life_to_its_end_whatever_end_it_is(tmp_path: Path, end: str) -> None:
    code = f"import sys; sys.path[:0] = [{str(SUPPORT)!r}, {str(ROOT)!r}]\n" + """
import os, platform, psutil
from pathlib import Path
from fake_run import FakeRun
fake = FakeRun(Path(sys.argv[1]))
fake.status.pid, fake.status.pid_started, fake.status.host = os.getpid(), psutil.Process().create_time(), platform.node()
fake.step()
print(fake.run.path, flush=True)
for line in sys.stdin:
    fake.step(int(line))
fake.end()
"""
    trainer = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    run, notices = Run.open(trainer.stdout.readline().strip()), []
    logs = FollowerProcesses(run, ["tensorboard"], notices.append)
    for _ in range(50):
        trainer.stdin.write("3\n")
        trainer.stdin.flush()
    if end == "killed":
        while run.stored_status().step < 30:
            pass
        os.kill(trainer.pid, signal.SIGKILL)
    trainer.communicate()
    logs.close(60)
    records = run.metrics()
    assert not notices and [step for step, _ in result(run)["loss/discriminator"]] == [r["step"] for r in records]
    assert len(records) == 151 if end == "finished" else len(records) >= 30


@pytest.mark.slow
def test_trackio_is_told_the_same_and_tells_a_run_that_went_back_again(tmp_path: Path) -> None:
    pytest.importorskip("trackio")
    fake = FakeRun(tmp_path)
    fake.step(12)
    code = f"import sys; sys.path[:0] = [{str(ROOT)!r}]\n" + """
import json, threading
from gan_core.integrations import follower, trackio
from gan_core.runs.run import Run
from gan_core.messages import ENGLISH
run, stop = Run.open(sys.argv[1]), threading.Event()
stop.set()
follower.follow(run, "trackio", stop)
from trackio.sqlite_storage import SQLiteStorage
with open(sys.argv[2], "w") as file:
    json.dump(SQLiteStorage.get_logs(trackio.PROJECT, run.id), file, default=str)
"""

    def rows() -> list[dict[str, Any]]:
        """What its own store gives back, asked in a process of its own: it keeps global state."""
        found = tmp_path / "found.json"
        done = subprocess.run([sys.executable, "-c", code, str(fake.run.path), str(found)], timeout=60,
                              capture_output=True, text=True, env={**os.environ, "TRACKIO_DIR": str(tmp_path / "store")})
        assert done.returncode == 0, done.stderr
        return json.loads(found.read_text())

    assert [row["step"] for row in rows() if "loss/discriminator" in row] == list(range(1, 13))
    begin(fake, 6)
    fake.line({"step": 6, "t": 0.0, "mark": {"kind": "restore", "changes": {}}})
    fake.step(3)
    found = rows()
    assert [row["step"] for row in found if "loss/discriminator" in row] == list(range(1, 10))
    assert [row["step"] for row in found if "marks" in row] == [6] and any("samples" in row for row in found)

import hashlib
import io
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import fsspec
import psutil
import pytest
from fake_run import PNG, ROOT, SUPPORT, FakeRun
from fsspec.implementations.memory import MemoryFileSystem

from gan_core.runs import remote
from gan_core.runs.remote import validation
from gan_core.runs.remote.folder import RemoteFolder
from gan_core.runs.remote.uploader import Uploader
from gan_core.runs.run import CommandError, MetricsReader, Run, RunError, list_runs
from gan_core.runs.status import controls


@pytest.fixture
def url() -> Iterator[str]:
    """An address of its own in fsspec's memory."""
    url = f"memory://{uuid.uuid4().hex}/runs/sheep"
    yield url
    RemoteFolder(url).fs.rm(RemoteFolder(url).root.split("/runs")[0], recursive=True)


def contents(path: Path) -> dict[str, bytes]:
    """What both sides must agree on: the curves, the pictures and the newest networks."""
    newest = max((int(file.stem) for file in path.glob("live/*")), default=0)
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()
            and file.name not in ("config.json", "status.json", ".mirror.lock") and file.name != f"{newest - 1}.safetensors"}


def put(url: str, name: str, data: bytes) -> None:
    RemoteFolder(url).write(name, data)


# There and back.


def test_a_run_put_in_memory_and_mirrored_from_there_is_the_same_run_for_reading_only(tmp_path: Path, url: str) -> None:
    fake = FakeRun(tmp_path / "here")
    fake.step(5)
    remote.push(fake.run, url)
    copy = remote.pull(url, tmp_path / "there")
    assert contents(copy.path) == contents(fake.run.path)
    assert copy.kind == "remote" and copy.info["origin"] == url and copy.name == "sheep" and copy.config == fake.run.config
    assert copy.status() == fake.status and copy.status().state == "running", "its worker is sought on no machine but its own"
    with pytest.raises(CommandError, match="lies elsewhere"):
        copy.send("pause")
    assert copy.metrics() == fake.run.metrics()
    assert [frame.seq for frame in copy.frames()] == [1, 2, 3, 4, 5] and copy.live_path() is not None
    assert [run.id for run in list_runs(tmp_path / "there")] == [copy.id]
    assert [name for name, on in controls(copy.stored_status(), copy.kind).items() if on] == ["start", "step"]


def test_a_second_look_fetches_the_tail_of_the_curves_and_nothing_that_is_here(tmp_path: Path, url: str) -> None:
    fake, fetched = FakeRun(tmp_path / "here"), []
    fake.step(60)
    uploader = Uploader(fake.run, url)
    assert uploader.send() and not uploader.send()
    mirror = remote.Mirror(url, tmp_path / "there", on_progress=lambda name, done, total: fetched.append((name, done, total)))
    assert mirror.refresh() and fetched[-1][1] == fetched[-1][2] > 60 * len(PNG)
    reader = MetricsReader(mirror.run.path)
    assert len(reader.read_new()[0]) == 60
    assert not mirror.refresh(), "nothing has changed"
    fetched.clear()
    fake.step()
    assert uploader.send() and mirror.refresh() and contents(mirror.run.path) == contents(fake.run.path)
    assert [name for name, _, _ in fetched] == ["metrics/0001.jsonl", "frames/00000061-61.png", "live/61.safetensors"]
    assert fetched[0][1] < 500 < 4000 < fake.run.metrics_path(1).stat().st_size, "the tail alone"
    assert [record["step"] for record in reader.read_new()[0]] == [61]


def test_a_resume_elsewhere_takes_its_lost_pictures_away_here_too(tmp_path: Path, url: str) -> None:
    fake = FakeRun(tmp_path / "here")
    fake.step(6)
    remote.push(fake.run, url)
    mirror = remote.Mirror(url, tmp_path / "there")
    mirror.refresh()
    reader = MetricsReader(mirror.run.path)
    reader.read_new()
    for frame in fake.run.frames():
        if frame.step > 3:
            frame.path.unlink()
    fake.status.life, fake.status.step = 2, 3
    fake.line({"life": 2, "start_step": 3})
    fake.step(2)
    remote.push(fake.run, url)
    mirror.refresh()
    records, rewound = reader.read_new()
    assert rewound and [record["step"] for record in records] == [1, 2, 3, 4, 5]
    assert contents(mirror.run.path) == contents(fake.run.path)


def test_another_run_at_the_address_replaces_the_copy_and_is_not_overwritten_by_a_push(tmp_path: Path) -> None:
    one, two = FakeRun(tmp_path / "one"), FakeRun(tmp_path / "two", "goat")
    one.step(9)
    two.step(2)
    place = tmp_path / "place" / "sheep"
    remote.push(one.run, f"file://{place}")
    mirror = remote.Mirror(f"file://{place}", tmp_path / "there")
    mirror.refresh()
    with pytest.raises(remote.RemoteError, match="another run, 'sheep'"):
        remote.push(two.run, f"file://{place}")
    assert Run.open(place).name == "sheep"
    place.rename(tmp_path / "old")
    remote.push(two.run, str(place))
    mirror.refresh()
    assert mirror.run.name == "goat" and contents(mirror.run.path) == contents(two.run.path)


def test_the_runs_of_a_folder_are_found(tmp_path: Path, url: str) -> None:
    for name in ("goat", "sheep"):
        remote.push(FakeRun(tmp_path, name).run, f"{url}/{name}")
    put(url, "notes/readme.txt", b"no run")
    assert remote.find(url) == [f"{url}/goat", f"{url}/sheep"]
    assert remote.find(f"{url}/goat") == [f"{url}/goat"] and remote.find(f"{url}/notes") == []


def test_two_addresses_with_the_same_name_do_not_share_a_copy(tmp_path: Path, url: str) -> None:
    for part in "ab":
        remote.push(FakeRun(tmp_path / part, f"in {part}").run, f"{url}/{part}/sheep")
    copies = [remote.pull(f"{url}/{part}/sheep", tmp_path / "there") for part in "ab"]
    assert [copy.name for copy in copies] == ["in a", "in b"] and copies[0].path != copies[1].path


# Checkpoints.


def with_checkpoint(fake: FakeRun) -> bytes:
    from gan_core.runs.checkpoint_index import write_pointer

    data = os.urandom(3000)
    (fake.run.checkpoint_folder / "step-2.safetensors").write_bytes(data)
    write_pointer(fake.run.checkpoint_folder, "step-2.safetensors", hashlib.sha256(data).hexdigest(), 2)
    return data


def test_checkpoints_come_on_request_checked_and_make_a_run_of_ones_own(tmp_path: Path, url: str) -> None:
    fake = FakeRun(tmp_path / "here")
    fake.step(2)
    data = with_checkpoint(fake)
    remote.push(fake.run, url, checkpoints=True)
    copy = remote.pull(url, tmp_path / "there")
    assert not list(copy.checkpoint_folder.glob("*"))
    with pytest.raises(remote.RemoteError, match="pull it with its checkpoints"):
        remote.keep(copy, tmp_path / "mine")
    copy = remote.pull(url, tmp_path / "other", checkpoints=True)
    mine = remote.keep(copy, tmp_path / "mine")
    assert not copy.path.exists() and [run.id for run in list_runs(tmp_path / "mine")] == [mine.id]
    assert (mine.checkpoint_folder / "step-2.safetensors").read_bytes() == data
    assert mine.kind == "run" and mine.status().state == "stopped" and mine.metrics() == fake.run.metrics()


def test_a_checkpoint_that_is_there_already_is_not_sent_again_but_another_of_its_name_is(tmp_path: Path, url: str) -> None:
    fake, sent = FakeRun(tmp_path / "here"), []
    fake.step(2)
    for again in (False, False, True):
        if again or not sent:
            data = with_checkpoint(fake)
        sent.append([])
        remote.push(fake.run, url, checkpoints=True, on_progress=lambda name, done, total: sent[-1].append(name))
    assert [("checkpoint/step-2.safetensors" in names) for names in sent] == [True, False, True]
    copy = remote.pull(url, tmp_path / "there", checkpoints=True)
    assert (copy.checkpoint_folder / "step-2.safetensors").read_bytes() == data
    RemoteFolder(url).remove("checkpoint/latest.json")  # as after a push that was killed before its end
    remote.push(fake.run, url, checkpoints=True, on_progress=lambda name, done, total: sent[-1].append(name))
    assert sent[-1].count("checkpoint/step-2.safetensors") == 2


def test_a_checkpoint_that_is_not_the_one_that_was_saved_is_refused(tmp_path: Path, url: str) -> None:
    fake = FakeRun(tmp_path / "here")
    with_checkpoint(fake)
    remote.push(fake.run, url, checkpoints=True)
    put(url, "checkpoint/step-2.safetensors", b"something else")
    with pytest.raises(remote.RemoteError, match="checksum"):
        remote.pull(url, tmp_path / "there", checkpoints=True)
    assert not list((tmp_path / "there").glob("*/checkpoint/*"))


# While it trains.

TRAINER = """
import sys, time
from pathlib import Path
sys.path[:0] = [{support!r}, {root!r}]
from fake_run import FakeRun
fake = FakeRun(Path({folder!r}))
print(fake.run.path, flush=True)
for line in sys.stdin:
    fake.step(int(line))
    print(fake.status.step, flush=True)
fake.end()
"""


def test_a_reader_never_sees_a_status_that_speaks_of_what_is_not_here_while_another_process_trains(tmp_path: Path) -> None:
    code = TRAINER.format(support=str(SUPPORT), root=str(ROOT), folder=str(tmp_path / "here"))
    trainer = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    source = Path(trainer.stdout.readline().strip())
    mirror, wrong, looks, ended = remote.Mirror(f"file://{source}", tmp_path / "there"), [], [0], threading.Event()

    def read() -> None:
        while not ended.is_set():
            try:
                run = mirror.run
            except RunError:
                continue  # not here yet
            status = run.stored_status()
            there = {"live": not status.live or run.live_file(status.live).exists(),
                     "frame": not status.seq or run.newest_frame().seq >= status.seq,
                     "curves": not status.step or run.metrics()[-1]["step"] >= status.step}
            if run.stored_status() == status:  # a newer one may have taken things away meanwhile
                looks[0] += 1
                wrong.extend((name, status.step) for name, found in there.items() if not found)

    reader = threading.Thread(target=read)
    try:
        for _ in range(12):
            trainer.stdin.write("25\n")
            trainer.stdin.flush()
            mirror.refresh()  # while it writes
            if not reader.is_alive():
                reader.start()
            trainer.stdout.readline()
        trainer.stdin.close()
        assert trainer.wait(30) == 0
        mirror.refresh()
    finally:
        ended.set()
        trainer.kill()
        if reader.is_alive():
            reader.join()
    assert not wrong and looks[0] > 10
    assert mirror.run.stored_status().step == 300 and mirror.run.stored_status().state == "finished"
    assert contents(mirror.run.path) == contents(source)


def test_a_push_that_follows_ends_with_the_run_and_outlives_a_network_that_fails(tmp_path: Path, url: str,
                                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    fake, failed, me = FakeRun(tmp_path), [], psutil.Process()
    fake.status.pid, fake.status.pid_started = me.pid, me.create_time()
    fake.step()
    real = MemoryFileSystem.pipe_file

    def torn(self: Any, path: str, value: bytes, **more: Any) -> None:
        if len(failed) < 3:
            failed.append(path)
            raise ConnectionError("the line is down")
        real(self, path, value, **more)

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", torn)
    thread = threading.Thread(target=lambda: remote.push(fake.run, url, follow=True, interval=0.01))
    thread.start()
    while len(failed) < 3:
        fake.step()
    fake.step(5)
    fake.end()
    thread.join(20)
    assert not thread.is_alive()
    copy = remote.pull(url, tmp_path / "there")
    assert copy.stored_status().state == "finished" and contents(copy.path) == contents(fake.run.path)


# A stranger's files.


@pytest.fixture
def good(tmp_path: Path, url: str) -> FakeRun:
    fake = FakeRun(tmp_path / "here")
    fake.step(3)
    remote.push(fake.run, url)
    return fake


BAD = {
    "config.json": [b"", b"[]", b"[" * 100_000, b"{" * 2**20 + b"}" * 10, b'{"schema": 1}', b'{"schema": 2}', b"\xff\xfe",
                    b'{"schema": 1, "id": 5, "name": [], "preset": "", "config": {}}'],
    "status.json": [b"", b"null", b'{"state": "dancing"}', b'{"step": "many"}', b'{"step": 1e400}', b'{"step": NaN}',
                    b'{"step": true}', b'{"step": 99999999999999999999999}', b'{"speed": "fast"}', b'{"acknowledged": [5]}',
                    b'{"best": {"step": "x"}}',
                    b'{"best": {"step": 1, "name": "fd"}}', b'{"notices": [{"key": 5, "values": {}}]}',
                    b'{"acknowledged": [{"id": "a"}]}',
                    b'{"error": {"message": 5}}', b'{"error": {"kind": "crashed", "message": "x", "step": 1, "fault": []}}',
                    b'{"progress": {}}', b'{"tuned": []}', b'{"state": ["running"]}'],
    "floor.json": [b"[]", b"<html>", b'{"fd": Infinity}'],
    "real.png": [b"<svg onload=alert(1)>", PNG[:16] + b"\xff" * 4 + PNG[20:], PNG[:20] + b"\xff" * 4 + PNG[24:], b"", b"\x89PNG"],
    "frames/00000009-9.png": [b"GIF89a", b""],
    "frames/00000009-9.json": [b"7", b"{]"],
    "metrics/0001.jsonl": [b'{"step": "abc"}\n', b'{"step": 3, "d_loss": "low"}\n', b'{"step": 1e3}\n', b'{"start_step": null}\n',
                           b'{"step": 3, "quality": [1]}\n', b'{"step": 3, "mark": {"kind": "tune", "changes": 5}}\n',
                           b'{"step": 3, "mark": {"kind": "tune", "changes": {"lr_d": [1]}}}\n',
                           b'{"step": 3, "histogram": ["x"]}\n',
                           b'{"step": 3, "t": 1e999}\n', b'{"step": -1}\n'],
}


@pytest.mark.parametrize(("name", "data"), [(name, data) for name, bad in BAD.items() for data in bad],
                         ids=lambda value: value if isinstance(value, str) else str(value[:24]))
def test_a_file_of_the_wrong_kind_is_refused_in_a_sentence_and_the_copy_stays_as_it_was(
        tmp_path: Path, url: str, good: FakeRun, name: str, data: bytes) -> None:
    copy = remote.pull(url, tmp_path / "there")
    before, status = contents(copy.path), copy.stored_status()
    good.step()
    remote.push(good.run, url)
    put(url, name, data)
    with pytest.raises(remote.RemoteError) as refused:
        remote.pull(url, tmp_path / "there")
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 400
    assert copy.stored_status() == status and before.items() <= contents(copy.path).items() | before.items()
    assert name not in contents(copy.path) or contents(copy.path)[name] != data
    Run.open(copy.path).metrics()
    with pytest.raises(remote.RemoteError):
        remote.pull(url, tmp_path / "fresh")
    assert name.startswith("config") is not bool(list((tmp_path / "fresh").glob("*/config.json")))


def test_a_torn_line_is_kept_as_the_readers_know_it_and_a_half_one_waits(tmp_path: Path, url: str, good: FakeRun) -> None:
    with open(good.run.metrics_path(1), "ab") as file:
        file.write(b'{"step": 4, "d_lo\n{"step": 5, "d_loss": 1.0}\n{"step": 6, "d_')
    good.run.write_status(good.status)
    good.status.heartbeat += 1
    good.run.write_status(good.status)
    remote.push(good.run, url)
    mirror = remote.Mirror(url, tmp_path / "there")
    mirror.refresh()
    assert [r["step"] for r in mirror.run.metrics()] == [1, 2, 3, 5]
    with open(good.run.metrics_path(1), "ab") as file:
        file.write(b'loss": 1.0}\n')
    good.status.heartbeat += 1
    good.run.write_status(good.status)
    remote.push(good.run, url)
    mirror.refresh()
    assert [r["step"] for r in mirror.run.metrics()] == [1, 2, 3, 5, 6] and contents(mirror.run.path) == contents(good.run.path)


def test_networks_from_a_stranger_meet_the_checkpoints_gate_when_they_are_opened(tmp_path: Path, url: str, good: FakeRun) -> None:
    from gan_core.latent.view import load_live
    from gan_core.runs.checkpoint import CheckpointError

    put(url, "live/3.safetensors", b"\xff" * 8 + b"{}" * 100)
    copy = remote.pull(url, tmp_path / "there")
    with pytest.raises(CheckpointError):
        load_live(copy.live_path(), lambda *_: pytest.fail("it may not come so far"))


def test_links_pipes_and_folders_in_the_place_of_files_are_left_alone(tmp_path: Path) -> None:
    fake = FakeRun(tmp_path / "here")
    fake.step(2)
    secret = tmp_path / "secret.json"
    secret.write_text('{"password": 1}')
    (fake.run.path / "floor.json").symlink_to(secret)
    (fake.run.path / "data.json").mkdir()
    os.mkfifo(fake.run.path / "real.json")
    (fake.run.path / "frames" / "00000009-9.png").symlink_to(fake.run.path / "real.png")
    copy = remote.pull(f"file://{fake.run.path}", tmp_path / "there")
    assert set(contents(copy.path)) == {"real.png", "metrics/0001.jsonl", "frames/00000001-1.png", "frames/00000002-2.png",
                                        "live/2.safetensors"}
    (fake.run.path / "config.json").unlink()
    os.mkfifo(fake.run.path / "config.json")
    with pytest.raises(remote.RemoteError, match=r"no config\.json"):
        remote.pull(f"file://{fake.run.path}", tmp_path / "fresh")


class Stream(io.BytesIO):
    """What a web server without ranges sends."""

    def seek(self, *where: int) -> int:
        raise ValueError("cannot seek a stream")


def test_the_tail_is_read_from_a_server_that_knows_no_ranges(tmp_path: Path, url: str, good: FakeRun, monkeypatch) -> None:
    mirror, uploader = remote.Mirror(url, tmp_path / "there"), Uploader(good.run, url)
    monkeypatch.setattr(MemoryFileSystem, "_open", lambda self, path, *args, **more: Stream(self.store[path].getvalue()))
    mirror.refresh()
    monkeypatch.undo()
    good.step(100)
    uploader.send()
    monkeypatch.setattr(MemoryFileSystem, "_open", lambda self, path, *args, **more: Stream(self.store[path].getvalue()))
    mirror.refresh()
    assert contents(mirror.run.path) == contents(good.run.path)


class Hostile(fsspec.AbstractFileSystem):
    """A server that lists and sends whatever it likes; `asked` is what a client wanted of it."""

    protocol = "hostile"
    cachable = False
    listing: list[dict[str, Any]] = []  # noqa: RUF012
    files: dict[str, bytes] = {}  # noqa: RUF012
    asked: list[str] = []  # noqa: RUF012
    sent = 0

    def ls(self, path: str, detail: bool = True, **more: Any) -> list[dict[str, Any]]:
        folder = path.rstrip("/").rsplit("/", 1)[-1]
        own = [{"name": f"{path}/{n.rpartition('/')[2]}", "size": len(d), "type": "file"} for n, d in self.files.items()
               if n.rpartition("/")[0] == ("" if folder == "run" else folder)]
        return own + self.listing

    def _open(self, path: str, mode: str = "rb", **more: Any) -> Any:
        self.asked.append(path)
        name = path.partition("run/")[2]
        if name not in self.files:
            raise FileNotFoundError(path)
        return Endless() if self.files[name] == b"endless" else io.BytesIO(self.files[name])


class Endless(io.RawIOBase):
    def read(self, size: int = -1) -> bytes:
        assert 0 < size <= 1 << 20, "never all at once"
        Hostile.sent += size
        return b" " * size


@pytest.fixture
def hostile(good: FakeRun, monkeypatch: pytest.MonkeyPatch) -> str:
    fsspec.register_implementation("hostile", Hostile, clobber=True)
    path = good.run.path
    monkeypatch.setattr(Hostile, "files", {str(f.relative_to(path)): f.read_bytes() for f in path.rglob("*") if f.is_file()})
    monkeypatch.setattr(Hostile, "listing", [])
    monkeypatch.setattr(Hostile, "asked", [])
    monkeypatch.setattr(Hostile, "sent", 0)
    return "hostile://server/run"


NAMES = ["../../evil.png", "/etc/passwd", "..", ".", "", "frames/../../00000007-7.png", "..\\..\\00000007-7.png",
         "C:\\00000007-7.png", "00000007-7.png\0.sh", "00000007-7.PNG", "0007.jsonl/../../x", "x" * 3000, "７-7.png",
         "00000007-7.png\n", "worker.py", ".bashrc"]


def test_names_that_lead_out_of_the_folder_are_never_written_nor_asked_for(tmp_path: Path, hostile: str, monkeypatch) -> None:
    Hostile.listing = [{"name": name, "size": 10, "type": "file"} for name in NAMES] + [
        {"name": "00000008-8.png", "size": 10, "type": "file", "islink": True}, {"name": "9-9.png", "size": 1, "type": "link"},
        {"name": None, "size": None, "type": None}, {"size": "x", "type": "file"}, {"name": 5, "size": -3, "type": "file"}, {}]
    copy = remote.pull(hostile, tmp_path / "there" / "deep")
    inside = {str(path.relative_to(copy.path)) for path in copy.path.rglob("*") if path.is_file()}
    assert inside - {".mirror.lock"} <= set(Hostile.files)
    assert {path for path in (tmp_path / "there").rglob("*") if path.is_file()} == {copy.path / name for name in inside}
    assert {path.partition("run/")[2] for path in Hostile.asked} <= set(Hostile.files) | {"frames/00000007-7.png"}


@pytest.mark.parametrize(("name", "limit"), [("config.json", validation.TEXT_LIMIT), ("status.json", validation.TEXT_LIMIT),
                                             ("real.png", validation.PICTURE_LIMIT),
                                             ("frames/00000003-3.png", validation.PICTURE_LIMIT)])
def test_a_file_without_an_end_is_given_up_at_its_limit(tmp_path: Path, hostile: str, name: str, limit: int) -> None:
    Hostile.files[name] = b"endless"
    with pytest.raises(remote.RemoteError, match=f"larger than {limit:,} bytes"):
        remote.pull(hostile, tmp_path)
    assert Hostile.sent <= limit + 1
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 100_000 + len(Hostile.files) * 5000


def test_listings_without_an_end_and_runs_that_fill_the_disk_are_refused(tmp_path: Path, hostile: str) -> None:
    Hostile.listing = [{"name": f"{i:08d}-{i}.png", "size": 10**6, "type": "file"} for i in range(1500)]
    with pytest.raises(remote.RemoteError, match="bytes without its checkpoints; at most"):
        remote.pull(hostile, tmp_path)
    Hostile.listing = Hostile.listing * 20
    with pytest.raises(remote.RemoteError, match="lists 30,0"):
        remote.pull(hostile, tmp_path)


# Addresses.


def test_a_driver_that_is_not_installed_is_a_sentence_with_the_command() -> None:
    protocol, package = next((p, n) for p, n in (("s3", "s3fs"), ("gs", "gcsfs"), ("abfs", "adlfs"), ("oci", "ocifs"))
                             if find_spec(n) is None)
    with pytest.raises(remote.RemoteError, match=f"pip install {package}$"):
        remote.find(f"{protocol}://key:secret@bucket/run")


@pytest.mark.parametrize("url", ["", "  ", "nothing://x", "memory://nobody/is/here", "/nowhere/at/all", "::", "https//x", "\0"])
def test_an_address_without_a_run_is_a_sentence_and_leaves_nothing_behind(tmp_path: Path, url: str) -> None:
    with pytest.raises(remote.RemoteError) as refused:
        remote.pull(url, tmp_path)
    assert str(refused.value).endswith((".", "json.")) and not list(tmp_path.iterdir())


def test_no_sentence_and_no_file_repeats_a_password(tmp_path: Path, hostile: str) -> None:
    url = hostile.replace("://", "://me:secret@")
    copy = remote.pull(url, tmp_path)
    Hostile.files.pop("config.json")
    with pytest.raises(remote.RemoteError) as refused:
        remote.pull(url, tmp_path)
    assert "secret" not in str(refused.value) and copy.info["origin"] == hostile
    assert not any(b"secret" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.parametrize(("url", "seen"), [
    ("s3://key:secret@bucket/runs", "s3://bucket/runs"), ("s3://key:se/cr@et@bucket/x", "s3://bucket/x"),
    ("sftp://me@host:22/x", "sftp://host:22/x"), ("hf://datasets/us/sheep@main/x", "hf://datasets/us/sheep@main/x"),
    ("http://host:80/a@b", "http://host:80/a@b"), ("no https://host/c?sig=secret (404)", "no https://host/c?... (404)")])
def test_an_address_is_shown_without_its_secrets(url: str, seen: str) -> None:
    assert remote.redact_url(url) == seen


def test_curves_that_are_too_long_are_refused_before_they_are_fetched(tmp_path: Path, hostile: str) -> None:
    Hostile.listing = [{"name": "0002.jsonl", "size": validation.METRICS_LIMIT + 1, "type": "file"}]
    with pytest.raises(remote.RemoteError, match=r"metrics/0002.jsonl has 67,108,865 bytes"):
        remote.pull(hostile, tmp_path)
    assert not [path for path in Hostile.asked if path.endswith("0002.jsonl")]


def test_a_disk_that_refuses_is_a_sentence(tmp_path: Path, url: str, good: FakeRun) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match="cannot be written"):
        remote.pull(url, tmp_path / "file")


# The command line.


def command(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "gan_core.remote", *args], cwd=ROOT, capture_output=True, text=True, timeout=60)


def remote_main(capfd: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    """The same in this process."""
    from gan_core.runs.remote.__main__ import main

    before = signal.getsignal(signal.SIGTERM)
    try:
        return main(list(args)), *capfd.readouterr()
    finally:
        signal.signal(signal.SIGTERM, before)


def test_the_command_line_puts_a_run_elsewhere_and_mirrors_it_back(tmp_path: Path, capfd) -> None:
    fake = FakeRun(tmp_path / "here")
    fake.step(3)
    fake.end()
    put = command("push", str(fake.run.path), f"file://{tmp_path}/place/sheep", "--follow")
    assert put.returncode == 0, put.stderr
    got = command("pull", f"file://{tmp_path}/place", str(tmp_path / "there"))
    assert got.returncode == 0 and "finished at step 3" in got.stdout, got.stderr
    assert contents(list_runs(tmp_path / "there")[0].path) == contents(fake.run.path)
    assert "B/s" in put.stderr + got.stderr, "there is a progress line"
    other = FakeRun(tmp_path / "other", "goat")
    other.end()
    remote.push(other.run, f"file://{tmp_path}/place/goat")
    (tmp_path / "place" / "goat" / "status.json").write_text("{}]")
    mixed = remote_main(capfd, "pull", f"file://{tmp_path}/place", str(tmp_path / "again"))
    assert mixed[0] == 2 and "finished at step 3" in mixed[1] and "status.json from there is not JSON" in mixed[2]
    assert "There are 2 runs at" in remote_main(capfd, "pull", f"file://{tmp_path}/place", str(tmp_path / "again"), "--follow")[2]
    nowhere = remote_main(capfd, "push", str(fake.run.path), "/proc/nowhere/run")
    assert nowhere[0] == 2 and "/proc/nowhere/run cannot be written to" in nowhere[2]
    for wrong in ("0", "-1", "nan", "soon"):
        with pytest.raises(SystemExit):
            remote_main(capfd, "pull", "memory://x", str(tmp_path), "--every", wrong)
        assert f"'{wrong}' is no interval; give seconds from 0.1" in capfd.readouterr().err
    bad = command("pull", str(tmp_path / "nowhere"), str(tmp_path / "there"))
    assert bad.returncode == 2 and "There is no run at" in bad.stderr and "Traceback" not in bad.stderr

"""The downloader against a server with the faults that real ones have: whole or not at all, no byte twice in vain."""

import hashlib
import resource
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from standin import StandIn

from gan_core.data import download, http, partial_file
from gan_core.data.download import Unreachable, fetch
from gan_core.data.types import Cancelled, DataError, DataRequest

DATA = bytes(range(256)) * 1200  # 307,200 bytes
OTHER = DATA[::-1]
MD5 = hashlib.md5(DATA).hexdigest()
ASK = DataRequest("mnist")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(download, "RETRY_PAUSE", 0)


@pytest.fixture
def server():
    with StandIn({"/it.bin": DATA}) as standin:
        yield standin


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sets" / "it.bin"


def part(path):
    return path.with_name(path.name + ".part")


def leftovers(path):
    return sorted(p.name for p in path.parent.iterdir() if not p.name.endswith(".lock"))


def cancel_after(count):
    """An ask that is cancelled once `count` bytes came."""
    seen = []
    return DataRequest("mnist", on_progress=lambda progress: seen.append(progress.done), is_cancelled=lambda: seen[-1] >= count)


def refused(*args, kind=Unreachable, **keywords):
    """The sentence."""
    with pytest.raises(kind) as caught:
        fetch(*args, **keywords)
    sentence = str(caught.value)
    assert sentence[-1] == "." and "Traceback" not in sentence
    return sentence


def test_a_file_comes_whole_with_progress_and_leaves_nothing_else(server, path):
    seen = []
    assert fetch(server.url("it.bin"), path, DataRequest("mnist", on_progress=seen.append), md5=MD5, size=len(DATA)) == path
    assert path.read_bytes() == DATA and leftovers(path) == ["it.bin"]
    downloading = [p for p in seen if p.stage == "downloading"]
    assert [p.done for p in downloading] == sorted(p.done for p in downloading) and len(downloading) > 3
    assert (downloading[-1].done, downloading[-1].total, downloading[-1].what) == (len(DATA), len(DATA), "it.bin")
    fetch(server.url("it.bin"), path, ASK)
    assert len(server.asked) == 1, "what is here is not asked for again"


def test_a_cancelled_download_goes_on_where_it_stopped(server, path):
    server.hold_after = 200_000
    with pytest.raises(Cancelled):
        fetch(server.url("it.bin"), path, cancel_after(100_000))
    kept = part(path).stat().st_size
    assert not path.exists() and 100_000 <= kept <= 200_000 and part(path).read_bytes() == DATA[:kept]
    server.go_on.set()
    fetch(server.url("it.bin"), path, ASK, md5=MD5)
    assert path.read_bytes() == DATA and leftovers(path) == ["it.bin"]
    _, wanted, condition = server.asked[-1]
    assert wanted == f"bytes={kept}-" and condition.startswith('"')


@pytest.mark.parametrize("difference", ["changed", "no ranges", "no validators"])
def test_what_cannot_be_continued_begins_anew(server, path, difference):
    server.validators = difference != "no validators"
    server.hold_after = 200_000
    with pytest.raises(Cancelled):
        fetch(server.url("it.bin"), path, cancel_after(100_000))
    server.go_on.set()
    server.ranges = difference != "no ranges"
    server.files["/it.bin"] = wanted = OTHER if difference == "changed" else DATA
    fetch(server.url("it.bin"), path, ASK)
    assert path.read_bytes() == wanted and leftovers(path) == ["it.bin"]


def test_a_file_that_became_shorter_than_what_is_here_begins_anew(server, path):
    server.hold_after = 200_000
    with pytest.raises(Cancelled):
        fetch(server.url("it.bin"), path, cancel_after(100_000))
    server.go_on.set()
    note = path.with_name("it.bin.part.json")
    server.files["/it.bin"] = OTHER[:50_000]
    old, new = (f'"{hashlib.sha256(data).hexdigest()[:16]}"' for data in (DATA, OTHER[:50_000]))
    note.write_text(note.read_text().replace(old.strip('"'), new.strip('"')))  # as a server does whose tag stays the same
    fetch(server.url("it.bin"), path, ASK)
    assert path.read_bytes() == OTHER[:50_000]


def test_a_part_of_unknown_origin_is_not_used(server, path):
    path.parent.mkdir()
    part(path).write_bytes(b"x" * 1000)
    fetch(server.url("it.bin"), path, ASK)
    assert path.read_bytes() == DATA


def test_a_connection_that_is_cut_goes_on_at_once(server, path):
    server.cut_after = [100_000, 1, 50_000]
    fetch(server.url("it.bin"), path, ASK, md5=MD5)
    assert path.read_bytes() == DATA
    assert [wanted for _, wanted, _ in server.asked] == ["", "bytes=100000-", "bytes=100001-", "bytes=150001-"]


def test_an_answer_that_does_not_say_its_length_is_measured_by_the_size(server, path):
    server.lengths, server.cut_after = False, [100_000]
    fetch(server.url("it.bin"), path, ASK, size=len(DATA))
    assert path.read_bytes() == DATA and [wanted for _, wanted, _ in server.asked] == ["", "bytes=100000-"]


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, 120_000), max_size=3), ranges=st.booleans(), lengths=st.booleans())
def test_any_cuts_end_in_the_file_or_in_words(server, path, cuts, ranges, lengths):
    for leftover in path.parent.glob("*") if path.parent.exists() else ():
        leftover.unlink()
    server.cut_after, server.ranges, server.lengths = list(cuts), ranges, lengths
    try:
        fetch(server.url("it.bin"), path, ASK, size=len(DATA), md5=MD5)
        assert path.read_bytes() == DATA
    except Unreachable:
        assert cuts and not path.exists()


def test_a_server_that_always_cuts_at_the_same_place_is_given_up(server, path):
    server.cut_after, server.ranges = [100_000] * 50, False
    sentence = refused(server.url("it.bin"), path, ASK)
    assert "cut" in sentence and "0.1 MB that arrived are kept" in sentence and len(server.asked) == 2 and not path.exists()


def test_stopped_before_the_file_got_its_name_nothing_is_fetched_again(server, path, monkeypatch):
    def stopped(source, target):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(partial_file, "replace", stopped)
        fetch(server.url("it.bin"), path, ASK, md5=MD5)
    assert not path.exists()
    fetch(server.url("it.bin"), path, ASK, md5=MD5)
    assert path.read_bytes() == DATA and len(server.asked) == 1 and leftovers(path) == ["it.bin"]


def test_a_wrong_checksum_is_refused_and_not_kept(server, path):
    sentence = refused(server.url("it.bin"), path, ASK, md5=hashlib.md5(OTHER).hexdigest())
    assert "checksum" in sentence and leftovers(path) == []


def test_a_part_that_was_spoilt_is_fetched_anew(server, path):
    server.hold_after = 200_000
    with pytest.raises(Cancelled):
        fetch(server.url("it.bin"), path, cancel_after(100_000))
    server.go_on.set()
    with open(part(path), "rb+") as file:
        file.write(b"spoilt")
    fetch(server.url("it.bin"), path, ASK, md5=MD5)
    assert path.read_bytes() == DATA


@pytest.mark.parametrize(("fault", "words"), [
    ({"page": b"<html>Please log in</html>"}, "web page"),
    ({"status": 404}, "status 404"),
    ({"status": 500}, "status 500"),
    ({"moved": "file:///etc/passwd"}, "address that cannot be followed"),
    ({"moved": "/it.bin"}, "address that cannot be followed"),  # to itself, for ever
])
def test_another_answer_than_the_file_is_a_sentence(server, path, fault, words):
    for name, value in fault.items():
        setattr(server, name, value)
    sentence = refused(server.url("it.bin"), path, ASK)
    assert words in sentence and server.url("it.bin") in sentence and sentence.startswith("mnist: ")
    assert leftovers(path) == []


def test_a_page_does_not_spoil_what_is_here(server, path):
    server.hold_after = 200_000
    with pytest.raises(Cancelled):
        fetch(server.url("it.bin"), path, cancel_after(100_000))
    server.go_on.set()
    kept = part(path).stat().st_size
    server.page = b"<html>Please log in</html>"
    assert "are kept" in refused(server.url("it.bin"), path, ASK)
    assert part(path).stat().st_size == kept


def test_a_redirect_to_http_is_followed(server, path):
    with StandIn(moved=server.url("it.bin")) as other:
        fetch(other.url("x"), path, ASK, md5=MD5)
    assert path.read_bytes() == DATA


def test_another_length_is_a_sentence_before_it_is_fetched(server, path):
    sentence = refused(server.url("it.bin"), path, ASK, size=1000)
    assert "307,200" in sentence and "1,000" in sentence and leftovers(path) == []


def test_a_file_here_of_another_length_is_fetched_anew(server, path):
    path.parent.mkdir()
    path.write_bytes(DATA[:1000])
    fetch(server.url("it.bin"), path, ASK, size=len(DATA))
    assert path.read_bytes() == DATA


def test_without_a_network_every_address_is_named_with_its_reason(path):
    sentence = refused(["http://127.0.0.1:1/a", "http://nowhere.invalid/b"], path, ASK)
    assert "http://127.0.0.1:1/a: 127.0.0.1 cannot be reached" in sentence
    assert "http://nowhere.invalid/b: nowhere.invalid cannot be reached" in sentence
    assert leftovers(path) == []


def test_the_second_address_is_tried(server, path):
    fetch(["http://127.0.0.1:1/it.bin", server.url("missing"), server.url("it.bin")], path, ASK, md5=MD5)
    assert path.read_bytes() == DATA


def test_silence_is_a_sentence(server, path, monkeypatch):
    monkeypatch.setattr(http, "READ_TIMEOUT", 0.2)
    server.hold_after = 0
    assert "did not answer for 0.2 seconds" in refused(server.url("it.bin"), path, ASK)


def test_after_silence_in_the_middle_the_rest_is_requested(server, path, monkeypatch):
    monkeypatch.setattr(http, "READ_TIMEOUT", 0.2)
    server.hold_after = 50_000

    def speak_again(progress):
        if progress.done >= 50_000:
            server.hold_after = -1

    fetch(server.url("it.bin"), path, DataRequest("mnist", on_progress=speak_again), md5=MD5)
    assert path.read_bytes() == DATA and [asked[1] for asked in server.asked] == ["", "bytes=50000-"]


def test_a_cancel_is_heard_while_the_server_is_silent(server, path):
    server.hold_after = 50_000
    seen = []
    with pytest.raises(Cancelled):
        fetch(server.url("it.bin"), path, DataRequest("mnist", on_progress=lambda progress: seen.append(progress.done),
                                              is_cancelled=lambda: seen[-1] > 0 and seen[-4:] == seen[-1:] * 4))
    assert not path.exists() and part(path).stat().st_size == 50_000 and len(server.asked) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of a file as Linux does")
def test_a_disk_that_refuses_is_a_sentence(server, path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, hard))
    try:
        sentence = refused(server.url("it.bin"), path, ASK, kind=DataError)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "could not be written" in sentence and str(path.parent) in sentence and "GAN_PLAYGROUND_DATA" in sentence
    assert not path.exists()
    fetch(server.url("it.bin"), path, ASK, md5=MD5)
    assert server.asked[-1][1] == f"bytes={150_000}-", "what came before is used"


def test_too_little_room_is_said_before_anything_comes(server, path, monkeypatch):
    monkeypatch.setattr(download.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 1000}))
    assert "0.3 MB are needed" in refused(server.url("it.bin"), path, ASK, kind=DataError)
    assert part(path).stat().st_size == 0


def test_a_folder_that_cannot_be_made_is_a_sentence(server, tmp_path):
    (tmp_path / "file").write_text("")
    assert "could not be written" in refused(server.url("it.bin"), tmp_path / "file" / "it.bin", ASK, kind=DataError)


# The beginning of a file.

def test_a_beginning_costs_its_bytes_and_more_goes_on_from_there(server, path):
    for first, asked in ((1000, "bytes=0-999"), (500, None), (5000, "bytes=1000-4999"), (10**6, "bytes=5000-999999"),
                         (10**7, None)):
        before = len(server.asked)
        fetch(server.url("it.bin"), path, ASK, first=first)
        assert [wanted for _, wanted, _ in server.asked[before:]] == [asked] * (asked is not None)
        assert path.read_bytes() == DATA[:path.stat().st_size] and path.stat().st_size >= min(first, len(DATA))
    assert server.sent == len(DATA)


def test_a_beginning_from_a_server_without_ranges(server, path):
    server.ranges = False
    fetch(server.url("it.bin"), path, ASK, first=1000)
    assert path.read_bytes() == DATA[:1000]
    fetch(server.url("it.bin"), path, ASK, first=5000)
    assert path.read_bytes() == DATA[:5000]


def test_a_beginning_of_a_file_that_changed_since_is_of_the_new_one(server, path):
    fetch(server.url("it.bin"), path, ASK, first=1000)
    server.files["/it.bin"] = OTHER
    fetch(server.url("it.bin"), path, ASK, first=5000)
    assert path.read_bytes() == OTHER[:5000]


def test_a_beginning_stays_in_use_while_more_is_fetched(server, path):
    fetch(server.url("it.bin"), path, ASK, first=1000)
    server.hold_after = 100_000
    with pytest.raises(Cancelled):
        fetch(server.url("it.bin"), path, cancel_after(50_000), first=300_000)
    assert path.read_bytes() == DATA[:1000]
    server.go_on.set()
    fetch(server.url("it.bin"), path, ASK, first=300_000)
    assert path.read_bytes() == DATA[:300_000] and int(server.asked[-1][1].split("=")[1].split("-")[0]) >= 50_000


def test_stopped_between_the_two_moves_nothing_is_mixed(server, path, monkeypatch):
    fetch(server.url("it.bin"), path, ASK, first=1000)
    server.files["/it.bin"] = OTHER
    moves, real = [], partial_file.replace

    def first_move_only(source, target):
        if moves:
            raise KeyboardInterrupt
        moves.append(target)
        real(source, target)

    monkeypatch.setattr(partial_file, "replace", first_move_only)
    with pytest.raises(KeyboardInterrupt):
        fetch(server.url("it.bin"), path, ASK, first=2000)
    monkeypatch.undo()
    fetch(server.url("it.bin"), path, ASK, first=5000)
    of_the_new_one = f'"{hashlib.sha256(OTHER).hexdigest()[:16]}"'
    assert path.read_bytes() == OTHER[:5000] and server.asked[-1][1:] == ("bytes=2000-4999", of_the_new_one)


# Other processes.

FETCH = """
import sys
from pathlib import Path
from gan_core.data.types import DataRequest
from gan_core.data.download import fetch
fetch(sys.argv[1], Path(sys.argv[2]), DataRequest("mnist"))
"""


def elsewhere(server, path):
    """Another process that fetches, once the server holds it in the middle."""
    server.hold_after = 100_000
    process = subprocess.Popen([sys.executable, "-c", FETCH, server.url("it.bin"), str(path)], cwd=Path(__file__).parents[2])
    assert server.holding.wait(60)
    return process


def test_two_processes_fetch_one_file_once(server, path):
    process = elsewhere(server, path)
    looks = []

    def report(progress):
        looks.append(progress)
        if len(looks) == 3:  # whoever waits is asked meanwhile
            server.go_on.set()

    fetch(server.url("it.bin"), path, DataRequest("mnist", on_progress=report), md5=MD5)
    assert process.wait(60) == 0 and path.read_bytes() == DATA and len(server.asked) == 1 and len(looks) >= 3


def test_who_waits_for_another_can_be_cancelled(server, path):
    path.parent.mkdir()
    with FileLock(path.with_name(".it.bin.lock")), pytest.raises(Cancelled):
        fetch(server.url("it.bin"), path, DataRequest("mnist", is_cancelled=lambda: True))
    assert not server.asked


def test_a_killed_download_leaves_no_half_file_and_goes_on(server, path):
    process = elsewhere(server, path)
    while not part(path).exists() or not part(path).stat().st_size:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not path.exists()
    server.go_on.set()
    fetch(server.url("it.bin"), path, ASK, md5=MD5)
    assert path.read_bytes() == DATA and int(server.asked[-1][1].removeprefix("bytes=").rstrip("-")) > 0


def test_nothing_is_left_running(server, path):
    fetch(server.url("it.bin"), path, ASK)
    for thread in threading.enumerate():
        if thread.name == "download":
            thread.join(30)
            assert not thread.is_alive()


def test_a_network_that_is_not_there_is_told_in_words_that_every_page_knows(tmp_path, monkeypatch):
    def nobody(*args, **keywords):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for reason, host in (("os_econnrefused", f"127.0.0.1:{port}"), ("no_name", "digits.invalid")):
        if reason == "no_name":
            monkeypatch.setattr(socket, "getaddrinfo", nobody)
        with pytest.raises(Unreachable) as caught:
            fetch(f"http://{host}/it.bin", tmp_path / "it.bin", ASK)
        (tried,) = caught.value.values["tried"]
        assert tried["values"]["reason"]["values"]["reason"] == {"key": reason, "values": {}}

"""Prepared pictures: read back as they were made, made again after any damage, whole or not at all, never too many."""

import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gan_core.data import array_cache
from gan_core.data.types import Cancelled, DataError, DataRequest, LoadedData


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_PLAYGROUND_DATA", str(tmp_path))
    return tmp_path / "data" / "prepared"


def pictures(seed=0, count=50, labels=True):
    rng = np.random.default_rng(seed)
    data = rng.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)
    classes = (np.arange(count, dtype=np.int64) % 2, ("cat", "é")) if labels else (None, ())
    return LoadedData(data, *classes, count + 4, {"broken": 4})


def same(one, other):
    return (one.summary() == other.summary() and (one.data == other.data).all() and one.data.dtype == other.data.dtype
            and (one.labels is other.labels is None or (one.labels == other.labels).all()))


def never():
    pytest.fail("made again")


@pytest.mark.parametrize("labels", [True, False])
def test_what_was_made_once_is_read_again(place, labels):
    made = pictures(labels=labels)
    assert array_cache.get_or_create(DataRequest("folder"), "f", lambda: made) is made
    read = array_cache.get_or_create(DataRequest("folder"), "f", never)
    assert same(read, made) and read.data.flags.writeable and not isinstance(read.data, np.memmap)
    assert len(list(place.iterdir())) == 1


def test_another_fingerprint_or_another_form_is_another_set():
    asks = [DataRequest("x"), DataRequest("x", size=28), DataRequest("x", color="grey"), DataRequest("x", crop="pad"),
            DataRequest("x", limit=3)]
    for seed, request in enumerate(asks):
        assert same(array_cache.get_or_create(request, "f", lambda seed=seed: pictures(seed)), pictures(seed))
    assert same(array_cache.get_or_create(asks[0], "g", lambda: pictures(99)), pictures(99))
    for seed, request in enumerate(asks):
        assert same(array_cache.get_or_create(request, "f", never), pictures(seed))


DAMAGES = {
    "cut": lambda folder: os.truncate(folder / "data.npy", 9000),
    "gone": lambda folder: (folder / "data.npy").unlink(),
    "no labels": lambda folder: (folder / "labels.npy").unlink(),
    "one bit": lambda folder: flip(folder / "data.npy", 5000),
    "header": lambda folder: (folder / "data.npy").write_bytes(b"\x93NUMPY\1\0v\0" + b"{'descr': '|u1', 'shape': (9" + bytes(99)),
    "pickle": lambda folder: np.save(folder / "data.npy", np.array([object()]), allow_pickle=True),
    "other form": lambda folder: np.save(folder / "data.npy", np.zeros((2, 1, 8, 8), np.uint8)),
    "huge": lambda folder: huge(folder / "data.npy"),
    "no list": lambda folder: (folder / "about.json").unlink(),
    "half a list": lambda folder: (folder / "about.json").write_text('{"arrays": {"data"'),
    "other list": lambda folder: (folder / "about.json").write_text('["arrays"]'),
}


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def huge(path):
    np.lib.format.open_memmap(path, "w+", np.uint8, (1, 1, 1, 1))
    path.write_bytes(path.read_bytes().replace(b"(1, 1, 1, 1)", b"(9**9,1,1,1)"))


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_one_is_made_again(place, damage):
    array_cache.get_or_create(DataRequest("x"), "f", pictures)
    folder, = place.iterdir()
    DAMAGES[damage](folder)
    assert same(array_cache.get_or_create(DataRequest("x"), "f", lambda: pictures(7)), pictures(7))
    assert same(array_cache.get_or_create(DataRequest("x"), "f", never), pictures(7))


def test_what_cannot_be_made_leaves_nothing(place):
    def refused():
        raise DataError("own_none")
    with pytest.raises(DataError):
        array_cache.get_or_create(DataRequest("x"), "f", refused)
    assert not place.exists() or not list(place.iterdir())


def test_reading_can_be_cancelled():
    array_cache.get_or_create(DataRequest("x"), "f", pictures)
    with pytest.raises(Cancelled):
        array_cache.get_or_create(DataRequest("x", is_cancelled=lambda: True), "f", never)


def test_the_longest_unused_go_first_and_no_more_than_is_allowed_stays(place, monkeypatch):
    one = pictures().data.nbytes
    monkeypatch.setattr(array_cache, "MAX_TOTAL", 3 * one + 20_000)
    for k in range(3):
        array_cache.get_or_create(DataRequest("x"), str(k), lambda k=k: pictures(k))
        for path in place.iterdir():
            os.utime(path, (1000 + k, 1000 + k)) if path.stat().st_mtime > 2000 else None
    array_cache.get_or_create(DataRequest("x"), "0", never)  # used now
    array_cache.get_or_create(DataRequest("x"), "3", lambda: pictures(3))
    for k in (0, 2, 3):
        array_cache.get_or_create(DataRequest("x"), str(k), never)
    kept = array_cache.get_or_create(DataRequest("x"), "1", lambda: pictures(8))
    assert same(kept, pictures(8)), "the first to go was not the longest unused"
    assert sum(file.stat().st_size for file in place.rglob("*.npy")) <= array_cache.MAX_TOTAL
    before = sorted(place.iterdir())
    # Larger than all that is allowed: it evicts nothing.
    array_cache.get_or_create(DataRequest("x"), "large", lambda: pictures(count=500))
    assert sorted(place.iterdir()) == before


def test_where_nothing_can_be_kept_it_works_without(tmp_path):
    (tmp_path / "data").write_text("a file where the folder would be")
    assert same(array_cache.get_or_create(DataRequest("x"), "f", pictures), pictures())


KILLED = """
import sys, numpy as np
from gan_core.data import array_cache
from gan_core.data.types import DataRequest, LoadedData
data = np.full((20_000, 3, 32, 32), 7, np.uint8)
print("go", flush=True)
for k in range(1000):
    array_cache.get_or_create(DataRequest("x"), "f" if k == 0 else str(k), lambda: LoadedData(data))
"""


def test_a_writer_that_is_killed_leaves_a_whole_set_or_none(place):
    for delay in (0.01, 0.04, 0.1):
        process = subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, cwd=os.getcwd(),
                                   env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)})
        assert process.stdout.readline() == b"go\n"
        time.sleep(delay)  # somewhere in the middle of writing
        os.kill(process.pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
        process.wait()
        for folder in place.glob("[0-9a-f]*"):
            about = json.loads((folder / "about.json").read_bytes())
            assert (np.load(folder / "data.npy") == 7).all() and about["found"] == 0
    for path in place.glob(".*.tmp"):
        os.utime(path, (0, 0))
    array_cache.get_or_create(DataRequest("x"), "next", pictures)
    assert not list(place.glob(".*.tmp"))


def _both(barrier, results):
    barrier.wait()
    results.put(array_cache.get_or_create(DataRequest("x"), "f", pictures).data.sum())


def test_two_at_once_are_both_right(place):
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    barrier, results = context.Barrier(2), context.Queue()
    both = [context.Process(target=_both, args=(barrier, results)) for _ in range(2)]
    for one in both:
        one.start()
    assert results.get(timeout=60) == results.get(timeout=60) == pictures().data.sum()
    for one in both:
        one.join()
    assert [path.name for path in place.iterdir() if path.name.startswith(".")] == []
    assert same(array_cache.get_or_create(DataRequest("x"), "f", never), pictures())


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc for the peak memory")
def test_reading_takes_the_memory_of_the_pictures_once(tmp_path):
    made = LoadedData(np.zeros((80_000, 1, 28, 28), np.uint8))
    array_cache.get_or_create(DataRequest("x"), "f", lambda: made)

    def memory(what):
        return int(re.search(rf"{what}:\s+(\d+)", Path("/proc/self/status").read_text())[1]) * 1024

    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = memory("VmRSS")
    read = array_cache.get_or_create(DataRequest("x"), "f", never)
    assert memory("VmHWM") - before < 1.5 * read.data.nbytes

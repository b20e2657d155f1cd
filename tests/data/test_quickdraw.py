"""Quick, Draw! from a stand-in server: exactly the bytes that are wanted, the drawings as they are, labels by category."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standin import StandIn, drawings, npy

from gan_core import registry
from gan_core.data import memory, quickdraw
from gan_core.data.download import Unreachable
from gan_core.data.types import DataError, DataRequest

NAMES = ("sheep", "cat", "The Eiffel Tower")
FILES = drawings(*NAMES)
HEAD = 128  # bytes of a header that numpy writes


def pictures(name):
    return np.frombuffer(FILES[f"/{name.replace(' ', '%20')}.npy"], np.uint8, offset=HEAD).reshape(-1, 1, 28, 28)


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_PLAYGROUND_DATA", str(tmp_path))
    with StandIn(dict(FILES)) as standin:
        monkeypatch.setenv("GAN_PLAYGROUND_QUICKDRAW", standin.url())
        yield standin


def load(argument="sheep", limit=300, **more):
    return quickdraw.source(DataRequest("quickdraw", argument, limit=limit, **more))


def test_the_first_drawings_cost_their_bytes_and_a_header(server):
    loaded = load(limit=300)
    assert loaded.data.dtype == np.uint8 and loaded.labels is None and loaded.names == () and loaded.found_count == 1000
    np.testing.assert_array_equal(loaded.data, pictures("sheep")[:300])
    assert loaded.data.mean() < 128, "white strokes on black"
    assert server.sent == HEAD + 300 * 784
    np.testing.assert_array_equal(load(limit=500).data, pictures("sheep")[:500])
    assert server.sent == HEAD + 500 * 784, "no byte came twice"


def test_what_is_here_works_without_a_network_and_smaller_wishes_too(server):
    load(limit=300)
    server.status = 500
    for limit in (300, 7, 1):
        np.testing.assert_array_equal(load(limit=limit).data, pictures("sheep")[:limit])
        assert quickdraw.is_downloaded(DataRequest("quickdraw", "sheep", limit=limit))
    assert not any(quickdraw.is_downloaded(DataRequest("quickdraw", "sheep", limit=limit)) for limit in (301, 0))
    assert quickdraw.downloaded_datasets("quickdraw", 300) == ["quickdraw:sheep"]
    assert quickdraw.downloaded_datasets("quickdraw", 301) == []
    with pytest.raises(Unreachable, match=r"status 500.* Its first 300 drawings are here: a smaller max_images works"):
        load(limit=301)


def test_a_whole_category_is_enough_for_any_wish(server):
    assert len(load(limit=5000).data) == 1000 and len(load(limit=0).data) == 1000
    server.status = 500
    assert quickdraw.is_downloaded(DataRequest("quickdraw", "sheep")) and len(load(limit=10**6).data) == 1000


def test_some_categories_share_evenly_and_are_the_labels(server):
    loaded = load(" cat,SHEEP,the eiffel  tower , cat", limit=101)
    assert loaded.names == ("cat", "sheep", "The Eiffel Tower") and loaded.labels.dtype == np.int64 and loaded.found_count == 3000
    assert np.bincount(loaded.labels).tolist() == [34, 34, 33]
    for label, name in enumerate(loaded.names):
        np.testing.assert_array_equal(loaded.data[loaded.labels == label], pictures(name)[:33 + (label < 2)])


def test_size_and_colour_are_as_asked(server):
    assert load(limit=10, size=32, color="color").data.shape == (10, 3, 32, 32)


@given(limit=st.integers(0, 10**6), count=st.integers(1, 5))
def test_shares_are_even_and_no_more_than_the_limit(limit, count):
    request = DataRequest("quickdraw", limit=limit)
    if 0 < limit < count:
        with pytest.raises(DataError, match=f"give at least {count}"):
            quickdraw._shares(request, ("x",) * count)
        return
    shares = quickdraw._shares(request, ("x",) * count)
    assert sum(shares) == (limit or 20_000) and max(shares) - min(shares) <= 1


@pytest.mark.parametrize(("argument", "words"), [
    ("shep", r"no category 'shep' among its 345; the nearest: sheep"), ("Katze,sheep", "no category 'Katze'"),
    ("cat,birdd", "bird"),
    ("qqqqqq", "sheep and The Mona Lisa are two of them"), (" , ", "quickdraw:sheep,cat"), ("../sheep", "no category"),
])
def test_a_name_that_is_none_gets_the_nearest(server, argument, words):
    with pytest.raises(DataError, match=words):
        load(argument)
    assert not server.asked


def test_the_registry_says_how_much_the_first_doodles_are():
    assert registry.DATASETS["quickdraw"].download == quickdraw.DEFAULT_LIMIT * quickdraw.PIXELS


def test_the_list_is_the_345_of_the_data_set():
    names = quickdraw.categories()
    assert len(names) == len({name.lower() for name in names}) == 345 and list(names[:2]) == ["aircraft carrier", "airplane"]
    assert all(name == name.strip() and "," not in name and "/" not in name for name in names)


class Payload:
    def __reduce__(self):
        return exec, ("raise SystemExit('a file ran')",)


@pytest.mark.parametrize("data", [
    npy(np.zeros((9, 784), np.float32)), npy(np.zeros((9, 100), np.uint8)), npy(np.zeros(784, np.uint8)),
    npy(np.zeros((784, 9), np.uint8).T), npy(np.array([Payload()])), npy(np.zeros((0, 784), np.uint8)), b"\x93NUMPY\x01\x00",
    b"GIF89a" + bytes(500), npy(np.zeros((9, 784), np.uint8)).replace(b"\x93NUMPY\x01", b"\x93NUMPY\x09"),
], ids=["float", "width", "flat", "fortran", "pickle", "none", "cut", "gif", "version"])
def test_a_file_of_another_form_is_refused_and_not_kept(server, data, tmp_path):
    server.files["/sheep.npy"] = data
    with pytest.raises(DataError, match=r"is no file of Quick, Draw!.*GAN_PLAYGROUND_QUICKDRAW"):
        load()
    assert not list(tmp_path.rglob("*.npy"))


def test_a_file_that_ends_too_early_is_refused(server):
    server.files["/sheep.npy"] = FILES["/sheep.npy"][:HEAD + 100 * 784]
    with pytest.raises(DataError, match=r"announces 1,000 drawings but ends after 100"):
        load()
    assert len(load(limit=100).data) == 100, "what is there can be had"


def test_a_damaged_file_is_fetched_again(server, tmp_path):
    load(limit=300)
    (path,) = tmp_path.rglob("*.npy")
    path.write_bytes(b"damaged" + path.read_bytes()[7:])
    assert not quickdraw.is_downloaded(DataRequest("quickdraw", "sheep", limit=10))
    np.testing.assert_array_equal(load(limit=300).data, pictures("sheep")[:300])


def test_a_file_cut_on_the_disk_goes_on(server, tmp_path):
    load(limit=300)
    (path,) = tmp_path.rglob("*.npy")
    path.write_bytes(path.read_bytes()[:HEAD + 1000])
    np.testing.assert_array_equal(load(limit=300).data, pictures("sheep")[:300])


def test_no_room_is_said_before_drawings_are_fetched(server, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: memory.RESERVE + 100 * 792)
    with pytest.raises(DataError, match="set max_images to 100 or less"):
        load(limit=300)
    assert server.sent <= 256
    assert len(load(limit=100).data) == 100

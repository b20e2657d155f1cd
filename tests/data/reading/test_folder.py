"""folder:PATH: real drawings bit for bit, classes by folder, the same order and subset at every call, words where nothing is."""

import contextlib
import errno
import os
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gan_core.config import TrainConfig
from gan_core.data import loading, memory, uploads
from gan_core.data.reading import decode, folder
from gan_core.data.reading.classes import spread
from gan_core.data.reading.item import Item
from gan_core.data.types import Cancelled, DataError, DataRequest

DRAWINGS = Path(__file__).parents[4] / "shared" / "data" / "quickdraw_animals.npz"


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("GAN_PLAYGROUND_DATA", str(tmp_path_factory.mktemp("cache")))


def drawings(each):
    """(pictures (N, 28, 28) uint8, labels, names): real ones of Quick, Draw! where they are, else made up."""
    if DRAWINGS.is_file():
        with np.load(DRAWINGS, allow_pickle=False) as stored:
            images, labels, names = stored["images"], stored["labels"], tuple(str(name) for name in stored["names"])
    else:
        rng, names = np.random.default_rng(0), tuple("abcdefghi")
        images, labels = rng.integers(0, 256, (9 * each, 28, 28), dtype=np.uint8), np.arange(9 * each) % 9
    chosen = np.concatenate([np.flatnonzero(labels == k)[:each] for k in range(len(names))])
    return images[chosen], labels[chosen], names


def written(root, images, labels, names):
    for k in range(len(names)):
        (root / names[k]).mkdir(parents=True)
        for i, picture in enumerate(images[labels == k]):
            Image.fromarray(picture).save(root / names[k] / f"{i:04d}.png")


def load(path, **how):
    return folder.source(DataRequest("folder", str(path), **how))


def picture(path, shade=100, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (28, 28), shade).save(path, "PNG", **how)


def test_real_drawings_come_back_bit_for_bit_from_a_folder_and_from_a_zip(tmp_path):
    images, labels, names = drawings(each=30)
    root = tmp_path / "animals"
    written(root, images, labels, names)
    order = np.argsort([names.index(name) for name in sorted(names)])  # old label -> new one, by the alphabet
    with zipfile.ZipFile(tmp_path / "animals.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for path in root.rglob("*.png"):
            packed.write(path, path.relative_to(tmp_path))
    name = uploads.save_pictures([tmp_path / "animals.zip"])
    for dataset in (f"folder:{root}", f"zip:{name}"):
        config = TrainConfig(dataset=dataset, image_size="28", color="auto")
        for _ in ("decoded", "prepared"):
            loaded = loading.load(config)
            assert loaded.names == tuple(sorted(names)) and loaded.skipped == {} and loaded.found_count == len(images)
            assert loaded.data.shape == (len(images), 1, 28, 28) and loaded.data.dtype == np.uint8
            for k in range(len(names)):
                np.testing.assert_array_equal(loaded.data[loaded.labels == order[k], 0], images[labels == k])


@pytest.mark.skipif(os.name != "posix", reason="paths as they are written here")
@pytest.mark.parametrize("text", ["/tmp/my sheep", " /tmp/my sheep ", '"/tmp/my sheep"', "'/tmp/my sheep'", "file:///tmp/my%20sheep",
                                  "file://localhost/tmp/my%20sheep", "~/../tmp/my sheep", "../tmp/my sheep", "../tmp/my\\ sheep"])
def test_a_path_is_understood_as_file_managers_copy_it(text, monkeypatch, tmp_path):
    (tmp_path / "tmp" / "my sheep").mkdir(parents=True)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "home")
    text = text.replace(" /tmp", f" {tmp_path}/tmp") if text.startswith(" ") else text
    wanted = Path("/tmp/my sheep") if not text.startswith((" ", "~", ".")) else tmp_path / "tmp" / "my sheep"
    found = folder.parse_path(text)
    assert found.is_absolute() and Path(os.path.normpath(found)) == wanted


@pytest.mark.skipif(os.name != "posix", reason="paths as they are written here")
def test_a_path_that_leads_nowhere_stays_one(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for text in ("~nobody-of-this-name/x", "''", '"', "C:\\sheep"):  # none of them is the folder where it stands
        assert folder.parse_path(text) == tmp_path / text
    (tmp_path / "my\\ sheep").mkdir()
    assert folder.parse_path("my\\ sheep") == tmp_path / "my\\ sheep"  # a name that really is so


def test_without_folders_there_are_no_classes_and_the_size_is_32(tmp_path):
    for i in range(3):
        picture(tmp_path / "deep" / "down" / f"{i}.png", 10 * i)
    loaded = load(tmp_path)
    assert loaded.labels is None and loaded.names == () and loaded.data.shape == (3, 1, 32, 32)
    assert loaded.data[:, 0, 9, 9].tolist() == [0, 10, 20]


def test_a_folder_without_pictures_is_no_class(tmp_path):
    picture(tmp_path / "cat" / "1.png")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "todo.txt").write_text("draw more")
    loaded = load(tmp_path)
    assert loaded.labels is None and loaded.skipped == {"not_a_picture": 1}


@given(st.lists(st.integers(0, 4), min_size=1, max_size=200), st.data())
def test_every_beginning_of_the_spread_is_even(classes, data):
    order = spread([str(k) for k in classes])
    assert sorted(order.tolist()) == list(range(len(classes)))
    k = data.draw(st.integers(1, len(classes)))
    sizes, taken = np.bincount(classes, minlength=5), np.bincount(np.array(classes)[order[:k]], minlength=5)
    # Nobody gets two more than another who still has some to give.
    for mine in range(5):
        assert all(taken[mine] <= taken[other] + 1 or taken[other] == sizes[other] for other in range(5))


def test_the_spread_leaves_no_large_gap_within_a_class():
    order = spread(["x"] * 1000)
    for k in (10, 100, 500):
        gaps = np.diff(np.sort(order[:k]), prepend=-1, append=1000)
        assert gaps.max() <= 3 * 1000 / k


def test_a_limit_takes_a_spread_that_is_always_the_same_and_makes_up_for_what_cannot_be_read(tmp_path):
    for kind, base in (("cat", 0), ("dog", 100)):
        for i in range(50):
            picture(tmp_path / kind / f"{i:02d}.png", base + i)
    for i in range(0, 50, 2):
        (tmp_path / "cat" / f"{i:02d}.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    loaded = load(tmp_path, limit=30)
    again = load(tmp_path, limit=30)
    assert len(loaded.data) == 30 and (again.data == loaded.data).all() and loaded.names == ("cat", "dog")
    assert 10 <= (loaded.labels == 0).sum() <= 20 and loaded.found_count == 100
    assert loaded.skipped["broken"] + loaded.skipped["too_many"] == 70
    shades = loaded.data[:, 0, 9, 9]
    assert np.ptp(shades[loaded.labels == 1]) > 40 and len(np.unique(shades)) == 30
    every = load(tmp_path, limit=90)
    assert len(every.data) == 75 and every.skipped == {"broken": 25}


def test_auto_is_grey_only_where_all_are(tmp_path):
    for i in range(20):
        picture(tmp_path / f"{i:02d}.png", i)
    assert load(tmp_path).data.shape[1] == 1
    Image.new("RGB", (28, 28), (200, 0, 0)).save(tmp_path / "10.png")
    loaded = load(tmp_path)
    assert loaded.data.shape[1] == 3 and loaded.data[10, :, 5, 5].tolist() == [200, 0, 0]
    assert load(tmp_path, color="grey").data.shape[1] == 1
    (tmp_path / "10.png").unlink()
    assert load(tmp_path, color="color").data.shape[1] == 3


def test_hidden_files_are_not_there(tmp_path):
    picture(tmp_path / "a.png")
    picture(tmp_path / ".hidden" / "x.png")
    picture(tmp_path / "__MACOSX" / "x.png")
    picture(tmp_path / ".x.png")
    (tmp_path / "Thumbs.db").write_bytes(b"x")
    loaded = load(tmp_path)
    assert len(loaded.data) == 1 and loaded.skipped == {} and loaded.found_count == 1


def test_links_of_a_hubs_cache_are_followed_and_the_links_folder_is_the_class(tmp_path):
    for k, kind in enumerate(("cat", "cat", "dog")):
        picture(tmp_path / "blobs" / f"sha{k}", 50 * k)
        (tmp_path / "snapshots" / "v1" / kind).mkdir(parents=True, exist_ok=True)
        os.symlink(f"../../../blobs/sha{k}", tmp_path / "snapshots" / "v1" / kind / f"{k}.png")
    loaded = load(tmp_path / "snapshots" / "v1")
    assert loaded.names == ("cat", "dog") and loaded.labels.tolist() == [0, 0, 1] and loaded.skipped == {}
    assert loaded.data[:, 0, 9, 9].tolist() == [0, 50, 100]


def test_links_to_folders_are_followed_and_no_circle_is_entered(tmp_path):
    root = tmp_path / "root"
    picture(root / "a" / "1.png", 10)
    picture(tmp_path / "outside" / "deep" / "2.png", 20)
    os.symlink(tmp_path / "outside", root / "b")
    os.symlink(root, tmp_path / "outside" / "back")  # from outside into the root
    os.symlink(root, root / "itself")
    os.symlink(tmp_path, root / "above")
    os.symlink("around", root / "around")
    os.symlink("nowhere", root / "gone.png")
    loaded = load(root)
    assert loaded.data[:, 0, 9, 9].tolist() == [10, 20] and loaded.names == ("a", "b")
    assert loaded.skipped == {"link": 3, "broken": 2} and loaded.found_count == 7


def test_each_file_counts_once_however_many_links_lead_to_it(tmp_path):
    root = tmp_path / "root"
    picture(root / "cat" / "1.png", 10)
    picture(tmp_path / "outside" / "2.png", 20)
    picture(tmp_path / "outside" / "3.png", 30)
    os.symlink(root / "cat" / "1.png", root / "again.png")
    (root / "dog").mkdir()
    os.symlink(tmp_path / "outside" / "2.png", root / "dog" / "first.png")
    os.symlink(tmp_path / "outside" / "2.png", root / "dog" / "second.png")
    os.symlink(tmp_path / "outside", root / "whole")
    os.symlink(tmp_path / "outside" / "3.png", root / "zz.png")
    loaded = load(root)
    assert sorted(loaded.data[:, 0, 9, 9].tolist()) == [10, 20, 30]
    assert loaded.found_count == 3 + loaded.skipped["link"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_not_waited_for(tmp_path):
    picture(tmp_path / "a.png")
    os.mkfifo(tmp_path / "b.png")
    assert load(tmp_path).skipped == {"not_a_picture": 1}
    with pytest.raises(OSError, match="no file any more"):  # it took a file's place after the listing
        folder._open(Item((), "b.png", str(tmp_path)))


def test_what_is_not_there_empty_or_without_a_picture_is_said_in_words(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("x")
    (tmp_path / "texts" / "b.zip").write_bytes(b"PK\3\4")
    for path, match in (("gone", "is not there"), ("texts/a.txt", "is a file"), ("empty", "0 files found"),
                        ("texts", r"2 files found \(1 no picture, 1 an archive")):
        with pytest.raises(DataError, match=match) as caught:
            load(tmp_path / path)
        assert str(caught.value).endswith(".") and str(tmp_path / path) in str(caught.value)


def test_names_that_are_no_text_and_names_that_are_long(tmp_path):
    if sys.platform != "linux":
        pytest.skip("file names are text here")
    for name in (b"\xff\xfe", b"a\nb", "Щ".encode() * 100):
        os.mkdir(os.path.join(os.fsencode(tmp_path), name))
        Image.new("L", (28, 28)).save(os.path.join(os.fsencode(tmp_path), name, b"x"), "PNG")
    loaded = load(tmp_path)
    assert len(loaded.data) == 3 and set(loaded.names) == {"??", "a?b", "Щ" * 60}


def test_it_says_how_far_it_is_and_can_be_cancelled(tmp_path):
    for i in range(200):
        picture(tmp_path / f"{i:03d}.png")
    steps = []
    load(tmp_path, on_progress=steps.append)
    reading = [step.done for step in steps if step.total == 200]
    assert reading == sorted(reading) and reading[-1] >= 180 and {step.stage for step in steps} == {"reading"}
    seen = []
    with pytest.raises(Cancelled):
        load(tmp_path, size=64, on_progress=seen.append, is_cancelled=lambda: len(seen) >= 6)
    assert len(seen) == 6


def test_more_than_memory_holds_is_refused_before_it_is_read(tmp_path, monkeypatch):
    picture(tmp_path / "a.png")
    items = [Item((), "a.png", str(tmp_path))] * 100_000
    asked = []
    with pytest.raises(DataError, match="max_images") as caught:
        monkeypatch.setattr(memory, "available_bytes", lambda: 300 << 20)
        decode.decode_files(items, lambda item: asked.append(item) or folder._open(item), DataRequest("folder", size=64),
                      "The folder x")
    assert "100,000 pictures" in str(caught.value) and len(asked) <= 4 * decode.SAMPLE


def test_a_change_in_the_folder_is_seen(tmp_path):
    picture(tmp_path / "a.png", 10)
    assert load(tmp_path).data[0, 0, 9, 9] == 10
    picture(tmp_path / "a.png", 20)
    os.utime(tmp_path / "a.png", (time.time(), time.time() + 5))
    assert load(tmp_path).data[0, 0, 9, 9] == 20
    picture(tmp_path / "b.png", 30)
    assert load(tmp_path).data[:, 0, 9, 9].tolist() == [20, 30]


def test_the_order_is_that_of_the_names_whatever_the_file_system_says(tmp_path, monkeypatch):
    for n in (3, 1, 2):
        picture(tmp_path / "b" / f"{n}.png", 10 * n)
        picture(tmp_path / "a" / f"{n}.png", 100 + 10 * n)
    def list_files():
        items, skipped, fingerprint = folder.list_files(tmp_path, DataRequest("folder"))
        return list(items), skipped, fingerprint

    first = list_files()
    scandir = os.scandir
    for backwards in (False, True):
        monkeypatch.setattr(folder.os, "scandir", lambda path, backwards=backwards: contextlib.nullcontext(
            sorted(scandir(path), key=lambda entry: entry.name, reverse=backwards)))
        assert list_files() == first
    assert [(*item.folders, item.name) for item in first[0]] == [(k, f"{n}.png") for k in "ab" for n in (1, 2, 3)]


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text here")
def test_names_come_back_as_they_are_and_none_beyond(tmp_path):
    given = [(("a",), "/x/a", "1.png"), (("a",), "/x/a", "\u00e9\U0001f411.png"), (("a",), "/x/a", os.fsdecode(b"\xff.png")),
             ((), "/x", "b")]
    files = folder.FileList()
    for parts, where, name in given:
        files.add(parts, where, name)
    assert [(item.folders, item.key, item.name) for item in files] == given and files[3].name == "b" and len(files) == 4
    assert files[1:] == [files[1], files[2], files[3]]
    for at in (-1, 4):
        with pytest.raises(IndexError):
            files[at]


def test_a_file_that_goes_while_the_folder_is_read_is_counted(tmp_path, monkeypatch):
    picture(tmp_path / "a.png")
    inside = folder._scan
    monkeypatch.setattr(folder, "_scan", lambda *given: (["Gone.png", *inside(*given)[0]], []))
    loaded = load(tmp_path)
    assert len(loaded.data) == 1 and loaded.skipped == {"broken": 1} and loaded.found_count == 2


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text here")
def test_progress_can_be_sent_to_a_page_whatever_folders_are_called(tmp_path):
    below = os.path.join(os.fsencode(tmp_path), b"\xff\xfe")
    os.mkdir(below)
    Image.new("L", (28, 28)).save(os.path.join(below, b"\xfd.png"), "PNG")
    sentence = []
    load(tmp_path, on_progress=lambda progress: sentence.append(progress.what.encode()))
    assert b"??" in sentence


def test_a_folder_that_may_not_be_read_is_said_with_the_reason(tmp_path, monkeypatch):
    picture(tmp_path / "mine" / "a.png")
    picture(tmp_path / "theirs" / "a.png")
    scandir, stat = os.scandir, os.stat

    def refusing(real, shut):
        def act(path, *more, **how):
            if os.fspath(path).startswith(os.fspath(shut)):
                raise PermissionError(errno.EACCES, "Permission denied")
            return real(path, *more, **how)
        return act

    monkeypatch.setattr(folder.os, "scandir", refusing(scandir, tmp_path / "theirs"))
    loaded = load(tmp_path)  # one folder among others is counted
    assert len(loaded.data) == 1 and loaded.skipped == {"broken": 1}
    sentence = r"The folder .*theirs cannot be read: Permission denied\. Allow"
    with pytest.raises(DataError, match=sentence):
        load(tmp_path / "theirs")
    monkeypatch.setattr(folder.os, "stat", refusing(stat, tmp_path / "theirs"))
    with pytest.raises(DataError, match=sentence):
        load(tmp_path / "theirs")
    with pytest.raises(DataError, match="is not there"):
        load("x" * 300)

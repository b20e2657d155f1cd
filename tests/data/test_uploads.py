"""What people bring is kept once, whole, under a safe name, and listed; the rest is refused in words."""

import io
import os
import re

import numpy as np
import pytest
from hostile import Entry, archive, grey_png
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from gan_core.data import uploads
from gan_core.data.reading import archive as archives
from gan_core.data.reading import picture_file
from gan_core.data.types import DataError, DataRequest

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,99}")


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_PLAYGROUND_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache" / "data" / "own"


def load(name, **how):
    return archives.source(DataRequest("zip", name, **how))


def given_file(tmp_path, name, data):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def refused(call, match):
    with pytest.raises(DataError, match=match) as caught:
        call()
    assert str(caught.value).endswith(".") and len(str(caught.value)) < 500


def test_a_zip_is_kept_once_under_its_name_and_its_content(tmp_path, place):
    data = archive([Entry(f"{i}.png", grey_png(28, i)) for i in range(5)] + [Entry("notes.txt", b"x")])
    name = uploads.save_pictures([given_file(tmp_path, "Mes Moutons (été).zip", data)])
    assert re.fullmatch(r"mes-moutons-ete-[0-9a-f]{16}", name)
    assert uploads.save_pictures([str(given_file(tmp_path, "another name.zip", data))]) == name
    assert (place / f"{name}.zip").read_bytes() == data
    assert load(name).data[:, 0, 9, 9].tolist() == [0, 1, 2, 3, 4]
    one, = uploads.list_uploads()
    assert (one.name, one.kind, one.count, one.bytes, one.dataset) == (name, "zip", 5, len(data), f"zip:{name}")
    other = uploads.save_pictures([given_file(tmp_path, "another name.zip", archive([Entry("x.png", grey_png(28, 9))]))])
    assert other != name and len(uploads.list_uploads()) == 2


def test_a_disk_is_not_filled_by_what_was_handed_in(tmp_path, monkeypatch, place):
    data = archive([Entry("1.png", grey_png(28, 1))])
    uploads.save_pictures([given_file(tmp_path, "one.zip", data)])
    monkeypatch.setattr(uploads, "MAX_TOTAL", 2 * len(data) - 1)
    other = given_file(tmp_path, "two.zip", archive([Entry("1.png", grey_png(28, 2))]))
    refused(lambda: uploads.save_pictures([other]), f"delete what is not needed from {re.escape(str(place))}")
    monkeypatch.setattr(uploads, "MAX_TOTAL", 3 * len(data))
    assert uploads.save_pictures([other]).startswith("two-")


def test_pictures_are_put_into_one_zip_whatever_they_are_called(tmp_path):
    paths = [given_file(tmp_path, f"{k}/same name.png", grey_png(28, k)) for k in range(4)]  # one name, four folders
    paths.append(given_file(tmp_path, "text.png", b"no picture"))
    name = uploads.save_pictures(paths)
    assert sorted(load(name).data[:, 0, 9, 9].tolist()) == [0, 1, 2, 3] and load(name).labels is None
    assert uploads.save_pictures(paths) == name and uploads.list_uploads()[0].count == 4
    single = uploads.save_pictures([given_file(tmp_path, "Ma photo.jpg", grey_png(28, 50))])
    assert single.startswith("ma-photo-") and load(single).data.shape == (1, 1, 32, 32)
    burst = uploads.save_pictures([given_file(tmp_path, f"sheep{k}.png", grey_png(28, k)) for k in range(3)])
    assert burst.startswith("sheep-")


ODD = ["CON", "aux", "лес", "🐑", "..", "a" * 240, "-", "名前"]


@given(st.lists(st.one_of(st.text(min_size=1, max_size=60), st.sampled_from(ODD)), min_size=1, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
def test_any_file_name_gives_a_safe_name(tmp_path_factory, names):
    tmp_path, paths = tmp_path_factory.mktemp("odd"), []
    for k, name in enumerate(names):
        try:
            paths.append(given_file(tmp_path / str(k), f"{name}.png", grey_png(28, k)))
        except (OSError, ValueError):  # the file system does not take such a name: nobody can hand it in
            continue
    if not paths:
        return
    name = uploads.save_pictures(paths)
    assert NAME.fullmatch(name) and len(name) < 80
    assert len(load(name).data) == len(paths)
    assert all(path.parent == uploads.folder() for path in uploads.folder().iterdir())


def test_what_is_no_picture_is_refused_in_words(tmp_path, place, monkeypatch):
    text, good = given_file(tmp_path, "text.png", b"hello"), given_file(tmp_path, "good.png", grey_png())
    zipped = given_file(tmp_path, "z.zip", archive([Entry("a.png", grey_png())]))
    refused(lambda: uploads.save_pictures([]), "No file was given")
    refused(lambda: uploads.save_pictures([text]), "text.png is neither a picture nor a zip")
    refused(lambda: uploads.save_pictures([text, text]), r"2 files is neither .* \(2 no picture\)")
    refused(lambda: uploads.save_pictures([zipped, good]), "one zip alone")
    refused(lambda: uploads.save_pictures([zipped, zipped]), "one zip alone")
    refused(lambda: uploads.save_pictures([tmp_path / "gone.png"]), "cannot be read")
    refused(lambda: uploads.save_pictures([given_file(tmp_path, "e.zip", archive([]))]), "0 files found")
    given = given_file(tmp_path, "t.zip", archive([Entry("a.png", b"text"), Entry("../b", b"")]))
    refused(lambda: uploads.save_pictures([given]),
            "1 a link, or a name that leads out of it, 1 no picture")
    cut = given_file(tmp_path, "cut.zip", archive([Entry("a.png", grey_png())] * 9)[:-200])
    refused(lambda: uploads.save_pictures([cut]), "cut.zip is not a complete zip file")
    refused(lambda: uploads.save_pictures([given_file(tmp_path, "r.tgz", b"\x1f\x8b" + bytes(99))]), "1 an archive")
    monkeypatch.setattr(uploads, "MAX_UPLOAD", 100)
    refused(lambda: uploads.save_pictures([good, zipped]), "100 bytes are allowed")
    assert uploads.list_uploads() == [] and not list(place.iterdir())


def test_a_full_or_closed_disk_is_said_and_leaves_nothing(tmp_path, place, monkeypatch):
    zipped = given_file(tmp_path, "z.zip", archive([Entry("a.png", grey_png())]))

    def full(*args):
        raise OSError(28, "No space left on device")
    with monkeypatch.context() as patch:
        patch.setattr(uploads.os, "fsync", full)
        refused(lambda: uploads.save_pictures([zipped]), "No space left")
        refused(lambda: uploads.save_points([[0, 0], [1, 1]]), "No space left")
    assert uploads.list_uploads() == [] and not list(place.glob("*.zip")) and not list(place.glob(".*"))
    monkeypatch.setenv("GAN_PLAYGROUND_DATA", str(zipped))
    refused(lambda: uploads.save_pictures([zipped]), "GAN_PLAYGROUND_DATA")


def test_drawn_points_come_back(place):
    drawing = [[0.25, 0.5], [1, 0], [1 / 3, 2 / 3]]
    name = uploads.save_points(tuple(point) for point in drawing)
    assert NAME.fullmatch(name) and uploads.save_points(drawing) == name
    np.testing.assert_array_equal(uploads.load_points(name), drawing)
    one, = uploads.list_uploads()
    assert (one.kind, one.count, one.dataset) == ("drawn", 3, f"drawn:{name}")


@pytest.mark.parametrize("drawing", [
    [], [[0.5, 0.5]], [[0.5, 0.5]] * 9, [[0, 2], [0, 1]], [[0, -0.1], [0, 1]], [[0, float("nan")], [0, 1]],
    [[0, 0, 0], [1, 1, 1]], [0.1, 0.2], "ab", [["x", "y"]], None, [[0, 1], [0]], [[1e400, 0], [0, 0]]])
def test_what_is_no_drawing_is_refused_in_words(drawing):
    refused(lambda: uploads.save_points(drawing), "draw")


def test_too_many_points_are_refused():
    rng = np.random.default_rng(0)
    uploads.save_points(rng.random((uploads.MAX_POINTS, 2)))
    refused(lambda: uploads.save_points(rng.random((uploads.MAX_POINTS + 1, 2))), "10,001 points; 10,000 are allowed")


@pytest.mark.parametrize("name", ["never", "../x", "", "a/b", "x" * 200, "CON", "é"])
def test_a_drawing_that_is_not_there_is_refused_in_words(name):
    refused(lambda: uploads.load_points(name), "draw the points again")


@pytest.mark.parametrize("damage", [b"", b"[]", b'{"points": [[5, 5]]}', b"[" * 100_000, b"\xff"])
def test_a_damaged_drawing_is_refused_in_words_and_not_listed(place, damage):
    name = uploads.save_points([[0, 0], [1, 1]])
    (place / f"{name}.points.json").write_bytes(damage)
    refused(lambda: uploads.load_points(name), "draw")
    assert uploads.list_uploads() == []


def test_the_newest_comes_first(tmp_path, place):
    assert uploads.list_uploads() == []
    names = [uploads.save_points([[0, 0], [1, k / 10]]) for k in range(3)]
    names.append(uploads.save_pictures([given_file(tmp_path, "a.png", grey_png())]))
    for age, name in enumerate(names):
        for path in place.glob(f"{name}.*"):
            os.utime(path, (10**9 - age, 10**9 - age))
    (place / "stray.txt").write_text("x")
    (place / "stray.zip").write_bytes(b"x")
    assert [one.name for one in uploads.list_uploads()] == names


def test_a_picture_keeps_its_bytes_in_the_zip(tmp_path, place):
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 40, 3), dtype=np.uint8)).save(file, "JPEG")
    name = uploads.save_pictures([given_file(tmp_path, "a.jpg", file.getvalue())])
    assert file.getvalue() in (place / f"{name}.zip").read_bytes()


def test_a_heic_that_nothing_here_reads_is_refused_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(picture_file, "FORMATS", tuple(name for name in picture_file.FORMATS if name != "HEIF"))
    photo = given_file(tmp_path, "IMG_0001.HEIC", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99))
    refused(lambda: uploads.save_pictures([photo]), "1 photographs in HEIC: install pillow-heif, or export them as JPEG")
    both = given_file(tmp_path, "both.zip", archive([Entry("a.png", grey_png()), Entry("b.heic", photo.read_bytes())]))
    assert load(uploads.save_pictures([both])).skipped == {"heic": 1}

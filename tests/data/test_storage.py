"""Stored data are listed with their size and deleted completely: nothing of a data set stays, and nothing else goes."""

import io
import os
import sys

import pytest
from filelock import FileLock
from hostile import Entry, archive, grey_png

from gan_core.data import __main__ as command
from gan_core.data import array_cache, storage, uploads
from gan_core.data.reading import archive as archives
from gan_core.data.reading import folder
from gan_core.data.types import DataRequest


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_PLAYGROUND_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache" / "data"


def upload(tmp_path, name, count=5):
    path = tmp_path / f"{name}.zip"
    path.write_bytes(archive([Entry(f"{i}.png", grey_png(28, i + len(name))) for i in range(count)]))
    return uploads.save_pictures([path])


def tree(place):
    return {str(path.relative_to(place)): path.read_bytes() if path.is_file() else None for path in place.rglob("*")}


def test_an_upload_goes_with_all_that_was_prepared_from_it_and_nothing_else(tmp_path, place):
    farm, sea = upload(tmp_path, "farm"), upload(tmp_path, "by-the-sea")
    archives.source(DataRequest("zip", sea))
    drawing = uploads.save_points([[0, 0], [1, 1]])
    before = tree(place)
    other = storage.find(f"zip:{sea}")
    assert storage.remove(f"zip:{farm}")
    assert storage.find(f"zip:{farm}") is None and {path for path in before if farm not in path} == set(tree(place))
    farm = upload(tmp_path, "farm")
    for request in (DataRequest("zip", farm), DataRequest("zip", farm, size=28),
                    DataRequest("zip", str(uploads.folder() / f"{farm}.zip"), crop="pad")):
        archives.source(request)
    about = storage.find(f"zip:{farm}")
    assert (about.kind, about.count) == ("uploaded", 5) and len(list((place / "prepared").iterdir())) == 4
    assert about.bytes > sum(path.stat().st_size for path in place.rglob("data.npy")) * 3 / 4
    assert storage.remove(f"zip:{farm}") and not storage.remove(f"zip:{farm}")
    assert [one.dataset for one in storage.list_datasets()] == [f"zip:{sea}", f"drawn:{drawing}"]
    assert storage.find(f"zip:{sea}").bytes == other.bytes
    assert storage.remove(f"drawn:{drawing}") and uploads.list_uploads()[0].name == sea


HOSTILE = ["zip:../own/NAME", "zip:/NAME", "zip:NAME.zip", "zip:own/NAME", "zip:..", "zip:", "zip:*", "zip:NAME\0", "zip:NAME\n",
           "ZIP:NAME", "drawn:../own/DRAWN", "drawn:DRAWN.points.json", "drawn:NAME", "zip:DRAWN", "quickdraw:../own/NAME",
           "quickdraw:", "quickdraw:.", "mnist/..", "mnist:../own", "folder:", "folder:/", "", ":", "?", "own", "prepared",
           "svhn:x", "zip:" + "x" * 300]


@pytest.mark.parametrize("asked", HOSTILE)
def test_no_name_leads_to_anything_else(tmp_path, place, asked):
    name, drawing = upload(tmp_path, "farm"), uploads.save_points([[0, 0], [1, 1]])
    (place / "quickdraw").mkdir()
    (place / "quickdraw" / "cat.npy").write_bytes(b"x")
    for outside in (place / "own.zip", place.parent / f"{name}.zip", place / f"{drawing}.points.json"):
        outside.write_bytes(b"outside")
    before = tree(place.parent)
    assert storage.remove(asked.replace("NAME", name).replace("DRAWN", drawing)) is False
    assert tree(place.parent) == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows refuses to delete a file that somebody reads")
def test_who_reads_it_reads_on(tmp_path):
    name = upload(tmp_path, "farm")
    with archives.Archive(uploads.folder() / f"{name}.zip") as opened:
        assert storage.remove(f"zip:{name}")
        for item in opened.items:
            with opened.open(item) as file:
                assert file.read(4) == b"\x89PNG"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows refuses to delete a file that somebody reads")
def test_what_is_deleted_while_it_is_prepared_leaves_nothing_behind(tmp_path, place):
    name = upload(tmp_path, "farm")
    loaded = archives.source(DataRequest("zip", name, on_progress=lambda progress: storage.remove(f"zip:{name}")))
    assert len(loaded.data) == 5
    assert not [path for path in place.rglob("*") if path.is_file()]


def test_what_an_interrupted_removal_left_goes_with_the_next(tmp_path, place):
    farm, sea = upload(tmp_path, "farm"), upload(tmp_path, "by-the-sea")
    for name in (farm, sea):
        archives.source(DataRequest("zip", name))
    array_cache.get_or_create(DataRequest("x"), "of an earlier version",
                              lambda: archives.source(DataRequest("zip", sea, size=28)))
    (uploads.folder() / f"{farm}.zip").unlink()  # and then it was killed
    uploads.save_points([[0, 0], [1, 1]])
    assert storage.remove(uploads.list_uploads()[0].dataset)
    assert set(array_cache.usage_by_origin()) == {f"zip:{sea}"} and array_cache.usage_by_origin()[f"zip:{sea}"][0] > 0


def test_of_a_folder_only_what_was_prepared_from_it_goes(tmp_path):
    pictures = tmp_path / "my pictures"
    pictures.mkdir()
    (pictures / "1.png").write_bytes(grey_png())
    folder.source(DataRequest("folder", str(pictures)))
    one, = storage.list_datasets()
    assert (one.dataset, one.kind, one.count) == (f"folder:{pictures.resolve()}", "prepared", None) and one.bytes > 1000
    assert not storage.remove(f"folder:{tmp_path}") and storage.list_datasets() == [one]
    assert storage.remove(one.dataset) and storage.list_datasets() == [] and (pictures / "1.png").exists()


def fetched(place, *names):
    for name in names:
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 100)


def test_downloads_go_one_set_at_a_time_and_not_while_they_are_fetched(place):
    fetched(place, "torchvision/MNIST/raw/a.gz", "torchvision/KMNIST/raw/a.gz", "torchvision/train_32x32.mat.part",
            "torchvision/train_32x32.mat.part.json", "torchvision/cifar-10-batches-py/x", "torchvision/cifar-10-python.tar.gz",
            "quickdraw/cat.npy", "quickdraw/cat.npy.json", "quickdraw/big cat.npy.part")
    assert {one.dataset: one.bytes for one in storage.list_datasets()} == {
        "mnist": 100, "kmnist": 100, "svhn": 200, "cifar10": 200, "quickdraw:cat": 200, "quickdraw:big cat": 100}
    with FileLock(place / "torchvision" / ".train_32x32.mat.lock"), pytest.raises(storage.Busy):
        storage.remove("svhn")
    for name in ("svhn", "mnist", "cifar10", "quickdraw:cat"):
        assert storage.remove(name) and not storage.remove(name)
    assert {one.dataset for one in storage.list_datasets()} == {"kmnist", "quickdraw:big cat"}


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_of_a_link_the_link_goes_and_not_what_it_leads_to(tmp_path, place):
    fetched(tmp_path, "shared/raw/a.gz", "shared.zip")
    (place / "torchvision").mkdir(parents=True)
    (place / "own").mkdir()
    os.symlink(tmp_path / "shared", place / "torchvision" / "MNIST")
    os.symlink(tmp_path / "shared.zip", place / "own" / "shared-0123456789abcdef.zip")
    assert storage.remove("mnist") and storage.remove("zip:shared-0123456789abcdef")
    assert not list((place / "torchvision").iterdir()) and not list((place / "own").iterdir())
    assert (tmp_path / "shared" / "raw" / "a.gz").exists() and (tmp_path / "shared.zip").exists()


def test_the_command_lists_asks_and_deletes(tmp_path, place, capsys, monkeypatch):
    assert command.main([]) == 0 and capsys.readouterr().out == f"0.0 MB of data are kept in {place}.\n"
    name = f"zip:{upload(tmp_path, 'farm')}"
    assert command.main([]) == 0
    head, line, _ = capsys.readouterr().out.splitlines()
    assert head.split() == ["name", "kind", "count", "MB", "last", "used"] and line.split()[:4] == [name, "uploaded", "5", "0.0"]
    assert command.main(["--remove", name, "zip:moon"]) == 2 and "'zip:moon'" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert command.main(["--remove", name]) == 1
    sentence = capsys.readouterr()
    assert "16" not in sentence.out, "of few pictures a run may keep all"
    assert "not resumed" in sentence.out and "--yes" in sentence.err and storage.find(name) is not None
    with pytest.raises(SystemExit):
        command.main(["--yes"])
    assert command.main(["--remove", name, "--yes"]) == 0 and storage.list_datasets() == []
    assert f"Deleted: {name}." in capsys.readouterr().out

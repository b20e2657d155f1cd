"""Which folders are classes: only pictures decide, splits are parts of one set, accents have one form."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from gan_core.data.reading import archive, classes, folder
from gan_core.data.reading.item import Item
from gan_core.data.types import DataRequest


def found(files):
    """What `group` makes of files such as "a/1" (a picture) and "a/1.txt" (none)."""
    files = sorted(files)
    items = [Item(tuple(file.split("/")[:-1]), file.split("/")[-1], None) for file in files]
    grouping = classes.group(items, lambda i: "not_a_picture" if items[i].name.endswith(".txt") else "picture")
    named = dict(zip(files, grouping.classes, strict=True)) if grouping.classes else {}
    return named, {files[i]: reason for i, reason in grouping.left_out.items()}, grouping.merged


def many(folder, count=3):
    return [f"{folder}/{k}" for k in range(count)]


@pytest.mark.parametrize("files, expected", [
    (["a/1", "b/1"], ["a", "b"]), (["x/a/1", "x/b/1", "x/b/c/2"], ["a", "b", "b"]), (["1", "2"], None), (["x/1", "x/2"], None),
    (["x/y/1", "x/2"], None), (["a/b/1", "a/b/2", "c/1"], ["a", "a", "c"]), ([], None),
    (["a/1", "b/1", "1"], None),  # as many beside as in a class: they belong to the set
    (["train/1", "test/2"], None), (["train/x/1", "test/x/2"], None), (["only/train/1", "only/train/2"], None),
    (["exam/1", "test/1"], ["exam", "test"]), (["a/train/1", "a/test/1", "b/train/1"], ["a", "a", "b"]),
    (["train/a/1", "train/b/1", "test/a/2"], ["a", "a", "b"]), (["x/Train/a/1", "x/VALID/b/1"], ["a", "b"]),
    (["training_set/training_set/a/1", "training_set/training_set/b/1", "test_set/test_set/a/1"],
     ["a", "a", "b"]),
    (["train2017/a/1", "val2017/b/1"], ["a", "b"]), (["train/images/1", "train/labels/1.txt", "valid/images/1"], None),
    (["caf\u00e9/1", "cafe\u0301/2", "th\u00e9/1"], ["caf\u00e9", "caf\u00e9", "th\u00e9"]),
    (["test/1", "train/1", "trainer/1"], ["test", "train", "trainer"]),
])
def test_which_folders_are_classes(files, expected):
    named, left_out, _ = found(files)
    assert sorted(named.values()) == sorted(expected or []) and left_out == {}


def test_what_is_no_picture_decides_nothing():
    rubbish = ["README.txt", "docs/notes.txt", "img/list.txt", "img/dog/a.txt"]
    named, left_out, _ = found([*rubbish, *many("img/cat"), *many("img/dog")])
    assert named["img/cat/0"] == "cat" and named["img/dog/2"] == "dog" and named["img/dog/a.txt"] == "dog"
    assert left_out == dict.fromkeys(rubbish[:3], "not_a_picture")


def test_a_few_pictures_beside_the_classes_are_left_out_and_many_are_not():
    named, left_out, _ = found(["poster", *many("cat"), *many("dog")])
    assert left_out == {"poster": "beside"} and named["cat/1"] == "cat" and named["poster"] == ""
    named, left_out, _ = found([*(f"p{k}" for k in range(3)), *many("cat"), *many("dog")])
    assert named == {} and left_out == {}


def test_splits_are_named_and_their_classes_put_together():
    files = [f"{split}/{kind}/{k}" for split in ("train", "test") for kind in ("cat", "dog") for k in range(4)]
    named, left_out, merged = found(["test/odd", *files])
    assert merged == ("test", "train") and left_out == {"test/odd": "beside"}
    assert {named[file] for file in files} == {"cat", "dog"} and all(named[file] == file.split("/")[1] for file in files)


def test_each_folder_is_asked_only_until_its_first_picture():
    items = [Item((f"{k // 100}",), f"{k}", None) for k in range(1000)]
    asked = []
    classes.group(items, lambda i: asked.append(i) or "picture")
    assert asked == list(range(0, 1000, 100))
    asked.clear()
    classes.group([Item((), f"{k}", None) for k in range(1000)], lambda i: asked.append(i) or "picture")
    assert asked == []


def write(path, level):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8), level, np.uint8) + np.eye(8, dtype=np.uint8)).save(path, "PNG")


def real_folder(root):
    for split, kind, level in (("train", "cat", 10), ("train", "dog", 20), ("Valid", "cat", 30), ("Valid", "dog", 40)):
        for k in range(3):
            write(root / "pets" / split / kind / f"{k}.png", level + k)
    write(root / "pets" / "contact sheet.png", 200)
    (root / "README.txt").write_text("pets")
    (root / "pets" / "labels.csv").write_text("file,label\n")
    return root


def as_zip(root, path):
    with zipfile.ZipFile(path, "w") as file:
        for one in sorted(root.rglob("*")):
            file.write(one, one.relative_to(root))
    return path


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_folders_and_archives_say_what_was_decided(tmp_path, monkeypatch, kind):
    monkeypatch.setenv("GAN_PLAYGROUND_DATA", str(tmp_path / "data"))
    root = real_folder(tmp_path / "own")
    path = root if kind == "folder" else as_zip(root, tmp_path / "pets.zip")
    source = folder.source if kind == "folder" else archive.source
    for _ in range(2):  # the second time from the cache
        loaded = source(DataRequest(kind, str(path)))
        summary = loaded.summary()
        assert loaded.names == ("cat", "dog") and loaded.labels.tolist() == [0, 0, 0, 1, 1, 1] * 2
        assert summary["decisions"] == {"merged": ["Valid", "train"]} and summary["count"] == 12
        assert summary["skipped"] == {"beside": 1, "not_a_picture": 2} and summary["found"] == 15


def test_a_limit_is_reached_with_pictures_of_the_classes(tmp_path):
    root = real_folder(tmp_path / "own")
    loaded = folder.source(DataRequest("folder", str(root), limit=4))
    assert len(loaded.data) == 4 and sorted(loaded.labels.tolist()) == [0, 0, 1, 1] and loaded.skipped["too_many"] == 8

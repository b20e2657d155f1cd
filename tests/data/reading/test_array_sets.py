"""Arrays as people have them: .npy, .npz, idx, tables, packed or not; labels become classes, other formats say what to do."""

import gzip
import io
import json
import struct

import numpy as np
import pytest

from gan_core.data import uploads
from gan_core.data.reading import archive, array_files, array_sets, folder
from gan_core.data.types import DataError, DataRequest

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (30, 28, 28), np.uint8)
LABELS = np.arange(30) % 3


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_PLAYGROUND_DATA", str(tmp_path / "cache"))


def idx(array):
    kind = {np.dtype("uint8"): 8, np.dtype(">i4"): 12}[array.dtype]
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape) + array.tobytes()


def npy(array, **how):
    file = io.BytesIO()
    np.save(file, array, **how)
    return file.getvalue()


def npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def table(labels, pictures, header=True):
    first = "label," + ",".join(f"pixel{k}" for k in range(784)) + "\n" if header else ""
    return (first + "".join(f"{label}," + ",".join(map(str, row)) + "\n"
                            for label, row in zip(labels, pictures.reshape(-1, 784), strict=True))).encode()


def load(tmp_path, files, **how):
    """The set of a folder with these files alone."""
    root = tmp_path / "set"
    root.mkdir(exist_ok=True)
    for path in root.iterdir():
        path.unlink()
    for name, data in files.items():
        (root / name).write_bytes(data)
    return folder.source(DataRequest("folder", str(root), **how))


FORMS = {
    "npy": {"x.npy": npy(PICTURES), "y.npy": npy(LABELS)},
    "npy with channels last": {"x.npy": npy(PICTURES[..., None]), "y.npy": npy(LABELS[:, None])},
    "npy with channels first": {"x.npy": npy(PICTURES[:, None]), "labels.npy": npy(LABELS.astype(np.uint8))},
    "npy column by column": {"x.npy": npy(np.asfortranarray(PICTURES)), "y.npy": npy(LABELS)},
    "rows of pixels": {"x.npy": npy(PICTURES.reshape(30, 784)), "y.npy": npy(LABELS)},
    "floats to 1": {"x.npy": npy((PICTURES / 255).astype("float32")), "y.npy": npy(LABELS)},
    "doubles from -1": {"x.npy": npy(PICTURES / 127.5 - 1), "y.npy": npy(LABELS)},
    "floats to 255": {"x.npy": npy(PICTURES.astype("float32")), "y.npy": npy(LABELS)},
    "long integers": {"x.npy": npy(PICTURES.astype("int64")), "y.npy": npy(LABELS)},
    "one-hot labels": {"x.npy": npy(PICTURES), "y.npy": npy(np.eye(3)[LABELS])},
    "idx": {"train-images-idx3-ubyte": idx(PICTURES), "train-labels-idx1-ubyte": idx(LABELS.astype(np.uint8))},
    "idx packed": {"train-images-idx3-ubyte.gz": gzip.compress(idx(PICTURES)),
                   "train-labels-idx1-ubyte.gz": gzip.compress(idx(LABELS.astype(np.uint8)))},
    "a table": {"train.csv": table(LABELS, PICTURES)},
    "a table without names": {"train.csv": table(LABELS, PICTURES, header=False)},
    "a table packed": {"train.csv.gz": gzip.compress(table(LABELS, PICTURES))},
    "rubbish beside": {"x.npy": npy(PICTURES), "y.npy": npy(LABELS), "README.txt": b"hello", "loss.npy": npy(RNG.random(7))},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_same_pictures_is_the_same_set(tmp_path, form):
    for _ in range(2):  # the second time from the cache
        loaded = load(tmp_path, FORMS[form])
        np.testing.assert_array_equal(loaded.data, PICTURES[:, None])
        assert loaded.labels.tolist() == LABELS.tolist() and loaded.names == ("0", "1", "2")
        assert loaded.decisions == {} and loaded.found_count == 30


@pytest.mark.parametrize("names", ["array", "list", "dict", "numbers"])
def test_the_names_of_the_classes_are_taken_where_a_file_says_them(tmp_path, names):
    words = ["cat", "dog", "émeu"]
    extra = {"list": words, "dict": dict(enumerate(words)), "numbers": {name: k for k, name in enumerate(words)}}.get(names)
    files = {"x.npy": npy(PICTURES), "y.npy": npy(LABELS), "names.json": json.dumps(extra).encode()}
    if names == "array":
        path = tmp_path / "data.npz"
        path.write_bytes(npz(images=PICTURES, labels=LABELS, class_names=np.array(words)))
        loaded = archive.source(DataRequest("zip", str(path)))
    else:
        loaded = load(tmp_path, files)
    assert loaded.names == tuple(words) and loaded.labels.tolist() == LABELS.tolist()


def test_an_npz_of_two_splits_is_one_set(tmp_path):
    path = tmp_path / "mnist.npz"
    path.write_bytes(npz(x_train=PICTURES, y_train=LABELS, x_test=PICTURES[:9] // 2, y_test=LABELS[:9]))
    loaded = archive.source(DataRequest("zip", str(path)))
    assert len(loaded.data) == 39 and loaded.decisions == {"merged": ["x_test.npy", "x_train.npy"]}
    assert loaded.labels.tolist() == [*LABELS[:9], *LABELS]


def test_a_single_file_is_named_as_a_folder_is(tmp_path):
    (tmp_path / "faces.npy").write_bytes(npy(RNG.integers(0, 256, (20, 40, 36, 3), np.uint8)))
    loaded = folder.source(DataRequest("folder", str(tmp_path / "faces.npy")))
    assert loaded.data.shape == (20, 3, 32, 32) and loaded.labels is None
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(DataError, match="is a file"):
        folder.source(DataRequest("folder", str(tmp_path / "a.txt")))


def test_colour_rows_of_cifar_and_alpha(tmp_path):
    planar = RNG.integers(0, 256, (8, 3, 32, 32), np.uint8)
    np.testing.assert_array_equal(load(tmp_path, {"data.npy": npy(planar.reshape(8, 3072))}).data, planar)
    with_alpha = np.concatenate([planar.transpose(0, 2, 3, 1), np.full((8, 32, 32, 1), 255, np.uint8)], -1)
    np.testing.assert_array_equal(load(tmp_path, {"data.npy": npy(with_alpha)}).data, planar)


def test_sixteen_bits_have_one_scale_and_ones_are_white(tmp_path):
    deep = np.zeros((4, 28, 28), np.uint16)
    deep[0], deep[1, 0] = 3000, 1500
    loaded = load(tmp_path, {"x.npy": npy(deep)})
    assert loaded.decisions == {"white": 3000} and loaded.data[0].max() == 255 and loaded.data[1].max() in (127, 128)
    assert load(tmp_path, {"x.npy": npy(PICTURES > 128)}).data.max() == 255


def test_a_limit_is_spread_over_the_classes(tmp_path):
    loaded = load(tmp_path, FORMS["npy"], limit=6)
    assert len(loaded.data) == 6 and np.bincount(loaded.labels).tolist() == [2, 2, 2] and loaded.skipped == {"too_many": 24}


class Evil:
    def __reduce__(self):
        return (print, ("run!",))


def test_a_table_with_its_label_last_or_with_an_index_is_read_right(tmp_path):
    named = "\n".join([",".join([*(f"pixel{k}" for k in range(1, 785)), "class"])] + [
        ",".join(map(str, [*row, label])) for row, label in zip(PICTURES.reshape(30, 784), LABELS, strict=True)])
    corner = PICTURES.copy()
    corner[:, 0, 0] = 0
    nameless = "\n".join(",".join(map(str, [*row, label])) for row, label in zip(corner.reshape(30, 784), LABELS, strict=True))
    indexed = "\n".join(["," + ",".join(["label", *(f"p{k}" for k in range(784))])] + [
        ",".join(map(str, [k, LABELS[k], *row])) for k, row in enumerate(PICTURES.reshape(30, 784))])
    for text, expected in ((named, PICTURES), (nameless, corner), (indexed, PICTURES)):
        loaded = load(tmp_path, {"x.csv": text.encode()})
        assert loaded.labels.tolist() == LABELS.tolist() and (loaded.data[:, 0] == expected).all()


def test_labels_find_the_pictures_of_their_split_and_their_shard(tmp_path):
    other = (LABELS + 1) % 3
    for kind, labels in (("train", LABELS), ("test", other)):
        (tmp_path / "set" / kind).mkdir(parents=True)
        (tmp_path / "set" / kind / "images.npy").write_bytes(npy(PICTURES))
        (tmp_path / "set" / kind / "labels.npy").write_bytes(npy(labels))
    loaded = folder.source(DataRequest("folder", str(tmp_path / "set")))
    assert loaded.labels.tolist() == [*other, *LABELS]  # in the order of the names: test, train
    for names in (("images_0", "labels_0", "images_1", "labels_1"), ("trainX", "trainY", "testX", "testY")):
        root = tmp_path / names[0]
        root.mkdir()
        for name, array in zip(names, (PICTURES, LABELS, PICTURES, other), strict=True):
            (root / f"{name}.npy").write_bytes(npy(array))
        loaded = folder.source(DataRequest("folder", str(root)))
        first = [*LABELS, *other] if names[0] == "images_0" else [*other, *LABELS]
        assert loaded.labels.tolist() == first and len(loaded.data) == 60


@pytest.mark.parametrize("classes", [3, 16, 36, 49, 64, 100])
def test_one_hot_labels_of_any_number_are_no_pictures(tmp_path, classes):
    hot = np.eye(classes, dtype=np.float32)[LABELS]
    loaded = load(tmp_path, {"x_train.npy": npy(PICTURES), "y_train.npy": npy(hot)})
    assert loaded.labels.tolist() == LABELS.tolist() and (loaded.data[:, 0] == PICTURES).all()


def test_labels_may_be_words_and_files_may_be_classes(tmp_path):
    words = np.array(["cat", "dog", "emu"])
    loaded = load(tmp_path, {"x.npy": npy(PICTURES), "y.npy": npy(words[LABELS])})
    assert loaded.names == ("cat", "dog", "emu") and loaded.labels.tolist() == LABELS.tolist()
    (tmp_path / "drawn").mkdir()
    for name, part in (("cat", PICTURES[:10]), ("dog", PICTURES[10:])):
        (tmp_path / "drawn" / f"{name}.npy").write_bytes(npy(part.reshape(-1, 784)))
    loaded = folder.source(DataRequest("folder", str(tmp_path / "drawn")))
    assert loaded.names == ("cat", "dog") and loaded.labels.tolist() == [0] * 10 + [1] * 20 and loaded.decisions == {}


def test_alpha_lies_on_the_ground(tmp_path):
    values = np.zeros((6, 28, 28, 4), np.uint8)
    values[:, 5:20, 5:20] = 40, 40, 40, 255
    values[:, :5] = 90, 0, 0, 0  # a colour that nobody sees
    assert load(tmp_path, {"x.npy": npy(values)}).data[0, :, 0, 0].tolist() == [255] * 3
    assert load(tmp_path, {"x.npy": npy(values)}, background="black").data[0, :, 0, 0].tolist() == [0] * 3


@pytest.mark.parametrize("kind", [np.uint8, np.int64, bool, np.float32])
def test_zeros_and_ones_are_black_and_white(tmp_path, kind):
    assert set(np.unique(load(tmp_path, {"x.npy": npy((PICTURES > 128).astype(kind))}).data)) == {0, 255}


@pytest.mark.parametrize("how", ["folder", "path"])
def test_an_npz_is_read_in_a_folder_and_by_its_path(tmp_path, how):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "m.npz").write_bytes(npz(images=PICTURES, labels=LABELS))
    loaded = folder.source(DataRequest("folder", str(tmp_path / "set" / ("m.npz" if how == "path" else ""))))
    assert (loaded.data[:, 0] == PICTURES).all() and loaded.labels.tolist() == LABELS.tolist()


@pytest.mark.parametrize("damage", range(12))
def test_damaged_bytes_anywhere_are_refused_in_a_sentence(tmp_path, damage):
    """In a file, packed, in a zip: what opens them raises many kinds of errors."""
    rng = np.random.default_rng(damage)
    whole = {"x.npy": npy(PICTURES), "x.npy.gz": gzip.compress(npy(PICTURES)), "x.gz": gzip.compress(idx(PICTURES)),
             "x.csv.gz": gzip.compress(table(LABELS, PICTURES)), "m.npz": npz(images=PICTURES, labels=LABELS)}
    for name, data in whole.items():
        broken = bytearray(data)
        for at in rng.integers(0, min(len(data), 200 if damage % 2 else len(data)), 6):
            broken[at] ^= int(rng.integers(1, 256))
        broken = bytes(broken[:len(broken) - int(rng.integers(0, 2)) * 50])
        (tmp_path / name).write_bytes(broken)
        for source in ((folder, archive) if name == "m.npz" else (folder,)):
            try:
                source.source(DataRequest("folder" if source is folder else "zip", str(tmp_path / name)))
            except DataError as error:
                assert "\n" not in str(error)


REFUSED = {
    "labels of another number": ({"x.npy": npy(PICTURES), "labels.npy": npy(LABELS[:29])}, "29 labels for 30 pictures"),
    "one picture a file": ({f"{k}.npy": npy(PICTURES[k]) for k in range(4)}, r"one picture a file, \(28, 28\)"),
    "an empty array": ({"x.npy": npy(np.zeros((5, 0)))}, "no array of pictures"),
    "a table of words": ({"x.csv": table(["cat", "dog"] * 15, PICTURES)}, "cannot be read as a table of numbers"),
    "a picture without end": ({"x.npy.gz": gzip.compress(npy(np.zeros((2, 5000, 5000), np.uint8)))}, "no array of pictures"),
    "many columns": ({"x.csv": (",".join(["0"] * 30_000) + "\n").encode()}, "30,000 columns; 20,000 at most"),
    "objects": ({"x.npy": npy(np.array([Evil()], object), allow_pickle=True)}, "holds Python objects"),
    "a pickle": ({"data.pkl": b"\x80\x04\x95" + bytes(80)}, r"data\.pkl is a Python pickle, .* np\.savez"),
    "hdf5": ({"data.h5": b"\x89HDF\r\n\x1a\n" + bytes(80)}, "is an HDF5 file"),
    "matlab": ({"data.mat": b"MATLAB 5.0 MAT-file" + bytes(80)}, "is a MATLAB file"),
    "parquet": ({"data.parquet": b"PAR1" + bytes(80)}, "is a Parquet or Arrow file"),
    "cut": ({"x.npy": npy(PICTURES)[:-100]}, "is damaged, or ends before its last value"),
    "idx cut": ({"x": idx(PICTURES)[:-1]}, "is damaged, or ends before its last value"),
    "a broken header": ({"x.npy": b"\x93NUMPY\x01\x00\x40\x00" + b"(" * 64}, "header cannot be read"),
    "no pictures": ({"loss.npy": npy(RNG.random(50))}, r"no array of pictures: loss\.npy \(50,\)"),
    "another range": ({"x.npy": npy(PICTURES.astype(float) * 7)}, "values from 0 to 1,785; give 0 to 255"),
    "not a number": ({"x.npy": npy(np.full((5, 28, 28), np.nan))}, "a NaN or an infinite number"),
    "too many": ({"x": idx(PICTURES)[:4] + b"\x7f\xff\xff\xff" + idx(PICTURES)[8:]}, "2,147,483,647 pictures; 10,000,000 are"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_everything_else_is_refused_in_a_sentence_that_helps(tmp_path, capsys, case):
    files, part = REFUSED[case]
    with pytest.raises(DataError, match=part) as caught:
        load(tmp_path, files)
    sentence = str(caught.value)
    assert sentence.endswith((".", ")")) and "\n" not in sentence and "run!" not in capsys.readouterr().out


def test_a_header_that_promises_more_than_memory_holds_costs_nothing(tmp_path):
    data = idx(PICTURES)[:4] + struct.pack(">3I", 9_000_000, 2000, 2000) + bytes(100)
    with pytest.raises(DataError, match=r"GB"):
        load(tmp_path, {"x": data}, size=64)


def test_pictures_win_over_arrays_beside_them(tmp_path):
    from PIL import Image
    file = io.BytesIO()
    Image.fromarray(PICTURES[0]).save(file, "PNG")
    loaded = load(tmp_path, {"x.npy": npy(PICTURES), "a.png": file.getvalue()})
    assert len(loaded.data) == 1 and loaded.skipped == {"not_a_picture": 1}


@pytest.mark.parametrize("files", [{"mnist.npz": npz(images=PICTURES, labels=LABELS)}, FORMS["npy"], FORMS["idx packed"]])
def test_arrays_can_be_uploaded(tmp_path, files):
    paths = []
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        paths.append(tmp_path / name)
    name = uploads.save_pictures(paths)
    assert uploads.list_uploads()[0].count == 30 and uploads.save_pictures(paths[::-1]) == name
    loaded = archive.source(DataRequest("zip", name))
    np.testing.assert_array_equal(loaded.data, PICTURES[:, None])
    assert loaded.labels.tolist() == LABELS.tolist()


def test_an_upload_without_pictures_is_refused_as_before(tmp_path):
    (tmp_path / "a.pkl").write_bytes(b"\x80\x04" + bytes(80))
    with pytest.raises(DataError, match="is a Python pickle"):
        uploads.save_pictures([tmp_path / "a.pkl"])
    (tmp_path / "loss.npy").write_bytes(npy(RNG.random(50)))
    with pytest.raises(DataError, match="is neither a picture nor a zip of pictures"):
        uploads.save_pictures([tmp_path / "loss.npy"])
    assert uploads.list_uploads() == []


def test_an_array_larger_than_a_picture_may_be_is_read_from_an_archive(tmp_path):
    many = np.broadcast_to(PICTURES[:1], (45_000, 28, 28))  # 35 MB
    path = tmp_path / "many.npz"
    path.write_bytes(npz(x=many))
    loaded = archive.source(DataRequest("zip", str(path), limit=100))
    assert len(loaded.data) == 100 and (loaded.data == PICTURES[0]).all() and loaded.skipped == {"too_many": 44_900}


def test_kinds_are_told_by_the_first_bytes():
    kinds = {npy(PICTURES): "npy", idx(PICTURES): "idx", gzip.compress(b"x"): "gzip", table(LABELS, PICTURES): "table", b"": "",
             b"hello, world": "", b"\x89PNG\r\n\x1a\n": "", bytes(64): ""}
    assert {data: array_files.kind_of(data[:64]) for data in kinds} == kinds


def test_names_of_classes_are_read_from_lists_and_tables_only():
    assert array_sets.read_names(b'["a", "b"]') == ("a", "b") == array_sets.read_names(b'{"1": "b", "0": "a"}')
    for other in (b"", b"3", b"[1]", b'{"0": 1.5}', b"[" * 9999, b'{"x": "a"}', b"\xff"):
        assert array_sets.read_names(other) == ()

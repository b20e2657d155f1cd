"""torchvision's sets through our downloader and reader, compared with torchvision's own reading of the same bytes.

The sets are made up and small; torchvision's tables are told their addresses and checksums, the rest is as it is.
"""

import gzip
import hashlib
import io
import pickle
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from standin import StandIn, idx

from gan_core.data import memory
from gan_core.data import torchvision_sets as sets
from gan_core.data.download import Unreachable
from gan_core.data.types import DataError, DataRequest

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (50, 28, 28), np.uint8)
LABELS = np.arange(50, dtype=np.uint8) % 10
MNISTS = ["mnist", "fashion-mnist", "kmnist"]


def md5(data):
    return hashlib.md5(data).hexdigest()


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_PLAYGROUND_DATA", str(tmp_path))
    monkeypatch.setattr(sets, "DEBIAN", tmp_path / "missing")
    with StandIn() as standin:
        monkeypatch.setenv("GAN_PLAYGROUND_MIRROR", standin.url() + "/")
        yield standin


def publish(server, monkeypatch, name, images=IMAGES, labels=LABELS):
    """One of the three MNISTs, in the mirror and in torchvision's table."""
    table = sets._table(name)
    arrays = dict(zip(sets.IDX, (images, labels), strict=True))
    files = {f"{split}-{kind}.gz": idx(array) for split in ("train", "t10k") for kind, array in arrays.items()}
    server.files |= {f"/{name}/{file}": data for file, data in files.items()}
    monkeypatch.setattr(table, "resources", [(file, md5(data)) for file, data in files.items()])
    return table, files


def unpack(table, files):
    """What torchvision would have left there."""
    raw = sets.root_folder() / table.__name__ / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for file, data in files.items():
        (raw / file.removesuffix(".gz")).write_bytes(gzip.decompress(data))


def load(name, argument="", **more):
    return sets.source(DataRequest(name, argument, **more))


@pytest.mark.parametrize("name", MNISTS)
def test_the_mnists_are_as_torchvision_reads_them(server, monkeypatch, name):
    table, files = publish(server, monkeypatch, name)
    assert not sets.is_downloaded(DataRequest(name)) and sets.downloaded_datasets(name, 0) == []
    loaded = load(name)
    assert [path for path, *_ in server.asked] == [f"/{name}/train-{kind}.gz" for kind in sets.IDX], "only the training split"
    assert sets.is_downloaded(DataRequest(name)) and sets.downloaded_datasets(name, 0) == [name]
    unpack(table, files)
    theirs = table(sets.root_folder(), train=True, download=False)
    np.testing.assert_array_equal(loaded.data, theirs.data.numpy()[:, None])
    np.testing.assert_array_equal(loaded.labels, theirs.targets.numpy())
    assert loaded.data.dtype == np.uint8 and loaded.labels.dtype == np.int64 and loaded.found_count == 50
    assert loaded.names == (tuple("0123456789") if name == "mnist" else tuple(theirs.classes))
    load(name)
    assert len(server.asked) == 2, "what is here is not asked for again"


def test_a_limit_a_size_and_a_colour(server, monkeypatch):
    publish(server, monkeypatch, "mnist")
    loaded = load("mnist", limit=7, size=32, color="color")
    assert loaded.data.shape == (7, 3, 32, 32) and loaded.labels.tolist() == LABELS[:7].tolist() and loaded.found_count == 50
    np.testing.assert_array_equal(loaded.data[:, 1, 2:-2, 2:-2], IMAGES[:7])


def test_what_torchvision_unpacked_is_taken_as_it_is(server, monkeypatch):
    table, files = publish(server, monkeypatch, "kmnist")
    unpack(table, files)
    assert sets.is_downloaded(DataRequest("kmnist"))
    np.testing.assert_array_equal(load("kmnist").data[:, 0], IMAGES)
    assert not server.asked


def test_an_unpacked_file_that_is_cut_is_passed_over(server, monkeypatch):
    table, files = publish(server, monkeypatch, "kmnist")
    unpack(table, files)
    path = sets.root_folder() / "KMNIST" / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    np.testing.assert_array_equal(load("kmnist").data[:, 0], IMAGES)
    assert len(server.asked) == 2


@pytest.mark.parametrize(("kind", "damage"), [*((sets.IDX[0], damage) for damage in ("cut", "flipped", "text", "empty", "other")),
                                              (sets.IDX[1], "cut")])
def test_a_damaged_file_is_fetched_again_or_refused(server, monkeypatch, kind, damage):
    publish(server, monkeypatch, "mnist")
    load("mnist")
    path = sets.root_folder() / "MNIST" / "raw" / f"train-{kind}.gz"
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes({"cut": whole[:middle], "flipped": whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1:],
                      "text": b"x" * 100, "empty": b"", "other": gzip.compress(b"no idx file")}[damage])
    np.testing.assert_array_equal(load("mnist").data[:, 0], IMAGES)
    assert path.read_bytes() == whole
    path.write_bytes(whole[:middle])
    server.status = 500
    with pytest.raises(Unreachable, match="status 500"):
        load("mnist")


def test_a_set_that_is_fetched_and_is_none_is_a_sentence(server, monkeypatch):
    publish(server, monkeypatch, "mnist", labels=LABELS[:-1])
    with pytest.raises(DataError, match=r"50 pictures of \[28, 28\] beside 49 labels.*pip install -U torchvision"):
        load("mnist")
    publish(server, monkeypatch, "kmnist", labels=LABELS + 1)
    with pytest.raises(DataError, match=r"a label is none of the classes"):
        load("kmnist")


def test_the_mirrors_of_torchvision_are_tried_in_turn(server, monkeypatch):
    table, _ = publish(server, monkeypatch, "mnist")
    monkeypatch.delenv("GAN_PLAYGROUND_MIRROR")
    monkeypatch.setattr(table, "mirrors", ["http://127.0.0.1:1/", server.url("mnist") + "/"])
    np.testing.assert_array_equal(load("mnist").data[:, 0], IMAGES)


def test_no_room_is_said_before_pictures_are_read(server, monkeypatch):
    publish(server, monkeypatch, "mnist")
    monkeypatch.setattr(memory, "available_bytes", lambda: memory.RESERVE + 10 * 792)
    with pytest.raises(DataError, match=r"mnist: 50 pictures .* set max_images to 10 or less"):
        load("mnist")
    assert len(load("mnist", limit=10).data) == 10


# EMNIST

def letter():
    """An upright L."""
    picture = np.zeros((28, 28), np.uint8)
    picture[4:24, 8:11] = picture[21:24, 8:20] = 255
    return picture


def publish_emnist(server, monkeypatch):
    upright = np.concatenate([letter()[None], IMAGES[:25]])
    labels = {"letters": np.arange(26) + 1, "balanced": np.arange(26), "digits": np.arange(26) % 10}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for split, of_split in labels.items():
            for kind, array in zip(sets.IDX, (upright.swapaxes(1, 2), of_split), strict=True):  # lines are columns
                archive.writestr(f"gzip/emnist-{split}-train-{kind}.gz", idx(np.ascontiguousarray(array)))
    table = sets._table("emnist")
    server.files["/emnist/gzip.zip"] = packed.getvalue()
    monkeypatch.setattr(table, "md5", md5(packed.getvalue()))
    return table, upright, labels


def test_emnist_is_upright_and_one_download_serves_all_splits(server, monkeypatch):
    table, upright, labels = publish_emnist(server, monkeypatch)
    loaded = load("emnist", "letters")
    np.testing.assert_array_equal(loaded.data[0, 0], letter())
    np.testing.assert_array_equal(loaded.data[:, 0], upright)
    assert loaded.labels.tolist() == list(range(26)) and loaded.names == tuple("abcdefghijklmnopqrstuvwxyz")
    balanced = load("emnist", "balanced")
    assert len(balanced.names) == 47 and balanced.names[10] == "A" and balanced.labels.tolist() == list(range(26))
    assert load("emnist", "Digits").names == tuple("0123456789") and sets.is_downloaded(DataRequest("emnist", "LETTERS"))
    assert len(server.asked) == 1 and "emnist:byclass" in sets.downloaded_datasets("emnist", 0)
    files = {f"emnist-letters-train-{kind}.gz": idx(np.ascontiguousarray(array))
             for kind, array in zip(sets.IDX, (upright.swapaxes(1, 2), labels["letters"]), strict=True)}
    unpack(table, files)
    theirs = table(sets.root_folder(), split="letters", train=True, download=False)
    np.testing.assert_array_equal(theirs.data.numpy().swapaxes(1, 2), loaded.data[:, 0])
    assert [theirs.classes[label] for label in theirs.targets] == [loaded.names[label] for label in loaded.labels]


def test_an_unknown_split_is_a_sentence(server):
    with pytest.raises(DataError, match="no split 'sheep'; choose one of: letters, balanced"):
        load("emnist", "sheep")
    assert not server.asked and not sets.is_downloaded(DataRequest("emnist", "sheep"))


def test_a_damaged_archive_is_fetched_again(server, monkeypatch):
    _, upright, _ = publish_emnist(server, monkeypatch)
    load("emnist", "letters")
    path = sets.root_folder() / "EMNIST" / "raw" / "gzip.zip"
    path.write_bytes(path.read_bytes()[:2000])
    np.testing.assert_array_equal(load("emnist", "letters").data[:, 0], upright)


# CIFAR-10 and SVHN

def publish_cifar(server, monkeypatch):
    table = sets._table("cifar10")
    data, labels = RNG.integers(0, 256, (60, 3072), np.uint8), [k % 10 for k in range(60)]
    files = {file: pickle.dumps({"data": data[k * 10:k * 10 + 10], "labels": labels[k * 10:k * 10 + 10]})
             for k, file in enumerate(sets.CIFAR_FILES[:6])}
    files["batches.meta"] = pickle.dumps({"label_names": [f"kind {k}" for k in range(10)]})
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in [*((f"{table.base_folder}/{file}", content) for file, content in files.items()),
                              ("../escaped", b"x"), ("/tmp/escaped-absolutely", b"x"), (f"{table.base_folder}/other", b"x")]:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    server.files[f"/cifar10/{table.filename}"] = packed.getvalue()
    monkeypatch.setattr(table, "tgz_md5", md5(packed.getvalue()))
    for attribute in ("train_list", "test_list"):
        monkeypatch.setattr(table, attribute, [[file, md5(files[file])] for file, _ in getattr(table, attribute)])
    monkeypatch.setattr(table, "meta", {**table.meta, "md5": md5(files["batches.meta"])})
    return data[:50].reshape(50, 3, 32, 32), labels[:50]


def test_cifar10_is_read_whole_and_nothing_else_is_unpacked(server, monkeypatch, tmp_path):
    data, labels = publish_cifar(server, monkeypatch)
    loaded = load("cifar10")
    np.testing.assert_array_equal(loaded.data, data)
    assert loaded.labels.tolist() == labels and loaded.names[3] == "kind 3" and loaded.data.flags.c_contiguous
    names = {path.name for path in tmp_path.rglob("*") if path.is_file() and not path.name.endswith(".lock")}
    assert names == set(sets.CIFAR_FILES), "neither the archive nor what else was in it"
    server.status = 500
    assert sets.is_downloaded(DataRequest("cifar10")) and sets.downloaded_datasets("cifar10", 0) == ["cifar10"]
    grey = load("cifar10", limit=5, size=28, color="grey")
    assert grey.data.shape == (5, 1, 28, 28) and grey.found_count == 50 and len(grey.labels) == 5


@pytest.mark.parametrize("damage", [b"", b"cos\nsystem\n(S'touch ran'\ntR."])
def test_a_damaged_or_hostile_batch_of_cifar10_is_never_opened(server, monkeypatch, damage, tmp_path):
    data, _ = publish_cifar(server, monkeypatch)
    load("cifar10")
    monkeypatch.chdir(tmp_path)
    (sets.root_folder() / "cifar-10-batches-py" / "data_batch_3").write_bytes(damage)
    np.testing.assert_array_equal(load("cifar10").data, data)
    assert not (tmp_path / "ran").exists() and len(server.asked) == 2


def test_svhn_is_read_whole_and_again_where_it_is_damaged(server, monkeypatch):
    from scipy.io import savemat

    data, labels = RNG.integers(0, 256, (20, 3, 32, 32), np.uint8), np.arange(20) % 10
    file = io.BytesIO()
    savemat(file, {"X": data.transpose(2, 3, 1, 0), "y": np.where(labels == 0, 10, labels).astype(np.uint8)[:, None]})
    table = sets._table("svhn")
    server.files["/svhn/train_32x32.mat"] = file.getvalue()
    monkeypatch.setattr(table, "split_list", {"train": [*table.split_list["train"][:2], md5(file.getvalue())]})
    for _ in range(2):
        loaded = load("svhn")
        np.testing.assert_array_equal(loaded.data, data)
        assert loaded.labels.tolist() == labels.tolist() and loaded.data.flags.c_contiguous and loaded.names[0] == "0"
        assert sets.is_downloaded(DataRequest("svhn"))
        (sets.root_folder() / "train_32x32.mat").write_bytes(file.getvalue()[:-100])
    assert len(server.asked) == 2


def test_our_names_are_those_of_torchvisions_tables():
    from torchvision import datasets

    for name in MNISTS:
        assert {f"train-{kind}.gz" for kind in sets.IDX} <= {file for file, _ in getattr(datasets, sets.CLASSES[name]).resources}
    assert datasets.EMNIST.url.endswith("/" + sets.EMNIST_ZIP) and set(sets.SPLITS) == set(datasets.EMNIST.splits)
    cifar = datasets.CIFAR10
    assert {file for file, _ in cifar.train_list + cifar.test_list} | {cifar.meta["filename"]} == set(sets.CIFAR_FILES)
    assert cifar.base_folder == "cifar-10-batches-py" and datasets.SVHN.split_list["train"][1] == sets.SVHN_FILE


needs_debian = pytest.mark.skipif(not sets.DEBIAN.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")


@needs_debian
def test_debians_fashion_mnist_needs_no_network(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_PLAYGROUND_DATA", str(tmp_path))
    assert sets.is_downloaded(DataRequest("fashion-mnist"))
    loaded = load("fashion-mnist", limit=100)
    assert loaded.found_count == 60_000 and loaded.names[9] == "Ankle boot" and loaded.labels[0] == 9
    with gzip.open(sets.DEBIAN / "train-images-idx3-ubyte.gz") as file:
        assert loaded.data.tobytes() == file.read(16 + 100 * 784)[16:]


@needs_debian
@pytest.mark.slow
def test_debians_fashion_mnist_is_whole(tmp_path, monkeypatch):
    from torchvision.datasets import FashionMNIST

    monkeypatch.setenv("GAN_PLAYGROUND_DATA", str(tmp_path))
    loaded = load("fashion-mnist")
    assert np.bincount(loaded.labels).tolist() == [6000] * 10
    unpack(FashionMNIST, {path.name: path.read_bytes() for path in sets.DEBIAN.glob("*.gz")})
    np.testing.assert_array_equal(loaded.data[:, 0], FashionMNIST(sets.root_folder(), train=True).data.numpy())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory from /proc")
def test_many_pictures_are_held_once(server):
    count = 300_000
    raw = sets.root_folder() / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for kind, array in zip(sets.IDX, (np.resize(IMAGES, (count, 28, 28)), np.arange(count) % 10), strict=True):
        (raw / f"train-{kind}").write_bytes(gzip.decompress(idx(array)))
    # Not getrusage: its peak is inherited from the process that started this one.
    code = ("import re, psutil; from gan_core.data import loading; from gan_core.config import TrainConfig\n"
            "config = TrainConfig(dataset='mnist'); loading.load(config.replace(max_images=10))\n"
            "before = psutil.Process().memory_info().rss; loaded = loading.load(config)\n"
            "peak = int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) * 1024\n"
            "print(loaded.data.nbytes, peak - before)")
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    held, grown = map(int, done.stdout.split())
    assert held == count * 784 <= grown < 0.9 / 0.784 * held

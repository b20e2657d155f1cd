"""From a config to arrays: what works without a network is known, and said where the network is missing."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from standin import StandIn, drawings

from gan_core import registry
from gan_core.config import TrainConfig
from gan_core.data import loading
from gan_core.data.types import Cancelled, DataError

NOWHERE = "http://127.0.0.1:1"
SHEEP = TrainConfig(dataset="quickdraw:sheep", max_images=40)


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_PLAYGROUND_DATA", str(tmp_path))
    monkeypatch.setenv("GAN_PLAYGROUND_MIRROR", NOWHERE)
    with StandIn(drawings("sheep", "cat")) as standin:
        monkeypatch.setenv("GAN_PLAYGROUND_QUICKDRAW", standin.url())
        yield standin


def test_without_a_network_the_sentence_says_what_was_tried_and_what_works(server, monkeypatch):
    loading.load(SHEEP)
    monkeypatch.setenv("GAN_PLAYGROUND_QUICKDRAW", NOWHERE)
    with pytest.raises(DataError) as caught:
        loading.load(SHEEP.replace(dataset="quickdraw:cat"))
    sentence = str(caught.value)
    assert f"{NOWHERE}/cat.npy: 127.0.0.1 cannot be reached" in sentence
    works = sentence.partition("These work now, without a network: ")[2].rstrip(".").split(", ")
    assert {"digits", "ring", "quickdraw:sheep"} <= set(works) and "quickdraw:cat" not in works
    assert works == loading.offline_datasets(40)


def test_all_that_works_without_a_network_does(server, monkeypatch):
    loading.load(SHEEP)
    monkeypatch.setenv("GAN_PLAYGROUND_QUICKDRAW", NOWHERE)
    for name in loading.offline_datasets(40):
        config = SHEEP.replace(dataset=name)
        assert loading.works_offline(config)
        assert len(loading.load(config).data) > 0
    assert "quickdraw:sheep" in loading.offline_datasets(40) and "quickdraw:sheep" not in loading.offline_datasets()


def test_every_download_says_whether_it_is_here(server, monkeypatch, tmp_path):
    from gan_core.data import torchvision_sets

    monkeypatch.setattr(torchvision_sets, "DEBIAN", tmp_path / "missing")
    downloads = [name for name, entry in registry.DATASETS.items() if entry.download]
    assert len(downloads) == 7 and not any(loading.works_offline(TrainConfig(dataset=name)) for name in downloads)
    assert not set(downloads) & {name.partition(":")[0] for name in loading.offline_datasets()}
    for name in set(downloads) - {"quickdraw"}:  # which the server of this test has
        with pytest.raises(DataError, match=f"{NOWHERE}/{name}/.*These work now"):
            loading.load(TrainConfig(dataset=name))


def test_progress_comes_through_and_so_does_a_cancel(server):
    seen = []
    assert not loading.works_offline(SHEEP)
    with pytest.raises(Cancelled):
        loading.load(SHEEP, seen.append, lambda: len(seen) > 2)
    loaded = loading.load(SHEEP, seen.append)
    assert {progress.stage for progress in seen} == {"downloading", "reading"} and loading.works_offline(SHEEP)
    about = loaded.summary()
    assert (about["count"], about["shape"], about["found"], about["bytes"]) == (40, [1, 28, 28], 1000, 40 * 784)
    assert loaded.data.dtype == np.uint8


def test_looking_at_what_is_here_and_reading_it_needs_no_torch(server):
    loading.load(SHEEP)
    code = ("import sys; from gan_core.config import TrainConfig; from gan_core.data import loading; loading.offline_datasets();"
            "loading.load(TrainConfig(dataset='quickdraw:sheep', max_images=40));"
            "print('torch' in sys.modules, 'httpx' in sys.modules)")
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]

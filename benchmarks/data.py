"""Seconds from choosing a data set to the first training step, downloaded and cached, and the memory of a million pictures.

    python -m benchmarks.data            # every set from a local stand-in server, and the memory
    python -m benchmarks.data --real     # from the real addresses, where they can be reached

Each figure comes from a separate process that has imported torch, as a warm worker has. The stand-in server sends sets of the
right size and format, synthetic where no real one is on this machine; torchvision's tables get their checksums.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import pickle
import re
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from gan_core import registry
from gan_core.config import TrainConfig
from gan_core.data import loading
from gan_core.data import torchvision_sets as sets
from gan_core.data.download import fetch
from gan_core.data.types import DataError, DataRequest
from tests.support.standin import StandIn, drawings, idx, npy

DOWNLOADS = [name for name, entry in registry.DATASETS.items() if entry.download]
MILLION = 1_000_000
RNG = np.random.default_rng(0)


def doodles(count: int) -> np.ndarray:
    """uint8 (count, 28, 28), mostly black, so that they compress about as well as real ones."""
    some = RNG.integers(0, 256, (1000, 28, 28), np.uint8) * (RNG.random((1000, 28, 28)) < 0.2)
    return np.resize(some, (count, 28, 28)).astype(np.uint8)


def stand_in(name: str) -> tuple[dict[str, bytes], dict[str, object]]:
    """({path: bytes}, {attribute of torchvision's table: value}) that stand in for one set."""
    if name == "quickdraw":
        (one,) = drawings("sheep").values()
        real = np.load(io.BytesIO(one))
        return {"/sheep.npy": npy(np.resize(real, (126_121, 784)))}, {}
    if name == "svhn":
        from scipy.io import savemat

        file = io.BytesIO()
        savemat(file, {"X": RNG.integers(0, 256, (32, 32, 3, 73_257), np.uint8), "y": np.arange(73_257)[:, None] % 10})
        known = ["/" + sets.SVHN_FILE, sets.SVHN_FILE, md5(file.getvalue())]
        return {f"/svhn/{sets.SVHN_FILE}": file.getvalue()}, {"split_list": {"train": known}}
    if name == "cifar10":
        return cifar10()
    count = 124_800 if name == "emnist" else 60_000
    arrays = dict(zip(sets.IDX, (doodles(count), np.arange(count) % 10 + (name == "emnist")), strict=True))
    if name == "emnist":
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for kind, array in arrays.items():
                archive.writestr(f"gzip/emnist-letters-train-{kind}.gz", idx(array))
        return {f"/emnist/{sets.EMNIST_ZIP}": packed.getvalue()}, {"md5": md5(packed.getvalue())}
    files = {f"train-{kind}.gz": idx(array) for kind, array in arrays.items()}
    return {f"/{name}/{file}": data for file, data in files.items()}, {"resources": [(f, md5(data)) for f, data in files.items()]}


def cifar10() -> tuple[dict[str, bytes], dict[str, object]]:
    data = RNG.integers(0, 256, (10_000, 3072), np.uint8)
    batch = pickle.dumps({"data": data, "labels": [k % 10 for k in range(10_000)]})
    meta = pickle.dumps({"label_names": [*"0123456789"]})
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as tar:
        for file in sets.CIFAR_FILES:
            content = meta if file == "batches.meta" else batch
            member = tarfile.TarInfo(f"cifar-10-batches-py/{file}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return {"/cifar10/cifar-10-python.tar.gz": packed.getvalue()}, {
        "tgz_md5": md5(packed.getvalue()), "train_list": [[f, md5(batch)] for f in sets.CIFAR_FILES[:5]],
        "test_list": [["test_batch", md5(batch)]], "meta": {"filename": "batches.meta", "key": "label_names", "md5": md5(meta)}}


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


# In a separate process.

def measure(name: str, table: dict[str, object], count: int) -> dict[str, float]:
    """Seconds to the data and to the end of the first step, and the growth of memory until each, in bytes."""
    import psutil
    import torch

    from gan_core.training.trainer import Trainer

    torch.set_num_threads(1)
    if table:
        for attribute, value in table.items():
            setattr(sets._table(name.partition(":")[0]), attribute, value)
    files = name.startswith("folder:")
    config = TrainConfig(dataset=name, threads=1, precision="fp32", max_images=count, image_size="28" if files else "auto")
    if count:  # the first load imports modules, which must not count as pictures
        loading.load(config.replace(dataset="digits" if files else name, max_images=10))
    # A first step on other data loads the kernels, as in a spare worker.
    Trainer(config.replace(dataset="digits"), np.zeros((64, 1, 28, 28), np.uint8)).step()
    before, began = psutil.Process().memory_info().rss, time.perf_counter()
    loaded = loading.load(config)
    here, read = time.perf_counter(), peak()
    Trainer(config, loaded.data, loaded.labels).step()
    return {"load": here - began, "step": time.perf_counter() - began, "count": len(loaded.data), "grown": read - before,
            "grown_at_step": peak() - before}


def peak() -> int:
    """Peak memory of this process, in bytes. On Linux not from getrusage, which includes the parent process before exec."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1]) * 1024
    import psutil

    return psutil.Process().memory_info().rss


def apart(name: str, table: dict[str, object], folder: Path, count: int = 0, **environment: str) -> dict[str, float]:
    """`measure` in a separate process."""
    done = subprocess.run([sys.executable, "-m", "benchmarks.data", "--one", json.dumps([name, table, count])], text=True,
                          capture_output=True, env={**os.environ, "GAN_PLAYGROUND_DATA": str(folder), "OMP_NUM_THREADS": "1",
                                                    **environment})
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def unreachable_reason(name: str, folder: Path) -> str:
    """An empty string if the real source sends its first byte, else the reason why not."""
    from gan_core.data import quickdraw

    if name == "quickdraw":
        urls = [f"{quickdraw.BASE}/sheep.npy"]
    else:
        table = sets._table(name)
        if name == "svhn":
            urls = [table.split_list["train"][0]]
        elif name in ("emnist", "cifar10"):
            urls = [table.url]
        else:
            urls = [mirror + table.resources[0][0] for mirror in table.mirrors]
    try:
        fetch(urls, folder / name, DataRequest(name), first=1)
    except DataError as error:
        return str(error).partition("Tried ")[2] or str(error)
    return ""


def row(name: str, what: str, first: dict[str, float], second: dict[str, float]) -> None:
    seconds = " ".join(f"{result[moment]:8.2f}" for result in (first, second) for moment in ("load", "step"))
    print(f"{name:14} {first['count']:>8,} {seconds}  {what}", flush=True)


def times(real: bool) -> None:
    print(f"{'':14} {'':>8} {'fetched and read':>17} {'from the cache':>17}")
    print(f"{'data set':14} {'pictures':>8} {'data':>8} {'1st step':>8} {'data':>8} {'1st step':>8}  seconds")
    with tempfile.TemporaryDirectory() as place:
        row("digits", "installed", *(apart("digits", {}, Path(place)) for _ in range(2)))
        away = {}
        for name in DOWNLOADS:
            if reason := unreachable_reason(name, Path(place) / "reach"):
                away[name] = reason
            if real and reason:
                continue
            folder = Path(place) / name
            files, table = ({}, {}) if real else stand_in(name)
            with StandIn(files) as server:
                ours = {"GAN_PLAYGROUND_MIRROR": server.url(), "GAN_PLAYGROUND_QUICKDRAW": server.url()}
                addresses = {} if real else ours
                first = apart(name, table, folder, **addresses)
                what = "real source" if real else f"stand-in server on this machine, {server.sent / 1e6:.0f} MB"
                if name == "fashion-mnist" and not real and not server.sent:
                    what = "found on this machine (Debian's package)"
                row(name, what, first, apart(name, table, folder, **addresses))
        for name, reason in away.items():
            print(f"not reached: {name}: {reason}")


def memory() -> None:
    """A million pictures through the real readers: an idx file, a .npy of Quick, Draw!, a folder at first and second start."""
    print("\nGB by which the process grew; 0.784 are the pixels, 0.008 the labels")
    print(f"{'a million 28x28 pictures':26} {'read':>8} {'at the first step':>18}")
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "data"
        raw, doodle = root / "torchvision" / "MNIST" / "raw", doodles(1000).tobytes()
        raw.mkdir(parents=True)
        (root / "quickdraw").mkdir()
        with open(raw / f"train-{sets.IDX[0]}", "wb") as pictures, open(root / "quickdraw" / "sheep.npy", "wb") as file:
            pictures.write(bytes([0, 0, 8, 3]) + np.array([MILLION, 28, 28], ">u4").tobytes())
            np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (MILLION, 784)})
            for _ in range(MILLION // 1000):
                pictures.write(doodle)
                file.write(doodle)
        (raw / f"train-{sets.IDX[1]}").write_bytes(bytes([0, 0, 8, 1]) + np.array([MILLION], ">u4").tobytes()
                                                   + (np.arange(MILLION) % 10).astype(np.uint8).tobytes())
        files = Path(place) / "files"
        for k in range(10):
            (files / str(k)).mkdir(parents=True)
        for n in range(MILLION):  # hard links to few files: a million names, little disk space
            path = files / str(n % 10) / f"{n:07d}.pgm"
            if n % 10_000 == 0:
                first = path
                Image.fromarray(doodles(1)[0]).save(first)
            else:
                os.link(first, path)
        for name in ("mnist", "quickdraw:sheep", f"folder:{files}", f"folder:{files}"):
            result = apart(name, {}, Path(place), MILLION)
            grown = f"{result['grown'] / 1e9:8.3f} {result['grown_at_step'] / 1e9:18.3f}"
            print(f"{name.partition(str(place))[0]:26} {grown}  in {result['load']:.1f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", action="store_true", help="fetch from the real addresses")
    parser.add_argument("--memory", action="store_true", help="measure the memory only")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(*json.loads(args.one))))
        return
    if not args.memory:
        times(args.real)
    memory()


if __name__ == "__main__":
    main()

import errno
import hashlib
import json
import math
import os
import pickle
import random
import struct
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import forked
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from gan_core.runs import checkpoint, files
from gan_core.runs.checkpoint import CheckpointError, newest_valid, prune, read, read_pointer, step_path, write, write_pointer


def header_file(path: Path, header: bytes, body: bytes = b"", length: int | None = None) -> Path:
    path.write_bytes(struct.pack("<Q", len(header) if length is None else length) + header + body)
    return path


def header(tensors: dict, metadata: dict | None = None) -> bytes:
    return json.dumps({"__metadata__": {"gan": json.dumps({"schema": 1, **(metadata or {})})}, **tensors}).encode()


def entry(shape: list, begin: int, end: int, dtype: str = "F32") -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def refused(path: Path, because: str, **keywords: object) -> None:
    """One sentence, with the file's own reason, with little memory."""
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match=because) as caught:
            read(path, **keywords)
        assert tracemalloc.get_traced_memory()[1] < 64e6
    finally:
        tracemalloc.stop()
    assert len(str(caught.value)) < 400 and "\n" not in str(caught.value)


# Round trips.

values = st.recursive(st.none() | st.booleans() | st.integers(-2**60, 2**60) | st.floats(allow_nan=False, allow_infinity=False)
                      | st.text(max_size=20), lambda inner: st.lists(inner, max_size=4)
                      | st.dictionaries(st.text(max_size=8), inner, max_size=4), max_leaves=10)
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30).filter(lambda name: name != "__metadata__")


@st.composite
def tensor_dicts(draw: st.DrawFn) -> dict[str, torch.Tensor]:
    found = {}
    for name in draw(st.lists(names, max_size=6, unique=True)):
        shape = draw(st.lists(st.integers(0, 5), max_size=4))
        dtype = draw(st.sampled_from(sorted(checkpoint.DTYPES.values(), key=str)))
        generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
        tensor = (torch.randn(shape, generator=generator) * 50).to(dtype)
        found[name] = tensor.to(memory_format=torch.channels_last) if len(shape) == 4 and draw(st.booleans()) else tensor
    return found


@given(tensors=tensor_dicts(), metadata=st.dictionaries(st.text(max_size=8).filter(lambda k: k != "schema"), values, max_size=4))
def test_every_tensor_and_all_metadata_come_back_bit_for_bit(tmp_path_factory, tensors, metadata) -> None:
    path = tmp_path_factory.mktemp("round") / "x.safetensors"
    write(path, tensors, metadata, durable=False)
    back, notes = read(path, {name: (tuple(t.shape), t.dtype) for name, t in tensors.items()})
    assert notes == {"schema": 1, **metadata}
    assert set(back) == set(tensors)
    for name, tensor in tensors.items():
        assert back[name].dtype == tensor.dtype and back[name].shape == tensor.shape and back[name].is_contiguous()
        assert torch.equal(back[name].reshape(-1).view(torch.uint8), tensor.contiguous().reshape(-1).view(torch.uint8))


def test_the_file_is_plain_safetensors_and_the_hash_is_its_own(tmp_path: Path) -> None:
    weights = torch.randn(4, 3)
    sha = write(tmp_path / "x.safetensors", {"w": weights, "same": weights}, {})
    assert torch.equal(load_file(tmp_path / "x.safetensors")["w"], weights)
    assert hashlib.sha256((tmp_path / "x.safetensors").read_bytes()).hexdigest() == sha


def test_what_read_would_refuse_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write(path, {"w": torch.ones(3)}, {"step": 1})
    for tensors, metadata in [({"w": torch.tensor([1.0, math.nan])}, {}), ({"w": torch.tensor([math.inf])}, {}),
                              ({"w": torch.zeros(2, dtype=torch.complex64)}, {}),
                              ({"w": torch.ones(1)}, {"note": "x" * 1_000_000})]:
        with pytest.raises(CheckpointError):
            write(path, tensors, metadata)
    assert read(path)[1]["step"] == 1


# Hostile files.


class Payload:
    def __reduce__(self) -> tuple:
        return os.mkdir, ("owned",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_refused_and_its_payload_never_runs(tmp_path: Path, monkeypatch, protocol: int) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "step-1.safetensors"
    path.write_bytes(pickle.dumps(Payload(), protocol))
    refused(path, "safetensors|header")
    torch.save({"w": Payload()}, path)
    refused(path, "safetensors|header")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 200_000_000])
def test_a_promised_giant_header_is_refused_unread(tmp_path: Path, length: int) -> None:
    refused(header_file(tmp_path / "x", b"{}", length=length), "cut short")


def test_a_real_giant_header_is_refused_unread(tmp_path: Path) -> None:
    with open(tmp_path / "x", "wb") as file:
        file.write(struct.pack("<Q", 200_000_000))
        file.truncate(200_000_100)
    refused(tmp_path / "x", "header of 200,000,000 bytes")


def test_300_000_empty_tensors_are_refused(tmp_path: Path) -> None:
    tensors = {f"t{i}": entry([0], 0, 0) for i in range(300_000)}
    refused(header_file(tmp_path / "x", header(tensors)), "header of")
    small = {f"{i:x}": entry([0], 0, 0, "U8") for i in range(15_000)}
    assert len(header(small).replace(b" ", b"")) < checkpoint.MAX_HEADER
    refused(header_file(tmp_path / "x", header(small).replace(b" ", b"")), "15,000 tensors")


def test_a_megabyte_of_metadata_is_refused(tmp_path: Path) -> None:
    refused(header_file(tmp_path / "x", header({}, {"note": "x" * 1_000_000})), "header of")


@pytest.mark.parametrize("text", [
    b"", b"[]", b"null", b"{", b"[" * 900_000, b'{"a":' * 150_000, b"\xff\xfe{}",
    b'{"__metadata__": 5}', b'{"__metadata__": {"gan": 5}}', b'{"__metadata__": {"gan": "[1]"}}',
    b'{"__metadata__": {"gan": "{\\"schema\\": NaN}"}}', b'{"__metadata__": {"gan": "' + b"[" * 900_000 + b'"}}',
], ids=range(12))
def test_a_header_that_is_no_table_is_refused(tmp_path: Path, text: bytes) -> None:
    refused(header_file(tmp_path / "x", text), "header of x is invalid|schema")


@pytest.mark.parametrize(("tensors", "size", "because"), [
    ({"w": entry([2], 0, 8)}, 4, "promises"),
    ({"w": entry([2], 0, 8)}, 12, "promises"),
    ({"w": entry([2], 4, 12)}, 12, "side by side"),
    ({"w": entry([2], 0, 8), "v": entry([2], 4, 12)}, 12, "side by side"),
    ({"w": entry([2], 0, 8), "v": entry([2], 0, 8)}, 8, "side by side"),
    ({"w": entry([2], 0, 4)}, 4, "do not fit"),
    ({"w": entry([2], 8, 0)}, 8, "do not fit"),
    ({"w": entry([-2], -8, 0)}, 8, "invalid shape"),
    ({"w": entry([2**62, 4], 0, 0)}, 0, "do not fit"),
    ({"w": entry([2**63], 0, 0)}, 0, "invalid shape"),
    ({"w": entry([True], 0, 4)}, 4, "invalid shape"),
    ({"w": entry([2.0], 0, 8)}, 8, "invalid shape"),
    ({"w": entry([1] * 9, 0, 4)}, 4, "invalid shape"),
    ({"w": entry([2], 0, 8, "F99")}, 8, "unknown type"),
    ({"w": {"dtype": ["F32"], "shape": [2], "data_offsets": [0, 8]}}, 8, "unknown type"),
    ({"w": {"dtype": "F32", "shape": [2]}}, 8, "does not name"),
    ({"w": [1]}, 8, "does not name"),
])
def test_a_table_that_does_not_describe_its_bytes_is_refused(tmp_path: Path, tensors: dict, size: int, because: str) -> None:
    refused(header_file(tmp_path / "x", header(tensors), bytes(size)), because)


def test_a_name_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    line = json.dumps(entry([1], 0, 4))
    text = header({}).decode()[:-1] + f', "w": {line}, "w": {line}}}'
    refused(header_file(tmp_path / "x", text.encode(), bytes(4)), "twice")


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", ["F64", "F32", "F16", "BF16"])
def test_weights_that_are_not_finite_are_refused(tmp_path: Path, bad: float, dtype: str) -> None:
    weights = torch.ones(1001, dtype=checkpoint.DTYPES[dtype])
    weights[500] = bad
    raw = weights.view(torch.uint8).numpy().tobytes()
    refused(header_file(tmp_path / "x", header({"w": entry([1001], 0, len(raw), dtype)}), raw), "NaN or an infinite")


@pytest.mark.parametrize(("expected", "because"), [
    ({"w": ((3, 2), torch.float32)}, r"\(2, 3\)"),
    ({"w": ((2, 3), torch.float16)}, "float16"),
    ({"v": ((2, 3), torch.float32)}, "lacks the tensor v"),
    ({"w": ((2, 3), torch.float32), "v": ((1,), torch.float32)}, "lacks the tensor v"),
    ({}, "unknown tensor 'w'"),
])
def test_a_file_for_other_networks_is_refused_before_its_bytes_are_read(tmp_path: Path, expected: dict, because: str) -> None:
    write(tmp_path / "x", {"w": torch.zeros(2, 3)}, {})
    refused(tmp_path / "x", because, expected=expected)


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "whole", {"w": torch.randn(30, 30), "n": torch.arange(5)}, {"step": 7})
    data = (tmp_path / "whole").read_bytes()
    for tenth in range(10):
        (tmp_path / "x").write_bytes(data[:len(data) * tenth // 10])
        refused(tmp_path / "x", "cut|promises|header")


@given(position=st.integers(0, 10**6), flip=st.integers(1, 255))
def test_a_flipped_byte_is_refused_or_harmless_but_never_raises_anything_else(tmp_path_factory, position: int, flip: int) -> None:
    path = tmp_path_factory.mktemp("flip") / "x"
    write(path, {"w": torch.ones(4), "n": torch.arange(3)}, {"step": 7}, durable=False)
    data = bytearray(path.read_bytes())
    data[position % len(data)] ^= flip
    path.write_bytes(data)
    try:
        tensors, _ = read(path)
    except CheckpointError:
        return
    assert all(torch.isfinite(t).all() for t in tensors.values() if t.is_floating_point())


def test_too_large_a_file_a_folder_and_another_schema_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "x", {"w": torch.zeros(1000)}, {})
    refused(tmp_path / "x", "at most 1,000", limit=1000)
    refused(tmp_path, "not a plain file")
    write(tmp_path / "x", {}, {"schema": 2})
    refused(tmp_path / "x", "schema 2; this version reads schema 1")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_does_not_hang_the_reader(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x")
    refused(tmp_path / "x", "not a plain file")


# The folder.


def save(folder: Path, step: int) -> Path:
    path = step_path(folder, step)
    write_pointer(folder, path.name, write(path, {"w": torch.full((100,), float(step))}, {"step": step}), step)
    return path


def test_the_newest_sound_checkpoint_is_found_whatever_is_damaged(tmp_path: Path) -> None:
    assert newest_valid(tmp_path) is None and read_pointer(tmp_path) is None
    for step in (9, 10, 100):
        save(tmp_path, step)
    found = newest_valid(tmp_path)
    assert (found.step, found.metadata["step"], found.skip_reasons) == (100, 100, ())
    step_path(tmp_path, 100).write_bytes(step_path(tmp_path, 100).read_bytes()[:-1])
    found = newest_valid(tmp_path)
    assert found.step == 10 and "step-100" in found.skip_reasons[0]
    (tmp_path / "latest.json").write_bytes(b"\0\0")
    assert newest_valid(tmp_path).step == 10
    for step in (9, 10):
        step_path(tmp_path, step).write_bytes(b"")
    with pytest.raises(CheckpointError, match="no checkpoint in"):
        newest_valid(tmp_path)


def test_a_sound_file_with_another_checksum_is_not_the_one_that_was_saved(tmp_path: Path) -> None:
    save(tmp_path, 1)
    save(tmp_path, 2)
    write(step_path(tmp_path, 2), {"w": torch.zeros(100)}, {"step": 2})
    found = newest_valid(tmp_path)
    assert found.step == 1 and "checksum" in found.skip_reasons[0]


@pytest.mark.parametrize("file", ["../step-1.safetensors", "/etc/passwd", "step-1.safetensors/../x", "step-1.pt",
                                  "step-٣.safetensors", 5, None])
def test_a_pointer_that_leads_elsewhere_is_not_followed(tmp_path: Path, file: object) -> None:
    (tmp_path / "latest.json").write_text(json.dumps({"file": file, "sha256": "0" * 64, "step": 1}))
    with pytest.raises(CheckpointError):
        read_pointer(tmp_path)


def test_pruning_keeps_the_newest_and_the_one_that_counts(tmp_path: Path) -> None:
    for step in (30, 1, 2, 100, 20):  # 20 last: the pointer names it
        save(tmp_path, step)
    assert {p.name for p in prune(tmp_path, 2)} == {"step-1.safetensors", "step-2.safetensors"}
    assert checkpoint._steps(tmp_path) == [100, 30, 20]
    (tmp_path / "latest.json").write_text("{")
    assert prune(tmp_path, 1) == []


def test_a_full_disk_leaves_the_last_good_checkpoint(tmp_path: Path, monkeypatch) -> None:
    save(tmp_path, 1)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        save(tmp_path, 2)
    monkeypatch.undo()
    assert newest_valid(tmp_path).step == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["latest.json", "step-1.safetensors"]


@pytest.fixture
def tiny_disk(tmp_path: Path):
    """A real file system of 1 MB; only root may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if not sys.platform.startswith("linux") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_really_is_full_keeps_the_last_good_checkpoint_and_no_rubbish(tiny_disk: Path) -> None:
    save(tiny_disk, 1)
    (tiny_disk / "ballast").write_bytes(bytes(900_000))
    with pytest.raises(OSError, match="No space"):
        write(step_path(tiny_disk, 2), {"w": torch.ones(100_000)}, {"step": 2})
    assert newest_valid(tiny_disk).step == 1
    assert sorted(p.name for p in tiny_disk.iterdir()) == ["ballast", "latest.json", "step-1.safetensors"]
    (tiny_disk / "ballast").unlink()
    save(tiny_disk, 3)
    assert newest_valid(tiny_disk).step == 3


WRITER = """
import sys, torch
from gan_core.runs.checkpoint import *
torch.set_num_threads(1)
step = int(sys.argv[2])
while True:
    step += 1
    tensors = {f"w{i}": torch.full((50_000,), float(step)) for i in range(8)}
    sha = write(step_path(sys.argv[1], step), tensors, {"step": step})
    write_pointer(sys.argv[1], step_path(sys.argv[1], step).name, sha, step)
    prune(sys.argv[1], 3)
    print(step, flush=True)
"""


def kill_while_saving(folder: Path, times: int) -> None:
    """SIGKILL the writer at random moments; whatever it announced must be there, whole."""
    dice, announced, sentence = random.Random(7), 0, folder / "said.txt"
    for _ in range(times):
        sentence.write_text("")
        writer = forked.started([str(folder), str(announced)], WRITER, sentence)
        while "\n" not in sentence.read_text():
            assert writer.poll() is None, "the writer ended before it had written anything"
        time.sleep(dice.uniform(0, 0.05))  # not a wait: the moment of death is drawn
        writer.kill()
        writer.wait(60)
        announced = max(int(line) for line in sentence.read_text().split("\n")[:-1])
        found = newest_valid(folder)
        assert found is not None and found.step >= announced and found.skip_reasons == ()
        assert all((t == found.step).all() for t in found.tensors.values()) and found.metadata["step"] == found.step


def test_kill_9_while_saving_always_leaves_a_file_that_loads(tmp_path: Path) -> None:
    kill_while_saving(tmp_path, 3)


@pytest.mark.slow
def test_kill_9_while_saving_always_leaves_a_file_that_loads_50_times(tmp_path: Path) -> None:
    kill_while_saving(tmp_path, 50)

"""Checkpoints: named tensors and JSON metadata in one safetensors file, written atomically and validated when read.

The names of the tensors are the trainer's. Nothing here uses pickle or torch.load, so that no file can run code.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from .checkpoint_index import BEST, CheckpointError, CheckpointPointer, checkpoint_step, read_pointer, write_pointer
from .files import atomic_write, open_plain, remove_leftovers
from .layout import checkpoint_name

__all__ = ["Checkpoint", "CheckpointError", "newest_valid", "prune", "read", "read_pointer", "step_path", "write",
           "write_pointer"]

SCHEMA = 1
MAX_FILE = 2 * 1024**3  # bytes
MAX_HEADER = 1_000_000  # bytes; the largest networks here need 20,000
MAX_TENSORS = 10_000
MAX_DIMENSIONS = 8
KEY = "gan"  # the only metadata key; it holds a JSON object
DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64,
          "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8}

Tensors = dict[str, torch.Tensor]
TensorSpecs = dict[str, tuple[tuple[int, ...], torch.dtype]]  # name -> (shape, dtype)


class Entry(NamedTuple):
    """One tensor in the header of a file; `begin` and `end` are offsets in bytes behind the header."""

    dtype: str
    shape: list[int]
    begin: int
    end: int


def write(path: Path | str, tensors: Tensors, metadata: dict[str, Any], durable: bool = True) -> str:
    """Write one file atomically; returns its sha256 in hex.

    Tensors of any device and memory format are stored contiguous. `metadata` is any JSON object below 1 MB; `schema` is added.
    Raises CheckpointError for what `read` would refuse, such as a NaN, and OSError.
    """
    text = json.dumps({"schema": SCHEMA, **metadata}, allow_nan=False)
    copies = {}
    for name, tensor in tensors.items():
        if tensor.dtype not in DTYPES.values():
            raise CheckpointError(f"the tensor {name} has the type {tensor.dtype}, which is not stored here.")
        # One contiguous copy each: safetensors refuses tensors that share memory or are channels_last.
        copies[name] = tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        _check_finite(name, copies[name], "not saved")
    data = save(copies, {KEY: text})
    if int.from_bytes(data[:8], "little") > MAX_HEADER:
        raise CheckpointError(f"the names and metadata take more than {MAX_HEADER:,} bytes; store less beside the tensors.")
    atomic_write(path, data, durable=durable)
    return hashlib.sha256(data).hexdigest()


def read(path: Path | str, expected: TensorSpecs | None = None, limit: int = MAX_FILE) -> tuple[Tensors, dict[str, Any]]:
    """The tensors (contiguous, on the CPU) and the metadata of one file.

    With `expected`, any other set of tensors is refused before their bytes are read. `limit` bounds the file, in bytes; memory
    stays below twice that. Raises CheckpointError for an invalid file or a float that is not finite, and OSError.
    """
    return _read(Path(path), expected, limit)


def _read(path: Path, expected: TensorSpecs | None, limit: int, sha256: str = "") -> tuple[Tensors, dict[str, Any]]:
    if not stat.S_ISREG(path.stat().st_mode):
        raise CheckpointError(f"{path.name} is not a plain file.")
    with open_plain(path) as file:
        size = file.seek(0, 2)
        file.seek(0)
        if size > limit:
            raise CheckpointError(f"{path.name} has {size:,} bytes; at most {limit:,} are allowed.")
        first = file.read(8)
        length = int.from_bytes(first, "little")
        if len(first) < 8 or length > size - 8:
            raise CheckpointError(f"{path.name} is not a safetensors file, or was cut short.")
        if length > MAX_HEADER:
            raise CheckpointError(f"{path.name} has a header of {length:,} bytes; at most {MAX_HEADER:,} are allowed.")
        header = file.read(length)
        entries, metadata = _parse(header, path.name)
        _check_layout(entries, size - 8 - length, path.name)
        if expected is not None:
            _check_expected(entries, expected, path.name)
        data = first + header + file.read(size - 8 - length)
    if sha256 and hashlib.sha256(data).hexdigest() != sha256:
        raise CheckpointError(f"{path.name} is not the file that was saved: its checksum differs.")
    try:
        tensors = load(data)
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        raise CheckpointError(f"{path.name} cannot be read as safetensors ({error}).") from error
    for name, tensor in tensors.items():
        _check_finite(name, tensor, f"{path.name} is refused")
    return tensors, metadata


def _parse(header: bytes, file: str) -> tuple[dict[str, Entry], dict[str, Any]]:
    """The validated entries by name, and the metadata."""
    try:
        table = json.loads(header, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
        if not isinstance(table, dict):
            raise ValueError("it holds no object")
        texts = table.pop("__metadata__", {})
        if not isinstance(texts, dict) or not isinstance(texts.get(KEY), str):
            raise ValueError(f"its metadata has no {KEY!r}")
        metadata = json.loads(texts[KEY], object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
        if not isinstance(metadata, dict):
            raise ValueError("its metadata is no object")
        if len(table) > MAX_TENSORS:
            raise ValueError(f"it names {len(table):,} tensors, at most {MAX_TENSORS:,} are allowed")
        entries = {name: _entry(name, fields) for name, fields in table.items()}
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"the header of {file} is invalid: {_short(error)}.") from error
    if metadata.get("schema") != SCHEMA:
        schema = _short(metadata.get("schema"))
        raise CheckpointError(f"{file} was written with schema {schema}; this version reads schema {SCHEMA}.")
    return entries, metadata


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("a name occurs twice")
    return table


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _entry(name: str, fields: Any) -> Entry:
    """The validated entry of one tensor. Raises ValueError."""
    if not isinstance(fields, dict) or set(fields) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"the entry of {_short(name)} does not name dtype, shape and data_offsets")
    dtype, shape, offsets = fields["dtype"], fields["shape"], fields["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ValueError(f"{_short(name)} has the unknown type {_short(dtype)}")
    if not _are_counts(shape) or len(shape) > MAX_DIMENSIONS:
        raise ValueError(f"{_short(name)} has an invalid shape")
    if not _are_counts(offsets) or len(offsets) != 2 or offsets[1] - offsets[0] != math.prod(shape) * DTYPES[dtype].itemsize:
        raise ValueError(f"the bytes of {_short(name)} do not fit its shape")
    return Entry(dtype, shape, offsets[0], offsets[1])


def _are_counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(n) is int and 0 <= n <= 2**62 for n in value)


def _check_layout(entries: dict[str, Entry], body: int, file: str) -> None:
    """Check that the tensors fill the file without a gap, an overlap or bytes behind the end."""
    position = 0
    for begin, end in sorted((entry.begin, entry.end) for entry in entries.values()):
        if begin != position:
            raise CheckpointError(f"the tensors of {file} do not lie side by side.")
        position = end
    if position != body:
        raise CheckpointError(f"{file} holds {body:,} bytes of tensors where its header promises {position:,}.")


def _check_expected(entries: dict[str, Entry], expected: TensorSpecs, file: str) -> None:
    for name, (shape, dtype) in expected.items():
        if name not in entries:
            raise CheckpointError(f"{file} lacks the tensor {name}; it was made for other networks.")
        stored_dtype, stored_shape = DTYPES[entries[name].dtype], tuple(entries[name].shape)
        if stored_shape != tuple(shape) or stored_dtype != dtype:
            raise CheckpointError(f"{file} holds {name} as {stored_shape} {stored_dtype}; here it is {tuple(shape)} {dtype}.")
    extra = sorted(set(entries) - set(expected))
    if extra:
        raise CheckpointError(f"{file} holds the unknown tensor {_short(extra[0])}; it was made for other networks.")


def _check_finite(name: str, tensor: torch.Tensor, consequence: str) -> None:
    # aminmax allocates no mask, unlike isfinite().all(), and propagates a NaN.
    if tensor.is_floating_point() and tensor.numel() and not all(math.isfinite(v) for v in tensor.aminmax()):
        raise CheckpointError(f"the tensor {_short(name)} holds a NaN or an infinite number; {consequence}.")


def _short(value: Any) -> str:
    """Text from a file, short enough for a sentence."""
    text = str(value) if isinstance(value, Exception) else repr(value)
    return text if len(text) <= 80 else text[:80] + "..."


# A folder of checkpoints: step-<n>.safetensors, and latest.json, which names the one to resume from.


@dataclass(frozen=True)
class Checkpoint:
    """A valid checkpoint. `skip_reasons`: why newer ones could not be used, a sentence each."""

    path: Path
    step: int
    tensors: Tensors
    metadata: dict[str, Any]
    skip_reasons: tuple[str, ...] = ()


def step_path(folder: Path | str, step: int) -> Path:
    """The path of the checkpoint of this step."""
    return Path(folder) / checkpoint_name(step)


def _steps(folder: Path | str) -> list[int]:
    """The steps of all checkpoint files, newest first."""
    steps = (checkpoint_step(path.name) for path in Path(folder).glob("step-*.safetensors"))
    return sorted((step for step in steps if step is not None), reverse=True)


def newest_valid(folder: Path | str, expected: TensorSpecs | None = None, limit: int = MAX_FILE) -> Checkpoint | None:
    """The checkpoint that latest.json names, or else the newest valid one; None where there never was one.

    Raises CheckpointError, with the first reason, where there are checkpoints and none is valid.
    """
    skip_reasons: list[str] = []
    pointer = None
    try:
        pointer = read_pointer(folder)
    except (CheckpointError, OSError) as error:
        skip_reasons.append(str(error))
    steps = _steps(folder)
    if pointer is not None:
        steps = [pointer["step"], *(step for step in steps if step != pointer["step"])]
    for step in steps:
        path = step_path(folder, step)
        sha256 = pointer["sha256"] if pointer is not None and step == pointer["step"] else ""
        try:
            tensors, metadata = _read(path, expected, limit, sha256)
        except (CheckpointError, OSError) as error:
            skip_reasons.append(str(error))
            continue
        return Checkpoint(path, step, tensors, _with_knobs(metadata, pointer, step), tuple(skip_reasons))
    if skip_reasons:
        raise CheckpointError(f"no checkpoint in {Path(folder)} can be used: {skip_reasons[0]}")
    return None


def _with_knobs(metadata: dict[str, Any], pointer: CheckpointPointer | None, step: int) -> dict[str, Any]:
    """The metadata of this step's file with the knobs that its pointer has, if any, in its config."""
    knobs = pointer.get("knobs") if pointer is not None and pointer["step"] == step else None
    config = metadata.get("config")
    if not isinstance(knobs, dict) or not isinstance(config, dict):
        return metadata
    return {**metadata, "config": {**config, **knobs}}


def prune(folder: Path | str, keep: int) -> list[Path]:
    """Delete all but the newest `keep` checkpoints and those that latest.json and best.json name; returns the deleted paths."""
    retained = set(_steps(folder)[:max(keep, 1)])
    try:
        pointer = read_pointer(folder)
    except CheckpointError:
        return []  # without a valid pointer it is unknown which file is needed: delete none
    best = None
    with contextlib.suppress(CheckpointError):  # a damaged one names nothing, and the next best one replaces it
        best = read_pointer(folder, BEST)
    retained |= {target["step"] for target in (pointer, best) if target is not None}
    deleted = []
    for step in _steps(folder):
        if step not in retained:
            with contextlib.suppress(OSError):
                step_path(folder, step).unlink()
                deleted.append(step_path(folder, step))
    remove_leftovers(Path(folder))
    return deleted

"""One file that holds an array: .npy, idx, or a table of numbers, each also packed with gzip.

The first bytes decide, never the name. Nothing is unpickled. An array is read in slices, so that memory holds one slice of it.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import math
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, cast

import numpy as np

from ...messages import byte_size
from .. import memory
from ..types import ByteReader, DataError

SLICE_BYTES = 8 << 20  # of an array, at a time
MAX_MEMBERS = 64  # of an .npz
MAX_HEADER = 1 << 16  # bytes before the values; NumPy's own limit is 10,000 letters
MAX_LINE, MAX_TABLE = 1 << 20, 2 << 30  # bytes of a table's line, and of all of them
MAX_COLUMNS = 20_000  # 3 x 64 x 64 pixels have 12,288
GZIP, NPY = b"\x1f\x8b", b"\x93NUMPY"
IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}  # as in the files of MNIST

# What damaged bytes make the readers of packed files raise.
BROKEN = (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile)

Opening = Callable[[], AbstractContextManager[ByteReader]]


@dataclass(frozen=True)
class ArrayFile:
    """An array in a file. `slices()` yields its rows in slices of about SLICE_BYTES, as often as it is called."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    slices: Callable[[], Iterator[np.ndarray]]
    columns: tuple[str, ...] = ()  # the names in a table's first line


def kind_of(head: bytes) -> str:
    """"npy", "idx", "table", "gzip", or "" for a file that begins otherwise; head: 64 bytes or all there are."""
    if head.startswith(NPY):
        return "npy"
    if head.startswith(GZIP):
        return "gzip"
    if len(head) >= 4 and head[:2] == b"\0\0" and head[2] in IDX_TYPES and 1 <= head[3] <= 4:
        return "idx"
    return "table" if _is_table(head) else ""


def open_arrays(name: str, opening: Opening) -> list[ArrayFile]:
    """The arrays in a file: one, those of an .npz that lies in a folder, or none. Raises DataError as `open_array`."""
    with opening() as file:
        if not (name.lower().endswith(".npz") and file.read(4) == b"PK\x03\x04" and hasattr(file, "seek")):
            array = open_array(name, opening)
            return [] if array is None else [array]
    try:
        with opening() as file, zipfile.ZipFile(cast(BinaryIO, file)) as packed:
            members = [info.filename for info in packed.infolist()[:MAX_MEMBERS] if info.filename.endswith(".npy")]
    except BROKEN as error:
        raise DataError("array_broken", name=name) from error
    found = [open_array(f"{name}/{member}", partial(_open_member, opening, member)) for member in members]
    return [array for array in found if array is not None]


@contextlib.contextmanager
def _open_member(opening: Opening, member: str) -> Iterator[ByteReader]:
    with opening() as file, zipfile.ZipFile(cast(BinaryIO, file)) as packed, packed.open(member) as entry:
        yield entry


def open_array(name: str, opening: Opening) -> ArrayFile | None:
    """The array in a file, None where there is none. Raises DataError for one that cannot be read without running its code.

    opening() opens the file at its beginning.
    """
    try:
        head = _head(opening)
        if kind_of(head) == "gzip":
            opening = partial(_gunzipped, opening)
            try:
                head = _head(opening)
            except BROKEN:
                return None  # packed by something else
        opener = {"npy": _open_npy, "idx": _open_idx, "table": _open_table}.get(kind_of(head))
        array = None if opener is None else opener(name, opening)
    except BROKEN as error:
        raise DataError("array_broken", name=name) from error
    return array if array is not None and array.dtype.itemsize else None


def _head(opening: Opening) -> bytes:
    with opening() as file:
        return file.read(64)


@contextlib.contextmanager
def _gunzipped(opening: Opening) -> Iterator[ByteReader]:
    with opening() as packed, gzip.GzipFile(fileobj=cast(io.BufferedIOBase, packed)) as file:
        yield file


@contextlib.contextmanager
def _behind(opening: Opening, skip: Callable[[ByteReader], object]) -> Iterator[ByteReader]:
    """The file where `skip` has left it."""
    with opening() as file:
        skip(file)
        yield file


# .npy


def _open_npy(name: str, opening: Opening) -> ArrayFile:
    with opening() as file:
        shape, fortran, dtype = _npy_header(file, name)
    if dtype.hasobject:
        raise DataError("array_objects", name=name)
    begin = partial(_behind, opening, lambda file: _npy_header(file, name))
    if fortran and len(shape) > 1:
        return ArrayFile(name, shape, dtype, lambda: _whole(begin, shape, dtype, name))
    return ArrayFile(name, shape, dtype, lambda: _slices(begin, shape, dtype, name))


def _whole(begin: Opening, shape: tuple[int, ...], dtype: np.dtype, name: str) -> Iterator[np.ndarray]:
    """The rows of values that lie column by column: all of them have to be in memory."""
    memory.check_bytes(math.prod(shape) * dtype.itemsize, name)
    (values,) = _slices(begin, (1, math.prod(shape)), dtype, name)
    yield values.reshape(shape, order="F")


def _npy_header(file: ByteReader, name: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    """(shape, whether columns come first, type); the file then stands at its values. Raises DataError."""
    try:
        start = _read_exactly(file, 8)
        size, = struct.unpack("<H" if start[6] == 1 else "<I", _read_exactly(file, 2 if start[6] == 1 else 4))
        if size > MAX_HEADER:
            raise ValueError("a header too long")
        text = io.BytesIO(struct.pack("<H", size) + _read_exactly(file, size))
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(text)
        if any(length < 0 for length in shape):
            raise ValueError("a length below 0")
        return shape, fortran, dtype
    except Exception as error:  # NumPy parses the header with Python's own tokenizer, which may raise anything
        raise DataError("array_broken", name=name) from error


# idx


def _open_idx(name: str, opening: Opening) -> ArrayFile:
    with opening() as file:
        head = _read_exactly(file, 4)
        shape = struct.unpack(f">{head[3]}I", _read_exactly(file, 4 * head[3]))
    dtype = np.dtype(IDX_TYPES[head[2]])
    begin = partial(_behind, opening, lambda file: _read_exactly(file, 4 + 4 * len(shape)))
    return ArrayFile(name, shape, dtype, lambda: _slices(begin, shape, dtype, name))


def _slices(begin: Opening, shape: tuple[int, ...], dtype: np.dtype, name: str) -> Iterator[np.ndarray]:
    """The rows of values that lie one after another."""
    row = math.prod(shape[1:]) * dtype.itemsize
    count = max(1, SLICE_BYTES // max(1, row))
    if row > SLICE_BYTES:
        memory.check_bytes(3 * row, name)
    try:
        with begin() as file:
            for start in range(0, shape[0], count):
                rows = min(count, shape[0] - start)
                yield np.frombuffer(_read_exactly(file, rows * row), dtype).reshape(rows, *shape[1:])
    except BROKEN as error:  # a file cut short, or a checksum that is wrong
        raise DataError("array_cut", name=name) from error


def _read_exactly(file: ByteReader, size: int) -> bytes:
    parts, left = [], size
    while left:
        part = file.read(min(left, SLICE_BYTES))
        if not part:
            raise EOFError("cut")
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


# Tables: one line a picture, numbers between commas.


def _is_table(head: bytes) -> bool:
    """Whether these are text with commas: "label,pixel0,pixel1", or "5,0,0,0,12"."""
    try:
        text = head.removeprefix(b"\xef\xbb\xbf").decode("ascii")
    except UnicodeDecodeError:
        return False
    return text.count(",") >= 8 and text.isprintable()


def _open_table(name: str, opening: Opening) -> ArrayFile:
    with opening() as file:
        lines = io.BufferedReader(cast(io.RawIOBase, _Raw(file)))
        first = lines.readline(MAX_LINE).decode("utf-8-sig", "replace").strip()
        columns = tuple(part.strip(' "') for part in first.split(","))
        if len(columns) > MAX_COLUMNS:
            raise DataError("array_table", name=name, reason=f"{len(columns):,} columns; {MAX_COLUMNS:,} at most")
        named = not all(_is_number(part) for part in columns)
        count = int(not named)
        read = 0
        while line := lines.readline(MAX_LINE):
            count += bool(line.strip())
            read += len(line)
            if read > MAX_TABLE:
                raise DataError("array_long", name=name, most=byte_size(MAX_TABLE))

    def slices() -> Iterator[np.ndarray]:
        import pandas

        rows = max(1, SLICE_BYTES // (8 * len(columns)))
        with opening() as file:
            try:
                for part in pandas.read_csv(_Raw(file), header=0 if named else None, chunksize=rows, dtype=np.float32):
                    yield part.to_numpy()
            except DataError:
                raise
            except Exception as error:  # words in it, a line too long, damaged bytes of a packed one
                raise DataError("array_table", name=name, reason=str(error).splitlines()[0][:120]) from error

    return ArrayFile(name, (count, len(columns)), np.dtype(np.float32), slices, columns if named else ())


class _Raw(io.RawIOBase):
    """A reader as Python's own layers of files take it."""

    def __init__(self, file: ByteReader) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._file.read(len(buffer))
        buffer[:len(data)] = data
        return len(data)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

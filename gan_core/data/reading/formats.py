"""Formats that are known and not read, each with what to do instead; by the first bytes, never by the name."""

from __future__ import annotations

from ..types import DataError

# What a file begins with -> the key of its sentence.
FORMATS = {
    b"\x80\x02": "format_pickle", b"\x80\x03": "format_pickle", b"\x80\x04": "format_pickle", b"\x80\x05": "format_pickle",
    b"\x89HDF\r\n\x1a\n": "format_hdf5", b"MATLAB 5.0": "format_matlab", b"PAR1": "format_parquet", b"ARROW1": "format_parquet",
    b"SQLite format 3": "format_sqlite", b"7z\xbc\xaf\x27\x1c": "format_packed", b"Rar!": "format_packed",
    b"BZh": "format_packed", b"\xfd7zXZ": "format_packed", b"\x28\xb5\x2f\xfd": "format_packed", b"%PDF": "format_pdf"}


def refuse_known_format(name: str, head: bytes) -> None:
    """Raise DataError for a file of one of these formats; head: its first 64 bytes."""
    for start, key in FORMATS.items():
        if head.startswith(start):
            raise DataError(key, name=name)

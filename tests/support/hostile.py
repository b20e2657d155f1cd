"""Hostile files: zips written byte by byte, hand-made PNGs, and a process whose peak memory is measured."""

import json
import os
import struct
import subprocess
import sys
import zlib
from dataclasses import dataclass

MEMORY = """
import json, sys, time
def peak():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
"""


def png(width, height, lines=b"", cut=None):
    """A PNG of 8-bit grey whose header says width x height and whose data are the deflated `lines`."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    data = (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b""))
    return data[:cut]


def grey_png(side=28, value=100):
    return png(side, side, (b"\0" + bytes([value]) * side) * side)


@dataclass
class Entry:
    """A zip's entry, each field of which may be false; None means the true value."""

    name: bytes | str
    data: bytes = b""
    packed: bytes | None = None
    method: int = 0
    size: int | None = None
    flags: int = 0
    mode: int = 0
    extra: bytes = b""
    offset: int | None = None
    local_name: bytes | None = None


def deflated(data):
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    return squeeze.compress(data) + squeeze.flush()


def archive(entries, tail=None):
    """The bytes of a zip with these entries; tail: (offset, length, count) of the list as the end record claims, or None."""
    body, listing = bytearray(), bytearray()
    for e in entries:
        name = e.name.encode() if isinstance(e.name, str) else e.name
        packed = e.packed if e.packed is not None else deflated(e.data) if e.method == 8 else e.data
        size, crc = len(e.data) if e.size is None else e.size, zlib.crc32(e.data)
        offset = len(body) if e.offset is None else e.offset
        fields = struct.pack("<HHHHHIII", 20, e.flags, e.method, 0, 33, crc, len(packed), size)
        if e.offset is None:
            local = name if e.local_name is None else e.local_name
            body += b"PK\3\4" + fields + struct.pack("<HH", len(local), 0) + local + packed
        listing += (b"PK\1\2" + struct.pack("<H", 0x314) + fields
                    + struct.pack("<HHHHHII", len(name), len(e.extra), 0, 0, 0, e.mode << 16, offset) + name + e.extra)
    start, length, count = tail or (len(body), len(listing), len(entries))
    count = min(count, 65535)
    return bytes(body + listing) + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, count, count, length, start, 0)


def measured(code, *args, timeout=100):
    """What the code's last line prints as JSON, run in a separate process, where `peak()` is its peak memory in bytes."""
    done = subprocess.run([sys.executable, "-c", MEMORY + code, *map(str, args)], capture_output=True, text=True, timeout=timeout,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])

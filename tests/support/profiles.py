"""ICC profiles written byte by byte (ICC.1:2022), and their colours by the formulas: an oracle without a colour library."""

import struct

import numpy as np

D50, D65 = np.array([0.9642, 1.0, 0.8249]), np.array([0.95047, 1.0, 1.08883])
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
SRGB = [(0.64, 0.33), (0.30, 0.60), (0.15, 0.06)]
P3 = [(0.68, 0.32), (0.265, 0.69), (0.15, 0.06)]
ADOBE = [(0.64, 0.33), (0.21, 0.71), (0.15, 0.06)]


def primaries(xy):
    """Linear RGB -> XYZ under D65, from the chromaticities of the three lights."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in xy]).T
    return columns * np.linalg.solve(columns, D65)


def adapted(white, other):
    """Bradford's: XYZ under one white -> XYZ under another."""
    return np.linalg.inv(BRADFORD) @ np.diag((BRADFORD @ other) / (BRADFORD @ white)) @ BRADFORD


def linear(v):
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def encoded(v):
    v = np.clip(v, 0, 1)
    return 255 * np.where(v <= 0.0031308, v * 12.92, 1.055 * v ** (1 / 2.4) - 0.055)


def as_srgb(rgb, xy, curve):
    """uint8 (..., 3) of a space with these lights and this curve -> sRGB, float in [0, 255]."""
    matrix = np.linalg.inv(primaries(SRGB)) @ primaries(xy)
    return encoded(curve(rgb / 255) @ matrix.T)


def lab_as_srgb(lab):
    fy = (lab[0] + 16) / 116
    f = np.array([fy + lab[1] / 500, fy, fy - lab[2] / 200])
    xyz = np.where(f > 6 / 29, f ** 3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * D50
    return encoded(np.linalg.inv(primaries(SRGB)) @ adapted(D50, D65) @ xyz)


def fixed(*values):
    return b"".join(struct.pack(">i", round(v * 65536)) for v in values)


def profile(space, tags, kind=b"mntr", pcs=b"XYZ ", version=4):
    """A profile's bytes: header, list of tags, tags."""
    tags = {b"desc": b"mluc" + bytes(4) + struct.pack(">II", 0, 12), b"wtpt": b"XYZ " + bytes(4) + fixed(*D50),
            b"cprt": b"mluc" + bytes(4) + struct.pack(">II", 0, 12), **tags}
    listing, body, at = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        listing += name + struct.pack(">II", at + len(body), len(data))
        body += data
    head = struct.pack(">I4sI4s4s4s", at + len(body), b"", version << 24, kind, space, pcs) + bytes(12) + b"acsp"
    return head.ljust(68, b"\0") + fixed(*D50) + bytes(48) + listing + body


def gamma(value):
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(value * 256))


SRGB_CURVE = b"para" + bytes(4) + struct.pack(">HH", 3, 0) + fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def of_lights(xy, curve):
    columns = (adapted(D65, D50) @ primaries(xy)).T
    names = (b"rXYZ", b"gXYZ", b"bXYZ")
    lights = {name: b"XYZ " + bytes(4) + fixed(*column) for name, column in zip(names, columns, strict=True)}
    return profile(b"RGB ", {**lights, **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)})


def of_grey(value):
    return profile(b"GRAY", {b"kTRC": gamma(value)})


def of_inks(corner):
    """CMYK whose colour with each ink full or absent is corner(c, m, y, k) in Lab."""
    table = b""
    for at in range(16):
        lab = np.array(corner(*(at >> 3 & 1, at >> 2 & 1, at >> 1 & 1, at & 1)))
        table += bytes(np.rint([lab[0] * 2.55, lab[1] + 128, lab[2] + 128]).astype(np.uint8))
    line = bytes(range(256))
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1) + line * 4 + table + line * 3
    return profile(b"CMYK", {b"A2B0": lut}, b"prtr", b"Lab ", 2)

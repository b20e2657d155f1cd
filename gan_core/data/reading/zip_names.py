"""The names in a zip whose packer has not said in which encoding they are.

Such names are read as cp437 by zipfile. macOS and most tools write UTF-8, Windows the code page of its country: in the west 850,
elsewhere one of many, which charset-normalizer guesses from all names together.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence

from charset_normalizer import from_bytes

UTF8 = 0x800  # the flag of an entry whose name is in UTF-8
EAST_ASIA = ("cp932", "gb18030", "euc_kr", "big5")
OTHERS = [*EAST_ASIA, "cp866", "cp1251", "cp1252", "cp850"]
MOST_BYTES = 64 << 10  # of all names, for a guess
FEW = 0.34  # the share of letters with an accent, below which names are of a western language


def decode_names(entries: Sequence[zipfile.ZipInfo]) -> list[str]:
    """The name of each entry, guessed where its packer has not said how it is written; all of them are in one encoding."""
    raw = {i: data for i, info in enumerate(entries) if not info.flag_bits & UTF8 and (data := _bytes_of(info)) is not None}
    names = [info.filename for info in entries]
    if raw:
        encoding = guess(list(raw.values()))
        for i, data in raw.items():
            names[i] = data.decode(encoding, "replace")
    return names


def guess(names: Sequence[bytes]) -> str:
    """The encoding in which all of these names, none of ASCII alone, are written most likely."""
    joined = b"\n".join(names)[:MOST_BYTES]
    if _is_valid(b"\n".join(names), "utf_8"):
        return "utf_8"
    accents = [letter for letter in joined.decode("cp850") if ord(letter) > 127]
    letters = sum(letter.isalpha() for letter in joined.decode("cp850"))
    western = all(letter.isalpha() for letter in accents)
    if western and (len(accents) < FEW * letters or not any(_is_valid(joined, encoding) for encoding in EAST_ASIA)):
        return "cp850"
    best = from_bytes(joined, cp_isolation=OTHERS).best()
    return best.encoding if best is not None and _is_valid(joined, best.encoding) else "cp437"


def _bytes_of(info: zipfile.ZipInfo) -> bytes | None:
    """The name as it stands in the file; None for a name of ASCII alone."""
    if info.filename.isascii():
        return None
    try:
        return info.filename.encode("cp437")
    except UnicodeEncodeError:  # zipfile has found its Unicode form in an extra field
        return None


def _is_valid(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True

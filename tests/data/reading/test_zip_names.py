"""Names of zips whose packer has not said how they are written: guessed from all of them, and one accent is one class."""

import io
import unicodedata
import zipfile

import pytest
from hostile import Entry, archive, grey_png

from gan_core.data.reading import archive as archives
from gan_core.data.reading.zip_names import decode_names, guess
from gan_core.data.types import DataRequest

NAMES = {
    "cp850": ["été/chêne.png", "forêt/1.png", "Noël.png", "garçon/2.png", "Île/3.png"],
    "cp850 ": ["été/1.png"],
    "cp850  ": ["Äpfel/1.png", "Übung/ä.png", "niño/3.png", "Straße/4.png"],
    "utf_8": ["été/1.png", "cafe\u0301/2.png", "猫/3.png"],
    "cp932": ["猫/写真1.png", "犬/写真2.png"],
    "gb18030": ["猫/照片1.png", "狗/照片2.png", "汽车/飞机.png", "苹果/图片一.jpg"],
    "big5": ["貓/1.png", "狗/2.png"],
    "euc_kr": ["고양이/1.png", "개/2.png"],
    "cp866": ["кошка/1.png", "собака/2.png"],
    "cp1251": ["кошка/1.png", "собака/2.png"],
}


@pytest.mark.parametrize("encoding", NAMES)
def test_the_encoding_is_guessed_from_all_names(encoding):
    names = [name.encode(encoding.strip()) for name in NAMES[encoding]]
    chosen = guess(names)
    assert [name.decode(chosen) for name in names] == NAMES[encoding]


@pytest.mark.parametrize("names", [[b"\xff"], [b"\x80\x81\xff\xfe" * 1000], [bytes(range(128, 256))]])
def test_bytes_that_are_no_text_have_names_as_well(names):
    assert [name.decode(guess(names), "replace") for name in names]


def test_a_name_that_says_how_it_is_written_is_left_alone():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("猫/é.png", b"")  # with the flag of UTF-8
        packed.writestr("plain.png", b"")
    assert decode_names(zipfile.ZipFile(file).infolist()) == ["猫/é.png", "plain.png"]


@pytest.mark.parametrize("encoding", ["utf_8", "cp850"])
def test_classes_have_the_names_that_people_gave_them(tmp_path, monkeypatch, encoding):
    monkeypatch.setenv("GAN_PLAYGROUND_DATA", str(tmp_path / "cache"))
    names = ["chêne", "érable", *([unicodedata.normalize("NFD", "chêne")] if encoding == "utf_8" else [])]
    entries = [Entry(f"{name}/{k}.png".encode(encoding), grey_png(28, 40 + k)) for name in names for k in range(2)]
    (tmp_path / "trees.zip").write_bytes(archive(entries))
    loaded = archives.source(DataRequest("zip", str(tmp_path / "trees.zip")))
    assert loaded.names == ("chêne", "érable") and len(loaded.data) == len(entries)

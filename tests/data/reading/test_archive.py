"""zip:NAME: real archives read as folders are; hostile ones refused in a sentence or their entries counted, in bounded memory."""

import bz2
import io
import stat
import sys
import zipfile
from pathlib import Path

import hostile
import numpy as np
import pytest
from hostile import Entry, archive, grey_png
from PIL import Image

from gan_core.data import array_cache
from gan_core.data.reading import archive as archives
from gan_core.data.types import Cancelled, DataError, DataRequest

GOOD = grey_png(28, 100)
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc for the peak memory")


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_PLAYGROUND_DATA", str(tmp_path / "cache"))


def load(tmp_path: Path, data: bytes, **how):
    path = tmp_path / "given.zip"
    path.write_bytes(data)
    return archives.source(DataRequest("zip", str(path), **how))


def skipped(tmp_path, *entries):
    """What is counted beside one good picture."""
    loaded = load(tmp_path, archive([Entry("good.png", GOOD), *entries]))
    assert len(loaded.data) == 1 and loaded.found_count == 1 + sum(loaded.skipped.values())
    return loaded.skipped


def refused(tmp_path, data, match):
    with pytest.raises(DataError, match=match) as caught:
        load(tmp_path, data)
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence and len(sentence) < 400
    return sentence


def test_folders_in_an_archive_are_classes_whatever_wraps_them(tmp_path):
    entries = [Entry(f"all/sets/{kind}/{i}.png", grey_png(28, shade + i), method=8)
               for kind, shade in (("sheep", 10), ("cat", 50), ("dog", 90)) for i in range(3)]
    entries += [Entry("all/"), Entry("__MACOSX/all/._0.png", b"x"), Entry("all/.hidden/0.png", GOOD),
                Entry("all/Thumbs.db", b"x")]
    loaded = load(tmp_path, archive(entries), size=28)
    assert loaded.names == ("cat", "dog", "sheep") and loaded.skipped == {} and loaded.found_count == 9
    assert loaded.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2] and loaded.labels.dtype == np.int64
    assert loaded.data[:, 0, 5, 5].tolist() == [50, 51, 52, 90, 91, 92, 10, 11, 12]


def test_a_zip_as_people_make_it(tmp_path):
    """Python's own writer, deflated, with a comment, read bit for bit."""
    pictures = np.random.default_rng(0).integers(0, 256, (7, 32, 32, 3), dtype=np.uint8)
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as made:
        made.comment = b"holidays"
        for i, picture in enumerate(pictures):
            file = io.BytesIO()
            Image.fromarray(picture).save(file, "PNG")
            made.writestr(f"{i}.jpg", file.getvalue())  # the suffix lies: it does not matter
    loaded = archives.source(DataRequest("zip", str(tmp_path / "x.zip")))
    assert (loaded.data == pictures.transpose(0, 3, 1, 2)).all() and loaded.labels is None


def test_names_that_lead_out_are_counted_and_nothing_is_written(tmp_path):
    link = stat.S_IFLNK | 0o777
    assert skipped(tmp_path, Entry("../../evil.png", GOOD), Entry("a/../../evil.png", GOOD), Entry("/etc/evil.png", GOOD),
                   Entry("..\\..\\evil.png", GOOD), Entry("\\evil.png", GOOD), Entry("C:\\evil.png", GOOD),
                   Entry("C:evil.png", GOOD),
                   Entry("link.png", b"/etc/passwd", mode=link), Entry("pipe.png", b"", mode=stat.S_IFIFO)) == {"link": 9}
    assert skipped(tmp_path, Entry(b"nul\0.png", GOOD)) == {"broken": 1}
    assert not list(tmp_path.rglob("*evil*")) and not Path("/etc/evil.png").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"given.zip", "cache"}


def test_entries_that_are_no_pictures_are_counted_by_what_they_are(tmp_path):
    nested = archive([Entry("inner.png", GOOD)])
    assert skipped(tmp_path, Entry("nested.zip", nested), Entry("nested.png", nested, method=8),
                   Entry("a.gz", b"\x1f\x8b" + GOOD), Entry("readme.txt", b"hello"), Entry("fake.png", b"hello"),
                   Entry("empty.png"),
                   Entry("secret.png", GOOD, flags=1), Entry("strong.png", GOOD, flags=0x41),
                   Entry("cut.png", GOOD[:-30])) == {"archive": 3, "not_a_picture": 3, "encrypted": 2, "broken": 1}


def test_lies_about_an_entry_break_it_and_no_other(tmp_path):
    packed = hostile.deflated(GOOD)
    assert skipped(tmp_path, Entry("short.png", GOOD, method=8, size=40),
                   Entry("crc.png", GOOD[:-1] + b"x", packed=GOOD), Entry("other.png", GOOD, local_name=b"another name"),
                   Entry("garbage.png", GOOD, method=8, packed=b"\xff" * 99),
                   Entry("half.png", GOOD, method=8, packed=packed[:20]),
                   Entry("bzip.png", GOOD, method=12, packed=bz2.compress(GOOD)), Entry("lzma.png", GOOD, method=14),
                   Entry("where.png", GOOD, offset=10**6)) == {"broken": 8}
    result = load(tmp_path, archive([Entry("long.png", GOOD, method=8, size=10**6)]))  # its end and its sum are right
    assert len(result.data) == 1 and result.skipped == {}


def test_an_entry_of_more_than_32_mb_is_left_unread(tmp_path):
    lies = Entry("huge.png", GOOD, method=8, size=2**31), Entry("far.png", GOOD, size=50_000_000)
    assert skipped(tmp_path, *lies) == {"too_large": 2}


def test_the_whole_archive_unpacks_to_no_more_than_a_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MIN_TOTAL", 3 * len(GOOD))
    monkeypatch.setattr(archives, "MAX_RATIO", 0)
    loaded = load(tmp_path, archive([Entry(f"{i}.png", GOOD) for i in range(5)]))
    assert len(loaded.data) == 3 and loaded.skipped == {"too_large": 2}


def test_overlapping_entries_are_refused(tmp_path):
    kernel = archive([Entry("a.png", GOOD), Entry("b.png", GOOD, offset=0), Entry("c.png", GOOD, offset=0)])
    refused(tmp_path, kernel, "files overlap")


@pytest.mark.parametrize("damage", ["text", "empty", "cut", "no list", "zip64 lies", "list before the file", "list of 4 GB",
                                    "end only"])
def test_what_is_no_whole_zip_is_refused_in_a_sentence(tmp_path, damage):
    whole = archive([Entry(f"{i}.png", GOOD) for i in range(20)])
    zip64 = (b"PK\6\6" + (44).to_bytes(8, "little") + bytes(4) + bytes(8) + (2**63).to_bytes(8, "little") * 2
             + (2**62).to_bytes(8, "little") * 2 + b"PK\6\7" + bytes(4)
             + (len(whole) - 22).to_bytes(8, "little") + (1).to_bytes(4, "little"))
    end = whole[-22:]
    data = {"text": b"no zip", "empty": b"", "cut": whole[:len(whole) * 2 // 3], "no list": archive([], tail=(0, 0, 7))[:-5],
            "zip64 lies": whole[:-22] + zip64 + end, "list before the file": archive([Entry("a.png", GOOD)], tail=(2**31, 99, 1)),
            "list of 4 GB": archive([Entry("a.png", GOOD)], tail=(0, 2**32 - 1, 1)), "end only": end[4:]}[damage]
    refused(tmp_path, data, "not a complete zip file|list of files")


def test_an_archive_cut_at_every_tenth_is_refused(tmp_path):
    whole = archive([Entry(f"{i}.png", GOOD, method=8) for i in range(20)])
    for tenth in range(10):
        refused(tmp_path, whole[:len(whole) * tenth // 10], "not a complete zip file")


def test_an_archive_without_a_picture_says_what_is_in_it(tmp_path):
    files = [Entry("a.txt", b"x"), Entry("b.txt", b"x"), Entry("s.png", GOOD, flags=1)]
    sentence = refused(tmp_path, archive(files), "no picture")
    assert "3 files found (1 encrypted, 2 no picture)" in sentence
    refused(tmp_path, archive([]), "0 files found")


def test_what_is_not_there_is_refused_in_words(tmp_path):
    for name in ("never-kept", str(tmp_path / "no.zip"), "../../etc/passwd\x41", "a" * 99):
        with pytest.raises(DataError, match=r"There is no upload|There is no file"):
            archives.source(DataRequest("zip", name))


def test_it_can_be_cancelled(tmp_path):
    steps = []
    data = archive([Entry(f"{i}.png", GOOD) for i in range(500)])
    with pytest.raises(Cancelled):
        load(tmp_path, data, on_progress=steps.append, is_cancelled=lambda: len(steps) >= 3)
    assert len(steps) == 3 and steps[0].stage == "reading"


MANY = """
import os
from pathlib import Path
import hostile
from gan_core.data.reading import archive
from gan_core.data.types import DataRequest, DataError
path = Path(sys.argv[1]) / "x.zip"
def tried(limit=0):
    before, start = peak(), time.monotonic()
    try:
        loaded = archive.read_archive(path, DataRequest("zip", limit=limit))
        outcome = [len(loaded.data), loaded.skipped]
    except DataError as error:
        outcome = str(error)
    return [outcome, peak() - before, time.monotonic() - start]
"""


@LINUX
def test_fifty_megabytes_of_zeros_from_49_kb_cost_no_memory(tmp_path):
    """Whether the header admits the 50 MB, says 4 KB, or says 30 MB with a picture's first bytes before the zeros."""
    path, zeros = tmp_path / "x.zip", hostile.deflated(bytes(50_000_000))
    entries = [Entry("good.png", GOOD), Entry("a.png", packed=zeros, method=8, size=50_000_000),
               Entry("b.png", packed=zeros, method=8, size=4096), Entry("c.png", packed=zeros, method=8, size=30_000_000)]
    assert 45_000 < len(zeros) < 52_000
    path.write_bytes(archive(entries))
    result, memory, _ = hostile.measured(MANY + "print(json.dumps(tried()))", tmp_path)
    assert result == [1, {"too_large": 1, "broken": 1, "not_a_picture": 1}] and memory < 30e6, memory
    bomb = GOOD[:33] + bytes(30_000_000)
    squeezed = hostile.deflated(bomb)
    path.write_bytes(archive([Entry("good.png", GOOD)] + [Entry(f"{i}.png", bomb, method=8, packed=squeezed)
                                                          for i in range(2)]))
    result, memory, _ = hostile.measured(MANY + "print(json.dumps(tried()))", tmp_path)
    assert result == [1, {"broken": 2}] and memory < 200e6, memory  # two threads, a bounded file each, twice for a moment


@LINUX
@pytest.mark.slow
def test_a_hundred_thousand_files_cost_bounded_memory(tmp_path):
    (tmp_path / "x.zip").write_bytes(archive([Entry(f"sheep/{i:06d}.png", GOOD if i % 2 else b"no") for i in range(100_000)]))
    result, memory, _ = hostile.measured(MANY + "print(json.dumps(tried(1000)))", tmp_path)
    assert result[0] == 1000 and set(result[1]) == {"not_a_picture", "too_many"}
    assert sum(result[1].values()) == 99_000 and memory < 150e6, memory


@LINUX
@pytest.mark.slow
def test_some_of_two_hundred_thousand_pictures_are_read_in_place(tmp_path):
    """As many entries, with such names, as the zip of aligned celebrities has."""
    (tmp_path / "x.zip").write_bytes(archive([Entry(f"img_align_celeba/{i:06d}.jpg", GOOD) for i in range(202_599)]))
    result, memory, _ = hostile.measured(MANY + "print(json.dumps(tried(5000)))", tmp_path)
    assert result == [5000, {"too_many": 197_599}] and memory < 400e6, memory


def test_a_list_that_memory_does_not_hold_is_refused_before_it_is_read(tmp_path, monkeypatch):
    data = archive([Entry(f"{i:06d}.png", GOOD) for i in range(20_000)])  # a list of more than a megabyte
    monkeypatch.setattr("gan_core.data.memory.available_bytes", lambda: 270 << 20)
    refused(tmp_path, data, r"given\.zip needs .* MB of memory while it is read")


def test_more_files_than_are_allowed_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_ENTRIES", 100)
    refused(tmp_path, archive([Entry(f"{i}") for i in range(101)]), "101 files; 100 are allowed")


@LINUX
@pytest.mark.slow
def test_every_one_of_a_hundred_thousand_files_is_looked_at_in_bounded_memory(tmp_path):
    (tmp_path / "x.zip").write_bytes(archive([Entry(f"{i:06d}.png", GOOD if i % 100 == 0 else b"no") for i in range(100_000)]))
    result, memory, _ = hostile.measured(MANY + "print(json.dumps(tried()))", tmp_path, timeout=300)
    assert result == [1000, {"not_a_picture": 99_000}] and memory < 250e6, memory


@LINUX
def test_a_list_of_files_of_a_gigabyte_is_never_read(tmp_path):
    with open(tmp_path / "x.zip", "wb") as file:  # a sparse file: the list lies in a hole
        file.truncate(1 << 30)
        file.seek(0, 2)
        file.write(archive([], tail=(0, 1 << 30, 65535)))
    result, memory, _ = hostile.measured(MANY + "print(json.dumps(tried()))", tmp_path)
    assert "1.07 GB" in result and memory < 30e6, (result, memory)


def test_a_second_load_reads_what_is_prepared(tmp_path, monkeypatch):
    data = archive([Entry(f"{k}/{i}.png", grey_png(28, 9 * i + k)) for k in range(2) for i in range(9)])
    first = load(tmp_path, data)
    monkeypatch.setattr(archives, "read_archive", lambda path, request: pytest.fail("decoded again"))
    second = archives.source(DataRequest("zip", str(tmp_path / "given.zip")))
    assert (second.data == first.data).all() and (second.labels == first.labels).all() and second.summary() == first.summary()
    assert list((tmp_path / "cache" / "data" / "prepared").iterdir()) and array_cache.MAX_TOTAL == 4 << 30


@pytest.mark.skipif(sys.platform == "win32", reason="paths as they are written here")
def test_the_path_of_an_archive_is_understood_as_that_of_a_folder(tmp_path):
    (tmp_path / "my sheep.zip").write_bytes(archive([Entry("a.png", GOOD)]))
    for text in (f'"{tmp_path}/my sheep.zip"', f"file://{tmp_path}/my%20sheep.zip", f"{tmp_path}/my\\ sheep.zip"):
        assert archives.find_archive(text) == tmp_path / "my sheep.zip"
    for text in ("~nobody-of-this-name/x.zip", "/x" + "y" * 300):
        with pytest.raises(DataError, match="There is no file"):
            archives.find_archive(text)

"""Whether pictures fit in memory: the sentence's figure is the largest number that is let through, and groups' limits count."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan_core.compute import cgroups
from gan_core.data import memory
from gan_core.data.types import DataError


@given(fits=st.integers(1, 10**7), over=st.integers(1, 10**7), side=st.sampled_from([28, 32, 64]),
       channels=st.sampled_from([1, 3]), data=st.data())
def test_the_number_in_the_sentence_fits_and_one_more_does_not(fits, over, side, channels, data):
    each = channels * side * side + memory.LABEL_BYTES
    free = memory.RESERVE + fits * each + data.draw(st.integers(0, each - 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "available_bytes", lambda: free)
        for count in (fits + over, fits + 1):
            with pytest.raises(DataError, match=f"set max_images to {fits:,} or less, or choose a smaller image_size"):
                memory.check_pictures(count, (channels, side, side), "A set")
        memory.check_pictures(fits, (channels, side, side), "A set")


def test_words_where_nothing_fits(monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 1000)
    with pytest.raises(DataError, match=r"^A set: 10 pictures of 3 x 64 x 64 need 0\.1 MB .* and 0 bytes are free; end other"):
        memory.check_pictures(10, (3, 64, 64), "A set")
    with pytest.raises(DataError, match=r"svhn needs 450 MB .* end other programs first"):
        memory.check_bytes(450_000_000, "svhn")


def test_this_machine_has_room_for_a_picture():
    memory.check_pictures(1, (1, 28, 28), "A set")
    with pytest.raises(DataError, match="max_images"):
        memory.check_pictures(10**13, (1, 28, 28), "A set")


def group(folder, limit, used, cache, names):
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in zip(names, (limit, used), strict=True):
        (folder / name).write_text(f"{value}\n")
    word = "inactive_file" if names == V2 else "total_inactive_file"
    (folder / "memory.stat").write_text(f"anon 5\n{word} {cache}\n")


V2, V1 = ("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")


@pytest.mark.parametrize(("lines", "groups", "left"), [
    ("0::/a/b\n", [("a/b", "max", 700, 0, V2), ("a", 1000, 700, 50, V2)], 350),
    ("0::/a/b\n", [("a/b", 900, 800, 0, V2), ("a", 1000, 800, 0, V2)], 100),
    ("3:cpu,cpuacct:/a\n4:memory:/host/only\n0::/\n", [("memory", 2000, 500, 100, V1)], 1600),
    ("0::/a\n", [("a", 1000, 1500, 0, V2)], 0),
])
def test_limits_of_control_groups(tmp_path, monkeypatch, lines, groups, left):
    monkeypatch.setattr(cgroups, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(cgroups, "OWN_GROUPS", tmp_path / "own")
    (tmp_path / "own").write_text(lines)
    for name, *rest in groups:
        group(tmp_path / "cgroup" / name, *rest)
    assert memory.available_bytes() == left


def test_without_groups_the_machine_is_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(cgroups, "OWN_GROUPS", tmp_path / "missing")
    assert memory.available_bytes() > 1 << 20

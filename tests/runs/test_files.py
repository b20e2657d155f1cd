import errno
import os
from pathlib import Path

import pytest

from gan_core.runs import files
from gan_core.runs.files import atomic_write, remove_leftovers, runs_folder


def test_a_new_file_and_a_replaced_one_hold_exactly_what_was_given(tmp_path: Path) -> None:
    target = tmp_path / "status.json"
    for data in (b"first", b"", bytearray(b"second")):
        atomic_write(target, data)
        assert target.read_bytes() == bytes(data)
    assert [p.name for p in tmp_path.iterdir()] == ["status.json"]


@pytest.mark.parametrize("fault", ["fsync", "write", "replace"])
def test_a_full_disk_leaves_the_old_file_and_no_rubbish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    target = tmp_path / "status.json"
    target.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if fault == "write":
        class Full:
            def __enter__(self): return self
            def __exit__(self, *_: object): return False
            write = staticmethod(full)
        monkeypatch.setattr(files, "open", lambda *_: Full(), raising=False)
    else:
        monkeypatch.setattr(files.os, fault, full)
    with pytest.raises(OSError, match="No space left"):
        atomic_write(target, b"new")
    monkeypatch.undo()
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["status.json"]


def test_the_bytes_are_synced_before_the_name_moves_and_the_folder_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    fsync, replace = os.fsync, os.replace

    def watched_fsync(descriptor: int) -> None:
        order.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "bytes")
        fsync(descriptor)

    monkeypatch.setattr(files.os, "fsync", watched_fsync)
    monkeypatch.setattr(files.os, "replace", lambda a, b: (order.append("replace"), replace(a, b)))
    atomic_write(tmp_path / "a", b"x")
    atomic_write(tmp_path / "b", b"x", durable=False)
    assert order == (["bytes", "replace", "folder", "replace"] if os.path.exists("/proc/self/fd") else order)


def test_a_reader_that_holds_the_file_for_a_moment_is_waited_for_on_windows(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = iter([True, True, False])
    replace = os.replace

    def busy(a: Path, b: Path) -> None:
        if next(refusals):
            raise PermissionError(errno.EACCES, "in use")
        replace(a, b)

    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"new")
    monkeypatch.setattr(files.os, "replace", busy)
    monkeypatch.setattr(files, "REPLACE_PAUSE", 0.0)
    with monkeypatch.context() as windows:
        windows.setattr(files.os, "name", "nt")
        files.replace(source, target)
    assert target.read_bytes() == b"new"


def test_a_name_of_255_bytes_can_be_written(tmp_path: Path) -> None:
    atomic_write(tmp_path / ("a" * 255), b"x")
    assert (tmp_path / ("a" * 255)).read_bytes() == b"x"


def test_only_old_leftovers_are_removed(tmp_path: Path) -> None:
    for name in (".old.tmp", ".young.tmp", "kept.tmp"):
        (tmp_path / name).write_bytes(b"")
    os.utime(tmp_path / ".old.tmp", (1, 1))
    assert remove_leftovers(tmp_path) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == [".young.tmp", "kept.tmp"]


def test_where_runs_are_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert runs_folder() == Path("checkpoints") and (tmp_path / "checkpoints").is_dir()
    assert runs_folder(tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(PermissionError) as caught:
        runs_folder(tmp_path / "file")
    assert "--checkpoints" in str(caught.value) and str(tmp_path / "file") in str(caught.value)


def test_without_a_place_here_runs_go_to_the_users_data_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "checkpoints").touch()  # a file where the folder would be: works for root too, who may write anywhere
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = runs_folder()
    assert folder.is_dir() and folder.is_absolute() and "gan-playground" in str(folder)

"""Where gradio keeps its files on a machine that is shared with others."""

import os
from pathlib import Path

import pytest
from strangers import STRANGER, make_foreign, run_plainly

from gan_core.ui.gradio_folders import folder_fault

pytestmark = pytest.mark.skipif(os.name != "posix", reason="users")
# The page is built, which makes gradio write, and its uploads' folder is named.
BUILT = ("import sys; from pathlib import Path; from gan_core.surroundings import prepare; prepare()\n"
         "from gan_core.ui.gradio_folders import folder_fault\n"
         "if fault := folder_fault(): sys.exit(fault)\n"
         "from gan_core.ui.app import Playground\n"
         "print(Playground(Path(sys.argv[1])).demo.GRADIO_CACHE)")


def build(tmp_path, **environment):
    (tmp_path / "runs").mkdir(exist_ok=True)
    return run_plainly("-c", BUILT, str(tmp_path / "runs"), **{"GRADIO_TEMP_DIR": None, **environment})


def test_the_folder_of_another_user_is_left_alone(tmp_path):
    foreign = make_foreign(tmp_path / "gradio")
    found = build(tmp_path, TMPDIR=str(tmp_path))
    assert found.returncode == 0, found.stderr
    assert found.stdout == f"{tmp_path}/gan-playground-{os.geteuid()}/gradio\n"
    assert not list(foreign.iterdir())


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root may give a folder away")
def test_the_folder_of_another_user_is_left_alone_even_where_all_may_write(tmp_path, monkeypatch):
    foreign = make_foreign(tmp_path / "gradio")
    foreign.chmod(0o777)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    assert foreign.stat().st_uid == STRANGER and folder_fault() == ""
    assert os.environ["GRADIO_TEMP_DIR"].startswith(f"{tmp_path}/gan-playground-")


def test_the_usual_folder_stays_the_usual_one(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    assert folder_fault() == "" and "GRADIO_TEMP_DIR" not in os.environ
    (tmp_path / "gradio").mkdir()
    assert folder_fault() == "" and "GRADIO_TEMP_DIR" not in os.environ


def test_a_folder_that_somebody_chose_is_used_or_refused_by_its_name(tmp_path):
    wrong = make_foreign(tmp_path / "foreign")
    found = build(tmp_path, GRADIO_TEMP_DIR=str(wrong / "x"))
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr == (f"GRADIO_TEMP_DIR is {wrong}/x, which cannot be written to; set it to a folder that can, "
                            "or leave it out.\n")


def test_no_temporary_folder_at_all_is_one_sentence(monkeypatch):
    def missing():
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", missing)
    monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    assert folder_fault() == "No temporary folder can be written to; set TMPDIR to a folder that can."


def test_a_public_link_needs_a_place_for_its_program(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HF_HOME", str(tmp_path / "file"))
    assert folder_fault() == "", "nobody asked for a link"
    assert folder_fault(share=True) == ("The program that makes a public link cannot be stored in "
                                        f"{tmp_path / 'file'}; set HF_HOME to a folder that can be written to.")
    monkeypatch.setenv("HF_HOME", str(Path(tmp_path / "hf")))
    assert folder_fault(share=True) == ""

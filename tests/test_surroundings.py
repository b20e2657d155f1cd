"""Poor surroundings, as they are: terminals of ASCII, homes that are not there or somebody else's, users without a name."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from strangers import make_foreign, run_as_nobody, run_plainly

from gan_core import surroundings
from gan_core.surroundings import can_write, is_own, printable, private_folder

posix = pytest.mark.skipif(os.name != "posix", reason="users, locales and folders of POSIX")
PRINTS = {"ascii": {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
          "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": None},
          "latin": {"PYTHONIOENCODING": "iso-8859-1", "PYTHONUTF8": "0"}}


def say(letters, *command):
    """What a command line prints, stdout and stderr, in these surroundings."""
    return run_plainly(*command, **PRINTS[letters])


def test_a_terminal_of_ascii_hears_of_a_run_in_a_folder_with_an_accent(tmp_path):
    found = say("ascii", "-m", "gan_core.worker", "--new", "--preset", "quick", "--steps", "1", "--threads", "1",
                "--checkpoints", str(tmp_path / "été"))
    assert found.returncode == 0, found.stderr
    assert "learns digits, 1 step" in found.stdout and f"run:    {tmp_path}/\\xe9t\\xe9/quick-" in found.stdout
    assert " finished at step 1 " in found.stdout, "after the first accent all was silent"
    assert "starting\n" in found.stderr


@posix
@pytest.mark.parametrize("letters", ["ascii", "C"])
def test_a_folder_with_an_accent_is_looked_for_by_its_name(letters, tmp_path):
    found = say(letters, "-m", "gan_core.worker", "--new", "--dataset", f"folder:{tmp_path / 'été'}", "--threads", "1",
                "--checkpoints", str(tmp_path / "runs"))
    assert found.returncode == 2
    assert f"The folder {tmp_path}/\\xe9t\\xe9 is not there" in found.stderr


@pytest.mark.parametrize(("command", "start"), [
    (("-m", "gan_core.worker", "{}"), "{} is not a run folder"),
    (("-m", "gan_core.sinks", "{}", "webhook"), "{} is not a run folder"),
    (("-m", "gan_core.remote", "push", "{}", "memory://x"), "{} is not a run folder"),
    (("-m", "gan_core.data", "--remove", "zip:é"), "Nothing is kept here under the name 'zip:\\xe9'"),
    (("playground.py", "--attach", "{}", "--checkpoints", "{}"), "--attach: {} is this page's own folder")])
def test_every_command_line_refuses_in_ascii(command, start, tmp_path):
    found = say("ascii", *(part.format(tmp_path / "é") for part in command))
    assert found.returncode in (1, 2)
    assert found.stderr.splitlines()[-1].startswith(start.format(f"{tmp_path}/\\xe9")), found.stderr


def test_what_a_terminal_knows_is_printed_as_it_is(tmp_path):
    found = subprocess.run([sys.executable, "-m", "gan_core.data"], capture_output=True, timeout=60, env={
        **os.environ, **{k: v for k, v in PRINTS["latin"].items() if v}, "GAN_PLAYGROUND_DATA": str(tmp_path / "é")})
    assert found.returncode == 0 and f"{tmp_path}/é/data.\n".encode("latin-1") in found.stdout


def test_streams_of_others_are_asked_for_their_letters(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert printable("“été” … l’heure") == "\"\\xe9t\\xe9\" ... l'heure"
    monkeypatch.setattr(sys, "stdout", io.StringIO())  # as a notebook's, it names no encoding
    assert printable("été") == "été" and printable("\udce9") == "\\udce9"


# Homes and temporary folders.

PLACES = ("from gan_core.surroundings import prepare; prepare(); import os; from pathlib import Path\n"
          "from gan_core.data.types import data_folder; from gan_core.runs.files import runs_folder\n"
          "print(os.environ.get('MPLCONFIGDIR')); print(Path.home()); print(data_folder()); import matplotlib\n"
          "matplotlib.get_cachedir()")


@posix
def test_a_home_of_somebody_else_gives_libraries_another_folder_and_says_nothing(tmp_path):
    home, temporary = make_foreign(tmp_path / "home"), tmp_path / "tmp"
    temporary.mkdir()
    found = run_plainly("-c", PLACES, HOME=str(home), TMPDIR=str(temporary), XDG_CONFIG_HOME=None, MPLCONFIGDIR=None,
                        GAN_PLAYGROUND_DATA=None, XDG_CACHE_HOME=None)
    config, *_ = found.stdout.splitlines()
    assert Path(config).parent.parent == temporary and found.stderr == "", found.stderr
    assert Path(config).parent.stat().st_mode & 0o77 == 0 and not list(temporary.glob("matplotlib-*"))
    again = run_plainly("-c", PLACES, HOME=str(home), TMPDIR=str(temporary), XDG_CONFIG_HOME=None, MPLCONFIGDIR=None)
    assert again.stdout.splitlines()[0] == config, "one folder for all, which grows no more with each start"
    assert run_plainly("-c", PLACES, HOME=str(temporary), MPLCONFIGDIR=None, XDG_CONFIG_HOME=None).stdout.startswith("None\n")


@posix
@pytest.mark.parametrize("home", [None, "/none/of/them"])
def test_a_user_without_a_name_and_without_a_home_is_served(home):
    found = run_as_nobody("-c", PLACES, HOME=home, XDG_CONFIG_HOME=None, MPLCONFIGDIR=None, GAN_PLAYGROUND_DATA=None,
                          XDG_CACHE_HOME=None, XDG_DATA_HOME=None)
    assert found.returncode == 0 and found.stderr == "", found.stderr
    assert found.stdout.splitlines()[1] == (home or "/")


@posix
def test_what_cannot_be_stored_in_such_a_home_says_which_variable_moves_it(tmp_path):
    home = make_foreign(tmp_path / "home")
    code = ("from gan_core.surroundings import prepare; prepare()\n"
            "from gan_core.data import uploads\n"
            "try: uploads.save_points([[0, 0], [1, 1]])\n"
            "except Exception as error: print(error)")
    found = run_plainly("-c", code, HOME=str(home), GAN_PLAYGROUND_DATA=None, XDG_CACHE_HOME=None)
    assert "Permission denied" in found.stdout and "set GAN_PLAYGROUND_DATA to another folder" in found.stdout, found.stderr


@posix
def test_a_private_folder_is_never_one_that_somebody_else_prepared(tmp_path, monkeypatch):
    monkeypatch.setattr(surroundings.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(surroundings.tempfile, "tempdir", str(tmp_path))
    place = tmp_path / f"gan-playground-{os.geteuid()}"
    (tmp_path / "elsewhere").mkdir()
    place.symlink_to(tmp_path / "elsewhere")
    assert not is_own(place) and private_folder("x").parent.parent == tmp_path
    assert not list((tmp_path / "elsewhere").iterdir())
    place.unlink()
    assert private_folder("x") == place / "x" == private_folder("x") and place.stat().st_mode & 0o77 == 0
    (place / "file").touch()
    assert can_write(place / "not" / "yet") and not can_write(place / "file") and not can_write(place / "file" / "in")

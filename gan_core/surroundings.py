"""What surrounds a process here and may be poor: a terminal's letters, a home that cannot be written to, a quota of cores.

Every command line calls `prepare` first, before torch, matplotlib or gradio are imported; what it sets holds for the processes
that are started later, too. The folders of gradio are left to the page.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import stat
import sys
import tempfile
from pathlib import Path

from .compute.cores import limit_library_threads

ESCAPED = "gan-escaped"  # how an unknown letter is handled, by the name that codecs know it by
PLAIN = {"‘": "'", "’": "'", "“": '"', "”": '"', "«": '"', "»": '"', "…": "...", "–": "-", "—": "-", "→": "->", "×": "x",
         "\u00a0": " ", "\u202f": " "}


def prepare() -> None:
    """Make the best of what this process finds. It may begin again, so call it before anything else is done."""
    _read_names_as_utf8()
    escape_unknown_letters()
    limit_library_threads()
    _replace_unwritable_home()


def _read_names_as_utf8() -> None:
    """Begin again where Python would take names of files for ASCII: a config could name no folder with an accent.

    What is printed stays in the letters of the terminal.
    """
    if os.name != "posix" or sys.getfilesystemencoding() != "ascii" or os.environ.get("PYTHONUTF8") == "1":
        return
    os.environ["PYTHONUTF8"] = "1"
    os.environ.setdefault("PYTHONIOENCODING", f"{getattr(sys.stdout, 'encoding', 'ascii')}:backslashreplace")
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def escape_unknown_letters() -> None:
    """Let a letter that the terminal does not know be printed as its number, é as \\xe9; Python would refuse the whole line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ESCAPED)


def printable(text: str, stream: object = None) -> str:
    """The text as `escape_unknown_letters` has it, for a stream (None: stdout) that others opened."""
    encoding = getattr(sys.stdout if stream is None else stream, "encoding", None) or "utf-8"
    return text.encode(encoding, ESCAPED).decode(encoding)


def _escape(error: UnicodeError) -> tuple[str | bytes, int]:
    """Of Python's `backslashreplace`, but for signs that ASCII has nearly as well."""
    if isinstance(error, UnicodeEncodeError) and error.object[error.start] in PLAIN:
        return PLAIN[error.object[error.start]], error.start + 1
    if isinstance(error, UnicodeEncodeError):
        error.end = error.start + 1
    return codecs.backslashreplace_errors(error)


codecs.register_error(ESCAPED, _escape)


def can_write(folder: Path) -> bool:
    """Whether files can be made in a folder, or the folder itself where it does not exist yet."""
    existing = next((path for path in (folder, *folder.parents) if path.exists()), folder)
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)


def is_own(folder: Path) -> bool:
    """Whether a folder is this user's: in a shared temporary folder anybody may have made it, and could change what is in it."""
    try:
        found = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and (os.name != "posix" or found.st_uid == os.geteuid()) and can_write(folder)


def private_folder(name: str) -> Path:
    """A folder of this user alone within the temporary one. Raises OSError where there is no place for it."""
    user = str(os.geteuid()) if os.name == "posix" else "user"
    folder = Path(tempfile.gettempdir()) / f"gan-playground-{user}"
    with contextlib.suppress(FileExistsError):  # something else has the name
        folder.mkdir(mode=0o700, exist_ok=True)
    if not is_own(folder):
        folder = Path(tempfile.mkdtemp(prefix="gan-playground-"))
    (folder / name).mkdir(exist_ok=True)
    return folder / name


def _replace_unwritable_home() -> None:
    """Give libraries other places than a home that is unknown or cannot be written to.

    Data are kept elsewhere only where somebody says so: what is in a temporary folder is gone some day.
    """
    if os.name != "posix":
        return
    if not os.path.isabs(os.path.expanduser("~")):  # no HOME, and a user without a name, as in many containers
        os.environ["HOME"] = "/"
    config = Path(os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config"))
    if "MPLCONFIGDIR" not in os.environ and not can_write(config / "matplotlib"):
        with contextlib.suppress(OSError):  # it then makes a new folder at each start, and says so
            os.environ["MPLCONFIGDIR"] = str(private_folder("matplotlib"))

"""A file that is being downloaded: NAME.part, and the note beside it that says which version its bytes are of.

Where the bytes come from is left to `download`.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from ..runs.files import replace, sync_folder


@dataclass
class Note:
    """The address and version of a file's bytes, as JSON beside it. version: for If-Range, "" if unknown."""

    url: str = ""
    version: str = ""
    total: int = 0  # length of the whole file in bytes, 0 if unknown

    @classmethod
    def read(cls, path: Path) -> Note:
        """The note at `path`; an empty one where there is none or it is damaged."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            return cls(str(values["url"]), str(values["version"]), int(values["total"]))
        except (OSError, ValueError, KeyError, TypeError):
            return cls()

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")


def note_path(path: Path) -> Path:
    """Where the note of a file lies."""
    return path.with_name(path.name + ".json")


class PartialFile:
    """NAME.part and its note. Without a note its bytes are of no known version, and the download starts anew."""

    def __init__(self, target: Path) -> None:
        self.target, self.target_note = target, note_path(target)
        self.path = target.with_name(target.name + ".part")
        self.note_path = note_path(self.path)
        if self.note_path.exists() and not self.path.exists():  # the process was killed between the two moves of `finish`
            os.replace(self.note_path, self.target_note)

    @property
    def size(self) -> int:
        """Bytes that are here."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    @property
    def note(self) -> Note:
        return Note.read(self.note_path)

    def extend_target(self) -> None:
        """Start from a copy of the target, of which only the beginning was fetched; the target itself stays in use."""
        if self.target.is_file() and self.target.stat().st_size > self.size and Note.read(self.target_note).version:
            self.drop()
            shutil.copyfile(self.target, self.path)
            shutil.copyfile(self.target_note, self.note_path)

    def begin(self, note: Note) -> None:
        """Make it empty, for bytes of this version."""
        self.note_path.unlink(missing_ok=True)
        self.path.write_bytes(b"")
        note.write(self.note_path)

    def drop(self) -> None:
        """Delete it."""
        self.note_path.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def finish(self, keep_note: bool) -> None:
        """Move it to the target atomically; the note follows."""
        with open(self.path, "rb+") as file:
            os.fsync(file.fileno())
        replace(self.path, self.target)
        if keep_note:
            replace(self.note_path, self.target_note)
        else:
            self.note_path.unlink(missing_ok=True)
        sync_folder(self.target.parent)

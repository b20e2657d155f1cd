"""One file of a folder or an archive, before anybody has opened it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..types import ByteReader

DEFAULT_SIDE = 32  # pixels of a picture, where no size is requested


@dataclass(frozen=True, slots=True)
class Item:
    """A file: its folders below the root, its name, and a `key` that says to its owner how to open it.

    There may be a million: those of one folder share its tuple, and its key where the name says the rest.
    """

    folders: tuple[str, ...]
    name: str
    key: Any


Opener: TypeAlias = Callable[[Item], AbstractContextManager[ByteReader]]

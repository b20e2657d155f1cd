"""What cannot be done, as a key and plain values: English for the command line and the logs, any other language for a page.

`sentences.json` holds the English; another language says the same keys in its own table (gan_core/ui/words). This knows what a
value may be and how it is put into a sentence, and neither data, nor networks, nor a page.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

LONGEST = 500  # letters of one value: a path, an address, what a library said
DEEP = 12  # parts within parts: a page also says what stands in somebody else's folder


class Fault(Exception):
    """Something that cannot be done; its text is the English sentence behind `key`.

    A value is a text, a number, a `byte_size`, a {"dataset": name} or {"field": name} of a config, another fault or
    `message`, or a list of such. Raises KeyError for an unknown key or a value that its sentence wants and does not get.
    """

    def __init__(self, key: str, /, **values: Any) -> None:
        self.key, self.values = key, {name: _plain(value) for name, value in values.items()}
        super().__init__(ENGLISH.sentence(self.payload()))

    def payload(self) -> dict[str, Any]:
        """{"key", "values"} in plain JSON types: `Language.sentence` makes a sentence of it."""
        return {"key": self.key, "values": self.values}


class Misfit(Fault, ValueError):
    """Data, networks and settings that each are well and do not go together."""


def message(key: str, /, **values: Any) -> dict[str, Any]:
    """A piece of a sentence, to be a value of another one."""
    return {"key": key, "values": {name: _plain(value) for name, value in values.items()}}


def byte_size(count: int) -> dict[str, int]:
    """So many bytes, to be a value."""
    return {"bytes": int(count)}


def os_reason(error: OSError) -> Any:
    """Why the system refused, as a value: the usual reasons have words in every language, the others only the system's."""
    key = f"os_{errno.errorcode.get(error.errno or 0, '').lower()}"
    return message(key) if key in english_templates() else str(error.strerror or error)


def _plain(value: Any) -> Any:
    if isinstance(value, Fault):
        return value.payload()
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, dict | int | float):
        return value
    line = " ".join(str(value)[:LONGEST].splitlines())
    return line.encode("utf-8", "replace").decode()  # a path may hold what is no letter


@dataclass(frozen=True)
class Language:
    """How a language says things: template(key), number(value), name(kind, name) of a "dataset" or a "field"."""

    template: Callable[[str], str]
    number: Callable[[float], str]
    name: Callable[[str, str], str]

    def sentence(self, told: Mapping[str, Any], deep: int = DEEP) -> str:
        """The sentence of {"key", "values"}. Raises KeyError, TypeError, ValueError and the like for what is none."""
        values = {name: self._value(value, deep - 1) for name, value in told["values"].items()}
        return self.template(told["key"]).format_map(values)

    def _value(self, value: Any, deep: int) -> str:
        if not deep:
            raise ValueError("sentences within sentences without an end")
        if isinstance(value, list):
            return ", ".join(self._value(one, deep - 1) for one in value)
        if not isinstance(value, Mapping):
            return value if isinstance(value, str) else self.number(value)
        if "bytes" in value:
            return self._size(value["bytes"])
        if "key" in value:
            return self.sentence(value, deep)
        ((kind, name),) = value.items()
        return self.name(kind, name)

    def _size(self, count: int) -> str:
        unit, scale, digits = ("bytes", 1, 0) if count < 100_000 else ("mb", 1e6, 1) if count < 1e9 else ("gb", 1e9, 2)
        return self.template(f"size_{unit}").format(n=self.number(round(count / scale, digits)))


@cache
def english_templates() -> dict[str, str]:
    """Every key with its sentence, in the file's order."""
    return json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))


ENGLISH = Language(lambda key: english_templates()[key], lambda value: f"{value:,.10g}", lambda kind, name: name)

"""Messages as a key and plain values: English for the command line and the logs, any other language for the page.

`messages.json` holds the English templates; another language has the same keys in its own table (gan_core/ui/words). This
module formats messages. What they are about is left to the code that makes them.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from numbers import Integral
from pathlib import Path
from typing import Any, TypeAlias, TypedDict

MAX_LETTERS = 500  # of one value: a path, an address, what a library raised
MAX_DEPTH = 12  # messages within messages: the page also formats what it finds in a stranger's folder


def one_line(value: object, most: int = 80) -> str:
    """What was given, as Python writes it, on one line of at most so many letters: an array's or a module's text has many."""
    text = " ".join(repr(value).split())
    return text if len(text) <= most else text[:most - 1] + "\u2026"


def is_whole(value: object) -> bool:
    """Whether it is a whole number, numpy's among them; True and False are none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


class Message(TypedDict):
    """A sentence, or a part of one, in plain JSON types."""

    key: str
    values: dict[str, Value]


class ByteSize(TypedDict):
    """A number of bytes, shown in the unit that reads best."""

    bytes: int


# A dict of one item names a choice in a config: {"dataset": name}, {"field": name}, {"loss": name}.
Value: TypeAlias = "str | float | list[Value] | Message | ByteSize | dict[str, str]"


class Fault(Exception):
    """Something that cannot be done; `str` of it is the English sentence behind `key`.

    A value is a text, a number, a `byte_size`, a {"dataset": name} or {"field": name} of a config, another fault or
    `message`, or a list of these. Raises KeyError for an unknown key or a value that the template needs and does not get.
    """

    def __init__(self, key: str, /, **values: Any) -> None:
        self.key, self.values = key, {name: _plain(value) for name, value in values.items()}
        super().__init__(ENGLISH.sentence(self.payload()))

    def payload(self) -> Message:
        """The fault as a message: `Language.sentence` formats it."""
        return {"key": self.key, "values": self.values}


class Misfit(Fault, ValueError):
    """Data, networks and settings that are each valid but do not go together."""


class Explained(Exception):
    """An error of one sentence. `fault`: the message behind it, None where it is said in English only."""

    def __init__(self, sentence: Fault | str, fault: Any = None) -> None:
        super().__init__(str(sentence))
        self.fault = sentence.payload() if isinstance(sentence, Fault) else fault


def reason_of(error: Exception) -> Message | str:
    """Why something failed, as a value: the message behind the error's sentence, else the sentence."""
    if isinstance(error, Fault):
        return error.payload()
    if isinstance(error, OSError):
        return os_reason(error)
    return getattr(error, "fault", None) or str(error)


def message(key: str, /, **values: Any) -> Message:
    """A message that is no refusal, or a part of another one: takes the same values as `Fault`."""
    return {"key": key, "values": {name: _plain(value) for name, value in values.items()}}


def byte_size(count: int) -> ByteSize:
    """A number of bytes as a value."""
    return {"bytes": int(count)}


def os_reason(error: OSError) -> Message | str:
    """Why the system refused, as a value. The usual reasons are translated; the others are in the system's own words."""
    key = f"os_{errno.errorcode.get(error.errno or 0, '').lower()}"
    return message(key) if key in english_templates() else str(error.strerror or error)


def _plain(value: Any) -> Any:
    if isinstance(value, Fault):
        return value.payload()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict | int | float):
        return value
    line = " ".join(str(value)[:MAX_LETTERS].splitlines())
    return line.encode("utf-8", "replace").decode()  # a path may hold surrogates, which JSON files and pages cannot


@dataclass(frozen=True)
class Language:
    """How a language formats: template(key), number(value), name(kind, name) of a {kind: name} value."""

    template: Callable[[str], str]
    number: Callable[[float], str]
    name: Callable[[str, str], str]

    def sentence(self, payload: Mapping[str, Any], depth: int = MAX_DEPTH) -> str:
        """The sentence of a message. Raises KeyError, TypeError, ValueError and the like for anything else."""
        values = {name: self._value(value, depth - 1) for name, value in payload["values"].items()}
        return self.template(payload["key"]).format_map(values)

    def _value(self, value: Any, depth: int) -> str:
        if not depth:
            raise ValueError("messages within messages without an end")
        if isinstance(value, list):
            return ", ".join(self._value(item, depth - 1) for item in value)
        if not isinstance(value, Mapping):
            return value if isinstance(value, str) else self.number(value)
        if "bytes" in value:
            return self._size(value["bytes"])
        if "key" in value:
            return self.sentence(value, depth)
        ((kind, name),) = value.items()
        return self.name(kind, name)

    def _size(self, count: int) -> str:
        unit, scale, digits = ("bytes", 1, 0) if count < 100_000 else ("mb", 1e6, 1) if count < 1e9 else ("gb", 1e9, 2)
        return self.template(f"size_{unit}").format(n=self.number(round(count / scale, digits)))


@cache
def english_templates() -> dict[str, str]:
    """Key -> English template, in the file's order."""
    templates: dict[str, str] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return templates


ENGLISH = Language(lambda key: english_templates()[key], lambda value: f"{value:,.10g}", lambda kind, name: name)

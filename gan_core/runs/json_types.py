"""JSON values against Python types: what a file of a run holds may have been damaged, or written by another program."""

from __future__ import annotations

import types
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints, is_typeddict

from ..messages import Message

MAX_ITEMS, MAX_NUMBERS = 100, 10_000  # of a list or of named numbers; of a list of numbers
MAX_NUMBER = 2**62


@cache
def type_hints(kind: Any) -> dict[str, Any]:
    """typing.get_type_hints, computed once."""
    return get_type_hints(kind)


def is_number(value: Any) -> bool:
    """Whether a JSON value is a finite number that fits 63 bits."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -MAX_NUMBER < value < MAX_NUMBER


def fits(value: Any, hint: Any) -> bool:
    """Whether a JSON value has this type: a plain type, a list, a dict with text keys, a TypedDict or a union of these."""
    if hint is Any:
        return True
    if hint in (bool, str):
        return type(value) is hint
    if hint is int:
        return type(value) is int and is_number(value)
    if hint is float:
        return is_number(value)
    if hint is Message:  # recursive; `Language.sentence` copes with any values
        return isinstance(value, dict) and isinstance(value.get("key"), str) and isinstance(value.get("values"), dict)
    if is_typeddict(hint):
        return isinstance(value, dict) and hint.__required_keys__ <= value.keys() and all(
            fits(value[name], kind) for name, kind in type_hints(hint).items() if name in value)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is list:  # JSON has no tuples
        limit = MAX_NUMBERS if arguments[0] is float else MAX_ITEMS
        return isinstance(value, list) and len(value) <= limit and all(fits(item, arguments[0]) for item in value)
    if origin is dict:
        if not isinstance(value, dict) or (arguments[1] is float and len(value) > MAX_ITEMS):
            return False
        return all(fits(item, arguments[1]) for item in value.values())
    if origin in (Union, types.UnionType):
        return any(value is None if kind is type(None) else fits(value, kind) for kind in arguments)
    raise TypeError(f"there is no check for {hint}")


def resembles(value: Any, hint: Any) -> bool:
    """As `fits`, but of an object only that it is one, whatever it holds: older and newer versions differ there."""
    if hint is Message or is_typeddict(hint) or get_origin(hint) is dict:
        return isinstance(value, dict)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is list:
        return isinstance(value, list) and all(resembles(item, arguments[0]) for item in value)
    if origin in (Union, types.UnionType):
        return any(value is None if kind is type(None) else resembles(value, kind) for kind in arguments)
    return fits(value, hint)

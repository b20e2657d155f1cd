"""Writes generated/ from the Python code: the stream's types, the keys of the words, and cases of the rule of kept frames.

    python tests/web/write_types.py
"""

from __future__ import annotations

import json
import random
import sys
import types
import typing
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from gan_core.messages import Message
from gan_core.runs.frames import FRAME_RATIO, NEWEST_FRAMES, Frame, kept_frames
from gan_core.ui import stream_types, words

GENERATED = Path(__file__).parent / "generated"
ALIASES = {"Measurement": "Record<string, number | null>"}
PLAIN = {str: "string", int: "number", float: "number", bool: "boolean", type(None): "null", Any: "any",
         Message: "any"}  # the page shows a message's sentences, and never takes it apart


def typescript(hint: Any) -> str:
    """A Python type as TypeScript writes it."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in PLAIN:
        return PLAIN[hint]
    if typing.is_typeddict(hint):
        return hint.__name__
    if origin in (typing.Union, types.UnionType):
        return " | ".join(typescript(one) for one in arguments)
    if origin is typing.Literal:
        return " | ".join(json.dumps(one) for one in arguments)
    if origin is list:
        return f"({typescript(arguments[0])})[]"
    if origin is dict:
        return f"Record<{typescript(arguments[0])}, {typescript(arguments[1])}>"
    raise TypeError(f"no TypeScript for {hint!r}; add it here")


def interface(kind: type) -> str:
    """One TypedDict, its docstring kept."""
    hints = typing.get_type_hints(kind)
    optional = kind.__optional_keys__  # type: ignore[attr-defined]
    rows = [f"    {name}{'?' if name in optional else ''}: {typescript(hint)};" for name, hint in hints.items()]
    return "\n".join([f"  /** {kind.__doc__} */", f"  interface {kind.__name__} {{", *rows, "  }"])


def declarations() -> str:
    """The namespace Stream: every type, and which event is which."""
    kinds = [kind for kind in vars(stream_types).values() if typing.is_typeddict(kind)]
    names = {stream_types.PublicStatus: "Status"}
    events = [f"    {name}: {kind.__name__};" for name, kind in stream_types.EVENTS.items()]
    return "\n".join([
        "// Written by write_types.py from gan_core/ui/stream_types.py.", "declare namespace Stream {",
        *map(interface, kinds),
        *(f"  type {alias} = {kind.__name__};" for kind, alias in names.items()),
        *(f"  type {name} = {meaning};" for name, meaning in ALIASES.items()),
        "  interface Events {", *events, "  }", "}", ""])


def cases(count: int = 40) -> list[dict[str, Any]]:
    """Steps of frames, and which of them the worker keeps."""
    draw = random.Random(0)
    made = []
    for size in range(count):
        steps = sorted(draw.sample(range(1 + 10 ** draw.randint(2, 5)), size))
        frames = [Frame(seq, step, Path(str(step))) for seq, step in enumerate(steps)]
        made.append({"steps": steps, "kept": [frame.step for frame in kept_frames(frames)]})
    return made


if __name__ == "__main__":
    GENERATED.mkdir(exist_ok=True)
    (GENERATED / "stream.d.ts").write_text(declarations(), encoding="utf-8")
    (GENERATED / "words.json").write_text(json.dumps(list(words.page_table("en"))), encoding="utf-8")
    rule = {"rule": {"ratio": FRAME_RATIO, "newest": NEWEST_FRAMES}, "cases": cases()}
    (GENERATED / "frames.json").write_text(json.dumps(rule), encoding="utf-8")

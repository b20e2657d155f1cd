"""The knobs of a run while it trains: which there are, in what groups, and how far their sliders reach.

It says what the page's script needs to draw them; what a change does is the worker's business, how it is asked for `controls`'.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from ...config import FIELD_GROUPS, LIVE
from .. import words
from ..controls import FIELDS
from .settings import choices

WIDEST = 20  # a field whose whole range is at most this has a slider in equal steps; larger ones need a `Slider` in config


def knob(name: str, lang: str) -> dict[str, Any]:
    """One knob: its kind ("number", "whole", "pair", "choice"), its slider or null, what is allowed."""
    field = FIELDS[name]
    about = field.metadata
    if about["choices"] is not None:
        said = choices(name, lambda key: words.text(key, lang))
        return {"name": name, "kind": "choice", "choices": [[value, text] for text, value in said]}
    if field.type.startswith("tuple"):
        return {"name": name, "kind": "pair"}
    slider = None
    if about["slider"] is not None:
        slider = {**asdict(about["slider"]), "log": True}
    elif about["high"] <= WIDEST:
        stops = about["high"] - about["low"] if field.type == "int" else 100
        slider = {"low": about["low"], "high": about["high"], "stops": stops, "log": False, "zero": False}
    return {"name": name, "kind": "whole" if field.type == "int" else "number", "slider": slider,
            "allowed": [about["low"], about["high"]]}


def table(lang: str) -> list[dict[str, Any]]:
    """The groups of the form that hold live fields, in its order, with their knobs."""
    groups = {group: [knob(name, lang) for name in names if name in LIVE] for group, names in FIELD_GROUPS.items()}
    return [{"group": group, "knobs": found} for group, found in groups.items() if found]


def tables() -> str:
    """JSON {language: table} for the page."""
    return json.dumps({lang: table(lang) for lang in words.LANGUAGES}, ensure_ascii=False)

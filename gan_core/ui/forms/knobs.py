"""The knobs of a run while it trains: which there are, in what groups, and how far their sliders reach.

The page's script draws them from this. Requests for a change are left to `controls`, its effect to the worker.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from ...config import FIELD_GROUPS, LIVE, OF_FIT
from .. import words
from ..refusal import FIELDS
from .settings import choices

WIDEST = 20  # a field with at most this range has a linear slider; larger ones need a `Slider` in config


def knob(name: str, lang: str) -> dict[str, Any]:
    """One knob: its kind ("number", "whole", "pair" or "choice"), its slider or None, its allowed range."""
    field = FIELDS[name]
    metadata = field.metadata
    if metadata["choices"] is not None:
        labelled = choices(name, lambda key: words.text(key, lang))
        return {"name": name, "kind": "choice", "choices": [[value, label] for label, value in labelled]}
    if field.type.startswith("tuple"):
        return {"name": name, "kind": "pair"}
    slider = None
    if metadata["slider"] is not None:
        slider = {**asdict(metadata["slider"]), "log": True}
    elif metadata["high"] <= WIDEST:
        stops = metadata["high"] - metadata["low"] if field.type == "int" else 100
        slider = {"low": metadata["low"], "high": metadata["high"], "stops": stops, "log": False, "zero": False}
    return {"name": name, "kind": "whole" if field.type == "int" else "number", "slider": slider,
            "allowed": [metadata["low"], metadata["high"]]}


def table(lang: str) -> list[dict[str, Any]]:
    """The groups of the form that hold live fields, in its order, with their knobs."""
    groups = {group: [{**knob(name, lang), "of_fit": name in OF_FIT} for name in names if name in LIVE]
              for group, names in FIELD_GROUPS.items()}
    return [{"group": group, "knobs": knobs} for group, knobs in groups.items() if knobs]


def tables() -> str:
    """JSON {language: table} for the page."""
    return json.dumps({lang: table(lang) for lang in words.LANGUAGES}, ensure_ascii=False)

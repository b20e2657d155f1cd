"""All the words a person reads, one JSON table a language; it knows nothing of gradio, runs or pages.

A key is "group.name" ("bar.step"); a value may hold {placeholders}. English is the reference: a key that another
language lacks is read in English, an unknown key raises.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

LANGUAGES = ("en", "fr")


@cache
def _table(lang: str) -> dict[str, str]:
    if lang not in LANGUAGES:
        raise KeyError(f"there are no words in {lang!r}; choose one of: {', '.join(LANGUAGES)}.")
    groups = json.loads((Path(__file__).parent / f"{lang}.json").read_text(encoding="utf-8"))
    return {f"{group}.{name}": words for group, names in groups.items() for name, words in names.items()}


def table(lang: str) -> dict[str, str]:
    """Every key of one language with its words, flat, in the file's order."""
    return {**_table("en"), **_table(lang)}


def number(value: float, lang: str = "en") -> str:
    """A number as the language writes it: 2,147,483,647.5 in English, with thin spaces and a comma in French."""
    english = f"{value:,.10g}"
    return english.replace(",", "\u202f").replace(".", ",") if lang == "fr" else english


def text(key: str, lang: str = "en", **values: object) -> str:
    """The words behind a key, its placeholders filled. Raises KeyError for an unknown key or a missing value."""
    return table(lang)[key].format(**values) if values else table(lang)[key]

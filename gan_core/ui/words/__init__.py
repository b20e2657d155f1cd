"""All texts of the page: one JSON table for each language.

A key is "group.name" ("bar.step"); a value may hold {placeholders}. English is the reference: a key missing in
another language falls back to English, an unknown key raises KeyError. The English of "fault.name" is
gan_core/messages.json, that of "fields.name.help" is the help in
gan_core/config.py, with the table's "terms" in place of the standard ones.
"""

from __future__ import annotations

import functools
import json
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from ... import messages, registry
from ...config import TrainConfig

REFERENCE = "en"
FOLDER = Path(__file__).parent
# The reference first; a language is a file here.
LANGUAGES = (REFERENCE, *sorted({path.stem for path in FOLDER.glob("*.json")} - {REFERENCE}))


@cache
def _table(lang: str) -> dict[str, str]:
    if lang not in LANGUAGES:
        raise KeyError(f"there are no words in {lang!r}; choose one of: {', '.join(LANGUAGES)}.")
    groups = json.loads((FOLDER / f"{lang}.json").read_text(encoding="utf-8"))
    if lang == REFERENCE:
        groups["fault"] = messages.english_templates()
        groups["fields"] = _with_help(groups["fields"], groups["terms"])
    return {f"{group}.{name}": words for group, names in groups.items() for name, words in names.items()}


def _with_help(labels: dict[str, str], terms: dict[str, str]) -> dict[str, str]:
    """After each field's label, its help from config with this table's terms in place of the standard ones."""
    help_texts = {f.name: f.metadata["help"] for f in fields(TrainConfig)}
    named = {}
    for name, text in labels.items():
        named[name] = text
        if name in help_texts:
            named[f"{name}.help"] = functools.reduce(lambda text, term: text.replace(*term), terms.items(), help_texts[name])
    return named


def table(lang: str) -> dict[str, str]:
    """Every key of one language with its words, flat, in the file's order."""
    return {**_table(REFERENCE), **_table(lang)}


def page_table(lang: str) -> dict[str, str]:
    """The table for the browser: without the templates of faults, which it gets as whole sentences."""
    return {key: text for key, text in table(lang).items() if not key.startswith("fault.")}


def match_language(accepted: str) -> str:
    """The first language of an Accept-Language header that has a table; English if none has."""
    tags = (tag.partition(";")[0].strip().lower().partition("-")[0] for tag in accepted[:1000].split(","))
    return next((lang for lang in tags if lang in LANGUAGES), LANGUAGES[0])


def number(value: float, lang: str = "en") -> str:
    """A number as the language writes it: 2,147,483,647.5 in English, with thin spaces and a comma in French.

    The page's scripts write theirs by the browser's own tables (Intl.NumberFormat).
    """
    texts = table(lang)
    marks = {",": texts["numbers.thousands"], ".": texts["numbers.decimal"]}
    return "".join(marks.get(letter, letter) for letter in f"{value:,.10g}")


def label(key: str, lang: str, otherwise: str) -> str:
    """The words behind a key, else `otherwise`: the bare name of what has no label, such as a preset of another version."""
    return table(lang).get(key, otherwise)


def dataset(name: str, lang: str = "en") -> str:
    """The label of a data set, at most 60 characters: of "digits" its text, of an upload its file name."""
    kind = name.partition(":")[0]
    return " ".join((registry.label(name) or label(f"settings.dataset.{kind}", lang, kind)).split())[:60]


def choice(field: str, value: str, lang: str = "en") -> str:
    """What a choice of a field is called; the value itself where it is a term that is the same in every language."""
    return label(f"choices.{field}.{value}", lang, value)


def text(key: str, lang: str = "en", **values: object) -> str:
    """The words behind a key, its placeholders filled. Raises KeyError for an unknown key or a missing value."""
    return table(lang)[key].format(**values) if values else table(lang)[key]


def fault(message: Any, lang: str = "en", otherwise: str = "") -> str:
    """The sentence of a `messages.Message`; `otherwise` where it is None, malformed or unknown here.

    A message may come from another process, another version or a stranger's folder, so nothing in it is trusted.
    """
    templates = table(lang)

    def name(kind: str, value: str) -> str:
        group = {"field": "fields", "dataset": "settings.dataset"}.get(kind, f"choices.{kind}")
        base, _, more = value.partition(":") if kind == "dataset" else (value, "", "")
        return text("data.called_with" if more else "data.called", lang, name=label(f"{group}.{base}", lang, base), more=more)

    language = messages.Language(lambda key: templates[f"fault.{key}"], lambda value: number(value, lang), name)
    try:
        return language.sentence(message)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return otherwise

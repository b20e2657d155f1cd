"""The word tables: every language says the same things, and every word that the page asks for is there."""

import re
from pathlib import Path
from string import Formatter

import pytest

from gan_core.config import PRESETS, TrainConfig
from gan_core.ui import words

ASSETS = Path(words.__file__).parent.parent / "assets"


def placeholders(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name is not None}


@pytest.mark.parametrize("lang", [lang for lang in words.LANGUAGES if lang != "en"])
def test_languages_have_the_same_keys_in_the_same_order_and_the_same_placeholders(lang):
    english, other = words._table("en"), words._table(lang)  # not table(), which fills gaps with English
    assert list(other) == list(english)
    assert {key: placeholders(other[key]) for key in other} == {key: placeholders(english[key]) for key in english}


@pytest.mark.parametrize("lang", words.LANGUAGES)
def test_no_word_is_empty_or_padded(lang):
    assert [key for key, said in words.table(lang).items() if not said or said != said.strip()] == []


def test_french_is_french():
    """A key that was copied and never translated is the likeliest mistake; these few are the same in both."""
    same = {key for key, said in words.table("fr").items() if said == words.table("en")[key]}
    assert same <= {"bar.title", "bar.images", "bar.speed", "transport.pause", "transport.step_d", "flow.expert", "curves.d_loss",
                    "curves.log", "latent.to_directions", "latent.slider", "latent.coordinate", "latent.directions",
                    "errors.refused"}


def test_every_literal_key_in_the_scripts_exists():
    used = set()
    for script in ASSETS.glob("*.js"):
        text = script.read_text(encoding="utf-8")
        groups = "bar|states|banner|transport|dialog|flow|samples|plane|curves|latent|empty"
        used |= set(re.findall(rf'"((?:{groups})\.[a-z_.]+)"', text))
    assert len(used) > 60
    assert used - set(words.table("en")) == set()


def test_every_preset_and_every_field_has_its_words():
    table = words.table("en")
    for preset in PRESETS:
        assert f"presets.{preset}.name" in table and f"presets.{preset}.sentence" in table
    for field in TrainConfig.__dataclass_fields__:
        assert f"fields.{field}" in table and f"fields.{field}.help" in table


def test_text_fills_placeholders_and_refuses_what_it_does_not_know():
    assert words.text("states.silent", n=7) == "Not answering for 7 s"
    assert words.text("states.silent", "fr", n=7) == "Sans réponse depuis 7 s"
    with pytest.raises(KeyError):
        words.text("states.sleeping")
    with pytest.raises(KeyError, match="en, fr"):
        words.text("states.running", "tlh")


def test_the_head_carries_words_that_cannot_close_its_script():
    from gan_core.ui import view
    tables = re.search(r"<script>window\.GAN_WORDS = (.*?);</script>", view.HEAD, re.S).group(1)
    assert "<" not in tables

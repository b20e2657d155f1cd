"""The word tables: every language says the same things, and every name of the config has its words."""

import json
from string import Formatter

import pytest

from gan_core.config import PRESET_GROUPS, PRESETS, TrainConfig
from gan_core.messages import Fault, byte_size, english_templates, message
from gan_core.registry import DATASETS, LOSSES, NETWORKS
from gan_core.ui import words


def placeholders(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name is not None}


@pytest.mark.parametrize("lang", [lang for lang in words.LANGUAGES if lang != "en"])
def test_languages_have_the_same_keys_in_the_same_order_and_the_same_placeholders(lang):
    english, other = words._table("en"), words._table(lang)  # not table(), which fills gaps with English
    assert list(other) == list(english)
    assert {key: placeholders(other[key]) for key in other} == {key: placeholders(english[key]) for key in english}


@pytest.mark.parametrize("lang", words.LANGUAGES)
def test_no_word_is_empty_or_padded(lang):
    padded = [key for key, value in words.table(lang).items() if not value or value != value.strip()]
    assert not set(padded) - {"numbers.thousands"}, "which may be a space"


def test_french_is_french():
    """A key that was copied and never translated is the likeliest mistake; these few are the same in both."""
    same = {key for key, value in words.table("fr").items() if value == words.table("en")[key]}
    assert same <= {"bar.title", "bar.images", "bar.speed", "transport.pause", "transport.step_d", "flow.expert", "curves.d_loss",
                    "curves.log", "latent.to_directions", "latent.slider", "latent.coordinate", "latent.directions",
                    "errors.refused", "presets.group_points", "settings.group_machine", "marks.change", "measures.kid",
                    "measures.classes", "measures.modes", "fields.condition", "fields.max_minutes", "choices.image_size.28",
                    "choices.image_size.32", "choices.image_size.64", "data.pad_points", "data.facts_points",
                    "data.some_pictures", "terms.discriminator", "keys.tab_key", "keys.rename_key", "keys.hint"}


def test_every_preset_and_every_field_has_its_words():
    table = words.table("en")
    for preset in PRESETS:
        assert f"presets.{preset}.name" in table and f"presets.{preset}.sentence" in table
    for field in TrainConfig.__dataclass_fields__:
        assert f"fields.{field}" in table and f"fields.{field}.help" in table


def test_every_preset_says_what_it_is_and_the_failing_ones_say_how_they_fail():
    for lang, value in (("en", "Made to fail: "), ("fr", "Fait pour échouer\u00a0: ")):
        sentences = {name: words.text(f"presets.{name}.sentence", lang) for name in PRESETS}
        failing = {name for name, group in PRESET_GROUPS.items() if group == "failing"}
        assert {name for name, sentence in sentences.items() if sentence.startswith(value)} == failing
        assert all(len(sentence) < 110 for sentence in sentences.values()), "one sentence fits its card"
        assert all(words.text(f"presets.group_{group}", lang) for group in PRESET_GROUPS.values())


def test_every_measure_has_a_name_and_one_sentence():
    named = {key for key in words.table("en") if key.startswith("measures.")}
    measures = {key for key in named if not key.endswith(".help")}
    assert named == measures | {f"{key}.help" for key in measures}
    for name in ("fd", "kid", "precision", "recall", "density", "coverage", "classes", "class_kl", "nearest", "modes", "good",
                 "mode_kl", "swd", "diversity", "readable"):
        assert f"measures.{name}" in measures
    for lang in words.LANGUAGES:
        value = [words.text(f"{key}.help", lang) for key in measures]
        assert all(sentence.endswith(".") and ". " not in sentence for sentence in value)


def test_what_a_field_may_be_is_said_in_words_or_is_a_term():
    terms = {"fp32", "bf16", "channels_last", "contiguous"}
    for field in TrainConfig.__dataclass_fields__.values():
        for value in field.metadata["choices"] or () if field.name != "dataset" else ():
            assert value in terms or f"choices.{field.name}.{value}" in words.table("en"), (field.name, value)


def test_text_fills_placeholders_and_refuses_what_it_does_not_know():
    assert words.text("states.silent", n=7) == "Not answering for 7 s"
    assert words.text("states.silent", "fr", n=7) == "Sans réponse depuis 7 s"
    with pytest.raises(KeyError):
        words.text("states.sleeping")
    with pytest.raises(KeyError, match=", ".join(words.LANGUAGES)):
        words.text("states.running", "tlh")


def test_a_fault_is_said_in_the_language_with_its_numbers_and_the_form_s_own_names():
    values = {"what": message("the_folder", path="/x"), "count": 1_234_567, "form": "3 x 64 x 64",
              "need": byte_size(15_200_000_000), "free": byte_size(1_500_000_000),
              "field": {"field": "max_images"}, "fit": 12_345, "other": {"field": "image_size"}}
    result = json.loads(json.dumps(Fault("memory", **values).payload()))
    assert words.fault(result, "fr").replace("\u00a0", " ") == (
        "Le dossier /x : 1\u202f234\u202f567 images de 3 x 64 x 64 demandent 15,2 Go de mémoire, alors que 1,5 Go sont libres ; "
        "réglez « Au plus » à 12\u202f345 ou moins, ou choisissez une « Taille » plus petite.")
    assert "set “At most” to 12,345 or less, or choose a smaller “Size”" in words.fault(result, "en")
    offline = {"first": "", "names": [{"dataset": "digits"}, {"dataset": "emnist:letters"}]}
    value = words.fault({"key": "unreachable_offline", "values": offline}, "fr").replace("\u00a0", " ")
    assert value.endswith("sans réseau : « Chiffres manuscrits », « EMNIST : lettres : letters ».")


def test_every_fault_has_its_french_and_every_name_in_it_is_the_form_s():
    assert {key.removeprefix("fault.") for key in words._table("fr") if key.startswith("fault.")} == set(english_templates())
    kinds = {"field": TrainConfig.__dataclass_fields__, "dataset": DATASETS, "loss": LOSSES, "networks": NETWORKS}
    for kind, names in kinds.items():
        for name in names:
            value = words.fault({"key": "tried", "values": {"url": {kind: name}, "reason": ""}}, "fr")
            assert value.startswith("«\u00a0") and f"«\u00a0{name}\u00a0»" not in value, (kind, name)


@pytest.mark.parametrize("result", [
    None, "text", 7, [], {}, {"key": "nonsense", "values": {}}, {"key": "folder_full"}, {"key": "folder_full", "values": 3},
    {"key": "folder_full", "values": {"path": "/x"}}, {"key": ["folder_full"], "values": {}}, {"key": "called", "values": {}},
    {"key": "tried", "values": {"url": {}, "reason": {"a": 1, "b": 2}}},
    {"key": "tried", "values": {"url": 10**400, "reason": ""}},
    {"key": "tried", "values": {"url": {"bytes": "many"}, "reason": ""}}, {"key": "tried", "values": {"url": {"dataset": 3}}}])
def test_what_is_no_fault_or_of_another_version_is_said_as_it_was(result):
    assert words.fault(result, "fr", "The sentence.") == "The sentence."


def test_the_page_carries_no_templates_of_faults():
    assert not [key for key in words.page_table("fr") if key.startswith("fault.")] and len(words.page_table("fr")) > 300


def test_what_has_no_label_keeps_its_bare_name():
    assert words.label("presets.quick.name", "fr", "x") == words.text("presets.quick.name", "fr")
    assert words.label("presets.of another version.name", "fr", "its name") == "its name"

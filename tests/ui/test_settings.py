"""The form: every word translated, every value back to the config it came from, every bad one refused by name."""

from dataclasses import fields

import pytest

from gan_core.config import LIVE, PRESET_GROUPS, PRESETS, TrainConfig
from gan_core.ui import words
from gan_core.ui.controls import Controls, Refusal
from gan_core.ui.forms import knobs, settings


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_shown_and_read_back_is_the_preset(preset, catalogue):
    config = PRESETS[preset]
    values = [settings.to_widget(name, getattr(config, name)) for name in settings.ADVANCED]
    assert Controls(catalogue).config(preset, settings.overrides(config.dataset, *values)) == config


def test_the_command_lines_values_come_before_the_presets_and_after_the_persons(catalogue):
    controls = Controls(catalogue, {"seed": 9, "device": "cpu"})
    assert controls.config("course", {}).seed == 9 and controls.config("course", {}).device == "cpu"
    assert controls.config("course", {"seed": 3}).seed == 3
    assert controls.config("course", {}).replace(seed=0, device="auto") == PRESETS["course"]


@pytest.mark.parametrize(("name", "value"), [
    ("seed", None), ("seed", 1.5), ("seed", -1), ("batch_size", 0), ("latent_dim", 2000), ("lr_d", -1), ("betas_d", "0.5"),
    ("betas_d", "a, b"), ("betas_g", "0.5, 1.0"), ("betas_g", "1 2 3"), ("ema_half_life", -1), ("device", "moon"),
    ("spectral_norm", 1), ("augment", "all"), ("max_images", "many"), ("max_images", "1.5"),
    ("max_images", "1,5"), ("betas_d", "0,5,0,99"), ("max_images", "-3"),
    ("max_images", "\u00b2"), ("max_images", "9" * 5000)])
def test_a_bad_value_is_refused_with_its_name_and_what_is_allowed(catalogue, name, value):
    values = [value if one == name else settings.to_widget(one, getattr(TrainConfig(), one)) for one in settings.ADVANCED]
    with pytest.raises(Refusal, match=name) as caught:
        Controls(catalogue).config("quick", settings.overrides("digits", *values))
    assert "give" in str(caught.value) or "choose" in str(caught.value)


@pytest.mark.parametrize("text", ["0.5, 0.99", "0.5 0.99", "0.5;0.99", " 0.5 ,0.99 ", "0.5,0.99", "0,5; 0,99", "0,5 0,99"])
def test_two_numbers_may_be_written_in_any_usual_way(text):
    assert TrainConfig(betas_d=settings.from_widget("betas_d", text)).betas_d == (0.5, 0.99)


@pytest.mark.parametrize(("text", "number"), [("", 0), (" ", 0), ("0", 0), ("50", 50), ("5 000", 5000), ("5\u202f000", 5000),
                                              ("5,000", 5000), ("1,234,567", 1234567)])
def test_an_empty_number_of_pictures_means_all(text, number):
    assert TrainConfig(max_images=settings.from_widget("max_images", text)).max_images == number
    assert settings.from_widget("max_images", settings.to_widget("max_images", number)) == number


@pytest.mark.parametrize("lang", words.LANGUAGES)
def test_every_field_says_its_range_in_the_language(lang):
    table = settings.translations()[lang]
    assert all("." not in key for key in table)
    for name in settings.ADVANCED:
        sentence = table[settings.translation_key(f"fields.{name}.info")]
        assert words.text(f"fields.{name}.help", lang) in sentence
        assert (settings.LIVE_MARK in sentence) == (name in LIVE), "what can change while a run trains is recognised"
        if settings.FIELDS[name].metadata["low"] is not None:
            assert words.text("settings.range", lang, low="\0", high="\1").split("\0")[1].split("\1")[0] in sentence
    assert "2,147,483,647" in settings.help_line("seed", "en")
    assert "2\u202f147\u202f483\u202f647" in settings.help_line("seed", "fr")


@pytest.mark.parametrize(("lang", "sentence"), [("en", "Batch is 0; give a whole number from 1 to 4,096."),
                                            ("fr", "Lot vaut 0\u00a0; donnez un nombre entier de 1 à 4\u202f096.")])
def test_people_are_told_in_their_language_by_the_labels_they_see(catalogue, lang, sentence):
    with pytest.raises(Refusal) as caught:
        Controls(catalogue).config("quick", {"batch_size": 0}, lang, labels=True)
    assert str(caught.value) == sentence.replace("Lot", words.text("fields.batch_size", lang))


@pytest.mark.parametrize("name", settings.ADVANCED)
@pytest.mark.parametrize("value", [None, "", "moon", -1, [1, 2, 3], 1e300])
def test_every_field_refuses_nonsense_in_every_language(catalogue, name, value):
    for lang in words.LANGUAGES:
        with pytest.raises(Refusal, match=words.text(f"fields.{name}", lang).split()[0]):
            Controls(catalogue).config("quick", {name: value}, lang, labels=True)


def test_every_field_stands_in_exactly_one_group():
    assert sorted([*settings.ADVANCED, "dataset"]) == sorted(TrainConfig.__dataclass_fields__)


def test_presets_and_fields_stand_in_groups_each_in_one_piece():
    for groups in (list(PRESET_GROUPS.values()), [f.metadata["group"] for f in fields(TrainConfig)]):
        assert groups == sorted(groups, key=list(dict.fromkeys(groups)).index)
    assert list(PRESET_GROUPS) == list(PRESETS)


def test_a_data_set_brings_a_preset_whose_networks_can_take_it():
    assert settings.preset_for("digits", "course") == "course", "one that can take it stays"
    assert settings.preset_for("ring", "course") == "ring" and settings.preset_for("grid", "steady") == "grid", "made for it"
    assert settings.preset_for("digits", "mode-collapse") == settings.preset_for("digits", "grid") == "quick"
    assert settings.preset_for("ring", "grid") == "grid", "points are points"


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("before", ["quick", "ring"])
def test_a_start_that_comes_before_a_choice_was_answered_trains_what_was_chosen(catalogue, preset, before):
    controls = Controls(catalogue)
    old = PRESETS[before].replace(batch_size=7)
    values = [old.dataset, *[""] * (settings.ARGUMENTS - 1), *[settings.to_widget(n, getattr(old, n)) for n in settings.ADVANCED]]
    config = settings.form_config(controls, "en", preset, *settings.filled_values(controls, preset, *values))
    assert config == PRESETS[preset]


def test_a_preset_keeps_the_data_it_can_take_and_else_brings_its_own():
    for preset in ("quick", "course", "steady", "conditional", "expert-too-strong"):
        assert settings.keeps_data(preset, "digits") and not settings.keeps_data(preset, "ring")
    for preset in ("ring", "grid", "mode-collapse", "merry-go-round"):
        assert not any(settings.keeps_data(preset, kind) for kind in ("digits", "ring", "grid"))


@pytest.mark.parametrize("lang", words.LANGUAGES)
def test_every_live_field_is_a_knob_and_its_slider_stays_in_its_range(lang):
    found = [knob for group in knobs.table(lang) for knob in group["knobs"]]
    assert sorted(knob["name"] for knob in found) == sorted(LIVE)
    for knob in found:
        about = settings.FIELDS[knob["name"]].metadata
        if knob["kind"] == "choice":
            assert [value for value, _ in knob["choices"]] == list(about["choices"])
        slider = knob.get("slider")
        if slider:
            assert about["low"] <= slider["low"] < slider["high"] <= about["high"] and (not slider["log"] or slider["low"] > 0)
            assert not slider["zero"] or about["low"] == 0
            ratio = (slider["high"] / slider["low"]) ** (1 / slider["stops"]) if slider["log"] else 2
            assert ratio > 1.05, "one press of an arrow key changes two digits"

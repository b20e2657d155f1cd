"""The form on the left: data set, preset, and every field of a config in groups, each with range and help from TrainConfig.

It turns fields into components and their values into a config; which values are valid is left to `config`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ... import registry
from ...config import FIELD_GROUPS, LIVE, PRESET_GROUPS, PRESETS, TrainConfig
from .. import containers, words
from ..controls import Controls
from ..gradio_import import gr
from ..preview_jobs import PreviewJobs
from ..refusal import FIELDS, Refusal
from .data_panel import ARGUMENTS, FORM_CHANGED, PICTURES, DataPanel, alert, check_networks, dataset_name, example_name, misfit

ALL = "max_images"  # a number whose 0 means all: shown as an empty box that says so
MADE_FOR = {config.dataset for config in PRESETS.values()}  # data sets that a preset was made for
# An event's `js=` that sets its first input to the page's language, and tells the page's script what the form holds now.
WITH_FORM = "(lang, ...form) => { ganPage.call('formChanged', ...form); return [ganPage.language, ...form]; }"
LIVE_MARK = "●"  # before the help of a field that may also change while a run trains
ADVANCED = tuple(name for names in FIELD_GROUPS.values() for name in names)
INPUTS = 1 + ARGUMENTS + len(ADVANCED)  # values of the form: the preset, what names the data set, and every field


def translation_key(name: str) -> str:
    """The key of a text in gradio's translations: without dots, which gradio would read as nesting."""
    return "gan_" + "".join(letter if letter.isalnum() else "_" for letter in name)


def translations() -> dict[str, dict[str, str]]:
    """All texts for `gr.I18n`, with the combined ones: help with range, a preset's name with its sentence."""
    tables = {}
    for lang in words.LANGUAGES:
        table = {translation_key(name): text for name, text in words.page_table(lang).items()}
        for name in ADVANCED:
            table[translation_key(f"fields.{name}.info")] = help_line(name, lang)
        for preset in PRESETS:
            table[translation_key(f"presets.{preset}.card")] = f"{words.text(f'presets.{preset}.name', lang)}\n" \
                                                   f"{words.text(f'presets.{preset}.sentence', lang)}"
        tables[lang] = table
    return tables


def help_line(name: str, lang: str) -> str:
    """One line under a field: help and range."""
    metadata, line = FIELDS[name].metadata, words.text(f"fields.{name}.help", lang)
    if name in LIVE:
        line = f"{LIVE_MARK} {line}"
    if metadata["low"] is None:
        return line
    low, high = (words.number(metadata[end], lang) for end in ("low", "high"))
    return f"{line} {words.text('settings.range', lang, low=low, high=high)}."


def choices(name: str, t: Callable[[str], Any]) -> list[tuple[Any, str]]:
    """(label, value) of each choice of a field; a value without a label is a term that is the same in every language."""
    texts = words.table("en")
    return [(t(f"choices.{name}.{value}") if f"choices.{name}.{value}" in texts else value, value)
            for value in FIELDS[name].metadata["choices"]]


def to_widget(name: str, value: Any) -> Any:
    """A config value as its component shows it."""
    if name == ALL:
        return str(value or "")
    return ", ".join(f"{v:g}" for v in value) if isinstance(value, tuple) else value


def split_pair(text: str) -> list[str] | None:
    """The two numbers of "0.5, 0.999", "0.5 0.999", "0,5; 0,999" or "0,5 0,999"; None where they are not two."""
    spaced = [part.strip(",") for part in text.replace(";", " ").split()]
    decimal = len(spaced) > 1  # its commas, where something else separates the two
    parts = [part for part in ([one.replace(",", ".") for one in spaced] if decimal else text.split(",")) if part]
    return parts if len(parts) == 2 else None


def from_widget(name: str, value: Any) -> Any:
    """A component's value as a config value; what cannot be parsed is returned as it is, for the config to refuse."""
    if FIELDS[name].type.startswith("tuple") and isinstance(value, str):
        return split_pair(value) or value
    if name == ALL and isinstance(value, str):
        number = "".join(value.split())  # 5 000 is one number, and so is 5,000
        number = number.replace(",", "") if re.fullmatch(r"\d{1,3}(,\d{3})+", number) else number
        return int(number or 0) if not number or (number.isdecimal() and len(number) < 16) else value
    return "" if value is None else value


def preset_for(dataset: str, preset: str) -> str:
    """The preset for a data set: the current one if its networks accept these data, else the first that was made for them,
    else the first that accepts them."""
    accepting = [name for name in PRESETS if not misfit(PRESETS[name].replace(dataset=example_name(dataset)))]
    if preset in accepting:
        return preset
    made = [name for name in accepting if PRESETS[name].dataset == dataset]
    return next(iter([*made, *accepting]), preset)


def keeps_data(preset: str, dataset: str) -> bool:
    """Whether a preset leaves the data set as it is.

    A preset for pictures accepts any pictures. A preset for points has its own set: only points that no preset was made for,
    such as drawn ones, may replace it.
    """
    entries, own = registry.DATASETS, PRESETS[preset].dataset
    if not entries[own].points:
        return not entries[dataset].points
    return entries[dataset].points and dataset not in MADE_FOR and preset != own


def overrides(dataset: str, *values: Any) -> dict[str, Any]:
    """The form's values, data set first, as a config's overrides."""
    return {"dataset": dataset, **{name: from_widget(name, value) for name, value in zip(ADVANCED, values, strict=True)}}


def form_config(controls: Controls, lang: str, preset: str, *values: Any) -> TrainConfig:
    """The config that the form's inputs make. Raises Refusal."""
    dataset = dataset_name(*values[:ARGUMENTS], lang=lang)
    return controls.config(preset, overrides(dataset, *values[ARGUMENTS:]), lang, labels=True)


def chosen_values(controls: Controls, config: TrainConfig, preset: str) -> dict[str, Any]:
    """The config's values without those of the machine that stand as the preset has them: nobody chose these, and a run that was
    begun elsewhere may have others."""
    values, filled = config.to_dict(), controls.config(preset, {}).to_dict()
    return {name: value for name, value in values.items() if name not in FIELD_GROUPS["machine"] or value != filled[name]}


def preview_config(controls: Controls, lang: str, values: list[Any]) -> TrainConfig:
    """A config with the data of the form; everything else is as in the default preset. Raises Refusal."""
    changes = overrides(dataset_name(*values[1:ARGUMENTS + 1], lang=lang), *values[ARGUMENTS + 1:])
    return controls.config(next(iter(PRESETS)), {name: changes[name] for name in ("dataset", *PICTURES)}, lang, labels=True)


def filled_values(controls: Controls, preset: str, *values: Any) -> list[Any]:
    """The values of the form after a choice of preset; the data set and its own fields stay where `keeps_data`."""
    config, forms = controls.config(preset, {}), len(PICTURES)
    fields = [to_widget(name, getattr(config, name)) for name in ADVANCED]
    if keeps_data(preset, values[0]):
        return [*values[:ARGUMENTS + forms], *fields[forms:]]
    return [config.dataset, *values[1:ARGUMENTS], *fields]


class Settings:
    """The form's components. `inputs` are the ones whose values make a config: preset, the data panel's, then ADVANCED.

    `filled`: the preset that the values are of. It is sent along with a Start, which may come before a choice was answered.
    """

    def __init__(self, t: Callable[[str], Any], controls: Controls, preview_jobs: PreviewJobs, lang: gr.Textbox) -> None:
        groups, name = PRESET_GROUPS, next(iter(PRESETS))
        first = controls.config(name, {})
        self._controls, self._preview_jobs = controls, preview_jobs

        def component(field: str, info: bool = True) -> Any:
            return self._component(field, to_widget(field, getattr(first, field)), t, info)

        self.data = DataPanel(t, first, component)
        containers.presets(groups)
        self.preset = gr.Radio([(t(f"presets.{one}.card"), one) for one in groups], value=name, label=t("presets.title"),
                               elem_id="preset", interactive=True)
        self.fields: list[Any] = list(self.data.fields.values())
        with gr.Accordion(t("settings.advanced"), open=False, elem_id="gan-advanced"):
            gr.Markdown(t("settings.live_note"), elem_id="gan-live-note")
            for group, names in FIELD_GROUPS.items():
                if group == "pictures":
                    continue  # stands with the data set
                with gr.Accordion(t(f"settings.group_{group}"), open=False, elem_id=f"gan-group-{group}",
                                  elem_classes="gan-group"):
                    self.fields += [component(field) for field in names]
            self.notice = gr.HTML("", elem_id="gan-notice", js_on_load=None, visible=True)
            defaults = gr.Button(t("settings.defaults"), size="sm", elem_id="btn-defaults")
        self.inputs = [self.preset, *self.data.inputs, *self.fields]
        self.filled = gr.Textbox(name, elem_id="form-filled", elem_classes="hidden", visible="hidden")
        self.kept = [self.filled, *self.inputs, self.data.recalled]  # what a change of language leaves as it was
        self._wire(controls, lang, defaults)

    def config(self, lang: str, filled: str, preset: str, *values: Any) -> TrainConfig:
        """The config of the form, whose values were filled by the preset `filled`. Raises Refusal where it cannot be trained."""
        if preset in PRESETS and filled != preset:  # pressed sooner than the choice was answered
            values = tuple(filled_values(self._controls, preset, *values))
        config = check_networks(form_config(self._controls, lang, preset, *values), self._preview_jobs, lang)
        refusal = self._preview_jobs.retry(config)  # without this a run would be made only to fail
        if refusal:
            raise Refusal("errors.refused", lang, message=words.fault(refusal["fault"], lang, refusal["sentence"]))
        return config

    def _wire(self, controls: Controls, lang: gr.Textbox, defaults: gr.Button) -> None:
        kind, forms = self.data.kind, len(PICTURES)

        def fill(preset: str, dataset: str) -> list[Any]:
            """The preset, and of `filled_values` what changes by it."""
            kind, *values = filled_values(controls, preset, dataset, *[gr.skip()] * (ARGUMENTS - 1 + forms))
            return [preset, gr.skip() if kind == dataset else kind, *values[ARGUMENTS - 1:], ""]

        def follow(dataset: str, preset: str) -> list[Any]:
            """Change the preset too, where its networks cannot take the new data set."""
            chosen = preset_for(dataset, preset)
            if chosen == preset:
                return [gr.skip()] * (len(ADVANCED) - forms + 3)
            return [chosen, chosen, *fill(chosen, dataset)[2 + forms:]]

        def check(lang: str, preset: str, *values: Any) -> str:
            try:
                form_config(controls, lang, preset, *values)
            except Refusal as refusal:
                return alert(str(refusal)) if not refusal.key.startswith("data.") else ""  # those are shown beside the data
            return ""

        quiet: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        # The last choice counts: by default gradio drops one made while an earlier one is being answered.
        last: dict[str, Any] = {"trigger_mode": "always_last", **quiet}
        for event, door in ((self.preset.input, "fill-preset"), (defaults.click, "fill-defaults")):
            event(fill, [self.preset, kind], [self.filled, kind, *self.fields, self.notice], api_name=door, **last).success(
                None, self.inputs, None, js=FORM_CHANGED, api_name=f"{door}-filled", queue=False, api_visibility="private")
        kind.input(follow, [kind, self.preset], [self.preset, self.filled, *self.fields[forms:], self.notice],
                   api_name="follow-dataset", **last)
        for name, component in zip(ADVANCED, self.fields, strict=True):
            component.input(check, [lang, *self.inputs], self.notice, js=WITH_FORM,
                            api_name=f"check-{name}", **last)
        place = {name: self.fields[ADVANCED.index(name)] for name in ("networks", "condition")}
        self.data.wire(lang, self.inputs, [self.preset, *place.values()], controls, self._preview_jobs)

    def _component(self, name: str, value: Any, t: Callable[[str], Any], info: bool = True) -> Any:
        """The component that fits a field: a list for choices, a number, or text for a pair of numbers."""
        field = FIELDS[name]
        classes = [marked for marked, holds in (("gan-live", name in LIVE), ("gan-whole", field.type == "int")) if holds]
        common = {"label": t(f"fields.{name}"), "info": t(f"fields.{name}.info") if info else None, "value": value,
                  "interactive": True, "elem_id": f"field-{name}", "elem_classes": classes}
        if field.metadata["choices"] is not None:
            return gr.Dropdown(choices(name, t), **common)
        if field.type == "bool":
            return gr.Checkbox(**common)
        if name == ALL:  # gradio's Number shows 0 where it is empty
            return gr.Textbox(max_lines=1, placeholder=t("data.all"), **common)
        if field.type.startswith("tuple"):
            return gr.Textbox(max_lines=1, **common)
        # No minimum, maximum, precision: gradio would clip, round or complain in its own words; the config says what is allowed.
        return gr.Number(**common)

"""The form on the left: data set, preset, and every field of a config in groups, each with range and help from TrainConfig.

It knows how a field becomes a component and a component's value a config value; what a config means is `config`'s business.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from ... import registry
from ...config import FIELD_GROUPS, LIVE, PRESET_GROUPS, PRESETS, TrainConfig
from .. import containers, words
from ..controls import FIELDS, Controls, Refusal
from ..preview_jobs import PreviewJobs
from .data_panel import ARGUMENTS, PICTURES, DataPanel, alert, misfit, name_of, some, wanted

ALL = "max_images"  # a number whose 0 means all: shown as an empty box that says so
MADE_FOR = {config.dataset for config in PRESETS.values()}  # data sets that a preset was made for
LIVE_MARK = "●"  # before the help of a field that may also change while a run trains
ADVANCED = tuple(name for names in FIELD_GROUPS.values() for name in names)
INPUTS = 1 + ARGUMENTS + len(ADVANCED)  # values of the form: the preset, what names the data set, and every field


def key(name: str) -> str:
    """A word's name as gradio's translation knows it: without dots, which it would read as nesting."""
    return "gan_" + "".join(letter if letter.isalnum() else "_" for letter in name)


def translations() -> dict[str, dict[str, str]]:
    """All words for `gr.I18n`, and those that are put together: what a field means with what it allows."""
    tables = {}
    for lang in words.LANGUAGES:
        table = {key(name): said for name, said in words.shown(lang).items()}
        for name in ADVANCED:
            table[key(f"fields.{name}.info")] = info(name, lang)
        for preset in PRESETS:
            table[key(f"presets.{preset}.card")] = f"{words.text(f'presets.{preset}.name', lang)}\n" \
                                                   f"{words.text(f'presets.{preset}.sentence', lang)}"
        tables[lang] = table
    return tables


def info(name: str, lang: str) -> str:
    """One line under a field: help and range."""
    about, said = FIELDS[name].metadata, words.text(f"fields.{name}.help", lang)
    if name in LIVE:
        said = f"{LIVE_MARK} {said}"
    if about["low"] is None:
        return said
    low, high = (words.number(about[end], lang) for end in ("low", "high"))
    return f"{said} {words.text('settings.range', lang, low=low, high=high)}."


def choices(name: str, t: Callable[[str], Any]) -> list[tuple[Any, str]]:
    """What a field may be, as people read it; a value without words of its own is a term that is the same everywhere."""
    said = words.table("en")
    return [(t(f"choices.{name}.{value}") if f"choices.{name}.{value}" in said else value, value)
            for value in FIELDS[name].metadata["choices"]]


def shown(name: str, value: Any) -> Any:
    """A config value as its component shows it."""
    if name == ALL:
        return str(value or "")
    return ", ".join(f"{v:g}" for v in value) if isinstance(value, tuple) else value


def read(name: str, value: Any) -> Any:
    """A component's value as a config takes it; what cannot be read is handed on, for the config to refuse by name."""
    if FIELDS[name].type.startswith("tuple") and isinstance(value, str):
        parts = [part for part in value.replace(";", ",").replace(" ", ",").split(",") if part]
        return parts if len(parts) == 2 else value
    if name == ALL and isinstance(value, str):
        number = "".join(value.split())  # some write 5 000
        return int(number or 0) if not number or (number.isdecimal() and len(number) < 16) else value
    return "" if value is None else value


def preset_for(dataset: str, preset: str) -> str:
    """The preset to go with a data set: the one chosen already if its networks take these data, else the first that was made
    for them, else the first that takes them."""
    able = [name for name in PRESETS if not misfit(PRESETS[name].replace(dataset=some(dataset)))]
    if preset in able:
        return preset
    made = [name for name in able if PRESETS[name].dataset == dataset]
    return next(iter([*made, *able]), preset)


def keeps_data(preset: str, dataset: str) -> bool:
    """Whether a preset leaves the data set as it is.

    One made for pictures takes any pictures. One made for points has a set of its own: only points that no preset was made
    for, drawn ones for instance, may replace it.
    """
    entries, mine = registry.DATASETS, PRESETS[preset].dataset
    if not entries[mine].points:
        return not entries[dataset].points
    return entries[dataset].points and dataset not in MADE_FOR and preset != mine


def overrides(dataset: str, *values: Any) -> dict[str, Any]:
    """The form's values, data set first, as a config's overrides."""
    return {"dataset": dataset, **{name: read(name, value) for name, value in zip(ADVANCED, values, strict=True)}}


def form(controls: Controls, lang: str, preset: str, *values: Any) -> TrainConfig:
    """The config that the form's inputs make. Raises Refusal."""
    dataset = name_of(*values[:ARGUMENTS], lang)
    return controls.config(preset, overrides(dataset, *values[ARGUMENTS:]), lang, labels=True)


def wish(controls: Controls, lang: str, values: list[Any]) -> TrainConfig:
    """What the form's inputs say of the data alone, everything else as in the default preset. Raises Refusal."""
    asked = overrides(name_of(*values[1:ARGUMENTS + 1], lang), *values[ARGUMENTS + 1:])
    return controls.config(next(iter(PRESETS)), {name: asked[name] for name in ("dataset", *PICTURES)}, lang, labels=True)


class Settings:
    """The form's components. `inputs` are the ones whose values make a config: preset, the data panel's, then ADVANCED."""

    def __init__(self, t: Callable[[str], Any], controls: Controls, preview_jobs: PreviewJobs, lang: gr.Textbox) -> None:
        groups, name = PRESET_GROUPS, next(iter(PRESETS))
        first = controls.config(name, {})
        self._controls, self._library = controls, preview_jobs

        def component(field: str, info: bool = True) -> Any:
            return self._component(field, shown(field, getattr(first, field)), t, info)

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
        self._wire(controls, lang, defaults)

    def config(self, lang: str, *values: Any) -> TrainConfig:
        """What the form asks for, if it can be trained. Raises Refusal."""
        config = wanted(form(self._controls, lang, *values), self._library, lang)
        refused = self._library.again(config)  # else a run would be made only to fail
        if refused:
            raise Refusal("errors.refused", lang, message=words.fault(refused["fault"], lang, refused["sentence"]))
        return config

    def _wire(self, controls: Controls, lang: gr.Textbox, defaults: gr.Button) -> None:
        kind, forms = self.data.kind, len(PICTURES)

        def fill(preset: str, dataset: str) -> list[Any]:
            """Everything as the preset has it; the data set and its form stay where the preset has none of its own."""
            config = controls.config(preset, {})
            values = [shown(name, getattr(config, name)) for name in ADVANCED]
            if keeps_data(preset, dataset):
                return [gr.skip()] * (1 + forms) + [*values[forms:], ""]
            return [config.dataset, *values, ""]

        def follow(dataset: str, preset: str) -> list[Any]:
            """Another data set: where the preset's networks cannot take it, one that can comes along."""
            chosen = preset_for(dataset, preset)
            if chosen == preset:
                return [gr.skip()] * (len(ADVANCED) - forms + 2)
            return [chosen, *fill(chosen, dataset)[1 + forms:]]

        def check(lang: str, preset: str, *values: Any) -> str:
            try:
                form(controls, lang, preset, *values)
            except Refusal as refusal:
                return alert(str(refusal)) if not refusal.key.startswith("data.") else ""  # that is said beside the data
            return ""

        quiet: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        # The last choice counts: by itself gradio drops one that is made while an earlier one is still being answered.
        last: dict[str, Any] = {"trigger_mode": "always_last", **quiet}
        for event, door in ((self.preset.input, "fill-preset"), (defaults.click, "fill-defaults")):
            event(fill, [self.preset, kind], [kind, *self.fields, self.notice], api_name=door, **last)
        kind.input(follow, [kind, self.preset], [self.preset, *self.fields[forms:], self.notice], api_name="follow-dataset",
                   **last)
        for name, component in zip(ADVANCED, self.fields, strict=True):
            component.input(check, [lang, *self.inputs], self.notice, js=containers.TELL_LANGUAGE,
                            api_name=f"check-{name}", **last)
        place = {name: self.fields[ADVANCED.index(name)] for name in ("networks", "condition")}
        self.data.wire(lang, self.inputs, [self.preset, *place.values()], controls, self._library)

    def _component(self, name: str, value: Any, t: Callable[[str], Any], info: bool = True) -> Any:
        """The component that fits a field: a list for choices, a number, or text for a pair of numbers."""
        field = FIELDS[name]
        common = {"label": t(f"fields.{name}"), "info": t(f"fields.{name}.info") if info else None, "value": value,
                  "interactive": True, "elem_id": f"field-{name}", "elem_classes": "gan-live" if name in LIVE else None}
        if field.metadata["choices"] is not None:
            return gr.Dropdown(choices(name, t), **common)
        if field.type == "bool":
            return gr.Checkbox(**common)
        if name == ALL:  # gradio's Number shows 0 where it is empty
            return gr.Textbox(max_lines=1, placeholder=t("data.all"), **common)
        if field.type.startswith("tuple"):
            return gr.Textbox(max_lines=1, **common)
        # No minimum or maximum here: gradio would cut or complain in its own words, the config says what is allowed.
        return gr.Number(precision=0 if field.type == "int" else None, **common)

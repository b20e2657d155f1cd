"""The form on the left: data set, preset, and every field of a config in groups, each with range and help from TrainConfig.

It knows how a field becomes a component and a component's value a config value; what a config means is `config`'s business.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import gradio as gr

from .. import registry
from ..config import LIVE, PRESETS
from . import view, words
from .controls import FIELDS, Controls, Refusal

# Which presets stand together; one that no group names stands with the first.
PRESET_GROUPS: dict[str, tuple[str, ...]] = {
    "digits": ("quick", "course", "course-wgan-gp", "steady", "conditional"),
    "points": ("ring", "grid"),
    "failing": ("expert-too-strong", "mode-collapse", "merry-go-round"),
}
# Every field but the data set, which has its own place.
FIELD_GROUPS: dict[str, tuple[str, ...]] = {
    "pictures": ("image_size", "color", "crop", "max_images"),
    "learned": ("networks", "loss", "condition", "latent_dim", "seed"),
    "optimizers": ("lr_d", "lr_g", "batch_size", "ema_half_life", "betas_d", "betas_g"),
    "steadiness": ("d_steps", "r1", "r2", "gradient_penalty", "penalty", "spectral_norm", "augment", "instance_noise",
                   "label_noise", "label_smoothing"),
    "schedule": ("max_steps", "max_minutes", "decay_steps", "lr_final", "penalty_final"),
    "machine": ("device", "precision", "memory_format", "rewrites", "threads", "processes",
                "measure_share"),
}
LIVE_MARK = "●"  # before the help of a field that may also change while a run trains
ADVANCED = tuple(name for names in FIELD_GROUPS.values() for name in names)


def preset_groups() -> dict[str, str]:
    """Every preset there is -> its group, in the order in which they are shown."""
    found = {name: group for group, names in PRESET_GROUPS.items() for name in names if name in PRESETS}
    strangers = {name: next(iter(PRESET_GROUPS)) for name in PRESETS if name not in found}
    return {**strangers, **found}


def key(name: str) -> str:
    """A word's name as gradio's translation knows it: without dots, which it would read as nesting."""
    return "gan_" + "".join(letter if letter.isalnum() else "_" for letter in name)


def translations() -> dict[str, dict[str, str]]:
    """All words for `gr.I18n`, and those that are put together: what a field means with what it allows."""
    tables = {}
    for lang in words.LANGUAGES:
        table = {key(name): said for name, said in words.table(lang).items()}
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
    return ", ".join(f"{v:g}" for v in value) if isinstance(value, tuple) else value


def read(name: str, value: Any) -> Any:
    """A component's value as a config takes it; what cannot be read is handed on, for the config to refuse by name."""
    if FIELDS[name].type.startswith("tuple") and isinstance(value, str):
        parts = [part for part in value.replace(";", ",").replace(" ", ",").split(",") if part]
        return parts if len(parts) == 2 else value
    return "" if value is None else value


def preset_for(dataset: str, preset: str) -> str:
    """The preset to go with a data set: the one chosen already if it was made for it, else the first that was, else no other."""
    fitting = [name for name in preset_groups() if PRESETS[name].dataset == dataset]
    return preset if preset in fitting or not fitting else fitting[0]


def overrides(dataset: str, *values: Any) -> dict[str, Any]:
    """The form's values, data set first, as a config's overrides."""
    return {"dataset": dataset, **{name: read(name, value) for name, value in zip(ADVANCED, values, strict=True)}}


class Settings:
    """The form's components. `inputs` are the ones whose values make a config: preset, dataset, then ADVANCED in order."""

    def __init__(self, t: Callable[[str], Any], controls: Controls, real: Callable[[], Any], lang: gr.Textbox) -> None:
        groups, name = preset_groups(), next(iter(PRESETS))
        first = controls.config(name, {})
        self.dataset = gr.Dropdown([(t(f"settings.dataset.{data}"), data) for data in registry.DATASETS], value=first.dataset,
                                   label=t("settings.title"), elem_id="dataset", interactive=True)
        real()
        view.presets(groups)
        self.preset = gr.Radio([(t(f"presets.{one}.card"), one) for one in groups], value=name, label=t("presets.title"),
                               elem_id="preset", interactive=True)
        self.fields: list[Any] = []
        with gr.Accordion(t("settings.advanced"), open=False, elem_id="gan-advanced"):
            gr.Markdown(t("settings.live_note"), elem_id="gan-live-note")
            for group, names in FIELD_GROUPS.items():
                with gr.Accordion(t(f"settings.group_{group}"), open=False, elem_id=f"gan-group-{group}",
                                  elem_classes="gan-group"):
                    self.fields += [self._component(field, shown(field, getattr(first, field)), t) for field in names]
            self.notice = gr.HTML("", elem_id="gan-notice", js_on_load=None, visible=True)
            defaults = gr.Button(t("settings.defaults"), size="sm", elem_id="btn-defaults")
        self.inputs = [self.preset, self.dataset, *self.fields]
        self._wire(controls, lang, defaults)

    def _wire(self, controls: Controls, lang: gr.Textbox, defaults: gr.Button) -> None:
        def fill(preset: str) -> list[Any]:
            config = controls.config(preset, {})
            return [config.dataset, *(shown(name, getattr(config, name)) for name in ADVANCED), ""]

        def follow(dataset: str, preset: str) -> list[Any]:
            """Another data set: where presets were made for it, its first one comes along."""
            chosen = preset_for(dataset, preset)
            return [chosen, *(fill(chosen)[1:] if chosen != preset else [gr.skip()] * (len(ADVANCED) + 1))]

        def check(lang: str, preset: str, dataset: str, *values: Any) -> str:
            try:
                controls.config(preset, overrides(dataset, *values), lang, labels=True)
            except Refusal as refusal:
                # Escaped twice over: html for the browser, and no template marks for gradio's own reading.
                said = html.escape(str(refusal)).replace("$", "&#36;").replace("{", "&#123;").replace("}", "&#125;")
                return f'<p role="alert">{said}</p>'
            return ""

        quiet: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        for event in (self.preset.input, defaults.click):
            event(fill, self.preset, [self.dataset, *self.fields, self.notice], **quiet)
        self.dataset.input(follow, [self.dataset, self.preset], [self.preset, *self.fields, self.notice], **quiet)
        for component in self.fields:
            component.input(check, [lang, *self.inputs], self.notice, trigger_mode="always_last",
                            js="(lang, ...rest) => [gan.lang, ...rest]", **quiet)

    def _component(self, name: str, value: Any, t: Callable[[str], Any]) -> Any:
        """The component that fits a field: a list for choices, a number, or text for a pair of numbers."""
        field = FIELDS[name]
        common = {"label": t(f"fields.{name}"), "info": t(f"fields.{name}.info"), "value": value, "interactive": True,
                  "elem_id": f"field-{name}", "elem_classes": "gan-live" if name in LIVE else None}
        if field.metadata["choices"] is not None:
            return gr.Dropdown(choices(name, t), **common)
        if field.type == "bool":
            return gr.Checkbox(**common)
        if field.type.startswith("tuple"):
            return gr.Textbox(max_lines=1, **common)
        # No minimum or maximum here: gradio would cut or complain in its own words, the config says what is allowed.
        return gr.Number(precision=0 if field.type == "int" else None, **common)

"""The form on the left: data set, preset, and the numbers that matter, each with range and help from TrainConfig.

It knows how a field becomes a component and a component's value a config value; what a config means is `config`'s business.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import gradio as gr

from .. import registry
from ..config import PRESETS
from . import words
from .controls import FIELDS, Controls, Refusal

ADVANCED = ("seed", "batch_size", "latent_dim", "lr_d", "lr_g", "betas_d", "betas_g", "ema_half_life", "device")


def key(name: str) -> str:
    """A word's name as gradio's translation knows it: without dots, which it would read as nesting."""
    return "gan_" + name.replace(".", "_").replace("-", "_")


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
    if about["choices"] is not None:
        return said
    low, high = (words.number(about[end], lang) for end in ("low", "high"))
    return f"{said} {words.text('settings.range', lang, low=low, high=high)}."


def shown(name: str, value: Any) -> Any:
    """A config value as its component shows it."""
    return ", ".join(f"{v:g}" for v in value) if isinstance(value, tuple) else value


def read(name: str, value: Any) -> Any:
    """A component's value as a config takes it; what cannot be read is handed on, for the config to refuse by name."""
    if FIELDS[name].type.startswith("tuple") and isinstance(value, str):
        parts = [part for part in value.replace(";", ",").replace(" ", ",").split(",") if part]
        return parts if len(parts) == 2 else value
    return "" if value is None else value


def overrides(dataset: str, *values: Any) -> dict[str, Any]:
    """The form's values, data set first, as a config's overrides."""
    return {"dataset": dataset, **{name: read(name, value) for name, value in zip(ADVANCED, values, strict=True)}}


class Settings:
    """The form's components. `inputs` are the ones whose values make a config: preset, dataset, then ADVANCED in order."""

    def __init__(self, t: Callable[[str], Any], controls: Controls, real: Callable[[], Any], lang: gr.Textbox) -> None:
        first = controls.config(next(iter(PRESETS)), {})
        self.dataset = gr.Dropdown([(t(f"settings.dataset.{name}"), name) for name in registry.DATASETS], value=first.dataset,
                                   label=t("settings.title"), elem_id="dataset", interactive=True)
        real()
        self.preset = gr.Radio([(t(f"presets.{name}.card"), name) for name in PRESETS], value=next(iter(PRESETS)),
                               label=t("presets.title"), elem_id="preset", interactive=True)
        with gr.Accordion(t("settings.advanced"), open=False, elem_id="gan-advanced"):
            self.fields = [self._component(name, shown(name, getattr(first, name)), t) for name in ADVANCED]
            self.notice = gr.HTML("", elem_id="gan-notice", js_on_load=None, visible=True)
            defaults = gr.Button(t("settings.defaults"), size="sm", elem_id="btn-defaults")
        self.inputs = [self.preset, self.dataset, *self.fields]

        def fill(preset: str) -> list[Any]:
            config = controls.config(preset, {})
            return [*(shown(name, getattr(config, name)) for name in ADVANCED), ""]

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
            event(fill, self.preset, [*self.fields, self.notice], **quiet)
        for component in self.fields:
            component.input(check, [lang, *self.inputs], self.notice, trigger_mode="always_last",
                            js="(lang, ...rest) => [gan.lang, ...rest]", **quiet)

    def _component(self, name: str, value: Any, t: Callable[[str], Any]) -> Any:
        """The component that fits a field: a list for choices, a number, or text for a pair of numbers."""
        field = FIELDS[name]
        common = {"label": t(f"fields.{name}"), "info": t(f"fields.{name}.info"), "value": value, "interactive": True,
                  "elem_id": f"field-{name}"}
        if field.metadata["choices"] is not None:
            return gr.Dropdown(list(field.metadata["choices"]), **common)
        if field.type.startswith("tuple"):
            return gr.Textbox(max_lines=1, **common)
        # No minimum or maximum here: gradio would cut or complain in its own words, the config says what is allowed.
        return gr.Number(precision=0 if field.type == "int" else None, **common)

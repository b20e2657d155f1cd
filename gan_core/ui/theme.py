"""The gradio theme: flat, calm, system fonts. Only gradio's own variables are set here; `web/styles/` does the rest."""

from __future__ import annotations

from .gradio_import import gr

SYSTEM = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def theme() -> gr.themes.Base:
    """A new theme object for `launch(theme=...)`."""
    ink, paper = "#171a1f", "#ffffff"
    return gr.themes.Base(
        primary_hue=gr.themes.colors.neutral, neutral_hue=gr.themes.colors.gray,
        font=SYSTEM, font_mono=MONO, radius_size=gr.themes.sizes.radius_lg, text_size=gr.themes.sizes.text_md,
        spacing_size=gr.themes.sizes.spacing_md,
    ).set(
        body_background_fill="#f6f7f9", body_background_fill_dark="#0f1216",
        body_text_color=ink, body_text_color_dark="#e9edf2",
        body_text_color_subdued="#5d6673", body_text_color_subdued_dark="#9aa5b3",
        background_fill_primary=paper, background_fill_primary_dark="#171b21",
        background_fill_secondary="#f6f7f9", background_fill_secondary_dark="#0f1216",
        border_color_primary="#dfe3e8", border_color_primary_dark="#2a313a",
        border_color_accent=ink, border_color_accent_dark="#e9edf2",
        block_background_fill=paper, block_background_fill_dark="#171b21",
        block_border_width="0px", block_border_width_dark="0px", block_shadow="none", block_shadow_dark="none",
        block_padding="0px", block_label_background_fill="transparent", block_label_background_fill_dark="transparent",
        input_background_fill=paper, input_background_fill_dark="#171b21",
        input_border_color="#8a93a0", input_border_color_dark="#5b6673", input_border_width="1px", input_border_width_dark="1px",
        input_shadow="none", input_shadow_dark="none", input_shadow_focus="none", input_shadow_focus_dark="none",
        button_primary_background_fill=ink, button_primary_background_fill_dark="#e9edf2",
        button_primary_background_fill_hover="#333a44", button_primary_background_fill_hover_dark="#ffffff",
        button_primary_text_color="#ffffff", button_primary_text_color_dark="#11151a",
        button_secondary_background_fill=paper, button_secondary_background_fill_dark="#171b21",
        button_secondary_background_fill_hover="#f0f2f5", button_secondary_background_fill_hover_dark="#20262e",
        button_secondary_border_color="#dfe3e8", button_secondary_border_color_dark="#2a313a",
        button_border_width="1px", button_border_width_dark="1px",
        button_primary_shadow="none", button_primary_shadow_hover="none", button_primary_shadow_active="none",
        button_secondary_shadow="none", button_secondary_shadow_hover="none", button_secondary_shadow_active="none",
        slider_color="#c2500a", slider_color_dark="#ff9d57",
    )

"""The Train view: settings left, samples in the middle, curves right, sliders below; native buttons, wired to `controls`.

It lays out and wires: `controls` defines what a button does, and what moves is drawn by `web/`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...runs.status import STEERED
from .. import containers, words
from ..controls import Controls
from ..gradio_import import gr
from ..preview_jobs import PreviewJobs
from ..refusal import Refusal
from . import knobs
from .settings import Settings

# The page fills in the run that it shows and its language; gradio's own values of the two boxes are never used.
# Through the queue: only there does gradio 6.31 show a refusal as a message (without it the page gets a 500 and is silent).
QUEUED: dict[str, Any] = {"queue": True, "concurrency_limit": 20, "show_progress": "hidden", "api_visibility": "private"}


def show_refusals(action: Callable[..., Any]) -> Callable[..., Any]:
    """The action with its refusals as messages on the page. Its second argument is the language."""
    def wrapped(run_id: str, lang: str, *values: Any) -> Any:
        lang = lang if lang in words.LANGUAGES else "en"
        try:
            return action(run_id if isinstance(run_id, str) else "", lang, *values)
        except Refusal as refusal:
            raise gr.Error(str(refusal), title=words.text("errors.title", lang), duration=8, print_exception=False) from refusal
    return wrapped


def warning(controls: Controls, lang: str) -> Callable[[str], None]:
    """Shows a sentence on the page beside what was done."""
    def show(sentence: str) -> None:
        gr.Warning(controls.catalogue.shown(sentence), title=words.text("errors.not_saved_title", lang), duration=20)
    return show


def build(t: Callable[[str], Any], controls: Controls, preview_jobs: PreviewJobs, run_box: gr.Textbox,
          lang_box: gr.Textbox) -> Settings:
    """Everything inside the first tab; returns its form. run_box, lang_box: hidden inputs, see `containers.WITH_RUN`."""
    with gr.Column(elem_id="gan-train"):
        with gr.Row(elem_id="gan-main"):
            with gr.Column(elem_id="gan-settings"):
                containers.faces()
                with gr.Column(elem_id="gan-next"):
                    settings = Settings(t, controls, preview_jobs, lang_box)
                with gr.Column(elem_id="gan-now"):
                    containers.real()
                    containers.knobs(knobs.tables())
            with gr.Column(elem_id="gan-stage"):
                buttons = _transport(t)
                containers.flow()
                containers.samples()
            with gr.Column(elem_id="gan-side"):
                containers.curves()
        with gr.Column(elem_id="gan-bottom"):
            containers.latent()
    _wire(controls, settings, buttons, run_box, lang_box)
    return settings


def _transport(t: Callable[[str], Any]) -> dict[str, gr.Button]:
    """The row of buttons, and those that only the page's own dialogs press."""
    names = ("start", "pause", "resume", "step", "step_d", "step_g", "reset", "save")
    with gr.Row(elem_id="gan-transport"):
        buttons = {name: gr.Button(t(f"transport.{name}"), elem_id=f"btn-{name.replace('_', '-')}",
                                   variant="primary" if name == "start" else "secondary") for name in names}
        for name in ("start-force", "reset-confirm", "reset-paused"):
            # In the page and out of sight: web/transport/ presses them after asking, because they take the form along.
            buttons[name] = gr.Button(name, elem_id=f"btn-{name}", elem_classes="hidden", visible="hidden")
    return buttons


def _wire(controls: Controls, settings: Settings, buttons: dict[str, gr.Button], run_box: gr.Textbox,
          lang_box: gr.Textbox) -> None:
    form = [settings.filled, *settings.inputs]

    def start(run_id: str, lang: str, filled: str, preset: str, *values: Any, force: bool = False) -> None:
        controls.start(settings.config(lang, filled, preset, *values), preset, force=force, lang=lang,
                       warn=warning(controls, lang))

    def start_force(run_id: str, lang: str, *values: Any) -> None:
        start(run_id, lang, *values, force=True)

    def stepper(network: str) -> Callable[..., None]:
        def step(run_id: str, lang: str, filled: str, preset: str, *values: Any) -> None:
            run = controls.catalogue.find_or_default(run_id)  # the form counts only where a new run begins
            config = settings.config(lang, filled, preset, *values) if run is None or run.kind not in STEERED else run.config
            controls.step(network, 1, config, preset, run_id, lang)
        return step

    def resetter(paused: bool) -> Callable[..., None]:
        def reset(run_id: str, lang: str, filled: str, preset: str, *values: Any) -> None:
            controls.reset(settings.config(lang, filled, preset, *values), preset, paused=paused, run_id=run_id, lang=lang,
                           warn=warning(controls, lang))
        return reset

    with_form: dict[str, Callable[..., Any]] = {
        "start": start, "start-force": start_force, "step": stepper("both"), "step_d": stepper("discriminator"),
        "step_g": stepper("generator"), "reset-confirm": resetter(False), "reset-paused": resetter(True)}
    for name, action in with_form.items():
        event = buttons[name].click(show_refusals(action), [run_box, lang_box, *form], None, js=containers.WITH_RUN,
                                    api_name=_door(name), **QUEUED)
        for listen, call, end in ((event.success, "startAccepted", "accepted"), (event.failure, "startRefused", "failed")):
            listen(None, None, None, js=containers.call(call), api_name=f"{_door(name)}-{end}", api_visibility="private")
    plain: dict[str, Callable[[str, str], Any]] = {
        "pause": controls.pause, "resume": controls.resume, "save": controls.save}
    for name, act in plain.items():
        buttons[name].click(show_refusals(_without_result(act)), [run_box, lang_box], None, js=containers.WITH_RUN,
                            api_name=_door(name), **QUEUED)


def _door(name: str) -> str:
    """The event of a button, as in the table of doors."""
    return f"button-{name.replace('_', '-')}"


def _without_result(act: Callable[[str, str], Any]) -> Callable[[str, str], None]:
    def wrapped(run_id: str, lang: str) -> None:
        act(run_id, lang)  # the page learns the outcome from the stream
    return wrapped

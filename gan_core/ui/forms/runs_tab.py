"""The Runs view: every run of the folder, the shipped ones, and those that lie elsewhere; look at one, or go on with it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gradio as gr

from ...config import PRESETS
from ...runs.run import Run, RunError
from .. import containers, words
from ..controls import Controls
from ..external_runs import Elsewhere
from .train_tab import QUIET, tell

# One after the other: an answer about the run that was chosen before must not come last.
IN_TURN: dict[str, Any] = {**QUIET, "concurrency_limit": 1, "concurrency_id": "runs enabled"}
SHOW_AND_TELL = "(run, lang, now) => { ganPage.call('showRun', now); return [run, ganPage.language, now]; }"
MOST = 200  # runs in the list, newest touched first


def card(run: Run, lang: str) -> str:
    """Two lines about a run: its name; state, step, data set, preset and the day it was made."""
    status = run.status()
    state = "starter" if run.kind == "starter" else status.state
    preset = words.text(f"presets.{run.preset}.name", lang) if run.preset in PRESETS else ""
    config = run.info.get("config")
    data = words.dataset(str(config.get("dataset", "")), lang) if isinstance(config, dict) else ""
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime(float(run.info.get("created", 0))))
    facts = [words.text(f"states.{state}", lang),
             f"{words.text('runs.step', lang).lower()} {words.number(status.step, lang)}", data, preset, made]
    lines = [run.name, " · ".join(fact for fact in facts if fact)]
    if isinstance(run, Elsewhere):
        mark = "runs.reading" if run.kind in ("reading", "remote") else "runs.elsewhere"
        lines.append(words.text(mark, lang, path=run.info.get("origin") or run.path))
    return "\n".join(lines)


def _head(t: Callable[[str], Any]) -> tuple[gr.Button, gr.Button, gr.Button, gr.Button]:
    """The buttons above the list: show, resume, let go, refresh."""
    with gr.Row(elem_id="gan-runs-head"):
        show = gr.Button(t("runs.show"), elem_id="btn-show", interactive=False)
        resume = gr.Button(t("runs.resume"), elem_id="btn-resume-run", interactive=False)
        let_go = gr.Button(t("runs.let_go"), elem_id="btn-let-go", interactive=False)
        return show, resume, let_go, gr.Button(t("runs.refresh"), elem_id="btn-refresh")


def _opener(t: Callable[[str], Any]) -> tuple[gr.Textbox, gr.Button]:
    """The box for a path or an address that is opened, and its button."""
    with gr.Row(elem_id="gan-attach"):
        place = gr.Textbox(label=t("runs.attach"), info=t("runs.attach_info"), placeholder=t("runs.attach_example"),
                           max_lines=1, elem_id="attach-place")
        return place, gr.Button(t("runs.open"), elem_id="btn-attach")


def build(t: Callable[[str], Any], controls: Controls, run_box: gr.Textbox, lang_box: gr.Textbox, tabs: gr.Tabs,
          tab: gr.Tab) -> None:
    """Everything inside the second tab; the list is read when the tab is opened."""
    catalogue = controls.catalogue
    with gr.Column(elem_id="gan-runs"):
        show, resume, let_go, refresh = _head(t)
        about = gr.Markdown("", elem_id="gan-runs-about")
        chosen = gr.Radio([], label=t("runs.choose"), elem_id="runs", interactive=True)
        place, attach = _opener(t)

    def listed(run_id: str, lang: str, now: str | None) -> tuple[Any, str]:
        cards = []
        for run in [*catalogue.own()[:MOST], *catalogue.external_runs.runs()[:MOST], *catalogue.starters()]:
            try:
                cards.append((card(run, lang), run.id))
            except RunError:
                continue  # it is being deleted at this moment
        known = {name for _, name in cards}
        # What a person has chosen is left alone: by now it may be another one than when this was asked.
        choice = {} if now in known else {"value": run_id if run_id in known else None}
        folder = words.text("runs.folder", lang, folder=f"`{catalogue.folder.resolve()}`")
        text = f"{folder}. {words.text('runs.help' if cards else 'runs.empty', lang)}"
        return gr.Radio(choices=cards, **choice), text

    def enabled(run_id: str, lang: str, now: str | None) -> tuple[Any, Any, Any]:
        run = catalogue.find(now or "")
        can = False
        if run is not None and run.kind == "run" and catalogue.supervisor.active() is None:
            status = run.status()
            can = status.state in ("stopped", "failed") and status.checkpoint_step >= 0
        return tuple(gr.Button(interactive=means) for means in (run is not None, can, isinstance(run, Elsewhere)))

    def go_on(run_id: str, lang: str, now: str | None) -> Any:
        controls.resume(now or "", lang)
        return gr.Tabs(selected="train")

    def opened(run_id: str, lang: str, text: str) -> tuple[Any, Any, str]:
        run = controls.attach(text, lang)
        return *listed(run.id, lang, None), ""

    def gone(run_id: str, lang: str, now: str | None) -> tuple[Any, Any]:
        controls.let_go(now or "", lang)
        return listed(run_id, lang, None)

    here, buttons = [run_box, lang_box, chosen], [show, resume, let_go]
    asked = {door: event(tell(listed), here, [chosen, about], js=containers.TELL, api_name=door, **QUIET)
             for door, event in (("list-runs", tab.select), ("refresh-runs", refresh.click))}
    asked |= {door: event(tell(opened), [run_box, lang_box, place], [chosen, about, place], js=containers.TELL, api_name=door,
                          **QUIET)
              for door, event in (("attach", attach.click), ("attach-submit", place.submit))}
    asked["let-go"] = let_go.click(tell(gone), here, [chosen, about], js=containers.TELL, api_name="let-go", **QUIET)
    for door, dependency in asked.items():
        dependency.success(tell(enabled), here, buttons, js=containers.TELL, api_name=f"{door}-enabled", **IN_TURN)
    chosen.input(tell(enabled), here, buttons, js=containers.TELL, trigger_mode="always_last", api_name="choose-run", **IN_TURN)
    show.click(lambda: gr.Tabs(selected="train"), None, tabs, api_name="show-tab", **QUIET)
    show.click(None, chosen, None, js=containers.call("showRun"), api_name="show-run", api_visibility="private")
    resume.click(tell(go_on), here, tabs, js=SHOW_AND_TELL, api_name="resume-run", **QUIET)

"""The Runs view: lists the runs of the folder, the shipped ones and those in other places, to be shown or resumed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gradio as gr

from ...config import PRESETS
from ...runs.run import Run, RunError
from .. import containers, words
from ..controls import Controls
from ..external_runs import ExternalRun
from .train_tab import QUEUED, show_refusals

# In order: the answer for an earlier choice must not come last.
IN_TURN: dict[str, Any] = {**QUEUED, "concurrency_limit": 1, "concurrency_id": "runs enabled"}
SHOW_WITH_RUN = "(run, lang, now) => { ganPage.call('showRun', now); return [run, ganPage.language, now]; }"
MOST = 200  # runs in the list, the most recently changed first


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
    if isinstance(run, ExternalRun):
        mark = "runs.reading" if run.kind in ("reading", "remote") else "runs.elsewhere"
        lines.append(words.text(mark, lang, path=run.info.get("origin") or run.path))
    return "\n".join(lines)


def _head(t: Callable[[str], Any]) -> tuple[gr.Button, gr.Button, gr.Button, gr.Button]:
    """The buttons above the list: show, resume, detach, refresh."""
    with gr.Row(elem_id="gan-runs-head"):
        show = gr.Button(t("runs.show"), elem_id="btn-show", interactive=False)
        resume = gr.Button(t("runs.resume"), elem_id="btn-resume-run", interactive=False)
        detach = gr.Button(t("runs.let_go"), elem_id="btn-let-go", interactive=False)
        return show, resume, detach, gr.Button(t("runs.refresh"), elem_id="btn-refresh")


def _opener(t: Callable[[str], Any]) -> tuple[gr.Textbox, gr.Button]:
    """The box for a path or an address to open, and its button."""
    with gr.Row(elem_id="gan-attach"):
        place = gr.Textbox(label=t("runs.attach"), info=t("runs.attach_info"), placeholder=t("runs.attach_example"),
                           max_lines=1, elem_id="attach-place")
        return place, gr.Button(t("runs.open"), elem_id="btn-attach")


def build(t: Callable[[str], Any], controls: Controls, run_box: gr.Textbox, lang_box: gr.Textbox, tabs: gr.Tabs,
          tab: gr.Tab) -> None:
    """Everything inside the second tab; the list is read when the tab is opened."""
    catalogue = controls.catalogue
    with gr.Column(elem_id="gan-runs"):
        show, resume, detach, refresh = _head(t)
        about = gr.Markdown("", elem_id="gan-runs-about")
        chosen = gr.Radio([], label=t("runs.choose"), elem_id="runs", interactive=True)
        place, attach = _opener(t)

    def listed(run_id: str, lang: str, now: str | None) -> tuple[Any, str]:
        cards = []
        for run in [*catalogue.own_runs()[:MOST], *catalogue.external_runs.runs()[:MOST], *catalogue.starters()]:
            try:
                cards.append((card(run, lang), run.id))
            except RunError:
                continue  # it is being deleted
        ids = {name for _, name in cards}
        # A choice is left alone: it may have changed since this was asked.
        choice: dict[str, Any] = {} if now in ids else {"value": run_id if run_id in ids else None}
        folder = words.text("runs.folder", lang, folder=f"`{catalogue.folder.resolve()}`")
        text = f"{folder}. {words.text('runs.help' if cards else 'runs.empty', lang)}"
        return gr.Radio(choices=cards, **choice), text

    def enabled(run_id: str, lang: str, now: str | None) -> tuple[Any, Any, Any]:
        run = catalogue.find(now or "")
        resumable = False
        if run is not None and run.kind == "run" and catalogue.supervisor.active() is None:
            status = run.status()
            resumable = status.state in ("stopped", "failed") and status.checkpoint_step >= 0
        return (gr.Button(interactive=run is not None), gr.Button(interactive=resumable),
                gr.Button(interactive=isinstance(run, ExternalRun)))

    def resume_run(run_id: str, lang: str, now: str | None) -> Any:
        controls.resume(now or "", lang)
        return gr.Tabs(selected="train")

    def attached(run_id: str, lang: str, text: str) -> tuple[Any, Any, str]:
        run = controls.attach(text, lang)
        return *listed(run.id, lang, None), ""

    def detached(run_id: str, lang: str, now: str | None) -> tuple[Any, Any]:
        controls.detach(now or "", lang)
        return listed(run_id, lang, None)

    inputs, buttons = [run_box, lang_box, chosen], [show, resume, detach]
    source = {"js": containers.WITH_RUN, **QUEUED}
    events = {door: listen(show_refusals(listed), inputs, [chosen, about], api_name=door, **source)
             for door, listen in (("list-runs", tab.select), ("refresh-runs", refresh.click))}
    events |= {door: listen(show_refusals(attached), [run_box, lang_box, place], [chosen, about, place], api_name=door,
                          **source)
              for door, listen in (("attach", attach.click), ("attach-submit", place.submit))}
    events["let-go"] = detach.click(show_refusals(detached), inputs, [chosen, about], api_name="let-go", **source)
    for door, dependency in events.items():
        dependency.success(show_refusals(enabled), inputs, buttons, js=containers.WITH_RUN, api_name=f"{door}-enabled", **IN_TURN)
    chosen.input(show_refusals(enabled), inputs, buttons, js=containers.WITH_RUN, trigger_mode="always_last",
                 api_name="choose-run", **IN_TURN)
    show.click(lambda: gr.Tabs(selected="train"), None, tabs, api_name="show-tab", **QUEUED)
    show.click(None, chosen, None, js=containers.call("showRun"), api_name="show-run", api_visibility="private")
    resume.click(show_refusals(resume_run), inputs, tabs, js=SHOW_WITH_RUN, api_name="resume-run", **QUEUED)

"""The Runs view: lists the runs of the folder, the shipped ones and those in other places, to be shown or resumed."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

from ...runs.run import Run, RunError
from ...runs.status import Status
from .. import containers, words
from ..controls import Controls
from ..external_runs import ExternalRun
from ..gradio_import import gr
from ..refusal import WATCHED, Refusal
from ..run_catalogue import RunCatalogue
from .train_tab import QUEUED, show_refusals

# In the browser: answers for two choices could come in the wrong order.
ENABLE = "(now, abilities) => ganPage.call('runButtons', now, abilities)"
SHOW_WITH_RUN = "(run, lang, now) => { ganPage.call('showRun', now); return [run, ganPage.language, now]; }"
MOST = 200  # runs in the list, the most recently changed first


def card(run: Run, lang: str, ending: bool = False) -> str:
    """Two lines about a run: its name; state, step, data set, preset and the day it was made. ending: whether it is being saved.

    web/runs/rows.js writes state and step of the second line anew.
    """
    status = run.status()
    state = "saving" if ending else "starter" if run.kind == "starter" else status.state
    origin = words.text("runs.notebook", lang) if run.kind == "notebook" else words.label(f"presets.{run.preset}.name", lang, "")
    config = run.info.get("config")
    data = words.dataset(str(config.get("dataset", "")), lang) if isinstance(config, dict) else ""
    made = ""
    with contextlib.suppress(ValueError, OverflowError, OSError):  # no moment that the calendar knows
        made = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.info.get("created", 0)))
    facts = [words.text(f"states.{state}", lang),
             _at_step(status, lang), data, origin, made]
    lines = [run.name, " · ".join(fact for fact in facts if fact)]
    if isinstance(run, ExternalRun):
        mark = "runs.reading" if run.kind in WATCHED else "runs.elsewhere"
        lines.append(words.text(mark, lang, path=run.info.get("origin") or run.path))
    return "\n".join(lines)


def _at_step(status: Status, lang: str) -> str:
    return words.text("samples.at_step", lang, step=words.number(status.step, lang))


def _title(run: Run, lang: str) -> str:
    """What the Train view calls a run: the name that a person gave it, else its preset's."""
    return run.name if run.name != run.id else words.label(f"presets.{run.preset}.name", lang, run.name)


def _listed_runs(catalogue: RunCatalogue) -> list[Run]:
    """The runs of the list, in its order."""
    return [*catalogue.own_runs()[:MOST], *catalogue.external_runs.runs()[:MOST], *catalogue.starters()]


def _abilities(controls: Controls, listed: list[Run], lang: str) -> str:
    """JSON, id of a run -> what may be done with it now: {"resume", "stop", "detach", "reason", "instead", "finished"}.

    reason: why it cannot be resumed, or what that asks first, or ""; instead: {"id", "name"} of the run that would be stopped for
    it, or null; finished: its {"step"} where it has finished, which is asked for how much longer it goes on, or null.
    """
    able, active = {}, controls.supervisor.active()
    for run in listed:
        with contextlib.suppress(RunError):
            able[run.id] = _abilities_of(run, controls, active, lang)
    return json.dumps(able)


def _abilities_of(run: Run, controls: Controls, active: Run | None, lang: str) -> dict[str, Any]:
    """What may be done with one run now, as in `_abilities`. Raises RunError where it is gone."""
    status = run.status()
    refusal, replaced = controls.resume_refusal(run, status, active, lang), controls.replaceable(run, status, active)
    able = {"resume": refusal is None or replaced is not None, "stop": controls.can_stop(run, status, active),
            "detach": isinstance(run, ExternalRun), "reason": str(refusal or ""), "instead": None, "finished": None}
    if able["resume"] and status.state == "finished":
        able |= {"finished": {"step": status.step}, "reason": words.text("runs.resumed_longer", lang)}
    if replaced is not None:
        now = replaced.stored_status()
        state = words.text(f"states.{now.state}", lang).lower()
        able |= {"instead": {"id": replaced.id, "name": f"{_title(replaced, lang)} ({_at_step(now, lang)})"},
                 "reason": words.text("runs.resumed_instead", lang, name=replaced.name, state=state)}
    return able


def _list_runs(controls: Controls, run_id: str, lang: str, now: str | None) -> tuple[Any, str, str]:
    """The list, the text above it and the abilities; `now` stays chosen, else the shown run is."""
    catalogue = controls.catalogue
    cards, listed, ending = [], _listed_runs(catalogue), {one.path for one in controls.supervisor.ending()}
    for run in listed:
        with contextlib.suppress(RunError):  # it is being deleted
            cards.append((catalogue.shown(card(run, lang, run.path in ending)), run.id))
    ids = {name for _, name in cards}
    # A choice is left alone: it may have changed since this was asked.
    choice: dict[str, Any] = {} if now in ids else {"value": run_id if run_id in ids else None}
    folder = words.text("runs.folder", lang, folder=f"`{catalogue.shown(str(catalogue.folder.resolve()))}`")
    text = f"{folder}. {words.text('runs.help' if cards else 'runs.empty', lang)}"
    return gr.Radio(choices=cards, **choice), text, _abilities(controls, listed, lang)


def _head(t: Callable[[str], Any]) -> tuple[gr.Button, gr.Button, gr.Button, gr.Button, gr.Button]:
    """The buttons above the list: show, resume, stop, detach, refresh."""
    with gr.Row(elem_id="gan-runs-head"):
        show = gr.Button(t("runs.show"), elem_id="btn-show", interactive=False)
        resume = gr.Button(t("runs.resume"), elem_id="btn-resume-run", interactive=False)
        stop = gr.Button(t("runs.stop"), elem_id="btn-stop-run", interactive=False)
        detach = gr.Button(t("runs.let_go"), elem_id="btn-let-go", interactive=False)
        return show, resume, stop, detach, gr.Button(t("runs.refresh"), elem_id="btn-refresh")


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
        show, resume, stop, detach, refresh = _head(t)
        buttons = [show, resume, stop, detach]
        containers.part("reason")
        about = gr.Markdown("", elem_id="gan-runs-about")
        chosen = gr.Radio([], label=t("runs.choose"), elem_id="runs", interactive=True)
        place, attach = _opener(t)
        abilities = gr.Textbox("{}", visible=False)  # what may be done with each run of the list

    def read_abilities(run_id: str, lang: str) -> str:
        return _abilities(controls, _listed_runs(catalogue), lang)

    def list_runs(run_id: str, lang: str, now: Any) -> tuple[Any, str, str]:
        return _list_runs(controls, run_id, lang, now if isinstance(now, str) else None)

    def of_choice(now: Any, lang: str) -> str:
        """The chosen run; none must not mean the default one."""
        if not isinstance(now, str) or not now:
            raise Refusal("runs.not_resumed_none", lang)
        return now

    def resume_run(run_id: str, lang: str, now: Any) -> Any:
        controls.resume(of_choice(now, lang), lang)
        return gr.Tabs(selected="train")

    def stop_run(run_id: str, lang: str, now: Any) -> tuple[Any, str, str]:
        controls.stop(of_choice(now, lang), lang)
        return list_runs(run_id, lang, now)

    def attach_run(run_id: str, lang: str, text: str) -> tuple[Any, Any, str, str]:
        run = controls.attach(text, lang)
        return *list_runs(run.id, lang, None), ""

    def detach_run(run_id: str, lang: str, now: Any) -> tuple[Any, Any, str]:
        controls.detach(of_choice(now, lang), lang)
        return list_runs(run_id, lang, None)

    inputs, outputs = [run_box, lang_box, chosen], [chosen, about, abilities]
    source = {"js": containers.WITH_RUN, **QUEUED}
    # Unprocessed: gradio refuses in words of its own what is not in its list, which is soon an old one.
    choice = {**source, "preprocess": False}
    events = {door: listen(show_refusals(list_runs), inputs, outputs, api_name=door, **choice)
             for door, listen in (("list-runs", tab.select), ("refresh-runs", refresh.click))}
    events |= {door: listen(show_refusals(attach_run), [run_box, lang_box, place], [*outputs, place], api_name=door, **source)
              for door, listen in (("attach", attach.click), ("attach-submit", place.submit))}
    events["stop-run"] = stop.click(show_refusals(stop_run), inputs, outputs, api_name="stop-run", **choice)
    events["let-go"] = detach.click(show_refusals(detach_run), inputs, outputs, api_name="let-go", **choice)
    for door, listen in ((f"{door}-enabled", event.success) for door, event in events.items()):
        listen(None, [chosen, abilities], buttons, js=ENABLE, api_name=door, api_visibility="private")
    chosen.input(None, [chosen, abilities], buttons, js=ENABLE, api_name="choose-run", api_visibility="private")
    # What may be done changes while the list is open: a run ends, another begins.
    changed = chosen.input(show_refusals(read_abilities), [run_box, lang_box], abilities, api_name="read-abilities", **source)
    changed.success(None, [chosen, abilities], buttons, js=ENABLE, api_name="read-abilities-enabled", api_visibility="private")
    show.click(lambda: gr.Tabs(selected="train"), None, tabs, api_name="show-tab", **QUEUED)
    show.click(None, chosen, None, js=containers.call("showRun"), api_name="show-run", api_visibility="private")
    resume.click(show_refusals(resume_run), inputs, tabs, api_name="resume-run", **{**choice, "js": SHOW_WITH_RUN})

"""The choice of data: a list with human names, what each needs more (categories, a folder, an upload, a drawing), and its form.

It lays out the panel and names the data. The processes of `preview_jobs` read them; web/data/ draws the preview.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from typing import Any

from ... import registry
from ...config import FIELD_GROUPS, TrainConfig
from ...data import loading, quickdraw, storage, uploads
from ...data.types import DataError
from .. import containers, words
from ..controls import Controls
from ..gradio_import import gr
from ..preview_jobs import PreviewJobs
from ..refusal import Refusal
from ..upload_deletion import delete_upload, runs_using

PICTURES = FIELD_GROUPS["pictures"]  # the form of pictures, in a config
ARGUMENTS = 5  # values that together name a data set: kind, categories, folder, upload, drawing
UPLOADS = [".zip", "image", ".webp", ".avif", ".heic", ".heif", ".hif",  # not every system knows the last ones as pictures
           ".npy", ".npz", ".csv", ".gz", ".json"]
FORM_CHANGED = containers.call("formChanged")
# Asks for confirmation and waits until the upload is deleted or kept; gradio awaits the promise of a `js=`.
DELETE = "async (lang, question) => [ganPage.language, await ganPage.call('askToDelete', question)]"
QUEUED: dict[str, Any] = {"queue": True, "concurrency_limit": 4, "show_progress": "hidden", "api_visibility": "private"}
# What changes the list of uploads is done one after the other. Else the answer of an older question comes last: a list without
# the upload that was dropped meanwhile, which then is not chosen. To keep an upload of 250 MB takes less than a second.
IN_ORDER = {**QUEUED, "concurrency_limit": 1, "concurrency_id": "uploads"}


WITH_INPUT = ("quickdraw", "folder", "zip", "drawn")  # the form has an input for what follows their names


def offered() -> dict[str, str]:
    """kind -> group of the data sets in the form's list: all that need no argument, or one for which it has an input."""
    return {kind: entry.group for kind, entry in registry.DATASETS.items()
            if kind in WITH_INPUT or not entry.argument or entry.default}


def dataset_name(kind: str, categories: list[str] | None, folder: str | None, upload: str | None, drawing: str | None,
                 *, lang: str = "en") -> str:
    """The name of the chosen data set in a config. Raises Refusal where something is not chosen yet."""
    chosen = categories or []
    named = [kind, folder or "", upload or "", drawing or "", *(chosen if isinstance(chosen, list) else [None])]
    if not all(isinstance(name, str) for name in named):
        raise Refusal("errors.form", lang)
    arguments = {"quickdraw": ",".join(categories or []), "folder": (folder or "").strip(), "zip": upload or "",
                 "drawn": drawing or ""}
    if kind not in arguments:
        return kind
    if not arguments[kind]:
        raise Refusal(f"data.empty_{kind}", lang)
    return f"{kind}:{arguments[kind]}"


def example_name(kind: str) -> str:
    """A data set of this kind with a placeholder argument, to check which networks accept it."""
    entry = registry.DATASETS[kind]
    return f"{kind}:?" if entry.argument and not entry.default else kind


def expected_shape(config: TrainConfig) -> tuple[list[int | None], bool | None]:
    """(shape, whether there are labels) as far as known before the data are read; None: unknown."""
    kind, argument = registry.split_dataset(config.dataset)
    entry = registry.DATASETS[kind]
    if entry.points:
        return [2], None
    channels = {"grey": 1, "color": 3}.get(config.color, entry.channels)
    side = (entry.side or None) if config.image_size == "auto" else int(config.image_size)
    return [channels or None, side, side], entry.has_labels(argument)


def misfit(config: TrainConfig, about: dict[str, Any] | None = None) -> str:
    """Why this config's networks cannot take its data, as a key of the words; "" if they can, as far as known.

    about: the `DataSummary`, once the data have been read.
    """
    shape, labelled = (about["shape"], about["labelled"]) if about else expected_shape(config)
    by_class = config.condition == "class"
    reason = registry.NETWORKS[config.networks].misfit(shape, by_class)
    if not reason and by_class and labelled is False:
        reason = "unlabelled"
    return f"data.misfit_{reason}" if reason else ""


def downloads() -> dict[str, Any]:
    """The data sets that come over the network: {"ready": [downloaded ones], "download": {other: bytes}}."""
    remote = {kind: entry.download for kind, entry in registry.DATASETS.items() if entry.download}
    here = [kind for kind in remote if loading.works_offline(TrainConfig(dataset=kind))]
    return {"ready": here, "download": {kind: size for kind, size in remote.items() if kind not in here}}


class DataPanel:
    """The panel's components. `inputs`: those that name the data set; `fields`: config field -> input, the form of pictures."""

    def __init__(self, t: Callable[[str], Any], first: TrainConfig, component: Callable[..., Any]) -> None:
        groups = offered()
        with gr.Column(elem_id="gan-data"):
            labels = {kind: f"settings.dataset.{kind}" for kind in groups}
            self.kind = gr.Dropdown([(t(label) if label in words.table("en") else kind, kind) for kind, label in labels.items()],
                                    value=first.dataset, label=t("settings.title"), elem_id="dataset", interactive=True)
            course = registry.DATASETS["quickdraw"].default  # the course's own category stands first
            self.categories = gr.Dropdown([course, *(name for name in quickdraw.categories() if name != course)], value=[course],
                                          multiselect=True, num_choices_shown=None, label=t("data.categories"),
                                          elem_id="data-categories", interactive=True)
            self.folder = gr.Textbox("", label=t("data.folder"), placeholder=t("data.folder_example"), max_lines=1,
                                     elem_id="data-folder", interactive=True)
            self.upload = gr.File(file_count="multiple", file_types=UPLOADS, label=t("data.upload"), show_label=False,
                                  height=76, elem_id="data-upload", interactive=True)
            with gr.Row(elem_id="gan-data-kept"):
                self.kept = gr.Dropdown([], value=None, label=t("data.kept"), elem_id="data-kept", interactive=True)
                self.delete = gr.Button(t("data.delete"), size="sm", elem_id="btn-delete-data")
            containers.part("pad")
            self.notice = gr.HTML("", elem_id="gan-data-notice", js_on_load=None)
            containers.part("look", json.dumps({"groups": groups,
                                                "points": [k for k, e in registry.DATASETS.items() if e.points]}))
            with gr.Row(elem_id="gan-data-form"):
                self.fields = {name: component(name, False) for name in PICTURES}
            with gr.Row(elem_id="gan-data-hand"):  # out of sight
                self.drawn = gr.Textbox("", elem_id="data-drawn", label="drawn")  # web/data/pad.js writes into it
                self.question = gr.Textbox("", elem_id="data-question", label="question")
                self.recalled = gr.Textbox("", label="recalled")  # an upload that was chosen before the page was loaded anew
        self.inputs = [self.kind, self.categories, self.folder, self.kept, self.drawn]

    def wire(self, lang: gr.Textbox, form: list[Any], others: list[Any], controls: Controls, preview_jobs: PreviewJobs) -> None:
        """Send every change that matters for the preview to the page's script. form: all inputs; others: others to watch."""
        self._controls, self._preview_jobs = controls, preview_jobs
        watched = (self.kind, self.categories, self.kept, self.drawn, *self.fields.values(), *others)
        for event, name in (*((one.change, one.elem_id) for one in watched),
                            (self.folder.submit, "folder-submit"), (self.folder.blur, "folder-blur")):
            event(None, form, None, js=FORM_CHANGED, api_name=f"preview-{name}", queue=False, api_visibility="private")
        with_language = containers.WITH_LANGUAGE
        self.upload.upload(self._keep, [lang, self.upload], [self.kept, self.upload, self.notice], js=with_language,
                           api_name="keep-upload", **IN_ORDER)
        self.kind.input(self._known, [lang, self.kind, self.kept], [self.kept, self.notice], js=with_language,
                        api_name="list-uploads", **IN_ORDER)
        self.recalled.change(self._recall, [lang, self.recalled], self.kept, js=with_language, api_name="recall-upload",
                             **IN_ORDER)
        question = self.delete.click(self._question, [lang, self.kept], [self.question, self.notice], js=with_language,
                                     api_name="ask-delete-data", **QUEUED)
        question.success(self._left, [lang, self.question], self.kept, js=DELETE, api_name="ask-delete-data-shown", **IN_ORDER)

    def _keep(self, lang: str, files: list[str] | None) -> tuple[Any, Any, str]:
        """Store uploaded files as a new upload; an error is shown beside the input."""
        try:
            name = uploads.save_pictures([str(file) for file in files or []])
        except DataError as reason:
            return gr.skip(), None, alert(words.fault(self._controls.catalogue.shown(reason.payload()), lang))
        return gr.Dropdown(choices=kept(lang), value=name), None, ""

    def _known(self, lang: str, kind: str, now: str | None) -> tuple[Any, Any]:
        """List the uploads when this kind is chosen. A notice is cleared only when another kind is chosen: a file may have been
        dropped and refused before this is answered."""
        if kind != "zip":
            return gr.skip(), ""
        choices = kept(lang)
        names = [name for _, name in choices]
        return gr.Dropdown(choices=choices, value=now if now in names else next(iter(names), None)), gr.skip()

    def _recall(self, lang: str, name: str) -> Any:
        """The list of uploads with this one chosen, or the newest one where it is no longer there."""
        return self._known(lang if lang in words.LANGUAGES else "en", "zip", name)[0] if name else gr.skip()

    def _question(self, lang: str, name: str | None) -> tuple[str, str]:
        """(the question of the page's dialog as JSON, why the upload cannot be deleted); one of them is ""."""
        lang = lang if lang in words.LANGUAGES else "en"
        try:
            return json.dumps(question(self._controls, str(name or ""), lang)), ""
        except Refusal as refusal:
            return "", alert(str(refusal))

    def _left(self, lang: str, deleted: str) -> Any:
        """The list after an upload was deleted; the newest remaining one is selected."""
        return self._known(lang if lang in words.LANGUAGES else "en", "zip", None)[0] if deleted else gr.skip()


def kept(lang: str) -> list[tuple[str, str]]:
    """(label, name) of every upload, newest first. The label has file name, number of pictures and size."""
    return [(words.text("data.kept_one", lang, name=registry.label(one.dataset), n=words.number(one.count, lang),
                        size=megabytes(one.bytes, lang)), one.name) for one in uploads.list_uploads() if one.kind == "zip"]


def megabytes(size: int, lang: str) -> str:
    """Bytes as megabytes, at least 0.1."""
    return words.number(max(0.1, round(size / 1e6, 1 if size < 1e8 else None)), lang)


def question(controls: Controls, name: str, lang: str) -> dict[str, str]:
    """{"name", "title", "text", "go"}: what is deleted with an upload, and how many runs need it. Raises Refusal."""
    runs = len(runs_using(controls, f"zip:{name}", lang))
    datasets = storage.list_datasets()
    one = storage.find(f"zip:{name}", datasets)
    if one is None or one.count is None:  # uploads are counted, downloads are not
        raise Refusal("data.delete_gone", lang)
    parts = [words.text("data.delete_text", lang, n=words.number(one.count, lang), size=megabytes(one.bytes, lang),
                        total=megabytes(sum(one.bytes for one in datasets), lang))]
    if runs:
        parts.append(words.text("data.delete_run" if runs == 1 else "data.delete_runs", lang, n=words.number(runs, lang)))
    return {"name": name, "title": words.text("data.delete_title", lang, name=registry.label(f"zip:{name}")),
            "text": " ".join(parts), "go": words.text("data.delete", lang)}


def delete(controls: Controls, preview_jobs: PreviewJobs, name: str, lang: str) -> None:
    """Delete an upload and what was prepared from it. Raises Refusal."""
    delete_upload(controls, f"zip:{name}", lang)
    preview_jobs.discard(f"zip:{name}")


def check_networks(config: TrainConfig, preview_jobs: PreviewJobs, lang: str) -> TrainConfig:
    """The config itself. Raises Refusal, with what to do, if its networks cannot take its data."""
    key = misfit(config, preview_jobs.summary(config))
    if key:
        raise Refusal(key, lang, **network_facts(config.networks, lang))
    return config


def network_facts(networks: str, lang: str) -> dict[str, str]:
    """The values of a misfit sentence: the networks' name, and the sides and colours of their pictures."""
    entry = registry.NETWORKS[networks]
    colors = [words.text(f"choices.color.{color}", lang) for channels, color in ((1, "grey"), (3, "color"))
              if channels in entry.channels]
    return {"networks": words.choice("networks", networks, lang), "colors": " / ".join(colors),
            "sides": ", ".join(f"{side} × {side}" for side in entry.sides)}


def alert(sentence: str) -> str:
    """A sentence as HTML, escaped for the browser and without the marks of gradio's templates."""
    escaped = html.escape(sentence).replace("$", "&#36;").replace("{", "&#123;").replace("}", "&#125;")
    return f'<p role="alert">{escaped}</p>'

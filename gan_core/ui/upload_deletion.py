"""Deletes an upload: which runs need it, and whether it may go now.

Downloads and folders are never deleted. The list of uploads and the question beforehand are left to `forms.data_panel`.
"""

from __future__ import annotations

from ..data import storage
from ..runs.run import Run
from ..runs.status import ACTIVE, STEERED
from .controls import Controls
from .refusal import Refusal


def runs_using(controls: Controls, dataset: str, lang: str = "en") -> list[Run]:
    """The runs that need an upload to continue from their checkpoint. Raises Refusal where it may not be deleted now."""
    if not controls.local_paths:
        raise Refusal("data.delete_shared", lang)
    dependent = []
    for run in [*controls.catalogue.own_runs(), *controls.catalogue.external_runs.runs()]:
        config = run.info.get("config")
        if run.kind in STEERED and isinstance(config, dict) and config.get("dataset") == dataset:
            status = run.status()
            if status.state in ACTIVE:
                raise Refusal("data.delete_busy", lang, run=run.name)
            dependent += [run] if status.checkpoint_step >= 0 else []
    return dependent


def delete_upload(controls: Controls, dataset: str, lang: str = "en") -> None:
    """Delete an upload and what was prepared from it. Raises Refusal."""
    runs_using(controls, dataset, lang)
    try:
        removed = dataset.startswith("zip:") and storage.remove(dataset)
    except OSError as error:
        raise Refusal("data.delete_failed", lang, message=error.strerror or error) from error
    if not removed:
        raise Refusal("data.delete_gone", lang)

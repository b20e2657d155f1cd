"""The folders that gradio writes into: chosen, or refused with one sentence, before it is imported. Imports nothing heavy."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ..surroundings import can_write, is_own, private_folder

VARIABLE = "GRADIO_TEMP_DIR"  # gradio reads it when it is imported: every upload is written there first


def folder_fault(share: bool | None = None) -> str:
    """Why gradio cannot keep its files, in one sentence; "" where it can.

    Its usual folder, `gradio` in the temporary folder, belongs to whoever was first on a shared machine: others get one of their
    own, and so does who could otherwise be given files that somebody else has changed.
    """
    given = os.environ.get(VARIABLE)
    if given:
        if not can_write(Path(given)):
            return f"{VARIABLE} is {given}, which cannot be written to; set it to a folder that can, or leave it out."
    else:
        try:
            usual = Path(tempfile.gettempdir()) / "gradio"
            if os.path.lexists(usual) and not is_own(usual):
                os.environ[VARIABLE] = str(private_folder("gradio"))
        except OSError:
            return "No temporary folder can be written to; set TMPDIR to a folder that can."
    return _share_fault() if share or os.environ.get("GRADIO_SHARE", "").lower() == "true" else ""


def _share_fault() -> str:
    """For a public link gradio downloads a program once, below the folder of Hugging Face."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = Path(os.path.expandvars(os.path.expanduser(os.environ.get("HF_HOME") or os.path.join(cache, "huggingface"))))
    if can_write(folder / "gradio" / "frpc") or any((folder / "gradio" / "frpc").glob("frpc_*")):
        return ""
    return f"The program that makes a public link cannot be stored in {folder}; set HF_HOME to a folder that can be written to."

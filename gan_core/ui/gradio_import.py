"""Gradio, imported in about half the time: it is not let write type stubs, which nobody reads while the page runs.

While its classes are defined gradio parses the source of each component and writes a `.pyi` beside it, at every start. It leaves
out a class that has no file, and for the moment of the import its components look like such. Everything else it does itself.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

WRITER = "create_or_modify_pyi"  # the function of gradio that writes a stub; a version without it is imported as it is


@contextmanager
def without_stubs() -> Iterator[None]:
    """Classes have no file for WRITER, which then writes nothing. Whoever else asks for a file is told it."""
    getfile = inspect.getfile

    def hidden(thing: Any) -> str:
        if sys._getframe(1).f_code.co_name == WRITER:
            raise OSError("no stub is wanted")
        return getfile(thing)

    inspect.getfile = hidden  # type: ignore[assignment]
    try:
        yield
    finally:
        inspect.getfile = getfile


try:
    with without_stubs():
        import gradio as gr
except Exception:  # of a version that does without no file; a fault of another kind comes once more
    import gradio as gr

__all__ = ["gr"]

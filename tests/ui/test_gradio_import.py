"""Gradio writes no type stubs while it is imported; whatever gradio it is, it is imported."""

import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from gan_core.ui import gradio_import
from gan_core.ui.gradio_import import gr, without_stubs

COMPONENT = "from gradio.components import HTML\n\n\nclass Part(HTML):\n    EVENTS = ['wave']\n"


@pytest.fixture
def part(tmp_path, monkeypatch):
    """part(name): a component that its own module in tmp_path defines now."""
    monkeypatch.syspath_prepend(tmp_path)

    def defined(name: str) -> type[gr.HTML]:
        (tmp_path / f"{name}.py").write_text(COMPONENT)
        monkeypatch.setitem(sys.modules, name, None)  # it goes with the test
        del sys.modules[name]
        return importlib.import_module(name).Part

    return defined


def test_a_component_works_without_the_stub_that_gradio_would_write(part, tmp_path):
    with without_stubs():
        quiet = part("part_of_a_page")
    assert not list(tmp_path.glob("*.pyi"))
    with gr.Blocks() as page:
        quiet("hello").wave(lambda: None)
    assert [event.targets[0][1] for event in page.fns.values()] == ["wave"]
    part("stubbed")
    assert [path.name for path in tmp_path.glob("*.pyi")] == ["stubbed.pyi"], "gradio writes none: without_stubs can go"


def test_only_gradios_writer_of_stubs_finds_no_file_and_only_then():
    def create_or_modify_pyi() -> str:
        return inspect.getfile(gr.HTML)

    plain = inspect.getfile
    with pytest.raises(ZeroDivisionError), without_stubs():
        assert inspect.getfile(gr.HTML).endswith("html.py") and "class HTML" in inspect.getsource(gr.HTML)
        with pytest.raises(OSError, match="no stub"):
            create_or_modify_pyi()
        raise ZeroDivisionError
    assert inspect.getfile is plain and create_or_modify_pyi().endswith("html.py")


@pytest.mark.parametrize(("content", "told"), [
    ("import inspect\ndef create_or_modify_pyi(): return inspect.getfile(inspect)\nfile = create_or_modify_pyi()", "inspect.py"),
    ("raise RuntimeError('a broken gradio')", "a broken gradio"),
])
def test_a_gradio_that_needs_its_files_is_imported_and_a_broken_one_says_so_itself(tmp_path, content, told):
    (tmp_path / "gradio.py").write_text(content)
    code = (f"import inspect, sys; sys.path.insert(0, {str(tmp_path)!r}); plain = inspect.getfile\n"
            "from gan_core.ui.gradio_import import gr; assert inspect.getfile is plain; print(gr.file)")
    found = subprocess.run([sys.executable, "-c", code], cwd=Path(gradio_import.__file__).parents[2], capture_output=True,
                           text=True, timeout=60)
    assert told in (found.stdout or found.stderr.splitlines()[-1])

"""The walls of the house, drawn in docs/architecture.md: who imports whom, who knows torch and gradio, how long files are."""

import ast
import functools
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "gan_core"
MODULES = sorted(PACKAGE.rglob("*.py"))
FILE_BUDGET, FUNCTION_BUDGET = 330, 60  # "about 300" and "about 50": the wall stands a little behind the rule

LEAVES = {"losses", "regularizers", "networks", "data", "images", "augment", "randomness", "checkpoint", "latent", "acceleration",
          "threads", "graphs", "plane", "plots", "evaluation", "precision", "distributed",
          "pixels", "sentences"}
GROUND = {"files", "frames", "status", "pointers", "metrics", "processes"}
MAY_IMPORT: dict[str, set[str]] = {
    "__init__": set(),
    "registry": set(),
    "config": {"registry"},
    "files": set(),
    "frames": set(),
    "status": set(),
    "pointers": {"files"},
    "metrics": set(),
    "processes": set(),
    "ending": set(),
    **{leaf: LEAVES | {"files", "pointers"} for leaf in LEAVES},
    "sources": {"config", "registry"} | LEAVES,
    "prepare": {"config", "sources"} | LEAVES,
    "batches": {"config"} | LEAVES,
    "players": {"config", "registry", "sources"} | LEAVES,
    "trainer": {"config", "registry", "batches", "players"} | LEAVES,
    "run": {"config", "sentences"} | GROUND,
    "supervisor": {"run"} | GROUND,
    "remote": {"run"} | GROUND,
    "sinks": {"run", "sentences"} | GROUND,
    "gauge": {"trainer"} | LEAVES,
    "probe": {"trainer", "config"} | LEAVES,
    "recorder": {"trainer", "run", "frames", "pointers"} | LEAVES,
    "best": {"gauge", "recorder", "trainer", "run", "config"} | GROUND | LEAVES,
    "board": {"run", "sentences"} | GROUND,
    "orders": {"trainer", "sources", "config"} | LEAVES,
    "commands": {"orders"} | LEAVES,
    "life": {"board", "best", "commands", "orders", "recorder", "probe", "sources", "trainer", "run", "config"} | GROUND | LEAVES,
    "terminal": {"run", "config"} | GROUND,
    "headless": {"ending", "terminal", "sinks", "supervisor", "run", "config", "registry"} | GROUND,
    "worker": {"headless", "sinks", "board", "life", "orders", "recorder", "probe", "players", "sources", "trainer", "run",
               "config"} | GROUND | LEAVES,
    "dcgan": {"trainer", "config", "registry"} | LEAVES,
    "ui": {"ui", "run", "supervisor", "config", "registry", "sources", "sentences", "data", "remote"} | GROUND,
}
LAZILY = {"ui": {"latent", "networks", "images", "remote"}}  # inside functions: torch is imported after the page answers
TORCHLESS = ["__init__", "registry", "config", "sources", "data", "metrics", "files", "frames", "status", "pointers", "processes",
             "run", "supervisor", "terminal", "headless", "ending", "remote", "sinks", "pixels", "sentences", "prepare", "ui"]
HEAVY = {"torch", "torchvision", "safetensors", "mlxtend", "pandas", "matplotlib", "scipy"}


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def part(path: Path) -> str:
    """The row of the table a file belongs to."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """(absolute module name, imported while the module loads?) of every import; those for the type checker do not count."""
    package = ("gan_core", *path.relative_to(PACKAGE).parent.parts) if path.is_relative_to(PACKAGE) else ()

    def visit(node: ast.AST, at_load: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, ast.Import):
                yield from ((alias.name, at_load) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                above = ".".join(package[:len(package) - child.level + 1]) if child.level else ""
                base = ".".join(filter(None, (above, child.module)))
                yield from ((f"{base}.{alias.name}" if base.startswith("gan_core") else base, at_load) for alias in child.names)
            yield from visit(child, at_load and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))

    yield from visit(tree(path), True)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_import_reader_sees_every_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    (tmp_path / "ui").mkdir()
    (tmp_path / "ui" / "x.py").write_text(
        "import torch\nfrom . import live\nfrom .. import run as r\nfrom ..config import TrainConfig\nimport gan_core.worker\n"
        "if TYPE_CHECKING:\n    from ..trainer import Trainer\ndef f():\n    from ..latent import load_live\n    import os\n")
    assert list(imports(tmp_path / "ui" / "x.py")) == [
        ("torch", True), ("gan_core.ui.live", True), ("gan_core.run", True), ("gan_core.config.TrainConfig", True),
        ("gan_core.worker", True), ("gan_core.latent.load_live", False), ("os", False)]


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_imports_point_one_way(path: Path) -> None:
    allowed = MAY_IMPORT.get(part(path))
    assert allowed is not None, f"{name(path)} has no row in the table; add it here and to docs/architecture.md"
    for module, at_load in imports(path):
        if module.split(".")[0] != "gan_core":
            continue
        target = [*module.split("."), "__init__"][1]
        permitted = allowed if at_load else allowed | LAZILY.get(part(path), set())
        assert target in permitted | {part(path)}, f"{name(path)} may not import {module}"


def test_every_row_of_the_table_is_in_the_contract() -> None:
    contract = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = contract[contract.index("## Who imports whom"):contract.index("## The run folder")]
    named = {word.split("/")[0] for word in re.findall(r"`([a-z_/*]+)`", table)}
    missing = {part(path) for path in MODULES} - named - {"__init__"}
    assert not missing, f"docs/architecture.md does not say where {missing} stand"


@pytest.mark.parametrize("path", [*MODULES, *ROOT.glob("*.py")], ids=name)
def test_only_the_page_knows_gradio_and_only_playground_knows_the_page(path: Path) -> None:
    if path.is_relative_to(PACKAGE / "ui"):
        return
    for module, _ in imports(path):
        assert module.split(".")[0] != "gradio", f"{name(path)} imports gradio"
        assert not module.startswith("gan_core.ui") or path == ROOT / "playground.py", f"{name(path)} imports the page"


def test_what_the_page_needs_to_answer_loads_without_torch() -> None:
    parts = [path for path in MODULES if part(path) in TORCHLESS]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in parts]
    # One process for all: what none of them imports, each of them does not import.
    code = f"import sys, json, importlib\nfor n in {names!r}: importlib.import_module(n)\nprint(json.dumps(sorted(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert found.returncode == 0, found.stderr
    loaded = set(json.loads(found.stdout.splitlines()[-1]))
    assert "gan_core.run" in loaded
    assert not loaded & {"torch", "torchvision", "mlxtend", "scipy"}


@pytest.mark.parametrize("path", [p for p in MODULES if part(p) in TORCHLESS], ids=name)
def test_no_torchless_module_imports_torch_while_it_loads(path: Path) -> None:
    """Names the culprit, which the process above does not."""
    assert not {m for m, at_load in imports(path) if at_load and m.split(".")[0] in HEAVY}


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_no_file_can_run_code_from_a_file(path: Path) -> None:
    assert not {module.split(".")[0] for module, _ in imports(path)} & {"pickle", "dill", "joblib", "shelve", "marshal"}
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"torch.load", "torch.save", "eval", "exec"}, f"{name(path)}:{node.lineno} calls {called}"
            assert not (called == "np.load" and "allow_pickle=True" in ast.unparse(node))


@pytest.mark.parametrize("path", [*MODULES, *ROOT.glob("*.py"), *(PACKAGE / "ui" / "web").rglob("*.js")], ids=name)
def test_the_story_is_told_only_in_the_words(path: Path) -> None:
    found = re.search(r"Counterfeiter|Faussaire|\b[Tt]he Expert\b", path.read_text(encoding="utf-8"))
    assert not found, f"{name(path)} says {found[0]!r}; words for people belong in gan_core/ui/words"


@pytest.mark.parametrize("path", [*MODULES, *ROOT.glob("*.py")], ids=name)
def test_files_and_functions_are_small_enough_to_read(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= (80 if path == ROOT / "playground.py" else FILE_BUDGET), f"{name(path)} has {lines} lines"
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = node.end_lineno - node.lineno + 1
            assert length <= FUNCTION_BUDGET, f"{name(path)}: {node.name} has {length} lines"


@pytest.mark.parametrize("path", [p for p in MODULES if p.stat().st_size], ids=name)
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(tree(path)), f"{name(path)} does not open by saying what it is"

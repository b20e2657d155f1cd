"""The rules of docs/architecture.md: layers and cycles of imports, torch and gradio, how long files are.

Which package may import which is written in pyproject.toml, under [tool.importlinter]; here it is checked. Each rule is one test
that reports every violation.
"""

import ast
import functools
import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from importlinter import api

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "gan_core"
MODULES = sorted(PACKAGE.rglob("*.py"))
FILE_BUDGET, FUNCTION_BUDGET = 330, 60  # "about 300" and "about 50": the limit is a little above the rule
HEAVY = {"torch", "torchvision", "safetensors", "mlxtend", "pandas", "matplotlib", "scipy"}
# What the page's process loads before it answers: these import nothing heavy while they load.
LIGHT = ("__init__", "registry", "config", "messages", "remote", "sinks", "data", "integrations", "ui",
         "runs/__init__", "runs/run", "runs/status", "runs/metrics", "runs/files", "runs/frames", "runs/checkpoint_index",
         "runs/commands", "runs/data_summary", "runs/layout", "runs/supervisor", "runs/worker_note", "runs/worker_process",
         "runs/remote", "surroundings", "compute/__init__", "compute/cgroups", "compute/cores", "compute/processes",
         "worker/__init__", "worker/cli", "worker/new_run", "worker/progress", "worker/shutdown", "worker/summary")


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """(top-level name, imported while the module loads?) of every import from other distributions."""
    def visit(node: ast.AST, at_load: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, ast.Import):
                yield from ((alias.name.split(".")[0], at_load) for alias in child.names)
            elif isinstance(child, ast.ImportFrom) and not child.level:
                yield (child.module or "").split(".")[0], at_load
            yield from visit(child, at_load and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))

    yield from visit(tree(path), True)


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def is_light(path: Path) -> bool:
    inside = path.relative_to(PACKAGE).with_suffix("").as_posix()
    return any(inside == row or inside.startswith(f"{row}/") for row in LIGHT)


def test_the_import_reader_sees_every_form(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text("import torch.nn\nfrom . import live\nfrom numpy.random import x\nif TYPE_CHECKING:\n    import scipy\n"
                    "class A:\n    import gradio\ndef f():\n    from matplotlib import pyplot\n    import os\n")
    assert list(imports(path)) == [("torch", True), ("numpy", True), ("gradio", True), ("matplotlib", False), ("os", False)]


def test_packages_import_only_what_stands_below_them_and_no_circle() -> None:
    """The contracts of pyproject.toml: layers, cycles, gradio. `lint-imports` prints the same with line numbers."""
    code = "import sys; from importlinter import cli; sys.exit(cli.lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout


def test_every_package_stands_on_a_floor() -> None:
    (floors,) = [contract["layers"] for contract in api.read_configuration(str(ROOT / "pyproject.toml"))["contracts_options"]
                 if contract["type"] == "layers"]
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    files = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    assert packages | files == set(floors)


def test_every_package_is_named_in_the_architecture() -> None:
    contract = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    missing = {path.parent.name for path in PACKAGE.glob("*/__init__.py") if f"`{path.parent.name}/`" not in contract}
    assert not missing, f"docs/architecture.md does not say what {missing} hold"


def test_only_the_page_knows_gradio_and_only_playground_knows_the_page() -> None:
    for path in [*MODULES, *ROOT.glob("*.py")]:
        if not path.is_relative_to(PACKAGE / "ui"):
            assert "gradio" not in {module for module, _ in imports(path)}, f"{name(path)} imports gradio"
            above = re.search(r"^\s*from (gan_core|\.+)\.?ui\b", path.read_text(encoding="utf-8"), re.M)
            assert path.name == "playground.py" or not above, f"{name(path)} imports the page"


def test_what_the_page_needs_to_answer_loads_without_torch() -> None:
    light = [path.relative_to(ROOT).with_suffix("") for path in MODULES if is_light(path)]
    names = [".".join(path.parts).removesuffix(".__init__") for path in light]
    # One process for all: what none of them imports, each of them does not import.
    code = f"import sys, json, importlib\nfor n in {names!r}: importlib.import_module(n)\nprint(json.dumps(sorted(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert found.returncode == 0, found.stderr
    loaded = set(json.loads(found.stdout.splitlines()[-1]))
    assert "gan_core.runs.run" in loaded
    assert not loaded & {"torch", "torchvision", "mlxtend", "scipy"}


def test_no_light_module_imports_anything_heavy_while_it_loads() -> None:
    """Names the culprit, which the process above does not."""
    found = {name(path): heavy for path in MODULES if is_light(path)
             if (heavy := {module for module, at_load in imports(path) if at_load} & HEAVY)}
    assert not found


def test_every_light_row_names_a_module() -> None:
    paths = {path.relative_to(PACKAGE).with_suffix("").as_posix() for path in MODULES}
    assert not [row for row in LIGHT if not any(path == row or path.startswith(f"{row}/") for path in paths)]


def test_no_file_can_run_code_from_a_file() -> None:
    for path in MODULES:
        assert not {module for module, _ in imports(path)} & {"pickle", "dill", "joblib", "shelve", "marshal"}, name(path)
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in {"torch.load", "torch.save", "eval", "exec"}, f"{name(path)}:{node.lineno} calls {called}"
                assert not (called == "np.load" and "allow_pickle=True" in ast.unparse(node)), f"{name(path)}:{node.lineno}"


def test_the_story_is_told_only_in_the_words() -> None:
    for path in [*MODULES, *ROOT.glob("*.py"), *(PACKAGE / "ui").rglob("*.js")]:
        found = re.search(r"Counterfeiter|Faussaire|\b[Tt]he Expert\b", path.read_text(encoding="utf-8"))
        assert not found, f"{name(path)} says {found[0]!r}; words for people belong in gan_core/ui/words"


def test_files_and_functions_are_small_enough_to_read() -> None:
    for path in [*MODULES, *ROOT.glob("*.py")]:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= (80 if path == ROOT / "playground.py" else FILE_BUDGET), f"{name(path)} has {lines} lines"
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                assert length <= FUNCTION_BUDGET, f"{name(path)}: {node.name} has {length} lines"


def test_every_module_says_what_it_is_and_every_package_what_it_leaves_to_others() -> None:
    for path in MODULES:
        opening = ast.get_docstring(tree(path))
        assert opening, f"{name(path)} does not open by saying what it is"
        assert path.name != "__init__.py" or path.parent == PACKAGE or len(opening.splitlines()) >= 4, f"{name(path)}: four lines"


def test_every_name_that_a_module_exports_is_there() -> None:
    exporting = [path for path in MODULES if "__all__" in path.read_text(encoding="utf-8")]
    assert len(exporting) > 3
    for path in exporting:
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        module = importlib.import_module(".".join(part for part in parts if part != "__init__"))
        assert all(hasattr(module, exported) for exported in module.__all__), name(path)

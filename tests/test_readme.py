"""The door must stay true: what the README promises is checked against the code."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "checkpoints" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
HARDWARE = {"cpu-basic", "cpu-upgrade"}
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


def test_the_front_matter_is_what_a_space_accepts() -> None:
    facts = yaml.safe_load(README.split("---\n")[1])
    assert facts["sdk"] == "gradio" and facts["license"] == "mit" and facts["header"] in {"mini", "default"}
    assert {facts["colorFrom"], facts["colorTo"]} <= COLOURS and facts["suggested_hardware"] in HARDWARE
    assert len(facts["short_description"]) <= 60 and re.fullmatch(r"3\.1[1-9]", facts["python_version"])
    assert (ROOT / facts["app_file"]).exists()
    wanted = next(Requirement(line) for line in (ROOT / "requirements.txt").read_text().splitlines() if line.startswith("gradio"))
    assert facts["sdk_version"] in wanted.specifier
    assert facts["sdk_version"] == version("gradio"), "the version we test with is the one a Space installs"


@pytest.mark.parametrize("path", DOCS, ids=lambda p: p.name)
def test_every_file_a_document_points_to_is_there(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text(encoding="utf-8"))
    assert not [link for link in links if not (path.parent / link).exists()]


def test_every_flag_is_documented_in_help_and_readme() -> None:
    source = (ROOT / "gan_core" / "ui" / "command_line.py").read_text(encoding="utf-8")
    flags = set(re.findall(r'"(--[a-z-]+)"', source))
    assert flags == set(re.findall(r"^\| `(--[a-z-]+)", README.split("\n## Flags\n")[1], re.MULTILINE))


def test_every_option_without_a_page_that_is_documented_exists(capsys) -> None:
    from gan_core.worker import cli

    part = README.split("\n## Without a page\n")[1].split("\n## ")[0]
    with pytest.raises(SystemExit):
        cli.parse(["--help"])
    options = set(re.findall(r"^  (--[a-z-]+)", capsys.readouterr().out, re.MULTILINE))
    named = {option for row in re.findall(r"^\|(.*?)\|", part, re.MULTILINE) for option in re.findall(r"--[a-z]+", row)}
    assert len(named) > 6 and named <= options


def test_the_names_used_in_the_notebook_example_exist() -> None:
    import gan_core

    for name in re.findall(r"from gan_core import (.*)", README)[0].split(", "):
        assert getattr(gan_core, name)
    for method in re.findall(r"gan\.(\w+)\(", README) + re.findall(r"DCGAN\.(\w+)\(", README):
        assert callable(getattr(gan_core.DCGAN, method))

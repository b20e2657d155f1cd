"""CONTRIBUTING's worked examples, applied to a copy of the project and used there: the promise stays true."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
EDIT = re.compile(r"In `([^`]+)`, (at the end|a new file|in `([^`]+)`|behind `([^`]+)`):\n\n```\w+\n(.*?)```", re.S)
FEW = '"batch_size": 4, "device": "cpu", "threads": 1, "precision": "fp32", "memory_format": "contiguous", "rewrites": "off"'
HEAD = f"""
import numpy as np, torch
from gan_core import PRESETS, Trainer, TrainConfig
FEW = {{{FEW}}}
images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (40, 1, 28, 28), np.uint8))
"""


def section(title: str) -> str:
    start = TEXT.index(f"### {title}\n")
    return TEXT[start:re.compile(r"^##", re.M).search(TEXT, start + 4).start()]


def inserted(text: str, code: str, table: str, line: str) -> str:
    """`text` with the code where the example says: inside a table's braces, or behind the line that ends so."""
    if table and text.startswith("{"):  # JSON
        opening = f'  "{table}": {{\n'
        assert text.count(opening) == 1
        return text.replace(opening, opening + code)
    if table:
        begin = re.compile(rf"^{table}\b.*\{{$", re.M).search(text)
        assert begin, f"there is no table {table}"
        end = text.index("\n}\n", begin.end()) + 1
        return text[:end] + code + text[end:]
    assert text.count(f"{line}\n") == 1, f"{line!r} stands {text.count(line)} times"
    return text.replace(f"{line}\n", f"{line}\n{code}")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "gan_core", tmp_path / "gan_core", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def apply(title: str, copy: Path) -> list[str]:
    """Make the example's edits; returns the files it touched."""
    edits = EDIT.findall(section(title))
    for name, how, table, line, code in edits:
        path = copy / name
        if how == "a new file":
            assert not path.exists()
            path.write_text(code, encoding="utf-8")
        else:
            text = path.read_text(encoding="utf-8")
            path.write_text(f"{text}\n\n{code}" if how == "at the end" else inserted(text, code, table, line), encoding="utf-8")
    return [name for name, *_ in edits]


def run(copy: Path, code: str) -> str:
    done = subprocess.run([sys.executable, "-c", HEAD + code], cwd=copy, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout


LOSS = """
trainer = Trainer(PRESETS["quick"].replace(loss="soft-hinge", **FEW), images)
print(all(torch.isfinite(value) for value in trainer.step().values()))
"""
NETWORKS = """
from gan_core import registry
config = PRESETS["quick"].replace(networks="wide", image_size="64", **FEW)
trainer = Trainer(config, torch.randint(256, (20, 3, 64, 64), dtype=torch.uint8))
trainer.step()
from gan_core.ui.forms import data_panel
misfit = data_panel.misfit(config.replace(image_size="28"))
assert misfit == "data.misfit_shape" and data_panel.network_facts("wide", "fr")["networks"] == "wide"
print(tuple(trainer.sample(2).shape) == (2, 3, 64, 64) and registry.NETWORKS["wide"].accepts((1, 64, 64))
      and not registry.NETWORKS["wide"].accepts((1, 28, 28)))
"""
SETTING = """
def moved(clip):
    # Plain gradient descent in place of Adam: how far the weights move is how long the gradient was.
    trainer = Trainer(PRESETS["quick"].replace(grad_clip=clip, r1=0.0, decay_steps=0, **FEW), images)
    trainer.opt_D = torch.optim.SGD(trainer.D.parameters(), lr=1.0)
    trainer.config = trainer.config.replace(lr_d=1.0)
    before = [p.detach().clone() for p in trainer.D.parameters()]
    trainer.discriminator_step()
    return sum((p - q).square().sum() for p, q in zip(trainer.D.parameters(), before)).sqrt().item()
from gan_core.ui import words
from gan_core.ui.forms import knobs
free = moved(0.0)
print(free > 1e-4 and abs(moved(free / 10) - free / 10) < free / 1000 and abs(moved(free * 10) - free) < free / 1000
      and words.text("fields.grad_clip.help").startswith("The longest") and '"grad_clip"' in knobs.tables())
"""
SOURCE = """
from gan_core.data import loading
np.save("few.npy", np.arange(3 * 28 * 28 * 3, dtype=np.uint8).reshape(3, 28, 28, 3))
loaded = loading.load(TrainConfig(dataset="npy:few.npy", color="grey"))
from gan_core import registry
from gan_core.ui.forms import data_panel
assert data_panel.misfit(TrainConfig(dataset="npy:few.npy")) == "" and "npy" not in data_panel.offered()
print(loaded.data.shape == (3, 1, 28, 28) and registry.reads_local_path("npy:few.npy"))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("title", "use"), [
    ("A loss", LOSS), ("A pair of networks for 64 x 64", NETWORKS),
    ("A setting that can be turned while a run trains", SETTING), ("A data source that reads one .npy file", SOURCE)])
def test_an_example_is_whole_and_touches_at_most_three_places(copy: Path, title: str, use: str) -> None:
    places = [name for name in apply(title, copy) if "/words/" not in name]
    assert 0 < len(places) <= 3
    assert run(copy, use).split() == ["True"]


def test_without_its_edits_an_example_does_not_work(copy: Path) -> None:
    done = subprocess.run([sys.executable, "-c", HEAD + LOSS], cwd=copy, capture_output=True, text=True, timeout=100)
    assert done.returncode and "soft-hinge" in done.stderr

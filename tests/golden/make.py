"""Makes the golden fixtures: what a run folder, its numbers, its events and the public faces were at one moment.

    python tests/golden/make.py runs      # the zipped run folders, and all that follows from them
    python tests/golden/make.py numbers   # losses of the presets' first steps and after a resume
    python tests/golden/make.py events    # what a browser is sent about the golden runs
    python tests/golden/make.py faces     # --help, API names, ids of components, public names, fields, presets
    python tests/golden/make.py dom       # ids of the page in a browser, and how it shows the golden runs

Run it on purpose only: where a face was changed on purpose, make that part again and look at the difference. `runs` and
`numbers` are made again only for a format or an arithmetic that is meant to be another one: old runs are then no longer read or
resumed alike. The run folders were made by the code of commit 955c3f6.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent.parent)]

from golden import recording  # noqa: E402
from golden.recording import HERE, ask, until  # noqa: E402

import gan_core  # noqa: E402

COMMON = ["--set", "threads=1", "--set", "precision=fp32", "--set", "device=cpu", "--set", "memory_format=contiguous",
          "--set", "rewrites=off"]
RING = ["--preset", "ring", "--name", "golden ring", "--set", "batch_size=16", "--set", "measure_share=0.5"]
CONDITIONAL = ["--preset", "conditional", "--name", "golden conditional", "--set", "batch_size=8", "--set", "latent_dim=8",
               "--set", "measure_share=0"]
RESUMED = 8  # steps


def write(name: str, value: Any) -> None:
    """Text, or JSON with its innermost lists on one line."""
    text = value if isinstance(value, str) else json.dumps(value, indent=1) + "\n"
    if not isinstance(value, str):
        text = re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda found: "[" + " ".join(found[1].split()) + "]", text)
        assert json.loads(text) == value
    (HERE / name).write_text(text)
    print(f"{name}: {(HERE / name).stat().st_size:,} bytes")


def make_runs() -> None:
    with tempfile.TemporaryDirectory() as folder:
        make_ring(Path(folder))
        make_conditional(Path(folder))
    make_numbers()
    make_events()
    make_dom()


def begun(folder: Path, stem: str) -> gan_core.Run:
    found = until(lambda: list(folder.glob(f"{stem}-*/config.json")), "the new run")
    run = gan_core.Run.open(found[0].parent)
    until(lambda: run.stored_status().state == "paused", "the run to be ready")
    return run


def make_ring(folder: Path) -> None:
    """Points: a knob turned, a best checkpoint kept and gone back to, two lives; its one checkpoint is latest and best."""
    with recording.worker("--new", "--paused", "--checkpoints", str(folder), *RING, *COMMON) as process:
        run = begun(folder, "golden-ring")
        ask(run, "step", network="both", count=5)
        until(lambda: run.stored_status().step == 5 and run.stored_status().state == "paused", "step 5")
        ask(run, "tune", changes={"lr_d": 0.002, "label_smoothing": 0.0, "max_minutes": 5})
        ask(run, "resume")
        until(lambda: run.stored_status().best and run.floor(), "a measurement")
        ask(run, "pause")
        ask(run, "restore")
        run.send("stop")
        assert process.wait(60) == 0
    pointers = [json.loads((run.path / "checkpoint" / name).read_text()) for name in ("latest.json", "best.json")]
    assert pointers[0]["file"] == pointers[1]["file"] and pointers[0]["sha256"] == pointers[1]["sha256"]
    assert hashlib.sha256((run.path / "checkpoint" / pointers[0]["file"]).read_bytes()).hexdigest() == pointers[0]["sha256"]
    for path in run.checkpoint_folder.glob("*.safetensors"):
        if path.name != pointers[0]["file"]:
            path.unlink()
    pack("ring", run)


def make_conditional(folder: Path) -> None:
    """Pictures with classes, drawn and driven but not resumed: its checkpoint is left out for its size."""
    with recording.worker("--new", "--paused", "--checkpoints", str(folder), *CONDITIONAL, *COMMON) as process:
        run = begun(folder, "golden-conditional")
        for count in (1, 9, 30):
            goal = run.stored_status().step + count
            ask(run, "step", network="both", count=count)
            until(lambda goal=goal: run.stored_status().step == goal and run.stored_status().state == "paused", f"step {goal}")
        run.send("stop")
        assert process.wait(60) == 0
    for path in run.checkpoint_folder.iterdir():
        path.unlink()
    status = run.stored_status()
    status.checkpoint_step = -1
    run.write_status(status)
    pack("conditional", run)


def pack(name: str, run: gan_core.Run) -> None:
    """The run folder as an archive: without its log, with its newest network only, and without this machine's name."""
    status = run.stored_status()
    status.host = "golden"
    run.write_status(status)
    newest = run.live_path()
    for path in (run.path / "live").iterdir():
        if path != newest:
            path.unlink()
    run.log_path.unlink(missing_ok=True)
    with zipfile.ZipFile(HERE / f"{name}.zip", "w", zipfile.ZIP_LZMA) as archive:
        for path in sorted(path for path in run.path.rglob("*") if path.is_file()):
            archive.write(path, path.relative_to(run.path.parent))
    print(f"{name}.zip: {(HERE / f'{name}.zip').stat().st_size:,} bytes")


def make_numbers() -> None:
    with tempfile.TemporaryDirectory() as folder:
        resumed = recording.resumed(recording.unpacked("ring", Path(folder)), RESUMED)
    presets = {name: recording.first_losses(config.to_dict()) for name, config in gan_core.PRESETS.items()}
    write("numbers.json", {"machine": recording.machine(), "resumed": resumed, "presets": presets})


def make_events() -> None:
    with tempfile.TemporaryDirectory() as folder:
        write("events.json", recording.events(Path(folder)))


def make_faces() -> None:
    for name in recording.COMMANDS:
        write(f"help/{name}.txt", recording.help_text(name))
    with tempfile.TemporaryDirectory() as folder:
        write("faces.json", {**recording.public_names(), **recording.served(Path(folder))})


def make_dom() -> None:
    with tempfile.TemporaryDirectory() as folder:
        write("dom.json", recording.seen(Path(folder)))


PARTS = {"runs": make_runs, "numbers": make_numbers, "events": make_events, "faces": make_faces, "dom": make_dom}

if __name__ == "__main__":
    if not sys.argv[1:] or set(sys.argv[1:]) - set(PARTS):
        sys.exit(f"{__doc__}\nGive one or more of: {', '.join(PARTS)}.")
    (HERE / "help").mkdir(exist_ok=True)
    for part in sys.argv[1:]:
        PARTS[part]()

"""A run that was trained on a graphics card, opened on a machine without one."""

import json
from pathlib import Path

import forked
import numpy as np
import pytest
from waiting import PATIENCE, until

from gan_core.compute.choices import ComputeChoices, devices
from gan_core.compute.distributed import ALONE
from gan_core.config import PRESETS
from gan_core.data.types import LoadedData
from gan_core.messages import ENGLISH
from gan_core.runs import checkpoint, layout
from gan_core.runs.run import Run
from gan_core.worker import startup
from gan_core.worker.coordinator import Coordinator
from gan_core.worker.startup import Startup
from gan_core.worker.status_writer import StatusWriter

CONFIG = PRESETS["quick"].replace(batch_size=4, latent_dim=8, threads=1, measure_share=0, max_steps=6)
pytestmark = pytest.mark.skipif("cuda" in devices(), reason="of machines without a card")


def trained(run: Run) -> int:
    return forked.started([str(run.path)], output=run.path.parent / "out.txt").wait(PATIENCE)


def moved(run: Run, device: str, last: str) -> Run:
    """The run as if its config named this device and its last session had used that one."""
    info = json.loads((run.path / layout.CONFIG).read_text())
    info["config"]["device"] = device
    (run.path / layout.CONFIG).write_text(json.dumps(info))
    saved = checkpoint.newest_valid(run.checkpoint_folder)
    metadata = {**saved.metadata, "resolved": {**saved.metadata["resolved"], "device": last}}
    path = checkpoint.step_path(run.checkpoint_folder, saved.step)
    sha256 = checkpoint.write(path, saved.tensors, metadata)
    checkpoint.write_pointer(run.checkpoint_folder, path.name, sha256, saved.step)
    return Run.open(run.path)


@pytest.mark.slow
def test_a_run_of_a_card_goes_on_without_one_and_says_so(tmp_path: Path) -> None:
    run = Run.create(CONFIG, tmp_path)
    assert trained(run) == 0
    run = moved(run, "cuda", "cuda")
    assert run.config.device == "cuda" and run.status().device == "cpu"
    process = forked.started([str(run.path), "--steps", "12", "--paused"], output=tmp_path / "out.txt")
    until(lambda: run.status().state == "paused", "the run")
    said = [ENGLISH.sentence(notice) for notice in run.status().notices]
    assert said == ["This run was trained on cuda, which is not available here; it continues on cpu, no longer reproducible bit "
                    "for bit."]
    run.send("resume")
    assert process.wait(PATIENCE) == 0
    status = run.status()
    assert (status.state, status.step, status.device, status.exact) == ("finished", 12, "cpu", False), status.error
    assert checkpoint.newest_valid(run.checkpoint_folder).metadata["config"]["device"] == "cuda", "where there is one it is used"


def test_a_new_run_for_a_card_is_still_refused_where_there_is_none(tmp_path: Path) -> None:
    run = Run.create(CONFIG.replace(device="cuda"), tmp_path)
    assert trained(run) == 1
    assert "The device cuda is not available on this machine; choose one of: cpu" in run.status().error["message"]


@pytest.mark.parametrize(("here", "device", "last", "used"), [
    (["cpu"], "auto", "cuda", "measured auto"), (["cpu"], "cuda", "cuda", "measured auto"), (["cpu"], "cuda", "cpu", "cpu"),
    (["cpu"], "auto", "cpu", "cpu"), (["cuda", "cpu"], "auto", "cpu", "cpu"), (["cuda", "cpu"], "cuda", "cpu", "measured cuda"),
    (["mps", "cpu"], "mps", "mps", "mps"), (["mps", "cpu"], "cpu", "mps", "measured cpu")])
def test_which_device_is_used(tmp_path, monkeypatch, here, device, last, used) -> None:
    """Where it is not the last session's, it is measured among what the config allows here."""
    run = Run.create(CONFIG, tmp_path)
    writer = StatusWriter(run)
    monkeypatch.setattr(startup, "devices", lambda: here)
    monkeypatch.setattr(startup.autotune, "choose", lambda config, *_: ComputeChoices(device=f"measured {config.device}"))
    try:
        choices, _ = Startup(run, writer, Coordinator(ALONE), 1, lambda: False)._choose(
            CONFIG.replace(device=device), ComputeChoices(device=last), LoadedData(np.zeros((4, 1, 28, 28), np.uint8)))
    finally:
        writer.close()
    assert choices.device == used

"""Runs as a worker leaves them, made in a second without one: real networks, real pictures, real files."""

from pathlib import Path

import torch

from gan_core.config import PRESETS
from gan_core.registry import NETWORKS
from gan_core.runs.run import Run
from gan_core.training.trainer import Trainer
from gan_core.worker.recorder import Recorder

IMAGES = torch.randint(256, (20, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
POINTS = torch.randn(40, 2, generator=torch.Generator().manual_seed(1)) * 3
OF_POINTS = {"networks": "mlp", "dataset": "ring"}  # overrides for `make_run`


def make_run(folder: Path, kind: str = "run", steps: int = 3, state: str = "finished", **config: object) -> Run:
    """A finished run with `steps` steps, a grid at its beginning and its end, and one live file."""
    small = {"batch_size": 2, "latent_dim": 20, "threads": 1, "device": "cpu", **config}
    run = Run.create(PRESETS["quick"].replace(**small), folder, preset="quick", kind=kind,
                     name="starter-x" if kind == "starter" else "")
    trainer = Trainer(run.config, POINTS if NETWORKS[run.config.networks].points else IMAGES)
    recorder = Recorder(run, trainer, life=1, seq=0, live=0)
    recorder.write_real()
    recorder.write_frame()
    for _ in range(steps):
        recorder.add(trainer.step(), 0.1 * trainer.step_count)
    recorder.flush(everything=True)
    recorder.write_frame()
    recorder.write_live()
    status = run.stored_status()
    status.state, status.step, status.seq, status.live, status.life = state, steps, recorder.seq, recorder.live_number, 1
    run.write_status(status)
    return run

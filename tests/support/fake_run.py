"""A run without a trainer: a test, or a process that it starts, takes its steps."""

import json
from pathlib import Path
from typing import Any

from gan_core.config import TrainConfig
from gan_core.runs.run import Run
from gan_core.runs.status import Status

ROOT = Path(__file__).parents[2]
SUPPORT = Path(__file__).parent
PNG = (ROOT / "checkpoints" / "starter-digits" / "real.png").read_bytes()


class FakeRun:
    """A run whose trainer is this object: it writes in the order in which a worker writes."""

    def __init__(self, folder: Path, name: str = "sheep") -> None:
        self.run = Run.create(TrainConfig(seed=7), folder, preset="quick", name=name)
        self.status = Status(state="running", life=1, host="elsewhere", pid=1, pid_started=1.0)
        (self.run.path / "real.png").write_bytes(PNG)
        self.line({"life": 1, "start_step": 0})

    def line(self, record: dict[str, Any]) -> None:
        with open(self.run.metrics_path(self.status.life), "ab") as file:
            file.write(json.dumps(record).encode() + b"\n")

    def step(self, count: int = 1) -> None:
        status, run = self.status, self.run
        for _ in range(count):
            status.step, status.seq, status.live = status.step + 1, status.seq + 1, status.live + 1
            status.images = 16 * status.step
            self.line({"step": status.step, "images": status.images, "t": 0.1 * status.step, "d_loss": 1.0 / status.step})
            run.write_file(run.frame_path(status.seq, status.step), PNG)
            run.write_file(run.live_file(status.live), b"%d" % status.live * 1000)
            run.live_file(status.live - 2).unlink(missing_ok=True)
            run.write_status(status, durable=False)

    def end(self) -> None:
        self.status.state = "finished"
        self.run.write_status(self.status)

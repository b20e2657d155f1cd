"""A run told to what people already look at, TensorBoard or trackio: `python -m gan_core.sinks RUN tensorboard`

A process of its own follows the run folder, as the page does: the trainer never waits for it, and what a library does wrong ends
the following, not the training. It tells losses, probabilities and measures at their steps, marks as text, some of the pictures.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from ..messages import message
from ..runs.files import atomic_write
from ..runs.metrics import MetricsReader
from ..runs.run import Run, RunError
from ..runs.status import ACTIVE

EVERY = 1.0  # seconds between two looks at the folder
GROWTH = 1.25  # a picture is told when its step is this many times the last told one's
CLOSING = 20.0  # seconds that a worker gives its followers to tell the end
PROJECT = "gan-playground"  # trackio's name for all these runs together
SERIES = {"d_loss": "loss/discriminator", "g_loss": "loss/generator", "d_real": "believed/real", "d_fake": "believed/fake"}


class IntegrationError(RunError):
    """A sink that does not exist or is not installed; one sentence."""


class Integration(Protocol):
    """Where a run is told. `step` is the training's; `t` its seconds of training."""

    def log_scalars(self, values: dict[str, float], step: int, t: float) -> None: ...
    def log_text(self, tag: str, text: str, step: int) -> None: ...
    def log_image(self, path: Path, step: int) -> None: ...

    def rewind(self, step: int) -> int:
        """The run went back to this step: forget from there on. Returns the step from which everything is to be told again."""

    def flush(self) -> None: ...
    def close(self) -> None: ...


class TensorBoard:
    """Event files in the run's own folder, so that `tensorboard --logdir checkpoints` finds every run under its name."""

    def __init__(self, run: Run) -> None:
        self._folder, self._created = str(run.path / "tensorboard"), float(run.info.get("created", 0.0))
        self._writer = self._open(None)

    def _open(self, purge_step: int | None) -> Any:
        from tensorboardX import SummaryWriter

        # Its files are named by the second: two within one would be the same file, and are read in the order of their names.
        return SummaryWriter(self._folder, purge_step=purge_step, max_queue=1000, filename_suffix=f".{time.time_ns():020d}")

    def log_scalars(self, values: dict[str, float], step: int, t: float) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step, walltime=self._created + t)

    def log_text(self, tag: str, text: str, step: int) -> None:
        self._writer.add_text(tag, text, step)

    def log_image(self, path: Path, step: int) -> None:
        import numpy as np
        from PIL import Image

        with Image.open(path) as picture:
            self._writer.add_image("samples", np.asarray(picture.convert("RGB")), step, dataformats="HWC")

    def rewind(self, step: int) -> int:
        """TensorBoard hides what older event files hold at this step and beyond; the files themselves only grow."""
        self._writer.close()
        self._writer = self._open(step)
        return step

    def flush(self) -> None:
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class Trackio:
    """One trackio run of the same name, in trackio's own store: `trackio show --project gan-playground`."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._handle = self._open()

    def _open(self) -> Any:
        import trackio

        config = {name: value for name, value in self._run.info["config"].items() if not name.startswith("_")}
        return trackio.init(PROJECT, name=self._run.id, config=config, resume="allow", embed=False,
                            auto_log_gpu=False, auto_log_cpu=False)

    def log_scalars(self, values: dict[str, float], step: int, t: float) -> None:
        self._handle.log({**values, "seconds": t}, step=step)

    def log_text(self, tag: str, text: str, step: int) -> None:
        import trackio

        self._handle.log({tag: trackio.Markdown(text)}, step=step)

    def log_image(self, path: Path, step: int) -> None:
        import numpy as np
        import trackio
        from PIL import Image

        with Image.open(path) as picture:
            self._handle.log({"samples": trackio.Image(np.asarray(picture.convert("RGB")))}, step=step)

    def rewind(self, step: int) -> int:
        """trackio can take nothing back but a whole run: it is deleted and told again. A store on a server keeps the old rows."""
        import trackio

        self._handle.finish()
        with contextlib.suppress(ValueError):  # no store here
            for earlier in trackio.Api().runs(PROJECT):
                if earlier.name == self._run.id and earlier.delete():
                    step = -1
        self._handle = self._open()
        return step

    def flush(self) -> None:
        pass  # it writes in a thread of its own

    def close(self) -> None:
        self._handle.finish()


# name -> (what pip installs and Python imports, the sink)
INTEGRATIONS: dict[str, tuple[str, Callable[[Run], Integration]]] = {
    "tensorboard": ("tensorboardX", TensorBoard), "trackio": ("trackio", Trackio)}


def check_available(names: Iterable[str]) -> None:
    """Raises SinkError, in a sentence, for a name that is no sink or whose package is not installed."""
    for name in names:
        if name not in INTEGRATIONS:
            raise IntegrationError(f"There is no log {name!r}; choose from: {', '.join(INTEGRATIONS)}.")
        if find_spec(INTEGRATIONS[name][0]) is None:
            raise IntegrationError(f"Logging to {name} needs a package that is not installed here: "
                                   f"pip install {INTEGRATIONS[name][0]}")


class Follower:
    """Tells one sink what a run folder holds, each record once: `logged.json` beside the log says how far it has come."""

    def __init__(self, run: Run, name: str) -> None:
        check_available([name])
        self.run, self._reader, self._records = run, MetricsReader(run.path), []
        (run.path / name).mkdir(exist_ok=True)
        self._path = run.path / name / "logged.json"
        # Told so far: lives, records of them, the furthest step, the step of the last picture.
        self.position = {"life": 0, "records": 0, "step": -1, "picture": -1}
        with contextlib.suppress(OSError, ValueError, TypeError):
            stored = json.loads(self._path.read_bytes())
            self.position |= {key: int(value) for key, value in stored.items() if key in self.position}
        self.integration = INTEGRATIONS[name][1](run)
        if not self.position["life"]:
            self.integration.log_text("config", "\n".join(f"    {key}: {value}" for key, value in run.info["config"].items()), 0)

    def update(self) -> None:
        """Tell what is new."""
        position = self.position
        fresh, rewound = self._reader.read_new()
        self._records = fresh if rewound else [*self._records, *fresh]
        begun = [start for life, start in self._reader.start_steps.items() if life > position["life"]]
        news = self._records[position["records"]:]
        if begun and min(begun) < position["step"]:  # some of what was told did not happen
            step = self.integration.rewind(min(begun))
            news = [record for record in self._records if record["step"] >= step]
            position |= {"step": step, "picture": max(-1, min(position["picture"], step - 1))}
        for record in news:
            self._tell(record)
            position["step"] = max(position["step"], record["step"])
        position |= {"records": len(self._records), "life": max(self._reader.start_steps, default=0)}
        for frame in self.run.frames():
            if frame.path.suffix == ".png" and frame.step > GROWTH * position["picture"]:
                with contextlib.suppress(FileNotFoundError):  # thinned meanwhile
                    self.integration.log_image(frame.path, frame.step)
                    position["picture"] = frame.step
        self.integration.flush()
        atomic_write(self._path, json.dumps(position).encode(), durable=False)

    def _tell(self, record: dict[str, Any]) -> None:
        step, t = record["step"], float(record.get("t") or 0.0)
        mark, measured = record.get("mark"), record.get("quality")
        if mark is not None:
            changes = ", ".join(f"{name}: {old} -> {new}" for name, (old, new) in mark["changes"].items())
            self.integration.log_text("marks", f"{mark['kind']} {changes}".strip(), step)
        elif measured is not None:
            self.integration.log_scalars({f"quality/{name}": value for name, value in measured.items()}, step, t)
        elif values := {SERIES[name]: record[name] for name in SERIES if record.get(name) is not None}:
            self.integration.log_scalars(values, step, t)


def follow(run: Run, name: str, stop: threading.Event, every: float = EVERY) -> None:
    """Tell the sink this run until its life has ended or `stop` is set. What the library raises comes through."""
    follower = Follower(run, name)
    try:
        while True:
            going = run.status().state in ACTIVE and not stop.is_set()
            follower.update()
            if not going:
                return
            stop.wait(every)
    finally:
        follower.integration.close()


class FollowerProcesses:
    """The followers of a worker's run, a process each. Start them before training: what is missing raises SinkError here."""

    def __init__(self, run: Run, names: Iterable[str], notice: Callable[[dict[str, Any]], None]) -> None:
        """notice: told why, as `sentences.part`, from a thread, when a follower fails. Training goes on."""
        names = list(dict.fromkeys(names))
        check_available(names)
        self._closing, self._notice = False, notice
        command = [sys.executable, "-m", "gan_core.sinks", str(run.path.resolve())]
        self._processes = [subprocess.Popen([*command, name], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                            errors="replace", start_new_session=True, cwd=Path(__file__).parents[2])
                           for name in names]
        self._watchers = [threading.Thread(target=self._watch, args=(name, process), daemon=True)
                          for name, process in zip(names, self._processes, strict=True)]
        for watcher in self._watchers:
            watcher.start()

    def _watch(self, name: str, process: subprocess.Popen[str]) -> None:
        said = process.communicate()[1].strip()
        if said:
            print(said, file=sys.stderr, flush=True)
        if process.returncode and not self._closing:
            reason = said.splitlines()[-1][:200] if said else message("exit_status", status=process.returncode)
            self._notice(message("notice_log", name=name, reason=reason))

    def close(self, timeout: float = CLOSING) -> None:
        """Wait until they have told the end of the run, which must be in its status by now; who is not done then is ended."""
        for watcher in self._watchers:
            watcher.join(timeout)
        self._closing = True
        for process in self._processes:
            if process.poll() is None:
                process.kill()


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m gan_core.sinks", description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="the run's folder")
    parser.add_argument("log", help=f"where to tell it: {', '.join(INTEGRATIONS)}")
    args = parser.parse_args(argv)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with contextlib.suppress(AttributeError, OSError):
        os.nice(5)  # the training comes first
    try:
        follow(Run.open(args.run), args.log, stop)
    except RunError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


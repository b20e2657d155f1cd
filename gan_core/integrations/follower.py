"""Reads a run's folder again and again and logs what is new to one integration.

It runs in a process apart from the worker (`processes`), so that training never waits for it and a failure ends only the log.
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time

from .. import registry
from ..runs.files import atomic_write
from ..runs.metrics import SERIES, MetricsReader, Record
from ..runs.run import Run
from ..runs.status import ACTIVE, ENDED, Status
from .interface import DeliveryError, Integration
from .registry import INTEGRATIONS, check_available

POLL_INTERVAL = 1.0  # seconds between two reads of the folder
IMAGE_RATIO = 1.25  # the smallest ratio of the steps of two logged sample grids
RETRY_INTERVAL = 30.0  # seconds before an event is delivered again
FINAL_PAUSES = (1.0, 3.0)  # seconds between the attempts after the run's end; `processes.CLOSE_TIMEOUT` bounds the whole
TAGS = dict(zip(SERIES, ("loss/discriminator", "loss/generator", "believed/real", "believed/fake"), strict=True))


class Follower:
    """Logs one run to one integration, each record once; `<name>/logged.json` in the run's folder stores the position."""

    def __init__(self, run: Run, name: str) -> None:
        check_available([name])
        self.run, self.name, self._reader = run, name, MetricsReader(run.path)
        self._records: list[Record] = []
        (run.path / name).mkdir(exist_ok=True)
        self._path = run.path / name / "logged.json"
        # Logged so far: lives, records of them, the last step, the step of the last image, that of the last best, the last
        # life whose end was logged.
        self.position = {"life": 0, "records": 0, "step": -1, "picture": -1, "best": -1, "end": 0}
        with contextlib.suppress(OSError, ValueError, TypeError):
            stored = json.loads(self._path.read_bytes())
            self.position |= {key: int(value) for key, value in stored.items() if key in self.position}
        self.integration: Integration = registry.resolve(INTEGRATIONS, name)(run)
        self._retry_at = 0.0
        if not self.position["life"]:
            self.integration.log_text("config", "\n".join(f"    {key}: {value}" for key, value in run.info["config"].items()), 0)

    def update(self) -> None:
        """Log what is new in the folder."""
        self._log_records()
        self._log_images()
        self.integration.flush()
        self._store_position()

    def _log_records(self) -> None:
        position = self.position
        fresh, rewound = self._reader.read_new()
        self._records = fresh if rewound else [*self._records, *fresh]
        starts = [start for life, start in self._reader.start_steps.items() if life > position["life"]]
        records = self._records[position["records"]:]
        if starts and min(starts) < position["step"]:  # the run went back before what was logged
            step = self.integration.rewind(min(starts))
            records = [record for record in self._records if record["step"] >= step]
            position |= {"step": step, "picture": max(-1, min(position["picture"], step - 1))}
        for record in records:
            self._log_record(record)
            position["step"] = max(position["step"], record["step"])
        position |= {"records": len(self._records), "life": max(self._reader.start_steps, default=0)}

    def _log_record(self, record: Record) -> None:
        step, t = record["step"], float(record.get("t") or 0.0)
        mark, quality = record.get("mark"), record.get("quality")
        if mark is not None:
            changes = ", ".join(f"{name}: {old} -> {new}" for name, (old, new) in mark["changes"].items())
            self.integration.log_text("marks", f"{mark['kind']} {changes}".strip(), step)
        elif quality is not None:
            self.integration.log_scalars({f"quality/{name}": value for name, value in quality.items()}, step, t)
        elif values := {title: value for name, title in TAGS.items() if isinstance(value := record.get(name), int | float)}:
            self.integration.log_scalars(values, step, t)

    def _log_images(self) -> None:
        for frame in self.run.frames():
            if frame.path.suffix == ".png" and frame.step > IMAGE_RATIO * self.position["picture"]:
                with contextlib.suppress(FileNotFoundError):  # the worker has deleted it meanwhile
                    self.integration.log_image(frame.path, frame.step)
                    self.position["picture"] = frame.step

    def _store_position(self) -> None:
        atomic_write(self._path, json.dumps(self.position).encode(), durable=False)

    # Events.

    def log_events(self, status: Status) -> None:
        """Log a new best, and the end of a life. After a temporary failure the next call may try again.

        Raises DeliveryError where the end of a life cannot be logged.
        """
        best_step = status.best["step"] if status.best is not None else -1
        if status.best is not None and best_step != self.position["best"] and time.monotonic() >= self._retry_at:
            try:
                self._log_event("best", status)
            except DeliveryError as error:
                print(f"{self.name}: {error} Trying again.", file=sys.stderr, flush=True)
                self._retry_at = time.monotonic() + RETRY_INTERVAL
        if status.state in ENDED and self.position["end"] != status.life > 0:
            self._log_event(status.state, status)

    def _log_event(self, event: str, status: Status) -> None:
        self.integration.log_event(event, status)
        self.position |= {"best": status.best["step"]} if event == "best" and status.best is not None else {"end": status.life}
        self._store_position()


def follow(run: Run, name: str, stop: threading.Event, interval: float = POLL_INTERVAL) -> None:
    """Log this run until its life has ended or `stop` is set. Raises IntegrationError, and whatever the library raises."""
    follower = Follower(run, name)
    try:
        while True:
            status = run.status()
            follower.update()
            if status.state not in ACTIVE:
                _log_end(follower, status, stop)
                return
            follower.log_events(status)
            if stop.is_set():
                return
            stop.wait(interval)
    finally:
        follower.integration.close()


def _log_end(follower: Follower, status: Status, stop: threading.Event) -> None:
    """Log the last events of a life, in several attempts. Raises DeliveryError where all fail."""
    for pause in FINAL_PAUSES:
        try:
            return follower.log_events(status)
        except DeliveryError as error:
            print(f"{follower.name}: {error} Trying again in {pause:g} s.", file=sys.stderr, flush=True)
            stop.wait(pause)
    follower.log_events(status)

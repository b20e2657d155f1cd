"""Data made ready to be looked at: jobs shared by all browsers, the newest wish of each browser wins, at most two at once.

A job is one `gan_core.data.preview` process; this keeps what it says, and ends it when nobody wants it any more. It knows
no gradio,
no form and no words.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from ..config import TrainConfig
from ..messages import Fault, Message
from ..runs.supervisor import PROJECT

AT_ONCE = 2  # processes that read data at the same time
LEASE = 75.0  # seconds without a question before a browser wants nothing any more; a hidden tab asks once a minute
KEPT = 64  # results that are remembered
PATIENCE = 3.0  # seconds that somebody who presses Start waits for a second try
GRACE = 3.0  # seconds that a process has to end by itself
FIELDS = ("dataset", "image_size", "color", "crop", "max_images")  # of a config: what data are wanted, and in which form
UNFINISHED = ("waiting", "working")


@dataclass
class Job:
    """One wish. state: waiting, working, ready, refused or cancelled."""

    values: dict[str, Any]
    state: str = "waiting"
    progress: dict[str, Any] | None = None
    ready: dict[str, Any] = field(default_factory=dict)  # {"about", "preview"}
    sentence: str = ""  # why it was refused
    fault: Message | None = None  # the same for any language; None where it was told in one sentence only
    process: subprocess.Popen[str] | None = None

    def told(self) -> dict[str, Any]:
        """How far it is, in plain JSON types; the sentence is English, `fault` lets a page say it in its own language."""
        return {"state": self.state, "progress": self.progress, "sentence": self.sentence, "fault": self.fault, **self.ready}

    def refuse(self, fault: Fault) -> None:
        """Told by nobody else: the process could not."""
        self.state, self.sentence, self.fault = "refused", str(fault), fault.payload()


class PreviewJobs:
    """All jobs of one page. Safe to call from many threads; `who` is a browser's own name for itself."""

    def __init__(self, lease: float = LEASE, command: tuple[str, ...] = (sys.executable, "-m", "gan_core.data.preview")) -> None:
        self._lock = threading.Condition(threading.RLock())
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._wishes: dict[str, tuple[str, float]] = {}  # who -> (key of a job, when it asked last)
        self._lease, self._command = lease, command
        self._keeper: threading.Thread | None = None
        self._closed = False

    def wish(self, who: str, config: TrainConfig) -> dict[str, Any]:
        """This browser wants this config's data now, and nothing else any more; how far they are."""
        with self._lock:
            if self._closed:
                return {"state": "cancelled"}
            key = key_of(config)
            job = self._jobs.get(key)
            if job is None or job.state in ("refused", "cancelled") or (job.state == "ready" and not _lasting(config)):
                job = self._jobs[key] = Job({name: getattr(config, name) for name in FIELDS})
            self._jobs.move_to_end(key)
            self._wishes[who] = (key, time.monotonic())
            self._tidy()
            return job.told()

    def look(self, who: str) -> dict[str, Any]:
        """How far this browser's wish is; the state is "none" where it has none, as after a restart of the server."""
        with self._lock:
            key, _ = self._wishes.get(who, ("", 0.0))
            job = self._jobs.get(key)
            if job is None:
                return {"state": "none"}
            self._wishes[who] = (key, time.monotonic())
            return job.told()

    def leave(self, who: str) -> dict[str, Any]:
        """This browser wants nothing any more; a job that nobody else wants is cancelled."""
        with self._lock:
            self._wishes.pop(who, None)
            self._tidy()
            return {"state": "cancelled"}

    def about(self, config: TrainConfig) -> dict[str, Any] | None:
        """What is known of these data (`LoadedData.summary`); None before they were ready here."""
        with self._lock:
            job = self._jobs.get(key_of(config))
            return job.ready.get("about") if job is not None else None

    def again(self, config: TrainConfig, seconds: float = PATIENCE) -> dict[str, Any] | None:
        """Data that were refused are tried once more; what is said then if they are refused again within that time, else None."""
        who = f"again {threading.get_ident()}"
        with self._lock:
            job = self._jobs.get(key_of(config))
            if job is None or job.state != "refused":
                return None
            self.wish(who, config)
            job = self._jobs[key_of(config)]
            self._lock.wait_for(lambda: job.state not in UNFINISHED, seconds)
            self._wishes.pop(who, None)  # the browser that asked wants these under its own name, or else a run fetches them
            return job.told() if job.state == "refused" else None

    def forget(self, dataset: str) -> None:
        """These data are deleted: no picture of them is shown any more, and nobody goes on reading them."""
        with self._lock:
            for key, job in list(self._jobs.items()):
                if job.values["dataset"] == dataset:
                    _cancel(job)
                    del self._jobs[key]
            self._lock.notify_all()

    def close(self) -> None:
        """End every process."""
        with self._lock:
            self._closed = True
            self._wishes.clear()
            self._tidy()

    # Behind the lock.

    def _tidy(self) -> None:
        """Forget who has gone, cancel what nobody wants, start what may start."""
        now = time.monotonic()
        self._wishes = {who: (key, asked) for who, (key, asked) in self._wishes.items() if now - asked < self._lease}
        wanted = {key for key, _ in self._wishes.values()}
        for key, job in self._jobs.items():
            if key not in wanted and job.state in UNFINISHED:
                _cancel(job)
        finished = [key for key, job in self._jobs.items() if job.state not in UNFINISHED and key not in wanted]
        for key in finished[:max(0, len(self._jobs) - KEPT)]:
            del self._jobs[key]
        busy = sum(job.process is not None for job in self._jobs.values())  # one that was cancelled may still be ending
        for job in [job for job in self._jobs.values() if job.state == "waiting"][:max(0, AT_ONCE - busy)]:
            self._begin(job)
        if self._keeper is None and any(job.state in UNFINISHED for job in self._jobs.values()):
            self._keeper = threading.Thread(target=self._keep, name="library", daemon=True)
            self._keeper.start()

    def _begin(self, job: Job) -> None:
        path = os.pathsep.join(p for p in (str(PROJECT), os.environ.get("PYTHONPATH", "")) if p)
        try:
            job.process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, text=True, encoding="utf-8", env={**os.environ, "PYTHONPATH": path},
                start_new_session=os.name == "posix")  # Ctrl+C in the server's terminal is the server's
        except OSError as error:
            job.refuse(Fault("no_process", reason=error))
            return
        job.state = "working"
        threading.Thread(target=self._follow, args=(job, job.process), name="prepare", daemon=True).start()

    # In threads of their own.

    def _follow(self, job: Job, process: subprocess.Popen[str]) -> None:
        """Read what the process says until it ends."""
        assert process.stdin is not None and process.stdout is not None
        with contextlib.suppress(OSError, ValueError):  # it died this very moment, or was cancelled
            process.stdin.write(json.dumps({"config": job.values}) + "\n")
            process.stdin.flush()
        for line in process.stdout:
            with contextlib.suppress(ValueError):
                self._hear(job, json.loads(line))
        process.stdout.close()
        process.wait()
        with self._lock:
            job.process = None
            if job.state == "working":
                job.refuse(Fault("silent"))
            self._tidy()
            self._lock.notify_all()

    def _hear(self, job: Job, line: dict[str, Any]) -> None:
        with self._lock:
            if job.state != "working":
                return  # cancelled: what it still says is of no use
            if "progress" in line:
                job.progress = line["progress"]
            elif "ready" in line:
                job.state, job.progress, job.ready = "ready", None, line["ready"]
            elif "refused" in line:
                job.state, job.progress, job.sentence, job.fault = "refused", None, str(line["refused"]), line.get("fault")
            self._lock.notify_all()

    def _keep(self) -> None:
        """While there is unfinished work, notice browsers that went without a word."""
        while True:
            time.sleep(min(1.0, self._lease / 4))
            with self._lock:
                self._tidy()
                if not any(job.state in UNFINISHED for job in self._jobs.values()):
                    self._keeper = None
                    return


def key_of(config: TrainConfig) -> str:
    """Two configs with the same key want the same data in the same form."""
    return json.dumps([getattr(config, name) for name in FIELDS])


def _lasting(config: TrainConfig) -> bool:
    """Whether the same name means the same data for ever; a folder's pictures may change while the page stands open."""
    return not config.dataset.startswith("folder:")


def _cancel(job: Job) -> None:
    """Ask the process to end, which keeps what it has fetched; kill it where it does not."""
    job.state, job.progress = "cancelled", None
    process = job.process
    if process is None or process.stdin is None:
        return
    with contextlib.suppress(OSError):
        process.stdin.close()
    with contextlib.suppress(OSError):
        process.terminate()
    timer = threading.Timer(GRACE, process.kill)
    timer.daemon = True
    timer.start()

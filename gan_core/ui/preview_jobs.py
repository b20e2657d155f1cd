"""Jobs that prepare data for a preview. All browsers share them; each browser has one request, the newest.

A job is one `gan_core.data.preview` process. This module starts it, keeps its results, and ends it when its last lease
expires. Forms and words are left to `forms.data_panel` and `preview_routes`.
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
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .. import registry
from ..config import FIELD_GROUPS, TrainConfig
from ..messages import Fault, Message
from ..runs.supervisor import PROJECT

MAX_PROCESSES = 2  # that read data at the same time
LEASE = 75.0  # seconds after its last call that a browser keeps its request; a hidden tab calls once a minute
MAX_JOBS = 64  # finished ones are kept up to this number
RETRY_TIMEOUT = 3.0  # seconds that Start waits for a retry of refused data
TERMINATE_SECONDS = 3.0  # seconds between terminate and kill
DATA_FIELDS = ("dataset", *FIELD_GROUPS["pictures"])  # of a config: which data, and in which form
UNFINISHED = ("waiting", "working")


@dataclass
class Job:
    """One request for data. state: waiting, working, ready, refused or cancelled."""

    values: dict[str, Any]
    state: str = "waiting"
    progress: dict[str, Any] | None = None
    ready: dict[str, Any] = field(default_factory=dict)  # {"about", "preview"}
    sentence: str = ""  # why it was refused
    fault: Message | None = None  # the same as a message; None where there is only the sentence
    process: subprocess.Popen[str] | None = None

    def payload(self) -> dict[str, Any]:
        """The job in plain JSON types; `sentence` is English, `fault` is the same as a message for any language."""
        return {"state": self.state, "progress": self.progress, "sentence": self.sentence, "fault": self.fault, **self.ready}

    def refuse(self, fault: Fault) -> None:
        """Refuse the job on behalf of a process that could not report why."""
        self.state, self.sentence, self.fault = "refused", str(fault), fault.payload()


class PreviewJobs:
    """All jobs of one page. Thread-safe. `client`: the id that a browser gives itself."""

    def __init__(self, lease: float = LEASE, command: tuple[str, ...] = (sys.executable, "-m", "gan_core.data.preview"),
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Condition(threading.RLock())
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._requests: dict[str, tuple[str, float]] = {}  # client -> (key of its job, time of its last call)
        self._lease, self._command, self._clock = lease, command, clock
        self._lease_thread: threading.Thread | None = None
        self._closed = False

    def request(self, client: str, config: TrainConfig) -> dict[str, Any]:
        """Replace this browser's request by the data of this config; returns the job's payload."""
        with self._lock:
            if self._closed:
                return {"state": "cancelled"}
            key = job_key(config)
            job = self._jobs.get(key)
            if job is None or job.state in ("refused", "cancelled") or (job.state == "ready" and not _is_cacheable(config)):
                job = self._jobs[key] = Job({name: getattr(config, name) for name in DATA_FIELDS})
            self._jobs.move_to_end(key)
            self._requests[client] = (key, self._clock())
            self._update()
            return job.payload()

    def status(self, client: str) -> dict[str, Any]:
        """The payload of this browser's job, whose lease it renews; {"state": "none"} without one, as after a restart."""
        with self._lock:
            key, _ = self._requests.get(client, ("", 0.0))
            job = self._jobs.get(key)
            if job is None:
                return {"state": "none"}
            self._requests[client] = (key, self._clock())
            return job.payload()

    def release(self, client: str) -> dict[str, Any]:
        """Drop this browser's request; a job without another request is cancelled."""
        with self._lock:
            self._requests.pop(client, None)
            self._update()
            return {"state": "cancelled"}

    def summary(self, config: TrainConfig) -> dict[str, Any] | None:
        """`LoadedData.summary` of these data; None before a job has read them."""
        with self._lock:
            job = self._jobs.get(job_key(config))
            return job.ready.get("about") if job is not None else None

    def retry(self, config: TrainConfig, seconds: float = RETRY_TIMEOUT) -> dict[str, Any] | None:
        """Try refused data once more; the payload if they are refused again within `seconds`, else None."""
        client = f"retry {threading.get_ident()}"
        with self._lock:
            job = self._jobs.get(job_key(config))
            if job is None or job.state != "refused":
                return None
            self.request(client, config)
            job = self._jobs[job_key(config)]
            self._lock.wait_for(lambda: job.state not in UNFINISHED, seconds)
            self._requests.pop(client, None)  # the browser has its own request, and otherwise the run reads the data
            return job.payload() if job.state == "refused" else None

    def discard(self, dataset: str) -> None:
        """Remove all jobs of a deleted data set: their pictures are no longer shown, their processes end."""
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
            self._requests.clear()
            self._update()

    # With the lock held

    def _update(self) -> None:
        """Expire leases, cancel jobs without a request, start waiting ones."""
        now = self._clock()
        self._requests = {client: (key, last_call) for client, (key, last_call) in self._requests.items()
                          if now - last_call < self._lease}
        requested = {key for key, _ in self._requests.values()}
        for key, job in self._jobs.items():
            if key not in requested and job.state in UNFINISHED:
                _cancel(job)
        finished = [key for key, job in self._jobs.items() if job.state not in UNFINISHED and key not in requested]
        for key in finished[:max(0, len(self._jobs) - MAX_JOBS)]:
            del self._jobs[key]
        busy = sum(job.process is not None for job in self._jobs.values())  # a cancelled one may still be ending
        for job in [job for job in self._jobs.values() if job.state == "waiting"][:max(0, MAX_PROCESSES - busy)]:
            self._start(job)
        if self._lease_thread is None and any(job.state in UNFINISHED for job in self._jobs.values()):
            self._lease_thread = threading.Thread(target=self._watch_leases, name="preview-leases", daemon=True)
            self._lease_thread.start()

    def _start(self, job: Job) -> None:
        path = os.pathsep.join(p for p in (str(PROJECT), os.environ.get("PYTHONPATH", "")) if p)
        try:
            job.process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, text=True, encoding="utf-8", env={**os.environ, "PYTHONPATH": path},
                start_new_session=os.name == "posix")  # Ctrl+C in the terminal ends only the server
        except OSError as error:
            job.refuse(Fault("no_process", reason=error))
            return
        job.state = "working"
        threading.Thread(target=self._read_output, args=(job, job.process), name="preview", daemon=True).start()

    # In their own threads

    def _read_output(self, job: Job, process: subprocess.Popen[str]) -> None:
        """Read the process's output until it ends."""
        assert process.stdin is not None and process.stdout is not None
        with contextlib.suppress(OSError, ValueError):  # it has just ended
            process.stdin.write(json.dumps({"config": job.values}) + "\n")
            process.stdin.flush()
        for line in process.stdout:
            with contextlib.suppress(ValueError):
                self._handle_line(job, json.loads(line))
        process.stdout.close()
        process.wait()
        with self._lock:
            job.process = None
            if job.state == "working":
                job.refuse(Fault("silent"))
            self._update()
            self._lock.notify_all()

    def _handle_line(self, job: Job, line: dict[str, Any]) -> None:
        with self._lock:
            if job.state != "working":
                return  # cancelled: late output is ignored
            if "progress" in line:
                job.progress = line["progress"]
            elif "ready" in line:
                job.state, job.progress, job.ready = "ready", None, line["ready"]
            elif "refused" in line:
                job.state, job.progress, job.sentence, job.fault = "refused", None, str(line["refused"]), line.get("fault")
            self._lock.notify_all()

    def _watch_leases(self) -> None:
        """Expire leases while a job is unfinished."""
        while True:
            time.sleep(min(1.0, self._lease / 4))
            with self._lock:
                self._update()
                if not any(job.state in UNFINISHED for job in self._jobs.values()):
                    self._lease_thread = None
                    return


def job_key(config: TrainConfig) -> str:
    """Configs with the same key have the same data in the same form."""
    return json.dumps([getattr(config, name) for name in DATA_FIELDS])


def _is_cacheable(config: TrainConfig) -> bool:
    """Whether a name always means the same data; the pictures of a folder may change."""
    return not registry.DATASETS[registry.split_dataset(config.dataset)[0]].mutable


def _cancel(job: Job) -> None:
    """Terminate the process, which keeps what it has fetched; kill it after TERMINATE_SECONDS."""
    job.state, job.progress = "cancelled", None
    process = job.process
    if process is None or process.stdin is None:
        return
    with contextlib.suppress(OSError):
        process.stdin.close()
    with contextlib.suppress(OSError):
        process.terminate()
    timer = threading.Timer(TERMINATE_SECONDS, process.kill)
    timer.daemon = True
    timer.start()

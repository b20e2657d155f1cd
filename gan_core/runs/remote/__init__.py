"""Runs at any fsspec address (s3://, hf://, sftp://, a path): `pull` mirrors one, `push` uploads one. No torch.

`folder` lists, reads and writes files at an address, `mirror` downloads a run, `uploader` sends one, `validation` checks what
comes from there. `python -m gan_core.remote` is the command line.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

from .. import layout
from ..files import atomic_write, folder_name, new_folder
from ..run import Run, RunError, RunInfo
from ..status import ACTIVE, ENDED
from .folder import RemoteError, RemoteFolder, redact_url
from .mirror import LOCK, Mirror, ProgressCallback
from .uploader import Uploader

__all__ = ["Mirror", "RemoteError", "find", "keep", "pull", "push", "redact_url"]

POLL_INTERVAL = 5.0  # seconds between two transfers of a run that is followed
MAX_RUNS = 100  # of one folder
START_TIMEOUT = 120.0  # seconds within which a run that is followed must start


def find(url: str) -> list[str]:
    """The addresses of the runs at `url`: itself if it is a run, else its subfolders that are runs, at most 100."""
    folder = RemoteFolder(url)
    if layout.CONFIG in folder.files():
        return [url]
    base = url.rstrip("/")
    return [f"{base}/{name}" for name in folder.folders()[:10 * MAX_RUNS] if layout.CONFIG in folder.files(name)][:MAX_RUNS]


def pull(url: str, folder: Path | str, *, checkpoints: bool = False, on_progress: ProgressCallback | None = None) -> Run:
    """A copy of the run at `url`, in a subfolder of `folder`; a repeated pull fetches only what is new.

    The copy is read-only: its kind is "remote", and `run.info["origin"]` is the address. `checkpoints`: also fetch those that
    latest.json and best.json name. To follow a run that trains, keep a `Mirror` and call its `refresh`. Raises RemoteError, and
    leaves an earlier copy as it was.
    """
    mirror = Mirror(url, folder, checkpoints=checkpoints, on_progress=on_progress)
    mirror.refresh()
    return mirror.run


def keep(run: Run, folder: Path | str) -> Run:
    """Turn a copy that was pulled with its checkpoints into a local run in `folder`, which can be resumed; returns that run."""
    if not (run.checkpoint_folder / layout.LATEST).exists():
        raise RemoteError(f"{run.name} was mirrored without a checkpoint, so it cannot go on here; pull it with its checkpoints.")
    stem = folder_name(run.info["id"]) or "run"
    path = new_folder(Path(folder), stem, Path(folder) / stem)
    status = run.stored_status()
    if status.state in ACTIVE:
        status.state = "stopped"
    status.pid, status.host = 0, ""
    atomic_write(run.path / layout.STATUS, json.dumps(status.to_dict()).encode())
    info: RunInfo = {**run.info, "id": path.name, "kind": "run"}
    atomic_write(run.path / layout.CONFIG, json.dumps(info, indent=1).encode())
    for lock in run.path.glob(f"{LOCK}*"):
        lock.unlink(missing_ok=True)
    path.rmdir()  # it reserved the name; Windows cannot move a folder over another one
    run.path.rename(path)
    return Run.open(path)


def push(run: Run, url: str, follow: bool = False, *, checkpoints: bool = False, interval: float = POLL_INTERVAL,
         on_progress: ProgressCallback | None = None, stop: threading.Event | None = None,
         start_timeout: float = START_TIMEOUT) -> None:
    """Upload a run to `url`, its status last; a repeated push sends only what is new.

    follow: repeat every `interval` seconds until the run has ended or `stop` is set. A run that has not started must do so
    within `start_timeout` seconds; network failures are retried. Raises RemoteError where the address holds another run, or
    where the last upload fails.
    """
    uploader, stop = Uploader(run, url, checkpoints=checkpoints, on_progress=on_progress), stop or threading.Event()
    has_started, deadline = False, time.monotonic() + start_timeout
    while follow and not stop.is_set():
        now, status = time.monotonic(), run.status()
        has_started = has_started or status.state in ACTIVE
        if status.state == "finished" or (status.state in ENDED and (has_started or now > deadline)):
            break
        try:
            uploader.send()
        except RunError as error:
            print(f"{error} Trying again in {interval:g} s.", file=sys.stderr, flush=True)
        stop.wait(max(0.0, interval - (time.monotonic() - now)))
    uploader.send()

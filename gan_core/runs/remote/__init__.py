"""Runs that lie elsewhere, at any fsspec address (s3://, hf://, sftp://, a path): `pull` mirrors one, `push` puts one there.

`python -m gan_core.remote pull URL FOLDER`, `python -m gan_core.remote push RUN URL`. Without torch.
`folder` lists and reads files at an address, `mirror` follows a run there, `uploader` sends one, `validation` bounds and checks
whatever comes from there.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

from ..files import atomic_write, folder_name, new_folder
from ..run import Run, RunError
from ..status import ACTIVE, ENDED
from . import validation
from .folder import RemoteError, RemoteFolder, redact_url
from .mirror import LOCK, Mirror, ProgressCallback
from .uploader import Uploader

__all__ = ["EVERY", "Mirror", "RemoteError", "find", "keep", "pull", "push", "redact_url"]

POLL_INTERVAL = 5.0  # seconds between two looks of a follower
MAX_RUNS = 100  # runs of one folder
START_TIMEOUT = 120.0  # seconds in which a run that somebody wants to follow may begin


def find(url: str) -> list[str]:
    """The addresses of runs: `url` itself where it is one, else those of its folders that are, at most 100."""
    here = RemoteFolder(url)
    if validation.CONFIG in here.files():
        return [url]
    base = url.rstrip("/")
    return [f"{base}/{name}" for name in here.folders()[:10 * MAX_RUNS] if validation.CONFIG in here.files(name)][:MAX_RUNS]


def pull(url: str, folder: Path | str, *, checkpoints: bool = False, on_progress: ProgressCallback | None = None) -> Run:
    """The run at `url`, mirrored into a folder of its own inside `folder`; again, only what is new is fetched.

    Its kind is "remote" and `run.info["origin"]` the address: it is for reading. `checkpoints`: also those that latest.json
    and best.json name, checksums included. To follow a run that trains, keep a `Mirror` and call its `refresh`.
    Raises RemoteError in a sentence; what was mirrored before stays as it was.
    """
    mirror = Mirror(url, folder, checkpoints=checkpoints, on_progress=on_progress)
    mirror.refresh()
    return mirror.run


def keep(run: Run, folder: Path | str) -> Run:
    """Make a mirrored run, pulled with its checkpoints, a run of this machine inside `folder`, that can be resumed."""
    if not (run.checkpoint_folder / "latest.json").exists():
        raise RemoteError(f"{run.name} was mirrored without a checkpoint, so it cannot go on here; pull it with its checkpoints.")
    stem = folder_name(run.info["id"]) or "run"
    path = new_folder(Path(folder), stem, Path(folder) / stem)
    status = run.stored_status()
    if status.state in ACTIVE:
        status.state = "stopped"
    status.pid, status.host = 0, ""
    atomic_write(run.path / validation.STATUS, json.dumps(status.to_dict()).encode())
    info = {**run.info, "id": path.name, "kind": "run"}
    atomic_write(run.path / validation.CONFIG, json.dumps(info, indent=1).encode())
    (run.path / LOCK).unlink(missing_ok=True)
    path.rmdir()  # its name was ours; Windows moves nothing over a folder
    run.path.rename(path)
    return Run.open(path)


def push(run: Run, url: str, follow: bool = False, *, checkpoints: bool = False, interval: float = POLL_INTERVAL,
         on_progress: ProgressCallback | None = None, stop: threading.Event | None = None,
         start_timeout: float = START_TIMEOUT) -> None:
    """Put a run at `url`, what a status speaks of before the status; again, only what is new is sent.

    follow: go on each `interval` seconds until the run has ended, or `stop` is set; one that has not begun may do so within
    `start_timeout` seconds, and a network that fails is tried again. Raises RemoteError for another run at the address, and for
    whatever still fails at the end.
    """
    uploader, stop = Uploader(run, url, checkpoints=checkpoints, on_progress=on_progress), stop or threading.Event()
    begun, until = False, time.monotonic() + start_timeout
    while follow and not stop.is_set():
        started, status = time.monotonic(), run.status()
        begun = begun or status.state in ACTIVE
        if status.state == "finished" or (status.state in ENDED and (begun or started > until)):
            break
        try:
            uploader.send()
        except RunError as error:
            print(f"{error} Trying again in {interval:g} s.", file=sys.stderr, flush=True)
        stop.wait(max(0.0, interval - (time.monotonic() - started)))
    uploader.send()

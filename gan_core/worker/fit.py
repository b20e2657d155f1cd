"""A notebook's `fit` as a session of a run: the folder's lock, the steps that `fit` asks for one by one, and how it ends.

What is written, and what commands do, is as of any other run. The epochs, their callbacks and the networks are the notebook's.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import platform
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import torch

from ..compute.distributed import ALONE
from ..compute.thread_tuner import ThreadTuner
from ..config import OF_FIT
from ..data.types import LoadedData
from ..messages import Fault, Message, message, one_line
from ..runs import checkpoint, layout
from ..runs.file_lock import FileLock, Held
from ..runs.run import Run, RunError
from ..runs.run_info import Parent
from ..runs.status import ENDED, Failure, Status
from ..runs.worker_note import WorkerNote, read_worker_note, write_worker_note
from ..training.trainer import Metrics, Trainer
from .coordinator import Coordinator
from .failures import failure_of
from .process import acquire_folder_lock
from .session import Session
from .startup import Prepared
from .status_writer import StatusWriter


def check_folder(value: Any) -> Path:
    """The folder of runs that is meant, made if need be. Raises ValueError, one sentence, for what cannot be one."""
    advice = 'give the folder of runs, such as "checkpoints"'
    if not isinstance(value, str | os.PathLike) or not str(value) or "\0" in str(value) or "://" in str(value):
        raise ValueError(f"run is {one_line(value)}; {advice}.")
    folder = Path(value).expanduser()
    if (folder / layout.CONFIG).is_file():
        raise ValueError(f"run is {folder}, which is one run; {advice}: each fit makes a run of its own in it.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK | os.X_OK)
    except OSError as error:
        raise ValueError(f"run is {folder}, which is no folder and cannot become one ({error.strerror}); {advice}.") from error
    if not writable:
        raise ValueError(f"run is {folder}, a folder that cannot be written to; {advice}.")
    return folder


@contextlib.contextmanager
def recorded_fit(folder: Path, trainer: Trainer, loaded: LoadedData, steps: int,
                 parent: Parent | None = None) -> Iterator[FitSession]:
    """A new run in a folder of runs, for `steps` whole steps of this trainer; it ends with the block, however that ends.

    Raises RunError, one sentence, where another process trains in the folder, and ValueError for networks that cannot be stored.
    """
    _check_storable(trainer)
    with _held(folder):
        run = Run.create(trainer.config, folder, kind="notebook", parent=parent)
        write_worker_note(folder, WorkerNote(run=run.path.name, pid=os.getpid(), pid_started=psutil.Process().create_time(),
                                             host=platform.node(), server=""))
        status_writer = StatusWriter(run, kernel=True)
        try:
            session = FitSession(run, status_writer, trainer, steps)
            with _Interrupts(session.interrupt):
                try:
                    session.begin(loaded)
                    yield session
                    session.finish()
                except BaseException as error:
                    session.end_by(error)
                    raise
        finally:
            status_writer.write(pid=0, pid_started=0.0)  # the process lives on, and trains nothing
            status_writer.close()


def _check_storable(trainer: Trainer) -> None:
    for name, tensor in trainer.state_dict().items():
        if tensor.dtype not in checkpoint.DTYPES.values():
            raise ValueError(f"{name} has the type {tensor.dtype}, which a run does not store; make it float32 or int64, or "
                             "leave run= out.")


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Within it this process holds the folder's lock: one run trains in a folder. Raises RunError where another one has it."""
    lock = FileLock(folder / layout.WORKER_LOCK)
    try:
        acquire_folder_lock(lock)
    except Held as error:
        note = read_worker_note(folder)
        who = f"{note['run']} is" if note is not None else "another run is"
        by = f" by process {note['pid']} on {note.get('host') or platform.node()}" if note is not None else ""
        raise RunError(f"In {folder} {who} being trained already{by}; stop it there or on a page that shows it, or give another "
                       f"folder with run=.{error.hint}") from error
    except OSError as error:
        raise RunError(f"The folder {folder} cannot be locked ({error.strerror or error}), and without a lock two processes "
                       "might train in it; give another folder with run=.") from error
    try:
        yield
    finally:
        lock.release()


class _Interrupts:
    """Within it Ctrl+C, or a notebook's stop button, ends the fit after the step; a second one interrupts at once.

    Python handles signals in its main thread only: in any other one nothing changes.
    """

    def __init__(self, interrupt: Callable[[], None]) -> None:
        self._interrupt, self._came = interrupt, False
        self._before: Any = None

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread() and callable(signal.getsignal(signal.SIGINT)):
            self._before = signal.signal(signal.SIGINT, self._receive)

    def __exit__(self, *exception: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _receive(self, number: int, frame: object) -> None:
        if self._came:
            raise KeyboardInterrupt
        self._came = True
        self._interrupt()


class FitSession(Session):
    """The session of one fit. Whole single steps that the page asks for are steps of the fit; those of one network are not."""

    def __init__(self, run: Run, status_writer: StatusWriter, trainer: Trainer, steps: int) -> None:
        super().__init__(run, status_writer, trainer.choices.threads, False, Coordinator(ALONE))
        trainer.choices = dataclasses.replace(trainer.choices, threads=torch.get_num_threads())  # as the notebook has them
        self._prepared = Prepared(trainer, ThreadTuner(trainer.choices.threads, 0, {}), 0.0)
        self._steps, self._made = steps, 0
        self._untold: deque[Metrics] = deque()  # of whole steps that the fit has not been told of
        self._in_step = self._interrupted = False

    @property
    def complete(self) -> bool:
        """Whether the fit has made all its steps."""
        return self._made >= self._steps

    def interrupt(self) -> None:
        """Let the fit be interrupted after the current step. It runs in a signal handler: no locks."""
        self._interrupted = True
        self.stop()

    def begin(self, loaded: LoadedData) -> None:
        """Write what is shown first: the data's summary, real pictures, the first samples, and a checkpoint."""
        trainer = self._prepared.trainer
        choices, data = trainer.choices, json.dumps(loaded.summary()).encode()
        self.status_writer.write(device=choices.device, precision=choices.precision, memory_format=choices.memory_format,
                                 threads=choices.threads, rewrites=choices.rewrites)
        self._adopt(self._prepared)
        self.status_writer.attempt("data", lambda: self.run.write_file(self.run.data_path, data))
        self._write_first_outputs()

    def step(self) -> Metrics | None:
        """The metrics of the next whole step, as of `Trainer.step`; None where the run was asked to stop.

        Between two steps commands are carried out; while the run is paused this waits. Raises KeyboardInterrupt after an
        interrupt.
        """
        while not self._untold:
            self.commands.execute_pending()
            if self._untold:
                break
            if self._interrupted:
                raise KeyboardInterrupt
            if self.ending:
                return None
            self._go_on()
        return self._untold.popleft()

    def make_steps(self, network: str, limit: int = 0) -> int:
        if network != "both" or not self.complete:
            return super().make_steps(network, limit)
        if self.pending_steps:
            self.pending_steps = (network, 0)
        return limit  # the rest of single steps that reach beyond the fit: it ends here

    def _make_step(self, network: str) -> Metrics:
        self._in_step = True
        metrics = super()._make_step(network)
        self._in_step = False
        if network == "both":
            self._made += 1
            self._untold.append(metrics)
        return metrics

    def steps_refusal(self, network: str) -> Message | None:
        return message("command_fit_complete") if network == "both" and self.complete else None

    def tune(self, changes: dict[str, Any]) -> None:
        for name in sorted(OF_FIT.intersection(changes)):
            raise ValueError(f"{name} was given to fit(...) in the notebook; it can be changed there only.")
        super().tune(changes)

    def finish(self) -> None:
        """Save and end the run: finished where all steps are made, else stopped. A paused one waits until it is resumed."""
        while self.complete and self.paused and not self.ending:
            self.commands.execute_pending()
            if self.paused and not self.ending:
                self._go_on()
        self._end("finished" if self.complete and not self.paused else "stopped")
        if self._interrupted:
            raise KeyboardInterrupt

    def end_by(self, error: BaseException) -> None:
        """End the run that this error has ended: it is saved unless a step was being made."""
        if self.status_writer.status.state in ENDED:
            return
        failure = _failure(error, self.status_writer.status) if isinstance(error, Exception) else None
        try:
            if self._trainer is not None and not self._in_step and (failure is None or failure["kind"] == "crashed"):
                self._write_outputs()
                self.save()
        finally:
            self.status_writer.write("stopped" if failure is None else "failed", step=self.step_count, error=failure)


def _failure(error: Exception, status: Status) -> Failure:
    """As of a worker's run, but that any other exception is the notebook's own, which shows where it comes from."""
    failure = failure_of(error, status)
    if failure["kind"] not in ("crashed", "refused"):
        return failure
    fault = Fault("fit_failed", step=status.step, kind=type(error).__name__, reason=" ".join(str(error).split())[:200])
    return Failure(kind="crashed", message=str(fault), step=status.step, fault={**fault.payload()})

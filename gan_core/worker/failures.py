"""Why a run failed: the kind, a sentence and the step, as `status.json` stores them under "error"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

import torch

from ..compute.distributed import TeamBroken
from ..config import ConfigError
from ..messages import Fault
from ..runs.checkpoint import CheckpointError
from ..runs.run import RunError
from ..runs.status import Status
from .metrics_writer import Diverged

RESTARTABLE = ("killed", "crashed")  # kinds of failure that starting again may mend
REFUSALS = (ConfigError, RunError, CheckpointError)


class ErrorRecord(TypedDict):
    """`Status.error`. fault: the message as key and values, for other languages."""

    kind: str  # refused, diverged, out_of_memory, killed, crashed
    message: str
    step: int
    fault: NotRequired[dict[str, Any]]


@dataclass(frozen=True)
class Failure:
    """What ended a session. message: a sentence, or a Fault that other languages can translate."""

    kind: str
    message: str | Fault
    step: int

    def record(self) -> ErrorRecord:
        record = ErrorRecord(kind=self.kind, message=str(self.message), step=self.step)
        if isinstance(self.message, Fault):
            record["fault"] = self.message.payload()
        return record


def failure_of(error: Exception, status: Status) -> Failure:
    """The failure that this exception was; `status`: of the run when it was raised."""
    step, text = status.step, (str(error).strip() or type(error).__name__).splitlines()[0][:1000]
    if isinstance(error, Diverged):
        saved = status.checkpoint_step
        hint = f" Resume goes back to step {saved:,}; lower learning rates are steadier." if saved >= 0 else ""
        return Failure("diverged", f"{error}{hint}", error.step)
    if isinstance(error, Fault):
        return Failure("refused", error, step)
    if isinstance(error, TeamBroken):
        return Failure("killed", f"{error} worker.log may say why. Resume goes on from the last checkpoint.", step)
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or ("alloc" in text.lower() and "memory" in text.lower()):
        return Failure("out_of_memory", f"There was not enough memory at step {step:,}. Start again with a smaller batch.", step)
    if isinstance(error, REFUSALS) or type(error) is ValueError:
        return Failure("refused", text if text.endswith(".") else f"{text}.", step)
    return Failure("crashed", Fault("crashed", step=step, kind=type(error).__name__, reason=text), step)

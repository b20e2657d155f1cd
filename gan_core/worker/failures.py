"""Why a run failed, as its status says it: the kind, one sentence, the step, and the sentence for other languages."""

from __future__ import annotations

import torch

from ..compute.distributed import TeamBroken
from ..config import ConfigError
from ..messages import Fault
from ..runs.checkpoint import CheckpointError
from ..runs.run import RunError
from ..runs.status import Failure, Status
from .metrics_writer import Diverged

RESTARTABLE = ("killed", "crashed")  # kinds of failure that starting again may mend
REFUSALS = (ConfigError, RunError, CheckpointError)


def failure_of(error: Exception, status: Status) -> Failure:
    """What this exception means for the run, whose status this is: refused, diverged, out_of_memory, killed or crashed."""
    step, text = status.step, (str(error).strip() or type(error).__name__).splitlines()[0][:1000]
    if isinstance(error, Diverged):
        saved = status.checkpoint_step
        hint = f" Resume goes back to step {saved:,}; lower learning rates are steadier." if saved >= 0 else ""
        return Failure(kind="diverged", message=f"{error}{hint}", step=error.step)
    if isinstance(error, Fault):
        return _translatable("refused", error, step)
    if isinstance(error, TeamBroken):
        message = f"{error} worker.log may say why. Resume goes on from the last checkpoint."
        return Failure(kind="killed", message=message, step=step)
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or ("alloc" in text.lower() and "memory" in text.lower()):
        message = f"There was not enough memory at step {step:,}. Start again with a smaller batch."
        return Failure(kind="out_of_memory", message=message, step=step)
    if isinstance(error, REFUSALS) or type(error) is ValueError:
        return Failure(kind="refused", message=text if text.endswith(".") else f"{text}.", step=step)
    return _translatable("crashed", Fault("crashed", step=step, kind=type(error).__name__, reason=text), step)


def _translatable(kind: str, fault: Fault, step: int) -> Failure:
    return Failure(kind=kind, message=str(fault), step=step, fault={**fault.payload()})

"""The interface of an integration. A subclass overrides the methods that it needs."""

from __future__ import annotations

from pathlib import Path

from ..runs.run import Run, RunError
from ..runs.status import Status


class IntegrationError(RunError):
    """An integration that does not exist, cannot be used here or has failed for good; one sentence."""


class DeliveryError(IntegrationError):
    """A failure that may pass: `Follower` tries the same event again later."""


class Integration:
    """One run's connection to another program. `step` is the training step, `t` the seconds of training.

    Any exception ends the follower with a notice, except DeliveryError from `log_event`.
    """

    def __init__(self, run: Run) -> None:
        self.run = run

    @classmethod
    def check_settings(cls) -> None:
        """Raise IntegrationError where a setting is missing; called before training starts."""

    def log_scalars(self, values: dict[str, float], step: int, t: float) -> None:
        """Losses, probabilities or measures of one step."""

    def log_text(self, tag: str, text: str, step: int) -> None:
        """The settings (tag "config") or a change of course (tag "marks")."""

    def log_image(self, path: Path, step: int) -> None:
        """A sample grid, a PNG file."""

    def log_event(self, event: str, status: Status) -> None:
        """"best" after a new best checkpoint, or the final state of a life: "finished", "stopped" or "failed"."""

    def rewind(self, step: int) -> int:
        """Forget everything from `step` on, because the run went back there; returns the step from which to log again."""
        return step

    def flush(self) -> None:
        """Make visible what was logged; called after each update."""

    def close(self) -> None:
        """Called once, at the end."""

"""A webhook: one POST of a small JSON object when a run saves its best checkpoint, finishes, stops or fails.

The address is in the environment variable GAN_PLAYGROUND_WEBHOOK. httpx takes a proxy from the environment as usual.
"""

from __future__ import annotations

import json
import os
from typing import TypedDict
from urllib.parse import urlsplit

from ..runs.run import Run
from ..runs.status import Best, Failure, Status
from .interface import DeliveryError, Integration, IntegrationError

VARIABLE = "GAN_PLAYGROUND_WEBHOOK"
TIMEOUT = 5.0  # seconds to connect, to write, and to wait for the answer
TEMPORARY = (408, 425, 429)  # statuses of 4xx after which the same request may succeed


class Payload(TypedDict):
    """The body of a POST. `event`: "best", "finished", "stopped" or "failed"; `elapsed`: seconds of training.

    `text` is the event as one sentence; chat services show it.
    """

    event: str
    run: str
    name: str
    step: int
    elapsed: float
    best: Best | None
    error: Failure | None
    text: str


class Webhook(Integration):
    """Posts the events of a run. An answer of 5xx or none at all is temporary; another 4xx is an error in the address."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._url = address()

    @classmethod
    def check_settings(cls) -> None:
        address()

    def log_event(self, event: str, status: Status) -> None:
        import httpx

        host = urlsplit(self._url).hostname  # the rest of the address is a secret
        try:
            # The answer's body is not read: it may be of any size.
            with httpx.stream("POST", self._url, content=json.dumps(payload(self.run, event, status)).encode(), timeout=TIMEOUT,
                              headers={"Content-Type": "application/json"}) as response:
                answer = f"{host} answered {response.status_code} {response.reason_phrase}".strip()
        except httpx.HTTPError as error:
            raise DeliveryError(f"{host} cannot be reached ({str(error) or type(error).__name__}).") from error
        if response.status_code >= 500 or response.status_code in TEMPORARY:
            raise DeliveryError(f"{answer}.")
        if not response.is_success:
            raise IntegrationError(f"{answer}; check {VARIABLE}.")


def address() -> str:
    """The address from the environment. Raises IntegrationError where there is none or it is no HTTP address."""
    import httpx

    url = os.environ.get(VARIABLE, "").strip()
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        httpx.URL(url.encode().decode()).host.encode("idna")
    except (ValueError, httpx.InvalidURL):  # a UnicodeError is a ValueError
        valid = False
    if not valid:
        raise IntegrationError(f"Logging to webhook needs an http or https address in the environment variable {VARIABLE}.")
    return url


def payload(run: Run, event: str, status: Status) -> Payload:
    """What is posted for an event."""
    if event == "best":
        best = status.best
        text = f"{run.name} has a new best" + (f": {best['name']} {best['value']:.4g} at step {best['step']:,}." if best else ".")
    else:
        reason = f": {status.error['message']}" if event == "failed" and status.error else "."
        text = f"{run.name} has {'been stopped' if event == 'stopped' else event} at step {status.step:,}{reason}"
    return {"event": event, "run": run.id, "name": run.name, "step": status.step, "elapsed": status.elapsed, "best": status.best,
            "error": status.error if event == "failed" else None, "text": text}

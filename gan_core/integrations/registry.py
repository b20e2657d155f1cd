"""The integrations that `--log` offers. To add one, write its module and add one entry here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec

from .. import registry
from .interface import IntegrationError


@dataclass(frozen=True)
class IntegrationEntry(registry.Entry):
    """`where` is a subclass of `interface.Integration`; `package` is what it imports and what pip installs."""

    package: str = ""


INTEGRATIONS = {
    "tensorboard": IntegrationEntry("gan_core.integrations.tensorboard:TensorBoard", "event files in the run's folder",
                                    "tensorboardX"),
    "trackio": IntegrationEntry("gan_core.integrations.trackio:Trackio", "a run in trackio's own store", "trackio"),
    "webhook": IntegrationEntry("gan_core.integrations.webhook:Webhook", "an HTTP POST at the best and at the end", "httpx"),
}


def check_available(names: Iterable[str]) -> None:
    """Raise IntegrationError for an unknown name, a package that is not installed or a missing setting."""
    for name in names:
        if name not in INTEGRATIONS:
            raise IntegrationError(f"There is no log {name!r}; {registry.choose_one(name, INTEGRATIONS, 'choose from')}.")
        package = INTEGRATIONS[name].package
        if find_spec(package) is None:
            raise IntegrationError(f"Logging to {name} needs a package that is not installed here: pip install {package}")
        registry.resolve(INTEGRATIONS, name).check_settings()

"""What config.json says of a run, and the checks of what a person gives to make or find one.

`run` reads and writes the folder itself.
"""

# Without `from __future__ import annotations`, which would hide NotRequired from the TypedDict at run time.
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from .. import registry
from ..config import check_config_type
from ..messages import Explained, one_line


class RunError(Explained, ValueError):
    """A folder that is not a run, or cannot be one; one sentence."""


class Parent(TypedDict):
    """The run and the step from which a run branched off."""

    run: str
    step: int


class RunInfo(TypedDict):
    """config.json. `kind`: "run", "notebook", "starter" or "remote"; `created`: unix seconds; `config`: a TrainConfig as a dict.

    `origin`: the address of a remote run, without its password.
    """

    schema: int
    id: str
    name: str
    kind: str
    created: float
    preset: str
    config: dict[str, Any]
    parent: Parent | None
    origin: NotRequired[str]


def is_revivable(info: RunInfo) -> bool:
    """Whether a worker can begin another life of this run: neither its networks nor its data are a notebook's alone."""
    config = info.get("config", {})
    return registry.NOTEBOOK not in (config.get("networks"), config.get("dataset"))


def check_arguments(config: Any, name: Any, preset: Any) -> None:
    """Raises ConfigError for what is no TrainConfig and RunError for a name or a preset that is no text."""
    check_config_type(config)
    for what, text in (("name", name), ("preset", preset)):
        if not isinstance(text, str):
            raise RunError(f"the {what} of a run is {one_line(text)}; give a text.")


def runs_folder(value: Any) -> Path:
    """The path of a folder of runs. Raises RunError for what is no path."""
    try:
        path = Path(value)
        path.stat()
    except (TypeError, ValueError) as error:  # a null byte is a ValueError
        raise RunError(f"{one_line(value)} is not a folder of runs; give its path, such as checkpoints.") from error
    except OSError:
        pass  # not there yet, perhaps
    return path

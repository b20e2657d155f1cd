"""What the tests of the page share."""

from pathlib import Path

import pytest

from gan_core.runs.supervisor import Supervisor
from gan_core.ui.run_catalogue import RunCatalogue


@pytest.fixture
def catalogue(tmp_path: Path) -> RunCatalogue:
    (tmp_path / "runs").mkdir()
    (tmp_path / "shipped").mkdir()
    return RunCatalogue(Supervisor(tmp_path / "runs", threads=1), tmp_path / "shipped")

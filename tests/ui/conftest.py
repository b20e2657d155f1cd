"""What the tests of the page share."""

from pathlib import Path

import pytest

from gan_core.runs.supervisor import Supervisor
from gan_core.ui.shelf import Shelf


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    (tmp_path / "runs").mkdir()
    (tmp_path / "shipped").mkdir()
    return Shelf(Supervisor(tmp_path / "runs", threads=1), tmp_path / "shipped")

"""What the tests of the page share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gan_core.runs.supervisor import Supervisor
from gan_core.ui.app import Playground
from gan_core.ui.run_catalogue import RunCatalogue


@pytest.fixture
def catalogue(tmp_path: Path) -> RunCatalogue:
    (tmp_path / "runs").mkdir()
    (tmp_path / "shipped").mkdir()
    return RunCatalogue(Supervisor(tmp_path / "runs", threads=1), tmp_path / "shipped")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Playground]:
    """The whole page, served on this machine over an empty folder of runs and an empty folder of data."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAN_PLAYGROUND_DATA", str(tmp_path_factory.mktemp("data")))
        folder = tmp_path_factory.mktemp("page") / "runs"
        folder.mkdir()
        playground = Playground(folder, threads=1)
        playground.launch(host="127.0.0.1", quiet=True)
        yield playground
        playground.close()

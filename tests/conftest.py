"""Every test runs torch on one thread that never spins, and keeps Keras' settings out of the home folder."""

import os
import tempfile
from pathlib import Path

# Before anything imports torch or Keras; worker processes started by tests inherit them.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # two tests run at once: a thread that waits leaves its core to the other
os.environ["KERAS_BACKEND"] = "torch"
os.environ["KERAS_HOME"] = tempfile.mkdtemp(prefix="keras-home-")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import pytest
from hypothesis import settings

HERE = Path(__file__).parent

# Timing on a loaded machine says nothing about the code.
settings.register_profile("default", deadline=None, max_examples=50, print_blob=True)
settings.load_profile("default")


LONG = ("worker", "ui", "runs", "test_golden.py", "test_playground.py")  # they start processes, and wait for them


def pytest_collection_modifyitems(items):
    """Long files first: one that begins last would keep one core waiting. Slow tests may take long on a busy machine."""
    items.sort(key=lambda item: not item.path.relative_to(HERE).parts[0].startswith(LONG))
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(900))  # the default is for the fast ones
        if item.get_closest_marker("browser") and not item.path.is_relative_to(HERE / "browser"):
            raise pytest.UsageError(f"{item.nodeid} is marked browser: it belongs in tests/browser, which .ci/run asks for.")

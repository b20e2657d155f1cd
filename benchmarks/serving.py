"""The playground of a checkout as a process of its own, for the benchmarks of the page."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
START_TIMEOUT = 60.0  # seconds


@contextlib.contextmanager
def serving(folder: Path | str, root: Path = ROOT) -> Iterator[str]:
    """The page over a folder of runs; yields its address once it answers. Raises RuntimeError if it does not."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    server = subprocess.Popen([sys.executable, str(root / "playground.py"), "--host", "127.0.0.1", "--port", str(port),
                               "--checkpoints", str(folder)], cwd=root, stdout=subprocess.DEVNULL)
    try:
        _wait_for(url, server)
        yield url
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.02)
    raise RuntimeError(f"the page at {url} did not answer within {START_TIMEOUT:g} s.")

"""The GAN playground: `python playground.py` serves the page. Command line, launch and shutdown."""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
import sys
import time
from pathlib import Path

NEEDED = ("gradio", "torch", "torchvision", "numpy", "matplotlib", "safetensors", "sse_starlette", "bokeh", "scipy", "mlxtend",
          "PIL", "psutil", "platformdirs", "tqdm", "filelock", "fsspec", "httpx")


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line; without a flag, gradio's environment variable applies."""
    parser = argparse.ArgumentParser(description="Watch, steer and understand a GAN while it learns.")
    parser.add_argument("--host", help="address to listen on; 0.0.0.0 lets others in (default: this machine only)")
    parser.add_argument("--port", type=int, help="port (default: GRADIO_SERVER_PORT, else the first free one from 7860)")
    parser.add_argument("--share", action="store_true", default=None, help="make a public link; whoever has it controls the page")
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    parser.add_argument("--checkpoints", type=Path, metavar="DIR", help="where runs live (default: ./checkpoints)")
    parser.add_argument("--attach", action="append", metavar="PATH", help="a run elsewhere, or a folder of runs; may be repeated")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), help="where new runs train (default: auto)")
    parser.add_argument("--threads", type=int, default=0, help="processor threads of the training; 0 measures")
    parser.add_argument("--seed", type=int, help="the seed of new runs (default: 0)")
    args = parser.parse_args(argv)
    for name, low, high in (("port", 1, 65535), ("threads", 0, 256), ("seed", 0, 2**31 - 1)):
        value = getattr(args, name)
        if value is not None and not low <= value <= high:
            parser.error(f"--{name} is {value}; give a whole number from {low} to {high}.")
    return args


def main() -> None:
    args = arguments()
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(f"Not installed yet: {', '.join(missing)}. Run `pip install -r requirements.txt` and start again.")
    # The handler takes no lock, and the loop below waits only briefly: the system may deliver the signal to another thread, and
    # Python then runs the handler when the main thread wakes up.
    signals: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: signals.append(number))
    from gan_core.runs.files import runs_folder
    from gan_core.ui.app import Playground
    from gan_core.ui.controls import Refusal

    defaults = {name: getattr(args, name) for name in ("seed", "device") if getattr(args, name) is not None}
    try:
        folder = runs_folder(args.checkpoints)
    except OSError as error:
        sys.exit(str(error))
    try:
        playground = Playground(folder, args.threads, defaults, args.attach)
    except Refusal as error:
        sys.exit(f"--attach: {error}")
    try:
        playground.launch(args.host, args.port, args.share, args.open)
    except OSError as error:
        sys.exit(f"The page cannot be served: {error}")
    while not signals:
        time.sleep(0.2)
    playground.close()
    # Everything is saved and closed. A normal exit would spend seconds on unloading torch and gradio.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()

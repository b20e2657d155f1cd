"""The GAN playground: `python playground.py` serves the page. Launch and shutdown."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import time

from gan_core.surroundings import prepare
from gan_core.ui.command_line import arguments, listening_fault
from gan_core.ui.gradio_folders import folder_fault

NEEDED = ("gradio", "torch", "torchvision", "numpy", "matplotlib", "safetensors", "sse_starlette", "bokeh", "scipy", "mlxtend",
          "PIL", "psutil", "platformdirs", "tqdm", "filelock", "fsspec", "httpx", "charset_normalizer")


def main() -> None:
    prepare()
    args = arguments()
    source = "--host" if args.host else "GRADIO_SERVER_NAME"
    if fault := listening_fault(args.host or os.environ.get(source, "127.0.0.1"), args.port, source):
        sys.exit(fault)
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(f"Not installed yet: {', '.join(missing)}. Run `pip install -r requirements.txt` and start again.")
    if fault := folder_fault(args.share):
        sys.exit(fault)
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
        playground.launch(args.host, args.port, args.share, args.open, allowed=args.allow_host)
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

"""The command line: `python -m gan_core.remote pull URL FOLDER` and `python -m gan_core.remote push RUN URL`."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from pathlib import Path

from tqdm import tqdm

from ..run import Run, RunError
from ..status import ACTIVE
from . import POLL_INTERVAL, Mirror, find, keep, push, redact_url


class Bar:
    """One progress line for however many files."""

    def __init__(self) -> None:
        self.bar = tqdm(unit="B", unit_scale=True, unit_divisor=1024, dynamic_ncols=True, leave=False)

    def update(self, name: str, done: int, total: int) -> None:
        self.bar.total, self.bar.n = total, done
        self.bar.set_description_str(name, refresh=False)
        self.bar.update(0)
        if done >= total:
            self.bar.refresh()


def pull(args: argparse.Namespace, bar: Bar) -> int:
    """Every run at the address; with --follow the one run until it has ended there. Returns how many could not be had."""
    urls, refused = find(args.url) or [args.url], 0  # where none is, a pull says so in words
    if args.follow and len(urls) > 1:
        raise RunError(f"There are {len(urls)} runs at {redact_url(args.url)}; "
                       "give the address of the one that is to be followed.")
    for url in urls:
        try:
            pull_one(url, args, bar)
        except RunError as error:
            bar.bar.write(str(error), file=sys.stderr)
            refused += 1
    return refused


def pull_one(url: str, args: argparse.Namespace, bar: Bar) -> None:
    mirror = Mirror(url, args.folder, checkpoints=args.checkpoints or args.keep, on_progress=bar.update)
    mirror.refresh()
    while args.follow and mirror.run.stored_status().state in ACTIVE:
        time.sleep(args.every)
        try:
            mirror.refresh()
        except RunError as error:
            bar.bar.write(f"{error} Trying again in {args.every:g} s.", file=sys.stderr)
    run = keep(mirror.run, args.folder) if args.keep else mirror.run
    status = run.stored_status()
    bar.bar.write(f"{run.path}  {run.name}: {status.state} at step {status.step:,}")


def seconds(text: str) -> float:
    """A time between two looks; argparse makes a sentence of what is wrong with it."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.1 <= value <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is no time to wait; give seconds from 0.1 to 86400")
    return value


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m gan_core.remote", description="Mirror runs from or to any fsspec address.")
    commands = parser.add_subparsers(dest="command", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--checkpoints", action="store_true", help="the newest and the best checkpoint too")
    shared.add_argument("--follow", action="store_true", help="go on until the run has ended")
    shared.add_argument("--every", type=seconds, metavar="SECONDS", default=POLL_INTERVAL, help="seconds between two looks")
    one = commands.add_parser("pull", parents=[shared], help="mirror a run, or each run of a folder, from URL into FOLDER")
    one.add_argument("url", metavar="URL")
    one.add_argument("folder", type=Path, metavar="FOLDER")
    one.add_argument("--keep", action="store_true", help="make it a run of this machine, which can be resumed")
    two = commands.add_parser("push", parents=[shared], help="put the run folder RUN at URL")
    two.add_argument("run", type=Path, metavar="RUN")
    two.add_argument("url", metavar="URL")
    args = parser.parse_args(argv)
    bar = Bar()
    try:
        if args.command == "pull":
            return 2 if pull(args, bar) else 0
        else:
            stop = threading.Event()
            signal.signal(signal.SIGTERM, lambda *_: stop.set())  # a batch system says so at the end: one last look, then go
            push(Run.open(args.run), args.url, args.follow, checkpoints=args.checkpoints, interval=args.every,
                 on_progress=bar.update, stop=stop)
            bar.bar.write(f"{args.run} is at {redact_url(args.url)}")
    except RunError as error:
        bar.bar.close()
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    finally:
        bar.bar.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

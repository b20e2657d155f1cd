"""`python -m gan_core.remote`: mirror runs from an address, upload runs to one."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from pathlib import Path

from tqdm import tqdm

from ...surroundings import prepare
from ..run import Run, RunError
from ..status import ACTIVE
from . import POLL_INTERVAL, Mirror, find, keep, push, redact_url


class ProgressBar:
    """One progress line for all files."""

    def __init__(self) -> None:
        self.bar = tqdm(unit="B", unit_scale=True, unit_divisor=1024, dynamic_ncols=True, leave=False)

    def update(self, name: str, done: int, total: int) -> None:
        self.bar.total, self.bar.n = total, done
        self.bar.set_description_str(name, refresh=False)
        self.bar.update(0)
        if done >= total:
            self.bar.refresh()


def pull(args: argparse.Namespace, bar: ProgressBar) -> int:
    """Pull every run at the address; with --follow the one run until it has ended. Returns the number of failures."""
    urls, failures = find(args.url) or [args.url], 0  # without a run there, the pull below raises the right error
    if args.follow and len(urls) > 1:
        raise RunError(f"There are {len(urls)} runs at {redact_url(args.url)}; "
                       "give the address of the one to follow.")
    for url in urls:
        try:
            pull_one(url, args, bar)
        except RunError as error:
            bar.bar.write(str(error), file=sys.stderr)
            failures += 1
    return failures


def pull_one(url: str, args: argparse.Namespace, bar: ProgressBar) -> None:
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
    """An interval from the command line. Raises ArgumentTypeError, of which argparse makes its message."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.1 <= value <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is no interval; give seconds from 0.1 to 86400")
    return value


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m gan_core.remote", description="Mirror runs from or to any fsspec address.")
    commands = parser.add_subparsers(dest="command", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--checkpoints", action="store_true", help="also transfer the newest and the best checkpoint")
    shared.add_argument("--follow", action="store_true", help="repeat until the run has ended")
    shared.add_argument("--every", type=seconds, metavar="SECONDS", default=POLL_INTERVAL,
                        help="seconds between two transfers with --follow")
    pull_parser = commands.add_parser("pull", parents=[shared],
                                      help="mirror the run, or every run of the folder, at URL into FOLDER")
    pull_parser.add_argument("url", metavar="URL")
    pull_parser.add_argument("folder", type=Path, metavar="FOLDER")
    pull_parser.add_argument("--keep", action="store_true", help="make it a local run, which can be resumed")
    push_parser = commands.add_parser("push", parents=[shared], help="upload the run folder RUN to URL")
    push_parser.add_argument("run", type=Path, metavar="RUN")
    push_parser.add_argument("url", metavar="URL")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit status: 2 where something failed, 130 after Ctrl+C."""
    args = parse_arguments(argv)
    bar = ProgressBar()
    try:
        if args.command == "pull":
            return 2 if pull(args, bar) else 0
        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())  # batch systems send it before the end: one last upload
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
    prepare()
    sys.exit(main())

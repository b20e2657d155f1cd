"""The worker's command line: `parse` turns arguments into `Options`, or ends the process with one sentence.

It imports no torch and makes nothing: `new_run` reads the options of a new run, `main` acts on the rest.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from .. import registry
from ..argument_parser import ArgumentParser
from ..config import PRESETS, TrainConfig
from ..integrations.registry import INTEGRATIONS
from .shutdown import INTERRUPTED

ABOUT = """Train a GAN in this process, without a page; a page over the same folder shows it live and steers it.

  python -m gan_core.worker --new --preset steady --minutes 10
  python -m gan_core.worker checkpoints/steady-20260101-120000-ab12    goes on with a run
  python -m gan_core.worker checkpoints/steady-20260101-120000-ab12 --steps 20000 --set lr_d=0.001"""
FIELDS = {f.name: f for f in fields(TrainConfig)}


@dataclass(frozen=True)
class Options:
    """A parsed command line; exactly one of `run`, `new` and `idle` is given. None: the option was not given."""

    run: Path | None = None
    new: bool = False
    idle: bool = False
    # Of a new run.
    preset: str | None = None
    dataset: str | None = None
    name: str | None = None
    checkpoints: Path | None = None
    # Of a new run, or changed in one that exists; as text, which `assignments` reads.
    minutes: str | None = None
    steps: str | None = None
    assignments: tuple[str, ...] = ()  # FIELD=VALUE
    # Of any run.
    changes: dict[str, Any] = field(default_factory=dict)  # {live field: value}, checked: in force before the next step
    logs: tuple[str, ...] = ()
    threads: int = 0  # for runs that leave it open; 0 measures
    paused: bool = False


def parse(argv: list[str] | None = None) -> Options:
    """The options of this command line. Ends the process with status 2 and one sentence where it is not valid."""
    parser = ArgumentParser(prog="python -m gan_core.worker", usage="%(prog)s --new [options] | RUN [options]", description=ABOUT,
                            formatter_class=argparse.RawDescriptionHelpFormatter, epilog=_epilog())
    parser.add_argument("run", nargs="?", type=Path, metavar="RUN", help="the folder of a run that is to begin or to go on")
    parser.add_argument("--new", action="store_true", help="make a run first, from these:")
    for_new_runs = _add_new_run_options(parser)
    for_runs = [
        parser.add_argument("--minutes", metavar="M", help="finish after so many minutes of training in all; 0 for no end"),
        parser.add_argument("--steps", metavar="N", help="finish after so many steps in all; 0 for no end"),
        parser.add_argument("--set", metavar="FIELD=VALUE", action="append",
                            help="any other field, of a run that exists one that may change; may be repeated")]
    parser.add_argument("--log", metavar="NAME", action="append", default=[],
                        help=f"also tell {' or '.join(INTEGRATIONS)} what happens; may be repeated")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="threads for runs that leave it open; 0 measures")
    parser.add_argument("--paused", action="store_true", help="begin paused")
    parser.add_argument("--idle", action="store_true", help='warm up, print "ready", wait on stdin for {"run": path}')
    args = parser.parse_args(argv)
    if args.idle + args.new + (args.run is not None) != 1:
        parser.error("give a run folder, or --new, or --idle")
    most = FIELDS["threads"].metadata["high"]
    if not 0 <= args.threads <= most:
        parser.error(f"--threads is {args.threads}; give a whole number from 0 to {most}")
    for action in for_new_runs:
        if not args.new and getattr(args, action.dest) is not None:
            parser.error(f"{action.option_strings[0]} is for a run that is made now; write --new as well")
    for action in for_runs:
        if args.idle and getattr(args, action.dest) is not None:
            parser.error(f"{action.option_strings[0]} is for a run; write --new or a run folder in place of --idle")
    return Options(run=args.run, new=args.new, idle=args.idle, preset=args.preset, dataset=args.dataset, minutes=args.minutes,
                   steps=args.steps, assignments=tuple(args.set or ()), name=args.name, checkpoints=args.checkpoints,
                   logs=tuple(args.log), threads=args.threads, paused=args.paused)


def _add_new_run_options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [parser.add_argument("--preset", metavar="NAME", help="one of the presets below (default: one that fits the data)"),
            parser.add_argument("--dataset", metavar="NAME", help="one of the data sets below (default: the preset's)"),
            parser.add_argument("--name", metavar="TEXT", help="what the run is called (default: after its preset)"),
            parser.add_argument("--checkpoints", type=Path, metavar="DIR", help="where runs live (default: ./checkpoints)")]


def _epilog() -> str:
    """Presets, data sets, fields and exit statuses, as --help lists them."""
    presets = {name: f"{config.networks} networks, {config.loss} loss, on {config.dataset}" for name, config in PRESETS.items()}
    datasets = {_pattern(name, entry): entry.about + f"; downloads {entry.download / 1e6:,.0f} MB once" * bool(entry.download)
                for name, entry in registry.DATASETS.items()}
    return (f"presets:\n{_table(presets)}\n\ndata sets:\n{_table(datasets)}\n\nfields for --set, with the preset's values where "
            f"none is given:\n{_table({name: FIELDS[name].metadata['help'] for name in FIELDS})}\n\n"
            "Ctrl+C, SIGTERM and a terminal that is closed save and end; a second Ctrl+C ends at once. With nohup or in tmux a\n"
            "run outlives its terminal. The exit status is 0 for a run that finished or was stopped through its folder, 1 for a\n"
            f"failure, 2 for what was refused, {INTERRUPTED} after Ctrl+C, 143 after SIGTERM, 129 after the terminal's end.")


def _pattern(name: str, entry: registry.Dataset) -> str:
    """How a data set is written: `mnist`, `folder:path`, `emnist[:split]`."""
    if not entry.argument:
        return name
    return f"{name}[:{entry.argument}]" if entry.default else f"{name}:{entry.argument}"


def _table(rows: dict[str, str]) -> str:
    width = max(map(len, rows))
    return "\n".join(f"  {name:<{width}}  {about}" for name, about in rows.items())

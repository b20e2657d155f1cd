"""Training without a page: the worker's command line, a run made from it, and how Ctrl+C ends it.

The training itself is `worker`'s business, what is seen meanwhile that of `terminal`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn, Protocol

import psutil

from .. import registry
from ..config import PRESETS, ConfigError, TrainConfig
from ..integrations.registry import INTEGRATIONS, check_available
from ..runs.files import atomic_write, runs_folder
from ..runs.run import Run, RunError, read_json
from ..runs.status import ACTIVE
from ..runs.supervisor import Supervisor, capacity_limit, worker_command
from .progress import ProgressDisplay, clock, open_streams, say
from .shutdown import INTERRUPTED, Shutdown

LAUNCHED = ".launched.json"  # which run torchrun's processes train that were started with --new
FIELDS = {f.name: f for f in fields(TrainConfig)}


class Unusable(ValueError):
    """What was asked for cannot be trained; one sentence."""


# The command line.

class Parser(argparse.ArgumentParser):
    """argparse, whose complaint is one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{message[:1].upper()}{message[1:].rstrip('.')}. See --help.\n")


def _table(rows: dict[str, str]) -> str:
    width = max(map(len, rows))
    return "\n".join(f"  {name:<{width}}  {about}" for name, about in rows.items())


def _listed() -> str:
    """Presets and data sets, as --help lists them."""
    presets = {name: f"{config.networks} networks, {config.loss} loss, on {config.dataset}" for name, config in PRESETS.items()}
    sets = {name + (f"[:{entry.argument}]" if entry.default else f":{entry.argument}" if entry.argument else ""):
            entry.about + (f"; downloads {entry.download / 1e6:,.0f} MB once" if entry.download else "")
            for name, entry in registry.DATASETS.items()}
    return (f"presets:\n{_table(presets)}\n\ndata sets:\n{_table(sets)}\n\nfields for --set, with the preset's values where none "
            f"is given:\n{_table({name: FIELDS[name].metadata['help'] for name in FIELDS})}\n\n"
            "Ctrl+C, SIGTERM and a terminal that is closed save and end; a second Ctrl+C ends at once. With nohup or in tmux a\n"
            "run outlives its terminal. The exit status is 0 for a run that finished or was stopped through its folder, 1 for a\n"
            f"failure, 2 for what was refused, {INTERRUPTED} after Ctrl+C, 143 after SIGTERM, 129 after the terminal's end.")


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The worker's command line. Ends the process with status 2 and one sentence where it makes no sense."""
    parser = Parser(prog="python -m gan_core.worker", formatter_class=argparse.RawDescriptionHelpFormatter, epilog=_listed(),
                    description="Train a GAN in this process, without a page; a page over the same folder shows it live and "
                                "steers it.\n\n  python -m gan_core.worker --new --preset steady --minutes 10\n"
                                "  python -m gan_core.worker checkpoints/steady-20260101-120000-ab12    goes on with a run",
                    usage="%(prog)s --new [options] | RUN [options]")
    parser.add_argument("run", nargs="?", type=Path, metavar="RUN", help="the folder of a run that is to begin or to go on")
    parser.add_argument("--new", action="store_true", help="make a run first, from these:")
    new = [parser.add_argument("--preset", metavar="NAME", help="one of the presets below (default: one that fits the data)"),
           parser.add_argument("--dataset", metavar="NAME", help="one of the data sets below (default: the preset's)"),
           parser.add_argument("--minutes", metavar="M", help="finish after so many minutes of training"),
           parser.add_argument("--steps", metavar="N", help="finish after so many steps"),
           parser.add_argument("--set", metavar="FIELD=VALUE", action="append", help="any other field; may be repeated"),
           parser.add_argument("--name", metavar="TEXT", help="what the run is called (default: after its preset)"),
           parser.add_argument("--checkpoints", type=Path, metavar="DIR", help="where runs live (default: ./checkpoints)")]
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
    for action in new:
        if not args.new and getattr(args, action.dest) is not None:
            parser.error(f"{action.option_strings[0]} is for a run that is made now; write --new as well")
    return args


def config_of(args: argparse.Namespace) -> tuple[TrainConfig, str]:
    """(config, preset) that the command line asks for. Raises Unusable or ConfigError, each a sentence."""
    changes: dict[str, Any] = {name: value for name, value in (("dataset", args.dataset), ("max_minutes", args.minutes),
                                                               ("max_steps", args.steps)) if value is not None}
    given = set(changes)
    for text in args.set or []:
        name, equals, value = text.partition("=")
        if not equals:
            raise Unusable(f"--set {text} names no value; write --set FIELD=VALUE, such as --set batch_size=32.")
        if (name := name.strip()) in given:
            raise Unusable(f"{name} is given by an option of its own and by --set {text}; give it once.")
        changes[name] = _value(name, value.strip())  # of several the last counts, as with options
    preset = args.preset or _preset_for(changes.get("dataset", ""))
    if preset not in PRESETS:
        raise Unusable(f"There is no preset {preset!r}; choose one of: {', '.join(PRESETS)}.")
    config = PRESETS[preset].replace(**changes)
    points = registry.DATASETS[registry.split_dataset(config.dataset)[0]].points
    if points != (config.networks == "mlp"):
        raise Unusable(f"{config.dataset} is {'points' if points else 'pictures'}, which the networks {config.networks!r} do not "
                       f"make; choose {'--set networks=mlp or --preset ring' if points else 'other networks or another preset'}.")
    return config, preset


def _preset_for(dataset: str) -> str:
    """The first preset that is made for such data."""
    kind = dataset.partition(":")[0]
    points = kind in registry.DATASETS and registry.DATASETS[kind].points
    return next(name for name, config in PRESETS.items() if (config.networks == "mlp") == points)


def _value(name: str, text: str) -> Any:
    """What a field's text means: words stay text, numbers and true and false are read, a pair is two numbers with a comma."""
    kind = FIELDS[name].type if name in FIELDS else "str"
    if kind == "bool":
        return {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}.get(text.lower(), text)
    return [part.strip() for part in text.strip("()[]").split(",")] if kind.startswith("tuple") else text


# Making a run.

def make(args: argparse.Namespace, processes: int = 1) -> Run:
    """The new run that the command line asks for, for so many processes where it is not 1.

    Raises Unusable, ConfigError or RunError, and has then made nothing.
    """
    config, preset = config_of(args)
    if processes > 1:
        config = config.replace(processes=processes)
    _check_processes(config, processes)
    try:
        folder = runs_folder(args.checkpoints)
    except OSError as error:
        raise Unusable(str(error)) from error
    busy = Supervisor(folder).active()
    if busy is not None:
        raise Unusable(f"In {folder} {busy.name} is being trained already; stop it first, or choose another --checkpoints.")
    run = Run.create(config, folder, preset=preset, name=args.name or "")
    if processes > 1:
        note = {"run": run.path.name, "launch": _launch()}
        atomic_write(folder / LAUNCHED, json.dumps(note).encode())
    return run


def _check_processes(config: TrainConfig, started: int) -> None:
    """Raises Unusable where the config's processes cannot share its batch, or, unless they are started already, this machine."""
    if config.batch_size % config.processes:
        raise Unusable(f"{config.processes} processes cannot share batch_size {config.batch_size} evenly; "
                       "choose a batch that their number divides.")
    room = capacity_limit(config.processes, config.device) if started == 1 else None
    if room is not None:
        cards = room[0] == "cards"
        raise Unusable(f"{config.processes} processes need a {'graphics card' if cards else 'core'} each, and this machine has "
                       f"{room[1]}; start fewer{', or add --set device=cpu' if cards else ''}.")


def greeting(run: Run, args: argparse.Namespace) -> str:
    """Where the run is, and how a page shows it."""
    config, ends = run.config, []
    if config.max_minutes:
        ends.append(f"{config.max_minutes:g} minute{'s' * (config.max_minutes != 1)}")
    if config.max_steps:
        ends.append(f"{config.max_steps:,} steps")
    usual = args.checkpoints is None and run.path.parent == Path("checkpoints")
    where = "" if usual else f" --checkpoints {_quoted(run.path.parent)}"
    return (f"{run.name} learns {config.dataset}, {' or '.join(ends) or 'until it is stopped'}.\n"
            f"run:    {run.path.resolve()}\npage:   python playground.py{where}    (shows it live: pause, tune, stop)")


def _quoted(path: Path) -> str:
    return shlex.quote(str(path)) if os.name == "posix" else f'"{path}"' if " " in str(path) else str(path)


# How it ends.

def last_word(run: Run, args: argparse.Namespace, result: int, shutdown: Shutdown, alone: bool = True) -> tuple[str, int]:
    """(what is said at the end, the exit status). A new run that was refused before its first step leaves nothing.

    alone: else torchrun looks at the exit status, and would start what was interrupted once more.
    """
    status = run.status()
    if status.state in ACTIVE:
        if status.pid == os.getpid():  # one of several processes died
            return f"{run.name} is at step {status.step:,}; torchrun starts its processes again.", result
        return f"{run.name} is being trained already by another process.", 1
    message = (status.error or {}).get("message", "")
    if (result and alone and args.new and (status.error or {}).get("kind") == "refused" and status.life == 1
            and status.checkpoint_step < 0):
        shutil.rmtree(run.path, ignore_errors=True)
        return message, 2
    words = f"{run.name} {status.state} at step {status.step:,} after {clock(status.elapsed)} of training."
    if status.best:
        words += f" Best {status.best['name']} {status.best['value']:.4g} at step {status.best['step']:,}."
    if status.state == "failed":
        words = message
    if status.notice:
        words += f"\n{status.notice}"
    if status.state != "finished" and status.checkpoint_step >= 0:
        words += f"\nresume with: python -m gan_core.worker {_quoted(run.path)}"
    return words, result or (shutdown.status if alone and status.state != "finished" else 0)


class Team(Protocol):
    """What a run of several processes needs of them here; `distributed.Team` is one."""

    rank: int
    size: int

    def sum(self, numbers: list[int]) -> list[int]: ...
    def broadcast_bytes(self, data: bytes, length: int) -> bytes: ...


def train(args: argparse.Namespace, work: Callable[[Path, Shutdown], int], team: Team, again: bool = False) -> int:
    """Make the run or open it, let `work` train it, show what happens; returns the exit status.

    Of several processes the first makes the run and tells the others where it is. again: torchrun starts them anew, because one
    of them died; then the run is there already.
    """
    open_streams()
    shutdown = Shutdown()
    try:
        check_available(args.log)
        path = _path(args, team, again) if args.new else args.run
        if team.rank:
            return work(path, shutdown)
        run = Run.open(path)
        if not _readable(run):
            return work(run.path, shutdown)  # it says why where everybody sees it
        if run.config.processes > 1 and team.size == 1 and "RANK" not in os.environ and os.name == "posix":
            os.execv(sys.executable, _together(run, args))  # torchrun takes this process's place
        with ProgressDisplay(run, lambda: shutdown.interrupted):
            result = work(run.path, shutdown)
    except (Unusable, ConfigError, RunError) as error:
        if not team.rank:
            say(str(error), error=True)
        return 2
    said, result = last_word(run, args, result, shutdown, alone=team.size == 1)
    say(said, error=result in (1, 2))
    return result


def _readable(run: Run) -> bool:
    """Whether this version knows all that the run's config names."""
    try:
        return bool(run.config)
    except ConfigError:
        return False


def _together(run: Run, args: argparse.Namespace) -> list[str]:
    options = [part for name in args.log for part in ("--log", name)] + ["--paused"] * args.paused
    options += ["--threads", str(args.threads)] * bool(args.threads)
    return worker_command(str(run.path), *options, processes=run.config.processes)


def _path(args: argparse.Namespace, team: Team, again: bool) -> Path:
    """Where the one new run is, on every process. Raises what `make` raises, everywhere."""
    told: dict[str, str] = {}
    if team.rank == 0:
        try:
            run = _launched(args) if again else None
            if run is None:
                run = make(args, team.size)
                say(greeting(run, args))
            told = {"path": str(run.path.resolve())}
        except (Unusable, ConfigError, RunError) as error:
            told = {"error": str(error)}
    if team.size > 1:
        data = json.dumps(told).encode()
        told = json.loads(team.broadcast_bytes(data if team.rank == 0 else b"", *team.sum([len(data) if team.rank == 0 else 0])))
    if "error" in told:
        raise Unusable(told["error"])
    return Path(told["path"])


def _launch() -> str:
    """What names this launch of torchrun, the same when it starts its processes again: an id of its own, or its process."""
    name = os.environ.get("TORCHELASTIC_RUN_ID", "none")
    parent = psutil.Process().parent()
    return name if name != "none" or parent is None else f"{platform.node()}:{parent.pid}:{parent.create_time()}"


def _launched(args: argparse.Namespace) -> Run | None:
    """The run that this launch of torchrun made before one of its processes died."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        folder = runs_folder(args.checkpoints)
        note = read_json(folder / LAUNCHED)
        if note["launch"] == _launch():
            return Run.open(folder / note["run"])
    return None

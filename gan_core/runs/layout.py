"""The names of a run folder: its files, its subfolders and the patterns of numbered files. It touches no disk.

docs/run-folder.md says what each file holds. These names are stored: programs outside this project rely on them.
"""

from __future__ import annotations

import re

CONFIG, STATUS, DATA, FLOOR, LOG = "config.json", "status.json", "data.json", "floor.json", "worker.log"
REAL_PICTURES, REAL_POINTS = "real.png", "real.json"
CONTROL, METRICS, FRAMES, LIVE, CHECKPOINT = "control", "metrics", "frames", "live", "checkpoint"
SUBFOLDERS = (CONTROL, METRICS, FRAMES, LIVE, CHECKPOINT)
NOW_FRAMES = "now"  # grids by the generator as it is, named as those of its average in frames/; absent in older runs
NEAREST = "nearest"  # the real pictures nearest to the fakes of a frame, named as it; only of runs that learn few pictures
LATEST, BEST = "latest.json", "best.json"  # in checkpoint/

# Beside the runs.
WORKER_LOCK, WORKER_NOTE = ".worker.lock", ".worker.json"

METRICS_PATTERN = re.compile(r"[0-9]{4,9}\.jsonl", re.ASCII)
FRAME_PATTERN = re.compile(r"([0-9]{1,12})-([0-9]{1,18})\.(?:png|json)", re.ASCII)
LIVE_PATTERN = re.compile(r"([0-9]{1,12})\.safetensors", re.ASCII)
CHECKPOINT_PATTERN = re.compile(r"step-([0-9]{1,18})\.safetensors", re.ASCII)


def metrics_name(life: int) -> str:
    """The metrics file of one worker life."""
    return f"{life:04d}.jsonl"


def frame_name(seq: int, step: int, suffix: str) -> str:
    """A frame; `suffix` is ".png" for pictures and ".json" for points."""
    return f"{seq:08d}-{step}{suffix}"


def frame_numbers(name: str) -> tuple[int, int] | None:
    """(seq, step) of a frame's file name, or None for any other name."""
    match = FRAME_PATTERN.fullmatch(name)
    return (int(match[1]), int(match[2])) if match else None


def live_name(number: int) -> str:
    """A live file: the averaged generator, the generator as it is, and the discriminator in fp16."""
    return f"{number}.safetensors"


def checkpoint_name(step: int) -> str:
    """The checkpoint of one step."""
    return f"step-{step}.safetensors"


def checkpoint_step(name: str) -> int | None:
    """The step in a checkpoint's file name, or None for any other name."""
    match = CHECKPOINT_PATTERN.fullmatch(name)
    return int(match[1]) if match else None


def command_name(nanoseconds: int, command_id: str) -> str:
    """A command: names in order of time, so that commands are read in the order in which they were sent."""
    return f"{nanoseconds:020d}-{command_id}.json"

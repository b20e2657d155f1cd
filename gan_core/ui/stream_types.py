"""The types of what the event stream sends; the page's modules are checked against them too, see `tests/web`.

Nothing is checked while the page runs. `run_events` builds these objects, `hub` adds `boot`.
"""

# No `from __future__ import annotations` here: a TypedDict does not recognise NotRequired in a string.
from typing import Any, Literal, NotRequired, TypedDict

from ..runs.data_summary import Decisions
from ..runs.status import Beliefs, Best, Failure, Probe, Progress

__all__ = ["Beliefs"]  # part of Probe; the page's types are written from the names here
Columns = dict[str, list[float | None]]  # equally long, "step" among them; None where a record has no value


class FailureWithSentences(Failure):
    """A failure as the page gets it. `said`: language -> sentence, for the faults of this program."""

    said: NotRequired[dict[str, str]]


class PublicStatus(TypedDict):
    """`status.Status` without the fields that only processes need. `noticed`: language -> notices, as one text."""

    schema: int
    kernel: bool
    state: str
    step: int
    images: int
    seq: int
    live: int
    life: int
    pid: int
    pid_started: float
    device: str
    precision: str
    memory_format: str
    threads: int
    speed: float
    elapsed: float
    checkpoint_step: int
    tuned: dict[str, Any]
    best: Best | None
    rewrites: bool
    exact: bool
    progress: Progress | None
    probe: Probe | None
    host: str
    processes: int
    launcher: int
    launcher_started: float
    restarting: str
    notice: str
    noticed: NotRequired[dict[str, str]]
    error: FailureWithSentences | None


class Heat(TypedDict):
    """The discriminator's opinion on size x size cells: bytes 255 * P(real) in base64, lowest row first."""

    size: int
    values: str


class GeneratedPoints(TypedDict):
    """What one generator makes: (x, y) of the fakes, the push on each, the warped grid."""

    fake: list[list[float]]
    push: list[list[float]]
    warp: list[list[list[float]]]


class Points(GeneratedPoints):
    """A frame of points of the averaged generator, with those of the generator as it is, and the shown part of the plane."""

    view: list[float]
    heat: Heat
    full_arrow: NotRequired[float]
    longest_arrow: NotRequired[float]
    now: NotRequired[GeneratedPoints]


class RealPoints(TypedDict):
    """Real points and the shown part of the plane."""

    points: list[list[float]]
    view: list[float]


class About(TypedDict):
    """The run's data.json. `shape`: (channels, height, width), or (2,) for points."""

    count: int
    shape: list[int]
    names: NotRequired[list[str] | None]
    skipped: NotRequired[dict[str, int]]
    decisions: NotRequired[Decisions]


class Kept(TypedDict):
    """A frame of the history."""

    seq: int
    step: int


class FrameRule(TypedDict):
    """Which frames are kept, see `runs.frames.kept_frames`."""

    ratio: float
    newest: int


class Frame(TypedDict):
    """A grid of pictures, as a data URI with its rows and columns, or a frame of points."""

    seq: int
    step: int
    src: NotRequired[str]
    now: NotRequired[bool]  # whether there is one by the generator as it is, too
    nearest: NotRequired[bool]  # of a grid: whether the real ones nearest to its pictures are shown
    rows: NotRequired[int]
    cols: NotRequired[int]
    points: NotRequired[Points]


class FrameEvent(Frame):
    """The first frame of a run comes with the real data."""

    real: NotRequired[str | RealPoints | None]
    about: NotRequired[About | None]


class Latent(TypedDict):
    """The generator behind the sliders. `live` grows with each new one and is 0 without one."""

    live: int
    latent_dim: int


class Mark(TypedDict):
    """A change of the course of a run. `changes`: field -> (from, to)."""

    step: int
    kind: str
    changes: dict[str, list[Any]]


Measurement = dict[str, float | None]  # "step", "t" (None in old runs), and measure -> value


class GivenUp(TypedDict):
    """What the run had done after `step`, when it was taken back to it for the last time."""

    step: int
    series: Columns
    quality: list[Measurement]
    marks: list[Mark]


class ActiveRun(TypedDict):
    """The run that trains, or waits paused, for those who look at another one. `step`: about once a second."""

    name: str
    preset: str
    state: str
    step: int


class Surroundings(TypedDict):
    """The same for every run. `worker`: "none", "warming", "ready" or "busy"; `active`: the id of the active run.

    `ending`: ids of the runs that are being saved and ended.
    """

    worker: str
    active: str | None
    active_run: ActiveRun | None
    ending: list[str]


class StatusEvent(Surroundings):
    """The part that changes often.

    `silent`: seconds without a heartbeat; `decayed`: values in force of the settings that fall with the step.
    """

    status: PublicStatus | None
    controls: dict[str, bool]
    silent: float
    decayed: dict[str, float]


class MetricsEvent(TypedDict):
    """New rows."""

    series: Columns


class QualityEvent(TypedDict):
    """New measurements. `floor`: the scores of real pictures against other real pictures."""

    quality: list[Measurement]
    floor: dict[str, float] | None


class MarksEvent(TypedDict):
    """New marks."""

    marks: list[Mark]


class RunSnapshot(StatusEvent):
    """A whole run. `dataset_label`: what people call its data set, by language."""

    run: str | None
    name: str
    kind: str
    origin: str
    preset: str
    config: dict[str, Any] | None
    dataset_label: dict[str, str]
    series: Columns
    quality: list[Measurement]
    floor: dict[str, float] | None
    marks: list[Mark]
    given_up: GivenUp | None
    data: Literal["images", "points"]
    frame: Frame | None
    real: str | RealPoints | None
    about: About | None
    latent: Latent
    history: list[Kept]
    frame_rule: FrameRule


class Snapshot(RunSnapshot):
    """A whole run, as the hub sends it. `boot`: the id of this start of the server."""

    boot: str


# Event name -> type of its data.
EVENTS: dict[str, type] = {"snapshot": Snapshot, "status": StatusEvent, "metrics": MetricsEvent, "frame": FrameEvent,
                           "latent": Latent, "quality": QualityEvent, "marks": MarksEvent}

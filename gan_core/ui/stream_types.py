"""What the event stream sends, as types: the page's modules are checked against them too, see `tests/web`.

They describe; nothing is checked while the page runs. `feed` builds these objects, `hub` adds `boot`.
"""

# Without `from __future__ import annotations`: as a text, NotRequired is not seen by the class.
from typing import Any, Literal, NotRequired, TypedDict

Columns = dict[str, list[float | None]]  # equally long, "step" among them; None where a record has no value


class Progress(TypedDict):
    """How far data are. `total` is 0 where nobody knows."""

    stage: str
    done: int
    total: int
    what: str


class Best(TypedDict):
    """The best measurement so far, of the measure `name`."""

    step: int
    name: str
    value: float


class RunError(TypedDict):
    """Why a run failed. `said`: the sentence by language, where it is one of ours."""

    kind: str
    message: str
    step: NotRequired[int | None]
    fault: NotRequired[Any]
    said: NotRequired[dict[str, str]]


class PublicStatus(TypedDict):
    """`status.Status` without what only processes need. `noticed`: the notices by language."""

    schema: int
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
    host: str
    processes: int
    launcher: int
    launcher_started: float
    restarting: str
    notice: str
    noticed: NotRequired[dict[str, str]]
    error: RunError | None


class Heat(TypedDict):
    """The discriminator's opinion on size * size cells: 255 * P(real) as base64 of bytes, the lowest row first."""

    size: int
    values: str


class Points(TypedDict):
    """One frame of points: (x, y) of fakes, the push on each, the bent grid, and what part of the plane is shown."""

    view: list[float]
    fake: list[list[float]]
    push: list[list[float]]
    warp: list[list[list[float]]]
    heat: Heat


class RealPoints(TypedDict):
    """Real points and what part of the plane is shown."""

    points: list[list[float]]
    view: list[float]


class About(TypedDict):
    """What the run learns from, see `data.json`. `shape`: (channels, height, width), or (2,) of points."""

    count: int
    shape: list[int]
    names: NotRequired[list[str] | None]
    skipped: NotRequired[dict[str, int]]


class Kept(TypedDict):
    """A frame of the history."""

    seq: int
    step: int


class FrameRule(TypedDict):
    """Which frames are kept, see `runs.frames.kept_frames`."""

    ratio: float
    newest: int


class Frame(TypedDict):
    """A grid of pictures as a data URI with its rows and columns, or points."""

    seq: int
    step: int
    src: NotRequired[str]
    rows: NotRequired[int]
    cols: NotRequired[int]
    points: NotRequired[Points]


class FrameEvent(Frame):
    """The first frame of a run brings the real ones along."""

    real: NotRequired[str | RealPoints | None]
    about: NotRequired[About | None]


class Latent(TypedDict):
    """The generator behind the sliders: a number that grows with each, 0 for none; numbers in its z."""

    live: int
    latent_dim: int


class Mark(TypedDict):
    """Where the course of a run was changed: field -> (from, to)."""

    step: int
    kind: str
    changes: dict[str, list[Any]]


Measurement = dict[str, float | None]  # "step", "t" (None in old runs), and a value by the name of each measure


class Surroundings(TypedDict):
    """What is the same for every run: `worker` is "none", "warming", "ready" or "busy", `active` the id of the active run."""

    worker: str
    active: str | None


class StatusEvent(Surroundings):
    """What changes often. `silent`: seconds without a heartbeat."""

    status: PublicStatus | None
    controls: dict[str, bool]
    silent: float


class MetricsEvent(TypedDict):
    """New rows."""

    series: Columns


class QualityEvent(TypedDict):
    """New measurements. `floor`: what real pictures score against each other."""

    quality: list[Measurement]
    floor: dict[str, float] | None


class MarksEvent(TypedDict):
    """New marks."""

    marks: list[Mark]


class FeedSnapshot(StatusEvent):
    """Everything that is known of a run. `dataset_label`: what people call its data set, by language."""

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
    data: Literal["images", "points"]
    frame: Frame | None
    real: str | RealPoints | None
    about: About | None
    latent: Latent
    history: list[Kept]
    frame_rule: FrameRule


class Snapshot(FeedSnapshot):
    """The same from the hub, which knows the life of the server: `boot`."""

    boot: str


# The stream's events by name.
EVENTS: dict[str, type] = {"snapshot": Snapshot, "status": StatusEvent, "metrics": MetricsEvent, "frame": FrameEvent,
                           "latent": Latent, "quality": QualityEvent, "marks": MarksEvent}

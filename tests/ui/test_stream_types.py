"""The types of what the stream sends say what it really sends."""

import dataclasses
import json
import types
import typing
from typing import Any

import pytest
from making import OF_POINTS, make_run

from gan_core.messages import Fault, message
from gan_core.runs.status import Status
from gan_core.ui.run_events import RunEvents
from gan_core.ui.stream_types import EVENTS, PublicStatus, RunSnapshot

AROUND = {"worker": "ready", "active": None, "active_run": None, "ending": []}


def faults(value: Any, hint: Any, where: str = "") -> list[str]:
    """Where a value is not of its type."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return []
    if typing.is_typeddict(hint):
        if not isinstance(value, dict):
            return [f"{where} is no object"]
        hints = typing.get_type_hints(hint)
        odd = [f"{where}.{key} is not named" for key in value.keys() - hints.keys()]
        odd += [f"{where}.{key} is missing" for key in hint.__required_keys__ - value.keys()]
        return odd + [fault for key in value.keys() & hints.keys() for fault in faults(value[key], hints[key], f"{where}.{key}")]
    if origin in (typing.Union, types.UnionType):
        each = [faults(value, one, where) for one in arguments]
        return [] if not all(each) else min(each, key=len)
    if origin is typing.Literal:
        return [] if value in arguments else [f"{where} is {value!r}"]
    if origin is list:
        if not isinstance(value, list):
            return [f"{where} is no list"]
        return [fault for i, one in enumerate(value) for fault in faults(one, arguments[0], f"{where}[{i}]")]
    if origin is dict:
        if not isinstance(value, dict):
            return [f"{where} is no object"]
        return [fault for key, one in value.items() for fault in faults(one, arguments[1], f"{where}.{key}")]
    fits = isinstance(value, (int, float) if hint is float else hint) and (hint is bool or not isinstance(value, bool))
    return [] if fits else [f"{where} is {value!r}, not {hint}"]


def events_of(feed: RunEvents) -> dict[str, Any]:
    return {name: json.loads(text) for name, text in feed.refresh(AROUND)}


@pytest.mark.parametrize("config", [{}, OF_POINTS], ids=["pictures", "points"])
def test_every_event_is_of_its_type(tmp_path, config):
    run = make_run(tmp_path, **config)
    feed = RunEvents(run)
    events = {**events_of(feed), "snapshot": json.loads(feed.snapshot())}
    with open(run.metrics_path(1), "a") as file:
        file.write('{"step": 4, "d_loss": 1.5}\n{"step": 4, "t": 1.0, "quality": {"fd": 0.5}}\n'
                   '{"step": 4, "mark": {"kind": "tune", "changes": {"lr_d": [0.1, 0.2]}}}\n')
    status = run.stored_status()
    fault = Fault("memory", what=message("the_folder", path="/x"), count=1, form="1 x 28 x 28", need=1, free=1,
                  field={"field": "max_images"}, fit=1, other={"field": "image_size"})
    status.live, status.step, status.best = 2, 4, {"step": 4, "name": "fd", "value": 0.5}
    status.progress = {"stage": "reading", "done": 1, "total": 2, "what": "pictures"}
    status.notice, status.notices = "A notice.", [fault.payload()]
    status.error = {"kind": "refused", "message": "No.", "step": 4, "fault": fault.payload()}
    run.write_status(status)
    events |= events_of(feed)
    assert set(events) == set(EVENTS)
    for name, event in events.items():
        assert faults(event, RunSnapshot if name == "snapshot" else EVENTS[name], name) == []
    assert events["status"]["status"]["error"]["said"].keys() == events["status"]["status"]["noticed"].keys() == {"en", "fr"}


def test_a_page_without_a_run_is_told_of_the_same_type():
    feed = RunEvents(None)
    events_of(feed)
    assert faults(json.loads(feed.snapshot()), RunSnapshot, "snapshot") == []


def test_the_status_has_the_fields_that_processes_write_but_for_three():
    written = {field.name for field in dataclasses.fields(Status)} - {"heartbeat", "acknowledged", "notices"}
    assert typing.get_type_hints(PublicStatus).keys() == written | {"noticed"}


def test_what_is_of_another_type_is_noticed():
    latent = EVENTS["latent"]
    assert faults({"live": 1, "latent_dim": 2}, latent) == []
    for wrong in ({"live": 1}, {"live": "1", "latent_dim": 2}, {"live": True, "latent_dim": 2},
                  {"live": 1, "latent_dim": 2, "x": 0}, []):
        assert faults(wrong, latent)

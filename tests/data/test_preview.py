"""A data set made ready in another process: what it says, how it is cancelled, what it never does."""

import base64
import contextlib
import io
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from gan_core.config import TrainConfig
from gan_core.data import loading, preview, rendering
from gan_core.data.types import DataError, LoadedData
from gan_core.evaluation.plane import Axes


@contextlib.contextmanager
def process():
    """The real thing, as the page starts it."""
    with subprocess.Popen([sys.executable, "-m", "gan_core.data.preview"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as started:
        yield started
        started.kill()


def request(values):
    with process() as started:
        started.stdin.write(json.dumps(values) + "\n")
        started.stdin.flush()
        return [json.loads(line) for line in started.stdout]


def picture(uri):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,")))))


def test_pictures_are_described_and_sixteen_of_them_shown_as_they_are():
    (line,) = request({"config": {"dataset": "digits"}})
    about, shown = line["ready"]["about"], picture(line["ready"]["preview"])
    assert (about["count"], about["shape"], about["labelled"], about["skipped"]) == (5000, [1, 28, 28], True, {})
    assert shown.shape == (56, 224)
    loaded = loading.load(TrainConfig(dataset="digits")).data
    for cell in shown.reshape(2, 28, 8, 28).transpose(0, 2, 1, 3).reshape(16, 28, 28):
        assert (loaded[:, 0] == cell).all(axis=(1, 2)).any(), "each is one of the pictures, pixel by pixel"


@pytest.mark.parametrize("name", ["ring", "grid"])
def test_points_are_shown_in_a_square_that_holds_them_all(name):
    loaded = loading.load(TrainConfig(dataset=name))
    shown = preview.make_preview(loaded)
    x0, x1, y0, y1 = shown["view"]
    assert len(shown["points"]) == 1000 and x1 - x0 == pytest.approx(y1 - y0)
    assert (loaded.data > (x0, y0)).all() and (loaded.data < (x1, y1)).all()
    assert np.abs(loaded.data[None, :2000] - np.array(shown["points"][0])).max() > 0, "some, not all"


def test_the_view_is_the_one_that_the_plane_draws():
    points = torch.tensor([[0.0, 1.0], [3.0, 2.0]])
    assert Axes.around(points, points.mean(0), 1.0).view == rendering.bounding_square([0.0, 1.0], [3.0, 2.0])


@pytest.mark.parametrize(("values", "sentence"), [
    ({"config": {"dataset": "moon"}}, "choose one of: digits"), ({"config": {"wings": 1}}, "unknown field 'wings'"),
    ({"config": 7}, "a config is an object"), ([], "one JSON object"), ("x", "one JSON object"), (None, "one JSON object")])
def test_what_cannot_be_asked_is_refused_in_a_sentence(values, sentence):
    answer = preview.handle_request(values, lambda line: None, lambda: False)
    assert sentence in answer["refused"] and answer["refused"].endswith(".")


@pytest.mark.parametrize(("fault", "sentence"), [
    (DataError("folder_missing", path="/x"), "The folder /x is not there"), (MemoryError(), "not enough memory"),
    (ZeroDivisionError("by a file"), r"cannot be read (ZeroDivisionError: by a file).")])
def test_whatever_goes_wrong_is_one_sentence(monkeypatch, fault, sentence):
    def load(*args):
        raise fault
    monkeypatch.setattr(loading, "load", load)
    assert sentence in preview.handle_request({"config": {}}, lambda line: None, lambda: False)["refused"]


def test_progress_is_told_at_each_new_stage_and_otherwise_no_more_than_eight_times_a_second(monkeypatch):
    clock, lines = [100.0], []

    def load(config, report, cancelled):
        request = loading.request_for(config, report, cancelled)
        for done in range(1000):  # ten seconds
            clock[0] += 0.01
            request.report_progress("downloading" if done < 500 else "reading", done, 1000, "a file")
        return LoadedData(np.zeros((4, 1, 28, 28), np.uint8))

    monkeypatch.setattr(loading, "load", load)
    monkeypatch.setattr(preview.time, "monotonic", lambda: clock[0])
    assert "ready" in preview.handle_request({"config": {}}, lines.append, lambda: False)
    assert 60 <= len(lines) <= 82
    assert lines[0] == {"progress": {"stage": "downloading", "done": 0, "total": 1000, "what": "a file"}}
    assert next(line["progress"]["done"] for line in lines if line["progress"]["stage"] == "reading") == 500


SLOW = """
import sys, time
from gan_core.data import loading, preview
def load(config, on_progress, is_cancelled):
    while True:
        loading.request_for(config, on_progress, is_cancelled).report_progress("downloading", 1, 2, "f")
        time.sleep(0.01)
loading.load = load
print("a library that prints")
sys.exit(preview.main())
"""


@pytest.mark.parametrize("how", ["stdin", "signal"])
def test_the_end_of_stdin_or_a_signal_cancels(how):
    with subprocess.Popen([sys.executable, "-c", SLOW], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:
        started.stdin.write('{"config": {}}\n')
        started.stdin.flush()
        assert started.stdout.readline() == "a library that prints\n"
        assert json.loads(started.stdout.readline())["progress"]["stage"] == "downloading"
        if how == "stdin":
            started.stdin.close()
        else:
            os.kill(started.pid, signal.SIGTERM)
        *_, last = started.stdout
        assert json.loads(last)["cancelled"] and started.wait(10) == 0


def test_it_never_imports_torch():
    code = ("import sys; from gan_core.data import preview; preview.handle_request({'config': {}}, print, bool); "
            "print('torch' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60).stdout == "False\n"


@pytest.mark.parametrize("count, wide, high", [(1, 1, 1), (7, 7, 1), (9, 5, 2), (10, 5, 2), (16, 8, 2), (40, 8, 2)])
def test_few_pictures_are_shown_without_black_ones_beside_them(count, wide, high):
    shown = picture(preview.make_preview(LoadedData(np.full((count, 1, 28, 28), 255, np.uint8))))
    assert shown.shape[:2] == (28 * high, 28 * wide)
    assert (shown == 0).sum() == max(0, wide * high - count) * 784

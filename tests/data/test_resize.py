"""Arrays fitted to size and colour, compared with Pillow one picture at a time."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gan_core.data import resize
from gan_core.data.types import Cancelled, DataRequest

RNG = np.random.default_rng(0)
GREY, COLOR = RNG.integers(0, 256, (40, 1, 28, 28), np.uint8), RNG.integers(0, 256, (40, 3, 32, 32), np.uint8)


def request(size=0, color="auto", crop="center", **more):
    return DataRequest("x", size=size, color=color, crop=crop, **more)


@pytest.mark.parametrize("images", [GREY, COLOR], ids=["grey", "color"])
@pytest.mark.parametrize("crop", ["center", "pad", "stretch"])
@pytest.mark.parametrize("color", ["auto", "grey", "color"])
@pytest.mark.parametrize("size", [0, 28, 32, 64])
def test_as_pillow_does_it(images, size, color, crop, monkeypatch):
    monkeypatch.setattr(resize, "SLICE", 16)  # not a divisor of 40
    wanted = request(size, color, crop)
    fitted = resize.fit_images(images, wanted)
    assert fitted.dtype == np.uint8 and fitted.shape == (40, *resize.output_shape(images.shape[1:], wanted))
    for ours, image in zip(fitted[::13], images[::13], strict=True):
        picture = Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0))
        if color == "grey":
            picture = picture.convert("L")
        if size == 32 and picture.width == 28 and crop != "stretch":
            larger = Image.new(picture.mode, (32, 32))
            larger.paste(picture, (2, 2))
            picture = larger
        elif size:
            picture = picture.resize((size, size), Image.Resampling.BICUBIC)
        if color == "color":
            picture = picture.convert("RGB")
        theirs = np.asarray(picture)
        np.testing.assert_array_equal(ours, theirs[None] if theirs.ndim == 2 else theirs.transpose(2, 0, 1))


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_luma_is_the_standards_weighted_sum(rgb):
    grey = resize.luma(np.array(rgb, np.uint8).reshape(1, 3, 1, 1))
    assert grey.shape == (1, 1, 1, 1) and abs(int(grey[0, 0, 0, 0]) - np.dot(rgb, (0.299, 0.587, 0.114))) <= 0.51


def test_what_fits_already_is_not_copied():
    assert resize.fit_images(GREY, request(28, "grey")) is GREY


def test_it_reports_and_can_be_cancelled():
    seen = []
    resize.fit_images(COLOR, request(64, on_progress=seen.append))
    assert (seen[-1].stage, seen[-1].done, seen[-1].total) == ("fitting", 40, 40)
    with pytest.raises(Cancelled):
        resize.fit_images(COLOR, request(64, is_cancelled=lambda: True))


def test_memory_holds_the_result_once():
    images = np.zeros((8_000, 1, 28, 28), np.uint8)
    tracemalloc.start()
    fitted = resize.fit_images(images, request(32, "color"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert fitted.nbytes <= peak < fitted.nbytes * 1.3

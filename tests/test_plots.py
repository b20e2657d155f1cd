"""The figures show the numbers they were given, and nothing else changes."""

import math

import numpy as np
import pytest

from gan_core.plots import draw_curves, draw_grid


def test_curves_show_the_values_against_their_steps():
    history = {"step": [1, 5, 9], "d_loss": [0.7, None, 0.5], "g_loss": [0.7, 0.9, math.nan], "d_real": [0.5, 0.6, 0.7]}
    figure = draw_curves(history)
    lines = {line.get_label(): line for axes in figure.axes for line in axes.lines if not line.get_label().startswith("_")}
    assert set(lines) == {"discriminator", "generator", "real images"}
    np.testing.assert_array_equal(lines["discriminator"].get_xdata(), [1, 5, 9])
    np.testing.assert_array_equal(lines["discriminator"].get_ydata(), [0.7, np.nan, 0.5])
    assert figure.axes[1].get_ylim() == (0, 1)
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_curves_without_steps_are_counted_from_one():
    line = draw_curves({"d_loss": [3.0, 2.0]}).axes[0].lines[0]
    np.testing.assert_array_equal(line.get_xdata(), [1, 2])


@pytest.mark.parametrize(("history", "word"), [({}, "nothing|no history"), ({"d_loss": []}, "train first"),
                                               ({"d_loss": [1.0], "step": [1, 2]}, "as many")])
def test_curves_refuse_what_cannot_be_drawn(history, word):
    with pytest.raises(ValueError, match=word):
        draw_curves(history)


@pytest.mark.parametrize("shape", [(5, 6, 7), (5, 6, 7, 1), (5, 1, 6, 7), (5, 6, 7, 3), (5, 3, 6, 7), (1, 6, 7)])
def test_a_grid_shows_every_image_once(shape):
    images = np.random.default_rng(0).random(shape)
    figure = draw_grid(images, columns=3)
    shown = [np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images]
    grey = np.prod(shape) == shape[0] * 42
    expected = images.reshape(shape[0], 6, 7) if grey else (images if shape[-1] == 3 else images.transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(np.stack(shown), expected)
    assert all(not axes.axison for axes in figure.axes)


def test_a_grid_keeps_black_and_white_where_they_are():
    """A dim image stays dim: the grey scale does not stretch to each image's own range."""
    for images, top in ((np.full((2, 4, 4), 0.3), 1.0), (np.full((2, 4, 4), 30, np.uint8), 255)):
        assert all(axes.images[0].get_clim() == (0, top) for axes in draw_grid(images).axes)


@pytest.mark.parametrize("shape", [(4, 4), (0, 4, 4), (2, 4, 4, 2), (1, 1, 1, 1, 1)])
def test_a_grid_refuses_other_shapes(shape):
    with pytest.raises(ValueError, match="shape"):
        draw_grid(np.zeros(shape))
    with pytest.raises(ValueError, match="columns"):
        draw_grid(np.zeros((1, 4, 4)), columns=0)

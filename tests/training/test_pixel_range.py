import io

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gan_core.training.pixel_range import grid, png, to_uint8, to_unit


def test_every_grey_value_survives_the_way_there_and_back() -> None:
    values = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    unit = to_unit(values)
    assert unit.dtype == torch.float32 and unit.min() == 0 and unit.max() == 1
    assert torch.equal(to_uint8(unit), values)


def test_what_is_not_a_picture_value_is_clipped_and_the_input_is_left_alone() -> None:
    odd = torch.tensor([-1.0, -1e-9, 0.0, 0.5, 1.0, 1.5, float("nan"), float("inf"), -float("inf")])
    before = odd.clone()
    assert to_uint8(odd).tolist() == [0, 0, 0, 128, 255, 255, 0, 255, 0]
    assert torch.equal(odd.nan_to_num(7), before.nan_to_num(7))


@given(n=st.integers(1, 20), c=st.sampled_from([1, 3]), h=st.integers(1, 5), w=st.integers(1, 5), columns=st.integers(1, 9))
def test_picture_k_of_a_grid_stands_in_row_and_column_k(n: int, c: int, h: int, w: int, columns: int) -> None:
    images = np.random.default_rng(n).integers(1, 256, (n, c, h, w), dtype=np.uint8)
    picture = grid(images, columns)
    rows = -(-n // columns)
    assert picture.shape == ((rows * h, columns * w) if c == 1 else (rows * h, columns * w, 3)) and picture.dtype == np.uint8
    for k in range(rows * columns):
        row, column = divmod(k, columns)
        cell = picture[row * h:(row + 1) * h, column * w:(column + 1) * w]
        wanted = np.zeros((h, w, c), np.uint8) if k >= n else images[k].transpose(1, 2, 0)
        assert np.array_equal(cell.reshape(h, w, c), wanted)


def test_a_png_holds_the_same_pixels() -> None:
    for shape in ((56, 28), (56, 28, 3)):
        picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(png(picture)))), picture)

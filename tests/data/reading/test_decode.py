"""What is chosen once for a whole set: the ground behind drawings, the white of 16 bits, and which pictures are blank."""

import numpy as np
import pytest
from PIL import Image

from gan_core.data.reading import folder
from gan_core.data.types import DataRequest


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_PLAYGROUND_DATA", str(tmp_path / "cache"))


def drawing(shade, where, mode="RGBA"):
    """A square of this shade on nothing."""
    values = np.zeros((40, 40, 4), np.uint8)
    values[where:where + 12, 8:30] = (shade, shade, shade, 255)
    image = Image.fromarray(values, "RGBA")
    if mode == "P":
        flat = Image.new("P", image.size, 0)
        flat.putpalette([9, 9, 9, shade, shade, shade])
        flat.paste(1, mask=image.getchannel("A"))
        flat.info["transparency"] = 0
        return flat
    return image.convert(mode)


def load(tmp_path, images, **how):
    root = tmp_path / "set"
    root.mkdir(exist_ok=True)
    for k, image in enumerate(images):
        image.save(root / f"{k:03}.png")
    return folder.source(DataRequest("folder", str(root), size=32, **how))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
@pytest.mark.parametrize(("shade", "ground"), [(255, "black"), (230, "black"), (0, "white"), (60, "white")])
def test_a_drawing_on_nothing_is_seen(tmp_path, mode, shade, ground):
    loaded = load(tmp_path, [drawing(shade, 4 + k, mode) for k in range(6)])
    assert loaded.decisions == {"background": ground}
    assert loaded.data.std() > 50 and loaded.data[0, 0, 0, 0] == (0 if ground == "black" else 255)
    assert abs(int(loaded.data[0, 0, 8, 15]) - shade) < 5


def test_one_ground_is_chosen_for_the_set_and_may_be_chosen_by_hand(tmp_path):
    images = [drawing(255, 4 + k) for k in range(7)] + [drawing(20, 4)]
    loaded = load(tmp_path, images)
    assert (loaded.data[:, 0, 0, 0] == 0).all() and loaded.decisions == {"background": "black"}
    by_hand = load(tmp_path, images, background="white")
    assert (by_hand.data[:, 0, 0, 0] == 255).all() and by_hand.decisions == {"background": "white", "blank": 7}


def test_pictures_without_transparent_parts_have_no_ground(tmp_path):
    loaded = load(tmp_path, [drawing(255, 4 + k).convert("RGB") for k in range(3)])
    assert loaded.decisions == {}


def ramp(high, low=0):
    return Image.fromarray(np.linspace(low, high, 40 * 40).reshape(40, 40).astype(np.uint16))


def test_twelve_bits_have_one_scale_for_the_whole_set(tmp_path):
    loaded = load(tmp_path, [ramp(4095), ramp(2047), ramp(1023)], crop="stretch")
    assert loaded.decisions == {"white": 4095}
    assert [int(picture.max()) for picture in loaded.data] == pytest.approx([255, 127, 64], abs=3)  # the darker ones stay darker


@pytest.mark.parametrize("high", [65535, 40000])
def test_sixteen_bits_that_are_used_keep_their_white(tmp_path, high):
    loaded = load(tmp_path, [ramp(high), ramp(300)], crop="stretch")
    assert loaded.decisions == {} and loaded.data[0].max() == pytest.approx(high / 257, abs=2) and loaded.data[1].max() <= 2


def test_blank_pictures_are_counted(tmp_path):
    busy = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8))
    assert load(tmp_path, [Image.new("L", (40, 40), 7 * k) for k in range(3)] + [busy]).decisions == {"blank": 3}

"""One picture: every mode, orientation and size as a person sees it, nothing decoded that is too large, reasons for the rest."""

import io
import sys

import hostile
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from gan_core.data.reading import picture_file
from gan_core.data.reading.picture_file import Unreadable, decode_picture

RAMP = np.arange(28 * 28, dtype=np.uint32).reshape(28, 28)
BUSY = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)


def saved(image, kind="PNG", **how):
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def grey(data, side=28, crop="center"):
    return decode_picture(data, side, "grey", crop)


def color(data, side=32, crop="center"):
    return decode_picture(data, side, "color", crop)


def reason(data):
    with pytest.raises(Unreadable) as caught:
        color(picture_file.read_content(io.BytesIO(data)))
    assert caught.value.reason in picture_file.REASONS
    return caught.value.reason


def test_eight_bits_that_need_no_change_stay_bit_for_bit():
    flat = (RAMP % 256).astype(np.uint8)
    assert (grey(saved(flat)) == flat).all() and grey(saved(flat)).shape == (1, 28, 28)
    assert (grey(saved(np.stack([flat] * 3, -1))) == flat).all()
    assert (color(saved(BUSY)) == BUSY.transpose(2, 0, 1)).all() and color(saved(BUSY)).dtype == np.uint8
    assert (color(saved(flat), 28) == flat).all()


def test_sixteen_bits_are_scaled_not_cut():
    wide = (RAMP * 65535 // RAMP.max()).astype(np.uint16)
    expected = np.rint(wide / 257)
    pgm = b"P5 28 28 65535\n" + wide.astype(">u2").tobytes()
    for data in (saved(wide), saved(wide, "TIFF"), pgm, saved(wide.astype(np.int32), "TIFF")):
        np.testing.assert_array_equal(grey(data)[0], expected)
    deep = saved(np.where(RAMP > 400, 2_000_000_000, -5).astype(np.int32), "TIFF")  # beyond 16 bits: from least to greatest
    np.testing.assert_array_equal(grey(deep)[0], np.where(RAMP > 400, 255, 0))


def test_floats_are_shares_or_stretched_and_nan_is_no_picture():
    share = (RAMP / RAMP.max() * 0.5).astype(np.float32)
    np.testing.assert_array_equal(grey(saved(share, "TIFF"))[0], np.rint(share * 255))
    np.testing.assert_array_equal(grey(saved(share * 1000 - 250, "TIFF"))[0], np.rint(share * 2 * 255))
    share[3, 3] = np.nan
    assert reason(saved(share, "TIFF")) == "broken"


def test_one_bit_and_palettes():
    mask = RAMP % 3 == 0
    np.testing.assert_array_equal(grey(saved(Image.fromarray(mask)))[0], mask * 255)
    image = Image.fromarray((RAMP % 4).astype(np.uint8), "P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 8, 7])
    table = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 8, 7]])
    for kind in ("PNG", "GIF", "BMP"):
        np.testing.assert_array_equal(color(saved(image, kind), 28), table[RAMP % 4].transpose(2, 0, 1))
    table[2] = 255  # where it is transparent the page shows through, white
    np.testing.assert_array_equal(color(saved(image, "PNG", transparency=2), 28), table[RAMP % 4].transpose(2, 0, 1))
    np.testing.assert_array_equal(color(saved(image, "GIF", transparency=2), 28), table[RAMP % 4].transpose(2, 0, 1))


def test_alpha_lies_on_white():
    alpha = (RAMP % 256).astype(np.uint8)
    ink = np.full_like(alpha, 40)
    white = 255 - alpha / 255 * (255 - 40)
    for image in (np.stack([ink, alpha], -1), np.stack([ink, ink, ink, alpha], -1)):
        assert np.abs(grey(saved(image))[0] - white).max() <= 1
    key = saved(ink, "PNG", transparency=40)  # one grey is declared transparent
    assert (grey(key) == 255).all()
    # Black drawn on nothing does not grow a dark rim when it is made smaller, whatever colour the nothing has.
    clear = np.zeros((280, 280, 4), np.uint8)
    clear[:, :145] = (255, 255, 255, 255)
    assert (grey(saved(clear)) == 255).all()


def test_cmyk_is_the_same_color_inverted_by_adobe_or_not():
    ink = Image.new("CMYK", (64, 64), (255, 51, 0, 25))
    expected = np.array([0, (255 - 51) * (255 - 25) / 255, 255 - 25])[:, None, None]
    inverted = saved(ink, "JPEG", quality=100)
    assert b"Adobe" in inverted and Image.open(io.BytesIO(inverted)).mode == "CMYK"
    for data in (inverted, saved(ink, "TIFF")):
        assert np.abs(color(data) - expected).max() <= 3
    ycc = Image.new("RGB", (64, 64), (200, 30, 90)).convert("YCbCr")  # as nearly every JPEG is stored
    assert np.abs(color(saved(ycc, "JPEG", quality=100)) - np.array([200, 30, 90])[:, None, None]).max() <= 2


# Which side of the picture as seen lies along the stored row 0 and column 0, by EXIF's orientation (CIPA DC-008, 4.6.4).
SIDES = {1: "top left", 2: "top right", 3: "bottom right", 4: "bottom left", 5: "left top", 6: "right top", 7: "right bottom",
         8: "left bottom"}


@pytest.mark.parametrize("orientation", SIDES)
def test_every_orientation_is_turned_upright(orientation):
    row, column = SIDES[orientation].split()
    stored = BUSY if row in ("top", "bottom") else BUSY.transpose(1, 0, 2)
    stored = stored[::-1] if row in ("bottom", "right") else stored
    stored = stored[:, ::-1] if column in ("right", "bottom") else stored
    exif = Image.Exif()
    exif[0x112] = orientation
    for kind, how in (("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {})):
        np.testing.assert_array_equal(color(saved(stored, kind, exif=exif, **how)), BUSY.transpose(2, 0, 1))


def test_a_damaged_exif_block_turns_nothing():
    data = saved(BUSY, "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff garbage", quality=100, subsampling=0)
    assert np.abs(color(data).astype(int) - BUSY.transpose(2, 0, 1)).mean() < 3


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_of_an_animation_the_first_frame_counts(kind):
    frames = [Image.new("RGB", (40, 40), shade) for shade in ((250, 0, 0), (0, 250, 0), (0, 0, 250))]
    how = {"lossless": True} if kind == "WEBP" else {}
    picture = color(saved(frames[0], kind, save_all=True, append_images=frames[1:], **how))
    np.testing.assert_array_equal(picture.reshape(3, -1).T, [[250, 0, 0]] * 1024)


def test_crops():
    thirds = np.zeros((30, 90, 3), np.uint8)
    for k in range(3):
        thirds[:, 30 * k:30 * k + 30, k] = 200
    middle = color(saved(thirds), 30)
    assert (middle == np.array([0, 200, 0])[:, None, None]).all()
    squeezed = color(saved(thirds), 30, "stretch")
    assert [int(squeezed[:, 15, x].argmax()) for x in (3, 15, 27)] == [0, 1, 2]
    padded = color(saved(thirds), 30, "pad")
    assert (padded[:, 10:20] > 100).any(axis=0).all()  # all of it, a third as high
    assert [int(padded[:, 15, x].argmax()) for x in (3, 15, 27)] == [0, 1, 2]
    assert (padded[:, :9] == padded[:, :1, :1]).all() and (padded[:, 21:] == padded[:, :1, :1]).all()
    drawing = np.full((20, 60), 255, np.uint8)
    drawing[5:15, 10:50] = 0
    assert (grey(saved(drawing), 30, "pad")[0, [0, -1]] == 255).all()  # paper goes on as paper
    tall = grey(saved(drawing.T.copy()), 30, "pad")
    assert np.abs(tall[0].T.astype(int) - grey(saved(drawing), 30, "pad")[0]).max() <= 16  # the two passes round differently


def test_28_pixels_become_32_by_a_border_and_stay_sharp():
    ink = np.zeros((28, 28), np.uint8)
    ink[6:20, 9:11] = 255
    for crop in ("center", "pad"):
        np.testing.assert_array_equal(grey(saved(ink), 32, crop)[0], np.pad(ink, 2))
    assert (grey(saved(255 - ink), 32)[0] == 255 - np.pad(ink, 2)).all()
    assert not (grey(saved(ink), 32, "stretch")[0] == np.pad(ink, 2)).all()


@pytest.mark.parametrize("kind, how", [("PNG", {}), ("JPEG", {"quality": 95})])
def test_every_pixel_counts_when_a_picture_is_made_smaller(kind, how):
    stripes = np.tile(np.array([[0, 255], [255, 0]], np.uint8), (700, 700))
    assert np.abs(grey(saved(stripes, kind, **how)).astype(int) - 128)[:, 1:-1, 1:-1].max() <= 3
    ramp = np.tile(np.linspace(0, 255, 1400).astype(np.uint8), (900, 1))
    small = grey(saved(ramp, kind, **how), 32, "stretch")[0].astype(float)
    assert np.abs(small - (np.arange(32) + 0.5) / 32 * 255).max() < 3


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (3000, 2), (28, 28), (1000, 4000)])
@pytest.mark.parametrize("crop", ["center", "pad", "stretch"])
def test_any_size(size, crop):
    picture = grey(saved(Image.new("L", size, 77)), 64, crop)
    assert picture.shape == (1, 64, 64) and (picture == 77).all()


def test_what_counts_as_grey():
    assert picture_file.is_grey(np.full((3, 8, 8), 90, np.uint8))
    tinted = np.full((3, 8, 8), 90, np.uint8)
    tinted[0, 0, 0] = 98
    assert picture_file.is_grey(tinted)
    tinted[0, 0, 0] = 99
    assert not picture_file.is_grey(tinted)


def test_what_a_file_is_stands_in_its_first_bytes():
    for data in (b"", b"hello, I am sheep.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>"):
        assert reason(data) == "not_a_picture"
    with pytest.raises(Unreadable, match="broken"):
        color(saved(BUSY, "ICO"))  # nor is it decoded where nobody looked at it first
    assert reason(saved(BUSY, "ICO")) == reason(b"%!PS-Adobe-3.0 EPSF-3.0\n") == "not_a_picture"  # known to Pillow, not to us
    assert reason(hostile.archive([hostile.Entry("a.png", hostile.grey_png())])) == "archive"
    assert reason(b"\x1f\x8b\x08" + bytes(50)) == "archive"
    assert reason(saved(BUSY) + bytes(picture_file.MAX_BYTES)) == "too_large"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"])
def test_a_cut_file_is_refused_wherever_it_is_cut(kind):
    whole = saved(BUSY, kind)
    color(whole)
    for tenth in range(10):
        assert reason(whole[:len(whole) * tenth // 10]) in ("broken", "not_a_picture")


def test_sixteen_megapixels_are_the_limit_and_the_header_tells():
    assert reason(hostile.png(4097, 4096)) == "too_large"
    assert (grey(saved(Image.new("1", (4096, 4096), 1))) == 255).all()  # exactly as many
    assert reason(hostile.png(100_000, 100_000)) == "too_large"
    assert reason(hostile.png(4096, 4096)) == "broken"  # allowed, but nothing comes
    big = bytearray(saved(Image.new("L", (8, 8)), "GIF"))
    big[6:10] = b"\xff\xff\xff\xff"  # a canvas of 65,535 x 65,535 for a frame of 8 x 8
    assert reason(bytes(big)) == "too_large"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc for the peak memory")
def test_a_bomb_costs_no_memory():
    result = hostile.measured("""
import hostile
from gan_core.data.reading.picture_file import Unreadable, decode_picture, strict_warnings
before, reasons = peak(), []
with strict_warnings():
    for size in ((100_000, 100_000), (2**31 - 1, 2**31 - 1), (20_000, 700)):
        data = hostile.png(*size, bytes(1000))
        try:
            decode_picture(data, 32, "color", "center")
        except Unreadable as error:
            reasons.append(error.reason)
print(json.dumps([reasons, peak() - before]))
""")
    assert result[0] == ["too_large", "too_large", "broken"] and result[1] < 60e6, result


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc for the peak memory")
@pytest.mark.parametrize(("how", "most"), [({}, 100e6), ({"progressive": True}, 450e6)], ids=["as phones do", "progressive"])
def test_fifty_megapixels_of_a_phone_are_read_in_bounded_memory(tmp_path, how, most):
    small = Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 8), np.uint8))
    exif = Image.Exif()
    exif[274] = 6  # on its side, as a phone held upright
    (tmp_path / "phone.jpg").write_bytes(saved(small.resize((8192, 6144), 0).convert("RGB"), "JPEG", exif=exif, **how))
    usual = saved(small.resize((512, 384), 0), "JPEG", exif=exif)
    (tmp_path / "small.jpg").write_bytes(usual)
    pixels, used = hostile.measured("""
import sys
from pathlib import Path
from gan_core.data.reading.picture_file import decode_picture, strict_warnings
phone, warm_up = (Path(path).read_bytes() for path in sys.argv[1:])
with strict_warnings():
    decode_picture(warm_up, 32, "grey", "stretch")
    before = peak()
    found = decode_picture(phone, 32, "grey", "stretch")
print(json.dumps([found.tolist(), peak() - before]))
""", tmp_path / "phone.jpg", tmp_path / "small.jpg")
    expected = grey(usual, 32, "stretch").astype(int)
    assert np.abs(np.array(pixels) - expected).mean() < 4 and expected.std() > 40  # the same picture
    assert used < most, used


def test_a_jpeg_too_large_in_its_header_is_refused():
    whole = saved(Image.new("RGB", (64, 64)), "JPEG")
    at = whole.index(b"\xff\xc0") + 5  # height and width in the frame's header
    for side, expected in ((65_535, "too_large"), (8_193, "too_large")):
        data = whole[:at] + side.to_bytes(2, "big") * 2 + whole[at + 4:]
        assert reason(data) == expected


SEEDS = [saved(BUSY, kind) for kind in ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "PPM")]


@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=20))
@settings(max_examples=100)
def test_damaged_bytes_give_a_picture_or_a_reason(data, damages):
    damaged = bytearray(data)
    for where, value in damages:
        damaged[int(where * len(damaged))] = value
    try:
        with picture_file.strict_warnings():
            assert color(bytes(damaged)).shape == (3, 32, 32)
    except Unreadable as error:
        assert error.reason in picture_file.REASONS


def test_a_jpeg_of_which_less_is_decoded_looks_like_the_whole_one(monkeypatch):
    """JPEG can be decoded at 1/2, 1/4 or 1/8 of its size, each block's mean: at least twice what is needed is."""
    rng = np.random.default_rng(0)
    photo = np.asarray(Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize((1600, 1200))).astype(int)
    photo = (photo + rng.normal(0, 12, (1200, 1600, 1))).clip(0, 255).astype(np.uint8)
    for kind in (photo, photo[..., 0]):
        data = saved(kind, "JPEG", quality=90)
        for side in (28, 64):
            less = color(data, side).astype(int)
            with monkeypatch.context() as whole:
                whole.setattr(JpegImageFile, "draft", lambda *_: None)
                difference = np.abs(color(data, side) - less)
            assert 0 < difference.max() <= 8 and difference.mean() < 1

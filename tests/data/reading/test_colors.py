"""A picture's colours are what its profile says they are, by the formulas; a profile that is broken changes nothing."""

import io

import numpy as np
import profiles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from gan_core.data.reading import colors, picture_file
from gan_core.data.reading.picture_file import Unreadable, decode_picture

BUSY = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
GREYS = np.arange(32 * 32).reshape(32, 32).astype(np.uint8)
P3 = profiles.of_lights(profiles.P3, profiles.SRGB_CURVE)


def saved(image, kind="PNG", **how):
    file = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(file, kind, **how)
    return file.getvalue()


def seen(data, side=32, color="color"):
    return decode_picture(data, side, color, "center").transpose(1, 2, 0).astype(int)


@pytest.mark.parametrize(("profile", "lights", "curve"), [
    (P3, profiles.P3, profiles.linear),
    (profiles.of_lights(profiles.ADOBE, profiles.gamma(563 / 256)), profiles.ADOBE, lambda v: v ** (563 / 256)),
    (profiles.of_lights(profiles.SRGB, profiles.gamma(1.0)), profiles.SRGB, lambda v: v)], ids=["P3", "Adobe", "linear"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_colours_are_what_the_profile_means(profile, lights, curve, kind):
    expected = profiles.as_srgb(BUSY, lights, curve)
    got = seen(saved(BUSY, kind, icc_profile=profile, **({"lossless": True} if kind == "WEBP" else {})))
    assert np.abs(got - expected).max() <= 2 and np.abs(got - BUSY).mean() > 3


def test_a_known_colour_of_a_phone():
    """The red of sRGB is (234, 51, 35) in Display P3, as every converter says."""
    red = np.full((64, 64, 3), (234, 51, 35), np.uint8)
    assert np.abs(seen(saved(red, icc_profile=P3))[0, 0] - (255, 0, 0)).max() <= 2
    assert np.abs(seen(saved(red, "JPEG", quality=100, subsampling=0, icc_profile=P3))[9, 9] - (255, 0, 0)).max() <= 4


@pytest.mark.parametrize("value", [1.0, 1.8, 2.2])
def test_greys_are_what_the_profile_means(value):
    expected = profiles.encoded((GREYS / 255) ** (round(value * 256) / 256))
    data = saved(GREYS, icc_profile=profiles.of_grey(value))
    for color in ("grey", "color"):
        assert np.abs(seen(data, color=color) - expected[..., None]).max() <= 2
    ink = np.stack([GREYS, np.full_like(GREYS, 255)], -1)  # with an alpha channel, all of it there
    assert np.abs(seen(saved(ink, icc_profile=profiles.of_grey(value))) - expected[..., None]).max() <= 2


def test_inks_are_what_the_profile_means():
    def corner(c, m, y, k):
        return (0, 0, 0) if k else (100 - 40 * c - 20 * m - 10 * y, -30 * c + 50 * m, -40 * c + 60 * y)
    profile = profiles.of_inks(corner)
    for inks in ((0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1), (1, 1, 0, 0)):
        expected = profiles.lab_as_srgb(np.array(corner(*inks)))
        image = Image.new("CMYK", (64, 64), tuple(255 * ink for ink in inks))
        for kind, how in (("TIFF", {}), ("JPEG", {"quality": 100})):
            assert np.abs(seen(saved(image, kind, icc_profile=profile, **how))[9, 9] - expected).max() <= 3, (inks, kind)


def test_alpha_stays_and_its_picture_is_changed():
    half = np.dstack([BUSY, np.full((32, 32), 128, np.uint8)])
    expected = profiles.as_srgb(BUSY, profiles.P3, profiles.linear) * 128 / 255 + 255 * (1 - 128 / 255)
    assert np.abs(seen(saved(half, icc_profile=P3)) - expected).max() <= 3


def test_a_large_picture_is_changed_as_it_would_be_before_it_was_made_small():
    inside = BUSY // 4 + 96  # of sRGB: what lies outside is cut, and that is not the same before and after
    photo = np.asarray(Image.fromarray(inside).resize((640, 640), Image.Resampling.BICUBIC))
    before = profiles.as_srgb(photo, profiles.P3, profiles.linear).round().astype(np.uint8)
    difference = np.abs(seen(saved(photo, icc_profile=P3)) - seen(saved(before)))
    assert difference.mean() < 0.5 and difference.max() <= 6


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
USELESS = {"sRGB": SRGB, "sRGB by hand": profiles.of_lights(profiles.SRGB, profiles.SRGB_CURVE), "cut": P3[:200],
           "no tags": P3[:128], "noise": np.random.default_rng(1).bytes(3000),
           "of inks": profiles.of_inks(lambda c, m, y, k: (50, 0, 0)), "of greys": profiles.of_grey(1.8), "empty": b"",
           "large": P3 + bytes(colors.MAX_PROFILE),
           "its list leads away": P3[:132] + b"\xff" * 60 + P3[192:]}


@pytest.mark.parametrize("profile", USELESS)
def test_a_profile_that_says_nothing_new_or_nothing_at_all_changes_no_bit(profile):
    data = saved(BUSY, "TIFF", icc_profile=USELESS[profile])
    assert (seen(data) == BUSY).all()
    ink = Image.new("CMYK", (8, 8), (200, 30, 90, 10))
    if profile != "of inks":
        assert (seen(saved(ink, "TIFF", icc_profile=USELESS[profile])) == seen(saved(ink, "TIFF"))).all()


@given(st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=8), st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_damaged_profile_never_costs_the_picture(damages, of_inks):
    profile = bytearray(profiles.of_inks(lambda c, m, y, k: (50 - 50 * k, 0, 0)) if of_inks else P3)
    for where, value in damages:
        profile[int(where * len(profile))] = value
    image = Image.new("CMYK", (8, 8), (200, 30, 90, 10)) if of_inks else BUSY
    assert seen(saved(image, "TIFF", icc_profile=bytes(profile))).shape == (32, 32, 3)


# HEIC.

HEADS = [b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", b"\0\0\0\x1cftypmif1\0\0\0\0mif1heicmiaf", b"\0\0\0\x14ftypmsf1\0\0\0\0msf1"]


def test_a_heic_is_told_apart_by_its_brands(monkeypatch):
    monkeypatch.setattr(picture_file, "FORMATS", tuple(name for name in picture_file.FORMATS if name != "HEIF"))
    for head in HEADS:
        assert picture_file.kind_of(head.ljust(64, b"\0")) == "heic"
    for brands in (b"avif\0\0\0\0mif1avif", b"mif1\0\0\0\0mif1avif", b"mp42\0\0\0\0mp42isom"):
        head = b"\0\0\0\x18ftyp" + brands
        assert picture_file.kind_of(head.ljust(64, b"\0")) != "heic"
    with pytest.raises(Unreadable) as caught:
        picture_file.read_content(io.BytesIO(HEADS[0] + bytes(99)))
    assert caught.value.reason == "heic"


def test_a_heic_is_read_like_any_other_picture_upright_and_in_its_colours():
    pytest.importorskip("pillow_heif")
    blocks = np.kron(BUSY[:8, :8], np.ones((40, 40, 1), np.uint8))
    plain = saved(blocks, "HEIF", quality=95, chroma=444)
    assert picture_file.kind_of(plain[:64]) == "picture" and np.abs(seen(plain) - seen(saved(blocks))).mean() < 2
    exif = Image.Exif()
    exif[0x112] = 6
    turned = saved(blocks, "HEIF", quality=95, chroma=444, exif=exif.tobytes())
    assert b"irot" in turned and np.abs(seen(turned) - seen(saved(blocks, exif=exif))).mean() < 2
    phone = saved(blocks, "HEIF", quality=95, chroma=444, icc_profile=P3)
    assert np.abs(seen(phone) - seen(saved(blocks, icc_profile=P3))).mean() < 2.5
    at = plain.index(b"ispe") + 8
    for sides in ((4097, 4096), (100_000, 100_000)):
        with pytest.raises(Unreadable) as caught:
            seen(plain[:at] + b"".join(side.to_bytes(4, "big") for side in sides) + plain[at + 8:])
        assert caught.value.reason == "too_large"
    with pytest.raises(Unreadable) as caught:  # it says less than it holds
        seen(plain[:at] + bytes([0, 0, 0, 9, 0, 0, 0, 9]) + plain[at + 8:])
    assert caught.value.reason in ("broken", "too_large")
    with pytest.raises(Unreadable):
        seen(plain[:len(plain) // 2])

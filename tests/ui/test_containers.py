"""The containers of the page's parts: what they are handed arrives unchanged."""

import html
import re

import pytest

from gan_core.ui import containers
from gan_core.ui.forms import knobs

PARTS = {"gan-bar": containers.bar, "gan-flow": containers.flow, "gan-grid": containers.samples, "gan-real": containers.real,
         "gan-curves": containers.curves, "gan-latent": containers.latent, "gan-faces": containers.faces,
         "gan-presets": lambda: containers.presets({"quick": "digits"}),
         "gan-knobs": lambda: containers.knobs(knobs.tables())}


@pytest.mark.parametrize("elem_id", PARTS)
def test_a_container_is_an_empty_part_with_a_name(elem_id):
    part = PARTS[elem_id]()
    assert part.elem_id == elem_id
    assert re.fullmatch(rf'<gan-part class="gan-part" data-gan="{elem_id.removeprefix("gan-")}"[^<>]*></gan-part>', part.value)


def test_what_a_part_is_handed_comes_through_gradios_template_and_the_browser_unchanged():
    given = '{"a": "x${1}\'\\"<b>{{y}}&"}'
    value = containers.part("knobs", given).value
    assert "${" not in value and "{{" not in value
    assert html.unescape(re.search(r'data-knobs="([^"]*)"', value)[1]) == given

"""What older versions left and promised: their runs read and resume, numbers, events and public faces are the same.

The fixtures lie in `golden/` and were made by `golden/make.py`, which says when they may be made again.
"""

import json

import numpy as np
import pytest
from golden import recording
from golden.recording import HERE

import gan_core

NUMBERS = json.loads((HERE / "numbers.json").read_text())
EVENTS = json.loads((HERE / "events.json").read_text())
FACES = json.loads((HERE / "faces.json").read_text())
# Elsewhere sums are rounded otherwise, and Adam's first steps are signs of gradients: between a processor's three sets of
# instructions the largest difference was 8e-4.
ELSEWHERE = 5e-3


def agree(found, golden):
    """Bit for bit where the golden numbers were made by the same torch on the same processor, close elsewhere."""
    assert np.shape(found) == np.shape(golden)
    if recording.machine() == NUMBERS["machine"]:
        assert found == golden
    else:
        np.testing.assert_allclose(found, golden, rtol=0, atol=ELSEWHERE)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """(page, its folder, {name: golden run in it}): the real page, as a process, over the golden runs."""
    folder = tmp_path_factory.mktemp("golden")
    runs = {name: recording.unpacked(name, folder) for name in recording.RUNS}
    with recording.page(folder) as page:
        yield page, folder, runs


@pytest.mark.parametrize("name", recording.RUNS)
def test_an_old_run_reads_as_it_did(name, tmp_path):
    found, golden = recording.reading(recording.unpacked(name, tmp_path)), EVENTS["reading"][name]
    assert as_before(found, golden) == golden


def test_an_old_run_is_resumed_by_the_worker_and_goes_on_bit_for_bit(tmp_path):
    golden = NUMBERS["resumed"]
    found = recording.resumed(recording.unpacked("ring", tmp_path), len(golden["steps"]))
    agree(found.pop("losses"), golden["losses"])
    tensors = found.pop("tensors")
    assert tensors.keys() == golden["tensors"].keys()
    if recording.machine() == NUMBERS["machine"]:
        assert tensors == golden["tensors"]
    assert found == {name: golden[name] for name in found}


@pytest.mark.parametrize("preset", list(gan_core.PRESETS))
def test_every_presets_first_steps_are_computed_as_they_were(preset):
    """With the values that the preset had: a preset may be made better, what is computed of the same values may not change."""
    agree(recording.first_losses(FACES["presets"][preset]), NUMBERS["presets"][preset])


def as_before(found: dict, golden: dict) -> dict:
    """`found` without the fields that were added since: a reader of the old ones does not know them, and need not."""
    nested = ("data", "status", "frame", "config")  # of an event; of what it holds
    return {name: as_before(value, golden[name]) if name in nested and isinstance(value, dict) and golden[name] else value
            for name, value in found.items() if name in golden}


def test_no_preset_has_gone():
    assert list(gan_core.PRESETS) == list(NUMBERS["presets"])


@pytest.mark.parametrize("name", [*recording.RUNS, "starter"])
def test_whoever_opens_an_old_run_is_sent_the_same_snapshot(name, served):
    page, _, runs = served
    run = runs[name].name if name in runs else "starter-digits"
    found, golden = recording.snapshot(page, run), EVENTS["snapshots"][name]
    assert [as_before(*pair) for pair in zip(found, golden, strict=True)] == golden


def test_a_run_that_grows_is_told_in_the_same_events(served):
    page, folder, runs = served
    found = recording.told_again(page, runs["ring"], folder)
    assert [as_before(*pair) for pair in zip(found, EVENTS["growing"], strict=True)] == EVENTS["growing"]


@pytest.mark.parametrize(("name", "latent_dim", "label"), [("ring", 2, None), ("conditional", 8, 3)])
def test_an_old_network_answers_the_sliders_with_the_same_pictures(name, latent_dim, label, served):
    page, _, runs = served
    golden, found = EVENTS["driven"][name], recording.driven(page, runs[name].name, latent_dim, label)
    for half in (golden["z"], found["z"]):
        half["numbers"] = [float(half["headers"].pop("x-gan-verdict")),
                           *map(float, half["headers"].pop("x-gan-point", "0").split(","))]
    for part, tolerance in (("picture", 2), ("numbers", 1e-3)):
        pair = [np.array(half["z"].pop(part), float) for half in (found, golden)]
        np.testing.assert_allclose(*pair, rtol=0, atol=tolerance)
    np.testing.assert_allclose(found.pop("seed"), golden.pop("seed"), rtol=1e-6)
    assert found == golden


def test_the_page_has_the_same_calls_and_the_same_ids(served):
    page, _, _ = served
    found = page.api()
    assert [one["parameter_name"] for one in found.pop("/extend")["parameters"]] == ["steps", "minutes"]  # came later
    assert found == FACES["api"]
    added = {"form-filled": "hidden textbox",  # by which preset the form was filled
             "field-background": "dropdown",
             "btn-stop-run": "button", "gan-reason": "html"}  # in the list of runs
    assert page.elements() == {**FACES["elements"], **added}


@pytest.mark.parametrize("name", recording.COMMANDS)
def test_a_command_line_explains_itself_in_the_same_words(name):
    assert recording.help_text(name) == (HERE / "help" / f"{name}.txt").read_text()


def test_public_names_fields_and_presets_are_the_same():
    found = recording.public_names()
    networks = {**FACES["fields"]["networks"], "choices": [*FACES["fields"]["networks"]["choices"], "mlp-bounded"]}  # came later
    assert found["fields"].pop("background")["default"] == "auto"  # came later
    assert found["fields"] == {**FACES["fields"], "networks": networks}
    changed = {name for name, values in FACES["presets"].items() if as_before(found["presets"][name], values) != values}
    assert changed == {"ring", "grid", "mode-collapse", "merry-go-round", "steady"}, "made better on purpose, see config.py"
    assert set(found["gan_core"]) >= set(FACES["gan_core"]), "a public name may be added, never taken away"

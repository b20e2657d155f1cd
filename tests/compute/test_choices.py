import json
import platform

import pytest
import torch

from gan_core.compute import choices
from gan_core.compute.choices import ComputeChoices, devices, resolve, retain_freed_memory


def test_what_a_person_chose_is_kept() -> None:
    for precision in ("fp32", "bf16"):
        assert resolve("cpu", precision, 3) == ComputeChoices("cpu", precision, "channels_last", 3)
    assert resolve("cpu", "fp32", 3, "contiguous", "off") == ComputeChoices("cpu", "fp32", "contiguous", 3, rewrites=False)
    assert resolve("cpu", "fp32", 3, "auto", "on").rewrites


@pytest.mark.parametrize(("there", "expected"), [(1, 1), (2, 1), (8, 7)])
def test_unmeasured_one_core_is_left_to_others_unless_there_is_only_one(monkeypatch, there: int, expected: int) -> None:
    monkeypatch.setattr(choices, "cores", lambda: there)
    assert resolve("cpu", "fp32", 0).threads == expected


@pytest.mark.parametrize("units", [True, False])
def test_auto_takes_bf16_only_where_the_processor_has_it(monkeypatch, units: bool) -> None:
    monkeypatch.setattr(choices, "cpu_has_bf16", lambda: units)
    assert resolve("cpu", "auto", 1).precision == ("bf16" if units else "fp32")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_a_device_that_is_not_here_is_refused_with_those_that_are() -> None:
    with pytest.raises(ValueError, match="cuda is not available on this machine; choose one of: "):
        resolve("cuda")
    assert resolve("auto").device == devices()[0] in {"cpu", "mps"}


def test_bf16_reaches_the_products_and_leaves_the_weights() -> None:
    layer = torch.nn.Linear(4, 4)
    with ComputeChoices(precision="bf16").autocast():
        assert layer(torch.ones(2, 4)).dtype == torch.bfloat16
    with ComputeChoices(precision="fp32").autocast():
        assert layer(torch.ones(2, 4)).dtype == torch.float32
    assert layer.weight.dtype == torch.float32
    assert ComputeChoices().layout == torch.channels_last
    assert ComputeChoices(memory_format="contiguous").layout == torch.contiguous_format


def test_choices_come_back_from_a_checkpoints_json_as_they_were() -> None:
    for kept in (ComputeChoices(), ComputeChoices("cpu", "bf16", "contiguous", 2, False, ((1, 100.5), (2, 160.0)))):
        assert ComputeChoices(**json.loads(json.dumps(kept.to_dict()))) == kept
    older = {"device": "cpu", "precision": "fp32", "memory_format": "channels_last", "threads": 2}
    assert ComputeChoices(**older) == ComputeChoices(threads=2)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc hands large blocks back at once")
def test_memory_of_large_tensors_is_kept_for_the_next_one() -> None:
    """Without it, each new tensor of 16 MB costs the system 4,096 pages, one by one, when it is first written to."""
    import resource

    assert retain_freed_memory()
    torch.zeros(4_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.zeros(4_000_000)
    # Of 40,960 pages; a block that somebody else has taken a piece of meanwhile is begun anew.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 20_000

import pytest
import torch

from gan_core import acceleration
from gan_core.acceleration import Resolved, cores, resolve


def test_what_a_person_chose_is_kept() -> None:
    for precision in ("fp32", "bf16"):
        assert resolve("cpu", precision, 3) == Resolved("cpu", precision, "channels_last", 3)


@pytest.mark.parametrize(("there", "expected"), [(1, 1), (2, 1), (8, 7)])
def test_one_core_is_left_to_the_page_unless_there_is_only_one(monkeypatch, there: int, expected: int) -> None:
    monkeypatch.setattr(acceleration, "cores", lambda: there)
    assert resolve("cpu", "fp32", 0).threads == expected


@pytest.mark.parametrize("units", [True, False])
def test_auto_takes_bf16_only_where_the_processor_has_it(monkeypatch, units: bool) -> None:
    monkeypatch.setattr(acceleration, "cpu_has_bf16", lambda: units)
    assert resolve("cpu", "auto", 1).precision == ("bf16" if units else "fp32")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_a_device_that_is_not_here_is_refused_with_those_that_are() -> None:
    with pytest.raises(ValueError, match="cuda is not available on this machine; choose one of: cpu"):
        resolve("cuda")
    assert resolve("auto").device in {"cpu", "mps"} and cores() >= 1


def test_bf16_reaches_the_products_and_leaves_the_weights() -> None:
    layer = torch.nn.Linear(4, 4)
    with Resolved(precision="bf16").autocast():
        assert layer(torch.ones(2, 4)).dtype == torch.bfloat16
    with Resolved(precision="fp32").autocast():
        assert layer(torch.ones(2, 4)).dtype == torch.float32
    assert layer.weight.dtype == torch.float32
    assert Resolved().layout == torch.channels_last and Resolved(memory_format="contiguous").layout == torch.contiguous_format
    assert Resolved(**Resolved("cpu", "bf16", "contiguous", 2).to_dict()) == Resolved("cpu", "bf16", "contiguous", 2)

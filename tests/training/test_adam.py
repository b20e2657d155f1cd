"""Adam without torch's compiler: torch's own bits, and no import of the compiler where a run trains."""

import copy
import subprocess
import sys

import torch
from torch import nn

from gan_core.training.adam import Adam


def test_it_computes_what_torchs_own_does_bit_for_bit() -> None:
    mine = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 1))
    theirs = copy.deepcopy(mine)
    x = torch.randn(20, 6, 5, generator=torch.Generator().manual_seed(0))
    settings = {"lr": 1e-2, "betas": (0.5, 0.9), "fused": True}
    for network, optimizer in ((mine, Adam(mine.parameters(), **settings)),
                               (theirs, torch.optim.Adam(theirs.parameters(), **settings))):
        for step, batch in enumerate(x):
            optimizer.param_groups[0]["lr"] = 1e-2 / (1 + step)
            optimizer.zero_grad()
            network(batch).square().mean().backward()
            optimizer.step()
        assert all(parameter.requires_grad and parameter.is_leaf for parameter in network.parameters())
    assert all(torch.equal(a, b) for a, b in zip(mine.parameters(), theirs.parameters(), strict=True))


def test_a_worker_trains_without_torchs_compiler() -> None:
    """Its import takes over a second and 150 MB, in every process that trains."""
    code = ("import sys; from gan_core.worker.main import warm_up; warm_up(1)\n"
            "print('torch.optim' in sys.modules, 'torch._dynamo' in sys.modules)")
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True).stdout
    assert said == "True False\n"

"""torch's Adam for updates that nobody compiles: without torch._dynamo, whose import takes over a second and 150 MB.

torch guards these methods against its compiler, and the first guarded call imports it. What they compute is torch's own.
"""

import inspect

import torch


class Adam(torch.optim.Adam):
    """torch.optim.Adam, bit for bit. Not for torch.compile."""

    add_param_group = inspect.unwrap(torch.optim.Adam.add_param_group)
    zero_grad = inspect.unwrap(torch.optim.Adam.zero_grad)
    step = torch.no_grad()(inspect.unwrap(torch.optim.Adam.step))  # no_grad is what the guard of this one does besides

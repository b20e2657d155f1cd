"""What the server of `forked` has imported for all processes that it forks. Nobody else imports this.

A module of its own, because the server's command line shows its name: one with torchrun's in it would be taken for torchrun.
"""

import pytest  # noqa: F401
import torch.distributed.run  # noqa: F401

import gan_core.training.adam
import gan_core.training.trainer
import gan_core.worker.main  # noqa: F401

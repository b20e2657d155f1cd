"""The two networks of the course's notebook, exactly: same shapes, padding, order of weights and initial distribution.

Images are NCHW in [0, 1]. The discriminator returns logits; the loss applies the sigmoid and decides what their sign means. Under
the course's loss a logit above 0 means fake.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ..losses.precision import upcast
from ..messages import is_whole, one_line
from .fast_conv import single_channel_conv, upsample_conv
from .layers import Dropout, glorot_


class CourseDiscriminator(nn.Module):
    """(N, 1, 28, 28) -> logits (N,) float32; 396,609 parameters. The loss decides what their sign means."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 64, 4, stride=2, padding=1)
        self.conv2 = nn.Conv2d(64, 128, 4, stride=2, padding=1)
        self.conv3 = nn.Conv2d(128, 128, 4, stride=2)
        self.dropout = Dropout(0.2)
        self.dense = nn.Linear(4 * 4 * 128, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.leaky_relu(self.conv1(x), 0.2)  # (N, 64, 14, 14)
        x = F.leaky_relu(self.conv2(x), 0.2)  # (N, 128, 7, 7)
        # Keras' "same" of an odd size at stride 2 pads one before and two after.
        x = F.leaky_relu(self.conv3(F.pad(x, (1, 2, 1, 2))), 0.2)  # (N, 128, 4, 4)
        # Keras flattens height, width, channel: in that order the dense weights equal the notebook's.
        x = self.dropout(x.permute(0, 2, 3, 1).flatten(1))  # (N, 2048)
        return upcast(self.dense(x).squeeze(1))  # (N,)


class CourseGenerator(nn.Module):
    """z (N, latent_dim) -> images (N, 1, 28, 28) float32 in [0, 1]; 779,969 parameters for latent_dim 128."""

    has_rewrites = True  # its convolutions have cheaper forms, which autotuning compares with the library's

    def __init__(self, latent_dim: int = 128) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.dense = nn.Linear(latent_dim, 7 * 7 * 64)
        self.conv1 = nn.Conv2d(64, 128, 3, padding=1)
        self.conv2 = nn.Conv2d(128, 256, 3, padding=1)
        self.conv3 = nn.Conv2d(256, 1, 5, padding=2)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        # Keras reshapes to height, width, channel; as NCHW this is channels_last already.
        x = self.dense(z).view(-1, 7, 7, 64).permute(0, 3, 1, 2)  # (N, 64, 7, 7), no activation here
        x = upsample_conv(x, self.conv1, relu=True)  # (N, 128, 14, 14)
        x = upsample_conv(x, self.conv2, relu=True)  # (N, 256, 28, 28)
        # The sigmoid is computed in float32: near 1, steps of bfloat16 are as large as one grey level.
        return torch.sigmoid(single_channel_conv(x, self.conv3))  # (N, 1, 28, 28)


def course_discriminator() -> nn.Module:
    """The notebook's discriminator: (N, 1, 28, 28) in [0, 1] -> logits (N,), above 0 for "fake" under the course's loss."""
    return glorot_(CourseDiscriminator())


def course_generator(latent_dim: int = 128) -> nn.Module:
    """The notebook's generator: z (N, latent_dim), z ~ N(0, 1) -> (N, 1, 28, 28) in [0, 1]. latent_dim: from 1."""
    if not is_whole(latent_dim) or latent_dim < 1:
        raise ValueError(f"latent_dim is {one_line(latent_dim)}; give a whole number from 1.")
    return glorot_(CourseGenerator(latent_dim))


def build(latent_dim: int = 128, shape: tuple[int, ...] = (1, 28, 28), classes: int = 0) -> tuple[nn.Module, nn.Module]:
    """(generator, discriminator), for (1, 28, 28) without classes; `networks.pair` refuses the rest."""
    return course_generator(latent_dim), course_discriminator()

"""Curves and grids as matplotlib figures, for notebooks and exports: plain numbers in, a Figure out, no pyplot state."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from .runs.metrics import LOSSES, SERIES

# Okabe & Ito's colours: they can be told apart with every kind of colour vision.
CURVES = dict(zip(SERIES, (("discriminator", "#0072B2"), ("generator", "#D55E00"),
                          ("real images", "#009E73"), ("generated images", "#CC79A7")), strict=True))


class Picture(Figure):
    """A Figure that a notebook displays under any matplotlib backend."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=100)
        return buffer.getvalue()


def draw_curves(history: Mapping[str, Sequence[float | None]], unit: str = "epoch") -> Figure:
    """Losses above, the discriminator's probability of "real" below.

    `history` maps any of d_loss, g_loss, d_real, d_fake to equally long series; "step", if there, is their x axis, else
    they are counted from 1 in `unit`. None and NaN leave gaps. Raises ValueError when there is nothing to draw.
    """
    drawn = [name for name in CURVES if len(history.get(name, ()))]
    if not drawn:
        raise ValueError("there is no history to draw yet; train first.")
    figure = Picture(figsize=(7, 5), layout="constrained")
    losses, verdicts = figure.subplots(2, 1, sharex=True)
    for name in drawn:
        label, colour = CURVES[name]
        y = np.array([np.nan if v is None else float(v) for v in history[name]])
        x = np.asarray(history["step"]) if len(history.get("step", ())) else np.arange(1, len(y) + 1)
        if len(x) != len(y):
            raise ValueError(f"{name} has {len(y)} values and step {len(x)}; give as many of both.")
        axes = losses if name in LOSSES else verdicts
        axes.plot(x, y, color=colour, label=label, marker="o" if len(y) < 20 else None, markersize=3)
    losses.set_ylabel("loss")
    verdicts.set_ylabel('probability of "real"')
    verdicts.set_ylim(0, 1)
    verdicts.axhline(0.5, color="0.7", linewidth=0.8, zorder=0)
    verdicts.set_xlabel("step" if len(history.get("step", ())) else unit)
    for axes in (losses, verdicts):
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="upper right")
    return figure


def draw_grid(images: Any, columns: int = 8) -> Figure:
    """Images side by side: (N, H, W), (N, H, W, 1 or 3) or (N, 1 or 3, H, W), uint8 or float in [0, 1]."""
    images = np.asarray(images)
    if images.ndim == 4 and images.shape[1] in (1, 3) and images.shape[-1] not in (1, 3):
        images = images.transpose(0, 2, 3, 1)
    if images.ndim == 4 and images.shape[-1] == 1:
        images = images[..., 0]
    if images.ndim not in (3, 4) or not len(images) or (images.ndim == 4 and images.shape[-1] != 3):
        raise ValueError(f"images have the shape {images.shape}; give (N, height, width), grey, or (N, height, width, 3).")
    if columns < 1:
        raise ValueError(f"columns is {columns}; give 1 or more.")
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    figure = Picture(figsize=(columns, rows), layout="constrained")
    cells = figure.subplots(rows, columns, squeeze=False).ravel()
    top = 255 if images.dtype == np.uint8 else 1.0
    for axes in cells:
        axes.set_axis_off()
    for axes, image in zip(cells, images, strict=False):
        axes.imshow(image, cmap="gray", vmin=0, vmax=top, interpolation="nearest")
    return figure

"""Looks at a fit in progress: how good it is in views it never sees, how large, and pictures of it for a person."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from fitting.neuralgs.job import Job
from fitting.neuralgs.options import Look, Picture
from fitting.neuralgs.reporter import Reporter
from fitting.neuralgs.targets import Target
from fitting.neuralgs.tune import judge
from fitting.rasterize import rasterize

SHOWN = 3  # held-out views in a preview
BLACK = (0.0, 0.0, 0.0)  # behind them, as behind those that are judged


def look_at_fit(
    tensors: Sequence[Tensor], size: int, step: int, steps: int, job: Job, antialiased: bool, say: Reporter
) -> Look:
    """Judges what a fit would write now, `size` bytes, and shows it to the preview if there is one."""
    psnr, ssim = judge(tensors, job.held_out, antialiased)
    look = Look(say.name, step, steps, say.seconds, size, psnr, ssim)
    show(look, tensors, job.held_out, antialiased, say)
    return look


def show(look: Look, tensors: Sequence[Tensor], held_out: Sequence[Target], antialiased: bool, say: Reporter) -> None:
    """Gives the preview, if there is one, its pictures."""
    if say.preview is not None:
        say.preview(look, picture_pairs(tensors, held_out, antialiased))


@torch.no_grad()
def picture_pairs(
    tensors: Sequence[Tensor], targets: Sequence[Target], antialiased: bool
) -> list[tuple[Picture, Picture]]:
    """Original and `tensors` as they are in up to `SHOWN` of the views, all of one size."""
    alike = [t for t in targets if t.rgba.shape == targets[0].rgba.shape]
    chosen = alike[:: -(-len(alike) // SHOWN)]
    drawn = [rasterize(*tensors, t.view(BLACK, antialiased)) for t in chosen]  # type: ignore[misc]
    return [(_to_8_bit(t.over(BLACK)), _to_8_bit(now)) for t, now in zip(chosen, drawn, strict=True)]


def _to_8_bit(picture: Tensor) -> Picture:
    return (picture.clamp(0, 1) * 255).round().cpu().numpy().astype(np.uint8)

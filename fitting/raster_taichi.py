"""The taichi backend of the rasteriser: CPU and CUDA from one source.

    project (per Gaussian) -> sort by depth -> pairs (Gaussian, tile) -> sort by tile -> blend (per tile) -> image
    image gradient -> blend backward (per tile, into its pairs' slots) -> project backward (per Gaussian)

The kernels are in `raster_taichi_project.py` and `raster_taichi_blend.py`; torch sorts between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fitting.raster_rules import SLOT, view_array
from fitting.raster_taichi_blend import blend, blend_backward, blend_weights
from fitting.raster_taichi_project import RECORD, WIDTH, count_pairs, list_pairs, project, project_backward
from fitting.raster_taichi_runtime import launch
from fitting.raster_view import RasterView

Tensors = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]  # positions, log_scales, rotations, opacity_logits, sh
ROWS = {"cpu": 16, "cuda": 1}  # a tile's height in pixels


@dataclass
class Bins:
    """Which Gaussians touch which tiles. A pair is a Gaussian in a tile; pairs are numbered by depth, slots by tile."""

    rows: int  # height of a tile, px
    order: Tensor  # [V] int32, the visible Gaussians, nearest first
    firsts: Tensor  # [V + 1] int32, bounds of each visible Gaussian's pairs
    starts: Tensor  # [tiles + 1] int32, bounds of each tile's slots
    ids: Tensor  # [P] int32, the Gaussian of each slot
    pairs: Tensor  # [P] int32, the pair of each slot


@dataclass
class Saved:
    """What the backward pass needs of the forward pass."""

    tensors: Tensors
    view: RasterView
    records: Tensor  # [N, RECORD]
    bins: Bins
    stops: Tensor  # [tiles] int32, one past the last slot a tile looked at
    image: Tensor


def forward(
    positions: Tensor, log_scales: Tensor, rotations: Tensor, opacity_logits: Tensor, sh: Tensor, view: RasterView
) -> tuple[Tensor, Saved]:
    """The picture [H, W, 3] and what `backward` needs."""
    tensors = (positions, log_scales, rotations, opacity_logits, sh)
    records, bins = _project(tensors, view)
    image = positions.new_empty(view.height, view.width, 3)
    stops = torch.empty_like(bins.starts[1:])
    if len(bins.ids):
        state = _state(bins, 4 * bins.rows)
        launch(blend, bins.starts, bins.ids, records, *view.background, state, stops, image, bins.rows)
    else:
        image[:] = image.new_tensor(view.background)
    return image, Saved(tensors, view, records, bins, stops, image.detach())  # autograd makes `image` itself its own


def backward(saved: Saved, grad_image: Tensor) -> tuple[Tensor, ...]:
    """Gradients of the five tensors for a gradient of the picture [H, W, 3]."""
    positions, log_scales, rotations, logits, sh = (torch.zeros_like(t) for t in saved.tensors)
    grads = (positions, log_scales, rotations, logits, sh)
    bins, view = saved.bins, saved.view
    if not len(bins.ids):
        return grads
    slots = saved.records.new_zeros(len(bins.ids), SLOT)
    state = _state(bins, 5 * bins.rows + 6)
    tiles = (bins.starts, saved.stops, bins.ids, bins.pairs)
    launch(blend_backward, *tiles, saved.records, saved.image, grad_image, state, slots, bins.rows)
    gather = (bins.order, bins.firsts, slots, saved.records)
    seen_from = (_view_tensor(view, grad_image.device), view.antialiased)
    launch(project_backward, *gather, *saved.tensors, *seen_from, *grads, sh.shape[1])
    return grads


def importance(
    positions: Tensor, log_scales: Tensor, rotations: Tensor, opacity_logits: Tensor, sh: Tensor, view: RasterView
) -> NDArray[np.float32]:
    """[N] the sum over pixels of alpha times transmittance, in one view."""
    records, bins = _project((positions, log_scales, rotations, opacity_logits, sh), view)
    total = np.zeros(len(positions), np.float32)
    if len(bins.ids):
        weights = records.new_empty(len(bins.ids))
        state = _state(bins, bins.rows)
        tiles = (bins.starts, bins.ids, bins.pairs)
        launch(blend_weights, *tiles, records, view.width, view.height, state, weights, bins.rows)
        firsts = bins.firsts.cpu().numpy()
        sums = np.concatenate([[0.0], np.cumsum(weights.cpu().numpy(), dtype=np.float64)])
        total[bins.order.cpu().numpy()] = sums[firsts[1:]] - sums[firsts[:-1]]
    return total


def _view_tensor(view: RasterView, device: torch.device) -> Tensor:
    return torch.from_numpy(view_array(view)).to(device)


def _state(bins: Bins, rows: int) -> Tensor:
    return torch.empty(len(bins.starts) - 1, rows, WIDTH, device=bins.starts.device)


def _project(tensors: Tensors, view: RasterView) -> tuple[Tensor, Bins]:
    """Records [N, RECORD] (undefined where invisible) and the bins of the visible."""
    positions, sh = tensors[0], tensors[4]
    records = positions.new_empty(len(positions), RECORD)
    depths = positions.new_empty(len(positions))
    if len(positions):
        seen_from = (_view_tensor(view, positions.device), view.antialiased)
        launch(project, *tensors, *seen_from, records, depths, sh.shape[1])
    return records, _bin(records, depths, view)


def _bin(records: Tensor, depths: Tensor, view: RasterView) -> Bins:
    rows = ROWS[records.device.type]
    tiles_x, tiles_y = -(-view.width // WIDTH), -(-view.height // rows)
    depths, order = torch.sort(depths, stable=True)
    order = order[: int(torch.isfinite(depths).sum())].int()
    counts = order.new_zeros(len(order) + 1)
    if len(order):
        launch(count_pairs, order, records, tiles_x, tiles_y, counts, rows)
    firsts = torch.cumsum(counts, 0, dtype=torch.int32)
    pair_tiles, pair_ids = firsts.new_empty(2, int(firsts[-1]))
    if len(pair_tiles):
        launch(list_pairs, order, records, tiles_x, tiles_y, firsts, pair_tiles, pair_ids, rows)
    pair_tiles, pairs = torch.sort(pair_tiles, stable=True)
    starts = torch.searchsorted(pair_tiles, torch.arange(tiles_x * tiles_y + 1, device=records.device), out_int32=True)
    return Bins(rows, order, firsts, starts, pair_ids[pairs], pairs.int())

"""Gaussians as the five tensors the rasteriser takes."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from scenes.gaussians import Gaussians


class GaussianTensors(NamedTuple):
    """The attributes of `scenes.gaussians.Gaussians` in torch, in the order `rasterize` takes them."""

    positions: Tensor  # [N, 3]
    log_scales: Tensor  # [N, 3]
    rotations: Tensor  # [N, 4]
    opacity_logits: Tensor  # [N]
    sh: Tensor  # [N, K, 3]

    @classmethod
    def of(cls, gaussians: Gaussians, device: torch.device | str = "cpu") -> GaussianTensors:
        """The same numbers on `device`."""
        arrays = (
            gaussians.positions,
            gaussians.log_scales,
            gaussians.rotations,
            gaussians.opacity_logits,
            gaussians.sh,
        )
        return cls(*(torch.from_numpy(a.copy()).to(device) for a in arrays))

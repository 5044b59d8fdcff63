"""gsplat's CUDA kernels as a backend of the rasteriser (https://docs.gsplat.studio, `gsplat.rasterization`, 1.x).

gsplat is differentiable by itself; its graph of the forward pass is kept and run backwards when asked.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fitting.raster_view import RasterView


@dataclass
class Saved:
    """The five tensors and the picture gsplat made of them, with its graph."""

    tensors: tuple[Tensor, ...]
    image: Tensor  # [H, W, 3]


def forward(
    positions: Tensor, log_scales: Tensor, rotations: Tensor, opacity_logits: Tensor, sh: Tensor, view: RasterView
) -> tuple[Tensor, Saved]:
    """The picture [H, W, 3] and what `backward` needs."""
    from gsplat import rasterization  # pyright: ignore[reportMissingImports] - optional, CUDA only

    with torch.enable_grad():
        tensors = tuple(t.detach().requires_grad_() for t in (positions, log_scales, rotations, opacity_logits, sh))
        means, log_deviations, quaternions, logits, coefficients = tensors
        pictures, _, _ = rasterization(
            means=means,
            quats=quaternions,
            scales=log_deviations.exp(),
            opacities=torch.sigmoid(logits),
            colors=coefficients,
            viewmats=torch.as_tensor(view.camera_from_world).to(positions)[None],
            Ks=_intrinsics(view).to(positions)[None],
            width=view.width,
            height=view.height,
            near_plane=view.near,
            sh_degree=round(sh.shape[1] ** 0.5) - 1,
            packed=False,
            backgrounds=positions.new_tensor(view.background)[None],
            rasterize_mode="antialiased" if view.antialiased else "classic",
        )
        image = pictures[0]
    return image.detach(), Saved(tensors, image)


def backward(saved: Saved, grad_image: Tensor) -> tuple[Tensor, ...]:
    """Gradients of the five tensors for a gradient of the picture [H, W, 3]."""
    found = torch.autograd.grad(saved.image, saved.tensors, grad_image, allow_unused=True)
    return tuple(torch.zeros_like(t) if g is None else g for t, g in zip(saved.tensors, found, strict=True))


def _intrinsics(view: RasterView) -> Tensor:
    """[3, 3] pixels."""
    return torch.tensor([[view.fx, 0, view.cx], [0, view.fy, view.cy], [0, 0, 1]])

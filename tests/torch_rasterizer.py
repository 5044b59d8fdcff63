"""The slow twin of `fitting/rasterize.py`: plain torch, dense over all pixels, gradients by autograd."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from fitting.raster_view import RasterView


def rasterize_dense(
    positions: Tensor,  # [N, 3]
    log_scales: Tensor,  # [N, 3]
    rotations: Tensor,  # [N, 4]
    opacity_logits: Tensor,  # [N]
    sh: Tensor,  # [N, K, 3]
    view: RasterView,
) -> Tensor:
    """The picture [H, W, 3], in the tensors' own precision."""
    pose = torch.as_tensor(view.camera_from_world).to(positions)
    points = positions @ pose[:3, :3].T + pose[:3, 3]
    order = torch.argsort(points[:, 2].detach(), stable=True)
    order = order[points[order, 2] > view.near]
    points = points[order]

    axes = rotation_matrices(rotations[order]) * log_scales[order].exp()[:, None, :]
    flat = jacobians(points, view) @ pose[:3, :3] @ axes
    sharp = flat @ flat.transpose(1, 2)
    wide = sharp + 0.3 * torch.eye(2).to(sharp)
    opacities = torch.sigmoid(opacity_logits[order])
    if view.antialiased:
        opacities = opacities * torch.sqrt(torch.clamp(torch.det(sharp) / torch.det(wide), min=0))

    focal, centre = positions.new_tensor([view.fx, view.fy]), positions.new_tensor([view.cx, view.cy])
    means = points[:, :2] / points[:, 2:] * focal + centre
    alpha = pixel_alphas(means, wide, opacities, view)  # [M, H, W]
    after = torch.cumprod(1 - alpha, 0)
    alpha = alpha * (after >= 1e-4)  # `after` never grows, so a pixel that has stopped stays so
    after = torch.cumprod(1 - alpha, 0)
    before = torch.cat([torch.ones_like(after[:1]), after])
    directions = torch.nn.functional.normalize(positions[order] - torch.as_tensor(-pose[:3, :3].T @ pose[:3, 3]), dim=1)
    colours = torch.clamp(torch.einsum("mk,mkc->mc", sh_basis(directions, sh.shape[1]), sh[order]) + 0.5, min=0)
    image = torch.einsum("mhw,mc->hwc", alpha * before[:-1], colours)
    return image + before[-1][..., None] * positions.new_tensor(view.background)


def rotation_matrices(rotations: Tensor) -> Tensor:
    """[M, 3, 3] of quaternions w, x, y, z: the identity plus 2 (w [v]x + [v]x [v]x)."""
    w, x, y, z = torch.nn.functional.normalize(rotations, dim=1).T
    o = torch.zeros_like(w)
    cross = torch.stack([o, -z, y, z, o, -x, -y, x, o], 1).reshape(-1, 3, 3)
    return torch.eye(3).to(cross) + 2 * (w[:, None, None] * cross + cross @ cross)


def jacobians(points: Tensor, view: RasterView) -> Tensor:
    """[M, 2, 3] of the perspective map at the points, held within 0.3 half pictures of the picture's edges."""
    z = points[:, 2]
    o = torch.zeros_like(z)
    x0, x1 = (-view.cx - 0.15 * view.width) / view.fx, (1.15 * view.width - view.cx) / view.fx
    y0, y1 = (-view.cy - 0.15 * view.height) / view.fy, (1.15 * view.height - view.cy) / view.fy
    x, y = torch.clamp(points[:, 0] / z, x0, x1), torch.clamp(points[:, 1] / z, y0, y1)
    entries = [view.fx / z, o, -view.fx * x / z, o, view.fy / z, -view.fy * y / z]
    return torch.stack(entries, 1).reshape(-1, 2, 3)


def pixel_alphas(means: Tensor, covariances: Tensor, opacities: Tensor, view: RasterView) -> Tensor:
    """[M, H, W] alpha at the pixel centres, capped at 0.99, 0 under 1/255."""
    x = torch.arange(view.width).to(means) + 0.5
    y = torch.arange(view.height).to(means) + 0.5
    offsets = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1) - means[:, None, None, :]
    power = -0.5 * torch.einsum("mhwi,mij,mhwj->mhw", offsets, torch.linalg.inv(covariances), offsets)
    alpha = torch.clamp(opacities[:, None, None] * torch.exp(power), max=0.99)
    return alpha * (alpha >= 1 / 255)


def sh_basis(directions: Tensor, count: int) -> Tensor:
    """[M, count] real SH from their textbook normalisations, with 3DGS's signs (Condon-Shortley)."""
    x, y, z = directions.T
    values = [
        0.5 * torch.ones_like(x),
        -(3**0.5) / 2 * y,
        3**0.5 / 2 * z,
        -(3**0.5) / 2 * x,
        15**0.5 / 2 * x * y,
        -(15**0.5) / 2 * y * z,
        5**0.5 / 4 * (3 * z * z - 1),
        -(15**0.5) / 2 * x * z,
        15**0.5 / 4 * (x * x - y * y),
        -((35 / 2) ** 0.5) / 4 * y * (3 * x * x - y * y),
        105**0.5 / 2 * x * y * z,
        -((21 / 2) ** 0.5) / 4 * y * (5 * z * z - 1),
        7**0.5 / 4 * z * (5 * z * z - 3),
        -((21 / 2) ** 0.5) / 4 * x * (5 * z * z - 1),
        105**0.5 / 4 * z * (x * x - y * y),
        -((35 / 2) ** 0.5) / 4 * x * (x * x - 3 * y * y),
    ]
    return torch.stack(values[:count], 1) / math.pi**0.5

"""The exact renderer of 3D Gaussians, in numpy: slow, obvious, float64. The twin the fast renderers are held to.

It does what the original 3DGS rasteriser does (Kerbl et al. 2023, github.com/graphdeco-inria), except that a Gaussian
is drawn wherever its alpha reaches 1/255, not only in the tiles its 3 sigma square touches. gsplat's CUDA pictures come
out within 2e-6. Fast paths are elsewhere: `fitting/rasterize.py` (differentiable), `renderer/` and `shaders/` (OpenGL).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenes.cameras import Camera
from scenes.gaussians import Gaussians, rotation_matrices
from scenes.harmonics import sh_basis

Doubles = NDArray[np.float64]

DILATION = 0.3  # px^2 added to both variances: every Gaussian covers about a pixel
MAX_ALPHA = 0.99
MIN_ALPHA = 1 / 255  # less is invisible in 8 bits
MIN_TRANSMITTANCE = 1e-4  # a pixel is finished before it gets darker than this behind its Gaussians
FRUSTUM_MARGIN = 0.3  # half images: x/z and y/z are clamped this far outside before the Jacobian, which else explodes


@dataclass(frozen=True)
class Splats:
    """M Gaussians on the image plane, nearest first, float64."""

    index: NDArray[np.int64]  # [M] which Gaussian of the scene
    means: Doubles  # [M, 2] px, x right and y down
    covariances: Doubles  # [M, 2, 2] px^2, dilated
    opacities: Doubles  # [M] in (0, 1), compensated if antialiased
    colours: Doubles  # [M, 3] not below 0, unbounded above


@dataclass(frozen=True)
class ReferenceRender:
    """An image and what became of the light behind it."""

    image: Doubles  # [H, W, 3]
    transmittance: Doubles  # [H, W] how much of the background shows; 1 - transmittance is the picture's alpha
    importance: Doubles  # [N] the sum over pixels of alpha * transmittance, for every Gaussian of the scene


def render_reference(
    gaussians: Gaussians,
    camera: Camera,
    width: int,
    height: int,
    background: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Doubles:
    """The picture [height, width, 3] `camera` sees of `gaussians`, before any clipping to [0, 1]."""
    return trace_reference(gaussians, camera, width, height, background).image


def trace_reference(
    gaussians: Gaussians,
    camera: Camera,
    width: int,
    height: int,
    background: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> ReferenceRender:
    """The picture, its transmittance and the importance of every Gaussian in it."""
    image = np.zeros((height, width, 3))
    transmittance = np.ones((height, width))
    finished = np.zeros((height, width), bool)
    importance = np.zeros(len(gaussians))
    splats = project_reference(gaussians, camera, width, height)
    for i in range(len(splats.index)):
        rows, columns = _box(splats, i, width, height)
        alpha = _alpha(splats, i, rows, columns)
        left = transmittance[rows, columns]
        done = finished[rows, columns]  # a view: what is written to it stays
        done |= (alpha > 0) & (left * (1 - alpha) < MIN_TRANSMITTANCE)
        weight = np.where(done, 0, alpha * left)
        image[rows, columns] += weight[..., None] * splats.colours[i]
        transmittance[rows, columns] = np.where(done, left, left * (1 - alpha))
        importance[splats.index[i]] = weight.sum()
    image += transmittance[..., None] * np.asarray(background, np.float64)
    return ReferenceRender(image, transmittance, importance)


def project_reference(gaussians: Gaussians, camera: Camera, width: int, height: int) -> Splats:
    """The Gaussians in front of the camera as 2D Gaussians, nearest first (EWA splatting, Zwicker et al. 2001)."""
    pose = np.asarray(camera.camera_from_world, np.float64)
    positions = gaussians.positions.astype(np.float64) @ pose[:3, :3].T + pose[:3, 3]
    in_front = np.flatnonzero(positions[:, 2] > camera.near)
    index = in_front[np.argsort(positions[in_front, 2], kind="stable")]
    positions = positions[index]

    fx, fy, cx, cy = camera.intrinsics(width, height)
    means = positions[:, :2] / positions[:, 2:] * [fx, fy] + [cx, cy]

    axes = rotation_matrices(gaussians.rotations[index].astype(np.float64))
    axes *= np.exp(gaussians.log_scales[index].astype(np.float64))[:, None, :]
    flatten = _jacobians(positions, camera, width, height) @ pose[:3, :3] @ axes  # [M, 2, 3]
    sharp = flatten @ flatten.transpose(0, 2, 1)
    covariances = sharp + DILATION * np.eye(2)

    opacities = 1 / (1 + np.exp(-gaussians.opacity_logits[index].astype(np.float64)))
    if gaussians.antialiased:
        opacities *= np.sqrt(np.maximum(np.linalg.det(sharp) / np.linalg.det(covariances), 0))

    directions = gaussians.positions[index] - camera.position
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    basis = sh_basis(directions, gaussians.sh_degree)
    colours = np.maximum(np.einsum("mk,mkc->mc", basis, gaussians.sh[index].astype(np.float64)) + 0.5, 0)
    return Splats(index, means, covariances, opacities, colours)


def _jacobians(positions: Doubles, camera: Camera, width: int, height: int) -> Doubles:
    """[M, 2, 3] derivatives of the pixel by the camera-space position [M, 3], held inside the widened frustum."""
    fx, fy, cx, cy = camera.intrinsics(width, height)
    z = positions[:, 2]
    focal, centre, size = np.array([[fx, fy], [cx, cy], [width, height]])
    margin = FRUSTUM_MARGIN * 0.5 * size / focal
    low, high = -centre / focal - margin, (size - centre) / focal + margin
    slope_x, slope_y = np.clip(positions[:, :2] / z[:, None], low, high).T
    zero = np.zeros_like(z)
    rows = [[fx / z, zero, -fx * slope_x / z], [zero, fy / z, -fy * slope_y / z]]
    return np.moveaxis(np.array(rows), 2, 0)


def _box(splats: Splats, i: int, width: int, height: int) -> tuple[slice, slice]:
    """The rows and columns outside of which splat `i` is under 1/255 everywhere."""
    reach = 2 * np.log(max(splats.opacities[i] / MIN_ALPHA, 1))  # the squared radius in sigmas
    extent = np.sqrt(reach * np.diag(splats.covariances[i]))
    low = np.clip(np.floor(splats.means[i] - extent), 0, [width, height]).astype(int)
    high = np.clip(np.ceil(splats.means[i] + extent), 0, [width, height]).astype(int)
    return slice(low[1], high[1]), slice(low[0], high[0])


def _alpha(splats: Splats, i: int, rows: slice, columns: slice) -> Doubles:
    """[rows, columns] alpha of splat `i` at the pixel centres, 0 where it is skipped."""
    dx = np.arange(columns.start, columns.stop) + 0.5 - splats.means[i, 0]
    dy = (np.arange(rows.start, rows.stop) + 0.5 - splats.means[i, 1])[:, None]
    (a, b), (_, c) = np.linalg.inv(splats.covariances[i])
    power = -0.5 * (a * dx * dx + c * dy * dy) - b * dx * dy
    alpha = np.minimum(MAX_ALPHA, splats.opacities[i] * np.exp(power))
    return np.where(alpha < MIN_ALPHA, 0, alpha)

"""The exact renderer of 3D Gaussians, in numpy: slow, obvious, float64. The twin the fast renderers are held to.

It does what the original 3DGS rasteriser does (Kerbl et al. 2023, github.com/graphdeco-inria), except that a Gaussian
is drawn wherever its alpha reaches 1/255, not only in the tiles its 3 sigma square touches. gsplat's CUDA pictures come
out within 2e-6. Here is the colour view, through cameras of every kind; the other views are in
`renderer/reference_views.py`. Fast paths are elsewhere: `fitting/rasterize.py` (differentiable), `renderer/` and
`shaders/` (OpenGL).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from renderer.settings import RenderSettings
from scenes.cameras import Camera
from scenes.gaussians import Gaussians, rotation_matrices, sh_count
from scenes.harmonics import sh_basis

Doubles = NDArray[np.float64]

DILATION = 0.3  # px^2 added to both variances: every Gaussian covers about a pixel
MAX_ALPHA = 0.99
MIN_ALPHA = 1 / 255  # less is invisible in 8 bits
MIN_TRANSMITTANCE = 1e-4  # a pixel is finished before it gets darker than this behind its Gaussians
FRUSTUM_MARGIN = 0.3  # half images: x/z and y/z are clamped this far outside before the Jacobian, which else explodes
POLE_SLOPE = 0.02  # equirectangular: the least cosine of the latitude in the Jacobian, which explodes at the poles

AS_TRAINED = RenderSettings()


@dataclass(frozen=True)
class Splats:
    """M Gaussians on the image plane, nearest first, float64. Equirectangular cameras see each of them twice."""

    index: NDArray[np.int64]  # [M] which Gaussian of the scene
    means: Doubles  # [M, 2] px, x right and y down
    covariances: Doubles  # [M, 2, 2] px^2, dilated
    opacities: Doubles  # [M] in (0, 1), compensated if antialiased
    colours: Doubles  # [M, 3] not below 0, unbounded above
    depths: Doubles  # [M] world units, of the centres: z, equirectangular the distance


@dataclass(frozen=True)
class Blend:
    """What becomes of light on its way to the picture."""

    light: Doubles  # [H, W, 3] the sum of weight * colour
    transmittance: Doubles  # [H, W] how much of the background shows; 1 - transmittance is the picture's alpha
    weights: Doubles  # [M] the sum over pixels of each splat's weight: alpha * transmittance before it


@dataclass(frozen=True)
class ReferenceRender:
    """An image and what became of the light behind it."""

    image: Doubles  # [H, W, 3]
    transmittance: Doubles  # [H, W] how much of the background shows; 1 - transmittance is the picture's alpha
    importance: Doubles  # [N] the sum over pixels of alpha * transmittance, for every Gaussian of the scene


# splats, one of them, width, height -> the rows and columns it may touch, and its alpha there, 0 where it is not drawn
Footprint = Callable[[Splats, int, int, int], tuple[slice, slice, Doubles]]


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
    splats = project_reference(gaussians, camera, width, height)
    blend = blend_reference(splats, width, height)
    importance = np.zeros(len(gaussians))
    np.add.at(importance, splats.index, blend.weights)
    return ReferenceRender(over(blend, background), blend.transmittance, importance)


def over(blend: Blend, background: tuple[float, float, float]) -> Doubles:
    """[H, W, 3] the light and what shows through of the background."""
    return blend.light + blend.transmittance[..., None] * np.asarray(background, np.float64)


def gaussian_footprint(splats: Splats, i: int, width: int, height: int) -> tuple[slice, slice, Doubles]:
    """The alpha of splat `i` as 3DGS draws it."""
    rows, columns, square = squared_deviations(splats, i, width, height)
    alpha = np.minimum(MAX_ALPHA, splats.opacities[i] * np.exp(-0.5 * square))
    return rows, columns, np.where(alpha < MIN_ALPHA, 0, alpha)


def blend_reference(
    splats: Splats, width: int, height: int, footprint: Footprint = gaussian_footprint, least: float = MIN_TRANSMITTANCE
) -> Blend:
    """Front to back, each pixel until the next splat would take its transmittance under `least`."""
    light = np.zeros((height, width, 3))
    transmittance = np.ones((height, width))
    finished = np.zeros((height, width), bool)
    weights = np.zeros(len(splats.index))
    for i in range(len(splats.index)):
        rows, columns, alpha = footprint(splats, i, width, height)
        left = transmittance[rows, columns]
        done = finished[rows, columns]  # a view: what is written to it stays
        done |= (alpha > 0) & (left * (1 - alpha) < least)
        weight = np.where(done, 0, alpha * left)
        light[rows, columns] += weight[..., None] * splats.colours[i]
        transmittance[rows, columns] = np.where(done, left, left * (1 - alpha))
        weights[i] = weight.sum()
    return Blend(light, transmittance, weights)


def project_reference(
    gaussians: Gaussians, camera: Camera, width: int, height: int, settings: RenderSettings = AS_TRAINED
) -> Splats:
    """The Gaussians in front of the camera as 2D Gaussians, nearest first (EWA splatting, Zwicker et al. 2001)."""
    pose = np.asarray(camera.camera_from_world, np.float64)
    positions = gaussians.positions.astype(np.float64) @ pose[:3, :3].T + pose[:3, 3]
    depths = _depths(positions, camera)
    drawn = np.flatnonzero((depths > camera.near) & _wanted(gaussians, settings))
    index = drawn[np.argsort(depths[drawn], kind="stable")]
    gaussians, positions = gaussians.select(index), positions[index]

    axes = rotation_matrices(gaussians.rotations.astype(np.float64))
    axes *= settings.scale * np.exp(gaussians.log_scales.astype(np.float64))[:, None, :]
    flatten = jacobians(positions, camera, width, height) @ pose[:3, :3] @ axes  # [M, 2, 3]
    sharp = flatten @ flatten.transpose(0, 2, 1)
    covariances = sharp + DILATION * np.eye(2)

    opacities = _sigmoid(gaussians.opacity_logits)
    if gaussians.antialiased if settings.antialiased is None else settings.antialiased:
        opacities *= np.sqrt(np.maximum(np.linalg.det(sharp) / np.linalg.det(covariances), 0))

    means = image_points(positions, camera, width, height)
    colours = _colours(gaussians, camera, settings.sh_degree)
    splats = Splats(index, means, covariances, opacities, colours, depths[index])
    return _with_seam(splats, width) if camera.projection == "equirectangular" else splats


def sight_lines(gaussians: Gaussians, camera: Camera) -> Doubles:
    """[N, 3] unit vectors, world, along which light comes in from each Gaussian, turned away from the camera."""
    if camera.projection == "orthographic":
        return np.broadcast_to(camera.camera_from_world[2, :3], (len(gaussians), 3))
    directions = gaussians.positions - camera.position
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


def _sigmoid(logits: NDArray[np.floating]) -> Doubles:
    return 1 / (1 + np.exp(-logits.astype(np.float64)))


def _wanted(gaussians: Gaussians, settings: RenderSettings) -> NDArray[np.bool_]:
    """[N] False for what the settings leave out, wherever the camera is."""
    wanted = _sigmoid(gaussians.opacity_logits) >= settings.min_opacity
    if settings.crop is not None:
        above = gaussians.positions >= np.array(settings.crop.lowest)
        below = gaussians.positions <= np.array(settings.crop.highest)
        wanted &= (above & below).all(axis=1)
    return wanted


def _colours(gaussians: Gaussians, camera: Camera, sh_degree: int | None) -> Doubles:
    """[N, 3] spherical harmonics up to `sh_degree`, or as many as there are."""
    degree = gaussians.sh_degree if sh_degree is None else min(sh_degree, gaussians.sh_degree)
    basis = sh_basis(sight_lines(gaussians, camera), degree)
    sh = gaussians.sh[:, : sh_count(degree)].astype(np.float64)
    return np.maximum(np.einsum("mk,mkc->mc", basis, sh) + 0.5, 0)


def _with_seam(splats: Splats, width: int) -> Splats:
    """Each splat and its copy one picture width away, on the side that can reach the picture."""
    means = np.repeat(splats.means, 2, axis=0)
    means[1::2, 0] += np.where(splats.means[:, 0] > 0.5 * width, -width, width)
    opacities, depths = np.repeat(splats.opacities, 2), np.repeat(splats.depths, 2)
    covariances, colours = np.repeat(splats.covariances, 2, axis=0), np.repeat(splats.colours, 2, axis=0)
    return Splats(np.repeat(splats.index, 2), means, covariances, opacities, colours, depths)


def _depths(positions: Doubles, camera: Camera) -> Doubles:
    """[M] of camera-space positions [M, 3]: what Gaussians are sorted by and the near plane compares."""
    return np.linalg.norm(positions, axis=1) if camera.projection == "equirectangular" else positions[:, 2]


def image_points(positions: Doubles, camera: Camera, width: int, height: int) -> Doubles:
    """[M, 2] px, where the camera sees the camera-space positions [M, 3]."""
    fx, fy, cx, cy = camera.intrinsics(width, height)
    x, y, z = positions.T
    if camera.projection == "orthographic":
        plane = np.stack([x, y], axis=1)
    elif camera.projection == "equirectangular":
        plane = np.stack([np.arctan2(x, z), np.arcsin(y / np.linalg.norm(positions, axis=1))], axis=1)
    else:
        plane = positions[:, :2] / positions[:, 2:]
    return plane * [fx, fy] + [cx, cy]


def jacobians(positions: Doubles, camera: Camera, width: int, height: int) -> Doubles:
    """[M, 2, 3] derivatives of `image_points` by the positions [M, 3].

    Pinhole: taken inside the widened frustum (`FRUSTUM_MARGIN`); equirectangular: away from the poles (`POLE_SLOPE`).
    """
    fx, fy, _, _ = camera.intrinsics(width, height)
    if camera.projection == "orthographic":
        return np.broadcast_to(np.array([[fx, 0, 0], [0, fy, 0]]), (len(positions), 2, 3))
    if camera.projection == "equirectangular":
        return _equirectangular_jacobians(positions, fx, fy)
    return _pinhole_jacobians(positions, camera, width, height)


def _equirectangular_jacobians(positions: Doubles, fx: float, fy: float) -> Doubles:
    x, y, z = positions.T
    distance = np.linalg.norm(positions, axis=1)
    ground = np.hypot(x, z)
    with np.errstate(invalid="ignore"):
        east, north = np.where(ground > 0, np.array([x, z]) / ground, [[0.0], [1.0]])  # any direction at the pole
    across = fx / np.maximum(ground, POLE_SLOPE * distance)
    upward = fy / (distance * distance)
    longitude = [across * north, np.zeros_like(z), -across * east]
    latitude = [-upward * y * east, upward * ground, -upward * y * north]
    return np.moveaxis(np.array([longitude, latitude]), 2, 0)


def _pinhole_jacobians(positions: Doubles, camera: Camera, width: int, height: int) -> Doubles:
    fx, fy, _, _ = camera.intrinsics(width, height)
    z = positions[:, 2]
    low, high = camera.slopes(width, height)
    margin = FRUSTUM_MARGIN * 0.5 * (high - low)
    slope_x, slope_y = np.clip(positions[:, :2] / z[:, None], low - margin, high + margin).T
    zero = np.zeros_like(z)
    rows = [[fx / z, zero, -fx * slope_x / z], [zero, fy / z, -fy * slope_y / z]]
    return np.moveaxis(np.array(rows), 2, 0)


def reach_squared(opacity: float) -> float:
    """How many deviations from the centre alpha falls to 1/255, squared; 0 when it is never so much."""
    return 2 * np.log(max(opacity / MIN_ALPHA, 1))


def box(centre: Doubles, extent: Doubles, width: int, height: int) -> tuple[slice, slice]:
    """The rows and columns of the picture within `extent` [2] px of `centre` [2] px."""
    low = np.clip(np.floor(centre - extent), 0, [width, height]).astype(int)
    high = np.clip(np.ceil(centre + extent), 0, [width, height]).astype(int)
    return slice(low[1], high[1]), slice(low[0], high[0])


def offsets(centre: Doubles, rows: slice, columns: slice) -> tuple[Doubles, Doubles]:
    """dx [1, columns] and dy [rows, 1] px, from `centre` [2] to the middles of the pixels."""
    dx = np.arange(columns.start, columns.stop) + 0.5 - centre[0]
    dy = np.arange(rows.start, rows.stop) + 0.5 - centre[1]
    return dx[None, :], dy[:, None]


def squared_deviations(splats: Splats, i: int, width: int, height: int) -> tuple[slice, slice, Doubles]:
    """The rows and columns outside of which splat `i` is under 1/255, and there the squared distance in deviations."""
    extent = np.sqrt(reach_squared(splats.opacities[i]) * np.diag(splats.covariances[i]))
    rows, columns = box(splats.means[i], extent, width, height)
    dx, dy = offsets(splats.means[i], rows, columns)
    (a, b), (_, c) = np.linalg.inv(splats.covariances[i])
    return rows, columns, a * dx * dx + c * dy * dy + 2 * b * dx * dy

"""What is under the cursor, searched on the CPU: a surface, or the depth at which a ray has lost half its light."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from renderer.stage_renderer import StageRenderer
from renderer.surface_reference import trace
from scenes.cameras import Camera
from scenes.gaussians import Gaussians, rotation_matrices
from scenes.surface import NeuralSurface
from ui.heading import Vector

REACH = 3.33  # deviations: sqrt(2 ln 255), where the most opaque Gaussian falls to 1/255
FAINTEST = 0.05  # alpha of all Gaussians on the ray together; less is empty space
MEDIAN = 0.5  # transmittance at the surface


def ray_through(camera: Camera, pixel: tuple[float, float], width: int, height: int) -> tuple[Vector, Vector]:
    """Origin [3] and unit direction [3] in the world of the ray through a pixel position, x right and y down."""
    fx, fy, cx, cy = camera.intrinsics(width, height)
    across = np.array([(pixel[0] - cx) / fx, (pixel[1] - cy) / fy])
    start, ahead = np.zeros(3), np.array([*across, 1.0])
    if camera.projection == "orthographic":
        start, ahead = np.array([*across, 0.0]), np.array([0.0, 0.0, 1.0])
    elif camera.projection == "equirectangular":
        longitude, latitude = across
        level = np.cos(latitude)
        ahead = np.array([level * np.sin(longitude), np.sin(latitude), level * np.cos(longitude)])
    rotation = camera.camera_from_world[:3, :3]
    direction = ahead @ rotation
    return camera.position + start @ rotation, direction / np.linalg.norm(direction)


def pick(gaussians: Gaussians, camera: Camera, pixel: tuple[float, float], width: int, height: int) -> Vector | None:
    """[3] the point under `pixel` where half the light is lost, or the densest if never half; None in empty space.

    Each Gaussian counts with its alpha at the ray's nearest approach, in its own metric.
    """
    origin, direction = ray_through(camera, pixel, width, height)
    near = _near_the_ray(gaussians, origin, direction)
    depth, alpha = _approach(gaussians.select(near), origin, direction)
    # Equirectangular depth is the distance, as it is along the ray.
    slope = 1.0 if camera.projection == "equirectangular" else float(camera.camera_from_world[2, :3] @ direction)
    seen = depth * slope > camera.near
    order = np.argsort(depth[seen])
    depth, alpha = depth[seen][order], alpha[seen][order]
    transmittance = np.cumprod(1 - alpha)
    if not len(alpha) or 1 - transmittance[-1] < FAINTEST:
        return None
    weights = alpha * np.concatenate([[1.0], transmittance[:-1]])
    surface = np.argmax(transmittance <= MEDIAN) if transmittance[-1] <= MEDIAN else np.argmax(weights)
    return origin + depth[surface] * direction


def pick_surface(
    surface: NeuralSurface, camera: Camera, pixel: tuple[float, float], width: int, height: int
) -> Vector | None:
    """[3] the point of the surface under `pixel`; None where there is none."""
    origin, direction = ray_through(camera, pixel, width, height)
    slope = 1.0 if camera.projection == "equirectangular" else float(camera.camera_from_world[2, :3] @ direction)
    hits = trace(surface, origin[None], direction[None], start=camera.near / slope)
    return hits.points[0] if hits.hit[0] else None


def pick_stage(
    stage: StageRenderer, camera: Camera, pixel: tuple[float, float], width: int, height: int
) -> tuple[int, Vector] | None:
    """What of a stage is under `pixel`, and the point [3]: see `StageRenderer.pick`."""
    origin, direction = ray_through(camera, pixel, width, height)
    slope = 1.0 if camera.projection == "equirectangular" else float(camera.camera_from_world[2, :3] @ direction)
    return stage.pick(origin, direction, camera.near / slope)


def _near_the_ray(gaussians: Gaussians, origin: Vector, direction: Vector) -> NDArray[np.intp]:
    """Indices of the Gaussians whose ball of `REACH` deviations the ray's line touches."""
    offset = gaussians.positions - origin.astype(np.float32)
    along = offset @ direction.astype(np.float32)
    squared = np.maximum(np.einsum("ni,ni->n", offset, offset) - along**2, 0)
    with np.errstate(over="ignore"):
        reach = np.float32(REACH) * np.exp(gaussians.log_scales.max(axis=1))
        return np.flatnonzero(squared <= reach**2)


def _approach(gaussians: Gaussians, origin: Vector, direction: Vector) -> tuple[Vector, Vector]:
    """Depth [M] along the ray of the least Mahalanobis distance to each Gaussian, and alpha [M] there."""
    rotations = rotation_matrices(gaussians.rotations.astype(np.float64))  # world from axes
    scales = np.exp(np.clip(gaussians.log_scales.astype(np.float64), -30, 30))
    offset = np.einsum("nij,ni->nj", rotations, gaussians.positions - origin) / scales
    unit = np.einsum("nij,i->nj", rotations, direction) / scales
    depth = np.einsum("ni,ni->n", offset, unit) / np.einsum("ni,ni->n", unit, unit)
    miss = offset - depth[:, None] * unit
    opacity = 1 / (1 + np.exp(-np.clip(gaussians.opacity_logits.astype(np.float64), -50, 50)))
    return depth, np.minimum(opacity * np.exp(-0.5 * np.einsum("ni,ni->n", miss, miss)), 0.99)

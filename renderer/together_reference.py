"""Gaussians and a neural surface in one picture, in numpy: the twin of `renderer/together.py`.

A Gaussian counts in a pixel while its centre is nearer than the surface there; the surface shows with the transmittance
that is left.
"""

from __future__ import annotations

import numpy as np

from renderer.accumulation import composed
from renderer.camera_rays import camera_rays
from renderer.reference import Doubles, Footprint, Splats, blend_reference, gaussian_footprint, project_reference
from renderer.scene_settings import SceneSettings
from renderer.surface_views import jitters, sample_reference
from scenes.cameras import Camera
from scenes.gaussians import Floats, Gaussians
from scenes.surface import NeuralSurface


def render_together(
    gaussians: Gaussians, surface: NeuralSurface, camera: Camera, width: int, height: int, settings: SceneSettings
) -> Floats:
    """[H, W, 3] the picture of the settings, over their background; of Gaussians in the colour view."""
    splats = project_reference(gaussians, camera, width, height, settings.gaussians)
    total = np.zeros((height, width, 4))
    for jitter in jitters(settings.samples):
        rays = camera_rays(camera, width, height, jitter)
        behind, depth = sample_reference(surface, camera, (width, height), rays, settings.surface)
        front = blend_reference(splats, width, height, before(depth.reshape(height, width)))
        seen = np.concatenate([front.light, 1 - front.transmittance[..., None]], axis=2)
        total += seen + front.transmittance[..., None] * behind.reshape(height, width, 4)
    return composed((total / settings.samples).astype(np.float32), settings.gaussians)


def before(depth: Doubles) -> Footprint:
    """Splats as 3DGS draws them, but not where their centres are at `depth` [H, W] or beyond."""

    def footprint(splats: Splats, i: int, width: int, height: int) -> tuple[slice, slice, Doubles]:
        rows, columns, alpha = gaussian_footprint(splats, i, width, height)
        return rows, columns, np.where(splats.depths[i] < depth[rows, columns], alpha, 0)

    return footprint

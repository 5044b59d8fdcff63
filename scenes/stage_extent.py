"""Where a scene to be lit is, and its things: balls around them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from scenes.extent import Extent, scene_extent
from scenes.framing import framing
from scenes.scene_file import (
    Box,
    GaussianScene,
    MeshObject,
    Plane,
    RectangleLight,
    SceneObject,
    Sphere,
    SphereLight,
    Surface,
    matrix_of,
)
from scenes.stage import Stage
from scenes.surface_extent import surface_extent

Ball = tuple[NDArray[np.float64], float]  # centre [3] and radius


def stage_extent(stage: Stage) -> Extent:
    """The ball around everything that ends somewhere; around the origin if nothing does. Up as the scene says."""
    up = np.array(stage.scene.up) / np.linalg.norm(stage.scene.up)
    balls = [ball for thing in stage.scene.objects if (ball := _ball(stage, thing)) is not None]
    if not balls:
        return Extent(np.zeros(3), 1.0, up)
    whole = Extent(*balls[0], up)
    for centre, radius in balls[1:]:
        whole = around(whole, Extent(centre, radius, up))
    return whole


def around(a: Extent, b: Extent) -> Extent:
    """The smallest ball around two; up as in `a`."""
    apart = b.centre - a.centre
    distance = float(np.linalg.norm(apart))
    if distance + b.radius <= a.radius:
        return a
    if distance + a.radius <= b.radius:
        return replace(b, up=a.up)
    radius = 0.5 * (distance + a.radius + b.radius)
    return Extent(a.centre + apart * (radius - a.radius) / distance, radius, a.up)


def _ball(stage: Stage, thing: SceneObject) -> Ball | None:
    """Around a thing, in the world; None for a plane."""
    if isinstance(thing, Plane):
        return None
    centre, radius = own_ball(stage, thing)
    world = matrix_of(thing.transform)
    return world[:3, :3] @ centre + world[:3, 3], radius * float(np.linalg.norm(world[:3, :3], axis=0).max())


def own_ball(
    stage: Stage, thing: Surface | GaussianScene | Sphere | Box | MeshObject | RectangleLight | SphereLight
) -> Ball:
    """Around a thing, in its own frame."""
    if isinstance(thing, Sphere):
        return np.zeros(3), thing.radius
    if isinstance(thing, SphereLight):
        return np.zeros(3), 1.0
    if isinstance(thing, RectangleLight):
        return np.zeros(3), 0.5 * float(np.linalg.norm(thing.size))
    if isinstance(thing, Box):
        return np.zeros(3), 0.5 * float(np.linalg.norm(thing.size))
    if isinstance(thing, MeshObject):
        corners = stage.meshes[thing.file].corners.reshape(-1, 3)
        centre = 0.5 * (corners.min(axis=0) + corners.max(axis=0))
        return centre, float(np.linalg.norm(corners - centre, axis=1).max())
    if isinstance(thing, Surface):
        extent = surface_extent(stage.surfaces[thing.file])
    else:
        gaussians = stage.gaussians[thing.file].gaussians
        extent = framing(gaussians, scene_extent(gaussians))
    return extent.centre, extent.radius

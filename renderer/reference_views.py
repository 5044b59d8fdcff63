"""Every view and switch of `RenderSettings` in numpy: slow, obvious, float64. The twin of the OpenGL renderer's views.

The projection, and with it the cameras and the switches, is that of `renderer/reference.py`. What a view shows is said
in `renderer/settings.py`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from renderer.reference import (
    MIN_ALPHA,
    Doubles,
    Splats,
    blend_reference,
    box,
    gaussian_footprint,
    offsets,
    over,
    project_reference,
    reach_squared,
    sight_lines,
    squared_deviations,
)
from renderer.settings import POINT_RADIUS, RING_ALPHA, RING_FILL, RING_INNER, RenderSettings, cluster_colour
from scenes.cameras import Camera
from scenes.gaussians import Gaussians, rotation_matrices

LUMINANCE = (0.2126, 0.7152, 0.0722)  # of linear RGB with the primaries of BT.709
SHADOW = 0.35  # the clusters view keeps this much of a cluster's colour where the scene is black

BLACK = (0.0, 0.0, 0.0)


def render_view_reference(
    gaussians: Gaussians,
    camera: Camera,
    width: int,
    height: int,
    settings: RenderSettings,
    clusters: NDArray[np.integer] | None = None,
) -> Doubles:
    """The picture [height, width, 3] of `settings.view`, the colour-like ones before any clipping to [0, 1].

    `clusters` [N] are the cluster of each Gaussian, all 0 when not given.
    """
    splats = project_reference(gaussians, camera, width, height, settings)
    if settings.view == "overdraw":
        return _grey(overdraw(splats, width, height) / settings.overdraw_range)
    if settings.view == "depth":
        return _depth(splats, width, height, settings)
    if settings.view == "points":
        splats = _select(splats, splats.opacities > MIN_ALPHA)
        return over(blend_reference(splats, width, height, disc_footprint, 0), settings.background)
    if settings.view == "rings":
        return over(blend_reference(splats, width, height, ring_footprint, 0), settings.background)
    splats = replace(splats, colours=_view_colours(gaussians, camera, splats, settings.view, clusters))
    return over(blend_reference(splats, width, height), BLACK if settings.view == "alpha" else settings.background)


def overdraw(splats: Splats, width: int, height: int) -> Doubles:
    """[height, width] how many splats have an alpha of at least 1/255 there, hidden ones too."""
    count = np.zeros((height, width))
    for i in range(len(splats.index)):
        rows, columns, alpha = gaussian_footprint(splats, i, width, height)
        count[rows, columns] += alpha > 0
    return count


def normals(gaussians: Gaussians, camera: Camera) -> Doubles:
    """[N, 3] unit vectors, world, along the shortest axis of each Gaussian, the first of equals, facing the camera."""
    shortest = gaussians.log_scales.argmin(axis=1)
    axes = rotation_matrices(gaussians.rotations.astype(np.float64))
    normal = np.take_along_axis(axes, shortest[:, None, None], axis=2)[..., 0]  # the matrix's columns are the axes
    away = (normal * sight_lines(gaussians, camera)).sum(axis=1) > 0
    return np.where(away[:, None], -normal, normal)


def disc_footprint(splats: Splats, i: int, width: int, height: int) -> tuple[slice, slice, Doubles]:
    """An opaque disc of `POINT_RADIUS` px."""
    rows, columns = box(splats.means[i], np.full(2, POINT_RADIUS), width, height)
    dx, dy = offsets(splats.means[i], rows, columns)
    return rows, columns, (dx * dx + dy * dy <= POINT_RADIUS**2).astype(np.float64)


def ring_footprint(splats: Splats, i: int, width: int, height: int) -> tuple[slice, slice, Doubles]:
    """A band along the ellipse where alpha falls to 1/255, and a faint filling."""
    rows, columns, square = squared_deviations(splats, i, width, height)
    reach = reach_squared(splats.opacities[i])
    alpha = np.where(square >= RING_INNER**2 * reach, RING_ALPHA, RING_FILL)
    return rows, columns, np.where((square > reach) | (reach == 0), 0, alpha)


def _view_colours(
    gaussians: Gaussians, camera: Camera, splats: Splats, view: str, clusters: NDArray[np.integer] | None
) -> Doubles:
    """[M, 3] what each splat is painted with in the views that blend as the colour view does."""
    if view == "alpha":
        return np.ones_like(splats.colours)
    if view == "normal":
        return 0.5 + 0.5 * normals(gaussians, camera)[splats.index]
    if view == "clusters":
        numbers = np.zeros(len(gaussians), np.int64) if clusters is None else clusters
        hues = np.array([cluster_colour(int(number)) for number in numbers[splats.index]]).reshape(-1, 3)
        luminance = np.clip(splats.colours @ LUMINANCE, 0, 1)
        return hues * (SHADOW + (1 - SHADOW) * luminance[:, None])
    return splats.colours


def _depth(splats: Splats, width: int, height: int, settings: RenderSettings) -> Doubles:
    """[H, W, 3] the mean of the depths by weight, scaled to the range, and the background where nothing is."""
    low, high = settings.depth_range
    greys = (splats.depths - low) * (1 / (high - low) if high != low else 0)  # a range of nothing is black
    blend = blend_reference(replace(splats, colours=np.tile(greys[:, None], 3)), width, height)
    coverage = 1 - blend.transmittance[..., None]
    mean = np.clip(blend.light / np.where(coverage > 0, coverage, 1), 0, 1)
    return np.where(coverage > 0, mean, np.asarray(settings.background, np.float64))


def _grey(values: Doubles) -> Doubles:
    """[H, W, 3] clipped to [0, 1]."""
    return np.repeat(np.clip(values, 0, 1)[..., None], 3, axis=2)


def _select(splats: Splats, kept: NDArray[np.bool_]) -> Splats:
    return Splats(*(array[kept] for array in vars(splats).values()))

"""What the views of a neural surface paint, in numpy: the twin of `shaders/surface_view.comp`, and its constants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from renderer.camera_rays import Rays, camera_rays
from renderer.reference_views import SHADOW
from renderer.settings import cluster_colour
from renderer.surface_reference import Hits, sample_distance, trace, within_cells
from renderer.surface_settings import SurfaceSettings
from scenes.cameras import Camera
from scenes.gaussians import Floats
from scenes.surface import EMPTY, NeuralSurface

AMBIENT = 0.15  # of the material, where the surface is seen edge on
COST_COLOURS = ((0.05, 0.05, 0.3), (0.1, 0.4, 0.9), (0.1, 0.75, 0.4), (0.95, 0.85, 0.2), (0.85, 0.1, 0.1))
SLICE_OUTSIDE, SLICE_INSIDE = (0.2, 0.45, 0.85), (0.95, 0.55, 0.15)  # where the distance is `SLICE_REACH`
SLICE_EMPTY, SLICE_NEAR, SLICE_LINE = (0.4, 0.4, 0.4), (0.97, 0.97, 0.97), (0.1, 0.1, 0.1)
SLICE_REACH = 1.5  # cell edges
LINE_WIDTH, ZERO_WIDTH = 0.6, 1.5  # px to each side of a line, and of the one where the distance is 0

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class SurfacePicture:
    """A picture, and what the rays through the middles of its pixels met: see `Hits`."""

    rgba: Floats  # [H, W, 4] premultiplied; all samples averaged
    depth: Floats  # [H, W] world units, z along the view axis (equirectangular: the distance); inf where nothing is
    distance: Floats  # [H, W] the same along the rays
    normals: Floats  # [H, W, 3]
    network: NDArray[np.int32]  # [H, W]
    evaluations: NDArray[np.int32]  # [H, W] of all samples


def render_reference(
    surface: NeuralSurface, camera: Camera, width: int, height: int, settings: SurfaceSettings
) -> SurfacePicture:
    """The picture of `settings.view` from `camera`."""
    total, evaluations = np.zeros((height * width, 4)), np.zeros(height * width, np.int32)
    first: tuple[Rays, Hits] | None = None
    for jitter in jitters(settings.samples):
        rays = camera_rays(camera, width, height, jitter)
        hits = trace(surface, rays.origins, rays.directions, settings.march, rays.start)
        total += _painted(surface, camera, (width, height), rays, hits, settings)
        evaluations += hits.evaluations
        first = first or (rays, hits)
    assert first is not None  # there is always a sample
    rays, hits = first
    shape = height, width
    rgba = total / settings.samples
    if settings.view == "cost":
        rgba = _opaque(cost_colours(evaluations / settings.samples, settings.cost_range))
    return SurfacePicture(
        rgba=rgba.reshape(*shape, 4).astype(np.float32),
        depth=(hits.distance * rays.z).reshape(shape).astype(np.float32),
        distance=hits.distance.reshape(shape).astype(np.float32),
        normals=hits.normals.reshape(*shape, 3),
        network=hits.network.reshape(shape),
        evaluations=evaluations.reshape(shape),
    )


def sample_reference(
    surface: NeuralSurface, camera: Camera, size: tuple[int, int], rays: Rays, settings: SurfaceSettings
) -> tuple[NDArray[np.floating], NDArray[np.float64]]:
    """[N, 4] premultiplied colours and [N] depths (inf: nothing is hit) of one sample by itself."""
    if settings.view == "slice":
        t, inside = _on_plane(surface, rays, settings)
        return _sliced(surface, camera, size, rays, settings), np.where(inside, t * rays.z, np.inf)
    hits = trace(surface, rays.origins, rays.directions, settings.march, rays.start)
    if settings.view == "cost":
        painted = _opaque(cost_colours(hits.evaluations.astype(np.float64), settings.cost_range))
    else:
        painted = _painted(surface, camera, size, rays, hits, settings)
    return painted, hits.distance * rays.z


def jitters(samples: int) -> list[tuple[float, float]]:
    """Offsets in pixels, -0.5 to 0.5: the middle of the pixel, then Halton's sequence of bases 2 and 3."""
    return [(0.0, 0.0)] + [(_halton(i, 2) - 0.5, _halton(i, 3) - 0.5) for i in range(1, samples)]


def _halton(i: int, base: int) -> float:
    share, place = 0.0, 1.0
    while i:
        i, digit = divmod(i, base)
        place /= base
        share += place * digit
    return share


def cost_colours(evaluations: NDArray[np.floating], cost_range: float) -> NDArray[np.floating]:
    """[N, 3] `COST_COLOURS`, evenly spaced from 0 to `cost_range`."""
    place = np.clip(evaluations / cost_range, 0, 1) * (len(COST_COLOURS) - 1)
    return np.stack([np.interp(place, range(len(COST_COLOURS)), c) for c in zip(*COST_COLOURS, strict=True)], axis=-1)


def box_depths(surface: NeuralSurface, camera: Camera) -> tuple[float, float]:
    """Depths of the nearest and of the farthest corner of the grid's box, no less than 0."""
    low, high = np.asarray(surface.grid.origin), surface.grid.corner
    corners = np.stack(np.meshgrid(*np.stack([low, high], axis=1)), axis=-1).reshape(-1, 3)
    seen = corners @ camera.camera_from_world[:3, :3].T + camera.camera_from_world[:3, 3]
    depths = np.linalg.norm(seen, axis=1) if camera.projection == "equirectangular" else seen[:, 2]
    return max(float(depths.min()), 0.0), max(float(depths.max()), 0.0)


def slice_plane(surface: NeuralSurface, settings: SurfaceSettings) -> tuple[NDArray[np.float64], float]:
    """The unit normal [3] and the offset of the plane of the slice view, world units."""
    normal = np.asarray(settings.slice.normal, np.float64)
    length = float(np.linalg.norm(normal))
    middle = 0.5 * (np.asarray(surface.grid.origin) + surface.grid.corner)
    offset = settings.slice.offset
    return normal / length, float(middle @ normal) / length if offset is None else offset / length


def _painted(
    surface: NeuralSurface, camera: Camera, size: tuple[int, int], rays: Rays, hits: Hits, settings: SurfaceSettings
) -> NDArray[np.float64]:
    """[N, 4] of one sample; the cost view is painted when all are known."""
    if settings.view == "slice":
        return _sliced(surface, camera, size, rays, settings)
    rgba = np.zeros((len(hits.hit), 4))
    hit = hits.hit
    rgba[hit] = _opaque(_hit_colours(surface, camera, rays, hits, settings))
    return rgba


def _hit_colours(
    surface: NeuralSurface, camera: Camera, rays: Rays, hits: Hits, settings: SurfaceSettings
) -> NDArray[np.floating]:
    """[n, 3] of the rays that hit."""
    hit = hits.hit
    normals, directions = hits.normals[hit], rays.directions[hit]
    light = AMBIENT + (1 - AMBIENT) * np.abs((normals * directions).sum(axis=1, keepdims=True))
    if settings.view == "normal":
        return 0.5 + 0.5 * normals
    if settings.view == "depth":
        low, high = settings.depth_range or box_depths(surface, camera)
        depth = (hits.distance * rays.z)[hit]
        grey = np.clip((depth - low) * (1 / (high - low) if high != low else 0), 0, 1)
        return np.repeat(grey[:, None], 3, axis=1)
    if settings.view == "cells":
        hues = np.array([cluster_colour(int(network)) for network in hits.network[hit]]).reshape(-1, 3)
        return hues * (SHADOW + (1 - SHADOW) * light)
    if surface.appearance is None or settings.headlight:
        return np.asarray(settings.material) * light
    return surface.colour(hits.points[hit].astype(np.float32), normals, directions.astype(np.float32))


def _opaque(colours: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.concatenate([colours, np.ones((len(colours), 1))], axis=1)


def _sliced(
    surface: NeuralSurface, camera: Camera, size: tuple[int, int], rays: Rays, settings: SurfaceSettings
) -> NDArray[np.float64]:
    t, inside = _on_plane(surface, rays, settings)
    places = (rays.origins + t[:, None] * rays.directions - surface.grid.origin) / surface.grid.edge
    size_of_grid = np.array(surface.grid.size)
    occupied = inside.copy()
    occupied[inside] = surface.networks[tuple(np.floor(places[inside]).astype(int).T)] != EMPTY
    rgba = np.zeros((len(t), 4))
    rgba[inside] = (*SLICE_EMPTY, 1)
    distance, _ = sample_distance(surface, within_cells(places[occupied], size_of_grid))
    # what a pixel is wide there, in cell edges
    _, fy, _, _ = camera.intrinsics(*size)
    away = np.ones_like(t) if camera.projection == "orthographic" else t * rays.z
    pixel = (away / fy / surface.grid.edge)[occupied]
    rgba[occupied] = _opaque(slice_colours(distance, pixel, settings.slice.spacing))
    return rgba


def _on_plane(surface: NeuralSurface, rays: Rays, settings: SurfaceSettings) -> tuple[NDArray[np.float64], Bools]:
    """[N] how far along the rays the plane of the slice is, world units, and whether that is seen and in the box."""
    normal, offset = slice_plane(surface, settings)
    slope = rays.directions @ normal
    t = (offset - rays.origins @ normal) / np.where(slope == 0, 1, slope)
    places = (rays.origins + t[:, None] * rays.directions - surface.grid.origin) / surface.grid.edge
    within = ((places >= 0) & (places < np.array(surface.grid.size))).all(axis=1)
    return t, (slope != 0) & (t > rays.start) & within


def slice_colours(distance: NDArray[np.floating], pixel: NDArray[np.floating], spacing: float) -> NDArray[np.floating]:
    """[N, 3] of signed distances [N] where a pixel is `pixel` [N] wide, all in cell edges."""
    share = np.minimum(np.abs(distance) / SLICE_REACH, 1)[:, None]
    far = np.where(distance[:, None] < 0, SLICE_INSIDE, SLICE_OUTSIDE)
    colours = (1 - share) * SLICE_NEAR + share * far
    to_line = np.abs(distance - spacing * np.round(distance / spacing))
    on_line = (to_line < LINE_WIDTH * pixel) | (np.abs(distance) < ZERO_WIDTH * pixel)
    return np.where(on_line[:, None], SLICE_LINE, colours)

"""A texture of a neural surface: its mesh cut into charts on a plane, and the colour of the surface at every texel.

Charts and their places come from xatlas (J. Young, MIT). A texel's middle lies in a triangle of the mesh; from there it
is moved onto the surface, whose appearance network is asked for the colour seen head-on. So the texture has the
surface's detail, however few triangles there are. Texels around a chart repeat its rim, for filters that look across.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import xatlas
from numpy.typing import NDArray

from scenes.gaussians import Floats
from scenes.progress import Progress, silent
from scenes.surface_mesh_field import NearField
from scenes.triangle_mesh import Doubles, Indices, Mesh

PADDING = 4  # texels between charts
GUTTER = 8  # texels around a chart that repeat its rim
REACH = 0.25  # cell edges a texel may be moved from its triangle onto the surface
CANDIDATES = 1 << 21  # texels of triangles' boxes at a time
EDGE = 1e-6  # barycentric: texels on the border of two triangles are in both, not in none


@dataclass(frozen=True)
class Charts:
    """The mesh on a plane: W vertices, those on seams more than once, and the same F faces."""

    vertex: Indices  # [W] the vertex each is a copy of
    faces: Indices  # [F, 3] into these
    uv: Doubles  # [W, 2] in [0, 1], u to the right, v up


@dataclass(frozen=True)
class Texture:
    """A picture, and where the mesh lies on it."""

    charts: Charts
    picture: NDArray[np.uint8]  # [T, T, 3] sRGB, top row first
    covered: float  # share of texels that lie on the mesh


class Texels(NamedTuple):
    """Texels whose middles lie in triangles."""

    row: Indices  # [n] in the picture, flat
    face: Indices  # [n]
    barycentric: Doubles  # [n, 3]


def unwrapped(shape: Mesh, normals: Floats, side: int) -> Charts:
    """`shape` cut into charts, placed for a picture of `side` pixels."""
    atlas = xatlas.Atlas()
    atlas.add_mesh(shape.vertices.astype(np.float32), shape.faces.astype(np.uint32), normals)
    packing = xatlas.PackOptions()
    packing.resolution, packing.padding, packing.bilinear = side, PADDING, True
    atlas.generate(xatlas.ChartOptions(), packing)
    vertex, faces, uv = atlas[0]
    # charts may touch the picture's border, where a filter would find the other side of it
    rim = 0.5 * PADDING / side
    return Charts(
        vertex.astype(np.int64), faces.astype(np.int64), rim + (1 - 2 * rim) * np.clip(uv.astype(np.float64), 0, 1)
    )


def baked(near: NearField, shape: Mesh, charts: Charts, side: int, progress: Progress = silent) -> Texture:
    """The texture of `side` pixels."""
    picture, filled = np.zeros((side * side, 3), np.uint8), np.zeros(side * side, np.bool_)
    reach, done = REACH * near.surface.grid.edge, 0
    for texels, stop in texels_of(charts, side):
        # the corners' places by the faces of the charts, whose corners may be in another order
        corners = shape.vertices[charts.vertex[charts.faces[texels.face]]]
        points, normals = near.onto(np.einsum("nc,ncd->nd", texels.barycentric, corners), reach, 1)
        colours = near.colour(points, normals)
        picture[texels.row] = np.rint(255 * np.clip(colours, 0, 1))
        filled[texels.row] = True
        done = stop
        progress(done / len(charts.faces))
    covered = float(filled.mean())
    return Texture(charts, _spread(picture.reshape(side, side, 3), filled.reshape(side, side)), covered)


def texels_of(charts: Charts, side: int) -> Iterator[tuple[Texels, int]]:
    """The texels of some faces at a time, and the face after the last of these."""
    corners = charts.uv[charts.faces] * [side, -side] + [-0.5, side - 0.5]  # [F, 3, 2] in texels' middles, y down
    low = np.clip(np.ceil(corners.min(axis=1) - EDGE), 0, side).astype(np.int64)
    high = np.clip(np.floor(corners.max(axis=1) + EDGE) + 1, 0, side).astype(np.int64)
    size = np.maximum(high - low, 0)
    ends = np.cumsum(size.prod(axis=1))
    first = 0
    while first < len(corners):
        before = ends[first - 1] if first else 0
        stop = max(int(np.searchsorted(ends, before + CANDIDATES, side="right")), first + 1)
        yield _texels(corners, low, size, np.arange(first, stop), side), stop
        first = stop


def _texels(corners: Doubles, low: Indices, size: Indices, faces: Indices, side: int) -> Texels:
    """Those of `faces`, out of all in the triangles' boxes."""
    count = size[faces].prod(axis=1)
    face = np.repeat(faces, count)
    number = np.arange(len(face)) - np.repeat(np.cumsum(count) - count, count)
    x = low[face, 0] + number % size[face, 0]
    y = low[face, 1] + number // size[face, 0]
    barycentric = _barycentric(corners[face], np.stack([x, y], axis=1))
    inside = (barycentric >= -EDGE).all(axis=1)
    return Texels((y * side + x)[inside], face[inside], barycentric[inside])


def _barycentric(triangles: Doubles, points: Indices) -> Doubles:
    """[n, 3] of `points` [n, 2] in `triangles` [n, 3, 2]; of triangles without area one that is outside."""
    a, b, c = (triangles[:, i] - points for i in range(3))
    parts = np.stack([_cross(b, c), _cross(c, a), _cross(a, b)], axis=1)
    area = parts.sum(axis=1, keepdims=True)
    return np.where(area == 0, -1, parts / np.where(area == 0, 1, area))


def _cross(a: Doubles, b: Doubles) -> Doubles:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def _spread(picture: NDArray[np.uint8], filled: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """`picture` [T, T, 3] with rims repeated around them, and the mean colour elsewhere."""
    mean = np.rint(picture[filled].mean(axis=0)) if filled.any() else 0
    for _ in range(GUTTER):
        known = filled.copy()
        for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
            fresh = _shifted(known, axis, step) & ~filled
            picture[fresh] = _shifted(picture, axis, step)[fresh]
            filled |= fresh
    picture[~filled] = mean
    return picture


def _shifted(array: NDArray[np.generic], axis: int, step: int) -> NDArray:
    """`array` moved by one along `axis`, with zeros where nothing comes from."""
    moved = np.roll(array, step, axis)
    edge = 0 if step > 0 else -1
    moved[(slice(None),) * axis + (edge,)] = 0
    return moved

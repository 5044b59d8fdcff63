"""A mesh as teacher: robust signed distance (libigl), smooth normals, the mesh's own colours.

The sign comes from the fast winding number (Barill et al. 2018, "Fast winding numbers for soups and clouds"), so that
open and self-intersecting meshes have an inside too. Facets are smoothed only in their normals, as a renderer does:
normals are interpolated between corners, except across creases.
"""

from __future__ import annotations

from functools import cached_property

import igl
import numpy as np
from numpy.typing import NDArray

from scenes.gaussians import Floats
from scenes.meshes import Mesh

CREASE = 25.0  # degrees between faces from which an edge is sharp
FAN = 0.98  # cosine to the interpolated normal under which the foot lies on a sharp edge
BLOCK = 1 << 17  # points at a time


class MeshTeacher:
    """Distances to a mesh; see `fitting.kiloneus.teacher.Teacher`."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self._vertices = np.ascontiguousarray(mesh.vertices, np.float64)
        self._faces = np.ascontiguousarray(mesh.faces, np.int64)

    @property
    def coloured(self) -> bool:
        """Whether the mesh has colours of any kind."""
        return self.mesh.has_colour

    @property
    def view_dependent(self) -> bool:
        """Colours of a mesh are the same from everywhere."""
        return False

    @property
    def bounds(self) -> Floats:
        """[2, 3] the corners of the mesh's box."""
        return np.stack(self.mesh.box).astype(np.float32)

    @cached_property
    def corner_normals(self) -> NDArray[np.float64]:
        """[F, 3, 3] unit normals at the corners of faces, those of a degenerate face zero."""
        normals = igl.per_corner_normals(self._vertices, self._faces, CREASE)
        return np.nan_to_num(np.asarray(normals).reshape(-1, 3, 3))

    def distance(self, points: Floats) -> tuple[Floats, Floats]:
        """Signed distances [N] and unit gradients [N, 3] at `points` [N, 3]."""
        distances, gradients = np.empty(len(points), np.float32), np.empty((len(points), 3), np.float32)
        for first in range(0, len(points), BLOCK):
            rows = slice(first, first + BLOCK)
            distances[rows], gradients[rows] = self._block(points[rows].astype(np.float64))
        return distances, gradients

    def _block(self, points: NDArray[np.float64]) -> tuple[Floats, Floats]:
        signed, faces, feet = self.feet(points)
        smooth = self.normals(faces, feet)
        away = (points - feet) * np.sign(signed)[:, None]
        length = np.linalg.norm(away, axis=1, keepdims=True)
        away = np.where(length > 0, away / np.maximum(length, 1e-300), smooth)
        # a foot on a sharp edge has no one normal: there the gradient is the direction from the edge
        far = np.abs(signed) > 1e-6 * np.linalg.norm(np.subtract(*self.bounds))
        fanned = far & ((away * smooth).sum(axis=1) < FAN)
        gradient = np.where(fanned[:, None], away, smooth)
        return signed.astype(np.float32), gradient.astype(np.float32)

    def feet(self, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
        """Signed distances [N], nearest faces [N] and nearest points [N, 3] of the mesh."""
        kind = igl.SIGNED_DISTANCE_TYPE_FAST_WINDING_NUMBER
        signed, faces, feet, _ = igl.signed_distance(points, self._vertices, self._faces, sign_type=kind)
        # libigl multiplies by 1 - 2 * winding number, which is only about 1 or -1
        feet = np.asarray(feet)
        distances = np.linalg.norm(points - feet, axis=1)
        return np.where(np.asarray(signed) < 0, -distances, distances), np.asarray(faces, np.int64), feet

    def normals(self, faces: NDArray[np.int64], feet: NDArray[np.float64]) -> NDArray[np.float64]:
        """[N, 3] unit normals at points `feet` [N, 3] on `faces` [N], interpolated between the corners."""
        corners = self.corner_normals[faces]
        normals = (self.barycentric(faces, feet)[:, :, None] * corners).sum(axis=1)
        return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-300)

    def barycentric(self, faces: NDArray[np.int64], feet: NDArray[np.float64]) -> NDArray[np.float64]:
        """[N, 3] weights of the corners of `faces` [N] at points `feet` [N, 3] on them."""
        a, b, c = self._vertices[self._faces[faces]].transpose(1, 0, 2)
        u, v, w = b - a, c - a, feet - a
        uu, uv, vv = (u * u).sum(1), (u * v).sum(1), (v * v).sum(1)
        wu, wv = (w * u).sum(1), (w * v).sum(1)
        area = np.maximum(uu * vv - uv * uv, 1e-300)
        second, third = (vv * wu - uv * wv) / area, (uu * wv - uv * wu) / area
        weights = np.clip(np.stack([1 - second - third, second, third], axis=1), 0, 1)
        return weights / weights.sum(axis=1, keepdims=True)

    def colour(self, points: Floats, normals: Floats, directions: Floats) -> Floats:
        """RGB [N, 3] of the mesh at the feet of `points` [N, 3]; the same from every direction."""
        colours = np.empty((len(points), 3), np.float32)
        for first in range(0, len(points), BLOCK):
            rows = slice(first, first + BLOCK)
            _, faces, feet = self.feet(points[rows].astype(np.float64))
            found = self.mesh.colour_at(faces, self.barycentric(faces, feet))
            colours[rows] = 0.5 if found is None else found
        return colours

"""A triangle mesh: where its surface is, and of what colour.

Vertices are welded: no two are at the same place, so that edges say which triangles hang together. Whatever may differ
between triangles at the same vertex (texture coordinates, colours) belongs to the corners of triangles. Files are read
by `scenes/meshes.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from scenes.gaussians import Floats

Doubles = NDArray[np.float64]
Indices = NDArray[np.int64]
GREY = 0.5  # of parts without a colour in a mesh that has some


@dataclass(frozen=True)
class Paint:
    """What covers triangles: a colour, and a picture to multiply it with."""

    colour: tuple[float, float, float] = (1.0, 1.0, 1.0)  # linear light if `linear`, else as displayed (sRGB)
    picture: Floats | None = None  # [h, w, 3] sRGB in [0, 1], top row first; repeated beyond its edges
    linear: bool = False  # glTF: `colour` and the corners' colours multiply light, not sRGB values


@dataclass(frozen=True)
class Mesh:
    """V vertices and F triangles, seen counter-clockwise from outside."""

    vertices: Doubles  # [V, 3] no two the same, each used
    faces: Indices  # [F, 3] into vertices, three different ones
    corner_uv: Doubles | None = None  # [F, 3, 2] u to the right, v up, 0 to 1 across the picture
    corner_colours: Floats | None = None  # [F, 3, 3] in [0, 1], multiplied with the paint
    paints: tuple[Paint, ...] = ()
    face_paint: Indices | None = None  # [F] into paints; -1: neither paint nor corner colours; None: nothing has any
    notes: tuple[str, ...] = field(default=())  # what the file had and was left out, in words for the user

    @property
    def has_colour(self) -> bool:
        """Whether `colour_at` knows colours."""
        return self.face_paint is not None

    @property
    def corners(self) -> Doubles:
        """[F, 3, 3] the places of each triangle's corners."""
        return self.vertices[self.faces]

    @cached_property
    def box(self) -> tuple[Doubles, Doubles]:
        """The lowest and the highest corner, [3] each."""
        return self.vertices.min(axis=0), self.vertices.max(axis=0)

    @property
    def diagonal(self) -> float:
        """Of the bounding box."""
        return float(np.linalg.norm(self.box[1] - self.box[0]))

    @cached_property
    def closed(self) -> bool:
        """Whether it bounds a volume: every edge is walked as often one way as the other."""
        ends = self._edges()
        forward = np.where(ends[:, 0] < ends[:, 1], 1, -1)
        return not np.bincount(self._edge_numbers[0], weights=forward).any()

    @cached_property
    def manifold(self) -> bool:
        """Whether no edge has more than two triangles."""
        return bool(self._edge_numbers[1].max() <= 2)

    @cached_property
    def components(self) -> int:
        """How many parts share no vertex."""
        label, ends = np.arange(len(self.vertices)), self._edges()
        while True:  # the higher root of two that an edge joins comes under the lower, until no edge joins two
            roots = np.sort(label[ends], axis=1)
            ends = ends[roots[:, 0] != roots[:, 1]]
            if not len(ends):
                return int((label == np.arange(len(label))).sum())
            np.minimum.at(label, roots[:, 1], roots[:, 0])
            while (label[label] != label).any():
                label = label[label]

    @cached_property
    def volume(self) -> float:
        """Signed, and only meant if `closed`: below 0 where triangles face inwards."""
        a, b, c = np.moveaxis(self.corners - self.box[0], 1, 0)
        return float((np.cross(a, b) * c).sum() / 6)

    def _edges(self) -> Indices:
        """[3F, 2] the ends of the triangles' sides, in the order they are walked."""
        return self.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)

    @cached_property
    def _edge_numbers(self) -> tuple[Indices, Indices]:
        """[3F] which edge each side is, whichever way it is walked, and [E] how many sides are at each edge."""
        ends = np.sort(self._edges(), axis=1)
        _, number, count = np.unique(
            ends[:, 0] * len(self.vertices) + ends[:, 1], return_inverse=True, return_counts=True
        )
        return number.ravel(), count

    def colour_at(self, face: Indices, barycentric: Doubles) -> Floats | None:
        """RGB [N, 3] in [0, 1] at N points of triangles `face` [N], `barycentric` [N, 3] of their corners.

        As displayed (sRGB). None if the mesh has no colour at all; parts without one are mid-grey.
        """
        if self.face_paint is None:
            return None
        result = np.full((len(face), 3), GREY, np.float32)
        paint = self.face_paint[face]
        for index in np.unique(paint[paint >= 0]):
            rows = np.flatnonzero(paint == index)
            result[rows] = self._painted(self.paints[index], face[rows], barycentric[rows])
        return result

    def _painted(self, paint: Paint, face: Indices, barycentric: Doubles) -> Floats:
        colour = np.broadcast_to(np.asarray(paint.colour, np.float64), (len(face), 3))
        if self.corner_colours is not None:
            colour = colour * np.einsum("nc,ncd->nd", barycentric, self.corner_colours[face])
        if paint.picture is not None and self.corner_uv is not None:
            texel = sampled(paint.picture, np.einsum("nc,ncd->nd", barycentric, self.corner_uv[face]))
            colour = colour * (linear_of_srgb(texel) if paint.linear else texel)
        colour = np.clip(colour, 0, 1)
        return (srgb_of_linear(colour) if paint.linear else colour).astype(np.float32)


def welded(vertices: Doubles, faces: Indices) -> tuple[Doubles, Indices, NDArray[np.bool_]]:
    """Vertices [V, 3] at different places, faces [F, 3] into them, and which of the given faces [F0] these are.

    Vertices at exactly the same place become one, faces with the same vertex twice go, and then vertices without faces.
    Vertices keep the order of their first mention.
    """
    order = np.lexsort(vertices.T)
    fresh = np.concatenate([[True], (np.diff(vertices[order], axis=0) != 0).any(axis=1)])
    first = np.minimum.reduceat(order, np.flatnonzero(fresh)) if len(order) else order  # of each place's vertices
    by_mention = np.argsort(first)
    rank = np.empty_like(by_mention)
    rank[by_mention] = np.arange(len(by_mention))
    place = np.empty_like(order)
    place[order] = rank[np.cumsum(fresh[: len(order)]) - 1]
    places, faces = vertices[first[by_mention]], place[faces]
    proper = (faces != np.roll(faces, 1, axis=1)).all(axis=1)
    used, faces = np.unique(faces[proper], return_inverse=True)
    return places[used], faces.reshape(-1, 3).astype(np.int64), proper


def sampled(picture: Floats, uv: Doubles) -> Doubles:
    """[N, 3] of `picture` [h, w, 3] at `uv` [N, 2], bilinear between texel centres, repeated beyond the edges."""
    height, width = picture.shape[:2]
    x, y = uv[:, 0] * width - 0.5, (1 - uv[:, 1]) * height - 0.5
    left, top = np.floor(x), np.floor(y)
    across, down = (x - left)[:, None], (y - top)[:, None]
    columns = [(left + i).astype(np.int64) % width for i in (0, 1)]
    rows = [(top + i).astype(np.int64) % height for i in (0, 1)]
    upper, lower = ((1 - across) * picture[row, columns[0]] + across * picture[row, columns[1]] for row in rows)
    return (1 - down) * upper + down * lower


def linear_of_srgb(values: Doubles) -> Doubles:
    """Light of displayed values in [0, 1] (IEC 61966-2-1)."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def srgb_of_linear(values: Doubles) -> Doubles:
    """Displayed values of light in [0, 1]."""
    return np.where(values <= 0.0031308, values * 12.92, 1.055 * np.maximum(values, 0.0031308) ** (1 / 2.4) - 0.055)

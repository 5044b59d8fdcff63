"""Whether cameras look at something together, and where that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenes.photographs import Photograph

Doubles = NDArray[np.float64]
GRID = 5  # rays across a picture, and down it
INSET = 0.02  # of the picture: rays along its edges, but within
DISTANCES = np.geomspace(0.01, 1000, 24)  # from a camera, of the cameras' spread: neighbours that touch do so early
IN_FRONT = 0.9  # of the cameras, that must have the middle before them for it to be one


@dataclass(frozen=True)
class Sphere:
    """The ball an object lies in."""

    centre: tuple[float, float, float]  # world units
    radius: float


def positions(photographs: Sequence[Photograph]) -> Doubles:
    """[N, 3] where the cameras are."""
    return np.stack([photograph.camera.position for photograph in photographs])


def spread(places: Doubles) -> float:
    """The largest distance of cameras [N, 3] from their mean."""
    return float(np.linalg.norm(places - places.mean(axis=0), axis=1).max())


def see_together(photographs: Sequence[Photograph]) -> bool:
    """Whether some place is in the pictures of at least two.

    Tried are the point nearest to all optical axes, and points along a grid of rays of each camera. Captures that look
    at an object find one at once; only where none is found is every camera asked.
    """
    scale = spread(positions(photographs)) or 1.0
    middle = look_at(photographs)
    if middle is not None and _witnesses(photographs, middle[None])[0] >= 2:
        return True
    return any((_witnesses(photographs, _tried(photograph, scale)) >= 2).any() for photograph in photographs)


def look_at(photographs: Sequence[Photograph]) -> Doubles | None:
    """[3] the point nearest to all optical axes, by least squares; None if they are parallel."""
    places = positions(photographs)
    axes = np.stack([photograph.camera.camera_from_world[2, :3] for photograph in photographs])
    across = np.eye(3) - axes[:, :, None] * axes[:, None, :]  # [N, 3, 3] takes the part at right angles to an axis
    matrix, right = across.sum(axis=0), np.einsum("nij,nj->i", across, places)
    if np.linalg.cond(matrix) > 1e6:
        return None
    return np.linalg.solve(matrix, right)


def visible_sphere(photographs: Sequence[Photograph]) -> Sphere | None:
    """The sphere around `look_at` that the median camera sees whole.

    None where fewer than nine in ten cameras have that point in their pictures: then they do not look at one object.
    """
    middle = look_at(photographs)
    if middle is None or _witnesses(photographs, middle[None])[0] < IN_FRONT * len(photographs):
        return None
    x, y, z = middle.tolist()
    return Sphere((x, y, z), float(np.median([_radius(photograph, middle) for photograph in photographs])))


def _radius(photograph: Photograph, middle: Doubles) -> float:
    """Of the largest sphere around `middle` that is whole in the picture, by the planes through its edges."""
    camera = photograph.camera
    x, y, z = camera.camera_from_world[:3, :3] @ middle + camera.camera_from_world[:3, 3]
    low, high = camera.slopes(photograph.width, photograph.height)
    sides = [(x - low[0] * z, low[0]), (high[0] * z - x, high[0]), (y - low[1] * z, low[1]), (high[1] * z - y, high[1])]
    return max(min(float(side / np.hypot(1, slope)) for side, slope in sides), 0.0)


def _tried(photograph: Photograph, scale: float) -> Doubles:
    """[n, 3] points along a grid of the camera's rays."""
    share = np.linspace(INSET, 1 - INSET, GRID)
    fx, fy, cx, cy = photograph.camera.intrinsics(photograph.width, photograph.height)
    x, y = (share * photograph.width - cx) / fx, (share * photograph.height - cy) / fy
    directions = photograph.lens.directions(np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2))
    directions = directions[np.isfinite(directions).all(axis=1)] @ photograph.camera.camera_from_world[:3, :3]
    along = scale * DISTANCES[:, None, None] * directions
    return photograph.camera.position + along.reshape(-1, 3)


def _witnesses(photographs: Sequence[Photograph], points: Doubles) -> NDArray[np.int64]:
    """[n] how many pictures each of `points` [n, 3] is in."""
    return np.sum([np.isfinite(photograph.pixels_of(points)[:, 0]) for photograph in photographs], axis=0)

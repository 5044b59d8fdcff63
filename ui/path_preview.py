"""Lines in the world on the screen: splines and frusta, cut where the camera cannot see them. Plain numpy.

Screen coordinates are those of `ui.screen`: y down, inside a `Rect`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from renderer.camera_splines import Key, positions_at
from scenes.cameras import Camera
from ui.screen import Points, Rect, project_points

SAMPLES = 24  # of a spline, between two keys
MOST_SAMPLES = 1500  # of all of it
UP_MARK = 0.35  # of the picture's height: how far the mark over a frustum's upper edge rises
PANORAMA = 0.5  # of a frustum's size: the axes that stand for a camera that sees everywhere
LARGEST = 1e5  # screen coordinates; beyond it single precision, which draw lists have, would bend lines


def spline_points(keys: Sequence[Key]) -> Points:
    """[m, 3] points along the path through `keys`, so close that lines between them look smooth."""
    if len(keys) < 2:
        return np.zeros((0, 3))
    samples = max(2, min(SAMPLES, MOST_SAMPLES // len(keys)))
    times = [np.linspace(a.time, b.time, samples, endpoint=False) for a, b in pairwise(keys)]
    return positions_at(list(keys), np.concatenate([*times, [keys[-1].time]]))


def polyline(points: Points) -> Points:
    """[n - 1, 2, 3] the lines between `points` [n, 3]."""
    return np.stack([points[:-1], points[1:]], axis=1)


def frustum_lines(camera: Camera, size: float, aspect: float) -> Points:
    """[k, 2, 3] world lines that stand for a camera: `size` world units from the eye to the corners of its picture.

    `aspect` is the picture's width / height where the camera does not say. The mark at one edge is over its top. A
    parallel camera is a box, and one that sees everywhere a cross, longest ahead.
    """
    to_world = np.linalg.inv(camera.camera_from_world)
    if camera.projection == "equirectangular":
        lines = np.stack([-np.eye(3), np.eye(3)], axis=1) * PANORAMA * size
        lines[2, 1] *= 2
    else:
        lines = _picture_lines(camera, size, camera.aspect or aspect)
    return lines @ to_world[:3, :3].T + to_world[:3, 3]


def _picture_lines(camera: Camera, size: float, aspect: float) -> Points:
    """The same in the camera's own axes, for cameras with a picture."""
    fx, fy, cx, cy = camera.intrinsics(1, 1)
    fx /= aspect  # of a picture `aspect` wide, whose columns go from 0 to 1
    edges = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0.5 - 0.2, 0], [0.5, -UP_MARK], [0.5 + 0.2, 0]])
    across = (edges - [cx, cy]) / [fx, fy]
    near, far = np.zeros((7, 3)), np.ones((7, 3))
    far[:, :2] = across
    if camera.projection == "orthographic":
        near[:, :2] = across
        near[:, 2], far[:, 2] = 0, np.linalg.norm(across[:4], axis=1).max()
    far_size = np.linalg.norm(far[:4], axis=1).max()
    near, far = near * (size / far_size), far * (size / far_size)
    sides = np.stack([near[:4], far[:4]], axis=1)
    rim = np.stack([far[:4], np.roll(far[:4], -1, axis=0)], axis=1)
    return np.concatenate([sides, rim, np.stack([far[4:6], far[5:7]], axis=1)])


def screen_lines(lines: Points, camera: Camera, rect: Rect) -> Points:
    """[m, 2, 2] what of the world lines [n, 2, 3] can be seen, in screen coordinates.

    What is nearer than the camera's near plane is cut off. In an equirectangular picture, lines over the seam behind
    the camera are left out.
    """
    if not len(lines):
        return np.zeros((0, 2, 2))
    if camera.projection != "equirectangular":
        lines = _cut_near(lines, camera)
    ends, depths = project_points(lines.reshape(-1, 3), camera, rect)
    ends, depths = ends.reshape(-1, 2, 2), depths.reshape(-1, 2)
    seen = np.isfinite(ends).all(axis=(1, 2)) & (np.abs(ends) < LARGEST).all(axis=(1, 2))
    if camera.projection == "equirectangular":
        seen &= (depths > camera.near).all(axis=1) & (np.abs(np.diff(ends[..., 0], axis=1)[:, 0]) < 0.5 * rect.width)
    return ends[seen]


def _cut_near(lines: Points, camera: Camera) -> Points:
    """The parts [m, 2, 3] of lines [n, 2, 3] beyond the near plane."""
    forward, offset = camera.camera_from_world[2, :3], camera.camera_from_world[2, 3]
    depth = lines @ forward + offset - camera.near * (1 + 1e-6)  # [n, 2]
    some = (depth > 0).any(axis=1)
    lines, depth = lines[some], depth[some]
    span = depth[:, 1] - depth[:, 0]
    across = (depth < 0).any(axis=1)
    t = np.where(across, -depth[:, 0] / np.where(across, span, 1.0), 0.0)[:, None]
    cut = lines[:, 0] + t * (lines[:, 1] - lines[:, 0])
    start = np.where(depth[:, :1] < 0, cut, lines[:, 0])
    end = np.where(depth[:, 1:] < 0, cut, lines[:, 1])
    return np.stack([start, end], axis=1)


class CameraGroup:
    """Cameras to draw, and what of them does not change while the viewer moves."""

    def __init__(self, cameras: Sequence[Camera]) -> None:
        self.cameras = tuple(cameras)
        self.eyes = np.array([camera.position for camera in cameras]).reshape(-1, 3)
        self._shape: tuple[float, float] | None = None

    def marks(self, camera: Camera, rect: Rect, too_near: float = 0.0) -> tuple[Points, NDArray[np.float64]]:
        """Screen coordinates [n, 2] of the eyes and their depths [n]; NaN for what cannot be seen.

        What is nearer to the viewer than `too_near` world units counts as not seen.
        """
        places, depths = project_points(self.eyes, camera, rect)
        hidden = ~(depths > camera.near) | (np.linalg.norm(self.eyes - camera.position, axis=1) < too_near)
        return np.where(hidden[:, None], np.nan, places), np.where(hidden, np.nan, depths)

    def frusta(self, which: Sequence[int] | NDArray[np.intp], size: float, aspect: float) -> Points:
        """[k, 2, 3] the world lines of the cameras with these indices; see `frustum_lines`."""
        if self._shape != (size, aspect):
            self._shape = size, aspect
            self._lines = [frustum_lines(camera, size, aspect) for camera in self.cameras]
        return np.concatenate([np.zeros((0, 2, 3)), *(self._lines[i] for i in which)])


def mark_at(places: Points, depths: NDArray[np.float64], x: float, y: float, reach: float) -> int | None:
    """The index of the mark within `reach` of a position: of several, the nearest to the viewer."""
    distance = np.hypot(places[:, 0] - x, places[:, 1] - y) if len(places) else np.zeros(0)
    near = np.flatnonzero(distance <= reach)  # a NaN is never near
    return int(near[np.argmin(depths[near])]) if len(near) else None


def uncovered(places: Sequence[Points], room: float) -> list[bool]:
    """Of marks [2] drawn in this order, which keep a distance of `room` from all that are drawn after them and do."""
    kept: list[Points] = []
    free: list[bool] = []
    for place in reversed(places):
        free.append(not kept or float(np.hypot(*(np.array(kept) - place).T).min()) >= room)
        if free[-1]:
            kept.append(place)
    return free[::-1]

"""Cameras between keys: positions and lenses on cubic splines, rotations on squads."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from renderer.rotation_splines import interpolate_rotations
from scenes.cameras import Camera

Doubles = NDArray[np.float64]

CLOSED = 1e-9  # of the path's size: a last key this near to the first is the first again


@dataclass(frozen=True)
class Key:
    """A camera at a time, in seconds."""

    time: float
    camera: Camera


def interpolate(keys: list[Key], frames: int) -> list[Camera]:
    """`frames` cameras from the first key to the last, evenly spaced in time; see `cameras_at`."""
    return cameras_at(keys, np.linspace(keys[0].time, keys[-1].time, frames))


def cameras_at(keys: list[Key], wanted: Doubles) -> list[Camera]:
    """The cameras at the times `wanted` [m] along at least one key, whose times increase.

    Positions, fields of view and view heights follow cubic Hermite splines through the keys (Catmull-Rom, for uneven
    times), rotations squads. Pixel aspect, principal point, projection and near plane are the nearest key's. Before the
    first key and after the last the camera stands still. A path that ends where it begins is as smooth there as
    anywhere.
    """
    cameras = [key.camera for key in keys]
    if len(keys) == 1:
        return cameras * len(wanted)
    times = np.array([key.time for key in keys])
    wanted = np.clip(wanted, times[0], times[-1])
    rotations = np.stack([camera.camera_from_world[:3, :3] for camera in cameras])
    values = np.stack([[*c.position, np.log(c.fov_y), np.log(c.view_height)] for c in cameras])  # [n, 5]
    closed = is_closed(keys)
    smooth = hermite(times, values, wanted, closed)
    turned = interpolate_rotations(times, rotations, wanted, closed)
    nearest = np.abs(wanted[:, None] - times).argmin(axis=1)
    return [_camera(cameras[k], r, v) for k, r, v in zip(nearest, turned, smooth, strict=True)]


def positions_at(keys: list[Key], wanted: Doubles) -> Doubles:
    """[m, 3] where the cameras of `cameras_at` are."""
    positions = np.stack([key.camera.position for key in keys])
    if len(keys) == 1:
        return np.repeat(positions, len(wanted), axis=0)
    times = np.array([key.time for key in keys])
    return hermite(times, positions, np.clip(wanted, times[0], times[-1]), is_closed(keys))


def is_closed(keys: list[Key]) -> bool:
    """Whether the last key is the first again, with others between them."""
    if len(keys) < 4:
        return False
    first, last = keys[0].camera.camera_from_world, keys[-1].camera.camera_from_world
    size = max(1.0, float(np.abs([key.camera.position for key in keys]).max()))
    return bool(np.abs(first - last).max() <= CLOSED * size)


def hermite(times: Doubles, values: Doubles, wanted: Doubles, closed: bool = False) -> Doubles:
    """[m, d] a C1 cubic through `values` [n, d] at `times` [n], at the times `wanted` [m] inside them.

    Tangents are those of the parabola through each key and its neighbours, and of the chord at the ends; of a `closed`
    path the ends are neighbours.
    """
    steps = np.diff(times)[:, None]
    chords = np.diff(values, axis=0) / steps
    inner = _parabola(chords[:-1], chords[1:], steps[:-1], steps[1:])
    first, last = chords[:1], chords[-1:]
    if closed:
        first = last = _parabola(chords[-1:], chords[:1], steps[-1:], steps[:1])
    tangents = np.concatenate([first, inner, last])
    k = np.clip(np.searchsorted(times, wanted, side="right") - 1, 0, len(times) - 2)
    step = steps[k]
    t = (wanted[:, None] - times[k, None]) / step
    start = (1 + 2 * t) * (1 - t) ** 2 * values[k] + t * (1 - t) ** 2 * step * tangents[k]
    end = t**2 * (3 - 2 * t) * values[k + 1] - t**2 * (1 - t) * step * tangents[k + 1]
    return start + end


def _parabola(before: Doubles, after: Doubles, step_before: Doubles, step_after: Doubles) -> Doubles:
    """The slope at the middle of three points, from the chords and the steps on both sides."""
    return (before * step_after + after * step_before) / (step_before + step_after)


def _camera(like: Camera, rotation: Doubles, value: Doubles) -> Camera:
    pose = np.eye(4)
    pose[:3, :3] = rotation
    pose[:3, 3] = -rotation @ value[:3]
    lens = {"fov_y": float(np.exp(value[3])), "view_height": float(np.exp(value[4]))}
    return replace(like, camera_from_world=pose, name="", aspect=None, **lens)

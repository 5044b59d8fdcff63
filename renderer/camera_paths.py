"""Camera paths: presets around a scene, and keys interpolated smoothly.

A path file is JSON: {"keys": [{"time": seconds, "camera_from_world": 4x4, "fov_y": radians}, ...]}. Any camera file
`scenes/camera_files.py` reads is a path too, its cameras one second apart.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from renderer.rotation_splines import interpolate_rotations
from scenes.camera_files import read_cameras
from scenes.cameras import Camera, look_at
from scenes.errors import KilofieldError, SceneFileError
from scenes.extent import Extent
from scenes.json_entry import JsonEntry, read_json, shown
from scenes.rigid import check_rigid

Doubles = NDArray[np.float64]

FIELD_OF_VIEW = np.radians(50)
MARGIN = 1.05  # how much wider than the scene's ball the picture is


@dataclass(frozen=True)
class Key:
    """A camera at a time, in seconds."""

    time: float
    camera: Camera


def preset_path(name: str, extent: Extent, frames: int, aspect: float) -> list[Camera]:
    """`frames` cameras of the preset `name` for pictures of width / height `aspect`.

    Raises `KilofieldError` for an unknown name or fewer than one frame.
    """
    if name not in PRESETS:
        raise KilofieldError(f"camera path: expected one of {', '.join(PRESETS)}, found {name!r}")
    _check_frames(frames)
    half = 0.5 * FIELD_OF_VIEW
    narrow = min(half, np.arctan(aspect * np.tan(half)))
    distance = MARGIN * extent.radius / np.sin(narrow)
    right, forward = _ground_axes(extent.up)
    cameras = []
    for i in range(frames):
        x, y, z = PRESETS[name](i / frames)
        eye = extent.centre + distance * (x * right + y * forward + z * extent.up)
        cameras.append(look_at(eye, extent.centre, extent.up, float(FIELD_OF_VIEW), f"{name} {i}", extent.near))
    return cameras


def read_path(path: str | os.PathLike[str], frames: int) -> list[Camera]:
    """`frames` cameras along the keys of a path file or of a camera file, evenly spaced in time.

    Raises `SceneFileError` for a file that is neither.
    """
    _check_frames(frames)
    content = read_json(path)
    if isinstance(content, dict) and "keys" in content:
        return interpolate(_read_keys(path, content["keys"]), frames)
    return interpolate([Key(float(i), camera) for i, camera in enumerate(read_cameras(path))], frames)


def interpolate(keys: list[Key], frames: int) -> list[Camera]:
    """`frames` cameras from the first key to the last, evenly spaced in time; the keys' times increase.

    Positions and fields of view follow cubic Hermite splines through the keys (Catmull-Rom, for uneven times),
    rotations squads. Pixel aspect and principal point are the nearest key's.
    """
    times = np.array([key.time for key in keys])
    cameras = [key.camera for key in keys]
    wanted = np.linspace(times[0], times[-1], frames)
    if len(keys) == 1:
        return cameras * frames
    rotations = np.stack([camera.camera_from_world[:3, :3] for camera in cameras])
    values = np.stack([[*camera.position, np.log(camera.fov_y)] for camera in cameras])  # [n, 4]
    smooth = hermite(times, values, wanted)
    poses = interpolate_rotations(times, rotations, wanted)
    nearest = np.abs(wanted[:, None] - times).argmin(axis=1)
    return [_camera(cameras[k], r, v) for k, r, v in zip(nearest, poses, smooth, strict=True)]


def hermite(times: Doubles, values: Doubles, wanted: Doubles) -> Doubles:
    """[m, d] a C1 cubic through `values` [n, d] at `times` [n], at the times `wanted` [m] inside them.

    Tangents are those of the parabola through each key and its neighbours, and of the chord at the ends.
    """
    steps = np.diff(times)[:, None]
    chords = np.diff(values, axis=0) / steps
    inner = (chords[:-1] * steps[1:] + chords[1:] * steps[:-1]) / (steps[:-1] + steps[1:])
    tangents = np.concatenate([chords[:1], inner, chords[-1:]])
    k = np.clip(np.searchsorted(times, wanted, side="right") - 1, 0, len(times) - 2)
    step = steps[k]
    t = (wanted[:, None] - times[k, None]) / step
    start = (1 + 2 * t) * (1 - t) ** 2 * values[k] + t * (1 - t) ** 2 * step * tangents[k]
    end = t**2 * (3 - 2 * t) * values[k + 1] - t**2 * (1 - t) * step * tangents[k + 1]
    return start + end


def _camera(like: Camera, rotation: Doubles, value: Doubles) -> Camera:
    pose = np.eye(4)
    pose[:3, :3] = rotation
    pose[:3, 3] = -rotation @ value[:3]
    return Camera(pose, float(np.exp(value[3])), like.pixel_aspect, like.centre, near=like.near)


def _read_keys(path: str | os.PathLike[str], content: object) -> list[Key]:
    if not isinstance(content, list) or not content:
        raise SceneFileError(path, "keys", "a list of at least one key", shown(content))
    keys = [_key(JsonEntry.of(path, f"key {i}", value)) for i, value in enumerate(content)]
    for i, (before, after) in enumerate(pairwise(keys), 1):
        if after.time <= before.time:
            raise SceneFileError(path, f"key {i}, time", f"more than {before.time:g}", f"{after.time:g}")
    return keys


def _key(entry: JsonEntry) -> Key:
    pose = check_rigid(entry, "camera_from_world", entry.array("camera_from_world", (4, 4)))
    return Key(entry.number("time"), Camera(pose, entry.number("fov_y", above=0, below=math.pi)))


def _check_frames(frames: int) -> None:
    if frames < 1:
        raise KilofieldError(f"frames: expected at least 1, found {frames}")


def _ground_axes(up: Doubles) -> tuple[Doubles, Doubles]:
    """Two unit axes [3] that with `up` make a right-handed frame."""
    first = np.cross(np.eye(3)[np.argmin(np.abs(up))], up)
    first /= np.linalg.norm(first)
    return first, np.cross(up, first)


def _around(turn: float, elevation: float, distance: float = 1.0) -> tuple[float, float, float]:
    """A point on a sphere around the scene; `turn` in full turns, `elevation` in degrees."""
    angle, height = 2 * np.pi * turn, np.radians(elevation)
    return (
        distance * np.cos(height) * np.sin(angle),
        -distance * np.cos(height) * np.cos(angle),
        distance * np.sin(height),
    )


def _orbit(t: float) -> tuple[float, float, float]:
    """One turn at eye height above an object."""
    return _around(t, 20.0)


def _ellipse(t: float) -> tuple[float, float, float]:
    """One turn, nearer on two sides, rising and sinking once."""
    x, y, z = _around(t, 22.0 + 10.0 * np.sin(2 * np.pi * t))
    return 1.2 * x, 0.8 * y, z


def _spiral(t: float) -> tuple[float, float, float]:
    """Two turns from high above down to the ground, coming nearer."""
    return _around(2 * t, 60.0 - 52.0 * t, 1.2 - 0.4 * t)


def _dolly(t: float) -> tuple[float, float, float]:
    """Straight in, slowing down."""
    return _around(0.08, 14.0, 1.6 - 1.0 * (1 - (1 - t) ** 2))


PRESETS: dict[str, Callable[[float], tuple[float, float, float]]] = {
    "orbit": _orbit,
    "ellipse": _ellipse,
    "spiral": _spiral,
    "dolly": _dolly,
}

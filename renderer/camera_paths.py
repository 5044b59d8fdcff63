"""Camera paths: presets around a scene, and files of keys.

A path file is JSON: {"keys": [{"time": seconds, "camera_from_world": 4x4, "fov_y": radians}, ...]}, where each key can
have what else a camera in our form has. Any camera file `scenes/camera_files.py` reads is a path too, its cameras one
second apart.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from renderer.camera_splines import Key, interpolate
from scenes.atomic import replacing
from scenes.camera_files import camera_of, our_entry, read_poses
from scenes.cameras import Camera, look_at
from scenes.colmap import is_colmap
from scenes.errors import KilofieldError, SceneFileError
from scenes.extent import Extent
from scenes.json_entry import JsonEntry, read_json, shown

Doubles = NDArray[np.float64]

FIELD_OF_VIEW = np.radians(50)
MARGIN = 1.05  # how much wider than the scene's ball the picture is


def preset_path(name: str, extent: Extent, frames: int, aspect: float) -> list[Camera]:
    """`frames` cameras of the preset `name` for pictures of width / height `aspect`.

    Raises `KilofieldError` for an unknown name or fewer than one frame.
    """
    _check_preset(name)
    _check_frames(frames)
    return [_preset_camera(name, extent, i / frames, aspect, f"{name} {i}") for i in range(frames)]


def preset_keys(name: str, extent: Extent, seconds: float, aspect: float) -> list[Key]:
    """The preset `name` as keys to edit, from 0 to `seconds`; orbit and ellipse end where they begin.

    Raises `KilofieldError` for an unknown name.
    """
    _check_preset(name)
    steps = PRESET_STEPS[name]
    cameras = [_preset_camera(name, extent, i / steps, aspect) for i in range(steps + 1)]
    return [Key(seconds * i / steps, camera) for i, camera in enumerate(cameras)]


def read_path(path: str | os.PathLike[str], frames: int) -> list[Camera]:
    """`frames` cameras along the keys of a path file or of a camera file, evenly spaced in time.

    Raises `SceneFileError` for a file that is neither.
    """
    _check_frames(frames)
    return interpolate(read_keys(path), frames)


def read_keys(path: str | os.PathLike[str]) -> list[Key]:
    """The keys of a path file, at least one, or of a camera file, one second apart and without lens distortion.

    Raises `SceneFileError` for a file that is neither.
    """
    if not is_colmap(path):
        content = read_json(path)
        if isinstance(content, dict) and "keys" in content:
            return _read_keys(path, content["keys"])
    return [Key(float(i), camera) for i, camera in enumerate(read_poses(path)[0])]


def is_path_file(path: str | os.PathLike[str]) -> bool:
    """Whether a JSON file has keys. Raises `SceneFileError` if it is not JSON."""
    content = read_json(path)
    return isinstance(content, dict) and "keys" in content


def write_keys(path: str | os.PathLike[str], keys: Sequence[Key]) -> None:
    """Writes a path file, a key a line; `read_keys` gives back the very same numbers. Near planes are not kept.

    Raises `KilofieldError` where it cannot be written.
    """
    entries = [{"time": float(key.time), **our_entry(key.camera)} for key in keys]
    lines = ",\n".join(json.dumps(entry, allow_nan=False) for entry in entries)
    with replacing(path) as temporary:
        temporary.write_text(f'{{"keys": [\n{lines}\n]}}\n', encoding="utf-8")


def _read_keys(path: str | os.PathLike[str], content: object) -> list[Key]:
    if not isinstance(content, list) or not content:
        raise SceneFileError(path, "keys", "a list of at least one key", shown(content))
    keys = [_key(JsonEntry.of(path, f"key {i}", value)) for i, value in enumerate(content)]
    for i, (before, after) in enumerate(pairwise(keys), 1):
        if after.time <= before.time:
            raise SceneFileError(path, f"key {i}, time", f"more than {before.time:g}", f"{after.time:g}")
    return keys


def _key(entry: JsonEntry) -> Key:
    return Key(entry.number("time"), camera_of(entry))


def _preset_camera(name: str, extent: Extent, t: float, aspect: float, camera_name: str = "") -> Camera:
    half = 0.5 * FIELD_OF_VIEW
    narrow = min(half, np.arctan(aspect * np.tan(half)))
    distance = MARGIN * extent.radius / np.sin(narrow)
    right, forward = _ground_axes(extent.up)
    x, y, z = PRESETS[name](t)
    eye = extent.centre + distance * (x * right + y * forward + z * extent.up)
    return look_at(eye, extent.centre, extent.up, float(FIELD_OF_VIEW), camera_name, extent.near)


def _check_preset(name: str) -> None:
    if name not in PRESETS:
        raise KilofieldError(f"camera path: expected one of {', '.join(PRESETS)}, found {name!r}")


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

PRESET_STEPS = {"orbit": 12, "ellipse": 12, "spiral": 24, "dolly": 4}  # between keys; splines then stay within 1.5 %

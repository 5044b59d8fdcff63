"""Cameras in files: JSON of ours, INRIA's and NeRF's, told apart by what is in them, and COLMAP's models.

    ours      [{"camera_from_world": 4x4, "fov_y": radians,
                "pixel_aspect": fx / fy, "centre": [x, y], "name": text,
                "projection": "orthographic" or "equirectangular", "view_height": world units}, ...]
                                                                               all but the first two are optional
    INRIA's   [{"id", "img_name", "width", "height", "position": [3], "rotation": 3x3 world from camera,
                "fx", "fy"}, ...]                                                        pixels, OpenCV's axes
    NeRF's    {"frames": [...], ...}                                                     see `scenes/transforms_json.py`
    COLMAP's  a folder with, or one of, images.bin and cameras.bin, or the same in .txt  see `scenes/colmap.py`

Matrices are lists of rows.
"""

from __future__ import annotations

import json
import math
import os
from typing import Any

import numpy as np

from scenes.atomic import replacing
from scenes.camera_checks import checked_camera
from scenes.cameras import PROJECTIONS, Camera
from scenes.colmap import is_colmap, read_colmap
from scenes.errors import SceneFileError
from scenes.files import brief
from scenes.json_entry import JsonEntry, read_json, shown
from scenes.rigid import check_rigid, inverse_rigid
from scenes.transforms_json import transforms_frames


def read_cameras(path: str | os.PathLike[str]) -> list[Camera]:
    """The cameras of a file in any of these forms, at least one; `SceneFileError` if it is none of them.

    Cameras with lens distortion are an error too: their pictures are not those of a pinhole.
    """
    cameras, distorted = _read(path, any_lens=False)
    if distorted:
        expected = "no lens distortion (undistort the images first)"
        raise SceneFileError(path, "cameras", expected, f"{distorted:,} cameras with it")
    return cameras


def read_poses(path: str | os.PathLike[str]) -> tuple[list[Camera], int]:
    """The same for cameras to look through: as pinholes, whatever their lens; and how many had a distortion."""
    return _read(path, any_lens=True)


def _read(path: str | os.PathLike[str], any_lens: bool) -> tuple[list[Camera], int]:
    if is_colmap(path):
        model = read_colmap(path)
        return model.cameras, model.distorted
    content = read_json(path)
    if isinstance(content, dict) and "frames" in content:
        frames = transforms_frames(path, content, any_lens)
        return [frame.camera(frame.size()) for frame in frames], sum(frame.distorted for frame in frames)
    if not isinstance(content, list):
        raise SceneFileError(path, "file", "a list of cameras or an object with frames", shown(content))
    if not content:
        raise SceneFileError(path, "file", "at least one camera", "0")
    return [camera_of(JsonEntry.of(path, f"camera {i}", value)) for i, value in enumerate(content)], 0


def write_cameras(path: str | os.PathLike[str], cameras: list[Camera]) -> None:
    """Writes our form, a camera a line; `read_cameras` gives back the very same numbers."""
    lines = ",\n".join(json.dumps(our_entry(camera), allow_nan=False) for camera in cameras)
    with replacing(path) as temporary:
        temporary.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def our_entry(camera: Camera) -> dict[str, Any]:
    """A camera in our form, ready for JSON."""
    entry: dict[str, Any] = {"camera_from_world": camera.camera_from_world.tolist(), "fov_y": float(camera.fov_y)}
    if camera.pixel_aspect != 1:
        entry["pixel_aspect"] = float(camera.pixel_aspect)
    if camera.centre != (0.5, 0.5):
        entry["centre"] = [float(x) for x in camera.centre]
    if camera.name:
        entry["name"] = camera.name
    if camera.projection != PROJECTIONS[0]:
        entry["projection"] = camera.projection
    if camera.projection == "orthographic":
        entry["view_height"] = float(camera.view_height)
    return entry


def camera_of(entry: JsonEntry) -> Camera:
    """The camera of an object in our form or INRIA's."""
    if "camera_from_world" in entry.values:
        return checked_camera(entry.path, entry.place, _our_camera(entry))
    if "rotation" in entry.values and "position" in entry.values:
        return checked_camera(entry.path, entry.place, _inria_camera(entry))
    expected = "camera_from_world, or position and rotation"
    raise SceneFileError(entry.path, entry.place, expected, brief(", ".join(entry.values)) or "an empty object")


def _our_camera(entry: JsonEntry) -> Camera:
    centre = entry.array("centre", (2,)) if "centre" in entry.values else (0.5, 0.5)
    return Camera(
        camera_from_world=check_rigid(entry, "camera_from_world", entry.array("camera_from_world", (4, 4))),
        fov_y=entry.number("fov_y", above=0, below=math.pi),
        pixel_aspect=entry.number("pixel_aspect", above=0) if "pixel_aspect" in entry.values else 1.0,
        centre=(float(centre[0]), float(centre[1])),
        name=entry.text("name") if "name" in entry.values else "",
        projection=_projection(entry),
        view_height=entry.number("view_height", above=0) if "view_height" in entry.values else 1.0,
    )


def _projection(entry: JsonEntry) -> str:
    name = entry.text("projection") if "projection" in entry.values else PROJECTIONS[0]
    if name not in PROJECTIONS:
        raise entry.error("projection", f"one of {', '.join(PROJECTIONS)}", shown(name))
    return name


def _inria_camera(entry: JsonEntry) -> Camera:
    world_from_camera = np.eye(4)
    world_from_camera[:3, :3] = entry.array("rotation", (3, 3))
    world_from_camera[:3, 3] = entry.array("position", (3,))
    check_rigid(entry, "rotation", world_from_camera)
    width, height, fx, fy = (entry.number(key, above=0) for key in ("width", "height", "fx", "fy"))
    name = entry.text("img_name") if "img_name" in entry.values else ""
    return Camera(
        camera_from_world=inverse_rigid(world_from_camera),
        fov_y=2 * math.atan(0.5 * height / fy),
        pixel_aspect=fx / fy,
        name=name,
        aspect=width / height,
    )

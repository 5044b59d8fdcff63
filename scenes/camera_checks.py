"""Whether the numbers of a camera from a file can be calculated with."""

from __future__ import annotations

import math
import os

import numpy as np

from scenes.cameras import Camera
from scenes.errors import SceneFileError

NARROWEST = 1e-6  # radians
FARTHEST = 1e12  # world units; squares of it are normal float32
LARGEST = 1e6  # of shares and ratios


def checked_camera(path: str | os.PathLike[str], place: str, camera: Camera) -> Camera:
    """`camera` itself; `SceneFileError` for numbers that are each finite, and what follows from them is not."""
    away = float(np.abs(camera.camera_from_world[:3, 3]).max())
    if not away <= FARTHEST:
        raise SceneFileError(path, place, f"a camera within {FARTHEST:g} of the origin", f"{away:g}")
    if not NARROWEST <= camera.fov_y <= math.pi - NARROWEST:
        expected = (
            f"a field of view from {math.degrees(NARROWEST):.2g} to {math.degrees(math.pi - NARROWEST):.8g} degrees"
        )
        raise SceneFileError(path, place, expected, f"{math.degrees(camera.fov_y):.8g}")
    ratios = {"the sides of a pixel": camera.pixel_aspect, "the sides of the picture": camera.aspect or 1.0}
    for what, ratio in ratios.items():
        if not 1 / LARGEST <= ratio <= LARGEST:
            raise SceneFileError(path, place, f"a ratio of {what} from {1 / LARGEST:g} to {LARGEST:g}", f"{ratio:g}")
    if not max(map(abs, camera.centre)) <= LARGEST:
        found = ", ".join(f"{x:g}" for x in camera.centre)
        raise SceneFileError(path, place, f"a centre within {LARGEST:g} pictures", found)
    if not 1 / FARTHEST <= camera.view_height <= FARTHEST:
        raise SceneFileError(
            path, place, f"a view_height from {1 / FARTHEST:g} to {FARTHEST:g}", f"{camera.view_height:g}"
        )
    return camera

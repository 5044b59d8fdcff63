"""The cameras a command looks through, and the names of their pictures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from commands.console import note
from scenes.cameras import Camera
from scenes.errors import KilofieldError
from scenes.extent import Extent, scene_extent
from scenes.gaussians import Gaussians

DEFAULT_CAMERAS = 8


def picture_names(cameras: Sequence[Camera]) -> list[str]:
    """One stem a camera: its name where it has one that is its own, else its index, as in `007`.

    A name's folder and picture suffix are dropped, and what a file name had better not hold becomes `_`.
    """
    digits = max(3, len(str(len(cameras) - 1)))
    numbers = [f"{i:0{digits}d}" for i in range(len(cameras))]
    wanted = [re.sub(r"[^\w.-]+", "_", _stem(camera.name)).strip("._") for camera in cameras]
    names = [
        name if name and wanted.count(name) == 1 else "_".join(filter(None, (number, name)))
        for number, name in zip(numbers, wanted, strict=True)
    ]
    return names if len(set(names)) == len(names) else numbers


def seen_from(cameras: Sequence[Camera], near: float | None, extent: Extent) -> list[Camera]:
    """The cameras with the near plane the user asked for; without one, a word when theirs cuts open the scene in
    `extent`."""
    if near is not None:
        if not near > 0:
            raise KilofieldError(f"--near: expected a distance above 0, found {near:g}")
        return [replace(camera, near=near) for camera in cameras]
    gaps = [float(np.linalg.norm(camera.position - extent.centre)) - extent.radius for camera in cameras]
    cut = sum(extent.near < camera.near and gap < camera.near for camera, gap in zip(cameras, gaps, strict=True))
    if cut:
        note(
            f"{cut} of {len(cameras)} cameras cut the scene open: their near plane is {cameras[0].near:g} away, as in "
            f"the original 3DGS; --near {extent.near:.2g} shows all of it"
        )
    return list(cameras)


def default_cameras(gaussians: Gaussians, size: tuple[int, int]) -> list[Camera]:
    """An orbit of eight around the scene, for pictures of `size`."""
    from renderer.camera_paths import preset_path

    return preset_path("orbit", scene_extent(gaussians), DEFAULT_CAMERAS, size[0] / size[1])


def _stem(name: str) -> str:
    path = Path(name.replace("\\", "/"))
    return path.stem if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp", ".exr") else path.name

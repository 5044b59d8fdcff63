"""Evaluation cameras for an object that has none: eight around it, near and far, as in the data folder.

.venv/bin/python -m benchmarks.orbits whale.ply whale-cameras.json
.venv/bin/python -m benchmarks.compression --scenes whale=whale.ply:whale-cameras.json
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from scenes.camera_files import write_cameras
from scenes.cameras import Camera, look_at
from scenes.extent import Extent, scene_extent
from scenes.load import load_scene

FOV_Y = np.radians(50)
ELEVATIONS = (10, 32, 16, 24, 25, 14, 32, 10)  # degrees, an eighth of a turn apart
DISTANCES = (2.7, 2.0, 1.55, 2.5, 2.5, 1.55, 2.0, 2.7)  # radii of the scene


def orbit(extent: Extent) -> list[Camera]:
    """The eight cameras, all looking at the centre."""
    first = np.roll(extent.up, 1)  # up is an axis, so this is at right angles to it
    second = np.cross(extent.up, first)
    cameras = []
    for i, (elevation, distance) in enumerate(zip(np.radians(ELEVATIONS), DISTANCES, strict=True)):
        around = np.cos(i * np.pi / 4) * first + np.sin(i * np.pi / 4) * second
        eye = extent.centre + distance * extent.radius * (np.cos(elevation) * around + np.sin(elevation) * extent.up)
        cameras.append(look_at(eye, extent.centre, extent.up, FOV_Y, name=f"{45 * i} degrees", near=extent.near))
    return cameras


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the cameras of a scene."""
    parser = argparse.ArgumentParser(prog="benchmarks.orbits", description=__doc__)
    parser.add_argument("scene", type=Path)
    parser.add_argument("cameras", type=Path, help="to write")
    wanted = parser.parse_args(arguments)
    write_cameras(wanted.cameras, orbit(scene_extent(load_scene(wanted.scene).gaussians)))


if __name__ == "__main__":
    main()

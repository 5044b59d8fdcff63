"""Scenes of any size: a real one again and again on a grid over the ground, each time turned another way.

Tiles are written one at a time, so that a file may be larger than the memory. `Tiling.walk` are cameras among them.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from scenes.atomic import replacing
from scenes.cameras import Camera, look_at
from scenes.extent import Extent, scene_extent
from scenes.gaussians import Gaussians
from scenes.placing import placed
from scenes.ply import write_ply
from scenes.ply_elements import read_header

GAP = 1.6  # radii of the scene from one tile's middle to the next
TURN = 20.0  # degrees at most about the upright axis, either way
EYE_HEIGHT = 0.45  # radii over the middle of the scene
FOV_Y = np.radians(50)  # as in the other evaluation cameras

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Tiling:
    """`tiles` copies of a scene, in rows about twice as long as there are of them; the same for the same seed."""

    gaussians: Gaussians
    tiles: int
    seed: int = 0

    @property
    def columns(self) -> int:
        """Tiles in a row."""
        return max(round((2 * self.tiles) ** 0.5), 1)

    def write(self, path: Path) -> None:
        """All tiles as one .ply."""
        extent = scene_extent(self.gaussians)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder, replacing(path) as whole, whole.open("wb") as file:
            for i in range(self.tiles):
                part = Path(folder) / "tile.ply"
                write_ply(part, self._tile(extent, i))
                self._append(part, file, i == 0)

    def _append(self, part: Path, file: BinaryIO, first: bool) -> None:
        count = b"element vertex %d\n"
        with part.open("rb") as body:
            header = body.read(read_header(part).start)
            if first:
                mine, all_ = len(self.gaussians), self.tiles * len(self.gaussians)
                file.write(header.replace(count % mine, count % all_))
            shutil.copyfileobj(body, file)

    def _tile(self, extent: Extent, index: int) -> Gaussians:
        """The copy of that index, turned and at its place."""
        angle = np.radians(np.random.default_rng((self.seed, index)).uniform(-TURN, TURN))
        x, y, z = extent.up
        cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        turn = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)  # Rodrigues
        row, column = divmod(index, self.columns)
        place = _place(extent, column, row)
        return placed(self.gaussians, turn, shift=extent.centre - turn @ extent.centre + place)

    def walk(self, stops: int) -> list[Camera]:
        """`stops` cameras in the middle between four tiles each, that look at one of them."""
        extent, rng = scene_extent(self.gaussians), np.random.default_rng((self.seed, self.tiles))
        rows = -(-self.tiles // self.columns)
        cameras = []
        for i in range(stops):
            column, row = (rng.integers(0, max(n - 1, 1)) for n in (self.columns, rows))
            eye = extent.centre + _place(extent, column + 0.5, row + 0.5) + EYE_HEIGHT * extent.radius * extent.up
            thing = extent.centre + _place(extent, column + rng.integers(2), row + rng.integers(2))
            cameras.append(look_at(eye, thing, extent.up, FOV_Y, f"stop {i + 1}", extent.near))
        return cameras

    def aisle(self, frames: int) -> list[Camera]:
        """`frames` cameras along the aisle between the first two rows, from one end to the other."""
        extent = scene_extent(self.gaussians)
        cameras = []
        for share in np.linspace(0, 1, frames):
            column = share * (self.columns - 1) - 0.5
            eye = extent.centre + _place(extent, column, 0.5) + EYE_HEIGHT * extent.radius * extent.up
            ahead = extent.centre + _place(extent, column + 2, 0.5 + 0.5 * np.sin(4 * np.pi * share))
            cameras.append(look_at(eye, ahead, extent.up, FOV_Y, f"{share:.3f}", extent.near))
        return cameras


def _place(extent: Extent, column: float, row: float) -> Doubles:
    """[3] from the first tile to the one in that column and row."""
    east, north = np.eye(3)[extent.up == 0]
    return GAP * extent.radius * (column * east + row * north)

"""Walks through two real places: what a visitor sees of them at eye height, for `benchmarks.compression`.

    .venv/bin/python -m benchmarks.walks                        writes cameras/showroom.json and cameras/garden.json

The scenes are crops of public streamed SOG: of the whole show flat its living room, terrace and what its windows look
out on (241,743 Gaussians, SH 0), and of a housing estate's garden the square and the houses around it (293,365, SH 0).
In splat-transform's boxes x and y have the opposite sign of those in the .ply that it writes.

    git clone https://github.com/277868748-max/LaCadiereShowroom
    git clone https://github.com/277868748-max/HeadquarterGarden
    splat-transform -g cpu LaCadiereShowroom/3_0/meta.json LaCadiereShowroom/3_1/meta.json showroom.ply \\
        --filter-box=-60,-230,-2,4.5,9,30
    splat-transform -g cpu HeadquarterGarden/2_0/meta.json HeadquarterGarden/2_1/meta.json garden.ply \\
        --filter-box=-80,35,-4,140,60,100
    .venv/bin/python -m benchmarks.compression --peer splat-transform --budgets showroom=0.25 garden=0.31 \\
        --scenes showroom=showroom.ply:benchmarks/cameras/showroom.json garden=garden.ply:benchmarks/cameras/garden.json
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scenes.camera_files import write_cameras
from scenes.cameras import Camera, look_at

CAMERAS = Path(__file__).resolve().parent / "cameras"
UP = np.array([0.0, 0.0, 1.0])
FOV_Y = np.radians(50)  # as in the other evaluation cameras
DOWNWARD = 0.08  # slope of the look: about 5 degrees


@dataclass(frozen=True)
class Walk:
    """Stops on a walk, in the scene's own units, which are metres in both."""

    eye_height: float  # z of the eyes
    stops: tuple[tuple[float, float, float], ...]  # x, y, and where to: degrees from +x towards +y

    def cameras(self) -> list[Camera]:
        """One a stop."""
        return [self._camera(i, *stop) for i, stop in enumerate(self.stops)]

    def _camera(self, index: int, x: float, y: float, degrees: float) -> Camera:
        eye = np.array([x, y, self.eye_height])
        ahead = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees)), -DOWNWARD])
        return look_at(eye, eye + ahead, UP, FOV_Y, name=f"stop {index + 1}")


WALKS = {
    # in from the corridor, past the dining table, around the sofa to the fireplace, and a look out from the terrace
    "showroom": Walk(
        0.95,
        (
            (2.6, -6.8, 85),
            (2.9, -5.6, 40),
            (3.0, -4.4, 135),
            (3.2, -3.2, 0),
            (3.3, -2.2, 200),
            (2.6, -1.2, 160),
            (1.2, -0.9, 230),
            (-0.4, -0.9, 290),
            (-1.0, -1.0, 10),
            (0.4, -0.3, 320),
            (1.8, 0.2, 205),
            (3.4, -0.9, 110),
        ),
    ),
    # up the path to the square, past the fountain with the swans, around the square and back
    "garden": Walk(
        0.7,
        (
            (7.0, -56.0, 75),
            (6.6, -53.5, 130),
            (6.2, -51.0, 30),
            (6.0, -48.5, 150),
            (6.0, -46.0, 60),
            (7.0, -43.5, 180),
            (8.5, -41.5, 215),
            (10.0, -42.5, 335),
            (10.0, -45.0, 265),
            (8.5, -47.0, 165),
            (7.2, -49.5, 330),
            (6.8, -52.0, 265),
        ),
    ),
}


def main() -> None:
    """Write the cameras of every walk."""
    CAMERAS.mkdir(exist_ok=True)
    for name, walk in WALKS.items():
        write_cameras(CAMERAS / f"{name}.json", walk.cameras())


if __name__ == "__main__":
    main()

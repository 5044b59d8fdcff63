"""A sphere as teacher, in closed form, for tests of what learns from teachers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scenes.gaussians import Floats


@dataclass(frozen=True)
class Ball:
    """A coloured sphere: its colour is its normal."""

    centre: tuple[float, float, float] = (0.3, -0.2, 0.1)
    radius: float = 0.7
    coloured: bool = True
    view_dependent: bool = False

    @property
    def bounds(self) -> Floats:
        return np.stack([np.add(self.centre, -self.radius), np.add(self.centre, self.radius)]).astype(np.float32)

    def distance(self, points: Floats) -> tuple[Floats, Floats]:
        off = points - np.asarray(self.centre)
        length = np.linalg.norm(off, axis=1, keepdims=True)
        return (length[:, 0] - self.radius).astype(np.float32), (off / length).astype(np.float32)

    def colour(self, points: Floats, normals: Floats, directions: Floats) -> Floats:
        return 0.5 + 0.4 * self.distance(points)[1]

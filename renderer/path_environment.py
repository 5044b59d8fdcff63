"""Light from afar as the path tracer has it: a picture, a table to draw directions by, and the sun; in numpy.

The twin of `shaders/path_environment.glsl`. Radiance is bilinear in the picture. Directions are drawn in proportion to
the luminance of a coarser picture, each texel with its neighbours (so that none that shines is left out), times its
solid angle: first a row, then a column, then a place within, evenly (Pharr, Jakob and Humphreys, "Physically Based
Rendering", 4th edition, 12.5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from renderer.reference_views import LUMINANCE
from scenes.gaussians import Floats
from scenes.scene_file import ConstantSky, EnvironmentImage, Sky
from scenes.sky import sky_picture, sun_irradiance, world_frame
from scenes.stage import Stage

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

LARGEST = 4096  # px across; larger pictures are averaged down
TABLE = 512, 256  # texels of the table at most
EVEN = 64, 32  # of a sky of one colour
LEAST_SINE = 1e-6  # of the polar angle, in densities


@dataclass(frozen=True)
class Sun:
    """A disc of even radiance."""

    direction: Doubles  # [3] unit, towards it
    cosine: float  # of its half angle
    one_minus_cosine: float  # the same, to all digits
    radiance: Doubles  # [3]

    @property
    def density(self) -> float:
        """Of directions drawn from it, a solid angle."""
        return 1 / (2 * math.pi * self.one_minus_cosine)

    @property
    def irradiance(self) -> Doubles:
        """[3] on a plane that faces it."""
        return self.radiance * math.pi * self.one_minus_cosine * (2 - self.one_minus_cosine)

    def draw(self, x: Doubles, y: Doubles) -> Doubles:
        """[N, 3] directions into the disc."""
        return draw_cone(np.broadcast_to(self.direction, (len(x), 3)), np.full(len(x), self.one_minus_cosine), x, y)

    def hit(self, directions: Doubles) -> NDArray[np.bool_]:
        """[N] whether unit directions [N, 3] end in it: by the chord, which keeps its digits for a small sun."""
        return np.square(directions - self.direction).sum(axis=1) <= 2 * self.one_minus_cosine


@dataclass(frozen=True)
class Surroundings:
    """All light from afar."""

    frame: Doubles  # [3, 3] rows: right, up, front in the world
    picture: Floats  # [H, W, 3]
    rows: Floats  # [h + 1] share of the light above each row of the table
    columns: Floats  # [h, w + 1] share of a row's to the left of each column
    brightness: float  # mean luminance of all directions; 0: it does not shine
    sun: Sun | None

    def radiance(self, directions: Doubles) -> Doubles:
        """[N, 3] without the sun, of unit directions [N, 3]."""
        height, width = self.picture.shape[:2]
        place = self._places(directions) * (width, height) - 0.5
        first = np.floor(place).astype(np.int64)
        share = place - first
        total = np.zeros((len(directions), 3))
        for column in (0, 1):
            for row in (0, 1):
                weight = (share[:, 0] if column else 1 - share[:, 0]) * (share[:, 1] if row else 1 - share[:, 1])
                y, x = np.clip(first[:, 1] + row, 0, height - 1), (first[:, 0] + column) % width
                total += weight[:, None] * self.picture[y, x]
        return total

    def draw(self, x: Doubles, y: Doubles) -> Doubles:
        """[N, 3] directions."""
        height, width = self.columns.shape[0], self.columns.shape[1] - 1
        row = _found(np.broadcast_to(self.rows, (len(y), height + 1)), y)
        row_at = (y - self.rows[row]) / (self.rows[row + 1] - self.rows[row])
        line = self.columns[row]
        column = _found(line, x)
        low, high = line[np.arange(len(x)), column], line[np.arange(len(x)), column + 1]
        longitude = ((column + (x - low) / (high - low)) / width - 0.5) * 2 * np.pi
        polar = (row + row_at) / height * np.pi
        sine = np.sin(polar)
        local = np.stack([sine * np.sin(longitude), np.cos(polar), sine * np.cos(longitude)], axis=1)
        return local @ self.frame

    def density(self, directions: Doubles) -> Doubles:
        """[N] of unit directions [N, 3] among those drawn, a solid angle."""
        height, width = self.columns.shape[0], self.columns.shape[1] - 1
        place = self._places(directions)
        column = np.clip((place[:, 0] * width).astype(np.int64), 0, width - 1)
        row = np.clip((place[:, 1] * height).astype(np.int64), 0, height - 1)
        share = (self.rows[row + 1].astype(np.float64) - self.rows[row]) * (
            self.columns[row, column + 1].astype(np.float64) - self.columns[row, column]
        )
        sine = np.maximum(np.sin(place[:, 1] * np.pi), LEAST_SINE)
        return share * width * height / (2 * np.pi**2 * sine)

    def _places(self, directions: Doubles) -> Doubles:
        """[N, 2] in [0, 1] across and down the picture."""
        right, up, front = (directions @ self.frame.T).T
        across = 0.5 + np.arctan2(right, front) / (2 * np.pi)
        return np.stack([across, np.arccos(np.clip(up, -1, 1)) / np.pi], axis=1)


def surroundings_of(stage: Stage) -> Surroundings:
    """Those of a scene."""
    scene, environment, sun = stage.scene, stage.scene.environment, None
    turn = 0.0
    if isinstance(environment, Sky):
        picture = sky_picture(environment, scene.up)
        sun = _sun(environment, sun_irradiance(environment, scene.up))
    elif isinstance(environment, EnvironmentImage):
        assert stage.environment is not None
        turn = environment.turn_degrees
        picture = reduced(stage.environment, LARGEST, LARGEST) * np.float32(environment.strength)
    else:
        assert isinstance(environment, ConstantSky)
        picture = np.broadcast_to(np.array(environment.radiance, np.float32), (EVEN[1], EVEN[0], 3)).copy()
    rows, columns = table_of(picture)
    return Surroundings(world_frame(scene.up, turn), picture, rows, columns, _mean_luminance(picture), sun)


def _mean_luminance(picture: Floats) -> float:
    sine = np.sin((np.arange(len(picture)) + 0.5) / len(picture) * np.pi)
    lines = (picture.astype(np.float64) @ LUMINANCE).mean(axis=1)
    return float((lines * sine).sum() / sine.sum())


def _sun(sky: Sky, irradiance: Doubles) -> Sun | None:
    if not irradiance.any():
        return None
    half = math.radians(sky.sun_degrees / 2)
    direction = np.array(sky.sun_direction) / np.linalg.norm(sky.sun_direction)
    one_minus_cosine = 2 * math.sin(half / 2) ** 2
    return Sun(direction, math.cos(half), one_minus_cosine, irradiance / (math.pi * math.sin(half) ** 2))


def reduced(picture: Floats, width: int, height: int) -> Floats:
    """Averaged over whole blocks until it is at most that large; edges that no block fills are stretched in."""
    while picture.shape[1] > width or picture.shape[0] > height:
        rows, columns = (-(-side // 2) if side > 1 else 1 for side in picture.shape[:2])
        padded = np.pad(
            picture, ((0, 2 * rows - picture.shape[0]), (0, 2 * columns - picture.shape[1]), (0, 0)), "edge"
        )
        picture = padded.reshape(rows, 2, columns, 2, -1).mean(axis=(1, 3), dtype=np.float64).astype(np.float32)
    return picture


def table_of(picture: Floats) -> tuple[Floats, Floats]:
    """Rows [h + 1] and columns [h, w + 1] of the table for a picture; even where nothing shines."""
    light = reduced(picture, *TABLE).astype(np.float64) @ LUMINANCE
    height = len(light)
    spread = sum(np.roll(light, shift, axis=1) for shift in (-1, 0, 1))
    padded = np.pad(spread, ((1, 1), (0, 0)), "edge")
    weight = (padded[:-2] + padded[1:-1] + padded[2:]) * np.sin((np.arange(height) + 0.5) / height * np.pi)[:, None]
    if not weight.any():
        weight = np.ones_like(weight)
    rows = np.concatenate([[0], np.cumsum(weight.sum(axis=1))])
    lines = np.where(weight.sum(axis=1, keepdims=True) > 0, weight, 1)
    columns = np.concatenate([np.zeros((height, 1)), np.cumsum(lines, axis=1)], axis=1)
    return (rows / rows[-1]).astype(np.float32), (columns / columns[:, -1:]).astype(np.float32)


def draw_cone(axes: Doubles, one_minus_cosine: Doubles, x: Doubles, y: Doubles) -> Doubles:
    """[N, 3] unit directions evenly drawn from cones around unit `axes` [N, 3]."""
    height = x * one_minus_cosine  # 1 - cosine
    sine, angle = np.sqrt(np.maximum(height * (2 - height), 0)), 2 * np.pi * y
    first, second = basis(axes)
    local = (sine * np.cos(angle))[:, None] * first + (sine * np.sin(angle))[:, None] * second
    return local + (1 - height)[:, None] * axes


def basis(normals: Doubles) -> tuple[Doubles, Doubles]:
    """Two unit vectors [N, 3] at right angles to unit `normals` and each other.

    Duff et al., "Building an Orthonormal Basis, Revisited", JCGT 6(1), 2017.
    """
    x, y, z = normals.T
    sign = np.where(z >= 0, 1.0, -1.0)
    a = -1 / (sign + z)
    b = x * y * a
    return np.stack([1 + sign * x * x * a, sign * b, -sign * x], 1), np.stack([b, sign + y * y * a, -y], 1)


def _found(rising: Floats, numbers: Doubles) -> Ints:
    """[N] the last place but one at which `rising` [N, M] is at most the number; it rises from there on."""
    low, high = np.zeros(len(numbers), np.int64), np.full(len(numbers), rising.shape[1] - 1)
    rows = np.arange(len(numbers))
    while (high - low > 1).any():
        middle = (low + high) // 2
        below = rising[rows, middle] <= numbers
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return low

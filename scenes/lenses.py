"""Lenses: where a ray meets the picture, beside a pinhole's, and back.

A place in a picture is given as a pinhole with its intrinsics would see it: (x - cx) / fx and (y - cy) / fy. With
a = x / z, b = y / z of a direction and r^2 = a^2 + b^2, a lens moves it to

    perspective    (a, b) * g + (2 p1 a b + p2 (r^2 + 2 a^2), p1 (r^2 + 2 b^2) + 2 p2 a b)
                   g = (1 + k1 r^2 + k2 r^4 + ...) / (1 + d1 r^2 + d2 r^4 + ...)
    fisheye        (a, b) / r * t (1 + k1 t^2 + k2 t^4 + k3 t^6 + k4 t^8), t the angle to the optical axis

as OpenCV says (calib3d, "Detailed Description" and namespace fisheye); COLMAP, instant-ngp and nerfstudio follow it.
nerfstudio's k4 is the numerator's r^8. OpenCV's k4, k5, k6 are d1, d2, d3 here.

A polynomial grows only so far: beyond the first place where it turns back, a lens shows nothing, and no ray is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
WIDEST = 89.0  # degrees off the axis, perspective: further out a picture would be 57 focal lengths from its middle
WIDEST_FISHEYE = 179.0
TABLE = 2048  # angles from 0 to the widest: a first guess that Newton's method then needs a few steps from
STEPS = 12
BLOCK = 1 << 14  # places at a time: what they take stays in the cache
TOLERANCE = 1e-9  # focal lengths: a thousandth of a thousandth of a pixel


@dataclass(frozen=True)
class Lens:
    """The distortion of a lens; without coefficients a pinhole, or a fisheye that keeps angles."""

    radial: tuple[float, ...] = ()  # k1, k2, ...
    tangential: tuple[float, float] = (0.0, 0.0)  # p1, p2; perspective only
    denominator: tuple[float, ...] = ()  # d1, d2, ...; perspective only
    fisheye: bool = False

    @property
    def distorts(self) -> bool:
        """Whether it is more than a pinhole."""
        return self.fisheye or any((*self.radial, *self.tangential, *self.denominator))

    def distorted(self, directions: Doubles) -> Doubles:
        """[N, 2] where the lens shows `directions` [N, 3] (camera's axes, any length); NaN where it does not."""
        angle = np.arctan2(np.linalg.norm(directions[:, :2], axis=1), directions[:, 2])
        seen = angle <= self.widest
        result = np.full((len(directions), 2), np.nan)
        if self.fisheye:
            result[seen] = _unit(directions[seen, :2]) * self._radius(angle[seen])[:, None]
        else:
            result[seen] = self._moved(directions[seen, :2] / directions[seen, 2:])
        return result

    def directions(self, places: Doubles) -> Doubles:
        """[N, 3] unit directions of what the lens shows at `places` [N, 2]; NaN where there is none."""
        blocks = [places[start : start + BLOCK] for start in range(0, max(len(places), 1), BLOCK)]
        return np.concatenate([self._directions(block) for block in blocks])

    def _directions(self, places: Doubles) -> Doubles:
        angle = self._angle(np.linalg.norm(places, axis=1))
        if self.fisheye:
            return _towards(places, angle)
        slopes = places.astype(np.float64)
        if self.distorts:
            slopes = self._newton(places, _unit(places) * np.tan(np.nan_to_num(angle, nan=self.widest))[:, None])
        result = np.concatenate([slopes, np.ones((len(slopes), 1))], axis=1)
        return result / np.linalg.norm(result, axis=1, keepdims=True)

    @cached_property
    def widest(self) -> float:
        """The largest angle to the optical axis, radians, up to which radii grow."""
        limit = np.radians(WIDEST_FISHEYE if self.fisheye else WIDEST)
        angles = np.linspace(0, limit, TABLE)
        with np.errstate(divide="ignore", invalid="ignore"):
            growing = np.diff(self._radius(angles)) > 0
        return float(limit if growing.all() else angles[np.argmin(growing)])

    def _angle(self, radius: Doubles) -> Doubles:
        """[N] angles at distorted radii [N], tangential distortion left out; NaN beyond the widest."""
        if not self.distorts:
            return np.arctan(radius)
        angles = np.linspace(0, self.widest, TABLE)
        angle = np.interp(radius, self._radius(angles), angles, right=np.nan)
        if not self.fisheye:
            return angle
        for _ in range(STEPS):
            error = self._radius(angle) - radius
            if np.nanmax(np.abs(error), initial=0) <= TOLERANCE:
                break
            square = angle**2
            slope = _polynomial(self.radial, square) + 2 * square * _slope(self.radial, square)
            angle = angle - error / np.where(np.abs(slope) > TOLERANCE, slope, 1)
        return np.where(np.abs(self._radius(angle) - radius) <= TOLERANCE, angle, np.nan)

    @np.errstate(all="ignore")  # a file may say any coefficients: where they overflow, the lens shows nothing
    def _radius(self, angle: Doubles) -> Doubles:
        """[N] distances from the middle of the picture at angles [N], tangential distortion left out."""
        if self.fisheye:
            return angle * _polynomial(self.radial, angle**2)
        slope = np.tan(angle)
        return slope * _polynomial(self.radial, slope**2) / _polynomial(self.denominator, slope**2)

    @np.errstate(all="ignore")
    def _moved(self, slopes: Doubles) -> Doubles:
        """[N, 2] of perspective slopes x / z, y / z [N, 2]."""
        (a, b), (p1, p2) = slopes.T, self.tangential
        square = a * a + b * b
        scale = _polynomial(self.radial, square) / _polynomial(self.denominator, square)
        x = a * scale + 2 * p1 * a * b + p2 * (square + 2 * a * a)
        y = b * scale + p1 * (square + 2 * b * b) + 2 * p2 * a * b
        return np.stack([x, y], axis=1)

    def _newton(self, places: Doubles, slopes: Doubles) -> Doubles:
        """[N, 2] slopes that are moved to `places` [N, 2], from a first guess; NaN where there are none."""
        with np.errstate(all="ignore"):
            for _ in range(STEPS):
                error = self._moved(slopes) - places
                if np.nanmax(np.abs(error), initial=0) <= TOLERANCE:
                    break
                slopes = slopes - _solved(self._jacobian(slopes), error)
            error = np.abs(self._moved(slopes) - places).max(axis=1)
            found = (error <= TOLERANCE) & (np.linalg.norm(slopes, axis=1) <= np.tan(self.widest))
        return np.where(found[:, None], slopes, np.nan)

    def _jacobian(self, slopes: Doubles) -> tuple[Doubles, Doubles, Doubles]:
        """The derivatives of `_moved`, [N] each: x by a, x by b (which is y by a), y by b."""
        (a, b), (p1, p2) = slopes.T, self.tangential
        square = a * a + b * b
        above, below = _polynomial(self.radial, square), _polynomial(self.denominator, square)
        scale = above / below
        by_square = (_slope(self.radial, square) - scale * _slope(self.denominator, square)) / below
        return (
            scale + 2 * a * a * by_square + 2 * p1 * b + 6 * p2 * a,
            2 * a * b * by_square + 2 * p1 * a + 2 * p2 * b,
            scale + 2 * b * b * by_square + 6 * p1 * b + 2 * p2 * a,
        )


PINHOLE = Lens()


def _polynomial(coefficients: tuple[float, ...], x: Doubles) -> Doubles:
    """1 + c1 x + c2 x^2 + ..."""
    result = np.zeros_like(x)
    for coefficient in reversed(coefficients):
        result = (result + coefficient) * x
    return result + 1


def _slope(coefficients: tuple[float, ...], x: Doubles) -> Doubles:
    """The derivative of that."""
    result = np.zeros_like(x)
    for power in range(len(coefficients), 0, -1):
        result = result * x + power * coefficients[power - 1]
    return result


def _solved(matrix: tuple[Doubles, Doubles, Doubles], right: Doubles) -> Doubles:
    """[N, 2] solutions of symmetric 2 x 2 systems; 0 where there is none."""
    a, b, c = matrix
    determinant = a * c - b * b
    usable = np.isfinite(determinant) & (np.abs(determinant) > TOLERANCE)
    x, y = c * right[:, 0] - b * right[:, 1], a * right[:, 1] - b * right[:, 0]
    return np.where(usable, np.stack([x, y]) / np.where(usable, determinant, 1), 0).T


def _unit(places: Doubles) -> Doubles:
    """[N, 2] of length 1, or 0."""
    length = np.linalg.norm(places, axis=1, keepdims=True)
    return places / np.where(length > 0, length, 1)


def _towards(places: Doubles, angle: Doubles) -> Doubles:
    """[N, 3] unit directions at `angle` [N] to the axis, to the side of `places` [N, 2]."""
    return np.concatenate([_unit(places) * np.sin(angle)[:, None], np.cos(angle)[:, None]], axis=1)

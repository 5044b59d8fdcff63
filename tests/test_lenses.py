"""Lenses: known answers, a slow twin, forth and back, and where polynomials turn back."""

from __future__ import annotations

import numpy as np
import pytest

from scenes.lenses import PINHOLE, Lens

LENSES = [
    PINHOLE,
    Lens((-0.28, 0.07, -0.005), (0.002, -0.001)),
    Lens((0.3, 0.05)),
    Lens((0.05, 0.02, 0.001, 0.0005), (-0.003, 0.002)),  # nerfstudio's, with r^8
    Lens((0.2, -0.1, 0.02), (0.001, 0.001), (0.25, -0.08, 0.01)),  # FULL_OPENCV
    Lens(fisheye=True),
    Lens((0.05, -0.012, 0.004, -0.0006), fisheye=True),
]


def directions(count: int, widest: float, seed: int = 1) -> np.ndarray:
    """Unit directions up to `widest` radians off the axis."""
    random = np.random.default_rng(seed)
    angle, turn = random.uniform(0, widest, count), random.uniform(-np.pi, np.pi, count)
    return np.stack([np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn), np.cos(angle)], axis=1)


def slow(lens: Lens, direction: np.ndarray) -> tuple[float, float]:
    """The formulas of the module, one direction at a time."""
    x, y, z = direction
    if lens.fisheye:
        t = np.arctan2(np.hypot(x, y), z)
        scale = t * (1 + sum(k * t ** (2 * i + 2) for i, k in enumerate(lens.radial))) / np.hypot(x, y)
        return x * scale, y * scale
    a, b, (p1, p2) = x / z, y / z, lens.tangential
    r = a * a + b * b
    g = 1 + sum(k * r ** (i + 1) for i, k in enumerate(lens.radial))
    g /= 1 + sum(k * r ** (i + 1) for i, k in enumerate(lens.denominator))
    return a * g + 2 * p1 * a * b + p2 * (r + 2 * a * a), b * g + p1 * (r + 2 * b * b) + 2 * p2 * a * b


def opencv_undistorted(lens: Lens, place: np.ndarray) -> np.ndarray:
    """OpenCV's undistortPoints: the distortion at the last guess is taken off, again and again."""
    slope, (p1, p2) = place, lens.tangential
    for _ in range(300):
        a, b = slope
        r = a * a + b * b
        g = 1 + sum(k * r ** (i + 1) for i, k in enumerate(lens.radial))
        g /= 1 + sum(k * r ** (i + 1) for i, k in enumerate(lens.denominator))
        shift = np.array([2 * p1 * a * b + p2 * (r + 2 * a * a), p1 * (r + 2 * b * b) + 2 * p2 * a * b])
        slope = (place - shift) / g
    return slope


def test_known_answers() -> None:
    ahead = np.array([[0.5, 0, 1.0]])
    assert PINHOLE.distorted(2 * ahead)[0] == pytest.approx([0.5, 0])
    assert Lens((0.2, 0.1)).distorted(ahead)[0] == pytest.approx([0.5 * (1 + 0.2 * 0.25 + 0.1 * 0.0625), 0])
    # p1 moves along y by r^2, p2 along x by 3 x^2 for a point on the x axis
    assert Lens((), (0.1, 0.01)).distorted(ahead)[0] == pytest.approx([0.5 + 0.01 * 0.75, 0.1 * 0.25])
    assert Lens((0.4,), denominator=(0.8,)).distorted(ahead)[0] == pytest.approx([0.5 * 1.1 / 1.2, 0])
    sideways = np.array([[0, 3.0, 0]])  # at 90 degrees, where a pinhole shows nothing
    assert Lens(fisheye=True).distorted(sideways)[0] == pytest.approx([0, np.pi / 2])
    assert Lens((0.1,), fisheye=True).distorted(sideways)[0] == pytest.approx([0, np.pi / 2 * (1 + np.pi**2 / 40)])
    assert np.isnan(PINHOLE.distorted(sideways)).all()
    assert np.isnan(PINHOLE.distorted(-ahead)).all()


@pytest.mark.parametrize("lens", LENSES)
def test_formulas_agree_with_the_slow_twin(lens: Lens) -> None:
    rays = directions(200, min(0.95 * lens.widest, 1.4))
    np.testing.assert_allclose(lens.distorted(rays), [slow(lens, ray) for ray in rays], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("lens", LENSES)
def test_forth_and_back(lens: Lens) -> None:
    """Up to the widest angle, and beyond 90 degrees for fisheyes."""
    rays = directions(2000, 0.97 * lens.widest if not lens.tangential[0] else min(1.1, 0.9 * lens.widest))
    np.testing.assert_allclose(lens.directions(lens.distorted(rays)), rays, atol=1e-7)
    assert lens.fisheye == bool((rays[:, 2] < 0).any())


@pytest.mark.parametrize("lens", [lens for lens in LENSES if lens.distorts and not lens.fisheye])
def test_inverse_agrees_with_opencv_where_that_converges(lens: Lens) -> None:
    places = np.random.default_rng(2).uniform(-0.6, 0.6, (50, 2))
    found = lens.directions(places)
    expected = [opencv_undistorted(lens, place) for place in places]
    np.testing.assert_allclose(found[:, :2] / found[:, 2:], expected, atol=1e-8)


def test_nothing_is_shown_where_a_polynomial_has_turned_back() -> None:
    """r (1 - r^2 / 3) grows up to r = 1, where it is 2 / 3."""
    lens = Lens((-1 / 3,))
    assert np.tan(lens.widest) == pytest.approx(1, rel=2e-3)
    inside, outside = lens.directions(np.array([[0.66, 0], [0.67, 0]]))
    assert inside[0] / inside[2] == pytest.approx(0.9, abs=0.02)
    assert np.isnan(outside).all()
    assert np.isnan(lens.distorted(np.array([[1.2, 0, 1]]))).all()


def test_directions_are_of_unit_length() -> None:
    places = np.random.default_rng(3).uniform(-0.5, 0.5, (100, 2))
    for lens in LENSES:
        np.testing.assert_allclose(np.linalg.norm(lens.directions(places), axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(LENSES[1].directions(np.zeros((1, 2))), [[0, 0, 1]], atol=1e-15)


def test_what_distorts() -> None:
    assert [lens.distorts for lens in LENSES] == [False] + [True] * 6
    assert not Lens((0.0, 0.0), (0.0, 0.0)).distorts

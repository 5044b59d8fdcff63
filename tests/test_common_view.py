"""What cameras see together, and captures of which no two see the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from photo_samples import CX, FX, WIDTH, Pose, message, pose_of, write_transforms

from scenes.cameras import look_at
from scenes.common_view import look_at as look_at_point
from scenes.common_view import see_together, visible_sphere
from scenes.photo_sets import read_photographs
from scenes.photographs import Photograph

UP = np.array([0, 0, 1.0])


def facing(eyes: np.ndarray, targets: np.ndarray) -> list[Pose]:
    return [pose_of(look_at(eye, target, UP, 1.0)) for eye, target in zip(eyes, targets, strict=True)]


def ring(count: int, radius: float = 1.0) -> np.ndarray:
    turn = np.arange(count) * 2 * np.pi / count
    return radius * np.stack([np.cos(turn), np.sin(turn), 0 * turn], axis=1)


def test_cameras_that_see_nothing_in_common(tmp_path: Path) -> None:
    """Six on a ring, 60 degrees apart, look outwards with less than 50 degrees each."""
    folder = write_transforms(tmp_path, facing(ring(6), 2 * ring(6)))
    assert 2 * np.degrees(np.arctan(max(CX, WIDTH - CX) / FX)) < 55
    said = ": cameras: expected at least two that see the same, found 6 that see nothing in common"
    assert message(folder) == said


def test_cameras_in_one_place(tmp_path: Path) -> None:
    folder = write_transforms(tmp_path, facing(np.ones((4, 3)), np.ones((4, 3)) + ring(4)))
    assert message(folder) == ": cameras: expected more than one place, found all 4 in one"


LINE = np.linspace(-1, 1, 7)[:, None] * np.array([[1.0, 0, 0]])
CAPTURES = {
    "inward": facing(ring(5, 4), 0 * ring(5)),
    "outward, 45 degrees apart": facing(ring(8), 2 * ring(8)),
    "forward": facing(LINE, LINE + np.array([0, 5.0, 0])),
    "forward, far apart": facing(50 * LINE, 50 * LINE + np.array([0, 1.0, 0])),
    "a walk along a wall": facing(20 * LINE, 20 * LINE + np.array([0.3, 1.0, 0])),
    "a walk ahead": facing(LINE, LINE + np.array([5.0, 0, 0])),
    "stereo in a box": facing(0.01 * LINE, 0.01 * LINE + np.array([0, 1.0, 0])),
    "two of many": facing(np.vstack([ring(6), [[1, 0.1, 0]]]), np.vstack([2 * ring(6), [[2, 0.1, 0]]])),
}


@pytest.mark.parametrize("kind", CAPTURES)
def test_no_false_alarm(tmp_path: Path, kind: str) -> None:
    photographs = read_photographs(write_transforms(tmp_path, CAPTURES[kind]))
    assert see_together(photographs.photographs)
    assert (photographs.sphere is not None) == (kind in ("inward",))


def test_the_sphere_that_cameras_see() -> None:
    """From 4 away, with the nearest edge at a known slope: the tangent from the camera to the sphere."""
    eyes = 4 * np.array([[1.0, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0.0]])
    cameras = [look_at(eye, np.zeros(3), UP, 1.0) for eye in eyes]
    photographs = [Photograph(camera, Path("none.png"), 60, 40) for camera in cameras]
    sphere = visible_sphere(photographs)
    assert sphere is not None
    assert sphere.centre == pytest.approx((0, 0, 0), abs=1e-12)
    assert sphere.radius == pytest.approx(4 * np.sin(0.5))
    found = look_at_point(photographs)
    assert found is not None
    assert look_at_point([photographs[0]] * 3) is None

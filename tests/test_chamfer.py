"""`benchmarks.chamfer` against closed forms: planes, spheres, half of one, and the slow rule of thinning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from kiloneus_samples import Ball
from scipy.io import savemat

from benchmarks.chamfer import Observed, chamfer, covered, observed_beside, read_points, thinned
from benchmarks.surface_dtu import scan_of, teacher_mesh
from scenes.errors import SceneFileError
from scenes.gaussians import Floats
from scenes.triangle_mesh import Mesh


class Loose(Ball):
    """A ball in a box with room to spare, as photographs give it."""

    @property
    def bounds(self) -> Floats:
        return np.add(self.centre, [[-0.9], [0.8]]).astype(np.float32)


def sphere(radius: float) -> Mesh:
    ball = trimesh.creation.icosphere(5, radius)
    return Mesh(np.asarray(ball.vertices, np.float64), np.asarray(ball.faces, np.int64))


def square(height: float) -> Mesh:
    """10 x 10 in the plane z = height."""
    corners = np.array([[0, 0, height], [10, 0, height], [10, 10, height], [0, 10, height]], np.float64)
    return Mesh(corners, np.array([[0, 1, 2], [0, 2, 3]]))


def test_spheres_one_in_the_other_are_as_far_apart_as_their_radii() -> None:
    found = chamfer(covered(sphere(4.0), 0.1, 0), covered(sphere(4.5), 0.1, 1))
    assert found.accuracy == pytest.approx(0.5, rel=0.01)  # the nearest point is up to a spacing aside
    assert found.completeness == pytest.approx(0.5, rel=0.01)
    assert found.overall == pytest.approx(0.5, rel=0.01)


def test_planes() -> None:
    low, high = covered(square(0.0), 0.2, 0), covered(square(3.0), 0.2, 1)
    assert chamfer(low, high).overall == pytest.approx(3, rel=2e-3)
    assert np.isnan(chamfer(low, high, most=2.9).overall)  # every distance is an outlier


def test_half_a_plane_is_accurate_and_not_complete() -> None:
    whole = covered(square(0.0), 0.2, 0)
    found = chamfer(whole[whole[:, 0] < 5], whole)
    assert found.accuracy == 0
    assert found.completeness == pytest.approx(0.5 * 2.5, rel=0.05)  # half of it, 0 to 5 away


def test_what_the_cameras_did_not_see_does_not_count() -> None:
    """The surface has a second sheet that nobody saw; the truth has points under the table."""
    truth = np.concatenate([covered(square(0.0), 0.2, 0), covered(square(-5.0), 0.2, 1)])
    surface = np.concatenate([covered(square(1.0), 0.2, 2), covered(square(8.0), 0.2, 3)])
    cells = np.ones((11, 11, 11), np.bool_)
    cells[:, :, 5:] = False
    box = np.array([[0.0, 0.0, 0.0], [10.0, 10.0, 10.0]])
    observed = Observed(cells, box, 1.0, np.array([0.0, 0.0, 1.0, 1.0]))
    found = chamfer(surface, truth, observed)
    assert found.overall == pytest.approx(1, rel=0.01)
    assert found.points == (surface[:, 2] == 1).sum()
    assert found.truth == (truth[:, 2] == 0).sum()
    assert chamfer(surface, truth).overall > 3


def test_points_far_from_the_volume_complete_nothing() -> None:
    truth, far = np.array([[10.0, 10.0, 200.0]]), np.array([[10.0, 10.0, 201.0]])
    observed = Observed(np.ones((11, 11, 11), np.bool_), np.array([[0.0] * 3, [10.0] * 3]), 1.0)
    assert np.isnan(chamfer(far, truth, observed).completeness)
    assert chamfer(far, truth).completeness == 1


def test_thinning_is_that_of_one_point_after_the_other() -> None:
    points = np.random.default_rng(4).random((800, 3))
    kept: list[np.ndarray] = []
    for point in points[np.random.default_rng(7).permutation(len(points))]:
        if all(np.linalg.norm(point - other) > 0.1 for other in kept):
            kept.append(point)
    np.testing.assert_array_equal(thinned(points, 0.1, 7), kept)


def test_a_mesh_is_covered_evenly() -> None:
    points = covered(square(0.0), 0.25, 3)
    away = np.linalg.norm(points[:, None] - points, axis=2) + np.eye(len(points))
    assert away.min() > 0.25
    places = np.random.default_rng(0).random((2000, 3)) * [10, 10, 0]
    nearest = np.linalg.norm(places[:, None] - points, axis=2).min(axis=1)
    assert np.quantile(nearest, 0.98) < 0.25


def test_the_masks_lie_beside_the_points(tmp_path: Path) -> None:
    truth = tmp_path / "Points" / "stl" / "stl065_total.ply"
    truth.parent.mkdir(parents=True)
    points = np.random.default_rng(0).random((50, 3)).astype(np.float32)
    trimesh.PointCloud(points).export(truth)
    np.testing.assert_array_equal(read_points(truth), points)
    assert observed_beside(truth, 65) is None
    masks = tmp_path / "ObsMask"
    masks.mkdir()
    cells = np.zeros((3, 4, 5), np.uint8)
    cells[1, 2, 3] = 1
    savemat(masks / "ObsMask65_10.mat", {"ObsMask": cells, "BB": np.array([[0, 0, 0], [20, 30, 40]]), "Res": 10})
    found = observed_beside(truth, 65)
    assert found is not None
    assert found.plane is None
    np.testing.assert_array_equal(
        found.holds(np.array([[11.0, 19, 33], [11, 19, 14], [-50, 0, 0]])), [True, False, False]
    )
    savemat(masks / "Plane65.mat", {"P": np.array([[0.0], [0], [1], [-0.5]])})
    found = observed_beside(truth, 65)
    assert found is not None
    np.testing.assert_array_equal(found.above(points.astype(np.float64)), points[:, 2] > 0.5)
    assert observed_beside(truth, 24) is None


def test_damaged_masks(tmp_path: Path) -> None:
    (tmp_path / "ObsMask65_10.mat").write_bytes(b"no matrices" * 20)
    with pytest.raises(SceneFileError, match="expected matrices of MATLAB"):
        observed_beside(tmp_path / "stl065_total.ply", 65)
    savemat(tmp_path / "ObsMask65_10.mat", {"Res": 10})
    with pytest.raises(SceneFileError, match="expected a matrix ObsMask, found none"):
        observed_beside(tmp_path / "stl065_total.ply", 65)


def test_the_mesh_of_a_teacher_is_where_the_teacher_is() -> None:
    ball = Loose((0.3, -0.2, 0.1), 0.7)
    mesh = teacher_mesh(ball, 30)
    points = covered(mesh, 0.03, 0)
    assert np.abs(np.linalg.norm(points - ball.centre, axis=1) - 0.7).max() < 2e-3  # the sagitta of such cubes
    assert mesh.closed


def test_the_scan_is_in_the_name() -> None:
    assert scan_of(Path("Points/stl/stl065_total.ply")) == 65
    assert scan_of(Path("points.ply")) is None

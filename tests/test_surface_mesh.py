"""Meshes of neural surfaces: known answers, and the lattice against looking everywhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scenes import surface_mesh_cubes, surface_mesh_field
from scenes.errors import KilofieldError
from scenes.surface import NeuralSurface
from scenes.surface_mesh import MeshOptions, SurfaceMesh, largest_part, polygons, simplified, surface_mesh
from scenes.surface_mesh_cubes import Cubes, Lattice, crossed_cubes, lattice_around
from scenes.surface_mesh_field import NearField
from scenes.triangle_mesh import Mesh
from tests.surface_samples import box_surface, fitted_surface, plane_surface, random_surface, sphere, torus


def meshed(surface: NeuralSurface, resolution: int, **options: int | bool) -> SurfaceMesh:
    return surface_mesh(surface, MeshOptions(resolution, **options), lambda done, stage: None)  # pyright: ignore[reportArgumentType]


def area(mesh: Mesh) -> float:
    a, b, c = np.moveaxis(mesh.corners, 1, 0)
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def euler(mesh: Mesh) -> int:
    edges = np.unique(np.sort(mesh.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1), axis=0)
    return len(mesh.vertices) - len(edges) + len(mesh.faces)


@pytest.fixture(scope="module")
def ball() -> NeuralSurface:
    return fitted_surface(sphere, cells=8, width=32)


@pytest.fixture(scope="module")
def ring() -> NeuralSurface:
    return fitted_surface(torus, cells=8, width=32, colour=lambda p: 0.5 + 0.4 * np.sin(3 * p))


def test_a_sphere(ball: NeuralSurface) -> None:
    mesh = meshed(ball, 48)
    shape = mesh.shape
    assert (shape.closed, shape.manifold, shape.components, euler(shape)) == (True, True, 1, 2)
    assert (mesh.open_edges, mesh.colours, mesh.notes) == (0, None, ())
    assert np.abs(sphere(shape.vertices)).max() < 1.5e-3
    assert area(shape) == pytest.approx(4 * np.pi * 0.7**2, rel=5e-3)
    assert shape.volume == pytest.approx(4 / 3 * np.pi * 0.7**3, rel=5e-3)  # above 0: faces look outwards
    out = shape.vertices / np.linalg.norm(shape.vertices, axis=1, keepdims=True)
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-5)
    assert np.degrees(np.arccos(np.clip((mesh.normals * out).sum(axis=1), -1, 1))).max() < 3


def test_a_torus(ring: NeuralSurface) -> None:
    shape = meshed(ring, 50).shape
    assert (shape.closed, shape.components, euler(shape)) == (True, 1, 0)
    assert area(shape) == pytest.approx(4 * np.pi**2 * 0.6 * 0.25, rel=5e-3)
    assert shape.volume == pytest.approx(2 * np.pi**2 * 0.6 * 0.25**2, rel=1e-2)


def test_vertices_lie_on_the_zero_set(ball: NeuralSurface) -> None:
    cubes = crossed_cubes(NearField(ball), lattice_around(ball, 24))
    on_edges, (mesh, spacing) = polygons(cubes)[0], (meshed(ball, 24).shape, cubes.lattice.spacing)
    assert np.abs(ball.sample(on_edges.astype(np.float32)).distance).max() > 0.01 * spacing
    assert np.abs(ball.sample(mesh.vertices.astype(np.float32)).distance).max() < 1e-3 * spacing
    assert np.linalg.norm(mesh.vertices - on_edges, axis=1).max() < 0.5 * spacing


@pytest.mark.parametrize("resolution", [8, 17, 40])
def test_cubes_are_those_found_by_looking_at_all(ring: NeuralSurface, resolution: int) -> None:
    for surface in (ring, box_surface(cells=8)):
        near, lattice = NearField(surface), lattice_around(surface, resolution)
        np.testing.assert_array_equal(numbers(crossed_cubes(near, lattice)), everywhere(near, lattice))


def numbers(cubes: Cubes) -> np.ndarray:
    """Of the lowest corners."""
    return cubes.points[cubes.corners[:, 0]]


def everywhere(near: NearField, lattice: Lattice) -> np.ndarray:
    """The numbers of crossed cubes with a corner in a cell, from the values at all points of the lattice."""
    index = np.indices([n + 1 for n in lattice.size]).reshape(3, -1).T
    points = lattice.points(index)
    shape = tuple(n + 1 for n in lattice.size)
    negative = (near.distance(points) < 0).reshape(shape)
    inside = near.surface.sample(points.astype(np.float32)).inside.reshape(shape)
    corners = [
        tuple(slice(c, n + c) for c, n in zip(corner, lattice.size, strict=True)) for corner in np.ndindex(2, 2, 2)
    ]
    signs = np.stack([negative[corner] for corner in corners])
    crossed = signs.any(axis=0) & ~signs.all(axis=0) & np.stack([inside[corner] for corner in corners]).any(axis=0)
    return np.argwhere(crossed) @ lattice.strides


def test_what_the_margin_loses_is_found_by_following_the_surface(
    ring: NeuralSurface, monkeypatch: pytest.MonkeyPatch
) -> None:
    near, lattice = NearField(ring), lattice_around(ring, 60)
    expected = numbers(crossed_cubes(near, lattice))
    monkeypatch.setattr(surface_mesh_cubes, "MARGIN", 0.4)
    assert len(surface_mesh_cubes._near_cubes(near, lattice, lambda share: None)) < 0.9 * len(expected)
    np.testing.assert_array_equal(numbers(crossed_cubes(near, lattice)), expected)


def test_many_blocks_of_points_give_what_one_gives(ring: NeuralSurface, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = meshed(ring, 40)
    monkeypatch.setattr(surface_mesh_field, "BLOCK", 997)
    parts = meshed(ring, 40)
    np.testing.assert_array_equal(parts.shape.faces, whole.shape.faces)
    # the fitted networks have large weights that cancel, and products of other sizes are rounded differently
    np.testing.assert_allclose(parts.shape.vertices, whole.shape.vertices, atol=3e-4)
    assert whole.colours is not None
    assert parts.colours is not None
    np.testing.assert_allclose(parts.colours, whole.colours, atol=1e-3)


@pytest.mark.parametrize("resolution", [7, 31])
def test_networks_that_agree_on_nothing_leave_no_cracks(resolution: int) -> None:
    surface = random_surface((5, 4, 5), missing=12, seed=3)
    near, lattice = NearField(surface), lattice_around(surface, resolution)
    vertices, faces = polygons(crossed_cubes(near, lattice))
    edges, count = np.unique(np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1), axis=0, return_counts=True)
    assert count.max() == 2
    cut = edges[count == 1]
    assert 0 < len(cut) < len(edges)
    # where the mesh ends there is no cell: at most one end of such an edge is in one
    inside = surface.sample(vertices.astype(np.float32)).inside
    assert not inside[cut].all(axis=1).any()


def test_a_surface_that_leaves_its_cells_is_open_there() -> None:
    surface = plane_surface(cells=4, edge=0.5)
    mesh = meshed(surface, 21)
    assert not mesh.shape.closed
    assert mesh.open_edges > 20
    np.testing.assert_allclose(mesh.shape.vertices @ [0.36, 0.48, 0.8], 0.1, atol=1e-5)
    np.testing.assert_allclose(mesh.normals, np.tile([0.36, 0.48, 0.8], (len(mesh.normals), 1)), atol=1e-5)
    assert np.abs(mesh.shape.vertices).max() < 1 + 1.001 * mesh.spacing


def test_the_field_goes_on_beyond_the_cells() -> None:
    surface = plane_surface()
    near, points = NearField(surface), np.random.default_rng(0).uniform(-0.99, 0.99, (4000, 3))
    found, expected = near.sample(points), points @ [0.36, 0.48, 0.8] - 0.1
    beyond = ~surface.sample(points.astype(np.float32)).inside
    known = np.abs(expected) < 0.25 * np.sqrt(3)  # the cells are in a layer thicker than that
    known[beyond] |= found.distance[beyond] != np.float32(0.5)
    assert (known & beyond).sum() > 500
    np.testing.assert_allclose(found.distance[known], expected[known], atol=1e-5)
    np.testing.assert_allclose(near.distance(points), found.distance, atol=1e-5)


def test_far_from_all_cells_it_is_far() -> None:
    found = NearField(plane_surface()).sample(np.array([[30.0, 0, 0]]))
    assert found.distance[0] == pytest.approx(0.5)
    np.testing.assert_array_equal(found.gradient, 0)


def test_colours_are_those_seen_head_on(ring: NeuralSurface) -> None:
    mesh = meshed(ring, 30)
    vertices = mesh.shape.vertices.astype(np.float32)
    inside = ring.sample(vertices).inside
    expected = ring.colour(vertices, mesh.normals, -mesh.normals)
    assert inside.mean() > 0.9
    assert mesh.colours is not None
    np.testing.assert_allclose(mesh.colours[inside], expected[inside], atol=1e-5)
    np.testing.assert_allclose(mesh.colours, 0.5 + 0.4 * np.sin(3 * vertices), atol=0.05)


def test_the_largest_part() -> None:
    surface = fitted_surface(two_balls, cells=10)
    both, largest = meshed(surface, 40), meshed(surface, 40, largest=True)
    assert (both.shape.components, both.parts_left_out) == (2, 0)
    assert (largest.shape.components, largest.parts_left_out) == (1, 1)
    assert largest.shape.volume == pytest.approx(4 / 3 * np.pi * 0.45**3, rel=2e-2)


def two_balls(points: np.ndarray) -> np.ndarray:
    big, small = points - [-0.45, -0.4, -0.4], points - [0.5, 0.5, 0.5]
    return np.minimum(np.linalg.norm(big, axis=1) - 0.45, np.linalg.norm(small, axis=1) - 0.3)


def test_largest_is_by_area_not_by_faces() -> None:
    big = np.array([[0, 0, 0], [9, 0, 0], [0, 9, 0]], np.float64)
    small = np.array([[0, 0, 1], [1, 0, 1], [0, 1, 1], [1, 1, 1]], np.float64)
    faces = np.array([[3, 4, 5], [5, 4, 6], [0, 1, 2]])
    vertices, kept, left_out = largest_part(np.concatenate([big, small]), faces)
    np.testing.assert_array_equal(vertices[kept[0]], big)
    assert (len(kept), left_out) == (1, 1)


def test_fewer_faces(ring: NeuralSurface) -> None:
    mesh = meshed(ring, 60, faces=900)
    assert len(mesh.shape.faces) == 900
    assert (mesh.shape.closed, mesh.shape.manifold, euler(mesh.shape), mesh.notes) == (True, True, 0, ())
    assert mesh.shape.volume == pytest.approx(2 * np.pi**2 * 0.6 * 0.25**2, rel=2e-2)
    assert np.abs(torus(mesh.shape.vertices)).max() < 0.02
    assert len(mesh.normals) == len(mesh.shape.vertices)
    middles = mesh.shape.corners.mean(axis=1)
    assert np.abs(torus(middles)).mean() < 0.01


def test_more_faces_than_there_are_is_a_note(ball: NeuralSurface) -> None:
    plain, mesh = meshed(ball, 12), meshed(ball, 12, faces=100_000)
    assert mesh.notes == (f"--faces 100000: the mesh has only {len(plain.shape.faces):,}",)
    np.testing.assert_array_equal(mesh.shape.vertices, plain.shape.vertices)


def test_a_mesh_can_only_become_so_small(ring: NeuralSurface) -> None:
    least = simplified(meshed(ring, 20).shape, 4)
    assert len(least.faces) > 4
    assert euler(least) == 0
    mesh = meshed(ring, 20, faces=4)
    assert mesh.notes == (f"--faces 4: no fewer than {len(mesh.shape.faces):,} without changing its topology",)


def test_progress_goes_from_0_to_1(ring: NeuralSurface) -> None:
    told: list[tuple[float, str]] = []
    surface_mesh(ring, MeshOptions(20, faces=300), lambda done, stage: told.append((done, stage)))
    shares = [done for done, _ in told]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, pytest.approx(1.0))
    assert list(dict.fromkeys(stage for _, stage in told)) == ["cubes", "vertices", "fewer faces", "colours"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (MeshOptions(7), "--resolution: expected 8 (one a cell) to 2048, found 7"),
        (MeshOptions(2049), "--resolution: expected 8 (one a cell) to 2048, found 2049"),
        (MeshOptions(20, faces=3), "--faces: expected 4 or more, found 3"),
        (MeshOptions(20, texture=63), "--texture: expected 64 to 8192 pixels, found 63"),
        (MeshOptions(20, texture=64), "--texture: expected a surface with colours, found one without"),
    ],
)
def test_options_that_do_not_fit(ball: NeuralSurface, options: MeshOptions, message: str) -> None:
    with pytest.raises(KilofieldError) as caught:
        surface_mesh(ball, options, lambda done, stage: None)
    assert str(caught.value) == message


def test_cells_without_a_surface() -> None:
    surface = plane_surface(cells=4, edge=0.5)
    weights = surface.geometry.weights.copy()
    output = next(block for block in surface.geometry.shape.blocks() if block.name == "output_bias")
    weights[:, output.offset] += 100
    empty = replace(surface, geometry=replace(surface.geometry, weights=weights))
    with pytest.raises(KilofieldError, match="found none: the distance has one sign everywhere"):
        meshed(empty, 16)


def test_a_spacing_wider_than_a_cell_is_refused(ball: NeuralSurface) -> None:
    with pytest.raises(ValueError, match="expected a spacing up to a cell's edge"):
        crossed_cubes(NearField(ball), lattice_around(ball, 7))

"""Which cells there are, the places they are learnt at, and colours there, against a sphere in closed form."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fitting.kiloneus.cells import Places, draw_places, grid_around, occupied_cells
from fitting.kiloneus.colours import draw_colours
from scenes.octree import morton_codes
from scenes.surface import CellGrid
from tests.kiloneus_samples import Ball

OVERLAP = 0.2


@pytest.fixture(scope="module")
def grid() -> CellGrid:
    return grid_around(Ball().bounds, 6)


def _world(grid: CellGrid, cells: np.ndarray, local: np.ndarray) -> np.ndarray:
    return np.asarray(grid.origin) + grid.edge * (cells[:, None] + 0.5 + 0.5 * (1 + OVERLAP) * local)


def test_the_grid_holds_the_bounds_and_a_margin(grid: CellGrid) -> None:
    low, high = Ball().bounds
    assert (np.asarray(grid.origin) < low).all()
    assert (grid.corner > high).all()
    assert grid.size == (6, 6, 6)
    flat = grid_around(np.array([[0, 0, 0], [4, 1, 0]], np.float32), 16)
    assert flat.size == (16, 5, 1)
    assert flat.edge == pytest.approx(4 * 1.04 / 16)


def test_every_cell_with_surface_is_there(grid: CellGrid) -> None:
    ball = Ball()
    cells = occupied_cells(ball, grid, OVERLAP)
    rng = np.random.default_rng(0)
    normals = rng.normal(size=(200_000, 3))
    points = np.asarray(ball.centre) + ball.radius * normals / np.linalg.norm(normals, axis=1, keepdims=True)
    touched = {tuple(cell) for cell in np.floor((points - grid.origin) / grid.edge).astype(int)}
    kept = {tuple(cell) for cell in cells}
    assert touched <= kept
    assert len(kept) < 1.5 * len(touched)
    assert (np.diff(morton_codes(cells).astype(np.int64)) > 0).all()


def test_a_surface_thinner_than_a_cell_is_not_lost() -> None:
    small = Ball(radius=0.02)
    grid = CellGrid((-0.5, -0.5, -0.5), 0.25, (4, 4, 4))
    cells = occupied_cells(small, grid, 0.0)
    assert tuple(np.floor((np.asarray(small.centre) + 0.5) / 0.25).astype(int)) in {tuple(cell) for cell in cells}


def test_places_say_what_the_teacher_says(grid: CellGrid) -> None:
    cells = occupied_cells(Ball(), grid, OVERLAP)
    places = draw_places(Ball(), grid, cells, OVERLAP, 50, seed=1)
    assert places.local.shape == (len(cells), 50, 3)
    assert np.abs(places.local).max() <= 1
    distance, gradient = Ball().distance(_world(grid, cells, places.local).reshape(-1, 3))
    assert np.allclose(places.distance.ravel(), distance / grid.edge, atol=1e-5)
    assert np.allclose(places.gradient.reshape(-1, 3), gradient, atol=1e-5)
    near = np.abs(places.distance) < 0.25
    assert near.mean() > 0.3
    assert (~near).mean() > 0.2
    again = draw_places(Ball(), grid, cells, OVERLAP, 50, seed=1)
    assert np.array_equal(places.local, again.local)


@pytest.mark.parametrize("view_dependent", [False, True])
def test_colours_of_places_on_the_surface(grid: CellGrid, view_dependent: bool) -> None:
    ball = replace(Ball(), view_dependent=view_dependent)
    cells = occupied_cells(ball, grid, OVERLAP)
    places: Places = draw_places(ball, grid, cells, OVERLAP, 40, seed=2)
    seen = draw_colours(ball, grid, cells, places, OVERLAP, 30, seed=3)
    assert seen.codes.shape[2] == (6 if view_dependent else 0)
    on = seen.importance > 0
    distance = ball.distance(_world(grid, cells, seen.local).reshape(-1, 3))[0].reshape(on.shape)
    assert np.abs(distance[on]).max() < 0.2 * grid.edge
    assert on.mean() > 0.5
    if view_dependent:
        facing = (seen.codes[..., :3] * seen.codes[..., 3:]).sum(axis=2)
        assert (facing[on] <= 0).all()
        assert np.allclose(np.linalg.norm(seen.codes[..., 3:], axis=2), 1, atol=1e-5)

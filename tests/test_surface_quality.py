"""`benchmarks.surface_quality` against known answers: a sphere, one with a hole, cells that do not fit together."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from kiloneus_samples import Ball
from surface_samples import fitted_surface, plane_surface, sphere

from benchmarks.surface_quality import (
    GRAZING,
    HitQuality,
    Rays,
    degrees_between,
    face_jumps,
    judge_hits,
    rays_around,
    seams,
)
from scenes.bank import MlpBank
from scenes.surface import NeuralSurface

BALL = Ball((0.0, 0.0, 0.0), 0.7)
COUNT = 4000


def painted(points: np.ndarray) -> np.ndarray:
    return BALL.colour(points, points, points)


@cache
def surface() -> NeuralSurface:
    return fitted_surface(sphere, 10, width=32, layers=1, colour=painted, code=0)


@cache
def rays() -> Rays:
    origins, directions = rays_around(BALL.bounds, COUNT, 1)
    along = -(origins * directions).sum(axis=1)
    square = BALL.radius**2 - (np.square(origins).sum(axis=1) - along**2)
    expected = np.where(square > 0, along - np.sqrt(np.maximum(square, 0)), np.inf)
    return Rays(origins, directions, expected)


def judged(surface: NeuralSurface) -> HitQuality:
    return judge_hits(surface, BALL, rays())


def without(surface: NeuralSurface, dropped: np.ndarray) -> NeuralSurface:
    """`surface` without the cells where [K] `dropped`."""
    kept = np.flatnonzero(~dropped)
    banks = [
        None if bank is None else MlpBank(bank.shape, bank.weights[kept])
        for bank in (surface.geometry, surface.appearance)
    ]
    assert banks[0] is not None
    return replace(surface, cells=surface.cells[kept], geometry=banks[0], appearance=banks[1])


def test_rays_come_from_all_around_to_the_box() -> None:
    shot = rays()
    np.testing.assert_allclose(np.linalg.norm(shot.directions, axis=1), 1)
    assert np.abs(shot.origins.mean(axis=0)).max() < 0.02  # as many on each side
    along = -(shot.origins * shot.directions).sum(axis=1)
    nearest = shot.origins + along[:, None] * shot.directions
    assert np.abs(nearest).max() < 0.7 * 3**0.5
    assert 0.3 < np.isfinite(shot.expected).mean() < 0.9


def test_a_sphere_is_hit_where_it_is() -> None:
    found = judged(surface())
    assert found.rays == COUNT
    assert found.expected == np.isfinite(rays().expected).sum()
    assert abs(found.hits - found.expected) < 0.002 * COUNT
    assert found.distance <= found.distance_999 <= found.distance_most < 0.5
    assert found.distance < 0.05
    assert found.normal <= found.normal_999
    assert found.normal < 0.5
    assert found.holes == 0
    assert found.colour_psnr is not None
    assert found.colour_psnr > 40
    assert found.networks_a_ray > 1


def test_a_sphere_that_is_too_large_is_off_by_as_much() -> None:
    larger = fitted_surface(lambda points: sphere(points, 0.71), 10, width=32, layers=1, colour=painted, code=0)
    diagonal = np.linalg.norm(BALL.bounds[1] - BALL.bounds[0])
    assert judged(larger).distance == pytest.approx(100 * 0.01 / diagonal, rel=0.01)


def test_without_a_cell_there_is_a_hole_of_its_size() -> None:
    whole = surface()
    centres = -1 + (whole.cells + 0.5) * whole.grid.edge
    cap = centres[:, 2] > 0.4
    found = judged(without(whole, cap))
    shot = rays()
    met = np.isfinite(shot.expected)
    points = shot.origins[met] + shot.expected[met, None] * shot.directions[met]
    lost = points[:, 2] > 0.4
    assert found.holes_with_grazing == pytest.approx(100 * lost.mean(), abs=1.0)
    grazing = np.abs((points * shot.directions[met]).sum(axis=1)) < 0.7 * np.sin(np.radians(GRAZING))
    assert found.holes == pytest.approx(100 * (lost & ~grazing).mean(), abs=1.0)
    assert 0 < found.holes < found.holes_with_grazing


def test_blended_cells_have_no_seams() -> None:
    found = seams(surface(), 200, 0)
    assert found.points == 200
    assert found.distance_999 < 1e-3
    assert found.normal_999 < 0.02


def test_places_are_on_faces_and_on_the_surface() -> None:
    jumps = face_jumps(surface(), 200, 2)
    grid = surface().grid
    world = np.asarray(grid.origin) + grid.edge * jumps.places
    assert np.abs(sphere(world)).max() < 2e-3
    off = np.abs(jumps.places - np.round(jumps.places))
    assert ((off == 0).sum(axis=1) == 1).all()  # on a face, not on an edge


def test_cells_that_were_tilted_one_by_one_have_that_angle_between_them() -> None:
    angle = 0.05
    jumps = face_jumps(tilted_cells(angle), 300, 0)
    across_x = jumps.places[:, 0] == np.round(jumps.places[:, 0])
    assert 50 < across_x.sum() < 250
    np.testing.assert_allclose(jumps.angles[across_x], np.degrees(angle), rtol=1e-3)
    np.testing.assert_allclose(jumps.angles[~across_x], 0, atol=1e-3)
    assert seams(tilted_cells(angle), 300, 0).normal_999 == pytest.approx(np.degrees(angle), rel=1e-3)


def test_cells_that_were_moved_one_by_one_are_as_far_apart() -> None:
    flat = tilted_cells(0.0)
    bias = next(block for block in flat.geometry.shape.blocks() if block.name == "output_bias")
    weights = flat.geometry.weights.copy()
    weights[flat.cells[:, 0] % 2 == 1, bias.offset] += 0.03
    jumps = face_jumps(replace(flat, geometry=MlpBank(flat.geometry.shape, weights)), 300, 0)
    across_x = jumps.places[:, 0] == np.round(jumps.places[:, 0])
    np.testing.assert_allclose(jumps.distances, np.where(across_x, 0.03, 0), atol=1e-4)


def tilted_cells(angle: float) -> NeuralSurface:
    """A plane in cells without overlap; in those with odd x it leans the other way."""
    normal = np.array([0.36, 0.48, 0.8])
    flat = plane_surface((0.36, 0.48, 0.8))
    blocks = {block.name: slice(block.offset, block.stop) for block in flat.geometry.shape.blocks()}
    weights, odd = flat.geometry.weights.copy(), flat.cells[:, 0] % 2 == 1
    axis = np.cross(normal, [1.0, 0.0, 0.0])
    turned = np.cos(angle) * normal + np.sin(angle) * axis / np.linalg.norm(axis)
    for rows, direction in ((~odd, normal), (odd, turned)):
        slope = direction / 2  # a local unit is half an edge
        weights[rows, blocks["output"]] = np.concatenate([slope, -slope, [0, 0]])
    return replace(flat, overlap=0.0, geometry=MlpBank(flat.geometry.shape, weights))


def test_small_angles_are_exact() -> None:
    a = np.array([[1.0, 0, 0], [0, 2.0, 0], [1.0, 0, 0]])
    b = np.array([[1.0, 1e-6, 0], [0, 0, -3.0], [-1.0, 0, 0]])
    np.testing.assert_allclose(degrees_between(a, b), [np.degrees(1e-6), 90, 180], rtol=1e-6)

"""The NeuS model: its formula for the gradient, its start as a sphere, its colours; bounds of a scene."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from fitting import hash_grid
from fitting.hash_grid import HashGridShape
from fitting.kiloneus import neus
from fitting.kiloneus.bounds import find_bounds
from fitting.kiloneus.neus import RADIUS, Neus, harmonics
from fitting.kiloneus.neus_photographs import Photographs, SceneFrame
from fitting.neuralgs.targets import Target
from scenes.cameras import look_at
from scenes.errors import KilofieldError
from tests.neus_samples import CENTRE, FAR, sphere_cameras, sphere_photographs
from tests.neus_samples import RADIUS as SPHERE

SHAPE = HashGridShape(4, 2, 9, 4, 1.7)
CPU = torch.device("cpu")


def _model(noise: float = 0.0) -> Neus:
    model = Neus.new(SHAPE, torch.Generator().manual_seed(0), CPU)
    with torch.no_grad():
        model.tensors["table"] += noise * torch.randn(model.tensors["table"].shape, generator=torch.manual_seed(1))
    return model


def _points(count: int) -> torch.Tensor:
    return 2 * torch.rand(count, 3, generator=torch.Generator().manual_seed(2)) - 1


def test_untrained_field_is_a_sphere() -> None:
    points = _points(2000)
    points = points[torch.linalg.vector_norm(points, dim=1) > 0.2]
    with torch.no_grad():
        found = _model().geometry(points)
    radii = torch.linalg.vector_norm(points, dim=1)
    assert float((found.sdf - (radii - RADIUS)).abs().max()) < 0.03
    assert float((found.gradient - points / radii[:, None]).norm(dim=1).max()) < 0.2


def test_gradient_is_that_of_automatic_differentiation(monkeypatch: pytest.MonkeyPatch) -> None:
    def plain(shape, table, points):
        features, jacobian = hash_grid.features_and_jacobian(shape, table, points)
        return features, lambda u: torch.einsum("nkf,nf->nk", jacobian, u)

    monkeypatch.setattr(neus, "encode", plain)  # the one that can be differentiated by position
    model = _model(noise=0.3)
    model.tensors = {name: t.detach().double() for name, t in model.tensors.items()}
    model.use_levels(2.5)
    model.level_weights = model.level_weights.double()
    points = _points(200).double().requires_grad_()
    found = model.geometry(points)
    (expected,) = torch.autograd.grad(found.sdf.sum(), points)
    assert float(expected.norm(dim=1).std()) > 0.1
    torch.testing.assert_close(found.gradient, expected, rtol=1e-5, atol=1e-6)


def test_distance_alone_is_the_same() -> None:
    model, points = _model(noise=0.3), _points(100)
    torch.testing.assert_close(model.distance(points), model.geometry(points).sdf, rtol=1e-5, atol=1e-6)


def test_levels_that_do_not_take_part_change_nothing() -> None:
    models, points = (_model(0.3), _model(0.3)), _points(100)
    with torch.no_grad():
        models[1].tensors["table"][SHAPE.offsets[2] :] = 7
    for model in models:
        model.use_levels(2)
    assert torch.equal(models[0].distance(points), models[1].distance(points))
    for model in models:
        model.use_levels(2.01)
    assert not torch.equal(models[0].distance(points), models[1].distance(points))


def test_harmonics_are_orthogonal_and_of_one_size() -> None:
    directions = neus.sphere_directions(4000)
    values = harmonics(directions)
    products = values.T @ values / len(values)
    torch.testing.assert_close(products, torch.diag(products.diagonal()), atol=5e-3, rtol=0)
    torch.testing.assert_close(products.diagonal(), torch.full((8,), 1 / 3), atol=5e-3, rtol=0)


def test_pixels_look_where_cameras_project() -> None:
    frame = SceneFrame(np.array([0.5, -1.0, 2.0]), 2.5)
    camera = replace(sphere_cameras(3)[1], pixel_aspect=1.2, centre=(0.4, 0.55))
    width, height = 40, 30
    photographs = Photographs.of([Target(camera, torch.zeros(height, width, 4))], frame, CPU)
    pixels = np.array([0, 17, 40 * 12 + 33, 40 * 30 - 1])
    rays = photographs.rays(pixels)
    world = (rays.origins + 0.7 * rays.directions).numpy() * frame.half + frame.centre
    inside = world @ camera.camera_from_world[:3, :3].T + camera.camera_from_world[:3, 3]
    fx, fy, cx, cy = camera.intrinsics(width, height)
    np.testing.assert_allclose(fx * inside[:, 0] / inside[:, 2] + cx, pixels % width + 0.5, atol=1e-3)
    np.testing.assert_allclose(fy * inside[:, 1] / inside[:, 2] + cy, pixels // width + 0.5, atol=1e-3)


def test_bounds_of_a_masked_sphere() -> None:
    bounds = find_bounds(sphere_photographs(24, 64), 48)
    np.testing.assert_allclose(bounds.frame.centre, CENTRE, atol=0.06)
    assert SPHERE < bounds.frame.half < 1.25 * SPHERE
    assert (bounds.world_box[0] < np.array(CENTRE) - SPHERE).all()
    assert (bounds.world_box[1] > np.array(CENTRE) + SPHERE).all()
    places = np.stack(np.meshgrid(*[(np.arange(48) + 0.5) / 24 - 1] * 3, indexing="ij"), axis=3)
    world = bounds.frame.centre + bounds.frame.half * places
    exact = (np.linalg.norm(world - np.array(CENTRE), axis=3) - SPHERE) / bounds.frame.half
    assert bounds.hull is not None
    assert bounds.allowed[exact < 0.02].all()
    assert np.abs(bounds.hull - exact)[np.abs(exact) < 0.3].max() < 0.12  # a hull of 24 views is larger
    assert not bounds.allowed[exact > 0.25].any()


def test_bounds_without_masks_are_around_what_cameras_look_at() -> None:
    bounds = find_bounds(sphere_photographs(8, 16, opaque=True), 8)
    np.testing.assert_allclose(bounds.frame.centre, CENTRE, atol=1e-6)
    assert bounds.frame.half == pytest.approx(0.5 * FAR)
    assert bounds.hull is None
    assert bounds.allowed.all()


def test_masks_that_share_nothing_are_an_error() -> None:
    targets = sphere_photographs(6, 32)
    targets[3:] = [Target(t.camera, torch.zeros_like(t.rgba)) for t in targets[3:]]
    with pytest.raises(KilofieldError, match="found none that all of them cover"):
        find_bounds(targets, 16)


def test_cameras_that_look_away_are_an_error() -> None:
    eyes = [np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), np.array([0, 0, 1.0])]
    cameras = [look_at(eye, 2 * eye, np.array([0.3, 0.2, 0.1]), 0.5) for eye in eyes]
    with pytest.raises(KilofieldError, match="looking away from each other"):
        find_bounds([Target(c, torch.ones(4, 4, 4)) for c in cameras], 8)

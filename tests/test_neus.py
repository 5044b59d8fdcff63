"""The NeuS model: its formula for the gradient, its start as a sphere, its colours; bounds of a scene."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fitting import hash_grid
from fitting.hash_grid import HashGridShape
from fitting.kiloneus import neus
from fitting.kiloneus.bounds import find_bounds
from fitting.kiloneus.neus import RADIUS, Neus, harmonics
from fitting.kiloneus.neus_photographs import Pixels, SceneFrame, View, load_views
from scenes.errors import KilofieldError
from scenes.lenses import Lens
from scenes.photographs import Photograph
from tests.neus_samples import AROUND, CENTRE, sphere_cameras, sphere_views
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


def test_pixels_look_where_their_photograph_does() -> None:
    frame = SceneFrame(np.array([0.5, -1.0, 2.0]), 2.5)
    lens = Lens(radial=(-0.1, 0.02), tangential=(0.01, -0.02))
    cameras = sphere_cameras(3)
    photographs = [
        Photograph(cameras[0], Path(), 80, 60),
        Photograph(replace(cameras[1], pixel_aspect=1.2, centre=(0.4, 0.55)), Path(), 80, 60, lens),
        Photograph(cameras[2], Path(), 80, 60),
    ]
    pixels = Pixels.of([View(p, torch.zeros(30, 40, 4)) for p in photographs], frame, CPU)
    assert len(pixels.directions) == 2 * 40 * 30  # the first and the last share theirs
    for number, photograph in enumerate(photographs):
        places = np.array([0, 17, 40 * 12 + 33, 40 * 30 - 1])
        rays = pixels.rays(places + number * 40 * 30)
        world = (rays.origins + 0.7 * rays.directions).double().numpy() * frame.half + frame.centre
        found = photograph.pixels_of(world) / 2
        np.testing.assert_allclose(found, np.stack([places % 40, places // 40], axis=1) + 0.5, atol=1e-3)
        torch.testing.assert_close(torch.linalg.vector_norm(rays.directions, dim=1), torch.ones(4))


def test_pixels_beyond_the_lens_are_left_out() -> None:
    blind = Photograph(sphere_cameras(1)[0], Path(), 40, 30, Lens(radial=(-2.5,)))
    pixels = Pixels.of([View(blind, torch.zeros(30, 40, 4))], SceneFrame(np.zeros(3), 1.0), CPU)
    assert 0 < len(pixels.seen) < 40 * 30
    assert np.array_equal(pixels.seen, np.flatnonzero(blind.rays().seen))


def test_photographs_are_averaged_down_and_premultiplied(tmp_path: Path) -> None:
    rgba = np.zeros((4, 8, 4), np.uint8)
    rgba[:2, :2] = [[[200, 100, 0, 255], [0, 0, 0, 0]], [[100, 100, 200, 255], [50, 0, 0, 0]]]
    Image.fromarray(rgba).save(tmp_path / "a.png")
    photograph = Photograph(sphere_cameras(1)[0], tmp_path / "a.png", 8, 4)
    (view,) = load_views([photograph], 4)
    assert view.size == (4, 2)
    torch.testing.assert_close(view.rgba[0, 0].float() * 255, torch.tensor([75.0, 50, 50, 127.5]), atol=0.2, rtol=0)
    assert load_views([photograph], 100)[0].size == (8, 4)


def test_bounds_of_a_masked_sphere() -> None:
    bounds = find_bounds(sphere_views(24, 64), AROUND, 48)
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


def test_bounds_without_masks_are_the_sphere() -> None:
    bounds = find_bounds(sphere_views(8, 16, opaque=True), AROUND, 8)
    assert tuple(bounds.frame.centre) == CENTRE
    assert bounds.frame.half == AROUND.radius
    assert bounds.hull is None
    assert bounds.allowed.all()


def test_masks_that_share_nothing_are_an_error() -> None:
    views = sphere_views(6, 32)
    views[3:] = [View(v.photograph, torch.zeros_like(v.rgba)) for v in views[3:]]
    with pytest.raises(KilofieldError, match="found none that all of them cover"):
        find_bounds(views, AROUND, 16)


def test_cameras_that_look_at_nothing_together_are_an_error() -> None:
    with pytest.raises(KilofieldError, match="cameras: expected them to look at one object"):
        find_bounds(sphere_views(3, 4), None, 8)

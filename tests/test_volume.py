"""Volume rendering of distances: against closed forms, and against a loop over samples."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from fitting.kiloneus.volume import Rays, Samples, decline, render, section_passing, section_weights
from tests.neus_samples import SphereField

START = 2.0  # how far before the sphere's middle rays begin
STEP = 1 / 1024


def _rays_beside(distances: list[float]) -> Rays:
    """Along z, past the middle of the sphere at `distances`."""
    origins = torch.tensor([[d, 0.0, -START] for d in distances])
    return Rays(origins, torch.tensor([[0.0, 0.0, 1.0]]).expand(len(distances), 3))


def _everywhere(rays: Rays, length: float = STEP) -> Samples:
    """Sections without gaps along 2 `START`."""
    count = round(2 * START / length)
    depths = (torch.arange(count) + 0.5) * length
    return Samples(torch.arange(len(rays) + 1) * count, depths.repeat(len(rays)), length)


def _phi(x: float) -> float:
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize("sharpness", [5.0, 20.0, 100.0, 1000.0])
def test_opacity_of_a_sphere_is_the_closed_form(sharpness: float) -> None:
    """The distance falls to its least on the way, so all that passes is Phi there over Phi at the start."""
    radius, distances = 0.5, [0.0, 0.3, 0.49, 0.51, 0.7]
    rays = _rays_beside(distances)
    shown = render(SphereField(radius), rays, _everywhere(rays), torch.tensor(sharpness))
    for distance, opacity in zip(distances, shown.opacity.tolist(), strict=True):
        start = math.hypot(distance, START) - radius
        expected = 1 - _phi(sharpness * (distance - radius)) / _phi(sharpness * start)
        assert opacity == pytest.approx(expected, abs=2e-4)


@pytest.mark.parametrize("sharpness", [5.0, 20.0, 100.0, 1000.0])
def test_depth_through_the_middle_is_the_closed_form(sharpness: float) -> None:
    """The integral of depth over what is hidden, by parts; it nears the surface as the sharpness grows."""
    radius, rays = 0.5, _rays_beside([0.0])
    shown = render(SphereField(radius), rays, _everywhere(rays), torch.tensor(sharpness))
    softplus = [x if x > 30 else math.log1p(math.exp(x)) for x in (sharpness * (START - radius), -sharpness * radius)]
    expected = -START * _phi(-sharpness * radius) + (softplus[0] - softplus[1]) / sharpness
    assert float(shown.depth) == pytest.approx(expected / _phi(sharpness * (START - radius)), abs=1e-3)
    assert abs(float(shown.depth) - (START - radius)) < 5 / sharpness**2 + 1e-3 + 3 * math.exp(-sharpness * radius)


def test_sharp_sphere_shows_its_surface() -> None:
    rays = _rays_beside([0.0, 0.2, 0.4])
    shown = render(SphereField(0.5), rays, _everywhere(rays), torch.tensor(3000.0))
    x = rays.origins[:, 0]
    z = -torch.sqrt(0.25 - x**2)
    normals = torch.stack([2 * x, torch.zeros(3), 2 * z], dim=1)
    torch.testing.assert_close(shown.normal, normals, atol=5e-3, rtol=0)
    torch.testing.assert_close(shown.colour, 0.5 + 0.4 * torch.sin(3 * normals), atol=5e-3, rtol=0)
    torch.testing.assert_close(shown.over(torch.ones(3)), shown.colour, atol=1e-3, rtol=0)


def test_coarse_sections_lose_nothing_of_a_plane() -> None:
    """A section's ends are exact where the distance is linear, however long it is."""
    rays = Rays(torch.tensor([[0.0, 0.0, -1.0]]), torch.tensor([[0.0, 0.0, 1.0]]))

    class Plane(SphereField):
        def geometry(self, points: Tensor):
            found = super().geometry(points)
            return type(found)(-points[:, 2], torch.tensor([[0.0, 0.0, -1.0]]).expand_as(points), points)

    depths = (torch.arange(20) + 0.5) * 0.1
    shown = render(Plane(1), rays, Samples(torch.tensor([0, 20]), depths, 0.1), torch.tensor(50.0))
    assert float(shown.opacity) == pytest.approx(1, abs=1e-6)
    assert float(shown.depth) == pytest.approx(1, abs=0.01)


def test_compositing_equals_a_loop() -> None:
    generator = torch.Generator().manual_seed(0)
    counts = [3, 0, 5, 1, 0, 7, 0]
    starts = torch.tensor([0, *counts]).cumsum(0)
    passing = -torch.rand(sum(counts), generator=generator) * torch.tensor([3.0, 40, 0.01])[torch.arange(16) % 3]
    ray = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    weights = section_weights(passing, starts, ray)
    for r in range(len(counts)):
        light = 1.0
        for i in range(int(starts[r]), int(starts[r + 1])):
            alpha = 1 - math.exp(float(passing[i]))
            assert float(weights[i]) == pytest.approx(light * alpha, rel=1e-5, abs=1e-7)
            light *= 1 - alpha


def test_rendering_adds_up_weights_by_ray() -> None:
    rays = _rays_beside([0.1, 0.3, 5.0])
    depths = torch.tensor([1.4, 1.5, 1.6, 1.5, 1.7])
    samples = Samples(torch.tensor([0, 3, 5, 5]), depths, 0.1)
    field = SphereField(0.5)
    shown = render(field, rays, samples, torch.tensor(10.0))
    for r, rows in enumerate(([0, 1, 2], [3, 4], [])):
        colour, opacity, depth = torch.zeros(3), 0.0, 0.0
        for i in rows:
            point = rays.origins[r] + depths[i] * rays.directions[r]
            found = field.geometry(point[None])
            colour += float(shown.weights[i]) * field.colour(point, found.gradient, point, point)[0]
            opacity += float(shown.weights[i])
            depth += float(shown.weights[i] * depths[i])
        torch.testing.assert_close(shown.colour[r], colour)
        assert float(shown.opacity[r]) == pytest.approx(opacity)
        assert float(shown.depth[r]) == pytest.approx(depth)
    assert float(shown.opacity[0]) > 0.1


def test_leaving_a_surface_hides_nothing() -> None:
    cosine = torch.tensor([-1.0, -0.5, 0.0, 0.5, 1.0])
    assert decline(cosine, 1.0).tolist() == [-1, -0.5, 0, 0, 0]
    assert decline(cosine, 0.0).tolist() == [-1, -0.75, -0.5, -0.25, 0]
    passing = section_passing(torch.zeros(5), decline(cosine, 1.0), 0.1, torch.tensor(50.0))
    assert bool((passing <= 0).all())
    assert passing[2:].tolist() == [0, 0, 0]


def test_deep_inside_is_opaque_and_finite() -> None:
    """Where Phi underflows, logarithms still tell how much passes: exp(-s times the way down)."""
    passing = section_passing(torch.tensor([-5.0]), torch.tensor([-1.0]), 0.01, torch.tensor(1000.0))
    assert float(passing) == pytest.approx(-10, rel=1e-3)


def test_gradients_by_distance_equal_finite_differences() -> None:
    starts, ray = torch.tensor([0, 4, 4, 6]), torch.tensor([0, 0, 0, 0, 2, 2])
    values = torch.tensor([0.1, 0.02, -0.05, 0.03, 0.04, -0.01], dtype=torch.float64, requires_grad=True)
    slope = torch.full((6,), -0.7, dtype=torch.float64)

    def weights(sdf: Tensor, sharpness: Tensor) -> Tensor:
        return section_weights(section_passing(sdf, slope, 0.05, sharpness), starts, ray)

    sharpness = torch.tensor(30.0, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(weights, (values, sharpness))

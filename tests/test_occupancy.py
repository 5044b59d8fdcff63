"""The occupancy grid: both marchers agree, and nothing that can be seen is skipped."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fitting.kiloneus.occupancy import EMPTY, INSIDE, NEAR, Occupancy, march, march_torch
from fitting.kiloneus.volume import Rays, render
from tests.neus_samples import SphereField

CPU = torch.device("cpu")


def _rays(count: int) -> Rays:
    """From all around towards the box, some past it, some from within it, some along an axis."""
    generator = torch.Generator().manual_seed(0)
    origins = torch.randn(count, 3, generator=generator)
    origins = 3 * torch.nn.functional.normalize(origins, dim=1)
    aims = 1.6 * torch.rand(count, 3, generator=generator) - 0.8
    origins[:5] *= 0.2
    directions = torch.nn.functional.normalize(aims - origins, dim=1)
    origins[5:8], directions[5:8] = torch.tensor([0.1, 0.2, -3.0]), torch.tensor([0.0, 0, 1])
    return Rays(origins, directions)


def _sphere(radius: float, sharpness: float, length: float, voxels: int = 48) -> Occupancy:
    occupancy = Occupancy.everywhere(np.ones((voxels,) * 3, bool))
    occupancy.update(lambda p: SphereField(radius).geometry(p).sdf, sharpness, length, CPU)
    return occupancy


def test_both_marchers_take_the_same_sections() -> None:
    rays, offsets = _rays(3000), torch.rand(3000, generator=torch.Generator().manual_seed(1))
    occupancy = _sphere(0.6, 200.0, 0.02)
    assert {EMPTY, NEAR, INSIDE} == set(np.unique(occupancy.state).tolist())
    fast = march(occupancy, rays, 0.02, offsets)
    plain = march_torch(occupancy, rays, 0.02, offsets)
    assert len(plain.depths) > 10_000
    different = (fast.starts.diff() != plain.starts.diff()).sum()
    assert int(different) <= 3  # rounding at the face of a voxel
    if int(different) == 0:
        torch.testing.assert_close(fast.depths, plain.depths, atol=1e-5, rtol=0)


def test_sections_lie_in_the_box_one_length_apart() -> None:
    rays = _rays(500)
    samples = march(Occupancy.everywhere(np.ones((8, 8, 8), bool)), rays, 0.05, torch.full((500,), 0.5))
    points = rays.origins[samples.rays] + samples.depths[:, None] * rays.directions[samples.rays]
    assert float(points.abs().max()) <= 1 + 1e-5
    first, second = samples.starts[:-1], samples.starts[:-1] + 1
    several = samples.starts.diff() > 1
    gaps = samples.depths[second[several]] - samples.depths[first[several]]
    torch.testing.assert_close(gaps, torch.full_like(gaps, 0.05), atol=1e-5, rtol=0)


@pytest.mark.parametrize("sharpness", [20.0, 100.0, 500.0, 3000.0])
@pytest.mark.parametrize("radius", [0.05, 0.3, 0.8])
def test_skipping_changes_no_picture(sharpness: float, radius: float) -> None:
    rays, length = _rays(1000), 0.01
    offsets = torch.rand(1000, generator=torch.Generator().manual_seed(2))
    full = march(Occupancy.everywhere(np.ones((4, 4, 4), bool)), rays, length, offsets)
    some = march(_sphere(radius, sharpness, length), rays, length, offsets)
    pictures = [render(SphereField(radius), rays, s, torch.tensor(sharpness)) for s in (full, some)]
    outside = torch.linalg.vector_norm(rays.origins, dim=1) > radius
    torch.testing.assert_close(pictures[1].opacity[outside], pictures[0].opacity[outside], atol=0.02, rtol=0)
    torch.testing.assert_close(pictures[1].colour[outside], pictures[0].colour[outside], atol=0.02, rtol=0)
    if sharpness >= 500:
        assert len(some.depths) < 0.25 * len(full.depths)


def test_a_sharper_field_needs_fewer_sections() -> None:
    counts = [int((_sphere(0.6, s, 0.01).state == NEAR).sum()) for s in (30.0, 100.0, 1000.0)]
    assert counts[0] > counts[1] > counts[2] > 0


def test_what_is_not_allowed_stays_empty() -> None:
    allowed = np.zeros((8, 8, 8), bool)
    allowed[:4] = True
    occupancy = Occupancy.everywhere(allowed)
    for _ in range(2):
        assert (occupancy.state[4:] == EMPTY).all()
        assert (occupancy.state[:4] == NEAR).any()
        occupancy.update(lambda p: p[:, 0], 50.0, 0.01, CPU)

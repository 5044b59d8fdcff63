"""The model that is fitted: what torch shows is what the file holds, and its pieces obey their laws."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fitting.neuralgs.model import NeuralModel, position_grid, start_model
from fitting.neuralgs.size import plan_for_bytes, plan_for_quality, rescale_towards
from fitting.neuralgs.tune import Tuner
from scenes.gaussians import Gaussians
from scenes.kilo import pack_kilo, unpack_kilo
from scenes.kilo_writer import encode_kilo
from tests.test_canonical import covariances, random_gaussians


def model_of(gaussians: Gaussians, coarseness: float = 1.0, networks: int = 1) -> NeuralModel:
    weight = np.random.default_rng(0).uniform(0.5, 2, len(gaussians))
    return start_model(
        gaussians,
        weight,
        coarseness=coarseness,
        layers=1,
        width=8,
        networks=networks,
        seed=0,
        device=torch.device("cpu"),
    )


@pytest.mark.parametrize("networks", [1, 3])
@pytest.mark.parametrize("degree", [0, 1])
def test_torch_and_the_file_decode_alike(networks: int, degree: int) -> None:
    model = model_of(random_gaussians(400, degree), networks=networks)
    with torch.no_grad():
        model.weights += 0.05 * torch.randn(model.weights.shape, generator=torch.Generator().manual_seed(1))
        shown = model.decode(rounded_weights=True)
    order = model.file_order()
    read = unpack_kilo(pack_kilo(model.pack())).decode()
    pairs = (
        (shown.positions, read.positions),
        (shown.log_scales, read.log_scales),
        (shown.opacity_logits, read.opacity_logits),
        (shown.sh, read.sh),
        (torch.nn.functional.normalize(shown.rotations, dim=1), read.rotations),
    )
    for tensor, array in pairs:
        assert np.abs(tensor.numpy()[order] - array).max() < 1e-4 * np.ptp(array)


def test_a_fine_start_is_the_scene_itself() -> None:
    """With as many codes as channels and a small step nothing is lost but the clipping of opacities."""
    gaussians = random_gaussians(300, 0)
    model = model_of(gaussians, coarseness=0.02)
    order = np.argsort(model.file_order())
    read = model.pack().decode().select(order)
    assert np.abs(read.sh - gaussians.sh).max() < 0.03
    before, after = (covariances(g.log_scales, g.rotations) for g in (gaussians, read))
    assert np.median(np.abs(after - before)) < 0.02 * np.median(np.abs(before))
    assert np.abs(read.positions - gaussians.positions).max() <= 0.51 * model.grid.step


def test_the_grid_covers_all_positions() -> None:
    gaussians = random_gaussians(1000)
    grid = position_grid(gaussians)
    snapped = grid.positions(grid.cells(gaussians.positions))
    assert np.abs(snapped - gaussians.positions).max() <= 0.51 * grid.step


def test_the_prior_knows_its_bits() -> None:
    """For Laplace codes and their own prior, the expected bits are near the entropy of the rounded codes."""
    model = model_of(random_gaussians(300, 0))
    codes = torch.distributions.Laplace(0.0, 4.0).sample((200_000, 1))
    model.codes, model.prior_mean, model.prior_log_scale = codes, torch.zeros(1), torch.full((1,), np.log(4.0))
    noise = torch.rand(codes.shape, generator=torch.Generator().manual_seed(0)) - 0.5
    bits = float(model.bits(noise)) / len(codes)
    counts = np.unique(codes.round().numpy(), return_counts=True)[1] / len(codes)
    assert bits == pytest.approx(-(counts * np.log2(counts)).sum(), rel=0.02)


def test_changing_the_codes_unit_changes_bytes_and_not_the_picture() -> None:
    model = model_of(random_gaussians(3000), coarseness=0.5)
    tuner = Tuner(model, [], 1.0, 100, 0, 3e-2)
    before = model.decode(rounded_weights=False)
    size = encode_kilo(model.pack())[1].total
    rescale_towards(tuner, int(0.9 * size))
    after = model.decode(rounded_weights=False)
    assert encode_kilo(model.pack())[1].total == pytest.approx(0.985 * 0.9 * size, rel=0.03)
    assert (after.sh - before.sh).abs().mean() < 0.1  # rounding differs, the decoder does not


def test_frozen_positions_keep_still_and_clusters_follow_the_curve() -> None:
    model = model_of(random_gaussians(500), networks=4)
    with torch.no_grad():
        model.positions += 0.3
        model.positions[:10] -= 1.0
    model.freeze_positions()
    packed = model.pack()
    assert (packed.counts == 125).all()
    again = unpack_kilo(pack_kilo(packed))
    assert np.array_equal(again.positions, packed.positions)


def test_clusters_that_follow_the_curve_are_cheaper() -> None:
    model = model_of(random_gaussians(4000), networks=4)
    with torch.no_grad():
        model.positions += 0.2 * torch.randn(model.positions.shape, generator=torch.Generator().manual_seed(0))
    before = encode_kilo(model.pack())[1].positions
    model.follow_curve()
    after = encode_kilo(model.pack())
    assert after[1].positions < 0.95 * before
    assert len(unpack_kilo(after[0])) == 4000


def test_plans_grow_with_quality_and_budget() -> None:
    counts = [plan_for_quality(q, 50_000, 0).count for q in ("small", "medium", "high")]
    assert counts == sorted(set(counts))
    budgets = [plan_for_bytes(b, 50_000, 2) for b in (20_000, 100_000, 10_000_000)]
    assert budgets[0].count < budgets[1].count < budgets[2].count <= 45_000
    assert budgets[2].coarseness < budgets[1].coarseness
    assert plan_for_quality("small", 3, 0).count >= 1

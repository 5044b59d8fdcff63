"""The bank in torch against the bank in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fitting.torch_bank import ClusterBatch, evaluate_bank, initial_weights, quantise_weights
from scenes.bank import ACTIVATIONS, MODULATION_GAIN, BankShape, MlpBank

SHAPES = [
    BankShape((), 8, 16, 0, 10),
    BankShape((1.0, 3.0), 12, 16, 1, 34, activation="relu"),
    BankShape((2.0,), 4, 8, 2, 7, linear=False, activation="softplus"),
    BankShape((1.0, 2.0, 4.0), 0, 128, 4, 10, linear=False, output_activation="tanh"),
    *(BankShape((3.0,), 3, 12, 1, 5, activation=a) for a in ACTIVATIONS),
    BankShape((1.0, 2.0), 6, 16, 1, 7, modulation=(2, 2, 2)),
    BankShape((), 0, 16, 3, 7, linear=False, activation="sine", modulation=(5, 1, 3)),
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("networks", [1, 5])
def test_torch_and_numpy_agree(shape: BankShape, networks: int) -> None:
    rng = np.random.default_rng(3)
    weights = rng.normal(0, 0.5, (networks, shape.parameters)).astype(np.float32)
    for block in shape.blocks():
        weights[:, block.offset : block.stop] /= MODULATION_GAIN if block.name.startswith("modulation") else 1
    clusters = rng.integers(0, networks, 200)
    clusters[clusters == 2] = 0  # an empty cluster
    local = rng.uniform(-1.1, 1.1, (200, 3)).astype(np.float32)
    codes = rng.normal(0, 3, (200, shape.code)).astype(np.float32)
    expected = MlpBank(shape, weights).evaluate(clusters, local, codes)
    batch = ClusterBatch(clusters, networks, torch.device("cpu"))
    found = evaluate_bank(shape, *map(torch.from_numpy, (weights, local, codes)), batch=batch).numpy()
    assert np.abs(found - expected).max() < 1e-4 * np.ptp(expected)


def test_padding_and_back_is_the_identity() -> None:
    clusters = np.array([2, 0, 0, 2, 1, 0])
    batch = ClusterBatch(clusters, 4, torch.device("cpu"))
    values = torch.arange(18.0).view(6, 3)
    assert torch.equal(batch.unpad(batch.pad(values)), values)


def test_a_fresh_bank_starts_at_its_linear_path() -> None:
    shape = BankShape((1.0,), 4, 16, 2, 6)
    weights = initial_weights(shape, 2, torch.Generator().manual_seed(0))
    batch = ClusterBatch(np.zeros(50, np.int64), 2, torch.device("cpu"))
    generator = torch.Generator().manual_seed(1)
    local, codes = torch.rand(50, 3, generator=generator), torch.randn(50, 4, generator=generator)
    assert evaluate_bank(shape, weights, local, codes, batch).abs().max() < 0.1


def test_rounded_weights_are_within_half_a_step_and_pass_gradients() -> None:
    shape = BankShape((1.0,), 4, 16, 1, 6)
    weights = initial_weights(shape, 3, torch.Generator().manual_seed(0)).requires_grad_()
    rounded, steps = quantise_weights(shape, weights)
    for i, block in enumerate(shape.blocks()):
        error = (rounded - weights)[:, block.offset : block.stop].abs().amax(dim=1)
        assert bool((error <= 0.5001 * steps[:, i] + 1e-12).all())
        integers = rounded[:, block.offset : block.stop] / steps[:, i : i + 1]
        assert (integers - integers.round()).abs().max() < 1e-3
        assert integers.abs().max() < 127.01
    rounded.sum().backward()
    assert weights.grad is not None
    assert torch.equal(weights.grad, torch.ones_like(weights))

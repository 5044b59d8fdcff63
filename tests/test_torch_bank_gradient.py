"""Networks with derivatives in torch against their numpy twin and against automatic differentiation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fitting.torch_bank_gradient import evaluate_with_gradient
from scenes import bank_gradient
from scenes.bank import BankShape
from tests.surface_samples import random_bank

SHAPES = [
    BankShape((), 0, 8, 2, 1, linear=False, activation="sine"),
    BankShape((1.5, 3.0), 0, 8, 2, 2, linear=False, activation="tanh"),
    BankShape((2.0,), 6, 8, 1, 3, linear=True, activation="softplus", output_activation="tanh"),
    BankShape((), 0, 12, 2, 1, linear=False, activation="sine", modulation=(3, 2, 4)),
    BankShape((1.0,), 2, 8, 3, 2, linear=False, activation="relu"),
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_as_in_numpy(shape: BankShape) -> None:
    bank = random_bank(shape, 3, seed=1, spread=0.3)
    rng = np.random.default_rng(2)
    local = rng.uniform(-1.05, 1.05, (3, 20, 3)).astype(np.float32)
    codes = rng.normal(size=(3, 20, shape.code)).astype(np.float32)
    found, slopes = evaluate_with_gradient(
        shape, torch.from_numpy(bank.weights), torch.from_numpy(local), torch.from_numpy(codes) if shape.code else None
    )
    network = np.repeat(np.arange(3), 20)
    expected, expected_slopes = bank_gradient.evaluate_with_gradient(
        bank, network, local.reshape(-1, 3), codes.reshape(60, -1)
    )
    assert np.allclose(found.reshape(60, -1), expected, atol=2e-5)
    assert np.allclose(
        slopes.transpose(1, 2).reshape(60, 3, -1), expected_slopes, atol=1e-4 * np.abs(expected_slopes).max()
    )


@pytest.mark.parametrize("shape", SHAPES[:4], ids=str)
def test_as_by_autograd(shape: BankShape) -> None:
    weights = torch.from_numpy(random_bank(shape, 2, seed=3, spread=0.3).weights).double().requires_grad_()
    generator = torch.Generator().manual_seed(4)
    local = (1.9 * torch.rand(2, 15, 3, generator=generator, dtype=torch.float64) - 0.95).requires_grad_()
    codes = torch.rand(2, 15, shape.code, generator=generator, dtype=torch.float64) if shape.code else None
    outputs, slopes = evaluate_with_gradient(shape, weights, local, codes)
    for output in range(shape.outputs):
        (expected,) = torch.autograd.grad(outputs[..., output].sum(), local, create_graph=True)
        assert torch.allclose(slopes[..., output].transpose(1, 2), expected, atol=1e-9)
    # the loss on gradients, differentiated by the weights
    (by_weights,) = torch.autograd.grad(slopes.square().sum(), weights, retain_graph=True)
    second = sum(
        torch.autograd.grad(outputs[..., d].sum(), local, create_graph=True)[0].square().sum()
        for d in range(shape.outputs)
    )
    assert isinstance(second, torch.Tensor)
    (expected,) = torch.autograd.grad(second, weights)
    assert torch.allclose(by_weights, expected, atol=1e-8)


def test_no_places_at_all() -> None:
    shape = SHAPES[1]
    weights = torch.from_numpy(random_bank(shape, 2, seed=5).weights)
    outputs, slopes = evaluate_with_gradient(shape, weights, torch.zeros(2, 0, 3))
    assert outputs.shape == (2, 0, 2)
    assert slopes.shape == (2, 3, 0, 2)

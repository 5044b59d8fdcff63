"""The rate of codes: kernel and torch agree, and both are the bits an ideal coder takes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from fitting.laplace_rate import ROWS, laplace_bits, laplace_bits_torch


def inputs(seed: int, count: int = 2 * ROWS + 77) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    codes = torch.from_numpy(rng.laplace(0, [0.05, 1, 6, 80], (count, 4)).astype(np.float32))
    noise = torch.from_numpy(rng.random((count, 4), np.float32) - np.float32(0.5))
    mean = torch.tensor([0.0, 0.3, -2.0, 11.0])
    return codes, noise, mean, torch.tensor([0.05, 0.9, 5.0, 60.0]).log()


@pytest.mark.parametrize("seed", [0, 1])
def test_kernel_and_torch_agree_in_value_and_gradients(seed: int) -> None:
    results = []
    for function in (laplace_bits, laplace_bits_torch):
        codes, noise, mean, log_scale = inputs(seed)
        leaves = [
            t.double().requires_grad_() if function is laplace_bits_torch else t.requires_grad_()
            for t in (codes, mean, log_scale)
        ]
        value = function(leaves[0], noise, leaves[1], leaves[2])
        value.backward()
        results.append((value.detach().double(), *(t.grad.double() for t in leaves)))  # type: ignore[union-attr]
    for ours, theirs in zip(*results, strict=True):
        assert torch.allclose(ours, theirs, rtol=2e-4, atol=2e-3 * float(theirs.abs().max()))


def test_bits_of_integers_are_those_of_their_probabilities() -> None:
    """Summed over all integers with the prior's own shares, the rate is the entropy of the rounded distribution."""
    scale, values = 3.0, torch.arange(-60, 61, dtype=torch.float32)[:, None]
    edges = torch.cat([values[:, 0] - 0.5, values[-1:, 0] + 0.5]).double()
    cdf = torch.where(edges < 0, 0.5 * torch.exp(edges / scale), 1 - 0.5 * torch.exp(-edges / scale))
    share = cdf.diff()
    none, log_scale = torch.zeros(1), torch.tensor([np.log(scale)], dtype=torch.float32)
    bits = [laplace_bits(v[None], torch.zeros(1, 1), none, log_scale) for v in values]
    entropy = float(-(share * share.log2()).sum())
    assert float((share * torch.stack(bits).double()).sum()) == pytest.approx(entropy, rel=1e-4)


def test_far_codes_still_have_a_slope() -> None:
    codes = torch.tensor([[5000.0]], requires_grad=True)
    laplace_bits(codes, torch.zeros(1, 1), torch.zeros(1), torch.zeros(1)).backward()
    assert codes.grad is not None
    assert float(codes.grad) == pytest.approx(1 / np.log(2))

"""The picture losses against plain torch and known answers."""

from __future__ import annotations

import pytest
import torch

from fitting.losses import frequency_loss, photometric_loss, ssim, ssim_torch


def pictures(height: int = 37, width: int = 53) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    a = torch.rand(height, width, 3, generator=generator)
    return a, (a + 0.2 * torch.randn(height, width, 3, generator=generator)).clamp(0, 1)


@pytest.mark.parametrize("size", [(37, 53), (11, 11), (5, 40)])
def test_kernels_agree_with_torch(size: tuple[int, int]) -> None:
    a, b = pictures(*size)
    x, y = a.clone().requires_grad_(), a.clone().requires_grad_()
    ours, twin = ssim(x, b), ssim_torch(y, b)
    (3 * ours).backward()
    (3 * twin).backward()
    assert x.grad is not None
    assert y.grad is not None
    assert ours.item() == pytest.approx(twin.item(), abs=1e-5)
    assert (x.grad - y.grad).abs().max() < 1e-4 * y.grad.abs().max()


def test_equal_pictures_cost_nothing() -> None:
    a, _ = pictures()
    assert photometric_loss(a, a).item() == pytest.approx(0, abs=1e-5)
    assert frequency_loss(a, a, 1.0).item() == pytest.approx(0, abs=1e-3)


def test_photometric_loss_of_a_constant_shift_is_mostly_l1() -> None:
    a = torch.full((32, 32, 3), 0.5)
    assert photometric_loss(a + 0.1, a, ssim_weight=0.0).item() == pytest.approx(0.1, abs=1e-6)


def test_frequency_loss_sees_only_what_its_reach_covers() -> None:
    flat = torch.full((64, 64, 3), 0.5)
    stripes = flat.clone()
    stripes[:, ::2] += 0.1  # the highest horizontal frequency there is, and a change of the mean
    stripes -= stripes.mean() - 0.5
    low, all_of_them = (frequency_loss(stripes, flat, reach).item() for reach in (0.5, 1.0))
    assert low < 1e-6
    assert all_of_them > 100 * max(low, 1e-6)

"""Picture losses: L1, D-SSIM (3DGS, arXiv 2308.04079, eq. 7) and NeuralGS's frequency loss (arXiv 2503.23162, 3.3).

SSIM on the CPU has hand-written kernels with their gradient; elsewhere it is plain torch. Both use the 11 x 11 Gaussian
window of sigma 1.5 with zero padding.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from fitting.raster_numba import parallel

WINDOW = 11
SIGMA = 1.5
C1, C2 = 0.01**2, 0.03**2  # Wang et al. 2004, for pictures in [0, 1]
_taps = np.exp(-((np.arange(WINDOW) - WINDOW // 2) ** 2) / (2 * SIGMA**2))
TAPS = (_taps / _taps.sum()).astype(np.float32)
Array = NDArray[np.float32]


def photometric_loss(image: Tensor, target: Tensor, ssim_weight: float = 0.2) -> Tensor:
    """(1 - w) L1 + w (1 - SSIM) of two pictures [H, W, 3]."""
    l1 = (image - target).abs().mean()
    return (1 - ssim_weight) * l1 + ssim_weight * (1 - ssim(image, target))


def ssim(image: Tensor, target: Tensor) -> Tensor:
    """Mean SSIM of two pictures [H, W, C], differentiable in the first."""
    if image.device.type == "cpu":
        return _CpuSsim.apply(image, target)  # type: ignore[no-any-return]
    return ssim_torch(image, target)


def frequency_loss(image: Tensor, target: Tensor, reach: float) -> Tensor:
    """Mean difference of log amplitude and of phase over the spectrum's lowest part, up to `reach` in (0, 1].

    The paper compares amplitude and phase, from low to high frequencies as training goes on. Phase differences are
    weighted by the target's amplitude, since the phase of nothing is noise.
    """
    ours, theirs = (torch.fft.rfft2(x.permute(2, 0, 1), norm="ortho") for x in (image, target))  # [3, H, W/2+1]
    fy = torch.fft.fftfreq(image.shape[0], device=image.device)[:, None].abs()
    fx = torch.fft.rfftfreq(image.shape[1], device=image.device)[None]
    mask = (torch.maximum(fx, fy) <= 0.5 * reach).to(image.dtype)
    amplitude, reference = ours.abs(), theirs.abs()
    phase = 1 - (ours * theirs.conj()).real / (amplitude * reference + 1e-6)  # 1 - cos of the phase difference
    difference = (torch.log1p(amplitude) - torch.log1p(reference)).abs() + phase * reference / (reference + 1)
    return (difference * mask).sum() / (3 * mask.sum())


def ssim_torch(image: Tensor, target: Tensor) -> Tensor:
    """Mean SSIM in plain torch: the twin of the kernels, and what CUDA runs."""
    x, y = image.permute(2, 0, 1)[None], target.permute(2, 0, 1)[None]
    taps = torch.from_numpy(TAPS).to(x)
    window = (taps[:, None] * taps[None])[None, None].expand(x.shape[1], 1, WINDOW, WINDOW)

    def blur(values: Tensor) -> Tensor:
        return torch.nn.functional.conv2d(values, window, padding=WINDOW // 2, groups=values.shape[1])

    mu_x, mu_y = blur(x), blur(y)
    var_x, var_y, cov = blur(x * x) - mu_x**2, blur(y * y) - mu_y**2, blur(x * y) - mu_x * mu_y
    numerator = (2 * mu_x * mu_y + C1) * (2 * cov + C2)
    return (numerator / ((mu_x**2 + mu_y**2 + C1) * (var_x + var_y + C2))).mean()


class _CpuSsim(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> Tensor:
        image, target = (np.ascontiguousarray(a.detach().permute(2, 0, 1).numpy()) for a in arguments)
        gradient = np.empty_like(image)
        sums = np.empty(len(image))
        parallel(_ssim_planes, len(image), image, target, TAPS, gradient, sums)
        ctx.gradient = torch.from_numpy(gradient).permute(1, 2, 0) / image.size
        return torch.tensor(sums.sum() / image.size, dtype=torch.float32)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        return grads[0] * ctx.gradient, None


@njit(nogil=True, fastmath=True, cache=True, error_model="numpy")
def _blur(values, taps, scratch, out):
    """Separable Gaussian blur of a plane with zeros outside it."""
    height, width = values.shape
    half = len(taps) // 2
    scratch[:] = 0
    for y in range(height):
        for k in range(len(taps)):
            source = y + k - half
            if 0 <= source < height:
                for x in range(width):
                    scratch[y, x + half] += taps[k] * values[source, x]
    for y in range(height):
        for x in range(width):
            out[y, x] = 0
        for k in range(len(taps)):
            tap = taps[k]
            shifted = scratch[y, k : k + width]
            for x in range(width):
                out[y, x] += tap * shifted[x]


@njit(nogil=True, fastmath=True, cache=True, error_model="numpy")
def _ssim_plane(x, y, taps, gradient):
    """The sum of one channel's SSIM map, and its gradient in x."""
    height, width = x.shape
    scratch = np.empty((height, width + len(taps) - 1), np.float32)
    mu_x, mu_y, xx, yy, xy = (
        np.empty_like(x),
        np.empty_like(x),
        np.empty_like(x),
        np.empty_like(x),
        np.empty_like(x),
    )
    _blur(x, taps, scratch, mu_x)
    _blur(y, taps, scratch, mu_y)
    _blur(x * x, taps, scratch, xx)
    _blur(y * y, taps, scratch, yy)
    _blur(x * y, taps, scratch, xy)
    total = 0.0
    c1, c2, two = np.float32(C1), np.float32(C2), np.float32(2)
    for j in range(height):
        row_sum = np.float32(0)
        for i in range(width):
            m, n = mu_x[j, i], mu_y[j, i]
            a1, b1 = two * m * n + c1, m * m + n * n + c1
            a2, b2 = two * (xy[j, i] - m * n) + c2, xx[j, i] - m * m + yy[j, i] - n * n + c2
            value = a1 * a2 / (b1 * b2)
            row_sum += value
            d_cov = two * a1 / (b1 * b2)  # by E[xy]
            d_var = -value / b2  # by E[x^2]
            mu_x[j, i] = two * n * a2 / (b1 * b2) - two * m * value / b1 - n * d_cov - two * m * d_var
            xx[j, i] = d_var
            xy[j, i] = d_cov
        total += row_sum
    _blur(mu_x, taps, scratch, gradient)
    _blur(xx, taps, scratch, mu_y)
    _blur(xy, taps, scratch, yy)
    for j in range(height):
        for i in range(width):
            gradient[j, i] += two * x[j, i] * mu_y[j, i] + y[j, i] * yy[j, i]
    return total


@njit(nogil=True, fastmath=True, cache=True, error_model="numpy")
def _ssim_planes(first, last, x, y, taps, gradient, sums):
    """Channels [first, last) of pictures [C, H, W]."""
    for channel in range(first, last):
        sums[channel] = _ssim_plane(x[channel], y[channel], taps, gradient[channel])

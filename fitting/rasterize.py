"""The differentiable rasteriser: Gaussians in, picture out, gradients back (3DGS, arXiv 2308.04079, section 6).

One torch autograd function over three backends. The first two agree to float precision; gsplat may let a Gaussian be up
to 0.999 opaque where 3DGS and ours stop at 0.99.

* `numba` on the CPU (`raster_numba.py`), where taichi takes longer (`benchmarks/rasterizer.py` measures both),
* `taichi` on CUDA, and on the CPU for those who ask (`raster_taichi.py`),
* gsplat's CUDA kernels instead of taichi's where gsplat can be imported (`raster_gsplat.py`).
"""

from __future__ import annotations

import importlib
from dataclasses import replace
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fitting.raster_view import RasterView

BACKENDS = ("numba", "taichi", "gsplat")


def default_backend(device: torch.device) -> str:
    """The fastest backend that runs on `device`."""
    if device.type == "cpu":
        return "numba"
    return "gsplat" if _gsplat_works() else "taichi"


@cache
def _gsplat_works() -> bool:
    """Whether gsplat imports and has its CUDA kernels; without a toolkit it imports and has none."""
    try:
        return importlib.import_module("gsplat.cuda._backend")._C is not None
    except (ImportError, OSError, RuntimeError, AttributeError):
        return False


def rasterize(
    positions: Tensor,  # [N, 3] world units
    log_scales: Tensor,  # [N, 3]
    rotations: Tensor,  # [N, 4] w, x, y, z of any length
    opacity_logits: Tensor,  # [N]
    sh: Tensor,  # [N, K, 3]
    view: RasterView,
    backend: str | None = None,
) -> Tensor:
    """The picture [H, W, 3] of the Gaussians over the view's background, differentiable in all five tensors."""
    name = backend or default_backend(positions.device)
    return _Rasterize.apply(positions, log_scales, rotations, opacity_logits, sh, view, _module(name))  # type: ignore[no-any-return]


def importance(
    positions: Tensor,
    log_scales: Tensor,
    rotations: Tensor,
    opacity_logits: Tensor,
    sh: Tensor,
    view: RasterView,
    backend: str | None = None,
) -> NDArray[np.float32]:
    """[N] the sum over the view's pixels of alpha times transmittance: how much of the picture each Gaussian is."""
    name = backend or default_backend(positions.device)
    tensors = [t.detach() for t in (positions, log_scales, rotations, opacity_logits, sh)]
    return _module("taichi" if name == "gsplat" else name).importance(*tensors, view)


def draw(
    positions: Tensor,
    log_scales: Tensor,
    rotations: Tensor,
    opacity_logits: Tensor,
    sh: Tensor,
    view: RasterView,
    backend: str | None = None,
) -> Tensor:
    """[H, W, 4] what covers the view's background: colour times alpha, then alpha. Not differentiable."""
    name = backend or default_backend(positions.device)
    tensors = (positions, log_scales, rotations, opacity_logits, sh)
    if name == "numba":
        return _module(name).draw(*(t.detach() for t in tensors), view)[0]
    with torch.no_grad():
        black, white = (rasterize(*tensors, replace(view, background=(b, b, b)), name) for b in (0.0, 1.0))
    return torch.cat([black, 1 - (white - black).mean(dim=2, keepdim=True)], dim=2)


def draw_and_weigh(
    positions: Tensor,
    log_scales: Tensor,
    rotations: Tensor,
    opacity_logits: Tensor,
    sh: Tensor,
    view: RasterView,
    backend: str | None = None,
) -> tuple[Tensor, NDArray[np.float32]]:
    """`draw` and `importance` of one view, for the price of one where the backend can."""
    name = backend or default_backend(positions.device)
    tensors = (positions, log_scales, rotations, opacity_logits, sh)
    if name == "numba":
        return _module(name).draw(*(t.detach() for t in tensors), view)
    return draw(*tensors, view, name), importance(*tensors, view, name)


def _module(name: str) -> ModuleType:
    if name not in BACKENDS:
        raise ValueError(f"rasteriser: expected one of {', '.join(BACKENDS)}, found {name!r}")
    return importlib.import_module(f"fitting.raster_{name}")


class _Rasterize(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> Tensor:
        *tensors, view, module = arguments
        image, ctx.saved = module.forward(*(t.detach().contiguous() for t in tensors), view)
        ctx.module = module
        return image

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        return (*ctx.module.backward(ctx.saved, grads[0].contiguous()), None, None)

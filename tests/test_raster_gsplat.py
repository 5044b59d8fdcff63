"""The glue to gsplat: a stand-in with gsplat's documented signature, made of the torch twin, must give our pictures.

gsplat itself needs CUDA; what its kernels compute is held to ours by the oracles, which are its pictures.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from fitting import rasterize as rasterizer
from fitting.raster_view import RasterView
from fitting.rasterize import default_backend, rasterize
from scenes.cameras import look_at
from tests.torch_rasterizer import rasterize_dense


def stand_in(*, means: Tensor, quats: Tensor, scales: Tensor, opacities: Tensor, colors: Tensor, **rest: Any) -> Any:
    (matrix,), (intrinsics,) = rest["viewmats"], rest["Ks"]
    assert colors.shape[1] == (rest["sh_degree"] + 1) ** 2
    fx, fy, cx, cy = (float(intrinsics[i]) for i in ((0, 0), (1, 1), (0, 2), (1, 2)))
    red, green, blue = rest["backgrounds"][0].tolist()
    view = RasterView(
        camera_from_world=matrix.numpy(),
        fx=fx,
        fy=fy,
        cx=cx,
        cy=cy,
        width=rest["width"],
        height=rest["height"],
        background=(red, green, blue),
        antialiased=rest["rasterize_mode"] == "antialiased",
        near=rest["near_plane"],
    )
    logits = torch.log(opacities / (1 - opacities))
    return rasterize_dense(means, scales.log(), quats, logits, colors, view)[None], None, {}


@pytest.mark.parametrize("antialiased", [False, True])
def test_pictures_and_gradients_pass_through(monkeypatch: pytest.MonkeyPatch, antialiased: bool) -> None:
    module = ModuleType("gsplat")
    module.rasterization = stand_in  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gsplat", module)
    rng = np.random.default_rng(0)
    sizes = ((12, 3), (12, 3), (12, 4), (12,), (12, 4, 3))
    offsets = (0.0, -1.2, 0.0, 0.0, 0.3)
    values = [
        torch.tensor(0.4 * rng.normal(size=s) + o, dtype=torch.float32) for s, o in zip(sizes, offsets, strict=True)
    ]
    camera = look_at(np.array([0.3, 0.4, -4.0]), np.zeros(3), np.array([0.0, -1.0, 0.0]), 0.9)
    view = RasterView.of(camera, 40, 33, (0.2, 0.5, 0.8), antialiased)
    weights = torch.tensor(rng.normal(size=(33, 40, 3)), dtype=torch.float32)
    images, gradients = [], []
    for backend in ("gsplat", "numba"):
        tensors = [v.clone().requires_grad_() for v in values]
        image = rasterize(*tensors, view, backend)  # type: ignore[arg-type]
        (image * weights).sum().backward()
        images.append(image.detach())
        gradients.append([t.grad for t in tensors])
    assert (images[0] - images[1]).abs().max() < 1e-5
    for found, expected in zip(*gradients, strict=True):
        assert (found - expected).abs().max() < 1e-4 * expected.abs().max()


def test_the_cpu_never_takes_gsplat() -> None:
    assert default_backend(torch.device("cpu")) == "numba"


@pytest.mark.parametrize(("kernels", "expected"), [(None, "taichi"), (object(), "gsplat")])
def test_cuda_takes_gsplat_only_with_its_kernels(
    monkeypatch: pytest.MonkeyPatch, kernels: object, expected: str
) -> None:
    backend = ModuleType("gsplat.cuda._backend")
    backend._C = kernels  # type: ignore[attr-defined]
    for name, module in (("gsplat", ModuleType("gsplat")), ("gsplat.cuda", ModuleType("gsplat.cuda"))):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, "gsplat.cuda._backend", backend)
    rasterizer._gsplat_works.cache_clear()
    assert default_backend(torch.device("cuda")) == expected
    rasterizer._gsplat_works.cache_clear()


def test_cuda_without_gsplat_takes_taichi() -> None:
    rasterizer._gsplat_works.cache_clear()
    assert default_backend(torch.device("cuda")) == "taichi"

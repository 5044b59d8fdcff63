"""The hash grid through tiny-cuda-nn, where it can be imported (it needs CUDA and is built from its source).

The table is the same as that of the other backends, flattened; features come in single precision.
"""

from __future__ import annotations

import importlib
from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from fitting.hash_grid import Encoded, HashGridShape


@cache
def tiny_cuda_nn() -> ModuleType | None:
    """The module, or None where it is not installed or finds no GPU (it then raises `EnvironmentError`)."""
    try:
        return importlib.import_module("tinycudann")
    except (OSError, ImportError):
        return None


@cache
def new_encoding(shape: HashGridShape) -> Any:
    """The encoding, whose own table is never used."""
    module = tiny_cuda_nn()
    assert module is not None
    return module.Encoding(3, shape.tcnn_config(), dtype=torch.float32)


def encode(shape: HashGridShape, table: Tensor, points: Tensor) -> Encoded:
    """As `fitting.hash_grid.encode`, of CUDA tensors."""
    points = points.detach().requires_grad_()
    with torch.enable_grad():
        features = torch.func.functional_call(new_encoding(shape), {"params": table.reshape(-1)}, (points,))

    def pull(u: Tensor) -> Tensor:
        (gradient,) = torch.autograd.grad(features, points, u, create_graph=torch.is_grad_enabled(), retain_graph=True)
        return gradient

    return features, pull

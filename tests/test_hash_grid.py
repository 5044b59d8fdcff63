"""The hash grid: indexing by tiny-cuda-nn's rules, and its backends held to the plain one and to finite differences."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from fitting import hash_grid, hash_grid_numba, hash_grid_tcnn
from fitting.hash_grid import HashGridShape

SHAPES = [
    HashGridShape(5, 2, 9, 4, 1.6),  # dense first, hashed from the third level on
    HashGridShape(3, 4, 8, 5, 2.0),
    HashGridShape(2, 1, 19, 16, 1.5),  # all dense
]


def test_resolutions_and_sizes_are_tiny_cuda_nns() -> None:
    shape = HashGridShape(n_levels=4, log2_hashmap_size=14, base_resolution=16, per_level_scale=2.0)
    assert shape.scales == (15, 31, 63, 127)
    assert shape.resolutions == (16, 32, 64, 128)
    assert shape.sizes == (4096, 1 << 14, 1 << 14, 1 << 14)
    assert [shape.hashed(level) for level in range(4)] == [False, True, True, True]
    assert HashGridShape(1, 2, 19, 5, 1.5).sizes == (128,)  # 125 rounded up to eights


@pytest.mark.parametrize("vertex", [(0, 0, 0), (1, 2, 3), (40, 7, 63), (-1, 5, 2)])
def test_hashed_entries_by_the_papers_formula(vertex: tuple[int, int, int]) -> None:
    shape = HashGridShape(4, 2, 14, 16, 2.0)
    x, y, z = (np.uint32(v & 0xFFFFFFFF) for v in vertex)
    with np.errstate(over="ignore"):
        expected = (x ^ (y * np.uint32(2654435761)) ^ (z * np.uint32(805459861))) % np.uint32(1 << 14)
    found = hash_grid.entries(shape, 2, torch.tensor([vertex]))
    assert int(found) - shape.offsets[2] == expected


@pytest.mark.parametrize("vertex", [(0, 0, 0), (1, 2, 3), (16, 16, 16), (0, -1, 0)])
def test_dense_entries_run_along_x_first_and_wrap_around(vertex: tuple[int, int, int]) -> None:
    shape = HashGridShape(4, 2, 14, 16, 2.0)
    x, y, z = vertex
    expected = (x + 16 * y + 256 * z) % 2**32 % 4096
    assert int(hash_grid.entries(shape, 0, torch.tensor([vertex]))) == expected


def _case(shape: HashGridShape, count: int = 300) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    table = torch.randn(shape.offsets[-1], shape.n_features_per_level, generator=generator, requires_grad=True)
    points = torch.rand(count, 3, generator=generator)
    points[:2] = torch.tensor([[0.0, 0, 0], [1, 1, 1]])
    points[2:10] = 3 * points[2:10] - 1  # outside of the box too, as tiny-cuda-nn does it
    return table, points


@pytest.mark.parametrize("shape", SHAPES)
def test_numba_equals_torch(shape: HashGridShape) -> None:
    table, points = _case(shape)
    expected = hash_grid.features_and_jacobian(shape, table, points)
    found = hash_grid_numba.features_and_jacobian(shape, table, points)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=2e-4)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("which", [0, 1])
def test_numba_scatters_the_gradients_of_torch(shape: HashGridShape, which: int) -> None:
    table, points = _case(shape)
    results = []
    for backend in (hash_grid, hash_grid_numba):
        output = backend.features_and_jacobian(shape, table, points)[which]
        weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(2))
        results.append(torch.autograd.grad((weights * output).sum(), table)[0])
    assert float(results[0].abs().max()) > 1
    torch.testing.assert_close(results[1], results[0], rtol=1e-4, atol=1e-3)


def test_the_number_of_threads_changes_nothing() -> None:
    shape = SHAPES[0]
    table, points = _case(shape, 5000)
    alone = hash_grid_numba.in_pieces(
        lambda p: hash_grid_numba.features_and_jacobian(shape, table, p), [points, points]
    )
    outputs = hash_grid_numba.features_and_jacobian(shape, table, points)
    for several, one in zip(outputs, alone[1], strict=True):
        assert torch.equal(several, one)


@pytest.mark.parametrize("shape", SHAPES)
def test_jacobian_equals_finite_differences(shape: HashGridShape) -> None:
    table, _ = _case(shape)
    table = table.detach().double()
    points = torch.rand(200, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    _, jacobian = hash_grid.features_and_jacobian(shape, table, points)
    step, good = 1e-6, []
    for axis in range(3):
        shift = step * torch.eye(3, dtype=torch.float64)[axis]
        above, below = (hash_grid.features_and_jacobian(shape, table, points + s)[0] for s in (shift, -shift))
        good.append(((above - below) / (2 * step) - jacobian[:, axis]).abs() < 1e-5)
    assert torch.stack(good).double().mean() > 0.999  # but where a difference straddles the face of a cell


def test_pull_back_is_the_jacobian_times_a_vector() -> None:
    shape = SHAPES[0]
    table, points = _case(shape)
    _, pull = hash_grid.encode(shape, table, points)
    _, jacobian = hash_grid.features_and_jacobian(shape, table, points)
    u = torch.randn(len(points), shape.outputs, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(pull(u), (jacobian @ u[:, :, None])[:, :, 0], rtol=1e-4, atol=1e-3)


class _FakeEncoding(torch.nn.Module):
    """What tiny-cuda-nn's Encoding is to a caller, computed by the plain backend, differentiable in the points."""

    def __init__(self, dimensions: int, config: dict[str, Any], dtype: torch.dtype) -> None:
        super().__init__()
        assert (dimensions, dtype, config["otype"]) == (3, torch.float32, "HashGrid")
        names = ("n_levels", "n_features_per_level", "log2_hashmap_size", "base_resolution", "per_level_scale")
        self.shape = HashGridShape(*(config[name] for name in names))
        self.params = torch.nn.Parameter(torch.zeros(self.shape.offsets[-1] * self.shape.n_features_per_level))

    def forward(self, points: Tensor) -> Tensor:
        table = self.params.reshape(-1, self.shape.n_features_per_level)
        return hash_grid.features_and_jacobian(self.shape, table, points)[0]


@pytest.fixture
def _fake_tcnn(monkeypatch: pytest.MonkeyPatch):
    module = ModuleType("tinycudann")
    module.Encoding = _FakeEncoding  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tinycudann", module)
    hash_grid_tcnn.tiny_cuda_nn.cache_clear()
    hash_grid_tcnn.new_encoding.cache_clear()
    yield
    hash_grid_tcnn.tiny_cuda_nn.cache_clear()
    hash_grid_tcnn.new_encoding.cache_clear()


@pytest.mark.usefixtures("_fake_tcnn")
def test_tiny_cuda_nn_is_asked_for_the_same_grid() -> None:
    _same_as_plain(torch.device("cpu"), tolerance=1e-4)


@pytest.mark.skipif(hash_grid_tcnn.tiny_cuda_nn() is None, reason="tiny-cuda-nn cannot be imported")
def test_tiny_cuda_nn_agrees() -> None:
    _same_as_plain(torch.device("cuda"), tolerance=2e-3)


def _same_as_plain(device: torch.device, tolerance: float) -> None:
    """Features, pull-back and the table's gradient from both, of tiny-cuda-nn (or its fake) and of plain torch."""
    shape = SHAPES[0]
    table, points = (t.detach().to(device) for t in _case(shape))
    table.requires_grad_()
    points = points[10:]
    u = torch.randn(len(points), shape.outputs, generator=torch.Generator().manual_seed(5)).to(device)
    features, jacobian = hash_grid.features_and_jacobian(shape, table, points)
    expected = (features, torch.einsum("nkf,nf->nk", jacobian, u))
    features, pull = hash_grid_tcnn.encode(shape, table, points)
    found = (features, pull(u))
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)
    gradients = [torch.autograd.grad(a.square().sum() + b.square().sum(), table)[0] for a, b in (found, expected)]
    scale = float(gradients[1].abs().max())
    torch.testing.assert_close(gradients[0] / scale, gradients[1] / scale, rtol=tolerance, atol=tolerance)


def test_missing_tiny_cuda_nn_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tinycudann", None)
    hash_grid_tcnn.tiny_cuda_nn.cache_clear()
    assert hash_grid_tcnn.tiny_cuda_nn() is None
    hash_grid_tcnn.tiny_cuda_nn.cache_clear()

"""The backends of the rasteriser against gsplat's pictures, the numpy reference and the torch twin."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from oracles import HEIGHT, NAMES, WIDTH, read_oracle
from torch import Tensor
from torch_rasterizer import rasterize_dense

from fitting import raster_taichi
from fitting.raster_view import RasterView
from fitting.rasterize import importance, rasterize
from renderer.reference import render_reference, trace_reference
from scenes.cameras import Camera, look_at
from scenes.gaussians import Gaussians

SIZE = (45, 37)  # no multiple of a tile, either way
BACKGROUND = (0.3, 0.6, 0.1)
Tensors = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]
FIELDS = ("positions", "log_scales", "rotations", "opacity_logits", "sh")


@pytest.fixture(params=["numba", "taichi", "taichi-cuda-tiles"])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A backend's name; the last runs on the CPU with the tiles that CUDA gets."""
    if request.param == "taichi-cuda-tiles":
        monkeypatch.setitem(raster_taichi.ROWS, "cpu", raster_taichi.ROWS["cuda"])
    return request.param.split("-")[0]


def random_scene(count: int, degree: int, seed: int, antialiased: bool = False) -> Gaussians:
    """Gaussians in and around the picture: some opaque, some black in a channel, some behind the camera."""
    rng = np.random.default_rng(seed)
    arrays = (
        rng.normal(0, 1.2, (count, 3)),
        rng.uniform(-3.5, -0.7, (count, 3)),
        rng.normal(0, 1.5, (count, 4)),
        rng.normal(0.5, 2.5, count),
        rng.normal(0, 0.6, (count, (degree + 1) ** 2, 3)),
    )
    return Gaussians(*(a.astype(np.float32) for a in arrays), antialiased=antialiased)


def random_camera(seed: int) -> Camera:
    """Tilted, inside the outer Gaussians, with oblong pixels and an off-centre principal point."""
    eye = np.random.default_rng(seed).normal(0, 1, 3)
    eye *= 2.2 / np.linalg.norm(eye)
    camera = look_at(eye, np.array([0.1, -0.2, 0.1]), np.array([0.2, -1, 0.3]), 0.9)
    return Camera(camera.camera_from_world, camera.fov_y, pixel_aspect=1.15, centre=(0.41, 0.56))


def tensors_of(gaussians: Gaussians, dtype: torch.dtype = torch.float32) -> Tensors:
    positions, log_scales, rotations, opacity_logits, sh = (
        torch.tensor(getattr(gaussians, name), dtype=dtype, requires_grad=True) for name in FIELDS
    )
    return positions, log_scales, rotations, opacity_logits, sh


def view_of(camera: Camera, gaussians: Gaussians, size: tuple[int, int] = SIZE) -> RasterView:
    return RasterView.of(camera, *size, BACKGROUND, gaussians.antialiased)


def random_gradient(seed: int, size: tuple[int, int] = SIZE) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 1, (size[1], size[0], 3)).astype(np.float32)


def gradients(gaussians: Gaussians, view: RasterView, grad: NDArray[np.float32], backend: str) -> list[Tensor]:
    tensors = tensors_of(gaussians)
    rasterize(*tensors, view, backend).backward(torch.from_numpy(grad))
    return [t.grad for t in tensors if t.grad is not None]


def assert_close(found: Tensor, expected: Tensor, name: str, tolerance: float) -> None:
    """Within `tolerance` of the largest entry, everywhere."""
    assert found.shape == expected.shape
    largest = expected.abs().max().item()
    assert largest > 0, name
    assert (found - expected).abs().max().item() < tolerance * largest, name


@pytest.mark.parametrize("name", NAMES)
def test_gsplat_pictures(data: Path, name: str, backend: str) -> None:
    oracle = read_oracle(data, name)
    image = rasterize(*tensors_of(oracle.gaussians), RasterView.of(oracle.camera, WIDTH, HEIGHT), backend)
    assert np.abs(image.detach().numpy() - oracle.image[..., :3]).max() < 1e-5


@pytest.mark.parametrize("antialiased", [False, True])
@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_agrees_with_the_reference(degree: int, antialiased: bool, backend: str) -> None:
    scene, camera = random_scene(60, degree, 10 + degree, antialiased), random_camera(degree)
    expected = render_reference(scene, camera, *SIZE, BACKGROUND)
    image = rasterize(*tensors_of(scene), view_of(camera, scene), backend).detach().numpy()
    assert image.dtype == np.float32
    assert np.abs(image - expected).max() < 1e-5
    assert expected.std() > 0.05


def test_the_twin_agrees_with_the_reference() -> None:
    scene, camera = random_scene(60, 3, 3, antialiased=True), random_camera(3)
    image = rasterize_dense(*tensors_of(scene, torch.float64), view_of(camera, scene)).detach().numpy()
    assert np.abs(image - render_reference(scene, camera, *SIZE, BACKGROUND)).max() < 1e-6


@pytest.mark.parametrize("antialiased", [False, True])
@pytest.mark.parametrize("degree", [0, 3])
def test_gradients_agree_with_the_twin(degree: int, antialiased: bool, backend: str) -> None:
    scene, camera = random_scene(50, degree, 20 + degree, antialiased), random_camera(degree)
    view, grad = view_of(camera, scene), random_gradient(1)
    twin = tensors_of(scene, torch.float64)
    rasterize_dense(*twin, view).backward(torch.from_numpy(grad).double())
    for name, found, expected in zip(FIELDS, gradients(scene, view, grad, backend), twin, strict=True):
        assert expected.grad is not None
        assert_close(found, expected.grad, name, 2e-5)


def smooth_scene(antialiased: bool) -> Gaussians:
    """A few Gaussians larger than the picture, never at a threshold: differentiable everywhere."""
    rng = np.random.default_rng(8)
    arrays = (
        rng.normal(0, 0.3, (5, 3)),
        rng.uniform(-0.4, 0.1, (5, 3)),
        rng.normal(0, 1, (5, 4)),
        rng.normal(-0.5, 0.3, 5),
        rng.normal(0, 0.05, (5, 16, 3)),
    )
    return Gaussians(*(a.astype(np.float32) for a in arrays), antialiased=antialiased)


def finite_differences(scene: Gaussians, camera: Camera, grad: NDArray[np.float32], name: str) -> Tensor:
    """Central differences of the float64 reference, at steps that float32 parameters can take exactly."""

    def loss() -> float:
        return float((render_reference(scene, camera, grad.shape[1], grad.shape[0], BACKGROUND) * grad).sum())

    values = getattr(scene, name).reshape(-1)
    slopes = np.empty(len(values))
    for i, value in enumerate(values.copy()):
        values[i] = value + np.float32(1e-3)
        high, above = values[i], loss()
        values[i] = value - np.float32(1e-3)
        slopes[i] = (above - loss()) / (float(high) - float(values[i]))
        values[i] = value
    return torch.from_numpy(slopes.reshape(getattr(scene, name).shape))


@pytest.mark.parametrize("antialiased", [False, True])
def test_gradients_agree_with_finite_differences(antialiased: bool) -> None:
    scene, size = smooth_scene(antialiased), (20, 17)
    camera = look_at(np.array([0.5, 0.7, -2.5]), np.zeros(3), np.array([0.2, -1, 0.1]), 0.5)
    view, grad = view_of(camera, scene, size), random_gradient(2, size) + 0.5
    found = {backend: gradients(scene, view, grad, backend) for backend in ("numba", "taichi")}
    for i, name in enumerate(FIELDS):
        expected = finite_differences(scene, camera, grad, name)
        for grads in found.values():
            assert_close(grads[i], expected, name, 1e-3)


def test_importance_agrees_with_the_reference(backend: str) -> None:
    scene, camera = random_scene(80, 1, 31), random_camera(4)
    expected = trace_reference(scene, camera, *SIZE).importance
    found = importance(*tensors_of(scene), view_of(camera, scene), backend)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert (expected > 1).sum() > 20
    assert (expected == 0).any()


def test_repeated_calls_agree_to_the_bit(backend: str) -> None:
    scene, camera = random_scene(300, 2, 41), random_camera(5)
    view, grad = view_of(camera, scene, (160, 90)), random_gradient(3, (160, 90))
    runs = []
    for _ in range(3):
        image = rasterize(*tensors_of(scene), view, backend).detach()
        weights = torch.from_numpy(importance(*tensors_of(scene), view, backend))
        runs.append([image, weights, *gradients(scene, view, grad, backend)])
    for run in runs[1:]:
        assert all(torch.equal(a, b) for a, b in zip(runs[0], run, strict=True))


def test_equal_depths_keep_their_order(backend: str) -> None:
    scene = random_scene(12, 0, 51)
    scene.positions[:] = scene.positions[0]
    camera = look_at(scene.positions[0] + [0, 0, -4], scene.positions[0], np.array([0, -1, 0]), 0.6)
    image = rasterize(*tensors_of(scene), view_of(camera, scene), backend).detach().numpy()
    assert np.abs(image - render_reference(scene, camera, *SIZE, BACKGROUND)).max() < 1e-5


def behind(scene: Gaussians) -> None:
    scene.positions[:, 2] = -3


def outside(scene: Gaussians) -> None:
    scene.positions[:] = scene.positions * 0.1 + [40, 0, 5]


def transparent(scene: Gaussians) -> None:
    scene.opacity_logits[:] = -8


@pytest.mark.parametrize("change", [behind, outside, transparent, None])
def test_nothing_to_see(change: Callable[[Gaussians], None] | None, backend: str) -> None:
    """Behind the camera, beside the picture, too faint, or no Gaussians at all: the background, and no gradients."""
    scene = random_scene(20 if change else 0, 1, 61)
    if change:
        change(scene)
    view = view_of(Camera(np.eye(4), 0.8), scene)
    image = rasterize(*tensors_of(scene), view, backend)
    assert torch.equal(image, torch.tensor(BACKGROUND).expand(SIZE[1], SIZE[0], 3))
    grads = gradients(scene, view, random_gradient(4), backend)
    assert [g.shape for g in grads] == [t.shape for t in tensors_of(scene)]
    assert all((g == 0).all() for g in grads)
    assert (importance(*tensors_of(scene), view, backend) == 0).all()


def test_hidden_gaussians_get_no_gradients(backend: str) -> None:
    """Those no pixel sees, among others that are seen, get exact zeros and change nothing."""
    scene, camera = random_scene(40, 1, 71), Camera(np.eye(4), 0.8)
    scene.positions[:, 2] += 4
    scene.positions[::4, 2] = -1
    scene.opacity_logits[1::4] = -9
    view, grad = view_of(camera, scene), random_gradient(5)
    seen = torch.arange(40) % 4 > 1
    part = scene.select(seen.numpy())
    assert torch.equal(rasterize(*tensors_of(scene), view, backend), rasterize(*tensors_of(part), view, backend))
    both = zip(gradients(scene, view, grad, backend), gradients(part, view, grad, backend), strict=True)
    for everyone, visible in both:
        assert (everyone[~seen] == 0).all()
        assert torch.equal(everyone[seen], visible)
        assert visible.abs().sum() > 0


@pytest.mark.parametrize("size", [(16, 16), (1, 1), (17, 1), (3, 40), (64, 32)])
def test_any_size(size: tuple[int, int], backend: str) -> None:
    scene, camera = random_scene(60, 0, 81), random_camera(6)
    image = rasterize(*tensors_of(scene), view_of(camera, scene, size), backend).detach().numpy()
    assert np.abs(image - render_reference(scene, camera, *size, BACKGROUND)).max() < 1e-5


def test_an_unknown_backend_is_named() -> None:
    scene = random_scene(1, 0, 0)
    with pytest.raises(ValueError, match=r"^rasteriser: expected one of numba, taichi, gsplat, found 'cuda'$"):
        rasterize(*tensors_of(scene), view_of(random_camera(0), scene), "cuda")

"""Training NeuS on photographs of a sphere: it learns it, with and without masks, and can be interrupted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fitting import hash_grid
from fitting.checkpoint import Checkpoint
from fitting.hash_grid import HashGridShape
from fitting.kiloneus import neus_train
from fitting.kiloneus.neus import Neus
from fitting.kiloneus.neus_losses import Batch
from fitting.kiloneus.neus_photographs import View
from fitting.kiloneus.neus_teacher import NeusTeacher, judge
from fitting.kiloneus.neus_train import NeusOptions, Trainer, grid_shape, train_on_views, train_teacher
from fitting.kiloneus.occupancy import march_torch
from fitting.kiloneus.volume import Rays, Samples
from scenes.photo_sets import PhotoSet
from tests.neus_samples import AROUND, CENTRE, RADIUS, painted, sphere_views

CPU = torch.device("cpu")
TINY = NeusOptions(
    steps=120,
    samples=2048,
    shape=HashGridShape(5, 2, 12, 8, 1.5),
    voxels=32,
    warm_steps=40,
    table_rate=2e-2,
    network_rate=6e-3,
)


@pytest.fixture(scope="module")
def views() -> list[View]:
    return sphere_views(20, 32)


@pytest.fixture(scope="module")
def teacher(views: list[View]) -> NeusTeacher:
    return train_on_views(views[1:], AROUND, TINY)


def _psnr(teacher: NeusTeacher, view: View) -> float:
    return judge(teacher, [view], (1.0, 1.0, 1.0))[0]


def _tensors(teacher: NeusTeacher) -> dict[str, torch.Tensor]:
    assert isinstance(teacher.model, Neus)
    return teacher.model.tensors


def _on_sphere(count: int) -> tuple[np.ndarray, np.ndarray]:
    normals = np.random.default_rng(0).standard_normal((count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return (np.array(CENTRE) + RADIUS * normals).astype(np.float32), normals.astype(np.float32)


def test_learns_a_view_it_never_saw(views: list[View], teacher: NeusTeacher) -> None:
    untrained = Trainer(views[1:], AROUND, TINY, CPU).teacher()
    assert _psnr(untrained, views[0]) < 20
    assert _psnr(teacher, views[0]) > 24


def test_learns_distance_normals_and_colour_in_the_world(teacher: NeusTeacher) -> None:
    points, normals = _on_sphere(500)
    for depth in (-0.05, 0.0, 0.05):
        distance, gradient = teacher.distance(points + np.float32(depth) * normals)
        assert np.abs(distance - depth).mean() < 0.02
        assert (gradient * normals).sum(axis=1).mean() > 0.97
    colours = teacher.colour(points, normals, -normals)
    assert np.abs(colours - painted(torch.from_numpy(normals)).numpy()).mean() < 0.08


def test_pictures_have_depth_and_normals_of_the_world(views: list[View], teacher: NeusTeacher) -> None:
    camera = views[0].photograph.camera
    shown = teacher.render(camera, 33, 33)
    towards = np.array(CENTRE) - camera.position
    distance = np.linalg.norm(towards)
    assert shown.depth[16, 16] == pytest.approx(distance - RADIUS, abs=0.03)
    assert shown.normal[15:18, 15:18].mean(axis=(0, 1)) @ (towards / distance) < -0.94
    assert shown.opacity[16, 16] > 0.98
    assert shown.opacity[0, 0] == 0
    assert not shown.normal[0, 0].any()


def test_sharpness_is_per_world_unit(teacher: NeusTeacher) -> None:
    assert teacher.sharpness * teacher.frame.half == pytest.approx(float(teacher.model.sharpness.detach()))
    assert teacher.bounds.shape == (2, 3)
    assert (teacher.bounds[0] < np.array(CENTRE)).all()


def test_resumed_run_is_the_uninterrupted_one(views: list[View], tmp_path: Path) -> None:
    options = NeusOptions(steps=12, samples=512, shape=TINY.shape, voxels=16, warm_steps=5, look_every=5)
    whole = Trainer(views, AROUND, options, CPU)
    whole.warm_start()
    checkpoint = Checkpoint(tmp_path / "teacher.checkpoint", "sphere")
    whole.run(7, lambda trainer: None)
    checkpoint.save(whole.state())
    whole.run(12, lambda trainer: None)
    told: list[tuple[str, float, str]] = []
    resumed = train_on_views(views, AROUND, options, lambda *now: told.append(now), state=checkpoint.load())
    for name, tensor in whole.model.tensors.items():
        assert torch.equal(tensor, _tensors(resumed)[name]), name
    assert [done for stage, done, _ in told if stage == "surface"] == [i / 12 for i in range(8, 13)]
    assert "dB" in told[-1][2]


def test_the_number_of_threads_changes_nothing(views: list[View], monkeypatch: pytest.MonkeyPatch) -> None:
    options = NeusOptions(steps=4, samples=512, shape=TINY.shape, voxels=16, warm_steps=2)
    several = train_on_views(views, AROUND, options)
    monkeypatch.setattr(neus_train, "in_pieces", lambda work, pieces: [work(piece) for piece in pieces])
    alone = train_on_views(views, AROUND, options)
    for name, tensor in _tensors(several).items():
        assert torch.equal(tensor, _tensors(alone)[name]), name


def test_learns_without_masks_too() -> None:
    views = sphere_views(20, 32, opaque=True)
    trainer = Trainer(views[1:], AROUND, replace(TINY, steps=150), CPU)
    assert _psnr(trainer.teacher(), views[0]) < 12
    trainer.run(150, lambda now: None)
    teacher = trainer.teacher()
    assert _psnr(teacher, views[0]) > 20
    distance, _ = teacher.distance(_on_sphere(500)[0])
    assert np.abs(distance).mean() < 0.1 * RADIUS


def test_pieces_of_a_batch_are_the_batch() -> None:
    counts = torch.tensor([3, 0, 9, 1, 0, 4, 2, 5])
    starts = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    values = torch.arange(8.0)[:, None].expand(8, 3)
    samples, others = Samples(starts, torch.arange(24.0), 0.1), torch.arange(10.0)
    batch = Batch(Rays(values, values), samples, values, values, others[:, None], others, others[:, None])
    for count in (1, 3, 4):
        pieces = batch.pieces(count)
        assert len(pieces) == count
        assert torch.equal(torch.cat([p.rays.origins for p in pieces]), values)
        assert torch.equal(torch.cat([p.samples.depths for p in pieces]), batch.samples.depths)
        assert torch.equal(torch.cat([p.samples.starts.diff() for p in pieces]), counts)
        for name in ("free", "least", "probes"):
            assert torch.equal(torch.cat([getattr(p, name) for p in pieces]), getattr(batch, name))


def test_plain_torch_gives_the_same_gradients(views: list[View], monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs on CUDA, run here: the plain hash grid and marcher, and a step in one piece."""
    results = []
    for plain in (False, True):
        if plain:
            monkeypatch.setattr(hash_grid, "_backend", lambda device: hash_grid.features_and_jacobian)
            monkeypatch.setattr(neus_train, "march", march_torch)
            monkeypatch.setattr(neus_train, "PIECES", 1)
        options = replace(TINY, steps=1, smoothness=0.0)  # which sections that looks beside depends on the pieces
        trainer = Trainer(views, AROUND, options, CPU)
        monkeypatch.setattr(trainer.optimiser, "step", lambda: None)
        trainer.run(1, lambda now: None)
        results.append({name: t.grad for name, t in trainer.model.tensors.items()})
    for name, gradient in results[0].items():
        if gradient is not None:
            assert results[1][name] is not None
            difference = torch.linalg.vector_norm(gradient - results[1][name])
            assert float(difference) <= 1e-3 * float(torch.linalg.vector_norm(gradient)), name


def test_photographs_from_files(views: list[View], tmp_path: Path) -> None:
    photographs = []
    for number, view in enumerate(views):
        rgba = view.rgba.float()
        straight = torch.cat([rgba[..., :3] / rgba[..., 3:].clamp(min=1e-3), rgba[..., 3:]], dim=2)
        path = tmp_path / f"{number}.png"
        Image.fromarray((straight * 255).round().clamp(0, 255).byte().numpy()).save(path)
        photographs.append(replace(view.photograph, path=path))
    photo_set = PhotoSet(tmp_path, photographs, [], AROUND, False, ())
    options = replace(TINY, steps=2, samples=256, voxels=16, warm_steps=1, side=16)
    stages: list[str] = []
    teacher = train_teacher(photo_set, options, lambda stage, done, detail: stages.append(stage))
    assert stages == ["photographs", "bounds", "hull", "surface", "surface"]
    assert teacher.render(photographs[0].camera, 8, 6).colour.shape == (6, 8, 3)


@pytest.mark.parametrize(("length", "levels", "size"), [(0.0152, 8, 15), (0.0076, 10, 16), (0.0038, 12, 18)])
def test_the_grid_is_as_fine_as_the_photographs(length: float, levels: int, size: int) -> None:
    shape = grid_shape(length)
    assert (shape.n_levels, shape.log2_hashmap_size) == (levels, size)
    assert shape.scales[-1] * length == pytest.approx(2, rel=0.02)

"""Training NeuS on photographs of a sphere: it learns it, with and without masks, and can be interrupted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fitting.hash_grid import HashGridShape
from fitting.kiloneus import neus_train
from fitting.kiloneus.neus_teacher import NeusTeacher
from fitting.kiloneus.neus_train import Batch, NeusOptions, Trainer, train_teacher
from fitting.kiloneus.volume import Rays, Samples
from fitting.neuralgs.checkpoint import Checkpoint
from fitting.neuralgs.targets import Target
from tests.neus_samples import CENTRE, RADIUS, painted, sphere_photographs

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
def photographs() -> list[Target]:
    return sphere_photographs(20, 32)


@pytest.fixture(scope="module")
def teacher(photographs: list[Target]) -> NeusTeacher:
    return train_teacher(photographs[1:], TINY)


def _psnr(teacher: NeusTeacher, target: Target) -> float:
    height, width = target.rgba.shape[:2]
    shown = teacher.render(target.camera, width, height, None if teacher.backed else (1.0, 1.0, 1.0)).colour
    return float(-10 * np.log10(np.square(shown - target.over((1.0, 1.0, 1.0)).numpy()).mean()))


def _on_sphere(count: int) -> tuple[np.ndarray, np.ndarray]:
    normals = np.random.default_rng(0).standard_normal((count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return (np.array(CENTRE) + RADIUS * normals).astype(np.float32), normals.astype(np.float32)


def test_learns_a_view_it_never_saw(photographs: list[Target], teacher: NeusTeacher) -> None:
    untrained = Trainer(photographs[1:], TINY, CPU).teacher()
    assert _psnr(untrained, photographs[0]) < 20
    assert _psnr(teacher, photographs[0]) > 24


def test_learns_distance_normals_and_colour_in_the_world(teacher: NeusTeacher) -> None:
    points, normals = _on_sphere(500)
    for depth in (-0.05, 0.0, 0.05):
        distance, gradient = teacher.distance(points + np.float32(depth) * normals)
        assert np.abs(distance - depth).mean() < 0.02
        assert (gradient * normals).sum(axis=1).mean() > 0.97
    colours = teacher.colour(points, normals, -normals)
    assert np.abs(colours - painted(torch.from_numpy(normals)).numpy()).mean() < 0.08


def test_pictures_have_depth_and_normals_of_the_world(photographs: list[Target], teacher: NeusTeacher) -> None:
    camera = photographs[0].camera
    shown = teacher.render(camera, 33, 33)
    towards = np.array(CENTRE) - camera.position
    distance = np.linalg.norm(towards)
    assert shown.depth[16, 16] == pytest.approx(distance - RADIUS, abs=0.03)
    assert shown.normal[16, 16] @ (towards / distance) < -0.97
    assert shown.opacity[16, 16] > 0.98
    assert shown.opacity[0, 0] == 0
    assert not shown.normal[0, 0].any()


def test_sharpness_is_per_world_unit(teacher: NeusTeacher) -> None:
    assert teacher.sharpness * teacher.frame.half == pytest.approx(float(teacher.model.sharpness.detach()))
    assert teacher.bounds.shape == (2, 3)
    assert (teacher.bounds[0] < np.array(CENTRE)).all()


def test_resumed_run_is_the_uninterrupted_one(photographs: list[Target], tmp_path: Path) -> None:
    options = NeusOptions(steps=12, samples=512, shape=TINY.shape, voxels=16, warm_steps=5, look_every=5)
    whole = Trainer(photographs, options, CPU)
    whole.warm_start()
    checkpoint = Checkpoint(tmp_path / "teacher.checkpoint", "sphere")
    whole.run(7, lambda trainer: None)
    checkpoint.save(whole.state())
    whole.run(12, lambda trainer: None)
    told: list[tuple[str, float, str]] = []
    resumed = train_teacher(photographs, options, lambda *now: told.append(now), state=checkpoint.load())
    for name, tensor in whole.model.tensors.items():
        assert torch.equal(tensor, resumed.model.tensors[name]), name
    assert [done for stage, done, _ in told if stage == "surface"] == [i / 12 for i in range(8, 13)]
    assert "dB" in told[-1][2]


def test_the_number_of_threads_changes_nothing(photographs: list[Target], monkeypatch: pytest.MonkeyPatch) -> None:
    options = NeusOptions(steps=4, samples=512, shape=TINY.shape, voxels=16, warm_steps=2)
    several = train_teacher(photographs, options)
    monkeypatch.setattr(neus_train, "in_pieces", lambda work, pieces: [work(piece) for piece in pieces])
    alone = train_teacher(photographs, options)
    for name, tensor in several.model.tensors.items():
        assert torch.equal(tensor, alone.model.tensors[name]), name


def test_learns_without_masks_too() -> None:
    photographs = sphere_photographs(20, 32, opaque=True)
    trainer = Trainer(photographs[1:], replace(TINY, steps=150), CPU)
    assert _psnr(trainer.teacher(), photographs[0]) < 12
    trainer.run(150, lambda now: None)
    teacher = trainer.teacher()
    assert _psnr(teacher, photographs[0]) > 20
    distance, _ = teacher.distance(_on_sphere(500)[0])
    assert np.abs(distance).mean() < 0.1 * RADIUS


def test_pieces_of_a_batch_are_the_batch() -> None:
    counts = torch.tensor([3, 0, 9, 1, 0, 4, 2, 5])
    starts = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    values = torch.arange(8.0)[:, None].expand(8, 3)
    batch = Batch(
        Rays(values, values), Samples(starts, torch.arange(24.0), 0.1), values, values, torch.arange(10.0)[:, None]
    )
    for count in (1, 3, 4):
        pieces = batch.pieces(count)
        assert len(pieces) == count
        assert torch.equal(torch.cat([p.rays.origins for p in pieces]), values)
        assert torch.equal(torch.cat([p.samples.depths for p in pieces]), batch.samples.depths)
        assert torch.equal(torch.cat([p.samples.starts.diff() for p in pieces]), counts)
        assert torch.equal(torch.cat([p.free for p in pieces]), batch.free)

"""Distances, normals and colours of meshes against closed forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from trimesh.visual import ColorVisuals

from fitting.kiloneus.mesh_teacher import MeshTeacher
from scenes.meshes import read_mesh


def _teacher(mesh: trimesh.Trimesh, folder: Path, name: str = "mesh.ply") -> MeshTeacher:
    mesh.export(folder / name)
    return MeshTeacher(read_mesh(folder / name))


def _points(count: int, size: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-size, size, (count, 3)).astype(np.float32)


def test_a_sphere(tmp_path: Path) -> None:
    teacher = _teacher(trimesh.creation.icosphere(4, 0.8), tmp_path)
    points = _points(2000, 1.2, 0)
    distance, gradient = teacher.distance(points)
    length = np.linalg.norm(points, axis=1)
    assert np.abs(distance - (length - 0.8)).max() < 3e-3  # facets
    assert (np.sign(distance) == np.sign(length - 0.8))[np.abs(length - 0.8) > 3e-3].all()
    angle = np.degrees(np.arccos(np.clip((gradient * points).sum(axis=1) / length, -1, 1)))
    near = np.abs(length - 0.8) < 0.05
    assert near.sum() > 50
    assert angle[near].mean() < 0.15  # smoother than the facets, which are 2 degrees apart
    assert np.allclose(teacher.bounds, [[-0.8] * 3, [0.8] * 3], atol=2e-3)


def test_a_box_keeps_its_edges(tmp_path: Path) -> None:
    teacher = _teacher(trimesh.creation.box((1, 1, 1)), tmp_path, "box.stl")
    points = _points(3000, 0.9, 1)
    distance, gradient = teacher.distance(points)
    off = np.abs(points) - 0.5
    outside = np.linalg.norm(np.maximum(off, 0), axis=1)
    assert np.allclose(distance, outside + np.minimum(off.max(axis=1), 0), atol=1e-5)
    corner = (off > 0.01).sum(axis=1) > 1  # nearest to an edge or a corner: away from it
    expected = (np.sign(points) * np.maximum(off, 0) / np.maximum(outside, 1e-9)[:, None])[corner]
    assert corner.sum() > 300
    assert ((gradient[corner] * expected).sum(axis=1) > 0.979).all()
    face = ((off > 0).sum(axis=1) == 1) & (np.sort(off, axis=1)[:, 1] < -0.05)
    assert np.allclose(np.abs(gradient[face]).max(axis=1), 1, atol=1e-5)


def test_an_open_mesh_has_an_inside_too(tmp_path: Path) -> None:
    sphere = trimesh.creation.icosphere(3, 1.0)
    sphere.update_faces(sphere.triangles_center[:, 2] < 0.9)
    distance, _ = _teacher(sphere, tmp_path).distance(
        np.array([[0, 0, 0], [0, 0, -0.9], [0, 0, -1.2], [2, 0, 0]], np.float32)
    )
    assert (distance[:2] < 0).all()
    assert (distance[2:] > 0).all()


def test_colours_between_vertices(tmp_path: Path) -> None:
    sphere = trimesh.creation.icosphere(3, 1.0)
    colours = np.clip(255 * (0.5 + 0.4 * sphere.vertices), 0, 255).astype(np.uint8)
    sphere.visual = ColorVisuals(sphere, vertex_colors=colours)
    teacher = _teacher(sphere, tmp_path)
    assert teacher.coloured
    assert not teacher.view_dependent
    points = _points(500, 1.0, 2)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    assert np.abs(teacher.colour(1.1 * points, points, -points) - (0.5 + 0.4 * points)).max() < 0.02


def test_the_cow_is_closed_and_smooth(data: Path) -> None:
    teacher = MeshTeacher(read_mesh(data / "meshes" / "spot.obj"))
    rng = np.random.default_rng(3)
    low, high = teacher.bounds
    inside = teacher.distance(rng.uniform(low, high, (4000, 3)).astype(np.float32))[0] < 0
    volume = float(np.prod(high - low) * inside.mean())
    assert volume == pytest.approx(teacher.mesh.volume, rel=0.1)
    assert not teacher.coloured

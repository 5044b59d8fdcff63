"""Where virtual cameras stand, and what they see."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fitting.neuralgs.targets import photograph_target, picture_size, rendered_target
from fitting.neuralgs.views import FARTHEST, FROM_BELOW, NEAREST, cameras_beside, is_room, virtual_cameras
from fitting.rasterize import rasterize
from fitting.tensors import GaussianTensors
from renderer.images import write_png
from scenes.cameras import NEAR, look_at
from scenes.captures import Frame
from scenes.extent import scene_extent
from scenes.gaussians import Gaussians


def shell(points: np.ndarray, size: float) -> Gaussians:
    """Opaque round Gaussians of one size at `points` [N, 3]."""
    count = len(points)
    rotations = np.tile([1.0, 0, 0, 0], (count, 1))
    return Gaussians(
        points.astype(np.float32),
        np.full((count, 3), np.log(size), np.float32),
        rotations.astype(np.float32),
        np.full(count, 5, np.float32),
        np.zeros((count, 1, 3), np.float32),
    )


def room() -> Gaussians:
    """The six walls of a box of side 2."""
    grid = np.stack(np.meshgrid(*2 * [np.linspace(-1, 1, 24)]), axis=-1).reshape(-1, 2)
    walls = [np.insert(grid, axis, side, axis=1) for axis in range(3) for side in (-1, 1)]
    return shell(np.concatenate(walls), 0.08)


def solid() -> Gaussians:
    """A ball filled throughout."""
    points = np.random.default_rng(0).uniform(-1, 1, (4000, 3))
    return shell(points[np.linalg.norm(points, axis=1) < 1], 0.1)


def test_a_room_is_told_from_an_object() -> None:
    assert is_room(room(), scene_extent(room()))
    assert not is_room(solid(), scene_extent(solid()))


def test_cameras_stand_around_an_object_and_see_it() -> None:
    scene = solid()
    extent = scene_extent(scene)
    tensors = GaussianTensors.of(scene)
    cameras = virtual_cameras(scene, extent, 24, 0)
    for camera in cameras:
        distance = np.linalg.norm(camera.position - extent.centre) / extent.radius
        assert NEAREST - 1e-6 <= distance <= FARTHEST + 1e-6
        assert rendered_target(tensors, camera, 48, 32, False).rgba[..., 3].float().mean() > 0.02
    directions = np.array([c.position - extent.centre for c in cameras])
    sideways = directions[:, np.abs(extent.up) < 0.5]
    assert np.abs(np.sign(sideways).mean(axis=0)).max() < 0.7  # on every side


def test_few_cameras_look_from_below() -> None:
    scene = solid()
    extent = scene_extent(scene)
    heights = [(c.position - extent.centre) @ extent.up for c in virtual_cameras(scene, extent, 400, 0)]
    assert np.mean(np.array(heights) < 0) == pytest.approx(FROM_BELOW, abs=0.05)


def test_in_a_room_most_cameras_stand_inside() -> None:
    cameras = virtual_cameras(room(), scene_extent(room()), 60, 0)
    inside = sum(bool((np.abs(c.position) < 1).all()) for c in cameras)
    assert 25 <= inside <= 47


def test_the_same_seed_gives_the_same_views() -> None:
    scene, extent = solid(), scene_extent(solid())
    first, again, other = (virtual_cameras(scene, extent, 5, seed) for seed in (1, 1, 2))
    poses = [np.stack([c.camera_from_world for c in cameras]) for cameras in (first, again, other)]
    assert np.array_equal(poses[0], poses[1])
    assert not np.allclose(poses[0], poses[2])


def test_small_scenes_are_seen_whole_and_cut_open() -> None:
    large = solid()
    small = replace(
        large, positions=large.positions / np.float32(10), log_scales=large.log_scales - np.float32(np.log(10))
    )
    nears = [c.near for c in virtual_cameras(small, scene_extent(small), 100, 0)]
    assert 30 <= nears.count(NEAR) <= 50
    assert min(nears) == pytest.approx(scene_extent(small).near)
    assert min(nears) < 0.01


def test_targets_are_right_over_any_background() -> None:
    scene = solid()
    tensors = GaussianTensors.of(scene)
    target = rendered_target(tensors, virtual_cameras(scene, scene_extent(scene), 1, 0)[0], 60, 40, False)
    for background in ((0.0, 0.0, 0.0), (0.2, 0.5, 0.9)):
        direct = rasterize(*tensors, target.view(background, False))
        assert (target.over(background) - direct).abs().max() < 2e-3  # half floats


def test_picture_size_keeps_the_longest_side() -> None:
    assert picture_size(320, 1.5) == (320, 213)
    assert picture_size(320, 0.5) == (160, 320)


@pytest.mark.parametrize("size", [(120, 90), (123, 95), (119, 83)])
def test_a_reduced_photograph_stays_registered_with_its_camera(tmp_path: Path, size: tuple[int, int]) -> None:
    """A photograph drawn large and averaged down is the picture drawn small through its camera, also when cropped."""
    scene = solid()
    tensors = GaussianTensors.of(scene)
    camera = look_at(np.array([0.5, -0.6, -1.6]), np.array([0.3, 0.2, 0]), np.array([0.0, -1, 0]), 0.85)
    large = rendered_target(tensors, camera, *size, False).rgba.float().numpy()
    straight = np.concatenate([large[..., :3] / np.maximum(large[..., 3:], 1e-3), large[..., 3:]], axis=2)
    write_png(tmp_path / "photo.png", np.clip(straight * 255, 0, 255).round().astype(np.uint8))
    target = photograph_target(Frame(camera, tmp_path / "photo.png", *size), 31, torch.device("cpu"))
    height, width = target.rgba.shape[:2]
    assert max(height, width) == pytest.approx(31, abs=2)  # the whole factor that comes nearest
    drawn = rendered_target(tensors, target.camera, width, height, False).rgba.float()
    shifted = rendered_target(tensors, camera, width, height, False).rgba.float()
    error, uncorrected = ((x[..., 3] - target.rgba[..., 3].float()).abs().mean() for x in (drawn, shifted))
    assert error < 0.02
    assert error <= uncorrected + 1e-4


def inria_cameras(count: int) -> str:
    """A cameras.json of INRIA's trainer: portrait pictures."""
    entry = {"id": 0, "img_name": "a", "width": 60, "height": 90, "fx": 80.0, "fy": 80.0}
    entry |= {"position": [0, 0, -3], "rotation": np.eye(3).tolist()}
    return json.dumps([entry] * count)


def test_the_trainers_cameras_are_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "point_cloud" / "iteration_30000"
    folder.mkdir(parents=True)
    (tmp_path / "cameras.json").write_text(inria_cameras(20))
    monkeypatch.chdir(folder)
    found = cameras_beside(Path("point_cloud.ply"))
    assert found is not None
    assert found[0] == tmp_path / "cameras.json"
    assert [c.aspect for c in found[1]] == [pytest.approx(2 / 3)] * 20


@pytest.mark.parametrize("content", ["not JSON", "{}", '[{"camera_from_world": [[1]], "fov_y": 1}]'])
def test_other_files_of_that_name_are_left_alone(tmp_path: Path, content: str) -> None:
    (tmp_path / "cameras.json").write_text(content)
    assert cameras_beside(tmp_path / "scene.ply") is None

"""Camera paths: what presets promise, and splines by their laws."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from renderer.camera_paths import PRESETS, preset_keys, preset_path, read_keys, read_path, write_keys
from renderer.camera_splines import Key, cameras_at, hermite, interpolate, positions_at
from renderer.rotation_splines import interpolate_rotations, matrix, quaternion, slerp
from scenes.camera_files import write_cameras
from scenes.cameras import Camera, look_at
from scenes.errors import KilofieldError, SceneFileError
from scenes.extent import Extent

EXTENT = Extent(np.array([1.0, -2.0, 0.5]), 3.0, np.array([0.0, 0.0, 1.0]))


def random_rotation(rng: np.random.Generator) -> np.ndarray:
    q = rng.normal(size=4)
    return matrix(q / np.linalg.norm(q))


def random_keys(count: int, seed: int) -> list[Key]:
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.5, 2, count))
    keys = []
    for time in times:
        camera = look_at(rng.normal(0, 3, 3), rng.normal(0, 0.3, 3), np.array([0, -1.0, 0]), rng.uniform(0.5, 1.2))
        keys.append(Key(float(time), camera))
    return keys


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("aspect", [0.5, 16 / 9])
def test_presets_look_at_the_scene_the_right_way_up(name: str, aspect: float) -> None:
    path = preset_path(name, EXTENT, 24, aspect)
    assert len(path) == 24
    for camera in path:
        centre = camera.camera_from_world @ [*EXTENT.centre, 1]
        np.testing.assert_allclose(centre[:2], 0, atol=1e-9)
        assert centre[2] > EXTENT.radius
        assert (camera.camera_from_world[:3, :3] @ EXTENT.up)[1] < -0.3  # y is down in a picture


def test_an_orbit_shows_the_whole_ball_and_closes() -> None:
    for aspect in (0.5, 2.0):
        path = preset_path("orbit", EXTENT, 36, aspect)
        half = np.arctan(min(1, aspect) * np.tan(path[0].fov_y / 2))
        distances = [np.linalg.norm(camera.position - EXTENT.centre) for camera in path]
        np.testing.assert_allclose(distances, distances[0])
        assert np.arcsin(EXTENT.radius / distances[0]) < half
        steps = np.linalg.norm(np.diff([c.position for c in [*path, path[0]]], axis=0), axis=1)
        np.testing.assert_allclose(steps, steps[0])  # the step from the last frame to the first is like the others


@pytest.mark.parametrize("up", [*np.eye(3), *-np.eye(3)])
def test_presets_follow_the_up_axis(up: np.ndarray) -> None:
    for camera in preset_path("spiral", Extent(np.zeros(3), 1.0, up), 5, 1.5):
        assert camera.position @ up > 0


def test_paths_that_cannot_be() -> None:
    with pytest.raises(KilofieldError, match=r"^camera path: expected one of orbit, .*, dolly, found 'swoop'$"):
        preset_path("swoop", EXTENT, 3, 1.0)
    with pytest.raises(KilofieldError, match=r"^frames: expected at least 1, found 0$"):
        preset_path("orbit", EXTENT, 0, 1.0)


def test_the_path_goes_through_every_key() -> None:
    keys = random_keys(5, 0)
    for i, key in enumerate(keys[1:], 1):
        camera = interpolate([*keys[: i + 1]], 7)[-1]
        np.testing.assert_allclose(camera.camera_from_world, key.camera.camera_from_world, atol=1e-9)
        assert camera.fov_y == pytest.approx(key.camera.fov_y)


def test_the_path_is_rigid_and_smooth() -> None:
    keys = [Key(float(i), key.camera) for i, key in enumerate(random_keys(6, 1))]
    path = interpolate(keys, 2001)
    poses = np.stack([camera.camera_from_world for camera in path])
    rotations = poses[:, :3, :3]
    np.testing.assert_allclose(
        rotations @ rotations.transpose(0, 2, 1), np.broadcast_to(np.eye(3), rotations.shape), atol=1e-9
    )
    positions = np.stack([camera.position for camera in path])
    for values in (positions, rotations.reshape(-1, 9)):
        speed = np.diff(values, axis=0) * 400
        jumps = np.abs(np.diff(speed, axis=0)).max()
        assert jumps < 0.02 * np.abs(speed).max() + 0.1  # a C0 path jumps by the speed itself


def test_a_constant_turn_stays_constant() -> None:
    """Keys of one rotation about one axis at even times: squad must give back that rotation."""
    angles = np.arange(5) * 0.7

    def about_z(angle: float) -> np.ndarray:
        return np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])

    wanted = np.linspace(1, 3, 41)  # between the inner keys
    found = interpolate_rotations(np.arange(5.0), np.stack([about_z(a) for a in angles]), wanted)
    np.testing.assert_allclose(found, [about_z(0.7 * t) for t in wanted], atol=1e-9)


def test_hermite_gives_back_a_parabola() -> None:
    times = np.array([0.0, 0.7, 1.0, 2.5, 3.0])
    wanted = np.linspace(0.7, 2.5, 50)  # the tangents at the ends are chords
    parabola = 3 - 2 * times + 0.5 * times**2
    found = hermite(times, parabola[:, None], wanted)[:, 0]
    np.testing.assert_allclose(found, 3 - 2 * wanted + 0.5 * wanted**2, atol=1e-12)


def test_quaternions_and_matrices_are_inverse() -> None:
    rng = np.random.default_rng(2)
    half_turn = np.diag([1.0, -1, -1])
    for rotation in [np.eye(3), half_turn, *(random_rotation(rng) for _ in range(50))]:
        np.testing.assert_allclose(matrix(quaternion(rotation)), rotation, atol=1e-12)


def test_slerp_of_equal_quaternions() -> None:
    q = np.array([[1.0, 0, 0, 0]] * 3)
    np.testing.assert_allclose(slerp(q, q, np.array([0.0, 0.5, 1.0])), q)


def test_a_camera_file_is_a_path(tmp_path: Path) -> None:
    cameras = [key.camera for key in random_keys(3, 3)]
    write_cameras(tmp_path / "cameras.json", cameras)
    path = read_path(tmp_path / "cameras.json", 5)
    for frame, key in ((0, 0), (2, 1), (4, 2)):
        np.testing.assert_allclose(path[frame].camera_from_world, cameras[key].camera_from_world, atol=1e-9)


def test_a_single_key_stands_still(tmp_path: Path) -> None:
    write_cameras(tmp_path / "cameras.json", [Camera(np.eye(4), 0.7)])
    path = read_path(tmp_path / "cameras.json", 3)
    assert [camera.fov_y for camera in path] == [0.7] * 3


def test_a_path_file_is_read(tmp_path: Path) -> None:
    keys = random_keys(4, 4)
    entries = [
        {"time": k.time, "camera_from_world": k.camera.camera_from_world.tolist(), "fov_y": k.camera.fov_y}
        for k in keys
    ]
    (tmp_path / "path.json").write_text(json.dumps({"keys": entries}))
    for found, expected in zip(read_path(tmp_path / "path.json", 9), interpolate(keys, 9), strict=True):
        np.testing.assert_allclose(found.camera_from_world, expected.camera_from_world)


POSE = np.eye(4).tolist()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ([], "keys: expected a list of at least one key, found []"),
        (3, "keys: expected a list of at least one key, found 3"),
        ([{"time": 0, "camera_from_world": POSE}], "key 0, fov_y: expected a value, found none"),
        ([{"time": "x", "camera_from_world": POSE, "fov_y": 1}], 'key 0, time: expected a finite number, found "x"'),
        (
            [{"time": t, "camera_from_world": POSE, "fov_y": 1} for t in (1, 1)],
            "key 1, time: expected more than 1, found 1",
        ),
    ],
)
def test_what_is_wrong_with_a_path_file(tmp_path: Path, keys: object, message: str) -> None:
    path = tmp_path / "path.json"
    path.write_text(json.dumps({"keys": keys}))
    with pytest.raises(SceneFileError) as caught:
        read_path(path, 3)
    assert str(caught.value) == f"{path}: {message}"


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_s_keys_follow_the_preset(name: str) -> None:
    keys = preset_keys(name, EXTENT, 6.0, 1.5)
    assert (keys[0].time, keys[-1].time) == (0.0, 6.0)
    frames = 200
    path = preset_path(name, EXTENT, frames, 1.5)
    found = cameras_at(keys, np.arange(frames) * 6.0 / frames)
    far = max(np.linalg.norm(camera.position - EXTENT.centre) for camera in path)
    for camera, expected in zip(found, path, strict=True):
        assert np.linalg.norm(camera.position - expected.position) < 0.015 * far
        turn = camera.camera_from_world[:3, :3] @ expected.camera_from_world[:3, :3].T
        assert np.trace(turn) > 1 + 2 * np.cos(np.radians(1.0))


def test_a_closed_path_is_smooth_where_it_closes() -> None:
    keys = preset_keys("ellipse", EXTENT, 5.0, 1.5)
    step = 1e-4
    first, second = cameras_at(keys, np.array([0.0, step]))
    before_last, last = cameras_at(keys, np.array([5.0 - step, 5.0]))
    np.testing.assert_allclose(first.camera_from_world, last.camera_from_world, atol=1e-9)
    leaving = (second.camera_from_world - first.camera_from_world) / step
    arriving = (last.camera_from_world - before_last.camera_from_world) / step
    np.testing.assert_allclose(leaving, arriving, atol=2e-3 * np.abs(leaving).max())


def test_before_the_first_key_and_after_the_last_the_camera_stands_still() -> None:
    keys = random_keys(4, 8)
    early, late = cameras_at(keys, np.array([keys[0].time - 1, keys[-1].time + 1]))
    np.testing.assert_allclose(early.camera_from_world, keys[0].camera.camera_from_world, atol=1e-9)
    np.testing.assert_allclose(late.camera_from_world, keys[-1].camera.camera_from_world, atol=1e-9)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_positions_are_those_of_the_cameras(count: int) -> None:
    keys = random_keys(count, 10)
    wanted = np.linspace(keys[0].time - 1, keys[-1].time + 1, 17)
    found = positions_at(keys, wanted)
    np.testing.assert_allclose(found, [camera.position for camera in cameras_at(keys, wanted)], atol=1e-9)


def test_parallel_views_grow_by_equal_ratios() -> None:
    cameras = [Camera(np.eye(4), 0.7, projection="orthographic", view_height=h) for h in (1.0, 4.0)]
    between = interpolate([Key(float(i), camera) for i, camera in enumerate(cameras)], 3)[1]
    assert (between.projection, between.view_height) == ("orthographic", pytest.approx(2.0))


def test_keys_come_back_to_the_last_bit(tmp_path: Path) -> None:
    keys = random_keys(3, 9)
    lens = {"pixel_aspect": 1.25, "centre": (0.4, 0.55), "name": "IMG_1.jpg"}
    keys.append(Key(keys[-1].time + 0.1, replace(keys[0].camera, **lens)))
    keys.append(Key(keys[-1].time + 0.1, replace(keys[0].camera, projection="orthographic", view_height=3.25)))
    keys.append(Key(keys[-1].time + 0.1, replace(keys[0].camera, projection="equirectangular")))
    write_keys(tmp_path / "path.json", keys)
    found = read_keys(tmp_path / "path.json")
    assert [key.time for key in found] == [key.time for key in keys]
    for key, expected in zip(found, keys, strict=True):
        np.testing.assert_array_equal(key.camera.camera_from_world, expected.camera.camera_from_world)
        same = replace(key.camera, camera_from_world=np.eye(4), near=1.0)
        assert same == replace(expected.camera, camera_from_world=same.camera_from_world, near=1.0)


def test_an_unknown_projection_is_named(tmp_path: Path) -> None:
    path = tmp_path / "path.json"
    path.write_text(json.dumps({"keys": [{"time": 0, "camera_from_world": POSE, "fov_y": 1, "projection": "fish"}]}))
    with pytest.raises(SceneFileError) as caught:
        read_keys(path)
    expected = "one of pinhole, orthographic, equirectangular"
    assert str(caught.value) == f'{path}: key 0, projection: expected {expected}, found "fish"'

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from scenes.camera_files import read_cameras, write_cameras
from scenes.cameras import Camera, look_at
from scenes.errors import KilofieldError, SceneFileError

EYE4 = np.eye(4).tolist()


def random_camera(seed: int) -> Camera:
    rng = np.random.default_rng(seed)
    eye, target = rng.normal(size=3), rng.normal(size=3)
    return look_at(eye, target, np.array([0.0, -1, 0]), rng.uniform(0.1, 3))


def write_json(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


def project(camera: Camera, point: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
    """The pixel of a world point."""
    fx, fy, cx, cy = camera.intrinsics(width, height)
    x, y, z = camera.camera_from_world[:3] @ np.append(point, 1)
    return np.array([fx * x / z + cx, fy * y / z + cy])


def assert_same(found: Camera, expected: Camera) -> None:
    np.testing.assert_array_equal(found.camera_from_world, expected.camera_from_world)
    for field in ("fov_y", "pixel_aspect", "centre", "name"):
        assert getattr(found, field) == getattr(expected, field)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    aspect=st.floats(0.1, 10),
    centre=st.tuples(st.floats(-1, 2), st.floats(-1, 2)),
    name=st.text(),
)
def test_what_is_written_is_read_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, seed: int, aspect: float, centre: tuple[float, float], name: str
) -> None:
    plain = random_camera(seed)
    full = Camera(plain.camera_from_world, plain.fov_y, aspect, centre, name)
    path = tmp_path_factory.mktemp("cameras") / "cameras.json"
    write_cameras(path, [plain, full])
    found = read_cameras(path)
    assert len(found) == 2
    assert_same(found[0], plain)
    assert_same(found[1], full)


def test_a_plain_camera_is_two_keys(tmp_path: Path) -> None:
    write_cameras(tmp_path / "a.json", [random_camera(1)])
    assert [list(entry) for entry in json.loads((tmp_path / "a.json").read_text())] == [["camera_from_world", "fov_y"]]


def test_numpy_numbers_are_written(tmp_path: Path) -> None:
    half, two = np.array([0.5, 2], np.float32)
    camera = Camera(np.eye(4), two, half, (half, two))
    write_cameras(tmp_path / "a.json", [camera])
    assert_same(read_cameras(tmp_path / "a.json")[0], camera)


def test_an_unwritable_folder_is_said(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "a.json"
    with pytest.raises(KilofieldError) as caught:
        write_cameras(path, [random_camera(1)])
    assert str(caught.value) == f"{path}: cannot write: No such file or directory"


def test_inria_cameras(tmp_path: Path) -> None:
    """A point in front of the camera lands where INRIA's own projection puts it."""
    rotation = look_at(np.zeros(3), np.array([1.0, 2, 3]), np.array([0.0, -1, 0]), 1.0).camera_from_world[:3, :3].T
    position = np.array([4.0, 5, 6])
    entry = {"id": 0, "img_name": "DSC01", "width": 640, "height": 480, "fx": 500.0, "fy": 400.0}
    entry |= {"position": position.tolist(), "rotation": rotation.tolist()}
    (camera,) = read_cameras(write_json(tmp_path / "cameras.json", [entry]))
    assert camera.name == "DSC01"
    assert camera.position == pytest.approx(position)
    point = position + rotation @ [0.3, -0.2, 2.0]  # right, down, forward of the camera
    assert project(camera, point, 640, 480) == pytest.approx([320 + 500 * 0.3 / 2, 240 - 400 * 0.2 / 2])
    assert camera.fov_y == pytest.approx(2 * math.atan(240 / 400))


def transforms(**more: Any) -> dict[str, Any]:
    """A camera at (0, 0, 4) that looks down -z with y up, as OpenGL has it without any rotation."""
    matrix = np.eye(4)
    matrix[2, 3] = 4
    return {**more, "frames": [{"file_path": "r_0", "transform_matrix": matrix.tolist()}]}


INTRINSICS = {
    "angle": ({"camera_angle_x": 2 * math.atan(0.4), "w": 80, "h": 60}, (100, 100, 40, 30)),
    "two angles": (
        {"camera_angle_x": 2 * math.atan(0.4), "camera_angle_y": 2 * math.atan(0.6), "w": 80, "h": 60},
        (100, 50, 40, 30),
    ),
    "focal": ({"fl_x": 90.0, "w": 80, "h": 60}, (90, 90, 40, 30)),
    "all": ({"fl_x": 90.0, "fl_y": 70.0, "cx": 41.5, "cy": 28.0, "w": 80, "h": 60}, (90, 70, 41.5, 28)),
    "focal before angle": (
        {"fl_x": 90.0, "camera_angle_x": 1.0, "camera_angle_y": 1.0, "w": 80, "h": 60},
        (90, 90, 40, 30),
    ),
    "zero distortion": (
        {"fl_x": 90.0, "w": 80, "h": 60, "k1": 0, "p2": 0.0, "camera_model": "OPENCV"},
        (90, 90, 40, 30),
    ),
}


@pytest.mark.parametrize("name", INTRINSICS)
@pytest.mark.parametrize("per_frame", [False, True])
def test_transforms_intrinsics(tmp_path: Path, name: str, per_frame: bool) -> None:
    values, expected = INTRINSICS[name]
    content = transforms(**({"fl_x": 1.0} if per_frame and "fl_x" in values else {}))
    (content["frames"][0] if per_frame else content).update(values)
    (camera,) = read_cameras(write_json(tmp_path / "transforms.json", content))
    assert camera.intrinsics(80, 60) == pytest.approx(expected)
    assert camera.intrinsics(40, 30) == pytest.approx([x / 2 for x in expected])
    assert camera.name == "r_0"


def test_transforms_axes(tmp_path: Path) -> None:
    """OpenGL's up is up in the picture, its right is right, and what is in front is in front."""
    (camera,) = read_cameras(write_json(tmp_path / "a.json", transforms(fl_x=100, w=80, h=60)))
    assert camera.position == pytest.approx([0, 0, 4])
    assert project(camera, np.zeros(3), 80, 60) == pytest.approx([40, 30])
    assert project(camera, np.array([1.0, 0, 0]), 80, 60) == pytest.approx([65, 30])
    assert project(camera, np.array([0.0, 1, 0]), 80, 60) == pytest.approx([40, 5])
    assert (camera.camera_from_world @ [0, 0, 0, 1])[2] == pytest.approx(4)


def test_the_size_is_the_images_when_the_file_has_none(tmp_path: Path) -> None:
    Image.new("RGB", (80, 60)).save(tmp_path / "r_0.png")
    (camera,) = read_cameras(write_json(tmp_path / "a.json", transforms(camera_angle_x=2 * math.atan(0.4))))
    assert camera.intrinsics(80, 60) == pytest.approx([100, 100, 40, 30])


def ours(**changes: Any) -> list[dict[str, Any]]:
    """Two cameras, the second one with changes; None takes a key away."""
    entry = {"camera_from_world": EYE4, "fov_y": 1.0, **changes}
    return [ours()[0] if changes else entry, {key: value for key, value in entry.items() if value is not None}]


def inria(**changes: Any) -> list[dict[str, Any]]:
    entry = {
        "position": [0, 0, 0],
        "rotation": np.eye(3).tolist(),
        "width": 4,
        "height": 3,
        "fx": 5,
        "fy": 5,
        **changes,
    }
    return [{key: value for key, value in entry.items() if value is not None}]


def frame(**changes: Any) -> dict[str, Any]:
    content = transforms(fl_x=90, w=80, h=60)
    entry = {**content["frames"][0], **changes}
    content["frames"] = [content["frames"][0], {key: value for key, value in entry.items() if value is not None}]
    return content


def matrix(row: int, column: int, value: Any) -> list[list[Any]]:
    rows = np.eye(4).tolist()
    rows[row][column] = value
    return rows


RIGID = "expected a rotation and a translation"
BAD_CAMERAS = {
    "number": (3, "file: expected a list of cameras or an object with frames, found 3"),
    "object": ({"a": 1}, 'file: expected a list of cameras or an object with frames, found {"a": 1}'),
    "no cameras": ([], "file: expected at least one camera, found 0"),
    "no frames": ({"frames": []}, "frames: expected a list of at least one frame, found []"),
    "frames": ({"frames": 1}, "frames: expected a list of at least one frame, found 1"),
    "list": ([[1]], "camera 0: expected an object, found [1]"),
    "unknown": ([{"a": 1, "b": 2}], "camera 0: expected camera_from_world, or position and rotation, found a, b"),
    "hollow": ([{}], "camera 0: expected camera_from_world, or position and rotation, found an empty object"),
    "no fov": (ours(fov_y=None), "camera 1, fov_y: expected a value, found none"),
    "zero fov": (ours(fov_y=0), "camera 1, fov_y: expected a number between 0 and 3.1416, found 0"),
    "wide fov": (
        ours(fov_y=math.pi),
        "camera 1, fov_y: expected a number between 0 and 3.1416, found 3.141592653589793",
    ),
    "NaN fov": (ours(fov_y=math.nan), "camera 1, fov_y: expected a number between 0 and 3.1416, found NaN"),
    "text fov": (ours(fov_y="1"), 'camera 1, fov_y: expected a number between 0 and 3.1416, found "1"'),
    "true fov": (ours(fov_y=True), "camera 1, fov_y: expected a number between 0 and 3.1416, found true"),
    "huge fov": (ours(fov_y=10**400), f"camera 1, fov_y: expected a number between 0 and 3.1416, found 1{'0' * 56}..."),
    "aspect": (ours(pixel_aspect=-1), "camera 1, pixel_aspect: expected a finite number above 0, found -1"),
    "centre": (ours(centre=[0.5]), "camera 1, centre: expected 2 finite numbers, found [0.5]"),
    "name": (ours(name=7), "camera 1, name: expected a string, found 7"),
    "3x4": (
        ours(camera_from_world=EYE4[:3]),
        "camera 1, camera_from_world: expected 4 x 4 finite numbers, "
        "found [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1...",
    ),
    "NaN": (
        ours(camera_from_world=matrix(0, 0, math.nan)),
        "camera 1, camera_from_world: expected 4 x 4 finite numbers, "
        "found [[NaN, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1...",
    ),
    "singular": (
        ours(camera_from_world=matrix(0, 0, 0)),
        f"camera 1, camera_from_world: {RIGID}, found a determinant of 0 and axes 1 off orthonormal",
    ),
    "scaled": (
        ours(camera_from_world=matrix(0, 0, 2)),
        f"camera 1, camera_from_world: {RIGID}, found a determinant of 2 and axes 3 off orthonormal",
    ),
    "mirrored": (
        ours(camera_from_world=matrix(0, 0, -1)),
        f"camera 1, camera_from_world: {RIGID}, found a determinant of -1 and axes 0 off orthonormal",
    ),
    "projective": (
        ours(camera_from_world=matrix(3, 0, 0.5)),
        f"camera 1, camera_from_world: {RIGID}, found a last row of 0.5, 0, 0, 1",
    ),
    "inria focal": (inria(fy=None), "camera 0, fy: expected a value, found none"),
    "inria height": (inria(height=0), "camera 0, height: expected a finite number above 0, found 0"),
    "inria position": (inria(position=[1, 2]), "camera 0, position: expected 3 finite numbers, found [1, 2]"),
    "inria rotation": (
        inria(rotation=np.zeros((3, 3)).tolist()),
        f"camera 0, rotation: {RIGID}, found a determinant of 0 and axes 1 off orthonormal",
    ),
    "frame list": ({"frames": [1]}, "frame 0: expected an object, found 1"),
    "frame path": (frame(file_path=None), "frame 1, file_path: expected a value, found none"),
    "frame matrix": (
        frame(transform_matrix=matrix(1, 1, 3)),
        f"frame 1, transform_matrix: {RIGID}, found a determinant of 3 and axes 8 off orthonormal",
    ),
    "frame focal": (frame(fl_x=-2), "frame 1, fl_x: expected a finite number above 0, found -2"),
    "distorted": (
        frame(k1=0.05),
        "frame 1, k1: expected no lens distortion (undistort the images first), found 0.05",
    ),
    "fisheye": (
        frame(camera_model="OPENCV_FISHEYE"),
        'frame 1, camera_model: expected one of PINHOLE, SIMPLE_PINHOLE, OPENCV, found "OPENCV_FISHEYE"',
    ),
    "no focal": (transforms(w=80, h=60), "frame 0, fl_x: expected a value, found none"),
    "half a size": (transforms(fl_x=90, w=80), "frame 0, h: expected a value, found none"),
    "angle": (
        transforms(camera_angle_x=4, w=80, h=60),
        "frame 0, camera_angle_x: expected a number between 0 and 3.1416, found 4",
    ),
}


@pytest.mark.parametrize("name", BAD_CAMERAS)
def test_bad_cameras(tmp_path: Path, name: str) -> None:
    content, message = BAD_CAMERAS[name]
    path = write_json(tmp_path / "cameras.json", content)
    with pytest.raises(SceneFileError) as caught:
        read_cameras(path)
    assert str(caught.value) == f"{path}: {message}"


def test_a_size_nobody_knows(tmp_path: Path) -> None:
    path = write_json(tmp_path / "a.json", transforms(fl_x=90))
    with pytest.raises(SceneFileError) as caught:
        read_cameras(path)
    assert (
        str(caught.value) == f"{path}: frame 0, w: expected w and h, or an image at {tmp_path}/r_0.png, found neither"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "file: expected a file, found nothing at this path"),
        (b"", "file: expected some bytes, found an empty file"),
        (b"[\n{,\n]", "line 2: expected JSON, found expecting property name enclosed in double quotes"),
        (b"ply\n", "line 1: expected JSON, found expecting value"),
        (
            b"\xff\xfe\xfd",
            "file: expected JSON, found bytes that are no text, from byte 2 on",
        ),
    ],
)
def test_files_that_are_not_json(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "cameras.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SceneFileError) as caught:
        read_cameras(path)
    assert str(caught.value) == f"{path}: {message}"


def test_json_nested_without_end_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[" * 200_000)
    with pytest.raises(SceneFileError):
        read_cameras(tmp_path / "a.json")


@pytest.mark.parametrize("name", ["donut", "guitar", "hamburger", "angel-kneeling", "playbot-31k", "playbot-125k"])
def test_real_cameras(data: Path, tmp_path: Path, name: str) -> None:
    path = data / "cameras" / f"{name}.json"
    cameras = read_cameras(path)
    assert len(cameras) == 8
    for camera, entry in zip(cameras, json.loads(path.read_text()), strict=True):
        assert camera.camera_from_world.tolist() == entry["camera_from_world"]
        assert camera.fov_y == entry["fov_y"]
    write_cameras(tmp_path / "again.json", cameras)
    for found, expected in zip(read_cameras(tmp_path / "again.json"), cameras, strict=True):
        assert_same(found, expected)

"""COLMAP's models: written here byte by byte and line by line, and what is wrong with damaged ones."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np
import pytest

from renderer.rotation_splines import matrix
from scenes.camera_files import read_poses
from scenes.colmap import MODELS, is_colmap, read_colmap
from scenes.errors import SceneFileError

POSES = np.random.default_rng(4).normal(size=(3, 7))
POSES[:, :4] /= np.linalg.norm(POSES[:, :4], axis=1, keepdims=True)
NAMES = ("c/frame 10.jpg", "a.png", "b.png")
CAMERAS = ((7, 1, 640, 480, (500.0, 510.0, 330.0, 236.0)), (9, 2, 200, 100, (90.0, 100.0, 50.0, -0.03)))
USES = (7, 9, 7)


def write_binary(folder: Path) -> None:
    cameras = struct.pack("<Q", len(CAMERAS))
    for number, model, width, height, numbers in CAMERAS:
        cameras += struct.pack(f"<iiQQ{len(numbers)}d", number, model, width, height, *numbers)
    images = struct.pack("<Q", len(POSES))
    for i, (pose, camera, name) in enumerate(zip(POSES, USES, NAMES, strict=True)):
        images += struct.pack("<i7di", i + 1, *pose, camera) + name.encode() + b"\0"
        images += struct.pack("<Q", i) + bytes(24 * i)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cameras.bin").write_bytes(cameras)
    (folder / "images.bin").write_bytes(images)


def write_text(folder: Path) -> None:
    cameras = ["# Camera list"]
    for number, model, width, height, numbers in CAMERAS:
        cameras.append(" ".join(map(str, (number, MODELS[model][0], width, height, *numbers))))
    images = ["# Image list", "# two lines each"]
    for i, (pose, camera, name) in enumerate(zip(POSES, USES, NAMES, strict=True)):
        images += [f"{i + 1} {' '.join(repr(float(x)) for x in pose)} {camera} {name}", "1.0 2.0 -1" * i]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cameras.txt").write_text("\n".join(cameras) + "\n")
    (folder / "images.txt").write_text("\n".join(images) + "\n")


@pytest.mark.parametrize("write", [write_binary, write_text])
@pytest.mark.parametrize("place", [".", "sparse", "sparse/0"])
def test_a_model_is_read(tmp_path: Path, write: object, place: str) -> None:
    assert callable(write)
    write(tmp_path / place)
    model = read_colmap(tmp_path)
    assert [camera.name for camera in model.cameras] == sorted(NAMES)
    assert model.distorted == 1
    by_name = {camera.name: camera for camera in model.cameras}
    for pose, name in zip(POSES, NAMES, strict=True):
        found = by_name[name].camera_from_world
        np.testing.assert_allclose(found[:3, :3], matrix(pose[:4]), atol=1e-12)
        np.testing.assert_allclose(found[:3, 3], pose[4:], atol=1e-12)
    wide, radial = by_name[NAMES[0]], by_name[NAMES[1]]
    assert wide.intrinsics(640, 480) == pytest.approx((500, 510, 330, 236))
    assert radial.intrinsics(200, 100) == pytest.approx((90, 90, 100, 50))
    assert wide.aspect == pytest.approx(640 / 480)


def test_binary_and_text_are_the_same_model_and_a_file_of_it_names_it(tmp_path: Path) -> None:
    write_binary(tmp_path / "b")
    write_text(tmp_path / "t")
    for file in (tmp_path / "b" / "images.bin", tmp_path / "t" / "cameras.txt"):
        assert is_colmap(file)
        assert [camera.name for camera in read_poses(file)[0]] == sorted(NAMES)
    pairs = zip(read_poses(tmp_path / "b")[0], read_poses(tmp_path / "t")[0], strict=True)
    for binary, text in pairs:
        np.testing.assert_array_equal(binary.camera_from_world, text.camera_from_world)
        assert binary.fov_y == text.fov_y


def test_what_is_no_model() -> None:
    assert not is_colmap("cameras.json")
    assert not is_colmap("images.bin/none")


def message(path: Path) -> str:
    with pytest.raises(SceneFileError) as caught:
        read_colmap(path)
    return str(caught.value)


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    assert message(tmp_path) == f"{tmp_path}: folder: expected a COLMAP model, images.bin or images.txt, found neither"


def test_every_cut_of_a_binary_model_is_an_error(tmp_path: Path) -> None:
    write_binary(tmp_path)
    for name in ("images.bin", "cameras.bin"):
        whole = (tmp_path / name).read_bytes()
        for size in range(0, len(whole), 7):
            (tmp_path / name).write_bytes(whole[:size])
            assert message(tmp_path).startswith(f"{tmp_path / name}: ")
        (tmp_path / name).write_bytes(whole)
    assert len(read_colmap(tmp_path).cameras) == 3


@pytest.mark.parametrize(
    ("name", "line", "said"),
    [
        ("images.txt", "1 1 0 0 0 0 0 0 7", "an id, a pose of 7 numbers, a camera and a name"),
        ("images.txt", "1 0 0 0 0 0 0 0 7 a.png", "a finite pose"),
        ("images.txt", "1 1 0 0 0 0 0 x 7 a.png", "expected a finite number, found x"),
        ("images.txt", "1 1 0 0 0 0 0 0 3 a.png", "a camera of the model, found camera 3"),
        ("cameras.txt", "7 ROUND 1 1 1", "an id, one of SIMPLE_PINHOLE"),
        ("cameras.txt", "7 PINHOLE 1 1 1", "4 parameters of PINHOLE, found 1"),
        ("cameras.txt", "7 SIMPLE_PINHOLE 4 3 0 1 1", "a size and focal lengths above 0, found 4 x 3 and 0, 1, 1"),
    ],
)
def test_what_is_wrong_with_a_text_model(tmp_path: Path, name: str, line: str, said: str) -> None:
    write_text(tmp_path)
    (tmp_path / name).write_text(f"# comment\n{line}\n\n")
    found = message(tmp_path)
    assert found.startswith(f"{tmp_path / name}: line 2: expected ") or "camera 3" in found
    assert said in found


def test_a_model_number_nobody_has(tmp_path: Path) -> None:
    write_binary(tmp_path)
    (tmp_path / "cameras.bin").write_bytes(struct.pack("<QiiQQ", 1, 7, 40, 4, 4))
    assert message(tmp_path) == f"{tmp_path / 'cameras.bin'}: camera 0, model: expected 0 to 10, found 40"


def test_the_field_of_view_is_the_lens_s(tmp_path: Path) -> None:
    write_text(tmp_path)
    camera = next(camera for camera in read_poses(tmp_path)[0] if camera.name == "a.png")
    assert camera.fov_y == pytest.approx(2 * math.atan(50 / 90))

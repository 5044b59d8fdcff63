from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scenes.camera_files import read_cameras
from scenes.captures import read_capture
from scenes.errors import SceneFileError


def make_capture(
    folder: Path, name: str = "transforms.json", images: tuple[str, ...] = ("a", "b"), **more: Any
) -> Path:
    """A transforms file that names `images`, of which none is made."""
    frames = [{"file_path": image, "transform_matrix": np.eye(4).tolist()} for image in images]
    (folder / name).write_text(json.dumps({"camera_angle_x": 1.0, **more, "frames": frames}))
    return folder / name


def make_image(path: Path, mode: str = "RGBA", size: tuple[int, int] = (6, 4)) -> np.ndarray:
    """A picture of noise and its pixels."""
    channels = Image.new(mode, (1, 1)).getbands()
    shape = (size[1], size[0], len(channels)) if len(channels) > 1 else (size[1], size[0])
    pixels = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path)
    return pixels


def test_images_keep_straight_alpha(tmp_path: Path) -> None:
    pixels = make_image(tmp_path / "a.png")
    make_capture(tmp_path, images=("a",))
    image = read_capture(tmp_path).train[0].image()
    assert (image.dtype, image.shape) == (np.float32, (4, 6, 4))
    np.testing.assert_allclose(image, pixels / 255, atol=1e-7)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_images_without_alpha_are_opaque(tmp_path: Path, mode: str) -> None:
    pixels = make_image(tmp_path / "a.png", mode)
    make_capture(tmp_path, images=("a.png",))
    image = read_capture(tmp_path).train[0].image()
    np.testing.assert_allclose(image[..., :3], pixels.reshape(4, 6, -1) / np.full(3, 255), atol=1e-7)
    assert (image[..., 3] == 1).all()


def test_sixteen_bits_of_grey_are_not_clipped(tmp_path: Path) -> None:
    grey = np.array([[0, 1000], [40000, 65535]], np.uint16)
    Image.fromarray(grey).save(tmp_path / "a.png")
    make_capture(tmp_path, images=("a",))
    image = read_capture(tmp_path).train[0].image()
    np.testing.assert_allclose(image[..., 1], grey / 65535, atol=1e-6)


def test_the_camera_fits_the_image_at_another_size(tmp_path: Path) -> None:
    """Intrinsics are for the w and h of the file; the image may have been made smaller since."""
    make_image(tmp_path / "a.png", size=(6, 4))
    make_capture(tmp_path, images=("a",), fl_x=60.0, cx=30.0, w=60, h=40)
    frame = read_capture(tmp_path).train[0]
    assert (frame.width, frame.height) == (6, 4)
    assert frame.camera.intrinsics(frame.width, frame.height) == pytest.approx([6, 6, 3, 2])


def test_the_angle_is_the_images_when_the_file_has_no_size(tmp_path: Path) -> None:
    make_image(tmp_path / "a.png", size=(6, 4))
    make_capture(tmp_path, images=("a",))
    camera = read_capture(tmp_path).train[0].camera
    assert camera.intrinsics(6, 4)[1] == pytest.approx(3 / math.tan(0.5))


def test_split_by_file_name(tmp_path: Path) -> None:
    for image in ("train/0", "train/1", "test/0", "all/0"):
        make_image(tmp_path / f"{image}.png")
    make_capture(tmp_path, "transforms_train.json", ("./train/0", "./train/1"))
    make_capture(tmp_path, "transforms_test.json", ("./test/0",))
    make_capture(tmp_path, "transforms.json", ("all/0",))
    capture = read_capture(tmp_path)
    assert [frame.path for frame in capture.train] == [tmp_path / "train" / f"{i}.png" for i in range(2)]
    assert [frame.path for frame in capture.test] == [tmp_path / "test" / "0.png"]
    (tmp_path / "transforms_train.json").unlink()
    assert [frame.path for frame in read_capture(tmp_path).train] == [tmp_path / "all" / "0.png"]
    alone = read_capture(tmp_path / "transforms_test.json")
    assert (len(alone.train), len(alone.test)) == (0, 1)


def test_missing_images_are_reported(tmp_path: Path) -> None:
    make_image(tmp_path / "r_0.5.png")
    make_capture(tmp_path, images=("r_0.5", "gone", "gone.jpg"))
    capture = read_capture(tmp_path)
    assert [frame.path.name for frame in capture.train] == ["r_0.5.png"]
    assert capture.missing == [tmp_path / "gone.png", tmp_path / "gone.jpg"]


def bad_folder(folder: Path) -> str:
    return f"{folder}: folder: expected transforms_train.json, transforms_test.json or transforms.json, found "


def test_folders_that_are_not_captures(tmp_path: Path) -> None:
    def message() -> str:
        with pytest.raises(SceneFileError) as caught:
            read_capture(tmp_path)
        return str(caught.value)

    assert message() == bad_folder(tmp_path) + "an empty folder"
    for name in "fbdace":
        (tmp_path / name).touch()
    assert message() == bad_folder(tmp_path) + "a, b, c, d, e, f"
    (tmp_path / ("g" * 99)).touch()
    assert message() == bad_folder(tmp_path) + f"a, b, c, d, e, f, {'g' * 39}..."
    (tmp_path / "sparse").mkdir()
    assert message() == bad_folder(tmp_path) + "a COLMAP reconstruction in sparse/"
    make_capture(tmp_path, images=("x", "y"))
    assert message() == f"{tmp_path}: frames: expected at least one of 2 images, found none of them"


def test_a_capture_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SceneFileError) as caught:
        read_capture(tmp_path / "none")
    assert str(caught.value) == f"{tmp_path / 'none'}: file: expected a file, found nothing at this path"


def test_a_list_is_not_a_capture(tmp_path: Path) -> None:
    (tmp_path / "transforms.json").write_text("[]")
    with pytest.raises(SceneFileError) as caught:
        read_capture(tmp_path)
    assert str(caught.value) == f"{tmp_path / 'transforms.json'}: file: expected an object with frames, found []"


def test_an_image_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("not a picture")
    make_capture(tmp_path, images=("a",))
    with pytest.raises(SceneFileError) as caught:
        read_capture(tmp_path)
    assert str(caught.value) == f"{tmp_path / 'a.png'}: image: expected a picture, found a file of another kind"


def test_an_image_cut_short(tmp_path: Path) -> None:
    make_image(tmp_path / "a.png", size=(64, 64))
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[: len(whole) // 2])
    make_capture(tmp_path, images=("a",))
    frame = read_capture(tmp_path).train[0]
    with pytest.raises(SceneFileError) as caught:
        frame.image()
    assert str(caught.value) == f"{tmp_path / 'a.png'}: image: expected a whole picture, found a damaged one"


def test_a_name_no_disk_can_hold_is_missing(tmp_path: Path) -> None:
    make_image(tmp_path / "a.png")
    make_capture(tmp_path, images=("a", "b" * 300))
    assert read_capture(tmp_path).missing == [tmp_path / ("b" * 300 + ".png")]


def test_the_chair(data: Path) -> None:
    folder = data / "captures" / "chair"
    capture = read_capture(folder)
    assert (len(capture.train), len(capture.test), capture.missing) == (100, 25, [])
    for frame in capture.train + capture.test:
        assert (frame.width, frame.height) == (400, 400)
        assert frame.camera.fov_y == pytest.approx(0.6911112070083618)
        assert np.linalg.norm(frame.camera.position) == pytest.approx(4.031, abs=1e-3)
        x, y, z = (frame.camera.camera_from_world @ [0, 0, 0, 1])[:3]  # each looks at the origin
        assert (x, y, z) == pytest.approx((0, 0, 4.031), abs=1e-3)
        assert frame.camera.camera_from_world[1, 2] < 0  # up, +z, is up in the picture
    image = capture.train[0].image()
    assert image.shape == (400, 400, 4)
    assert image[0, 0].tolist() == [0, 0, 0, 0]
    assert image[200, 200, 3] == 1


def test_the_chair_is_where_its_cameras_say(data: Path) -> None:
    """The chair's silhouette from every side lies inside the picture of the cube it is known to fill."""
    capture = read_capture(data / "captures" / "chair")
    corners = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, -1)
    for frame in capture.test[::6]:
        fx, fy, cx, cy = frame.camera.intrinsics(frame.width, frame.height)
        x, y, z = frame.camera.camera_from_world[:3, :3] @ corners + frame.camera.camera_from_world[:3, 3:]
        rows, columns = np.nonzero(frame.image()[..., 3])
        assert (fx * x / z + cx).min() < columns.min()
        assert columns.max() < (fx * x / z + cx).max()
        assert (fy * y / z + cy).min() < rows.min()
        assert rows.max() < (fy * y / z + cy).max()


def test_cameras_of_a_capture_are_its_frames(data: Path) -> None:
    folder = data / "captures" / "chair"
    cameras = read_cameras(folder / "transforms_test.json")
    for camera, frame in zip(cameras, read_capture(folder).test, strict=True):
        np.testing.assert_array_equal(camera.camera_from_world, frame.camera.camera_from_world)
        assert (camera.fov_y, camera.name) == (frame.camera.fov_y, frame.camera.name)

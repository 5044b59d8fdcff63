"""Photographs in every layout: the same point at the same pixel, splits, notes, and what is refused before training."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from photo_samples import (
    CENTRE,
    CX,
    CY,
    FX,
    FY,
    HEIGHT,
    POINT,
    WIDTH,
    Pose,
    message,
    poses,
    ray_misses,
    write_colmap,
    write_idr,
    write_image,
    write_transforms,
)
from PIL import Image

from scenes.lenses import Lens
from scenes.photo_sets import PhotoSet, holds_photographs, read_photographs
from scenes.photographs import Photograph

POSES = poses()
K1, K2, P1, P2 = -0.2, 0.05, 0.004, -0.003
NONE = (0.0, 0.0, 0.0, 0.0)


def by_name(photographs: PhotoSet) -> list[Photograph]:
    return sorted(photographs.photographs, key=lambda photograph: photograph.path.name)


def distorted_pixel(pose: Pose, point: np.ndarray, fisheye: bool) -> np.ndarray:
    """OpenCV's formulas, for k1 and k2 and, unless a fisheye, p1 and p2."""
    x, y, z = pose.rotation @ point + pose.translation
    a, b = x / z, y / z
    if fisheye:
        t = np.arctan(np.hypot(a, b))
        scale = t * (1 + K1 * t**2 + K2 * t**4) / np.hypot(a, b)
        return np.array([FX * a * scale + CX, FY * b * scale + CY])
    r = a * a + b * b
    scale = 1 + K1 * r + K2 * r * r
    u = a * scale + 2 * P1 * a * b + P2 * (r + 2 * a * a)
    v = b * scale + P1 * (r + 2 * b * b) + 2 * P2 * a * b
    return np.array([FX * u + CX, FY * v + CY])


def assert_seen_at(photographs: PhotoSet, pixel_of: Callable[[Pose], np.ndarray]) -> None:
    """The point is where `pixel_of` says, and the ray through there meets it."""
    assert len(photographs.photographs) == len(POSES)
    for pose, photograph in zip(POSES, by_name(photographs), strict=True):
        expected = pixel_of(pose)
        np.testing.assert_allclose(photograph.pixels_of(POINT[None])[0], expected, atol=2e-3)
        assert ray_misses(photograph, expected, POINT) < 2e-3


def plain(pose: Pose) -> np.ndarray:
    return pose.pixel(POINT)


# Layouts


@pytest.mark.parametrize("write", [write_transforms, write_idr, write_colmap])
def test_every_layout_shows_a_point_at_the_same_pixel(tmp_path: Path, write: Callable[..., Path]) -> None:
    photographs = read_photographs(write(tmp_path, POSES))
    assert_seen_at(photographs, plain)
    assert photographs.notes == ()
    assert photographs.sphere is not None
    assert photographs.sphere.centre == pytest.approx(CENTRE, abs=1e-5)
    assert photographs.sphere_is_given == (write is write_idr)


@pytest.mark.parametrize(
    ("values", "fisheye"),
    [
        ({"k1": K1, "k2": K2, "p1": P1, "p2": P2}, False),
        ({"camera_model": "OPENCV", "k1": K1, "k2": K2, "k3": 0.0, "p1": P1, "p2": P2}, False),
        ({"camera_model": "OPENCV_FISHEYE", "k1": K1, "k2": K2}, True),
        ({"is_fisheye": True, "k1": K1, "k2": K2}, True),
    ],
)
def test_lenses_of_instant_ngp_and_nerfstudio(tmp_path: Path, values: dict[str, Any], fisheye: bool) -> None:
    photographs = read_photographs(write_transforms(tmp_path, POSES, **values))
    assert_seen_at(photographs, lambda pose: distorted_pixel(pose, POINT, fisheye))


@pytest.mark.parametrize(
    ("model", "numbers", "pixel_of"),
    [
        ("OPENCV", (FX, FY, CX, CY, K1, K2, P1, P2), lambda pose: distorted_pixel(pose, POINT, False)),
        ("OPENCV_FISHEYE", (FX, FY, CX, CY, K1, K2, 0.0, 0.0), lambda pose: distorted_pixel(pose, POINT, True)),
        ("FULL_OPENCV", (FX, FY, CX, CY, K1, K2, P1, P2, *NONE), lambda pose: distorted_pixel(pose, POINT, False)),
    ],
)
def test_lenses_of_colmap(
    tmp_path: Path, model: str, numbers: tuple[float, ...], pixel_of: Callable[[Pose], np.ndarray]
) -> None:
    assert_seen_at(read_photographs(write_colmap(tmp_path, POSES, model, numbers)), pixel_of)


@pytest.mark.parametrize(
    ("model", "numbers", "lens"),
    [
        ("SIMPLE_PINHOLE", (FX, CX, CY), Lens()),
        ("SIMPLE_RADIAL", (FX, CX, CY, K1), Lens((K1,))),
        ("RADIAL", (FX, CX, CY, K1, K2), Lens((K1, K2))),
        ("RADIAL", (FX, CX, CY, 0.0, 0.0), Lens()),
        ("SIMPLE_RADIAL_FISHEYE", (FX, CX, CY, K1), Lens((K1,), fisheye=True)),
        ("RADIAL_FISHEYE", (FX, CX, CY, 0.0, 0.0), Lens((0.0, 0.0), fisheye=True)),
        (
            "FULL_OPENCV",
            (FX, FY, CX, CY, 0.1, 0.2, 0.01, 0.02, 0.3, 0.4, 0.5, 0.6),
            Lens((0.1, 0.2, 0.3), (0.01, 0.02), (0.4, 0.5, 0.6)),
        ),
    ],
)
def test_other_lenses_of_colmap(tmp_path: Path, model: str, numbers: tuple[float, ...], lens: Lens) -> None:
    photographs = read_photographs(write_colmap(tmp_path, POSES, model, numbers)).photographs
    assert {photograph.lens for photograph in photographs} == {lens}


@pytest.mark.parametrize(
    "place", [("sparse/0", "images"), (".", "images"), ("sparse", "."), ("colmap/sparse/0", "images")]
)
def test_images_of_colmap_are_found_beside_the_model(tmp_path: Path, place: tuple[str, str]) -> None:
    sparse, images = place
    write_colmap(tmp_path, POSES, sparse=sparse, images=images)
    start = tmp_path / sparse if sparse.startswith("colmap") else tmp_path
    found = read_photographs(start, images=tmp_path / images if sparse.startswith("colmap") else None)
    assert_seen_at(found, plain)
    assert_seen_at(read_photographs(tmp_path / sparse / "images.txt", images=tmp_path / images), plain)


def test_pictures_of_another_size_and_of_several(tmp_path: Path) -> None:
    """Half of them were made smaller since; rays and pixels follow."""
    write_transforms(tmp_path, POSES)
    for i in range(5):
        write_image(tmp_path / "images" / f"f{i:03}.png", (WIDTH // 2, HEIGHT // 2))
    photographs = read_photographs(tmp_path)
    assert photographs.notes == ("photographs of 2 sizes",)
    for pose, photograph in zip(POSES, by_name(photographs), strict=True):
        expected = pose.pixel(POINT, photograph.width, photograph.height)
        np.testing.assert_allclose(photograph.pixels_of(POINT[None])[0], expected, atol=1e-6)
        assert photograph.rays().directions.shape == (photograph.height, photograph.width, 3)
        half = photograph.rays(16, 12)
        assert half.directions.shape == (12, 16, 3)
        np.testing.assert_allclose(np.linalg.norm(half.directions, axis=-1), 1, atol=1e-6)


def test_alpha_and_masks_of_frames(tmp_path: Path) -> None:
    write_transforms(tmp_path, POSES)
    write_image(tmp_path / "images" / "f000.png", mode="RGBA")
    write_image(tmp_path / "mask.png", mode="L")
    content = json.loads((tmp_path / "transforms.json").read_text())
    content["frames"][0]["mask_path"] = "mask.png"
    (tmp_path / "transforms.json").write_text(json.dumps(content))
    photographs = by_name(read_photographs(tmp_path))
    alpha = np.asarray(Image.open(tmp_path / "images" / "f000.png"))[..., 3] / 255.0
    mask = np.asarray(Image.open(tmp_path / "mask.png")) / 255.0
    np.testing.assert_allclose(photographs[0].image()[..., 3], alpha * mask, atol=1e-6)
    assert (photographs[1].image()[..., 3] == 1).all()


def test_smaller_images_are_means_weighted_with_alpha(tmp_path: Path) -> None:
    write_transforms(tmp_path, POSES)
    write_image(tmp_path / "images" / "f000.png", mode="RGBA")
    photograph = by_name(read_photographs(tmp_path))[0]
    whole, small = photograph.image(), photograph.image_at(WIDTH // 2, HEIGHT // 2)
    blocks = whole.reshape(HEIGHT // 2, 2, WIDTH // 2, 2, 4)
    alpha = blocks[..., 3:].mean(axis=(1, 3))
    colour = (blocks[..., :3] * blocks[..., 3:]).mean(axis=(1, 3)) / alpha
    np.testing.assert_allclose(small[..., 3:], alpha, atol=1e-6)
    np.testing.assert_allclose(small[..., :3], colour, atol=1e-5)
    np.testing.assert_array_equal(photograph.image_at(WIDTH, HEIGHT), whole)


def test_what_holds_photographs(tmp_path: Path) -> None:
    write_transforms(tmp_path, POSES[:3])
    write_idr(tmp_path, POSES[:3])
    write_colmap(tmp_path, POSES[:3])
    files = ("transforms.json", "cameras_sphere.npz", "sparse/0/images.txt", "sparse/0/cameras.txt", ".")
    assert all(holds_photographs(tmp_path / name) for name in files)
    assert not any(holds_photographs(tmp_path / name) for name in ("images/f000.png", "spot.obj", "sparse/0/none.txt"))


# Splits and what is left out


def names(photographs: list[Photograph]) -> list[str]:
    return [photograph.path.stem for photograph in photographs]


def test_every_eighth_is_held_out(tmp_path: Path) -> None:
    write_transforms(tmp_path, POSES)
    assert names(read_photographs(tmp_path).test) == ["f000", "f008"]
    assert names(read_photographs(tmp_path, hold_out=5).test) == ["f000", "f005"]
    whole = read_photographs(tmp_path, hold_out=0)
    assert (len(whole.train), whole.test) == (10, [])
    few = read_photographs(write_transforms(tmp_path / "few", POSES[:3]))
    assert (len(few.train), few.test) == (3, [])
    four = read_photographs(write_transforms(tmp_path / "four", POSES[:4]))
    assert (names(four.train), names(four.test)) == (["f001", "f002", "f003"], ["f000"])


def test_test_sets_of_their_own(tmp_path: Path) -> None:
    write_transforms(tmp_path / "a", POSES[:6], "transforms_train.json", "train/r_")
    write_transforms(tmp_path / "a", POSES[6:], "transforms_test.json", "test/r_")
    synthetic = read_photographs(tmp_path / "a")
    assert (len(synthetic.train), len(synthetic.test)) == (6, 4)
    assert len(read_photographs(tmp_path / "a" / "transforms_train.json", hold_out=0).photographs) == 6
    judged = ["images/f002.png", "images/f003.png"]
    studio = read_photographs(write_transforms(tmp_path / "b", POSES, test_filenames=judged))
    assert names(studio.test) == ["f002", "f003"]
    assert len(studio.train) == 8


def test_missing_photographs_are_counted_and_named(tmp_path: Path) -> None:
    for write in (write_transforms, write_idr, write_colmap):
        folder = write(tmp_path / write.__name__, POSES)
        images = sorted((folder / ("image" if write is write_idr else "images")).iterdir())
        for image in images[2:7]:
            image.unlink()
        first = ", ".join(image.name for image in images[2:5])
        expected = f"left out: 5 of 10 photographs that are not there ({first}, ...)"
        photographs = read_photographs(folder)
        assert photographs.notes == (expected,)
        assert len(photographs.photographs) == 5


def test_photographs_that_colmap_could_not_place_are_counted(tmp_path: Path) -> None:
    write_colmap(tmp_path, POSES)
    for i in range(3):
        write_image(tmp_path / "images" / f"g{i}.jpg")
    assert read_photographs(tmp_path).notes == ("left out: 3 photographs without a camera",)


def test_the_chair(data: Path) -> None:
    photographs = read_photographs(data / "captures" / "chair")
    assert (len(photographs.train), len(photographs.test), photographs.notes) == (100, 25, ())
    sphere = photographs.sphere
    assert sphere is not None
    assert sphere.centre == pytest.approx((0, 0, 0), abs=1e-5)
    assert sphere.radius == pytest.approx(4.0311 * np.sin(0.6911112 / 2), rel=1e-4)
    photograph = photographs.train[0]
    rays = photograph.rays()
    middle = rays.origin + 4.0311 * rays.directions[199:201, 199:201].mean(axis=(0, 1))
    np.testing.assert_allclose(middle, 0, atol=1e-3)
    assert rays.seen.all()


# Refused


LAYOUTS = "transforms_train.json, transforms.json, cameras_sphere.npz or a COLMAP model in sparse/0"


def test_folders_without_cameras(tmp_path: Path) -> None:
    assert message(tmp_path) == f": folder: expected cameras: {LAYOUTS}, found neither cameras nor images"
    for i in range(4):
        write_image(tmp_path / "images" / f"{i}.jpg")
    assert message(tmp_path) == f": folder: expected cameras: {LAYOUTS}, found 4 images without cameras"
    missing = message(tmp_path / "none")
    assert missing == f": file: expected a folder of photographs with {LAYOUTS}, found nothing at this path"
    assert message(tmp_path / "images" / "0.jpg") == f": folder: expected cameras: {LAYOUTS}, found another file"


@pytest.mark.parametrize("write", [write_transforms, write_colmap])
def test_cameras_that_match_no_image(tmp_path: Path, write: Callable[..., Path]) -> None:
    folder = write(tmp_path, POSES)
    shutil.move(folder / "images", folder / "pictures")
    said = ": photographs: expected the 10 the cameras are of, found none (f000.png, f001.png, f002.png, ...)"
    assert message(folder) == said
    assert message(write_idr(tmp_path / "idr", POSES[:2])) == ": photographs: expected at least 3, found 2"


def test_too_few(tmp_path: Path) -> None:
    assert message(write_transforms(tmp_path / "a", POSES[:2])) == ": photographs: expected at least 3, found 2"
    folder = write_transforms(tmp_path / "b", POSES[:4])
    for i in range(2):
        (folder / "images" / f"f{i:03}.png").unlink()
    assert message(folder) == ": photographs: expected at least 3, found 2 (of 4 that the cameras are of)"
    write_transforms(tmp_path / "c", POSES[:2], "transforms_train.json", "train/")
    write_transforms(tmp_path / "c", POSES[2:6], "transforms_test.json", "test/")
    assert message(tmp_path / "c") == ": photographs: expected at least 3 to learn from, found 2"


@pytest.mark.parametrize("write", [write_transforms, write_colmap])
def test_pictures_that_are_not_what_the_camera_is_for(tmp_path: Path, write: Callable[..., Path]) -> None:
    folder = write(tmp_path, POSES)
    write_image(folder / "images" / "f001.png", (WIDTH, HEIGHT + 3))
    if write is write_transforms:
        expected = "/transforms.json: frame 1, w and h: expected 64 x 48 pixels or as many times more or less"
    else:
        expected = "/images/f001.png: image: expected 64 x 48 pixels, as its camera has, or as many times more or less"
    assert message(folder) == f"{expected}, found 64 x 51"


def test_a_principal_point_of_a_larger_picture(tmp_path: Path) -> None:
    folder = write_transforms(tmp_path, POSES, w=None, h=None, cx=2 * CX, cy=2 * CY)
    expected = "the middle of 64 x 48 pixels, or w and h beside them"
    assert message(folder) == f"/transforms.json: frame 0, cx and cy: expected {expected}, found 66, 45"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"camera_model": "EQUIRECTANGULAR"},
            "camera_model: expected one of PINHOLE, SIMPLE_PINHOLE, OPENCV, SIMPLE_RADIAL, RADIAL, OPENCV_FISHEYE, "
            'found "EQUIRECTANGULAR"',
        ),
        ({"ftheta_p0": 1.5}, "ftheta_p0: expected a lens as OpenCV has them, found 1.5"),
        ({"k1": "much"}, 'k1: expected a finite number, found "much"'),
    ],
)
def test_lenses_that_are_not_known(tmp_path: Path, values: dict[str, Any], said: str) -> None:
    assert message(write_transforms(tmp_path, POSES, **values)) == f"/transforms.json: frame 0, {said}"


def test_lenses_of_colmap_that_are_not_known(tmp_path: Path) -> None:
    folder = write_colmap(tmp_path, POSES, "FOV", (FX, FY, CX, CY, 0.9))
    expected = "a lens without distortion or as OpenCV has them (undistort the images with COLMAP)"
    assert message(folder) == f": image f000.png: expected {expected}, found FOV"


def test_pictures_that_are_none(tmp_path: Path) -> None:
    folder = write_transforms(tmp_path, POSES)
    (folder / "images" / "f004.png").write_text("no picture")
    assert message(folder) == "/images/f004.png: image: expected a picture, found a file of another kind"


def test_masks_that_are_not_there(tmp_path: Path) -> None:
    folder = write_transforms(tmp_path, POSES, mask_path="none.png")
    assert message(folder) == "/transforms.json: frame 0, mask_path: expected a file, found nothing at this path"


def test_a_matrix_that_is_singular(tmp_path: Path) -> None:
    folder = write_transforms(tmp_path, POSES)
    content = json.loads((folder / "transforms.json").read_text())
    content["frames"][2]["transform_matrix"] = np.diag([1, 1, 0, 1]).tolist()
    (folder / "transforms.json").write_text(json.dumps(content))
    expected = "a rotation and a translation, found a determinant of 0 and axes 1 off orthonormal"
    assert message(folder) == f"/transforms.json: frame 2, transform_matrix: expected {expected}"

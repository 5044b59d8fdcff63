"""Folders of IDR and NeuS: projections taken apart, names, masks, the sphere, and what is wrong with others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from photo_samples import CENTRE, HEIGHT, POINT, WIDTH, poses, ray_misses, write_idr, write_image
from PIL import Image

from scenes.errors import SceneFileError
from scenes.idr import decomposed, is_idr, read_idr

POSES = poses(5)


@pytest.mark.parametrize("factor", [1.0, -1.0, 1e-4, -3e5])
def test_projections_come_apart_as_they_were_put_together(factor: float) -> None:
    random = np.random.default_rng(5)
    for pose in POSES:
        intrinsics = np.diag([*random.uniform(100, 3000, 2), 1])
        intrinsics[:2, 2] = random.uniform(100, 1000, 2)
        intrinsics[0, 1] = random.uniform(-1, 1)
        together = factor * intrinsics @ np.column_stack([pose.rotation, pose.translation])
        found, matrix = decomposed(together)
        np.testing.assert_allclose(found, intrinsics, rtol=1e-9, atol=1e-8)
        np.testing.assert_allclose(matrix[:3, :3], pose.rotation, atol=1e-9)
        np.testing.assert_allclose(matrix[:3, 3], pose.translation, atol=1e-8)
        assert np.linalg.det(matrix[:3, :3]) == pytest.approx(1)


def test_a_point_is_found_in_every_picture(tmp_path: Path) -> None:
    folder = read_idr(write_idr(tmp_path, POSES))
    assert folder.missing == []
    assert len(folder.photographs) == 5
    for pose, photograph in zip(POSES, folder.photographs, strict=True):
        expected = pose.pixel(POINT)
        np.testing.assert_allclose(photograph.pixels_of(POINT[None])[0], expected, atol=2e-3)
        assert ray_misses(photograph, expected, POINT) < 1e-3


def test_the_sphere(tmp_path: Path) -> None:
    sphere = read_idr(write_idr(tmp_path, POSES, scale=2.25)).sphere
    assert sphere.centre == pytest.approx(CENTRE)
    assert sphere.radius == pytest.approx(2.25)


def test_masks_are_the_alpha(tmp_path: Path) -> None:
    """The folders of DTU number photographs with six digits and masks with three."""
    photographs = read_idr(write_idr(tmp_path, POSES)).photographs
    for i, photograph in enumerate(photographs):
        mask = np.asarray(Image.open(tmp_path / "mask" / f"{i:03}.png")) / 255
        np.testing.assert_allclose(photograph.image()[..., 3], mask, atol=1e-6)
    for mask in (tmp_path / "mask").iterdir():
        mask.unlink()
    (tmp_path / "mask").rmdir()
    assert (read_idr(tmp_path).photographs[0].image()[..., 3] == 1).all()


def test_masks_by_the_order_of_names(tmp_path: Path) -> None:
    write_idr(tmp_path, POSES)
    for i in range(5):
        (tmp_path / "mask" / f"{i:03}.png").rename(tmp_path / "mask" / f"mask_{i}.png")
    assert [p.mask and p.mask.name for p in read_idr(tmp_path).photographs] == [f"mask_{i}.png" for i in range(5)]


def test_folders_may_have_the_plural(tmp_path: Path) -> None:
    write_idr(tmp_path, POSES)
    (tmp_path / "image").rename(tmp_path / "images")
    (tmp_path / "mask").rename(tmp_path / "masks")
    (tmp_path / "images" / "000002.png").unlink()
    folder = read_idr(tmp_path)
    assert folder.photographs[0].mask == tmp_path / "masks" / "000.png"
    assert folder.missing == [tmp_path / "images" / "000002.png"]


def test_photographs_by_number_and_by_order(tmp_path: Path) -> None:
    write_idr(tmp_path / "a", POSES)
    (tmp_path / "a" / "image" / "000002.png").unlink()
    folder = read_idr(tmp_path / "a" / "cameras_sphere.npz")
    assert [photograph.path.stem for photograph in folder.photographs] == ["000000", "000001", "000003", "000004"]
    assert folder.missing == [tmp_path / "a" / "image" / "000002.png"]
    np.testing.assert_allclose(folder.photographs[2].pixels_of(POINT[None])[0], POSES[3].pixel(POINT), atol=2e-3)
    write_idr(tmp_path / "b", POSES, masks=False)
    for i in range(5):
        (tmp_path / "b" / "image" / f"{i:06}.png").rename(tmp_path / "b" / "image" / f"rect_{i + 1:03}.png")
    by_order = read_idr(tmp_path / "b").photographs
    assert [photograph.path.stem for photograph in by_order] == [f"rect_{i + 1:03}" for i in range(5)]


def test_what_is_such_a_folder(tmp_path: Path) -> None:
    assert not is_idr(tmp_path)
    write_idr(tmp_path, POSES)
    assert is_idr(tmp_path)
    assert is_idr(tmp_path / "cameras_sphere.npz")
    assert not is_idr(tmp_path / "image")


# What is wrong


def message(path: Path) -> str:
    with pytest.raises(SceneFileError) as caught:
        _ = [photograph.image() for photograph in read_idr(path).photographs]
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{path}")


def changed(folder: Path, name: str, value: np.ndarray | None) -> Path:
    """The folder with one matrix another, or taken out."""
    write_idr(folder, POSES)
    with np.load(folder / "cameras_sphere.npz") as content:
        matrices = {key: content[key] for key in content.files if key != name}
    if value is not None:
        matrices[name] = value
    np.savez(folder / "cameras_sphere.npz", **matrices)  # pyright: ignore[reportArgumentType]
    return folder


UNEVEN = np.diag([1.0, 2, 1, 1])
SINGULAR = np.diag([1.0, 1, 0, 1])
BAD_MATRICES = [
    ("world_mat_1", SINGULAR, "world_mat_1: expected a matrix that can be inverted, found 1 0 0 0 / 0 1 0 0 / 0 0 0 0"),
    (
        "world_mat_1",
        np.full((4, 4), np.nan),
        "world_mat_1: expected 4 x 4 finite numbers below 1e+30, found some that are not",
    ),
    ("world_mat_1", np.eye(3), "world_mat_1: expected 4 x 4 numbers, found float64 3 x 3"),
    ("world_mat_1", np.full((4, 4), "a"), "world_mat_1: expected 4 x 4 numbers, found <U1 4 x 4"),
    ("scale_mat_1", None, "file: expected scale_mat_1 beside world_mat_1, found none"),
    ("scale_mat_0", SINGULAR, "scale_mat_0: expected one size along all axes, above 0, found 1 0 0 / 0 1 0 / 0 0 0"),
    ("scale_mat_0", UNEVEN, "scale_mat_0: expected one size along all axes, above 0, found 1 0 0 / 0 2 0 / 0 0 1"),
    ("scale_mat_3", np.eye(4), "scale_mat_3: expected what scale_mat_0 says, found 1 0 0 0 / 0 1 0 0 / 0 0 1 0"),
]


@pytest.mark.parametrize(("name", "value", "said"), BAD_MATRICES)
def test_what_is_wrong_with_a_matrix(tmp_path: Path, name: str, value: np.ndarray | None, said: str) -> None:
    assert message(changed(tmp_path, name, value)) == f"/cameras_sphere.npz: {said}"


def test_pictures_that_were_made_smaller(tmp_path: Path) -> None:
    write_idr(tmp_path, POSES)
    write_image(tmp_path / "image" / "000001.png", (WIDTH // 2, HEIGHT // 2))
    said = (
        f"world_mat_1: expected a principal point in the middle of {WIDTH // 2} x {HEIGHT // 2} pixels, found 32.5, 22"
    )
    assert message(tmp_path) == f"/cameras_sphere.npz: {said}"


def test_a_mask_of_another_size(tmp_path: Path) -> None:
    write_idr(tmp_path, POSES)
    write_image(tmp_path / "mask" / "001.png", (20, 20), "L")
    assert message(tmp_path) == "/mask/001.png: image: expected 64 x 48 pixels, as 000001.png has, found 20 x 20"


def test_too_few_masks(tmp_path: Path) -> None:
    write_idr(tmp_path, POSES)
    (tmp_path / "mask" / "003.png").unlink()
    assert message(tmp_path) == "/mask: folder: expected a mask for each photograph, 000003.png too, found 4 others"


def test_files_that_are_something_else(tmp_path: Path) -> None:
    assert message(tmp_path) == ": folder: expected cameras_sphere.npz or cameras.npz, found neither"
    (tmp_path / "cameras_sphere.npz").write_bytes(b"")
    assert message(tmp_path) == "/cameras_sphere.npz: file: expected some bytes, found an empty file"
    np.savez(tmp_path / "cameras_sphere.npz", other=np.eye(4))
    assert message(tmp_path) == "/cameras_sphere.npz: file: expected matrices world_mat_0, world_mat_1, ..., found none"
    np.savez(tmp_path / "cameras_sphere.npz", world_mat_0=np.eye(4), scale_mat_0=np.eye(4))
    assert message(tmp_path) == ": folder: expected a folder image, found none"


def test_pickles_are_not_opened(tmp_path: Path) -> None:
    np.savez(tmp_path / "cameras_sphere.npz", world_mat_0=np.array([{}], object))
    assert message(tmp_path) == "/cameras_sphere.npz: world_mat_0: expected 4 x 4 numbers, found |O 1"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damaged_cameras_are_read_or_refused(tmp_path: Path, save: Callable[..., None]) -> None:
    """No cut is read; of files with one bit turned some are, whose matrices are just others."""
    write_idr(tmp_path, POSES)
    file, random, refused = tmp_path / "cameras_sphere.npz", np.random.default_rng(6), 0
    with np.load(file) as content:
        save(file, **{name: content[name] for name in content.files})
    whole = file.read_bytes()
    for size in range(0, len(whole), 101):
        file.write_bytes(whole[:size])
        assert message(tmp_path).startswith("/cameras_sphere.npz: ")
    for _ in range(60):
        damaged = bytearray(whole)
        damaged[random.integers(len(damaged))] ^= 1 << random.integers(8)
        file.write_bytes(bytes(damaged))
        try:
            read_idr(tmp_path)
        except SceneFileError:
            refused += 1
    assert 10 < refused < 60

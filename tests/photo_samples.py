"""Folders of photographs in every layout, made of the same cameras, and what the same point is in each picture."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scenes.cameras import Camera, look_at
from scenes.errors import SceneFileError
from scenes.photo_sets import read_photographs
from scenes.photographs import Photograph

WIDTH, HEIGHT = 64, 48
FX, FY, CX, CY = 70.0, 72.0, 33.0, 22.5
CENTRE = np.array([1.0, -2.0, 0.5])  # all look at it
POINT = CENTRE + np.array([0.3, -0.2, 0.25])


@dataclass(frozen=True)
class Pose:
    """A camera's rotation and translation, camera from world, OpenCV's axes."""

    rotation: np.ndarray  # [3, 3]
    translation: np.ndarray  # [3]

    def pixel(self, point: np.ndarray, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
        """Where a pinhole shows `point` in a picture of this size, by the textbook."""
        x, y, z = self.rotation @ point + self.translation
        return np.array([(FX * x / z + CX) * width / WIDTH, (FY * y / z + CY) * height / HEIGHT])


def pose_of(camera: Camera) -> Pose:
    return Pose(camera.camera_from_world[:3, :3], camera.camera_from_world[:3, 3])


def poses(count: int = 10) -> list[Pose]:
    """Around CENTRE, 4 units from it."""
    random = np.random.default_rng(11)
    sides = random.normal(size=(count, 3))
    eyes = CENTRE + 4 * sides / np.linalg.norm(sides, axis=1, keepdims=True)
    return [pose_of(look_at(eye, CENTRE, np.array([0, 0, 1.0]), 1.0)) for eye in eyes]


def opengl_matrix(pose: Pose) -> list[list[float]]:
    """World from camera with y up and z backward, as NeRF's files have it."""
    matrix = np.eye(4)
    matrix[:3, :3] = pose.rotation.T @ np.diag([1, -1, -1])
    matrix[:3, 3] = -pose.rotation.T @ pose.translation
    return matrix.tolist()


def write_image(path: Path, size: tuple[int, int] = (WIDTH, HEIGHT), mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (size[1], size[0], len(mode)) if len(mode) > 1 else (size[1], size[0])
    seed = int.from_bytes(path.stem.encode()[-4:], "little")
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8), mode).save(path)


def write_transforms(
    folder: Path, cameras: list[Pose], name: str = "transforms.json", stem: str = "images/f", **more: Any
) -> Path:
    """A transforms file and its images; `more` goes over the object's values, None takes one out."""
    folder.mkdir(parents=True, exist_ok=True)
    frames = []
    for i, pose in enumerate(cameras):
        write_image(folder / f"{stem}{i:03}.png")
        frames.append({"file_path": f"{stem}{i:03}.png", "transform_matrix": opengl_matrix(pose)})
    values = {"fl_x": FX, "fl_y": FY, "cx": CX, "cy": CY, "w": WIDTH, "h": HEIGHT, **more, "frames": frames}
    (folder / name).write_text(json.dumps({key: value for key, value in values.items() if value is not None}))
    return folder


def write_idr(folder: Path, cameras: list[Pose], scale: float = 1.5, width: int = 6, masks: bool = True) -> Path:
    """A folder of NeuS; the matrices are K [R | t] times any number, pixel centres whole numbers."""
    intrinsics = np.array([[FX, 0, CX - 0.5], [0, FY, CY - 0.5], [0, 0, 1]])
    matrices: dict[str, np.ndarray] = {}
    for i, pose in enumerate(cameras):
        write_image(folder / "image" / f"{i:0{width}d}.png")
        if masks:
            write_image(folder / "mask" / f"{i:03}.png", mode="L")
        world, ball = np.eye(4), np.diag([scale, scale, scale, 1])
        factor = (-1) ** i * (0.1 + i)
        world[:3] = factor * intrinsics @ np.column_stack([pose.rotation, pose.translation])
        ball[:3, 3] = CENTRE
        matrices |= {f"world_mat_{i}": world.astype(np.float32), f"scale_mat_{i}": ball.astype(np.float32)}
    np.savez(folder / "cameras_sphere.npz", **matrices)  # pyright: ignore[reportArgumentType]
    return folder


def quaternion(rotation: np.ndarray) -> np.ndarray:
    """[4] w x y z, by the eigenvector that a rotation leaves alone."""
    values, vectors = np.linalg.eig(rotation)
    axis = np.real(vectors[:, np.argmin(np.abs(values - 1))])
    angle = np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1))
    skew = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    turned = np.eye(3) + np.sin(angle) * skew + (1 - np.cos(angle)) * skew @ skew
    sign = 1 if np.allclose(turned, rotation, atol=1e-6) else -1
    return np.array([np.cos(angle / 2), *(sign * np.sin(angle / 2) * axis)])


def write_colmap(
    folder: Path,
    cameras: list[Pose],
    model: str = "PINHOLE",
    numbers: tuple[float, ...] = (FX, FY, CX, CY),
    sparse: str = "sparse/0",
    images: str = "images",
) -> Path:
    """A text model and its images."""
    (folder / sparse).mkdir(parents=True, exist_ok=True)
    line = f"1 {model} {WIDTH} {HEIGHT} {' '.join(map(repr, numbers))}\n"
    (folder / sparse / "cameras.txt").write_text(line)
    rows = []
    for i, pose in enumerate(cameras):
        write_image(folder / images / f"f{i:03}.png")
        numbers_of_pose = [*quaternion(pose.rotation), *pose.translation]
        rows.append(f"{i + 1} {' '.join(repr(float(x)) for x in numbers_of_pose)} 1 f{i:03}.png\n\n")
    (folder / sparse / "images.txt").write_text("".join(rows))
    return folder


def ray_misses(photograph: Photograph, pixel: np.ndarray, point: np.ndarray) -> float:
    """How far `point` is from the ray through `pixel`, world units; rays of the pixels around are blended."""
    rays = photograph.rays()
    x, y = pixel - 0.5
    column, row = int(np.floor(x)), int(np.floor(y))
    shares = np.outer([1 - (y - row), y - row], [1 - (x - column), x - column])
    blended = np.einsum("ij,ijd->d", shares, rays.directions[row : row + 2, column : column + 2].astype(np.float64))
    blended /= np.linalg.norm(blended)
    offset = point - rays.origin
    return float(np.linalg.norm(offset - (offset @ blended) * blended))


def message(path: Path, **options: Any) -> str:
    with pytest.raises(SceneFileError) as caught:
        read_photographs(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{path}")

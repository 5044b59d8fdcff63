"""COLMAP's sparse models: the cameras and poses of photographs (https://colmap.github.io/format.html).

A model is a folder with two files we read, binary or text; the points are left alone. Little-endian, no padding:

    cameras.bin   uint64 count, then each: int32 id, int32 model, uint64 width, uint64 height, float64 parameters
    images.bin    uint64 count, then each: int32 id, float64 qw qx qy qz tx ty tz (camera from world), int32 camera id,
                  name ending in a zero byte, uint64 points, and 24 bytes a point
    cameras.txt   lines of: id MODEL width height parameters...
    images.txt    pairs of lines: id qw qx qy qz tx ty tz camera_id name, and the points, a line that may be empty

Lines that begin with # are comments. Axes are OpenCV's; pixel centres are at +0.5, as ours.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from scenes.camera_checks import checked_camera
from scenes.cameras import Camera
from scenes.errors import SceneFileError
from scenes.files import brief, read_start
from scenes.lenses import PINHOLE, Lens

# COLMAP's models in the order of their numbers: name, focal lengths, parameters. After the focal lengths come the two
# of the principal point, and then the lens distortion.
MODELS = (
    ("SIMPLE_PINHOLE", 1, 3),
    ("PINHOLE", 2, 4),
    ("SIMPLE_RADIAL", 1, 4),
    ("RADIAL", 1, 5),
    ("OPENCV", 2, 8),
    ("OPENCV_FISHEYE", 2, 8),
    ("FULL_OPENCV", 2, 12),
    ("FOV", 2, 5),
    ("SIMPLE_RADIAL_FISHEYE", 1, 4),
    ("RADIAL_FISHEYE", 1, 5),
    ("THIN_PRISM_FISHEYE", 2, 12),
)
LENSES: dict[str, Callable[[tuple[float, ...]], Lens]] = {
    "SIMPLE_RADIAL": Lens,
    "RADIAL": Lens,
    "OPENCV": lambda k: Lens(k[:2], (k[2], k[3])),
    "OPENCV_FISHEYE": lambda k: Lens(k, fisheye=True),
    "FULL_OPENCV": lambda k: Lens((*k[:2], k[4]), (k[2], k[3]), k[5:]),
    "SIMPLE_RADIAL_FISHEYE": lambda k: Lens(k, fisheye=True),
    "RADIAL_FISHEYE": lambda k: Lens(k, fisheye=True),
}
POINT_BYTES = 24
LONGEST_NAME = 4096  # bytes; paths are not longer
SUFFIXES = (".bin", ".txt")
FOLDERS = (".", "sparse/0", "sparse")  # where a model lies in a project's folder


@dataclass(frozen=True)
class ColmapLens:
    """What one of COLMAP's cameras says, in pixels."""

    model: str  # of MODELS
    width: int
    height: int
    focal: tuple[float, float]
    centre: tuple[float, float]
    distortion: tuple[float, ...]  # the other parameters

    @property
    def distorts(self) -> bool:
        """Whether it is more than a pinhole: fisheyes are, whatever their parameters."""
        return any(self.distortion) or "FISHEYE" in self.model

    def lens(self) -> Lens | None:
        """What it does beside a pinhole; None if `scenes/lenses.py` does not know the model."""
        if not self.distorts:
            return PINHOLE
        return LENSES[self.model](self.distortion) if self.model in LENSES else None


@dataclass(frozen=True)
class ColmapPhotograph:
    """One photograph of a model."""

    camera: Camera  # as a pinhole, whatever its lens; `name` is the image's
    lens: ColmapLens


@dataclass(frozen=True)
class ColmapModel:
    """The photographs of a model, ordered by name."""

    photographs: list[ColmapPhotograph]

    @property
    def cameras(self) -> list[Camera]:
        """As pinholes."""
        return [photograph.camera for photograph in self.photographs]

    @property
    def distorted(self) -> int:
        """How many of them have lens distortion, which the cameras leave out."""
        return sum(photograph.lens.distorts for photograph in self.photographs)


@dataclass(frozen=True)
class _Photograph:
    place: str
    pose: tuple[float, ...]  # qw qx qy qz tx ty tz
    camera: int
    name: str


def is_colmap(path: str | os.PathLike[str]) -> bool:
    """Whether `path` is a folder with a model, or one of its files."""
    return _images_file(Path(path)) is not None


def read_colmap(path: str | os.PathLike[str]) -> ColmapModel:
    """The photographs of the model in a folder, in its sparse/0, or beside one of its files; at least one.

    Raises `SceneFileError` where there is no model, or a damaged one.
    """
    images = _images_file(Path(path))
    if images is None:
        raise SceneFileError(path, "folder", "a COLMAP model, images.bin or images.txt", "neither")
    cameras = images.with_name(f"cameras{images.suffix}")
    binary = images.suffix == ".bin"
    lenses = dict(_binary_lenses(cameras) if binary else _text_lenses(cameras))
    photographs = list(_binary_photographs(images) if binary else _text_photographs(images))
    if not photographs:
        raise SceneFileError(images, "file", "at least one image", "0")
    photographs.sort(key=lambda photograph: photograph.name)
    return ColmapModel([_posed(images, photograph, lenses) for photograph in photographs])


def _images_file(path: Path) -> Path | None:
    if os.path.isdir(path):
        names = [path / folder / f"images{suffix}" for folder in FOLDERS for suffix in SUFFIXES]
    elif path.stem in ("images", "cameras") and path.suffix in SUFFIXES:
        names = [path.with_name(f"images{path.suffix}")]
    else:
        return None
    return next((name for name in names if os.path.isfile(name)), None)


def _posed(path: Path, photograph: _Photograph, lenses: dict[int, ColmapLens]) -> ColmapPhotograph:
    lens = lenses.get(photograph.camera)
    if lens is None:
        raise SceneFileError(path, photograph.place, "a camera of the model", f"camera {photograph.camera}")
    pose = np.eye(4)
    pose[:3, :3] = _rotation(path, photograph)
    pose[:3, 3] = photograph.pose[4:]
    camera = Camera(
        pose,
        2 * math.atan(0.5 * lens.height / lens.focal[1]),
        pixel_aspect=lens.focal[0] / lens.focal[1],
        centre=(lens.centre[0] / lens.width, lens.centre[1] / lens.height),
        name=photograph.name,
        aspect=lens.width / lens.height,
    )
    return ColmapPhotograph(checked_camera(path, photograph.place, camera), lens)


def _rotation(path: Path, photograph: _Photograph) -> np.ndarray:
    """[3, 3] of the quaternion, which need not be a unit one."""
    if not all(math.isfinite(x) for x in photograph.pose) or not any(photograph.pose[:4]):
        raise SceneFileError(path, photograph.place, "a finite pose", brief(str(photograph.pose)))
    quaternion = np.array(photograph.pose[:4])
    quaternion /= np.abs(quaternion).max()  # its squares could overflow, or vanish
    w, x, y, z = quaternion / np.linalg.norm(quaternion)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + 2 * (w * cross + cross @ cross)


def _lens(
    path: Path, place: str, model: tuple[str, int, int], size: tuple[int, int], numbers: list[float]
) -> ColmapLens:
    name, focals, count = model
    if len(numbers) != count:
        raise SceneFileError(path, place, f"{count} parameters of {name}", str(len(numbers)))
    focal = (numbers[0], numbers[focals - 1])
    if min(*size, *focal) <= 0 or not all(math.isfinite(x) for x in numbers):
        found = f"{size[0]} x {size[1]} and {', '.join(f'{x:g}' for x in numbers)}"
        raise SceneFileError(path, place, "a size and focal lengths above 0", brief(found))
    return ColmapLens(name, *size, focal, (numbers[focals], numbers[focals + 1]), tuple(numbers[focals + 2 :]))


# Binary


def _binary_lenses(path: Path) -> Iterator[tuple[int, ColmapLens]]:
    read_start(path, 1)
    with path.open("rb") as file:
        (count,) = _take(file, path, "<Q")
        for i in range(count):
            number, model, width, height = _take(file, path, "<iiQQ")
            if not 0 <= model < len(MODELS):
                raise SceneFileError(path, f"camera {i}, model", f"0 to {len(MODELS) - 1}", str(model))
            numbers = list(_take(file, path, f"<{MODELS[model][2]}d"))
            yield number, _lens(path, f"camera {i}", MODELS[model], (width, height), numbers)


def _binary_photographs(path: Path) -> Iterator[_Photograph]:
    read_start(path, 1)
    size = path.stat().st_size
    with path.open("rb") as file:
        (count,) = _take(file, path, "<Q")
        for i in range(count):
            _, *pose, camera = _take(file, path, "<i7di")
            name = _name(file, path)
            (points,) = _take(file, path, "<Q")
            if points * POINT_BYTES > size - file.tell():
                raise SceneFileError(path, f"image {i}", f"{points} points", "the end of the file")
            file.seek(points * POINT_BYTES, os.SEEK_CUR)
            yield _Photograph(f"image {i}", tuple(pose), camera, name)


def _take(file: BinaryIO, path: Path, form: str) -> tuple[Any, ...]:
    wanted = struct.calcsize(form)
    content = file.read(wanted)
    if len(content) < wanted:
        raise SceneFileError(path, f"byte {file.tell()}", f"{wanted - len(content)} more bytes", "the end of the file")
    return struct.unpack(form, content)


def _name(file: BinaryIO, path: Path) -> str:
    start = file.tell()
    name = file.read(LONGEST_NAME).partition(b"\0")
    if not name[1]:
        raise SceneFileError(path, f"byte {start}", f"a name of fewer than {LONGEST_NAME} bytes", "no end of it")
    file.seek(start + len(name[0]) + 1)
    return name[0].decode("utf-8", "replace")


# Text


def _text_lenses(path: Path) -> Iterator[tuple[int, ColmapLens]]:
    by_name = {model[0]: model for model in MODELS}
    for place, line in _lines(path):
        words = line.split()
        if not words:
            continue
        if len(words) < 4 or words[1] not in by_name:
            expected = f"an id, one of {', '.join(by_name)}, a size and parameters"
            raise SceneFileError(path, place, expected, brief(line.strip()) or "an empty line")
        number, width, height = (int(_number(path, place, word)) for word in (words[0], *words[2:4]))
        numbers = [_number(path, place, word) for word in words[4:]]
        yield number, _lens(path, place, by_name[words[1]], (width, height), numbers)


def _text_photographs(path: Path) -> Iterator[_Photograph]:
    lines = list(_lines(path))
    while lines and not lines[0][1].strip():
        lines.pop(0)
    for place, line in lines[::2]:  # the others are points
        words = line.split(maxsplit=9)
        if len(words) < 10:
            expected = "an id, a pose of 7 numbers, a camera and a name"
            raise SceneFileError(path, place, expected, brief(line.strip()) or "an empty line")
        _, *pose, camera = (_number(path, place, word) for word in words[:9])
        yield _Photograph(place, tuple(pose), int(camera), words[9].strip())


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    read_start(path, 1)
    text = path.read_text(encoding="utf-8", errors="replace")
    for i, line in enumerate(text.splitlines(), 1):
        if not line.startswith("#"):
            yield f"line {i}", line


def _number(path: Path, place: str, word: str) -> float:
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise SceneFileError(path, place, "a finite number", brief(word))
    return number

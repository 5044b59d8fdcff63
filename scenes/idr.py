"""Folders of IDR and NeuS (DTU, BlendedMVS): photographs, masks, and the sphere the object lies in.

    image/*.png, *.jpg        photographs; or in images/
    mask/*.png                white where the object is; may be missing; or in masks/
    cameras_sphere.npz        world_mat_0, world_mat_1, ...   4x4: the upper 3x4 takes the world to pixels, K [R | t]
                              scale_mat_0, scale_mat_1, ...   4x4: the world from the unit sphere the object lies in

Photograph i is the one numbered i where all names are numbers the file has, else the i-th by name. Pixel centres are
whole numbers there, at +0.5 here. Sources: Yariv et al., "Multiview Neural Surface Reconstruction", 2020; Wang et al.,
"NeuS", 2021, whose loaders leave this unsaid.
"""

from __future__ import annotations

import math
import os
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scenes.camera_checks import checked_camera
from scenes.cameras import Camera
from scenes.common_view import Sphere
from scenes.errors import SceneFileError
from scenes.files import BoundedFile, brief, read_start
from scenes.images import image_size
from scenes.photographs import Photograph
from scenes.transforms_json import IMAGE_SUFFIXES

Doubles = NDArray[np.float64]
FILES = ("cameras_sphere.npz", "cameras.npz")
MAX_BYTES = 1 << 26  # a thousand cameras take 1 MB
MAX_CAMERAS = 100_000
MAX_MATRIX = 1 << 12  # bytes of an entry: 128 and a header
LARGEST = 1e30  # of a number in a matrix
MATRIX_FILE = re.compile(r"(world|scale)_mat_\d{1,6}\.npy")
NPY_HEADER = re.compile(
    rb"\x93NUMPY[\x01-\x03]\x00.{2,4}?\{'descr': '([^']{1,20})', 'fortran_order': (True|False), "
    rb"'shape': \(([\dL, ]{0,40})\),? ?\} *\n",
    re.DOTALL,
)
NUMBERS = re.compile(r"[<>|=]?(f[248]|[iu][1248])")
MIDDLE = (0.1, 0.9)  # where the principal point lies; outside, the pictures were resized and the matrices not
SKEWED = 0.5  # pixels at the edge of the picture that a skew may move; no camera here has one
TOLERANCE = 1e-3
# What zipfile and numpy raise for damaged files
DAMAGE = (
    AttributeError,
    EOFError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True)
class IdrFolder:
    """What such a folder holds."""

    photographs: list[Photograph]
    missing: list[Path]  # photographs the cameras are of that are not there
    sphere: Sphere


def is_idr(path: str | os.PathLike[str]) -> bool:
    """Whether `path` is such a folder, or its file of cameras."""
    return _cameras_file(Path(path)) is not None


def read_idr(path: str | os.PathLike[str]) -> IdrFolder:
    """The photographs in a folder of IDR's or NeuS's layout; `SceneFileError` if it is not one, or a damaged one."""
    file = _cameras_file(Path(path))
    if file is None:
        raise SceneFileError(path, "folder", " or ".join(FILES), "neither")
    matrices = _matrices(file)
    numbers = _numbers(file, matrices)
    pairs, missing = _paired(file, numbers, _folder(file.parent, "image"))
    masks = _masks(_folder(file.parent, "mask"), [image for _, image in pairs])
    photographs = [_photograph(file, i, matrices[f"world_mat_{i}"], image, masks.get(image)) for i, image in pairs]
    return IdrFolder(photographs, missing, _sphere(file, matrices, numbers))


def decomposed(projection: Doubles) -> tuple[Doubles, Doubles]:
    """K [3, 3] and camera_from_world [4, 4] of a projection [3, 4] in pixels, K [R | t] times any number.

    By an RQ decomposition: the QR decomposition of the rows in reverse. Of the signs it leaves open, those are taken
    for which K's diagonal is above 0, and of P and -P the one whose R turns and does not mirror. `ValueError` if the
    left 3x3 is singular.
    """
    left = projection[:, :3]
    sign = np.linalg.det(left / np.abs(left).max()) if np.abs(left).max() > 0 else 0.0
    if abs(sign) < 1e-12:
        raise ValueError("singular")
    projection = projection * np.sign(sign)
    q, r = np.linalg.qr(projection[::-1, :3].T)
    upper, rotation = r.T[::-1, ::-1], q.T[::-1]
    signs = np.sign(np.diag(upper))
    upper, rotation = upper * signs, rotation * signs[:, None]
    pose = np.eye(4)
    pose[:3, :3] = rotation
    pose[:3, 3] = np.linalg.solve(upper, projection[:, 3])
    return upper / upper[2, 2], pose


def _cameras_file(path: Path) -> Path | None:
    names = [path / name for name in FILES] if os.path.isdir(path) else [path] if path.name in FILES else []
    return next((name for name in names if os.path.isfile(name)), None)


# The file of cameras


def _matrices(file: Path) -> dict[str, Doubles]:
    """The world and scale matrices [4, 4] by name.

    numpy would take memory for whatever size an entry's header claims.
    """
    read_start(file, 1)
    size = file.stat().st_size
    if size > MAX_BYTES:
        raise SceneFileError(file, "file", f"at most {MAX_BYTES} bytes", str(size))
    try:
        with BoundedFile(file) as stored, zipfile.ZipFile(stored) as content:
            names = [name.removesuffix(".npy") for name in content.namelist() if MATRIX_FILE.fullmatch(name)]
            if len(names) > 2 * MAX_CAMERAS:
                raise SceneFileError(file, "file", f"at most {MAX_CAMERAS} cameras", str(len(names) // 2))
            return {name: _matrix(file, name, _entry(file, content, f"{name}.npy")) for name in names}
    except DAMAGE as error:
        found = brief(str(error).lower(), 100) or type(error).__name__
        raise SceneFileError(file, "file", "numpy's .npz of matrices", found) from error


def _entry(file: Path, content: zipfile.ZipFile, name: str) -> bytes:
    """What is under `name`, of which there is not much."""
    entry = content.getinfo(name)
    if entry.file_size > MAX_MATRIX or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        found = f"{entry.file_size} bytes"
        raise SceneFileError(
            file, f"entry {name}", f"a matrix of at most {MAX_MATRIX} bytes, stored or deflated", found
        )
    return content.read(entry)


def _matrix(file: Path, name: str, stored: bytes) -> Doubles:
    """[4, 4] of an .npy: its header is a word of Python, of which only what numpy writes for numbers is understood."""
    header = NPY_HEADER.match(stored)
    if header is None:
        raise SceneFileError(file, name, "numpy's .npy of numbers", brief(repr(stored[:40])))
    dtype, order, shape = header[1].decode(), header[2], tuple(map(int, re.findall(rb"\d{1,18}", header[3])))
    known = NUMBERS.fullmatch(dtype) is not None
    if shape not in ((4, 4), (3, 4)) or not known:
        found = f"{np.dtype(dtype) if known else brief(dtype)} {' x '.join(map(str, shape))}"
        raise SceneFileError(file, name, "4 x 4 numbers", found)
    numbers = stored[header.end() :]
    wanted = np.dtype(dtype).itemsize * shape[0] * shape[1]
    if len(numbers) != wanted:
        raise SceneFileError(file, name, f"{wanted} bytes of numbers", str(len(numbers)))
    matrix = np.eye(4)
    with np.errstate(over="ignore", invalid="ignore"):
        matrix[: shape[0]] = np.frombuffer(numbers, dtype).reshape(shape, order="F" if order == b"True" else "C")
    if not np.abs(matrix).max() < LARGEST:
        raise SceneFileError(file, name, f"4 x 4 finite numbers below {LARGEST:g}", "some that are not")
    return matrix


def _numbers(file: Path, matrices: dict[str, Doubles]) -> list[int]:
    """The numbers of the cameras, in order; each has a world matrix."""
    numbers = sorted(int(name.removeprefix("world_mat_")) for name in matrices if name.startswith("world"))
    if not numbers:
        raise SceneFileError(file, "file", "matrices world_mat_0, world_mat_1, ...", "none")
    scaled = next((i for i in numbers if f"scale_mat_{i}" not in matrices), None)
    if scaled is not None:
        raise SceneFileError(file, "file", f"scale_mat_{scaled} beside world_mat_{scaled}", "none")
    return numbers


def _sphere(file: Path, matrices: dict[str, Doubles], numbers: list[int]) -> Sphere:
    """The unit sphere in the world, the same for every camera."""
    name = f"scale_mat_{numbers[0]}"
    first = matrices[name]
    linear = first[:3, :3]
    radius = float(np.cbrt(np.linalg.det(linear)))
    if not radius > 0 or np.abs(linear @ linear.T / radius**2 - np.eye(3)).max() > TOLERANCE:
        raise SceneFileError(file, name, "one size along all axes, above 0", _rows(linear))
    for i in numbers[1:]:
        if np.abs(matrices[f"scale_mat_{i}"] - first).max() > TOLERANCE * radius:
            raise SceneFileError(file, f"scale_mat_{i}", f"what {name} says", _rows(matrices[f"scale_mat_{i}"][:3]))
    x, y, z = first[:3, 3]
    return Sphere((float(x), float(y), float(z)), radius)


def _rows(matrix: Doubles) -> str:
    return brief(" / ".join(" ".join(f"{x:.4g}" for x in row) for row in matrix))


# Photographs


def _folder(parent: Path, name: str) -> Path:
    """The folder called `name` or its plural; the first if there is neither."""
    return next((folder for folder in (parent / name, parent / f"{name}s") if folder.is_dir()), parent / name)


def _images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise SceneFileError(folder.parent, "folder", f"a folder {folder.name}", "none")
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)


def _paired(file: Path, numbers: list[int], folder: Path) -> tuple[list[tuple[int, Path]], list[Path]]:
    """Each photograph with the number of its camera, and those that are missing."""
    images = _images(folder)
    named = {int(image.stem): image for image in images if image.stem.isascii() and image.stem.isdecimal()}
    if len(named) == len(images) and set(named) <= set(numbers):
        suffix = images[0].suffix if images else ".png"
        width = len(images[0].stem) if images else 1
        missing = [folder / f"{i:0{width}d}{suffix}" for i in numbers if i not in named]
        return [(i, named[i]) for i in numbers if i in named], missing
    if len(images) != len(numbers):
        expected = f"{len(numbers)} photographs in image, as there are world matrices, or names that are their numbers"
        raise SceneFileError(file.parent, "folder", expected, str(len(images)))
    return list(zip(numbers, images, strict=True)), []


def _masks(folder: Path, images: list[Path]) -> dict[Path, Path]:
    """The mask of each photograph: of the same name, or number, or place in the order of names."""
    if not folder.is_dir():
        return {}
    masks = _images(folder)
    by_key = {_key(mask): mask for mask in masks}
    found = {image: by_key[_key(image)] for image in images if _key(image) in by_key}
    if not found and len(masks) == len(images):
        return dict(zip(images, masks, strict=True))
    lone = next((image for image in images if image not in found), None)
    if masks and lone is not None:
        raise SceneFileError(folder, "folder", f"a mask for each photograph, {lone.name} too", f"{len(masks)} others")
    return found


def _key(path: Path) -> str:
    return str(int(path.stem)) if path.stem.isascii() and path.stem.isdecimal() else path.stem


def _photograph(file: Path, number: int, world: Doubles, image: Path, mask: Path | None) -> Photograph:
    place = f"world_mat_{number}"
    try:
        intrinsics, pose = decomposed(world[:3])
    except ValueError as error:
        raise SceneFileError(file, place, "a matrix that can be inverted", _rows(world[:3])) from error
    width, height = image_size(image)
    fx, fy = intrinsics[0, 0], intrinsics[1, 1]
    centre = ((intrinsics[0, 2] + 0.5) / width, (intrinsics[1, 2] + 0.5) / height)
    if not all(MIDDLE[0] < x < MIDDLE[1] for x in centre):
        found = f"{intrinsics[0, 2]:.4g}, {intrinsics[1, 2]:.4g}"
        raise SceneFileError(file, place, f"a principal point in the middle of {width} x {height} pixels", found)
    if abs(intrinsics[0, 1]) * height / 2 > SKEWED * fy:
        raise SceneFileError(file, place, "square angles between rows and columns", f"a skew of {intrinsics[0, 1]:.4g}")
    camera = Camera(
        pose,
        2 * math.atan(0.5 * height / fy),
        pixel_aspect=float(fx / fy),
        centre=(float(centre[0]), float(centre[1])),
        name=image.stem,
        aspect=width / height,
    )
    return Photograph(checked_camera(file, place, camera), image, width, height, mask=mask)

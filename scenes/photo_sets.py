"""Photographs with cameras, in whatever layout they come, ready to learn a surface from.

    transforms*.json                    NeRF-synthetic, instant-ngp, nerfstudio    `scenes/transforms_json.py`
    cameras_sphere.npz, image/, mask/   IDR, NeuS                                  `scenes/idr.py`
    sparse/0, images/                   COLMAP                                     `scenes/colmap.py`

The layout is found by what is there. `scenes/captures.py` reads the first kind for fits of Gaussians, which take no
distorted lenses and no masks.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scenes.captures import ALL, TEST, TRAIN
from scenes.colmap import ColmapPhotograph, is_colmap, read_colmap
from scenes.common_view import Sphere, positions, see_together, spread, visible_sphere
from scenes.errors import SceneFileError
from scenes.files import brief
from scenes.idr import FILES, MIDDLE, is_idr, read_idr
from scenes.images import image_size
from scenes.json_entry import JsonEntry, read_json, shown
from scenes.photographs import Photograph
from scenes.transforms_json import IMAGE_SUFFIXES, TransformsFrame, transforms_frames

LEAST = 3  # photographs: of two, a surface between the rays is a guess
HELD_OUT = 8  # every eighth, as papers on view synthesis do
NAMES_SHOWN = 3
STRETCH = 1.0  # pixels by which a picture's sides may differ from a scaled copy of the size its camera is written for
LAYOUTS = f"{TRAIN}, {ALL}, {FILES[0]} or a COLMAP model in sparse/0"


@dataclass(frozen=True)
class PhotoSet:
    """The photographs of one scene."""

    path: Path
    train: list[Photograph]
    test: list[Photograph]  # to judge by; may be empty
    sphere: Sphere | None  # where the object is: as the files say, else what the cameras see together, if they do
    sphere_is_given: bool  # by the files
    notes: tuple[str, ...]  # what was left out, in words for the user

    @property
    def photographs(self) -> list[Photograph]:
        """All of them."""
        return self.train + self.test


@dataclass(frozen=True)
class _Found:
    """What a layout's reader has: photographs, split or not."""

    train: list[Photograph]
    test: list[Photograph]
    named: int  # photographs that the files name
    missing: list[Path]
    sphere: Sphere | None = None
    unposed: int = 0  # photographs beside them that no camera is of


def holds_photographs(path: str | os.PathLike[str]) -> bool:
    """Whether `path` is for `read_photographs`: a folder, whatever is in it, or a file of cameras."""
    path = Path(path)
    return path.is_dir() or path.suffix.lower() == ".json" or is_idr(path) or is_colmap(path)


def read_photographs(
    path: str | os.PathLike[str], hold_out: int = HELD_OUT, images: str | os.PathLike[str] | None = None
) -> PhotoSet:
    """The photographs in a folder, or the one a file of cameras is in; `SceneFileError` if they are no use.

    Without a test set of its own, every `hold_out`-th photograph is kept to judge by, unless that would leave less than
    `LEAST` to learn from (0: none ever is). `images` is the folder of a COLMAP model's images, if not beside it.

    Refused are fewer than `LEAST` photographs, pictures that are not of the size their camera is written for, cameras
    all in one place, and cameras of which no two see the same. Of pictures only the headers are read; `image` finds
    damaged ones.
    """
    path = Path(path)
    found = _read(path, None if images is None else Path(images))
    every = found.train + found.test
    if len(every) < LEAST:
        _too_few(path, found)
    train, test = (found.train, found.test) if found.train and found.test else _split(every, hold_out)
    if len(train) < LEAST:
        raise SceneFileError(path, "photographs", f"at least {LEAST} to learn from", str(len(train)))
    _check_views(path, every)
    sphere = found.sphere or visible_sphere(every)
    return PhotoSet(path, train, test, sphere, found.sphere is not None, tuple(_notes(found)))


def _read(path: Path, images: Path | None) -> _Found:
    if not path.exists():
        raise SceneFileError(path, "file", f"a folder of photographs with {LAYOUTS}", "nothing at this path")
    if path.suffix.lower() == ".json" or any((path / name).is_file() for name in (TRAIN, ALL, TEST)):
        return _read_transforms(path)
    if is_idr(path):
        folder = read_idr(path)
        named = len(folder.photographs) + len(folder.missing)
        return _Found(folder.photographs, [], named, folder.missing, folder.sphere)
    if is_colmap(path):
        return _read_colmap(path, images)
    raise SceneFileError(path, "folder", f"cameras: {LAYOUTS}", _contents(path))


def _contents(path: Path) -> str:
    if not path.is_dir():
        return "another file"
    count = sum(1 for entry in path.rglob("*") if entry.suffix.lower() in IMAGE_SUFFIXES)
    return f"{count:,} images without cameras" if count else "neither cameras nor images"


def _split(photographs: list[Photograph], hold_out: int) -> tuple[list[Photograph], list[Photograph]]:
    test = photographs[::hold_out] if hold_out > 1 else []
    if len(photographs) - len(test) < LEAST:
        return photographs, []
    return [photograph for i, photograph in enumerate(photographs) if not test or i % hold_out], test


# Layouts


def _read_transforms(path: Path) -> _Found:
    """NeRF-synthetic's pair of files, or one file, whose object may name the frames to judge by (nerfstudio)."""
    if not path.is_dir():
        return _transforms_file(path)
    train = next((path / name for name in (TRAIN, ALL) if (path / name).is_file()), None)
    if train is None:
        return _transforms_file(path / TEST)
    found = _transforms_file(train)
    if train.name != TRAIN or not (path / TEST).is_file():
        return found
    judged = _transforms_file(path / TEST)
    return _Found(
        found.train + found.test,
        judged.train + judged.test,
        found.named + judged.named,
        found.missing + judged.missing,
    )


def _transforms_file(file: Path) -> _Found:
    content = read_json(file)
    if not isinstance(content, dict) or "frames" not in content:
        raise SceneFileError(file, "file", "an object with frames", shown(content))
    judged = _test_names(file, content)
    train, test, missing = [], [], []
    frames = transforms_frames(file, content, any_lens=True)
    for frame in frames:
        if not frame.has_image():
            missing.append(frame.image)
        elif frame.entry.values["file_path"] in judged:
            test.append(_framed(frame))
        else:
            train.append(_framed(frame))
    return _Found(train, test, len(frames), missing)


def _test_names(file: Path, content: dict[str, object]) -> set[str]:
    names = content.get("test_filenames", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SceneFileError(file, "test_filenames", "a list of strings", shown(names))
    return set(names)


def _framed(frame: TransformsFrame) -> Photograph:
    width, height = frame.size()
    mask = frame.mask()
    if mask is not None and not mask.is_file():
        raise frame.entry.error("mask_path", "a file", "nothing at this path")
    size = _fitting(frame.entry, frame.image, width, height)
    camera = frame.camera((width, height))
    if "w" not in frame.entry.values and not all(MIDDLE[0] < share < MIDDLE[1] for share in camera.centre):
        found = f"{camera.centre[0] * width:g}, {camera.centre[1] * height:g}"
        raise frame.entry.error("cx and cy", f"the middle of {_size(size)} pixels, or w and h beside them", found)
    return Photograph(camera, frame.image, *size, frame.lens(), mask)


def _fitting(entry: JsonEntry, image: Path, width: float, height: float) -> tuple[int, int]:
    """The picture's size; an error if it is not a scaled copy of what the camera is written for."""
    found = image_size(image)
    if not _scaled(found, width, height):
        raise entry.error("w and h", f"{width:g} x {height:g} pixels or as many times more or less", _size(found))
    return found


def _scaled(found: tuple[int, int], width: float, height: float) -> bool:
    scale = max(found[0] / width, found[1] / height)
    return max(abs(found[0] - scale * width), abs(found[1] - scale * height)) <= max(STRETCH, scale)


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


def _read_colmap(path: Path, images: Path | None) -> _Found:
    model = read_colmap(path)
    folder = _images_folder(path, images, [photograph.camera.name for photograph in model.photographs])
    photographs, missing = [], []
    for photograph in model.photographs:
        image = folder / photograph.camera.name
        if not os.path.isfile(image):
            missing.append(image)
            continue
        photographs.append(_developed(path, photograph, image))
    used = {photograph.path for photograph in photographs}
    beside = {
        p for folder in {image.parent for image in used} for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES
    }
    return _Found(photographs, [], len(model.photographs), missing, unposed=len(beside - used))


def _images_folder(path: Path, images: Path | None, names: list[str]) -> Path:
    """Where the model's images are: as told, or beside the model, in `images` first."""
    if images is not None:
        return images
    start = path if path.is_dir() else path.parent
    folders = [folder / name for folder in (start, start.parent, start.parent.parent) for name in ("images", ".")]
    return next((f for f in folders if any(os.path.isfile(f / name) for name in names)), folders[0])


def _developed(path: Path, photograph: ColmapPhotograph, image: Path) -> Photograph:
    lens = photograph.lens.lens()
    if lens is None:
        expected = "a lens without distortion or as OpenCV has them (undistort the images with COLMAP)"
        raise SceneFileError(path, f"image {photograph.camera.name}", expected, photograph.lens.model)
    size = image_size(image)
    width, height = photograph.lens.width, photograph.lens.height
    if not _scaled(size, width, height):
        expected = f"{width} x {height} pixels, as its camera has, or as many times more or less"
        raise SceneFileError(image, "image", expected, _size(size))
    return Photograph(photograph.camera, image, *size, lens)


# Together


def _too_few(path: Path, found: _Found) -> None:
    have = len(found.train) + len(found.test)
    if have:
        words = f"{have} (of {found.named:,} that the cameras are of)" if found.missing else str(have)
        raise SceneFileError(path, "photographs", f"at least {LEAST}", words)
    if found.missing:
        raise SceneFileError(
            path, "photographs", f"the {found.named:,} the cameras are of", f"none ({_names(found.missing)})"
        )
    raise SceneFileError(path, "photographs", f"at least {LEAST}", "none")


def _check_views(path: Path, photographs: list[Photograph]) -> None:
    places = positions(photographs)
    if spread(places) <= 1e-9 * max(float(abs(places).max()), 1e-9):
        raise SceneFileError(path, "cameras", "more than one place", f"all {len(photographs)} in one")
    if not see_together(photographs):
        expected = "at least two that see the same"
        raise SceneFileError(path, "cameras", expected, f"{len(photographs)} that see nothing in common")


def _notes(found: _Found) -> Iterable[str]:
    if found.missing:
        names = _names(found.missing)
        yield f"left out: {len(found.missing):,} of {found.named:,} photographs that are not there ({names})"
    if found.unposed:
        yield f"left out: {found.unposed:,} photographs without a camera"
    sizes = {(photograph.width, photograph.height) for photograph in found.train + found.test}
    if len(sizes) > 1:
        yield f"photographs of {len(sizes)} sizes"


def _names(paths: list[Path]) -> str:
    shown_names = ", ".join(brief(path.name, 40) for path in paths[:NAMES_SHOWN])
    return shown_names + (", ..." if len(paths) > NAMES_SHOWN else "")

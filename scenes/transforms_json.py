"""NeRF's transforms.json: one object, with a list of frames.

    key                     in              what
    frames                  object          list of {"file_path", "transform_matrix", ...}
    file_path               frame           image, relative to the file; .png when it has no such file as it stands
    transform_matrix        frame           4x4 world from camera; OpenGL's axes: x right, y up, z backward
    fl_x fl_y cx cy w h     frame, object   focal lengths, principal point and size in pixels of the original image
    camera_angle_x          frame, object   horizontal field of view, radians; when there is no fl_x
    camera_angle_y          frame, object   vertical field of view, radians; when there is no fl_y
    k1 k2 k3 k4 p1 p2       frame, object   lens distortion, see `scenes/lenses.py`
    camera_model            frame, object   COLMAP's name of the lens; with OPENCV_FISHEYE k1 to k4 are a fisheye's
    is_fisheye              frame, object   instant-ngp's word for that
    mask_path               frame           picture, white where the object is

A frame's own value goes before the object's. Without w and h the size is the image's.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.camera_checks import checked_camera
from scenes.cameras import Camera
from scenes.errors import SceneFileError
from scenes.files import brief
from scenes.images import image_size
from scenes.json_entry import JsonEntry, shown
from scenes.lenses import PINHOLE, Lens
from scenes.rigid import check_rigid, inverse_rigid

OPENCV_FROM_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])  # camera axes: y down and z forward
DISTORTION = ("k1", "k2", "k3", "k4", "p1", "p2")
PINHOLES = ("PINHOLE", "SIMPLE_PINHOLE", "OPENCV")  # OPENCV with no distortion is a pinhole
PERSPECTIVE = (*PINHOLES, "SIMPLE_RADIAL", "RADIAL")
FISHEYE = "OPENCV_FISHEYE"
OTHER_LENSES = ("ftheta_p0", "latlong", "equirectangular")  # instant-ngp's
LONGEST = 400  # characters of a path in a message
TINY = 1e-300  # half of the smallest number there is would be 0
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")


@dataclass(frozen=True)
class TransformsFrame:
    """One frame as the file has it."""

    entry: JsonEntry  # the frame's values over the object's
    image: Path  # may not exist
    world_from_camera: NDArray[np.float64]  # [4, 4] OpenCV's axes

    def has_image(self) -> bool:
        """Whether the image exists. Names too long for the disk do not, though Path.is_file would raise."""
        return os.path.isfile(self.image)

    def size(self) -> tuple[float, float]:
        """Width and height that the intrinsics are written for."""
        if "w" in self.entry.values or "h" in self.entry.values:
            return self.entry.number("w", above=0), self.entry.number("h", above=0)
        if not self.has_image():
            raise self.entry.error("w", f"w and h, or an image at {brief(os.fspath(self.image), LONGEST)}", "neither")
        return image_size(self.image)

    @property
    def distorted(self) -> bool:
        """Whether the lens was more than a pinhole."""
        values = self.entry.values
        some = any(key in values and self.entry.number(key) != 0 for key in DISTORTION)
        return some or values.get("camera_model", PINHOLES[0]) not in PINHOLES

    def lens(self) -> Lens:
        """The lens; an error if it is none of perspective ones and fisheyes as OpenCV has them."""
        values = self.entry.values
        model = values.get("camera_model", FISHEYE if values.get("is_fisheye") else PINHOLES[0])
        if model not in (*PERSPECTIVE, FISHEYE):
            raise self.entry.error("camera_model", f"one of {', '.join((*PERSPECTIVE, FISHEYE))}", shown(model))
        for key in OTHER_LENSES:
            if values.get(key):
                raise self.entry.error(key, "a lens as OpenCV has them", shown(values[key]))
        k1, k2, k3, k4, p1, p2 = (self.entry.number(key) if key in values else 0.0 for key in DISTORTION)
        if model == FISHEYE:
            return Lens((k1, k2, k3, k4), fisheye=True)
        return Lens((k1, k2, k3, k4), (p1, p2)) if any((k1, k2, k3, k4, p1, p2)) else PINHOLE

    def mask(self) -> Path | None:
        """The picture that says where the object is; it may not exist."""
        return Path(self.entry.path).parent / self.entry.text("mask_path") if "mask_path" in self.entry.values else None

    def camera(self, size: tuple[float, float]) -> Camera:
        """The camera, whose intrinsics are in pixels of an image of `size` width and height."""
        width, height = size
        fx = self._focal("fl_x", "camera_angle_x", width)
        fy = self._focal("fl_y", "camera_angle_y", height) if self._has_vertical() else fx
        camera = Camera(
            camera_from_world=inverse_rigid(self.world_from_camera),
            fov_y=2 * math.atan(0.5 * height / fy),
            pixel_aspect=fx / fy,
            centre=(self._centre("cx", width), self._centre("cy", height)),
            name=self.image.stem,
            aspect=width / height,
        )
        return checked_camera(self.entry.path, self.entry.place, camera)

    def _has_vertical(self) -> bool:
        return "fl_y" in self.entry.values or (
            "fl_x" not in self.entry.values and "camera_angle_y" in self.entry.values
        )

    def _centre(self, key: str, pixels: float) -> float:
        return self.entry.number(key) / pixels if key in self.entry.values else 0.5

    def _focal(self, key: str, angle_key: str, pixels: float) -> float:
        if key not in self.entry.values and angle_key in self.entry.values:
            angle = self.entry.number(angle_key, above=0, below=math.pi)
            return 0.5 * pixels / max(math.tan(0.5 * angle), TINY)
        return self.entry.number(key, above=0)


def transforms_frames(
    path: str | os.PathLike[str], content: dict[str, Any], any_lens: bool = False
) -> list[TransformsFrame]:
    """The frames of a transforms file, at least one, each with the object's values below its own.

    Lens distortion is an error, unless `any_lens` says that cameras without it will do; `distorted` then tells.
    """
    frames = content["frames"]
    if not isinstance(frames, list) or not frames:
        raise SceneFileError(path, "frames", "a list of at least one frame", shown(frames))
    shared = {key: value for key, value in content.items() if key != "frames"}
    entries = [JsonEntry.of(path, f"frame {i}", frame) for i, frame in enumerate(frames)]
    return [_frame(JsonEntry(entry.path, entry.place, {**shared, **entry.values}), any_lens) for entry in entries]


def _frame(entry: JsonEntry, any_lens: bool) -> TransformsFrame:
    if not any_lens:
        _check_undistorted(entry)
    matrix = check_rigid(entry, "transform_matrix", entry.array("transform_matrix", (4, 4)))
    image = Path(entry.path).parent / entry.text("file_path")
    if not image.name:
        raise entry.error("file_path", "the name of an image", shown(entry.values["file_path"]))
    if not os.path.isfile(image) and image.suffix.lower() not in IMAGE_SUFFIXES:  # "r_0", but also "r_0.5"
        image = image.with_name(image.name + ".png")
    return TransformsFrame(entry, image, matrix @ OPENCV_FROM_OPENGL)


def _check_undistorted(entry: JsonEntry) -> None:
    for key in DISTORTION:
        if key in entry.values and entry.number(key) != 0:
            raise entry.error(key, "no lens distortion (undistort the images first)", shown(entry.values[key]))
    model = entry.values.get("camera_model", PINHOLES[0])
    if model not in PINHOLES:
        raise entry.error("camera_model", f"one of {', '.join(PINHOLES)}", shown(model))

"""A photograph: its pixels, and the ray of each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scenes.cameras import Camera
from scenes.errors import SceneFileError
from scenes.gaussians import Floats
from scenes.images import image_size, read_grey, read_rgba
from scenes.lenses import PINHOLE, Lens


class Rays(NamedTuple):
    """Of a picture's pixels, through their middles, in the world."""

    origin: Floats  # [3] where the camera is
    directions: Floats  # [H, W, 3] unit length; straight ahead where not `seen`
    seen: NDArray[np.bool_]  # [H, W] False where the lens shows nothing


@dataclass(frozen=True)
class Photograph:
    """One photograph and the camera that took it."""

    camera: Camera  # of a lens that distorts: the pinhole with its intrinsics
    path: Path
    width: int  # pixels
    height: int
    lens: Lens = PINHOLE
    mask: Path | None = None  # a picture of the same size, white where the object is

    def image(self) -> Floats:
        """[H, W, 4] RGB and straight alpha in [0, 1] (1 where the file has none), read at every call.

        Where there is a mask, alpha is multiplied with it. `SceneFileError` if a file is damaged or of another size.
        """
        image = read_rgba(self.path)
        if self.mask is not None:
            image[..., 3] *= self._checked_mask()
        return image

    def image_at(self, width: int, height: int) -> Floats:
        """[height, width, 4] of the mean of the pixels under each; colours are weighted with alpha."""
        image = self.image()
        if (width, height) == (self.width, self.height):
            return image
        image[..., :3] *= image[..., 3:]
        channels = [Image.fromarray(np.ascontiguousarray(image[..., i])) for i in range(4)]
        small = np.stack([np.asarray(c.resize((width, height), Image.Resampling.BOX)) for c in channels], axis=-1)
        small[..., :3] /= np.maximum(small[..., 3:], np.finfo(np.float32).tiny)
        return np.clip(small, 0, 1).astype(np.float32)

    def rays(self, width: int | None = None, height: int | None = None) -> Rays:
        """The rays of the photograph's pixels, or of one of the same view of `width` x `height` pixels."""
        width, height = width or self.width, height or self.height
        directions, seen = _camera_directions(self.lens, self.camera.intrinsics(width, height), width, height)
        world = directions @ self.camera.camera_from_world[:3, :3]  # row vectors: by the inverse of the rotation
        return Rays(self.camera.position.astype(np.float32), world.astype(np.float32), seen)

    def pixels_of(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """[N, 2] where world `points` [N, 3] are in the picture, pixels; NaN where they are not in it."""
        fx, fy, cx, cy = self.camera.intrinsics(self.width, self.height)
        pose = self.camera.camera_from_world
        places = self.lens.distorted(points.astype(np.float64) @ pose[:3, :3].T + pose[:3, 3])
        pixels = places * (fx, fy) + (cx, cy)
        with np.errstate(invalid="ignore"):
            inside = np.all((pixels >= 0) & (pixels <= (self.width, self.height)), axis=1)
        return np.where(inside[:, None], pixels, np.nan)

    def _checked_mask(self) -> Floats:
        assert self.mask is not None
        size = image_size(self.mask)
        if size != (self.width, self.height):
            expected = f"{self.width} x {self.height} pixels, as {self.path.name} has"
            raise SceneFileError(self.mask, "image", expected, f"{size[0]} x {size[1]}")
        return read_grey(self.mask)


@lru_cache(maxsize=4)  # most captures have one lens
def _camera_directions(
    lens: Lens, intrinsics: tuple[float, float, float, float], width: int, height: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Unit directions [H, W, 3] in the camera's axes, straight ahead where not seen, and which are seen [H, W]."""
    fx, fy, cx, cy = intrinsics
    places = np.empty((height, width, 2), np.float64)
    places[..., 0] = (np.arange(width) + 0.5 - cx) / fx
    places[..., 1] = ((np.arange(height) + 0.5 - cy) / fy)[:, None]
    directions = lens.directions(places.reshape(-1, 2)).reshape(height, width, 3)
    seen = np.asarray(np.isfinite(directions).all(axis=-1))
    directions[~seen] = (0, 0, 1)
    directions.setflags(write=False)
    seen.setflags(write=False)
    return directions, seen

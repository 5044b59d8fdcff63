"""Photographs as arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from scenes.errors import SceneFileError
from scenes.gaussians import Floats


def image_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels, from the file's header alone."""
    with _open(path) as image:
        return image.size


def read_rgba(path: Path) -> Floats:
    """[H, W, 4] in [0, 1]: RGB as stored, straight alpha, 1 where the file has none.

    The pixels stay as the camera took them: a rotation in the EXIF data is not applied, nor did whoever solved for the
    cameras.
    """
    with _open(path) as image:
        try:
            if image.mode.startswith("I;16"):  # 16-bit grey, which Pillow would clip to 255
                grey = np.divide(np.asarray(image), 65535, dtype=np.float32)
                return np.dstack([grey, grey, grey, np.ones_like(grey)])
            return np.divide(np.asarray(image.convert("RGBA")), 255, dtype=np.float32)
        except (OSError, SyntaxError, ValueError) as error:  # Pillow raises SyntaxError for a damaged PNG
            raise SceneFileError(path, "image", "a whole picture", "a damaged one") from error


def read_grey(path: Path) -> Floats:
    """[H, W] in [0, 1]: the mean of RGB, times alpha where the file has it."""
    image = read_rgba(path)
    return image[..., :3].mean(axis=-1) * image[..., 3]


def _open(path: Path) -> Image.Image:
    try:
        return Image.open(path)
    except UnidentifiedImageError as error:
        raise SceneFileError(path, "image", "a picture", "a file of another kind") from error
    except Image.DecompressionBombError as error:
        raise SceneFileError(path, "image", f"at most {2 * (Image.MAX_IMAGE_PIXELS or 0)} pixels", "more") from error
    except OSError as error:
        raise SceneFileError(path, "image", "a file that can be read", str(error.strerror).lower()) from error

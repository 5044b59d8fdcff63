"""Photographs as arrays."""

from __future__ import annotations

import logging
import struct
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from scenes.errors import SceneFileError
from scenes.files import BoundedFile, brief, check_kind
from scenes.gaussians import Floats
from scenes.quiet import quiet_libraries

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP")  # Pillow knows many more, some by way of other programs
MAX_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or 1 << 27)  # beyond, Pillow refuses
# A claim to more pixels than the file can hold is false, and no memory is taken for it. Deflate makes at most 1,032
# bytes of one, runs in a .bmp 128, WebP of a picture of one colour more than either.
FREE, DENSEST = 1 << 20, 1032  # bytes, and times the file
DENSEST_OF = {"BMP": 128, "WEBP": 1 << 13}
BITS = {"1": 1, "P": 1, "L": 2, "I;16": 16, "I;16B": 16, "LA": 4, "PA": 2}  # at least, of a pixel; of others 24
# What Pillow raises for damaged files
DAMAGE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
)

# Of what Pillow only warns of, it reads the rest: no user can do anything about a tag that is cut short.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").addHandler(logging.NullHandler())  # else its errors go to the terminal


def image_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels, from the file's header alone."""
    with opened_image(path) as image:
        return image.size


def read_rgba(path: Path) -> Floats:
    """[H, W, 4] in [0, 1]: RGB as stored, straight alpha, 1 where the file has none.

    The pixels stay as the camera took them: a rotation in the EXIF data is not applied, nor did whoever solved for the
    cameras.
    """
    with opened_image(path) as image:
        try:
            return _pixels(image)
        except DAMAGE as error:
            raise SceneFileError(path, "image", "a whole picture", "a damaged one") from error


def _pixels(image: Image.Image) -> Floats:
    if image.mode.startswith("I;16"):  # 16-bit grey, which Pillow would clip to 255
        grey = np.divide(np.asarray(image), 65535, dtype=np.float32)
        return np.dstack([grey, grey, grey, np.ones_like(grey)])
    return np.divide(np.asarray(image.convert("RGBA")), 255, dtype=np.float32)


def read_grey(path: Path) -> Floats:
    """[H, W] in [0, 1]: the mean of RGB, times alpha where the file has it."""
    image = read_rgba(path)
    return image[..., :3].mean(axis=-1) * image[..., 3]


@contextmanager
def opened_image(path: Path) -> Iterator[Image.Image]:
    """A picture whose header has been read and checked."""
    with ExitStack() as opened:
        image = _open(path, opened)
        _check_size(path, image)
        with quiet_libraries() if image.format == "TIFF" else nullcontext():  # libtiff says there what is wrong
            yield image


def _open(path: Path, opened: ExitStack) -> Image.Image:
    """A picture that is closed with `opened`, as its file is, which Pillow leaves open."""
    try:
        check_kind(path)
        file = opened.enter_context(BoundedFile(path))
        return opened.enter_context(Image.open(file, formats=FORMATS))
    except UnidentifiedImageError as error:
        raise SceneFileError(path, "image", "a picture", "a file of another kind") from error
    except Image.DecompressionBombError as error:
        raise SceneFileError(path, "image", f"at most {MAX_PIXELS} pixels", "more") from error
    except DAMAGE as error:
        if isinstance(error, OSError) and error.strerror:
            raise SceneFileError(path, "image", "a file that can be read", error.strerror.lower()) from error
        raise SceneFileError(path, "image", "a picture", f"a damaged one ({brief(str(error))})") from error


def _check_size(path: Path, image: Image.Image) -> None:
    """An error if there are more pixels than there may be, or than so many bytes can hold."""
    pixels = image.width * image.height
    most = most_pixels(image, path.stat().st_size)
    if not 0 < pixels <= most:
        raise SceneFileError(path, "image", f"1 to {most} pixels in such a file", f"{image.width} x {image.height}")


def most_pixels(image: Image.Image, size: int) -> int:
    """The most pixels a picture of this kind can have in `size` bytes."""
    held = FREE + size * DENSEST_OF.get(image.format or "", DENSEST)
    return min(MAX_PIXELS, 8 * held // BITS.get(image.mode, 24))

"""Pictures of any size, a part at a time: larger than a framebuffer, finer than a pixel, and no window is held up.

A part is what a camera with another principal point and field of view sees, so it needs nothing of the renderer but a
camera that says what it is cut out of (`Camera.frustum`). Equirectangular pictures are not cut: their seam is where the
picture ends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol, TypeVar, runtime_checkable

import moderngl
import numpy as np
from numpy.typing import NDArray

from renderer.context import is_software
from renderer.images import Picture, straight_alpha, to_8_bit
from scenes.cameras import Camera
from scenes.errors import KilofieldError
from scenes.gaussians import Floats

PART = 2048  # px, the widest and highest a part is drawn: 64 MB of accumulated colour
SOFT_PART = 480  # px on a software rasteriser: about a quarter of a second
SOFT_RAYS_PART = 128  # px there of what is ray-cast
MOST_PIXELS = 2**28  # of a picture, 16384 x 16384: 1 GB in memory
SUPERSAMPLING = (1, 2, 3, 4)  # samples a pixel, each way


Settings = TypeVar("Settings")
Settings_contra = TypeVar("Settings_contra", contravariant=True)


class Renderer(Protocol[Settings_contra]):
    """What draws a scene of any kind, with settings of its own."""

    @property
    def context(self) -> moderngl.Context:
        """Of OpenGL."""
        ...

    @property
    def casts_rays(self) -> bool:
        """A pixel takes a while on a software rasteriser."""
        ...

    def render(self, camera: Camera, width: int, height: int, settings: Settings_contra) -> Floats:
        """[H, W, 3]"""
        ...

    def render_rgba(self, camera: Camera, width: int, height: int, settings: Settings_contra) -> Floats:
        """[H, W, 4] premultiplied."""
        ...

    def draw(self, camera: Camera, framebuffer: moderngl.Framebuffer, settings: Settings_contra) -> None:
        """Into the viewport of `framebuffer`."""
        ...


@runtime_checkable
class PatientRenderer(Protocol):
    """A renderer that returns before a picture is all there: it is asked for it again, until it is."""

    @property
    def share(self) -> float:
        """Of the picture that was drawn last; less than 1, what it gave is nothing yet."""
        ...


@dataclass(frozen=True)
class Box:
    """Some pixels of a picture."""

    left: int
    top: int
    width: int
    height: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


def part_camera(camera: Camera, size: tuple[int, int], box: Box) -> Camera:
    """The camera whose picture of `box.width` x `box.height` is that box of what `camera` sees at `size`."""
    if box == Box(0, 0, *size):
        return camera
    if camera.projection == "equirectangular":
        raise ValueError("an equirectangular picture is drawn whole")
    _, fy, cx, cy = camera.intrinsics(*size)
    part = replace(camera, centre=((cx - box.left) / box.width, (cy - box.top) / box.height))
    if camera.projection == "orthographic":
        return replace(part, view_height=camera.view_height * box.height / size[1])
    low, high = camera.slopes(*size)
    fov_y = 2 * math.atan(0.5 * box.height / fy)
    return replace(part, fov_y=fov_y, frustum=(*low.tolist(), *high.tolist()))


def boxes(size: tuple[int, int], largest: int) -> list[Box]:
    """Boxes that fill a picture of `size`, none wider or higher than `largest`, of about one size."""
    columns, rows = (_cuts(side, largest) for side in size)
    return [
        Box(left, top, right - left, bottom - top)
        for top, bottom in pairwise(rows)
        for left, right in pairwise(columns)
    ]


def _cuts(side: int, largest: int) -> list[int]:
    parts = -(-side // largest)
    return [side * i // parts for i in range(parts + 1)]


def _whole() -> float:
    return 1.0


class LargePicture:
    """A picture of `size` (width, height) that grows by `step`.

    `alpha`: RGBA with straight alpha in place of RGB over the settings' background. `supersampling`: the samples of a
    pixel each way, averaged. `part`: the most samples each way that are drawn at once. Raises `KilofieldError` for a
    size or a number of samples that is not possible.
    """

    def __init__(
        self,
        renderer: Renderer[Settings],
        camera: Camera,
        size: tuple[int, int],
        settings: Settings,
        alpha: bool = False,
        supersampling: int = 1,
        part: int | None = None,
    ) -> None:
        if min(size) < 1 or size[0] * size[1] > MOST_PIXELS or supersampling not in SUPERSAMPLING:
            raise KilofieldError(
                f"picture: expected 1 to {MOST_PIXELS:,} pixels and {SUPERSAMPLING[0]} to {SUPERSAMPLING[-1]} samples "
                f"each way, found {size[0]}x{size[1]} and {supersampling}"
            )
        self._camera, self._context = camera, renderer.context
        self._software_part = SOFT_RAYS_PART if renderer.casts_rays else SOFT_PART
        self._software_part = PART if isinstance(renderer, PatientRenderer) else self._software_part
        self._render = lambda view, width, height: renderer.render(view, width, height, settings)
        self._render_rgba = lambda view, width, height: renderer.render_rgba(view, width, height, settings)
        self._paint = lambda view, target: renderer.draw(view, target, settings)
        self._size, self._alpha, self._samples = size, alpha, supersampling
        whole = camera.projection == "equirectangular"
        self._boxes = boxes(size, max(size) if whole else max((part or self._largest_part()) // supersampling, 1))
        self._done, self._drawn = 0, 0.0  # parts, and of the next one
        self._share = (lambda: renderer.share) if isinstance(renderer, PatientRenderer) else _whole
        try:
            self.picture = np.zeros((size[1], size[0], 4 if alpha else 3), np.uint8)
        except MemoryError as error:
            raise KilofieldError(f"picture: {size[0]}x{size[1]}: not enough memory") from error

    def _largest_part(self) -> int:
        return self._software_part if is_software(self._context) else PART

    @property
    def patient(self) -> bool:
        """A part takes many steps."""
        return self._share is not _whole

    @property
    def parts(self) -> int:
        """How many steps there are."""
        return len(self._boxes)

    @property
    def progress(self) -> float:
        """Of the picture, 0 to 1."""
        return (self._done + self._drawn) / self.parts

    def step(self) -> bool:
        """Draws one part more, or more of a part; True when the picture is whole."""
        if self._done < self.parts:
            box = self._boxes[self._done]
            part = self._draw(box)
            self._drawn = self._share()
            if self._drawn >= 1:
                self.picture[box.slices] = to_8_bit(part)
                self._done, self._drawn = self._done + 1, 0.0
        return self._done == self.parts

    def _draw(self, box: Box) -> Picture:
        """[H, W, 3 or 4] a part, samples averaged."""
        k = self._samples
        fine = Box(k * box.left, k * box.top, k * box.width, k * box.height)
        camera = part_camera(self._camera, (k * self._size[0], k * self._size[1]), fine)
        if self._alpha:
            rgba = self._render_rgba(camera, fine.width, fine.height)
            return straight_alpha(averaged(rgba, k))
        if k > 1:
            return averaged(self._render(camera, fine.width, fine.height), k)
        return self._draw_8_bit(camera, box)

    def _draw_8_bit(self, camera: Camera, box: Box) -> NDArray[np.uint8]:
        """As a window or a flythrough has it, and a fifth of the bytes to read back."""
        target = self._context.simple_framebuffer((box.width, box.height))
        try:
            self._paint(camera, target)
            pixels = np.frombuffer(target.read(components=3, alignment=1), np.uint8)
            return pixels.reshape(box.height, box.width, 3)[::-1]
        finally:
            target.release()


def averaged(picture: Floats, samples: int) -> Floats:
    """[H / samples, W / samples, C] the means of squares of `samples` pixels of [H, W, C], each clipped to [0, 1]."""
    if samples == 1:
        return picture
    height, width, channels = picture.shape
    squares = np.clip(picture, 0, 1).reshape(height // samples, samples, width // samples, samples, channels)
    return squares.mean(axis=(1, 3), dtype=np.float32)


def large_picture(
    renderer: Renderer[Settings],
    camera: Camera,
    size: tuple[int, int],
    settings: Settings,
    alpha: bool = False,
    supersampling: int = 1,
    part: int | None = None,
) -> NDArray[np.uint8]:
    """[H, W, 3 or 4] all of a `LargePicture` at once."""
    picture = LargePicture(renderer, camera, size, settings, alpha, supersampling, part)
    while not picture.step():
        pass
    return picture.picture

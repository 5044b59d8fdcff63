"""The pictures a fit aims at: the original scene's own, or photographs, kept as premultiplied RGBA."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from fitting.losses import ssim
from fitting.raster_view import RasterView
from fitting.rasterize import draw
from fitting.tensors import GaussianTensors
from scenes.cameras import Camera
from scenes.captures import Frame


@dataclass(frozen=True)
class Target:
    """One view and its picture."""

    camera: Camera
    rgba: Tensor  # [H, W, 4] half floats, premultiplied by alpha: over any background it is rgb + (1 - a) background

    def over(self, background: tuple[float, float, float]) -> Tensor:
        """[H, W, 3] the picture over a background."""
        rgba = self.rgba.float()
        return rgba[..., :3] + (1 - rgba[..., 3:]) * torch.tensor(background, device=rgba.device)

    def view(self, background: tuple[float, float, float], antialiased: bool) -> RasterView:
        """The view to rasterise for comparing with `over(background)`."""
        return RasterView.of(self.camera, self.rgba.shape[1], self.rgba.shape[0], background, antialiased)


def rendered_target(tensors: GaussianTensors, camera: Camera, width: int, height: int, antialiased: bool) -> Target:
    """The scene's own picture."""
    return Target(camera, draw(*tensors, RasterView.of(camera, width, height, antialiased=antialiased)).half())


def photograph_target(frame: Frame, side: int, device: torch.device) -> Target:
    """A photograph, averaged down by the whole factor that brings its longest side nearest to `side` pixels.

    Nearest, not below: a photograph a little larger than `side` keeps all its detail instead of losing three quarters
    of its pixels. Rows and columns that do not fill a pixel are cut off, from the picture and from its camera.
    """
    rgba, factor = _premultiplied(frame), _reduction(frame, side)
    height, width = frame.height - frame.height % factor, frame.width - frame.width % factor
    pooled = torch.nn.functional.avg_pool2d(rgba[:height, :width].permute(2, 0, 1)[None], factor)[0].permute(1, 2, 0)
    camera = window(frame.camera, (0.0, 0.0), (width / frame.width, height / frame.height))
    return Target(camera, pooled.contiguous().half().to(device))


def photograph_windows(
    frame: Frame, side: int, count: int, rng: np.random.Generator, device: torch.device
) -> list[Target]:
    """Parts of a photograph at its full resolution, at most `side` pixels wide and high, where it shows something.

    None of a photograph that `photograph_target` does not reduce. Reduced pictures alone teach a scene to look right
    through large pixels; through the photograph's own it is then too thin, since 3DGS widens every Gaussian by 0.3
    pixels of whatever size (4 dB lost by a factor of 2 on the chair of NeRF's synthetic scenes; windows win them back).
    """
    if _reduction(frame, side) == 1:
        return []
    rgba = _premultiplied(frame)
    shown = torch.nonzero(rgba[..., 3] > 0).numpy()  # rows and columns
    if not len(shown):
        return []
    size = np.minimum(side, (frame.height, frame.width))
    corners = shown[rng.integers(len(shown), size=count)] - size // 2
    targets = []
    for top, left in np.clip(corners, 0, (frame.height, frame.width) - size):
        part = rgba[top : top + size[0], left : left + size[1]].contiguous().half().to(device)
        corner, share = (left / frame.width, top / frame.height), (size[1] / frame.width, size[0] / frame.height)
        targets.append(Target(window(frame.camera, corner, share), part))
    return targets


def _premultiplied(frame: Frame) -> Tensor:
    """[H, W, 4]."""
    rgba = torch.from_numpy(frame.image())
    return torch.cat([rgba[..., :3] * rgba[..., 3:], rgba[..., 3:]], dim=2)


def _reduction(frame: Frame, side: int) -> int:
    return max(round(max(frame.height, frame.width) / side), 1)


def window(camera: Camera, corner: tuple[float, float], size: tuple[float, float]) -> Camera:
    """The camera of a part of a picture: its left and top edge, and its width and height, as shares of the whole's."""
    fov_y = 2 * math.atan(math.tan(0.5 * camera.fov_y) * size[1])
    centre = [(c - start) / share for c, start, share in zip(camera.centre, corner, size, strict=True)]
    return replace(camera, fov_y=fov_y, centre=(centre[0], centre[1]))


def picture_size(side: int, aspect: float) -> tuple[int, int]:
    """Width and height in pixels with the longest side `side`."""
    return (side, max(round(side / aspect), 1)) if aspect >= 1 else (max(round(side * aspect), 1), side)


def mean_quality(pictures: Sequence[Tensor], truths: Sequence[Tensor]) -> tuple[float, float]:
    """Mean PSNR in dB (of 8-bit exact pictures at most 99) and mean SSIM of pictures [H, W, 3]."""
    squares = [float(((a.clamp(0, 1) - b.clamp(0, 1)) ** 2).mean()) for a, b in zip(pictures, truths, strict=True)]
    psnr = [min(-10 * np.log10(max(s, 1e-12)), 99.0) for s in squares]
    similarity = [float(ssim(a.clamp(0, 1), b.clamp(0, 1))) for a, b in zip(pictures, truths, strict=True)]
    return float(np.mean(psnr)), float(np.mean(similarity))

"""Pictures as 8-bit arrays and PNG files, differences, and sheets of frames."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from renderer.contact_sheet import CAPTION, GAP, INK, PAPER
from scenes.atomic import replacing

Picture = NDArray[Any]  # [H, W, 3] or [H, W, 4], float in [0, 1] or uint8
THUMBNAIL = 320  # px, the widest a picture gets on a sheet


def to_8_bit(picture: Picture) -> NDArray[np.uint8]:
    """Rounded to the nearest of 0 to 255, clipped; NaN becomes 0. An 8-bit picture comes back as it is."""
    if picture.dtype == np.uint8:
        return picture
    return np.rint(np.clip(np.nan_to_num(picture, posinf=1.0), 0.0, 1.0) * 255).astype(np.uint8)


def write_png(path: str | os.PathLike[str], picture: Picture) -> None:
    """Writes RGB or RGBA (straight alpha); `KilofieldError` when it cannot."""
    with replacing(path) as temporary:
        save_png(temporary, picture)


def save_png(path: str | os.PathLike[str], picture: Picture) -> None:
    """As `write_png`, for a name that nobody else looks at yet; `OSError` when it cannot."""
    encoded = io.BytesIO()  # Pillow's own file names no reason when the disk is full
    Image.fromarray(to_8_bit(picture)).save(encoded, format="PNG")
    Path(path).write_bytes(encoded.getbuffer())


def straight_alpha(rgba: NDArray[np.floating]) -> NDArray[np.floating]:
    """[H, W, 4] with premultiplied colour made straight, as PNG wants it; black where alpha is 0."""
    alpha = rgba[..., 3:]
    colour = np.divide(rgba[..., :3], alpha, out=np.zeros_like(rgba[..., :3]), where=alpha > 0)
    return np.concatenate([colour, alpha], axis=-1)


def difference_image(a: NDArray[np.floating], b: NDArray[np.floating], gain: float = 4.0) -> NDArray[np.floating]:
    """[H, W, 3] `gain` times the absolute difference, clipped to 1."""
    return np.minimum(gain * np.abs(a - b), 1.0)


def frame_sheet(pictures: Sequence[Picture], captions: Sequence[str], columns: int = 4) -> NDArray[np.uint8]:
    """Small pictures of one size in rows, a caption above each; large ones are reduced to `THUMBNAIL` px."""
    thumbnails = [_thumbnail(picture) for picture in pictures]
    width, height = thumbnails[0].size
    columns = min(columns, len(thumbnails))
    rows = -(-len(thumbnails) // columns)
    cell = width + GAP, height + CAPTION + GAP
    sheet = Image.new("RGB", (columns * cell[0] + GAP, rows * cell[1] + GAP), PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for i, (thumbnail, caption) in enumerate(zip(thumbnails, captions, strict=True)):
        left, top = GAP + i % columns * cell[0], GAP + i // columns * cell[1]
        pen.text((left + 2, top), caption, INK, font)
        sheet.paste(thumbnail, (left, top + CAPTION))
    return np.array(sheet)


def _thumbnail(picture: Picture) -> Image.Image:
    image = Image.fromarray(to_8_bit(picture)).convert("RGB")
    if image.width > THUMBNAIL:
        size = THUMBNAIL, max(1, round(image.height * THUMBNAIL / image.width))
        image = image.resize(size, Image.Resampling.LANCZOS)
    return image

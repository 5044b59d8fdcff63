"""Gaussians in a .sog, PlayCanvas' format, versions 1 and 2; how they are written is in `scenes/sog_writer.py`.

A meta.json and lossless WebP textures, together in a zip or beside each other in a folder. Pixel i, row by row, is
Gaussian i; r, g, b, a are bytes, and u = byte / 255.

    texture        channels  what, version 2
    means_l, _u    r g b     low and high byte of 16 bits: v = lerp(means.mins, means.maxs), one a axis;
                             position = sign(v) (exp |v| - 1)
    quats          r g b     the three smallest of w x y z in order: (2 u - 1) / sqrt(2)
                   a         252 + the index of the largest
    scales         r g b     ln of the standard deviation = scales.codebook[byte]
    sh0            r g b     f_dc = sh0.codebook[byte]
                   a         u = opacity
    shN_labels     r g       low and high byte of an index into the palette
    shN_centroids  r g b     64 palette entries a row, each 3, 8 or 15 texels: coefficient = shN.codebook[byte]

Version 1, whose meta.json has no `version`, has mins and maxs in place of codebooks (lerp with u): one a channel in
scales and in sh0, where the fourth is the logit of the opacity, and one for all of shN.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from scenes.content import (
    LOGITS_OF_BYTES,
    Content,
    ReadOptions,
    blocks,
    check_count,
    empty_gaussians,
    keep_valid,
    single,
)
from scenes.errors import SceneFileError
from scenes.files import brief
from scenes.gaussians import Floats, sh_count
from scenes.json_entry import JsonEntry, shown
from scenes.quaternions import LARGEST_REST, from_smallest_three
from scenes.sog_files import (
    FolderFiles,
    SogFiles,
    Texels,
    ZipFiles,
    check_held,
    child,
    names,
    read_meta,
    read_texels,
    texture_pixels,
)

TEXTURES = (("means", 2), ("quats", 1), ("scales", 1), ("sh0", 1))  # what every scene has, and of how many parts
PALETTE_ROW = 64  # palette entries
MAX_PALETTE = 1 << 16
LARGEST_INDEX = 252  # plus 0 to 3, in the alpha of quats
MOST_LOG = 80.0  # ln of a coordinate, so that it stays a float32


def read_sog(path: Path, options: ReadOptions) -> Content:
    """The Gaussians of a .sog in a zip; `SceneFileError` if it is not one."""
    return read_sog_files(ZipFiles(path), options)


def read_sog_folder(path: Path, options: ReadOptions) -> Content:
    """The Gaussians of a meta.json and the textures beside it."""
    return read_sog_files(FolderFiles(path), options)


def read_sog_files(files: SogFiles, options: ReadOptions) -> Content:
    """The Gaussians of a scene in `files`."""
    meta = read_meta(files)
    version = _version(meta)
    count = check_count(files.path, meta.place, _count(meta, version), options)
    check_held(files, [name for key, number in TEXTURES for name in names(child(meta, key), number)], count)
    textures = _Textures(files, count)
    means = _Means(textures, child(meta, "means"))
    quats = textures.of(child(meta, "quats"), 1)[0]
    scales, (scale_texels,) = _levels(meta, "scales", version, 3), textures.of(child(meta, "scales"), 1)
    colours, (colour_texels,) = _levels(meta, "sh0", version, 4), textures.of(child(meta, "sh0"), 1)
    palette = _Palette(files, textures, child(meta, "shN"), version) if meta.values.get("shN") is not None else None

    gaussians = empty_gaussians(count, palette.degree if palette else 0, _antialiased(meta))
    for block in blocks(count):
        gaussians.positions[block] = means.decode(block)
        gaussians.rotations[block] = _rotations(quats[block])
        gaussians.log_scales[block] = _looked_up(scales, scale_texels[block, :3])
        gaussians.sh[block, 0] = _looked_up(colours, colour_texels[block, :3])
        gaussians.opacity_logits[block] = colours[3][colour_texels[block, 3]]
        if palette:
            gaussians.sh[block, 1:] = palette.decode(files, block)
    return replace(keep_valid(files.path, gaussians, "textures"), files=tuple(files.read_files))


def _version(meta: JsonEntry) -> int:
    version = meta.values.get("version", 1)
    if version not in (1, 2) or isinstance(version, bool):
        raise meta.error("version", "2, or none for version 1", shown(version))
    return version


def _count(meta: JsonEntry, version: int) -> int:
    entry, key = (meta, "count") if version == 2 else (child(meta, "means"), "shape")
    value = entry.value(key)
    count = value if version == 2 else value[0] if isinstance(value, list) and value else None
    if not isinstance(count, int) or isinstance(count, bool):
        raise entry.error(key, "a whole number", shown(value))
    return count


def _antialiased(meta: JsonEntry) -> bool:
    value = meta.values.get("antialias", False)
    if not isinstance(value, bool):
        raise meta.error("antialias", "true or false", shown(value))
    return value


class _Textures:
    """The textures that have a pixel a Gaussian."""

    def __init__(self, files: SogFiles, count: int) -> None:
        self._files, self.count = files, count

    def of(self, entry: JsonEntry, number: int) -> list[Texels]:
        """The first `number` textures [N, 4] of an attribute."""
        return [self.named(name) for name in names(entry, number)]

    def named(self, name: str) -> Texels:
        """The texture [N, 4] in the file called `name`."""
        return read_texels(self._files, name, self.count, texture_pixels(self.count))[0][: self.count]


class _Means:
    """Positions in 16 bits an axis, of a scale that is linear near the origin and logarithmic far from it."""

    def __init__(self, textures: _Textures, entry: JsonEntry) -> None:
        self._low, self._high = textures.of(entry, 2)
        mins, maxs = (entry.array(key, (3,)) for key in ("mins", "maxs"))
        if max(np.abs(mins).max(), np.abs(maxs).max()) > MOST_LOG:
            raise entry.error("mins and maxs", f"numbers from {-MOST_LOG:g} to {MOST_LOG:g}", "one beyond")
        self._mins, self._step = mins, (maxs - mins) / 65535

    def decode(self, block: slice) -> Floats:
        """[N, 3]."""
        steps = self._low[block, :3] + self._high[block, :3] * np.float64(256)
        logs = self._mins + steps * self._step
        return (np.sign(logs) * np.expm1(np.abs(logs))).astype(np.float32)


def _rotations(texels: Texels) -> Floats:
    """Unit quaternions [N, 4]; the identity where alpha has no index."""
    rest = (texels[:, :3].astype(np.float32) * np.float32(2 / 255) - np.float32(1)) * np.float32(LARGEST_REST)
    rotations = from_smallest_three(texels[:, 3].astype(np.int16) - np.int16(LARGEST_INDEX), rest)
    rotations[texels[:, 3] < LARGEST_INDEX] = (1, 0, 0, 0)
    return rotations


def _levels(meta: JsonEntry, key: str, version: int, channels: int) -> Floats:
    """[channels, 256] what each byte of each channel of an attribute means."""
    entry = child(meta, key)
    if version == 1:
        mins, maxs = (entry.array(end, (channels,)) for end in ("mins", "maxs"))
        return single(mins[:, None] + np.linspace(0, 1, 256) * (maxs - mins)[:, None])
    levels = np.empty((channels, 256), np.float32)
    levels[:3] = _codebook(entry)
    levels[3:] = LOGITS_OF_BYTES
    return levels


def _codebook(entry: JsonEntry) -> Floats:
    """[256]; a first entry of null, which some writers left, follows from the spacing of the others."""
    book = entry.value("codebook")
    if isinstance(book, list) and len(book) == 256 and book[0] is None:
        rest = JsonEntry(entry.path, entry.place, {"codebook": book[1:]}).array("codebook", (255,))
        return single(np.concatenate([[rest[0] - (rest[-1] - rest[0]) / 255], rest]))
    return single(entry.array("codebook", (256,)))


def _looked_up(levels: Floats, texels: Texels) -> Floats:
    """[N, 3] each channel in its own row of `levels`."""
    return np.stack([levels[channel][texels[:, channel]] for channel in range(3)], axis=1)


class _Palette:
    """The higher bands of SH, as an index a Gaussian into a palette."""

    def __init__(self, files: SogFiles, textures: _Textures, entry: JsonEntry, version: int) -> None:
        centroids, labels = names(entry, 2)
        texels, width = read_texels(files, centroids, PALETTE_ROW * 3, MAX_PALETTE * 15)
        self.degree = _degree(entry, width, version)
        texel_count = len(texels) // (sh_count(self.degree) - 1) * (sh_count(self.degree) - 1)
        levels = _codebook(entry) if version == 2 else _one_range(entry)
        self._colours = levels[texels[:texel_count, :3]].reshape(-1, sh_count(self.degree) - 1, 3)
        self._labels = textures.named(labels)

    def decode(self, files: SogFiles, block: slice) -> Floats:
        """[N, K - 1, 3]."""
        texels = self._labels[block]
        index = texels[:, 0] + texels[:, 1].astype(np.int32) * 256
        if index.max(initial=0) >= len(self._colours):
            expected = f"indices below {len(self._colours)}, the size of the palette"
            raise SceneFileError(files.path, "texture of labels", expected, str(index.max()))
        return self._colours[index]


def _degree(entry: JsonEntry, width: int, version: int) -> int:
    """The SH degree of a palette by the `width` of its texture, and by its word where it has one."""
    widths = {PALETTE_ROW * (sh_count(degree) - 1): degree for degree in (1, 2, 3)}
    if width not in widths:
        raise entry.error("centroids", f"a width of {', '.join(map(str, widths))} pixels", str(width))
    bands = entry.values.get("bands", widths[width])
    if bands != widths[width]:
        raise entry.error("bands", f"{widths[width]}, which is what the width of the palette says", brief(str(bands)))
    return widths[width]


def _one_range(entry: JsonEntry) -> Floats:
    """[256] of version 1."""
    low, high = entry.number("mins"), entry.number("maxs")
    return single(low + np.linspace(0, 1, 256) * (high - low))

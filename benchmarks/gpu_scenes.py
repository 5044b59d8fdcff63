"""The scenes of the GPU benchmark: a .sog as it is, copies of a scene side by side, and a quick neural form of one.

`read_sog` reads version 2, as splat-transform writes it: a zip of meta.json and lossless WebP, pixel i for Gaussian i.

    means_l, means_u   16 bits a channel, low and high byte; between mins and maxs; of sign(x) ln(|x| + 1)
    quats              rgb: the three smaller of w, x, y, z, from -1/sqrt(2) to 1/sqrt(2); a: 252 + which is left out
    scales             indices into a codebook of log scales
    sh0                rgb: indices into a codebook of the constant band; a / 255: opacity
    shN_labels         rg: 16-bit index into a palette of the other bands
    shN_centroids      64 palette entries a row, 3, 8 or 15 texels each; rgb: indices into a codebook
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scenes.extent import Extent, scene_extent
from scenes.gaussians import Floats, Gaussians
from scenes.load import load_scene
from scenes.neural_gaussians import NeuralGaussians

PALETTE_ROW = 64  # entries
OPACITY_EDGE = 1e-4  # from 0 and 1, where the logit would be infinite
WIDEST = (0.01, 0.99)  # quantiles of the positions that copies are set apart by: floaters may overlap


def load(path: Path) -> Gaussians:
    """Plain Gaussians of any readable file, or of a .sog."""
    return read_sog(path) if path.suffix == ".sog" else load_scene(path).gaussians


def read_sog(path: Path) -> Gaussians:
    """The Gaussians of a .sog of version 2."""
    with zipfile.ZipFile(path) as file:
        meta = json.loads(file.read("meta.json"))
        count = meta["count"]

        def pixels(name: str) -> NDArray[np.uint8]:
            return np.asarray(Image.open(io.BytesIO(file.read(name))))

        def texels(part: str, index: int = 0) -> NDArray[np.uint8]:
            return pixels(meta[part]["files"][index]).reshape(-1, 4)[:count]

        colours = texels("sh0")
        opacity = np.clip(colours[:, 3] / 255, OPACITY_EDGE, 1 - OPACITY_EDGE)
        bands = [_codebook(meta["sh0"])[colours[:, :3]][:, None]]  # [N, 1, 3]
        if "shN" in meta:
            labels = texels("shN", 1).astype(np.int64)
            bands.append(_palette(meta["shN"], pixels(meta["shN"]["files"][0]))[labels[:, 0] + 256 * labels[:, 1]])
        return Gaussians(
            positions=_positions(meta["means"], texels("means", 0), texels("means", 1)),
            log_scales=_codebook(meta["scales"])[texels("scales")[:, :3]],
            rotations=_rotations(texels("quats")),
            opacity_logits=np.log(opacity / (1 - opacity)).astype(np.float32),
            sh=np.ascontiguousarray(np.concatenate(bands, axis=1)),
        )


def _codebook(part: dict[str, Any]) -> Floats:
    return np.asarray(part["codebook"], np.float32)


def _positions(part: dict[str, Any], low: NDArray[np.uint8], high: NDArray[np.uint8]) -> Floats:
    share = (low[:, :3] + 256.0 * high[:, :3]) / 65535
    least, most = np.asarray(part["mins"]), np.asarray(part["maxs"])
    squeezed = least + (most - least) * share
    return (np.sign(squeezed) * np.expm1(np.abs(squeezed))).astype(np.float32)


def _rotations(texels: NDArray[np.uint8]) -> Floats:
    """[N, 4] w, x, y, z."""
    smaller = (texels[:, :3] / 255 * 2 - 1) / np.sqrt(2)
    largest = np.sqrt(np.maximum(1 - np.sum(smaller**2, axis=1), 0))
    rotations = np.empty((len(texels), 4), np.float32)
    for which in range(4):
        mine = texels[:, 3] == 252 + which
        rotations[np.ix_(mine, [i for i in range(4) if i != which])] = smaller[mine]
        rotations[mine, which] = largest[mine]
    return rotations


def _palette(part: dict[str, Any], centroids: NDArray[np.uint8]) -> Floats:
    """[entries, coefficients beside the constant, 3]."""
    texels = centroids[..., :3].reshape(len(centroids) * PALETTE_ROW, -1, 3)
    return _codebook(part)[texels]


def tiled(gaussians: Gaussians, copies: int) -> tuple[Gaussians, Extent]:
    """`copies` of a scene side by side on its ground, and where they are together."""
    extent = scene_extent(gaussians)
    up = int(np.argmax(np.abs(extent.up)))
    columns = int(np.ceil(np.sqrt(copies)))
    low, high = np.quantile(gaussians.positions, WIDEST, axis=0)
    places = np.zeros((copies, 3))
    places[:, (up + 1) % 3], places[:, (up + 2) % 3] = np.arange(copies) % columns, np.arange(copies) // columns
    offsets = (places * (high - low)).astype(np.float32)
    offsets -= offsets.mean(axis=0)
    many = gaussians.select(np.tile(np.arange(len(gaussians)), copies))
    many = replace(many, positions=many.positions + np.repeat(offsets, len(gaussians), axis=0))
    radius = extent.radius + float(np.linalg.norm(offsets, axis=1).max())
    return many, Extent(extent.centre, radius, extent.up)


def neural(gaussians: Gaussians, networks: int, width: int, layers: int) -> NeuralGaussians:
    """A neural form of a scene without any tuning: codes by principal components, networks as a fit begins.

    As fast to decode and as large in memory as one that has been tuned for hours, and it shows the same scene.
    """
    import torch

    from fitting.neuralgs.model import start_model

    model = start_model(
        gaussians,
        np.ones(len(gaussians)),
        coarseness=1.0,
        layers=layers,
        width=width,
        networks=networks,
        seed=0,
        device=torch.device("cpu"),
    )
    return model.pack()

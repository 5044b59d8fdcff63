"""The wavelet filter of `shaders/stage_denoise.comp` in numpy: its twin, tap by tap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from renderer.reference_views import LUMINANCE
from renderer.stage_denoise import BEND, LEAST_ALBEDO, REACH, STEP

Doubles = NDArray[np.float64]


def denoised(light: Doubles, normals: Doubles, places: Doubles, albedos: Doubles, passes: int) -> Doubles:
    """[H, W, 3] light with less noise; all are [H, W, 3], with the guides of `PathTracer.guides`."""
    albedos = np.maximum(albedos, LEAST_ALBEDO)
    soft = (normals != 0).any(axis=2)
    filtered = np.where(soft[..., None], light / albedos, light)
    for index in range(passes):
        filtered = _passed(filtered, normals, places, soft, 1 << index, index == 0)
    return np.where(soft[..., None], filtered * albedos, light)


def _passed(
    light: Doubles, normals: Doubles, places: Doubles, soft: NDArray[np.bool_], spacing: int, first: bool
) -> Doubles:
    height, width = soft.shape
    total, sums = np.zeros_like(light), np.zeros((height, width))
    rows, columns = np.mgrid[:height, :width]
    for down in range(-REACH, REACH + 1):
        for right in range(-REACH, REACH + 1):
            row, column = rows + spacing * down, columns + spacing * right
            there = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            taps = np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)
            apart = places[taps] - places
            away = np.abs((normals * apart).sum(axis=2)) / np.maximum(np.linalg.norm(apart, axis=2), 1e-12)
            weight = 2.0 ** -(abs(down) + abs(right)) * np.maximum((normals * normals[taps]).sum(axis=2), 0) ** 16
            weight = weight * np.exp(-BEND * away) * (there & soft[taps])
            if not first:
                mine, theirs = light @ LUMINANCE, light[taps] @ LUMINANCE
                weight = weight * np.exp(-STEP * np.abs(mine - theirs) / np.maximum(mine + theirs, 1e-6))
            total += weight[..., None] * light[taps]
            sums += weight
    return np.where(soft[..., None], total / np.where(sums > 0, sums, 1)[..., None], light)

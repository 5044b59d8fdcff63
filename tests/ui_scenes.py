"""A scene for the tests of the window: known shape, opaque, no symmetry of colour."""

from __future__ import annotations

import numpy as np

from scenes.gaussians import SH_C0, Gaussians


def shell(count: int = 3000) -> Gaussians:
    """A unit sphere of nearly opaque Gaussians around the origin, coloured by direction."""
    normals = np.random.default_rng(5).normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    colours = 0.5 + 0.4 * normals
    return Gaussians(
        positions=normals.astype(np.float32),
        log_scales=np.full((count, 3), np.log(0.04), np.float32),
        rotations=np.tile(np.array([1, 0, 0, 0], np.float32), (count, 1)),
        opacity_logits=np.full(count, 3.0, np.float32),
        sh=((colours - 0.5) / SH_C0).astype(np.float32)[:, None],
    )

"""One way to write each Gaussian: without it, the signs and the order of its axes would be pure noise to a coder."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from scenes.gaussians import Floats, Gaussians, rotation_matrices, sh_count
from scenes.neural_gaussians import AttributeLayout

OPACITY_RANGE = (0.001, 0.996)  # clipped before the logit: outliers would own the principal components
LARGEST_SH = 100.0  # a colour of 28 times white: pictures in half floats must hold it
# What one quantisation step may change before it shows, per channel; findings from prototypes
STEP_OPACITY, STEP_LOG_SCALE, STEP_ROTATION, STEP_DC, STEP_SH = 0.6, 0.25, 0.15, 0.10, 0.15


def attribute_steps(sh_degree: int) -> Floats:
    """[D] the perceptual unit of each attribute channel."""
    rest = 3 * (sh_count(sh_degree) - 1)
    sizes = ((STEP_OPACITY, 1), (STEP_LOG_SCALE, 3), (STEP_ROTATION, 3), (STEP_DC, 3), (STEP_SH, rest))
    return np.concatenate([np.full(count, step, np.float32) for step, count in sizes])


def limited_colours(gaussians: Gaussians) -> tuple[Gaussians, str]:
    """The scene with SH no larger than any picture can show, and a word on it (empty when they were)."""
    beyond = np.abs(gaussians.sh).max(axis=(1, 2)) > LARGEST_SH
    if not beyond.any():
        return gaussians, ""
    limited = replace(gaussians, sh=np.clip(gaussians.sh, -LARGEST_SH, LARGEST_SH))
    return limited, f"SH beyond {LARGEST_SH:g} limited to it: {beyond.sum():,} of {len(gaussians):,} Gaussians"


def canonical_attributes(gaussians: Gaussians) -> Floats:
    """[N, D] in the order of `AttributeLayout`: the same Gaussians, each written in its canonical way."""
    layout = AttributeLayout(gaussians.sh_degree)
    attributes = np.empty((len(gaussians), layout.outputs), np.float32)
    low, high = (np.log(p / (1 - p)) for p in OPACITY_RANGE)
    attributes[:, 0] = np.clip(gaussians.opacity_logits, low, high)
    attributes[:, layout.log_scale], attributes[:, layout.rotation] = _sorted_axes(gaussians)
    attributes[:, layout.sh] = gaussians.sh.reshape(len(gaussians), -1)
    return attributes


def _sorted_axes(gaussians: Gaussians) -> tuple[Floats, Floats]:
    """Log scales [N, 3] in descending order, and rotation vectors [N, 3] with the axes permuted alike."""
    order = np.argsort(-gaussians.log_scales, axis=1, kind="stable")
    log_scales = np.take_along_axis(gaussians.log_scales, order, axis=1)
    matrices = np.take_along_axis(rotation_matrices(gaussians.rotations), order[:, None, :], axis=2)
    matrices[np.linalg.det(matrices) < 0, :, 2] *= -1
    return log_scales, rotation_vectors(Rotation.from_matrix(matrices).as_quat()[:, [3, 0, 1, 2]])


def rotation_vectors(quaternions: np.ndarray) -> Floats:
    """Vectors v [N, 3] with rotation (1, v) / |(1, v)|, up to half turns about the Gaussian's own axes.

    A Gaussian is the same after a half turn about any of its axes, so q, q i, q j and q k serve alike; their real parts
    are w, -x, -y, -z. The one with the largest real part has the shortest vector.
    """
    w, x, y, z = quaternions.T
    turns = np.stack([[w, x, y, z], [-x, w, z, -y], [-y, -z, w, x], [-z, y, -x, w]])  # [4 turns, 4, N]
    best = np.abs(turns[:, 0]).argmax(axis=0)
    chosen = turns[best, :, np.arange(len(w))]  # [N, 4]
    return (chosen[:, 1:] / chosen[:, :1]).astype(np.float32)

"""The real spherical harmonics of 3DGS, and lobes of light written in them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scenes.gaussians import SH_C0

Doubles = NDArray[np.float64]


def sh_basis(directions: Doubles, degree: int) -> Doubles:
    """The real spherical harmonics [N, (degree + 1)^2] at unit `directions` [N, 3], signed and ordered as in 3DGS."""
    x, y, z = directions.T
    xx, yy, zz = x * x, y * y, z * z
    bands = [
        [SH_C0 * np.ones_like(x)],
        [-0.4886025119029199 * y, 0.4886025119029199 * z, -0.4886025119029199 * x],
        [
            1.0925484305920792 * x * y,
            -1.0925484305920792 * y * z,
            0.31539156525252005 * (2 * zz - xx - yy),
            -1.0925484305920792 * x * z,
            0.5462742152960396 * (xx - yy),
        ],
        [
            -0.5900435899266435 * y * (3 * xx - yy),
            2.890611442640554 * x * y * z,
            -0.4570457994644658 * y * (4 * zz - xx - yy),
            0.3731763325901154 * z * (2 * zz - 3 * xx - 3 * yy),
            -0.4570457994644658 * x * (4 * zz - xx - yy),
            1.445305721320277 * z * (xx - yy),
            -0.5900435899266435 * x * (xx - 3 * yy),
        ],
    ]
    return np.stack([value for band in bands[: degree + 1] for value in band], axis=1)


def lobe_sh(axes: Doubles, sharpness: float, degree: int) -> Doubles:
    """SH [N, (degree + 1)^2] of exp(sharpness (cos - 1)), cos the cosine to the unit `axes` [N, 3].

    The lobe is a von Mises-Fisher one, symmetric about its axis, so each band is the basis at the axis times one
    number (Funk-Hecke); the numbers follow the recurrence of modified spherical Bessel functions.
    """
    k = sharpness
    ratios = [1.0, 1 / np.tanh(k) - 1 / k]
    for band in range(1, degree):
        ratios.append(ratios[-2] - (2 * band + 1) / k * ratios[-1])
    integral = 2 * np.pi * (1 - np.exp(-2 * k)) / k
    weights = np.repeat(integral * np.array(ratios[: degree + 1]), 2 * np.arange(degree + 1) + 1)
    return sh_basis(axes, degree) * weights

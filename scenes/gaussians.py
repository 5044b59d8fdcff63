"""A set of 3D Gaussians, as a trained scene stores them, and the conventions of the whole program.

World frame as in the .ply. Quaternions are w, x, y, z. Scales are natural logarithms, opacities logits, spherical
harmonics (SH) raw coefficients: colour = 0.5 + sum over k of sh[k] * basis_k(direction), direction from the camera to
the Gaussian. Images are float RGB in [0, 1], [H, W, 3].
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Real = TypeVar("Real", np.float32, np.float64)

SH_C0 = 0.28209479177387814  # Y_0^0 = 1 / (2 sqrt(pi))


def sh_count(degree: int) -> int:
    """The number of SH coefficients a channel has up to `degree`: 1, 4, 9 or 16."""
    return (degree + 1) ** 2


@dataclass(frozen=True)
class Gaussians:
    """N Gaussians in structure-of-arrays form, all float32."""

    positions: Floats  # [N, 3] world units
    log_scales: Floats  # [N, 3] ln of the standard deviations along the rotated axes
    rotations: Floats  # [N, 4] w, x, y, z, not necessarily of unit length
    opacity_logits: Floats  # [N] logit of the opacity
    sh: Floats  # [N, K, 3] coefficient-major, RGB last; K = 1, 4, 9 or 16
    antialiased: bool = False  # trained with the mip filter: opacity is compensated for the 0.3 px dilation

    def __post_init__(self) -> None:
        count = len(self.positions)
        shapes = {
            "positions": (count, 3),
            "log_scales": (count, 3),
            "rotations": (count, 4),
            "opacity_logits": (count,),
            "sh": (count, self.sh.shape[1] if self.sh.ndim == 3 else -1, 3),
        }
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype != np.float32:
                raise ValueError(f"{name}: expected float32 {shape}, found {array.dtype} {array.shape}")
        if self.sh.shape[1] not in (1, 4, 9, 16):
            raise ValueError(f"sh: expected 1, 4, 9 or 16 coefficients, found {self.sh.shape[1]}")

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def sh_degree(self) -> int:
        """0 to 3."""
        return round(self.sh.shape[1] ** 0.5) - 1

    def select(self, index: NDArray[np.integer] | NDArray[np.bool_] | slice) -> Gaussians:
        """The Gaussians at `index` (a mask, a slice or integers), in that order."""
        return replace(
            self,
            positions=self.positions[index],
            log_scales=self.log_scales[index],
            rotations=self.rotations[index],
            opacity_logits=self.opacity_logits[index],
            sh=self.sh[index],
        )

    def finite(self) -> NDArray[np.bool_]:
        """[N] True where every attribute is a finite number."""
        arrays = (self.positions, self.log_scales, self.rotations, self.opacity_logits, self.sh)
        return np.all([np.isfinite(a).all(axis=tuple(range(1, a.ndim))) for a in arrays], axis=0)


def rotation_matrices(rotations: NDArray[Real]) -> NDArray[Real]:
    """Rotation matrices [N, 3, 3] of quaternions [N, 4] w, x, y, z of any non-zero length."""
    w, x, y, z = (rotations / np.linalg.norm(rotations, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows, dtype=rotations.dtype), 2, 0)

"""The rules and numbers all our rasteriser kernels follow, declared once: 3DGS's own, and how a view is handed over."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fitting.raster_view import RasterView

ALPHA_MIN = 1 / 255  # 3DGS: a fainter contribution is skipped
ALPHA_MAX = 0.99  # 3DGS: keeps the transmittance away from zero
T_MIN = 1e-4  # 3DGS: a pixel stops before its transmittance falls below this
DILATION = 0.3  # pixels^2 on the covariance's diagonal: 3DGS's low-pass filter
FRUSTUM = 1.3  # 3DGS evaluates the projection's Jacobian at most this far outside the picture
LARGEST_LOG_SCALE = 20.0  # beyond any scene; squares of what is larger would overflow
SLOT = 9  # sums over a pair's pixels: colour 3, dp, dp dx, dp dy, dp dx2, dp dx dy, dp dy2, with dp = dL / dpower
CHECK_EVERY = 16  # Gaussians between two looks at whether a tile is finished

# exp(x) on [-8, 0] = (polynomial of x / 32) ^ 32: accurate to 1e-6 and nothing but multiplications, which vectorise
# without a vector math library
POWER_MIN = -8.0  # exp(-8) < 1/255
_nodes = np.cos(np.pi * (np.arange(64) + 0.5) / 64) * 0.125 - 0.125
EXP = [float(c) for c in np.polynomial.Polynomial.fit(_nodes, np.exp(_nodes), 5).convert().coef]

# The view as an array [26]: rotation 9 (row-major), translation 3, camera position 3, then
FX, FY, CX, CY = 15, 16, 17, 18  # pixels
LOW_X, HIGH_X, LOW_Y, HIGH_Y = 19, 20, 21, 22  # bounds of x / z and y / z where the Jacobian is evaluated
NEAR = 23
WIDTH, HEIGHT = 24, 25  # of the picture, pixels


def view_array(view: RasterView) -> NDArray[np.float32]:
    """[26] the view in the layout above."""
    bounds = []
    for focal, centre, size in ((view.fx, view.cx, view.width), (view.fy, view.cy, view.height)):
        margin = (FRUSTUM - 1) * 0.5 * size / focal
        bounds += [-centre / focal - margin, (size - centre) / focal + margin]
    matrix = view.camera_from_world
    parts = (matrix[:3, :3].ravel(), matrix[:3, 3], view.camera_position)
    numbers = [view.fx, view.fy, view.cx, view.cy, *bounds, view.near, view.width, view.height]
    return np.concatenate([*parts, numbers]).astype(np.float32)

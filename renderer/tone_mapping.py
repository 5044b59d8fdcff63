"""From light to the numbers of a display: exposure, then one of three curves; see `docs/scene-format.md`.

ACES is Stephen Hill's fit (github.com/TheRealMJP/BakingLab, MIT) of the reference rendering and sRGB output transforms;
AgX Troy Sobotka's (github.com/sobotka/AgX), with the polynomial of Benjamin Wrensch's "Minimal AgX Implementation",
2023, in place of its table.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scenes.gaussians import Floats
from scenes.scene_file import ToneMapping
from scenes.triangle_mesh import srgb_of_linear

# Rows; light is a column
ACES_INPUT = np.array([[0.59719, 0.35458, 0.04823], [0.07600, 0.90834, 0.01566], [0.02840, 0.13383, 0.83777]])
ACES_OUTPUT = np.array([[1.60475, -0.53108, -0.07367], [-0.10208, 1.10813, -0.00605], [-0.00327, -0.07276, 1.07602]])
AGX_INPUT = np.array(
    [
        [0.842479062253094, 0.0784335999999992, 0.0792237451477643],
        [0.0423282422610123, 0.878468636469772, 0.0791661274605434],
        [0.0423756549057051, 0.0784336, 0.879142973793104],
    ]
)
AGX_OUTPUT = np.linalg.inv(AGX_INPUT)
AGX_STOPS = -12.47393, 4.026069  # log2 of what becomes 0 and 1
AGX_CURVE = (-0.00232, 0.1191, 0.4298, -6.868, 31.96, -40.14, 15.5)  # of a polynomial, the constant first


def tone_mapped(light: NDArray[np.floating], mapping: ToneMapping = "linear", exposure: float = 0.0) -> Floats:
    """[..., 3] as displayed, 0 to 1, of linear light [..., 3]; `exposure` in stops."""
    scaled = np.maximum(np.asarray(light, np.float64), 0) * 2.0**exposure
    if mapping == "agx":
        return np.clip(_agx(scaled), 0, 1).astype(np.float32)
    linear = _aces(scaled) if mapping == "aces" else scaled
    return srgb_of_linear(np.clip(linear, 0, 1)).astype(np.float32)


def _aces(light: NDArray[np.float64]) -> NDArray[np.float64]:
    v = light @ ACES_INPUT.T
    fitted = (v * (v + 0.0245786) - 0.000090537) / (v * (0.983729 * v + 0.4329510) + 0.238081)
    return fitted @ ACES_OUTPUT.T


def _agx(light: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = AGX_STOPS
    stops = np.log2(np.maximum(light @ AGX_INPUT.T, 2.0**low))
    x = np.clip((stops - low) / (high - low), 0, 1)
    curve = np.polynomial.polynomial.polyval(x, AGX_CURVE)
    return np.maximum(curve @ AGX_OUTPUT.T, 0)

"""The edges of the crop box, drawn over the scene."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from imgui_bundle import ImVec2, imgui

from ui.gui import colour_u32
from ui.theme import ACCENT
from ui.tool import Tool

if TYPE_CHECKING:
    from ui.app import App

EDGES = tuple((i, i | bit) for i in range(8) for bit in (1, 2, 4) if not i & bit)  # corners differ in one axis
PIECES = 16  # an edge is drawn in, so that what is behind the camera can be left out


class CropTool(Tool):
    """Shows the box while there is one."""

    def draw(self, app: App, pen: imgui.ImDrawList) -> None:
        """Its twelve edges."""
        crop = app.look.crop
        if crop is None or not app.shows("gaussians"):
            return
        ends = np.array([crop.lowest, crop.highest])
        corners = np.array([[ends[i >> axis & 1, axis] for axis in range(3)] for i in range(8)])
        along = np.linspace(0, 1, PIECES + 1)[:, None]
        colour = colour_u32(ACCENT, 0.8)
        for a, b in EDGES:
            places, _ = app.on_screen((1 - along) * corners[a] + along * corners[b])
            for start, stop in pairwise(places):
                if np.isfinite([start, stop]).all() and abs(start[0] - stop[0]) < 0.5 * app.view_rect.width:
                    pen.add_line(ImVec2(*start), ImVec2(*stop), colour, 1.5 * app.gui.scale)

"""All tools, in the order they are drawn; the last of them is offered a press first."""

from __future__ import annotations

from ui.compare import CompareTool
from ui.crop_tool import CropTool
from ui.tool import Tool

TOOLS: tuple[type[Tool], ...] = (CropTool, CompareTool)

"""All tools, in the order they are drawn; the last of them is offered a press first."""

from __future__ import annotations

from ui.compare import CompareTool
from ui.crop_tool import CropTool
from ui.export_tool import ExportTool
from ui.measure import MeasureTool
from ui.pad_tool import PadTool
from ui.path_tool import PathTool
from ui.save_tool import SaveTool
from ui.scene_memory import SceneMemory
from ui.stage_tool import StageTool
from ui.together import TogetherTool
from ui.tool import Tool
from ui.unsaved import UnsavedTool

TOOLS: tuple[type[Tool], ...] = (
    SceneMemory,
    TogetherTool,
    PadTool,
    PathTool,
    CropTool,
    ExportTool,
    SaveTool,
    StageTool,
    MeasureTool,
    CompareTool,
    UnsavedTool,
)

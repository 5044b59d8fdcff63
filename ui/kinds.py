"""What a file in the window may hold."""

from __future__ import annotations

from typing import Literal, TypeAlias

from scenes.open_scene import Kind

SceneKind: TypeAlias = Kind | Literal["stage"]  # the last: a scene file, to be lit
KIND_WORDS: dict[SceneKind, str] = {
    "gaussians": "for Gaussians",
    "surface": "for surfaces",
    "stage": "for scene files",
}

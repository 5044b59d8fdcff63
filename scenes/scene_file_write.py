"""Writing scene files: what `scenes/scene_file_read.py` reads back as an equal description."""

from __future__ import annotations

import json
import os
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from scenes.atomic import replacing
from scenes.scene_file import (
    Box,
    Captured,
    ConstantSky,
    Diffuse,
    EnvironmentImage,
    GaussianScene,
    Glass,
    MeshObject,
    Metal,
    Plane,
    RectangleLight,
    SceneCamera,
    SceneDescription,
    Sky,
    Sphere,
    SphereLight,
    Surface,
)

KINDS: dict[type, str] = {
    Surface: "surface",
    GaussianScene: "gaussians",
    Plane: "plane",
    Sphere: "sphere",
    Box: "box",
    MeshObject: "mesh",
    Captured: "captured",
    Diffuse: "diffuse",
    Metal: "metal",
    Glass: "glass",
    RectangleLight: "rectangle",
    SphereLight: "sphere",
    Sky: "sky",
    EnvironmentImage: "image",
    ConstantSky: "constant",
}


def write_scene_file(path: str | os.PathLike[str], scene: SceneDescription) -> None:
    """Writes `scene`; files in it are named relative to the folder of `path`."""
    text = json.dumps(_entry(scene, Path(path).parent), indent=2, allow_nan=False)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def _entry(thing: Any, folder: Path) -> dict[str, Any]:
    """A dataclass as an object: its kind, and the fields that are not as they would be anyway."""
    entry: dict[str, Any] = {"kind": KINDS[type(thing)]} if type(thing) in KINDS else {}
    for field in fields(thing):
        value = getattr(thing, field.name)
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        if value != default:
            entry[field.name] = _value(field.name, value, folder)
    return entry


def _value(name: str, value: Any, folder: Path) -> Any:
    if name == "transform":
        return {"matrix": value}
    if name == "albedo" and value is None:
        return "captured"
    if isinstance(value, Path):
        return Path(os.path.relpath(value, folder)).as_posix()
    if name in ("objects", "lights"):
        return [_entry(thing, folder) for thing in value]
    return _entry(value, folder) if type(value) in (*KINDS, SceneCamera) else value

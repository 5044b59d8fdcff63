"""What the panel of the scene editor has of the thing that is chosen: its name, place, size and material."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from imgui_bundle import imgui

from scenes.scene_file import (
    Box,
    Captured,
    Diffuse,
    GaussianScene,
    Glass,
    Material,
    Metal,
    Plane,
    RectangleLight,
    Sphere,
    SphereLight,
    Surface,
)
from ui.panels.stage_light import CLAMP, colour, radiance, slider
from ui.panels.widgets import choice, name, quiet, tip
from ui.stage_edit import Placement, Thing, placement_of, put, world_of

if TYPE_CHECKING:
    from ui.app import App
    from ui.stage_tool import StageTool

DRAG = 0.002  # of the scene's radius, a pixel
TURN_DRAG = 0.5  # degrees a pixel
SCALE_DRAG = 0.005
LEAST = 1e-6  # of a size
OWN = "own colours"  # diffuse, with the colours of the surface
NO_NUMBERS = "slanted: it cannot be turned and scaled by numbers"


def draw_thing(app: App, tool: StageTool) -> None:
    """One frame of it."""
    thing = tool.thing()
    if thing is None:
        return
    changed, text = _text("Name", thing.name)
    if changed:
        tool.set_thing(app, replace(thing, name=text), "name")
    elif not (_place(app, tool, thing) or _size(app, tool, thing)):
        if isinstance(thing, RectangleLight | SphereLight):
            new = radiance(thing.radiance)
            if new is not None:
                tool.set_thing(app, replace(thing, radiance=new), "radiance")
        elif not isinstance(thing, GaussianScene):
            _material(app, tool, thing, thing.material)


def _text(label: str, text: str) -> tuple[bool, str]:
    name(label)
    return imgui.input_text(f"##{label}", text)


def _drag(label: str, values: tuple[float, ...], speed: float, least: float = 0.0) -> tuple[float, ...] | None:
    """Numbers to drag or, with a double click, to type, above `least` if that is not 0; others when changed."""
    name(label)
    drags: dict[int, Any] = {1: imgui.drag_float, 2: imgui.drag_float2, 3: imgui.drag_float3}
    most = 1e9 if least else 0.0
    given = values[0] if len(values) == 1 else list(values)
    changed, new = drags[len(values)](f"##{label}", given, speed, least, most, "%.4g", CLAMP if least else 0)
    new = (new,) if len(values) == 1 else tuple(new)
    return new if changed and np.isfinite(new).all() else None


def _place(app: App, tool: StageTool, thing: Thing) -> bool:
    """Position, angles and scales; whether one was changed."""
    world = world_of(thing)
    step = DRAG * app.navigator.extent.radius
    position = _drag("Position", tuple(world[:3, 3].tolist()), step)
    if position is not None:
        moved = world.copy()
        moved[:3, 3] = position
        tool.set_thing(app, put(thing, moved), "position")
    if position is not None or isinstance(thing, SphereLight):
        return position is not None
    numbers = placement_of(world)
    if numbers is None:
        quiet(NO_NUMBERS)
        return False
    return _turned(app, tool, thing, numbers)


def _turned(app: App, tool: StageTool, thing: Thing, numbers: Placement) -> bool:
    angles = _drag("Turned", numbers.degrees, TURN_DRAG)
    tip("degrees about x, then y, then z")
    if angles is not None:
        turned = replace(numbers, degrees=(angles[0], angles[1], angles[2]))
        tool.set_thing(app, put(thing, turned.matrix()), "angles")
        return True
    even = isinstance(thing, GaussianScene)
    scales = _drag("Scale", numbers.scale[1:2] if even else numbers.scale, SCALE_DRAG)
    if scales is not None and all(scales):
        x, y, z = 3 * scales if even else scales
        tool.set_thing(app, put(thing, replace(numbers, scale=(x, y, z)).matrix()), "scale")
    return scales is not None


def _size(app: App, tool: StageTool, thing: Thing) -> bool:
    """What a shape has beside its transform; whether it was changed."""
    step = DRAG * app.navigator.extent.radius
    if isinstance(thing, Sphere | SphereLight):
        new = _drag("Radius", (thing.radius,), step, LEAST)
        changes = None if new is None else {"radius": new[0]}
    elif isinstance(thing, Box | RectangleLight):
        new = _drag("Size", thing.size, step, LEAST)
        changes = None if new is None else {"size": new}
    elif isinstance(thing, Plane):
        new = _drag("Offset", (thing.offset,), step)
        changes = None if new is None else {"offset": new[0]}
    else:
        return False
    if changes is not None:
        tool.set_thing(app, replace(thing, **changes), "size")
    return changes is not None


def _material(app: App, tool: StageTool, thing: Any, material: Material) -> None:
    kinds = {"diffuse": Diffuse(), "metal": Metal(), "glass": Glass()}
    stage = tool.stage(app)
    assert stage is not None  # it is what is edited
    if isinstance(thing, Surface) and stage.stage.surfaces[thing.file].appearance is not None:
        kinds = {"captured": Captured(), OWN: Diffuse(None)} | kinds
    here = next(key for key, one in kinds.items() if _same_kind(one, material))
    kind = choice("Material", tuple(kinds), here)
    tip(f"captured: its own colours as light; {OWN}: its own colours, lit" if OWN in kinds else "of the whole thing")
    new = kinds[kind] if kind != here else _parameters(material)
    if new != material:
        tool.set_thing(app, replace(thing, material=new), "material" if kind == here else None)


def _same_kind(a: Material, b: Material) -> bool:
    own = [isinstance(one, Diffuse) and one.albedo is None for one in (a, b)]
    return type(a) is type(b) and own[0] == own[1]


def _parameters(material: Material) -> Material:
    """The same with what was changed now."""
    if isinstance(material, Diffuse) and material.albedo is not None:
        return replace(material, albedo=colour("Albedo", material.albedo))
    if isinstance(material, Metal):
        new = replace(material, colour=colour("Colour", material.colour))
        return replace(new, roughness=slider("Roughness", new.roughness, (0.0, 1.0)))
    if isinstance(material, Glass):
        ior = slider("Refraction", material.ior, (1.0, 4.0))
        return replace(material, ior=ior, tint=colour("Tint", material.tint))
    return material

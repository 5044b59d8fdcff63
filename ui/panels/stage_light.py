"""What the panel of the scene editor has of light: that of lamps, and that from afar."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from imgui_bundle import imgui

from scenes.scene_file import Colour, ConstantSky, Environment, EnvironmentImage, Sky
from scenes.stage import StageFile
from scenes.triangle_mesh import linear_of_srgb, srgb_of_linear
from ui.panels.widgets import choice, name, tip
from ui.stage_edit import angles_of, direction_of

if TYPE_CHECKING:
    from ui.app import App
    from ui.stage_tool import StageTool

CLAMP = imgui.SliderFlags_.always_clamp
LOGARITHMIC = imgui.SliderFlags_.logarithmic | CLAMP
STRENGTHS = (1e-3, 1e4)  # of lamps
FACTORS = (0.0, 10.0)  # of the sky and the sun
SUN_DEGREES = (0.05, 30.0)
HEIGHTS = (-5.0, 90.0)  # degrees above the horizon
ALIKE = 1e-6  # of a colour that has not been changed


def colour(label: str, linear: Colour) -> Colour:
    """A row with a colour to choose: linear, shown as a display has it. The same object unless it was changed."""
    name(label)
    shown = srgb_of_linear(np.clip(np.array(linear), 0, 1)).tolist()
    changed, new = imgui.color_edit3(f"##{label}", shown, imgui.ColorEditFlags_.no_label)
    if not changed or np.abs(np.array(new[:3]) - shown).max() < ALIKE:
        return linear
    red, green, blue = np.clip(linear_of_srgb(np.array(new[:3])), 0, 1).tolist()
    return red, green, blue


def radiance(light: Colour) -> Colour | None:
    """Rows for what a lamp sends out, as a strength and a colour; None unless one was changed."""
    strength = max(light)
    tone = (light[0] / strength, light[1] / strength, light[2] / strength)
    new_tone = colour("Colour", tone)
    name("Radiance")
    changed, new = imgui.drag_float("##radiance", strength, 0.01 * strength, *STRENGTHS, "%.4g", CLAMP)
    tip("of the strongest of the three colours; drag, or double-click to type")
    if not (changed or new_tone is not tone) or not any(new_tone):
        return None
    peak = max(new_tone)
    red, green, blue = (new / peak * part for part in new_tone)
    return red, green, blue


def draw_environment(app: App, tool: StageTool) -> None:
    """One frame of the rows of light from afar."""
    stage = tool.stage(app)
    assert stage is not None  # it is what is edited
    scene, here = tool.history.now, tool.history.now.environment
    kinds: dict[str, Environment] = {"sky": Sky(), "constant": ConstantSky()}
    if app.loaded and isinstance(app.loaded.file, StageFile):
        opened = app.loaded.file.stage.scene.environment
        kinds |= {"image": opened} if isinstance(opened, EnvironmentImage) else {}
    kind = next(key for key, one in kinds.items() if type(one) is type(here))
    chosen = choice("Light from", tuple(kinds), kind)
    if chosen != kind:
        tool.change(app, replace(scene, environment=kinds[chosen]))
        return
    if isinstance(here, Sky):
        new = _sky(here, stage.tracer.scene.surroundings.frame)
    elif isinstance(here, ConstantSky):
        new = _constant(here)
    else:
        new = _image(here)
    if new != here:
        tool.change(app, replace(scene, environment=new), "environment")


def slider(label: str, value: float, limits: tuple[float, float], format_: str = "%.3g", flags: int = CLAMP) -> float:
    """A row with a number to drag: the same unless it was changed."""
    name(label)
    changed, new = imgui.slider_float(f"##{label}", value, *limits, format_, flags)
    return new if changed else value


def _sky(sky: Sky, frame: np.ndarray) -> Sky:
    turn, height = angles_of(frame, sky.sun_direction)
    new_turn = slider("Sun to the right", turn, (-180.0, 180.0), "%.1f°")
    new_height = slider("Sun's height", height, HEIGHTS, "%.1f°")
    if (new_turn, new_height) != (turn, height):
        sky = replace(sky, sun_direction=direction_of(frame, new_turn, new_height))
    sky = replace(sky, sun=slider("Sun", sky.sun, FACTORS), sky=slider("Sky", sky.sky, FACTORS))
    sky = replace(sky, sun_degrees=slider("Sun's width", sky.sun_degrees, SUN_DEGREES, "%.2f°", LOGARITHMIC))
    tip("wider for softer shadows; the sun's own is 0.53")
    return replace(sky, ground=colour("Ground", sky.ground))


def _constant(sky: ConstantSky) -> ConstantSky:
    strength = max(*sky.radiance, 0.0)
    tone = (1.0, 1.0, 1.0) if strength == 0 else tuple(part / strength for part in sky.radiance)
    tone = (tone[0], tone[1], tone[2])
    new_tone, new = colour("Colour", tone), slider("Radiance", strength, FACTORS)
    if new_tone is tone and new == strength:
        return sky
    red, green, blue = (new * part for part in new_tone)
    return replace(sky, radiance=(red, green, blue))


def _image(image: EnvironmentImage) -> EnvironmentImage:
    strength = slider("Strength", image.strength, (1e-3, 100.0), "%.3g", LOGARITHMIC)
    return replace(
        image, strength=strength, turn_degrees=slider("Turned", image.turn_degrees, (-180.0, 180.0), "%.1f°")
    )

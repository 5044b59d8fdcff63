"""The panel that edits a scene file: its things, the one that is chosen, its light, and how it is developed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from imgui_bundle import ImVec2, imgui

from renderer.stage_settings import MOST_PATHS
from scenes.scene_file import MOST_BOUNCES, TONE_MAPPINGS, SceneDescription
from ui.actions import key_of
from ui.panels.panel import Panel
from ui.panels.stage_light import draw_environment
from ui.panels.stage_thing import draw_thing
from ui.panels.widgets import choice, half_width, name, quiet, section, tip
from ui.stage_actions import AXES_WORDS, INSTANT, INSTANT_WORDS, WORDS, instantly
from ui.stage_edit import NEW, things_of, title_of
from ui.stage_gizmo import OPERATIONS
from ui.stage_tool import PANEL_TITLE, StageTool

if TYPE_CHECKING:
    from ui.app import App

CLAMP = imgui.SliderFlags_.always_clamp
LOGARITHMIC = imgui.SliderFlags_.logarithmic | CLAMP
EXPOSURES = (-8.0, 8.0)  # of the slider; a file may have more
CLAMPS = (0.1, 1000.0)
FIRST_CLAMP = 10.0
ROWS = 6.5  # of the list that are seen
NO_SCENE = "Open a scene file (.json) to light and change it."


def draw(app: App) -> None:
    """One frame of it."""
    tool = app.tool(StageTool)
    if tool.stage(app) is None:
        quiet(NO_SCENE)
        return
    _progress(app)
    _files(app, tool)
    if section("Things"):
        _list(tool)
        _changes(app, tool)
    if tool.thing() is not None and section(f"{title_of(tool.history.now, tool.chosen or 0)}###thing"):
        _handles(tool)
        draw_thing(app, tool)
    if section("Surroundings"):
        draw_environment(app, tool)
    if section("Picture"):
        _picture(app, tool)


def _progress(app: App) -> None:
    """How many paths there are, and how many shall be."""
    wanted = app.stage_look.samples
    done = app.picture.samples if app.picture.resting else 0
    imgui.progress_bar(min(done / wanted, 1.0), ImVec2(-1, 0), f"{done:,} of {wanted:,} paths a pixel")
    name("Paths a pixel")
    changed, samples = imgui.slider_int("##samples", wanted, 1, MOST_PATHS, "%d", LOGARITHMIC)
    tip("traced while nothing changes; Ctrl and a click to type")
    if changed:
        app.stage_look = replace(app.stage_look, samples=samples)
    look = app.stage_look
    here = "always" if look.instant else "moving" if look.hurried else "never"
    instant = choice("Instant light", INSTANT, here)
    tip(f"{key_of(INSTANT_WORDS)} takes the next. Direct light alone, without noise; moving: only while it moves")
    if instant != here:
        app.stage_look = instantly(look, instant)
    name("Less noise")
    changed, denoise = imgui.checkbox("##denoise", look.denoise)
    tip("of few samples, by blurring light that lies in one plane; the more samples, the less of it")
    if changed:
        app.stage_look = replace(app.stage_look, denoise=denoise)


def _files(app: App, tool: StageTool) -> None:
    half = half_width()
    if imgui.button(f"Save{' *' if tool.history.dirty else ''}###save", half):
        tool.save(app)
    tip(f"{tool.path} ({key_of('edit: save the scene file')}); * is what is not saved yet")
    imgui.same_line()
    if imgui.button("Save as", half):
        tool.ask_save(app)
    tip(key_of("edit: save the scene file as"))
    if imgui.button("Undo", half):
        tool.undo(app, -1)
    imgui.same_line()
    if imgui.button("Redo", half):
        tool.undo(app, 1)


def _list(tool: StageTool) -> None:
    scene = tool.history.now
    if imgui.begin_list_box("##things", ImVec2(-1, ROWS * imgui.get_text_line_height_with_spacing())):
        for number in range(len(things_of(scene))):
            chosen = number == tool.chosen
            if imgui.selectable(f"{title_of(scene, number)}##{number}", chosen)[0]:
                tool.chosen = None if chosen else number
        imgui.end_list_box()
    tip("or click in the picture")


def _changes(app: App, tool: StageTool) -> None:
    if imgui.button("Add ...", half_width()):
        imgui.open_popup("add")
    if imgui.begin_popup("add"):
        for kind in NEW:
            if imgui.menu_item(kind.capitalize(), "", False)[0]:
                tool.add(app, kind)
        imgui.separator()
        if imgui.menu_item("From a file ...", "", False)[0]:
            tool.ask_add(app)
        tip("a surface, Gaussians or a mesh; or drop it on the window")
        imgui.end_popup()
    imgui.same_line()
    imgui.begin_disabled(tool.thing() is None)
    if imgui.button("Copy", ImVec2(0.5 * imgui.get_content_region_avail().x, 0)):
        tool.copy(app)
    imgui.same_line()
    if imgui.button("Delete", ImVec2(-1, 0)):
        tool.delete(app)
    imgui.end_disabled()


def _handles(tool: StageTool) -> None:
    tool.operation = choice("Handles", tuple(OPERATIONS), tool.operation)
    tip(", ".join(f"{key_of(f'edit: {words}')} {operation}" for operation, words in WORDS.items()))
    name("Own axes")
    changed, own = imgui.checkbox("##own axes", tool.own_axes)
    tip(f"else the world's ({key_of(AXES_WORDS)})")
    if changed:
        tool.own_axes = own


def _picture(app: App, tool: StageTool) -> None:
    scene = tool.history.now
    name("Exposure")
    changed, exposure = imgui.slider_float("##exposure", scene.exposure, *EXPOSURES, "%.2f stops")
    if changed:
        tool.change(app, replace(scene, exposure=min(max(exposure, -100.0), 100.0)), "exposure")
    mapping = choice("Tone mapping", TONE_MAPPINGS, scene.tone_mapping)
    if mapping != scene.tone_mapping:
        tool.change(app, replace(scene, tone_mapping=mapping))
    name("Bounces")
    changed, bounces = imgui.slider_int("##bounces", scene.bounces, 1, MOST_BOUNCES, "%d", LOGARITHMIC)
    tip("how often a path is scattered at most; 1 is direct light only")
    if changed:
        tool.change(app, replace(scene, bounces=bounces), "bounces")
    _clamp(app, tool, scene)
    if imgui.button("The file's camera is this view", ImVec2(-1, 0)):
        tool.keep_camera(app)


def _clamp(app: App, tool: StageTool, scene: SceneDescription) -> None:
    name("Clamp")
    changed, on = imgui.checkbox("##clamped", scene.clamp is not None)
    tip("limits what a path adds after two scatterings: fewer bright dots, less light")
    if changed:
        tool.change(app, replace(scene, clamp=FIRST_CLAMP if on else None))
    if scene.clamp is None:
        return
    imgui.same_line()
    imgui.set_next_item_width(-1)
    changed, most = imgui.slider_float("##clamp", scene.clamp, *CLAMPS, "%.3g", LOGARITHMIC)
    if changed:
        tool.change(app, replace(scene, clamp=most), "clamp")


PANEL = Panel(PANEL_TITLE, draw, "left below")

"""The window of `kilofield view`: glfw and imgui-bundle over `renderer/`; never torch, never OpenGL calls of its own.

    events --> inputs --> tools, actions --.
                  |                        v
                  '----> navigation ---> app <-- scene_slot: loading (a thread: files to SceneFile and extent), renderer
                         heading          |
                         orbit, fly       +--> scene_picture --> painter --> renderer: redrawn only when it changed
                                          +--> menus, docking, panels, tools, overlays, theme: imgui, every frame

`app_state` has the parts of the window, `app_scenes` says what is open, `app_view` how it is seen, `app` takes what the
user does and makes the frames; each builds on the one before, and `App` is all of them.

`heading`, `orbit`, `fly`, `navigation`, `framing`, `picking`, `resolution`, `screen`, `facts`, `path_editor`,
`path_preview`, `camera_reel`, `camera_text` and `scene_notes` are plain numpy and know of no window.

How to add to it:

- A panel: a module in `ui/panels/` with `PANEL = Panel(title, draw, place, shown)`, where `draw(app)` is called between
  imgui's begin and end while the panel can be seen, and one line in `ui/panels/__init__.py`. The rows of the other
  panels are made with `ui/panels/widgets.py`. `app.show_panel(title)` opens one and brings it to the front.
- Something in the scene (a spline, frusta, a measuring line, a split bar): a subclass of `ui.tool.Tool` and one line in
  `ui/tools.py`. Each frame it may `step` (move the camera, play, poll a thread) and `draw` over the picture, in screen
  coordinates, clipped to the scene's rectangle; a press over the scene is offered to the tools, the last of the table
  first, and the one that takes it gets the drag and the release; the rest goes to the navigation. Tools hold the state
  of what they do; panels and actions reach it by `app.tool(ItsClass)`.
- A key: `Action`s in a group of `ui.actions.ACTIONS` (a new module with a tuple of them, and one line there). The
  group becomes a menu and a block of the help by itself.
- A picture made of more than one scene: `app.add_scene()` gives a second `SceneSlot`, with a renderer and a loader of
  its own on the same OpenGL context (`app.scenes[0]` is the scene everything else speaks of);
  `app.set_painter(painter)` replaces how the picture is painted; `app.picture.invalidate()` says that it has to be
  painted again though neither camera, size nor settings changed. `app.settings()` is what the picture is drawn with:
  `app.look`, completed.
- A question: `app.dialogs.open_file(title, patterns, chosen)`, `save_file`, `choose_folder`; `app.messages.error(text,
  title)` for a dialog, `app.note(text)` for a line that fades.

Where things are: `app.view_rect` is the scene's rectangle in screen coordinates (imgui's, glfw's and the cursor's),
`app.view_size` the same in pixels, `app.camera()` the camera of the picture, `app.on_screen(points)` where points of
the world appear, `app.pick(x, y)` what is under the cursor. `app.navigator` has the camera: `fly_to(camera)` glides to
another, `look_through(camera)` shows exactly what it sees until the user moves. `app.tool(PathTool)` has the camera
path: `cameras(app, frames)` is what to export, `editor` its keys and playhead, `reel` imported cameras.
`app.tool(SceneMemory)` has what is remembered of the scene (`ui/scene_notes.py`): `notes`, and
`change(app, metres_per_unit=...)` to remember more.
"""

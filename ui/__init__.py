"""The window of `kilofield view`: glfw and imgui-bundle over `renderer/`; never torch, never OpenGL calls of its own.

    events --> inputs --> actions --------.
                  |                       v
                  '----> navigation --> app <-- loading (a thread: files to SceneFile and extent)
                         heading          |
                         orbit, fly       +--> renderer: the scene's picture, redrawn only when something changed
                                          +--> panel, overlays, theme: imgui, every frame

`heading`, `orbit`, `fly`, `navigation`, `framing`, `picking`, `resolution` and `facts` are plain numpy and know of no
window.
"""

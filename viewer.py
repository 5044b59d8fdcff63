"""The window of `kilofield view`: scenes to orbit and fly through. Its parts are in `ui/`; it never imports torch.

`python viewer.py FILE...` is the same as `kilofield view FILE...`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ui.stored import WINDOW as SIZE  # noqa: F401 - what a first window has

if TYPE_CHECKING:
    from scenes.content import ReadOptions
    from ui.app import App


def run(
    files: Sequence[Path],
    max_frames: int | None = None,
    on_frame: Callable[[App, int], None] | None = None,
    size: tuple[int, int] | None = None,
    compare: Path | None = None,
    together: Path | None = None,
    options: ReadOptions | None = None,
) -> None:
    """Opens a window on `files` and returns when it is closed, or after `max_frames` frames.

    `size` is in screen coordinates at 96 dots an inch; without, the window is as large as the last one was.

    `compare` is shown beside the scene, as the B of `ui/compare.py`; `together` in one picture with it. A file that
    cannot be read is told in the window. `options` are for reading all of them, also those opened later.

    `on_frame(app, frame)` is called when a frame is drawn and not yet shown. Raises `KilofieldError` where there is no
    display or no OpenGL 4.1, and for a folder without a scene.
    """
    from scenes.detect import file_of
    from ui.loading import SceneLoader

    files, loader = [file_of(path) for path in files], SceneLoader(options)
    if files:
        loader.start(files[0])  # is read while the window is still being made
    import imgui_bundle  # noqa: F401  # before glfw, which then takes the library that is in it, without a search

    from ui.app import App
    from ui.compare import CompareTool
    from ui.together import TogetherTool

    app = App(files, size, loader)
    try:
        if compare is not None:
            app.tool(CompareTool).compare_with(app, compare)
        if together is not None:
            app.tool(TogetherTool).add(app, together)
        frame = 0
        while not app.closing and (max_frames is None or frame < max_frames):
            app.frame()
            if on_frame is not None:
                on_frame(app, frame)
            app.show()
            frame += 1
    finally:
        app.close()


def view(files: Sequence[Path], together: bool = False, options: ReadOptions | None = None) -> None:
    """What `kilofield view FILE...` does: two files are compared, of more the first is open and the others listed.

    With `together` the two are in one picture.
    """
    if together:
        run(files[:1], together=files[1], options=options)
    elif len(files) == 2:
        run(files[:1], compare=files[1], options=options)
    else:
        run(files, options=options)


def main() -> None:
    """`python viewer.py FILE...`."""
    from cli import app

    app(["view", *sys.argv[1:]])


if __name__ == "__main__":
    main()

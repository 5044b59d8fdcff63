"""What the panels and the keys can set about how a scene is shown, and where it is kept between runs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from scenes.atomic import replacing
from scenes.errors import KilofieldError

SPLAT_SCALES = (0.05, 3.0)
BACKGROUNDS = ((0.0, 0.0, 0.0), (0.5, 0.5, 0.5), (1.0, 1.0, 1.0))
ANTIALIASED = (("As trained", None), ("On", True), ("Off", False))
FOLDER_VARIABLE = "KILOFIELD_CONFIG"  # puts the folder elsewhere
LAYOUT = "layout.ini"


@dataclass(frozen=True)
class Lens:
    """What the camera has besides its place and its field of view."""

    projection: str = "pinhole"  # of scenes.cameras.PROJECTIONS
    near: float | None = None  # world units; None: the scene's own


@dataclass
class Switches:
    """What else is on."""

    vsync: bool = True
    every_frame: bool = False  # draw the scene even where nothing changed, to measure
    panels: bool = True
    help: bool = False


def config_folder() -> Path:
    """Where this program keeps its settings; it need not exist."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    if chosen:
        return Path(chosen)
    import platformdirs

    return Path(platformdirs.user_config_dir("kilofield", appauthor=False))


def read_layout() -> str | None:
    """Where the panels were, in imgui's own format; None if there is nothing to read."""
    try:
        return (config_folder() / LAYOUT).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def write_layout(text: str) -> None:
    """Keeps where the panels are. Raises `KilofieldError` where it cannot."""
    folder = config_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KilofieldError(f"{folder}: cannot make this folder: {error.strerror}") from error
    with replacing(folder / LAYOUT) as temporary:
        temporary.write_text(text, "utf-8")

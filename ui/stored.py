"""What is kept from one run to the next: a JSON file and imgui's layout, in the platform's configuration folder.

A field that cannot be read is as in a first run, and is named, so that the window can say so; fields this version does
not know are left out when it is written again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from renderer.settings import RenderSettings
from scenes.atomic import replacing
from scenes.errors import KilofieldError
from scenes.json_entry import parsed_json
from ui.settings import SPLAT_SCALES, TEXT_SIZES

FOLDER_VARIABLE = "KILOFIELD_CONFIG"  # puts the folder elsewhere
SETTINGS, LAYOUT = "settings.json", "layout.ini"
WINDOW = (1280, 720)  # at 96 dots an inch
WINDOW_LIMITS = (200, 16384)
MOST_RECENT = 12  # files
LOOK = (
    "view",
    "sh_degree",
    "antialiased",
    "scale",
    "background",
    "min_opacity",
    "overdraw_range",
)  # not the scene's own


@dataclass
class Stored:
    """The fields of the file."""

    window: tuple[int, int] = WINDOW  # screen coordinates
    text_size: float = 1.0
    vsync: bool = True
    panels: list[str] | None = None  # titles of those that are open; None: as in a first run
    recent: list[Path] = field(default_factory=list)  # newest first
    look: RenderSettings = field(default_factory=RenderSettings)

    def opened(self, path: Path) -> None:
        """Puts a file at the top of the recent ones."""
        path = path.absolute()
        self.recent = [path, *(other for other in self.recent if other != path)][:MOST_RECENT]


def config_folder() -> Path:
    """Where this program keeps its settings; it need not exist."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    if chosen:
        return Path(chosen)
    import platformdirs

    return Path(platformdirs.user_config_dir("kilofield", appauthor=False))


def read_stored() -> tuple[Stored, str | None]:
    """What was kept, and a line about what of it could not be used, if anything."""
    path = config_folder() / SETTINGS
    try:
        content = parsed_json(path.read_text("utf-8"))
    except FileNotFoundError:
        return Stored(), None
    except (OSError, ValueError) as error:  # of JSON and of UTF-8 are ValueErrors
        return Stored(), f"{path}: settings are as at first: {_brief(error)}"
    if not isinstance(content, dict):
        return Stored(), f"{path}: settings are as at first: expected an object, found {type(content).__name__}"
    good, bad = {}, []
    for name, check in _CHECKS.items():
        try:
            if name in content:
                good[name] = check(content[name])
        except (TypeError, ValueError, KeyError, KilofieldError):
            bad.append(name)
    return Stored(**good), f"{path}: as at first: {', '.join(bad)}" if bad else None


def write_stored(stored: Stored) -> None:
    """Keeps it. Raises `KilofieldError` where it cannot."""
    content = {f.name: getattr(stored, f.name) for f in fields(stored)}
    content["recent"] = [str(path) for path in stored.recent]
    content["look"] = {name: getattr(stored.look, name) for name in LOOK}
    _write(SETTINGS, json.dumps(content, indent=2) + "\n")


def read_layout() -> str | None:
    """Where the panels were, in imgui's own format; None if there is nothing to read."""
    try:
        return (config_folder() / LAYOUT).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def write_layout(text: str) -> None:
    """Keeps where the panels are. Raises `KilofieldError` where it cannot."""
    _write(LAYOUT, text)


def _write(name: str, text: str) -> None:
    folder = config_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KilofieldError(f"{folder}: cannot make this folder: {error.strerror}") from error
    with replacing(folder / name) as temporary:
        temporary.write_text(text, "utf-8")


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:120]


def _number(value: Any, lowest: float, highest: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not lowest <= value <= highest:
        raise ValueError
    return float(value)


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _size(value: Any) -> tuple[int, int]:
    width, height = (int(_number(side, *WINDOW_LIMITS)) for side in value)
    return width, height


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise ValueError
    return value


def _look(value: Any) -> RenderSettings:
    """The stored part of the settings of a frame; `RenderSettings` checks its own fields too."""
    if not isinstance(value, dict):
        raise TypeError
    look = {name: value[name] for name in LOOK if name in value}
    if look.get("sh_degree") is not None:
        look["sh_degree"] = int(_number(look["sh_degree"], 0, 3))
    if look.get("antialiased") is not None:
        _switch(look["antialiased"])
    for name, limits in (("scale", SPLAT_SCALES), ("min_opacity", (0, 1)), ("overdraw_range", (1, 1e6))):
        if name in look:
            _number(look[name], *limits)
    if "background" in look:
        red, green, blue = (_number(part, 0, 1) for part in look["background"])
        look["background"] = (red, green, blue)
    return RenderSettings(**look)


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "window": _size,
    "text_size": lambda value: _number(value, *TEXT_SIZES),
    "vsync": _switch,
    "panels": lambda value: None if value is None else _texts(value),
    "recent": lambda value: [Path(text) for text in _texts(value)][:MOST_RECENT],
    "look": _look,
}

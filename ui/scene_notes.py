"""What is remembered of a scene: which way is up, its scale, the view it opens with.

Notes are JSON, in `STEM.view.json` beside the scene; where that folder cannot be written to, in `scenes/` of the
configuration folder, under the stem and a hash of the scene's own folder. STEM is the scene's name without .ply,
.compressed.ply, .kilo and the like, so that the versions of one scene share their notes; of a .sog in parts it is the
name of the folder, and the notes are beside that:

    up                [x, y, z]          world
    metres_per_unit   number             above 0
    camera            a camera           as in our camera files (`scenes/camera_files.py`)

Each may be missing. What else is in the object is kept. A file is written only when something in it is changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.atomic import replacing
from scenes.camera_files import camera_of, our_entry
from scenes.cameras import Camera
from scenes.errors import KilofieldError, SceneFileError
from scenes.json_entry import JsonEntry, read_json, shown
from scenes.naming import named_path, scene_stem
from ui.stored import config_folder

FOLDER = "scenes"  # in the configuration folder
KEYS = ("up", "metres_per_unit", "camera")


@dataclass(frozen=True)
class SceneNotes:
    """None is what nobody has said."""

    up: NDArray[np.float64] | None = None  # [3] unit, world
    metres_per_unit: float | None = None
    camera: Camera | None = None  # of the first view
    others: Mapping[str, Any] = field(default_factory=dict)  # that we do not know

    @property
    def empty(self) -> bool:
        """Nothing is remembered."""
        return self.up is None and self.metres_per_unit is None and self.camera is None and not self.others


def notes_path(scene: Path) -> Path:
    """Where the notes of a scene are when its folder can be written to."""
    return named_path(scene).with_name(f"{scene_stem(scene)}.view.json")


def kept_path(scene: Path) -> Path:
    """Where the notes of a scene are otherwise."""
    folder = hashlib.sha256(str(named_path(scene.resolve()).parent).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return config_folder() / FOLDER / f"{scene_stem(scene)}-{folder}.view.json"


def read_notes(scene: Path) -> SceneNotes:
    """The notes of a scene, empty ones if there are none. Raises `SceneFileError` for a file that is not notes."""
    for path in (notes_path(scene), kept_path(scene)):
        if path.is_file():
            return _notes(JsonEntry.of(path, "file", read_json(path)))
    return SceneNotes()


def write_notes(scene: Path, notes: SceneNotes) -> Path:
    """Keeps the notes of a scene; returns where. Empty notes replace a file, but do not make one.

    Raises `KilofieldError` where they can be written in neither place.
    """
    beside, kept = notes_path(scene), kept_path(scene)
    try:
        return _write(beside, notes)
    except KilofieldError:
        if beside.is_file():
            raise  # it would go on to be read instead of the other
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KilofieldError(f"{kept.parent}: cannot write: {error.strerror}") from error
    return _write(kept, notes)


def _write(path: Path, notes: SceneNotes) -> Path:
    if notes.empty and not path.exists():
        return path
    text = json.dumps(_entry(notes), indent=1, allow_nan=False)
    with replacing(path) as temporary:
        temporary.write_text(f"{text}\n", encoding="utf-8")
    return path


def _entry(notes: SceneNotes) -> dict[str, Any]:
    entry = dict(notes.others)
    if notes.up is not None:
        entry["up"] = notes.up.tolist()
    if notes.metres_per_unit is not None:
        entry["metres_per_unit"] = float(notes.metres_per_unit)
    if notes.camera is not None:
        entry["camera"] = our_entry(notes.camera)
    return entry


def _notes(entry: JsonEntry) -> SceneNotes:
    scale = entry.number("metres_per_unit", above=0) if "metres_per_unit" in entry.values else None
    camera = None
    if "camera" in entry.values:
        camera = camera_of(JsonEntry.of(entry.path, "camera", entry.values["camera"]))
    others = {key: value for key, value in entry.values.items() if key not in KEYS}
    return replace(SceneNotes(_up(entry), scale, camera), others=others)


def _up(entry: JsonEntry) -> NDArray[np.float64] | None:
    if "up" not in entry.values:
        return None
    up = entry.array("up", (3,))
    length = float(np.linalg.norm(up))
    if not length > 0:
        raise SceneFileError(entry.path, "file, up", "a direction", shown(entry.values["up"]))
    return up / length

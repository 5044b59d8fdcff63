"""A camera as text, to copy and paste: an object as in our camera files, `{"camera_from_world": ..., "fov_y": ...}`."""

from __future__ import annotations

import json

from scenes.camera_files import camera_of, our_entry
from scenes.cameras import Camera
from scenes.errors import SceneFileError
from scenes.files import brief
from scenes.json_entry import JsonEntry, parsed_json

CLIPBOARD = "clipboard"  # in messages, where a file's name would be


def camera_text(camera: Camera) -> str:
    """The camera in our form, as JSON."""
    return json.dumps(our_entry(camera), allow_nan=False)


def camera_of_text(text: str) -> Camera:
    """The camera of a text in our form or INRIA's, or the first of a list of them.

    Raises `SceneFileError` for any other text.
    """
    try:
        content = parsed_json(text)
    except ValueError as error:
        found = brief(" ".join(text.split())) or "nothing"
        raise SceneFileError(CLIPBOARD, "text", "a camera in JSON", found) from error
    if isinstance(content, list) and content:
        content = content[0]
    return camera_of(JsonEntry.of(CLIPBOARD, "camera", content))

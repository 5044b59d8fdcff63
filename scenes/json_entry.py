"""JSON written by other programs, taken value by value with an error that says where it went wrong."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.errors import SceneFileError
from scenes.files import brief, read_start

MAX_JSON = 1 << 28  # bytes; hundreds of thousands of cameras
MAX_DEPTH = 200  # lists and objects in one another; a tree of 64 boxes of a streamed .sog has 130
SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")  # what can be no name of a file and no word on a terminal
SHOWN = 100  # characters, more than fit
TOO_DEEP = f"more than {MAX_DEPTH} lists and objects in one another"


def read_json(path: str | os.PathLike[str], most: int = MAX_JSON) -> Any:
    """What a JSON file of at most `most` bytes says; `SceneFileError` if it cannot be read or is not JSON."""
    read_start(path, 1)
    size = Path(path).stat().st_size
    if size > most:
        raise SceneFileError(path, "file", f"at most {most} bytes", str(size))
    try:
        return parsed_json(Path(path).read_bytes())
    except json.JSONDecodeError as error:
        raise SceneFileError(path, f"line {error.lineno}", "JSON", error.msg.lower()) from error
    except UnicodeDecodeError as error:
        raise SceneFileError(path, "file", "JSON", f"bytes that are no text, from byte {error.start} on") from error
    except ValueError as error:
        raise SceneFileError(path, "file", "JSON", brief(str(error), 120)) from error


def parsed_json(content: bytes | str, strict: bool = False) -> Any:
    """What JSON says; `ValueError` if it is not JSON, or has more in one another than `MAX_DEPTH`, or half a character.

    `strict`: without NaN and Infinity, which many programs write and JSON does not have.

    How deep Python itself goes depends on its version and on who calls; and whoever walks the values has to come as
    far again.
    """
    try:
        value = json.loads(content, parse_constant=_refuse if strict else None)
    except RecursionError as error:
        raise ValueError(TOO_DEEP) from error
    level, depth = [value], 0
    while level:  # a list and an object are as deep as what they are in and one more
        level = [inner for outer in level for inner in _inside(outer) if isinstance(inner, dict | list)]
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError(TOO_DEEP)
    if SURROGATE.search(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")):
        _check_characters(value)
    return value


def _check_characters(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"half of a character, \\u{ord(error.object[error.start]):04x} without the other") from error


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant}, which is no number in JSON")


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


@dataclass(frozen=True)
class JsonEntry:
    """An object in a JSON file, and the words that say where it is."""

    path: str
    place: str  # such as "camera 3"
    values: dict[str, Any]

    @classmethod
    def of(cls, path: str | os.PathLike[str], place: str, value: Any) -> JsonEntry:
        """`value` as an entry; an error if it is not an object."""
        if not isinstance(value, dict):
            raise SceneFileError(path, place, "an object", shown(value))
        return cls(os.fspath(path), place, value)

    def error(self, key: str, expected: str, found: str) -> SceneFileError:
        """The error for the value under `key`."""
        return SceneFileError(self.path, f"{self.place}, {key}", expected, found)

    def value(self, key: str) -> Any:
        """What is under `key`, which must be there."""
        if key not in self.values:
            raise self.error(key, "a value", "none")
        return self.values[key]

    def number(self, key: str, above: float = -math.inf, below: float = math.inf) -> float:
        """The number under `key`, strictly between `above` and `below`."""
        value = _number(self.value(key))
        if value is None or not above < value < below:
            raise self.error(key, _range_words(above, below), shown(self.values[key]))
        return value

    def text(self, key: str) -> str:
        """The string under `key`."""
        value = self.value(key)
        if not isinstance(value, str):
            raise self.error(key, "a string", shown(value))
        return value

    def array(self, key: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """The nested lists of finite numbers under `key`, of the given shape."""
        array = _array(self.value(key), shape)
        if array is None:
            raise self.error(key, f"{' x '.join(map(str, shape))} finite numbers", shown(self.values[key]))
        return array


def shown(value: Any) -> str:
    """`value` as JSON on one line, cut to what fits in a message; of a large one the rest is not even written."""
    text = ""
    for part in json.JSONEncoder().iterencode(value):
        text += part[:SHOWN]
        if len(text) > SHOWN:
            break
    return brief(text)


def _number(value: Any) -> float | None:
    """A finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # an integer beyond float64
        return None
    return number if math.isfinite(number) else None


def _array(value: Any, shape: tuple[int, ...]) -> NDArray[np.float64] | None:
    if not isinstance(value, list) or len(value) != shape[0]:
        return None
    parts = [_array(part, shape[1:]) if shape[1:] else _number(part) for part in value]
    return None if any(part is None for part in parts) else np.array(parts, np.float64)


def _range_words(above: float, below: float) -> str:
    if above == -math.inf and below == math.inf:
        return "a finite number"
    if below == math.inf:
        return f"a finite number above {above:g}"
    return f"a number between {above:g} and {below:.5g}"

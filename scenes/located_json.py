"""JSON written by hand: every value knows its line, and is taken with an error that names it.

Python's own decoder forgets where things were. It reads the file first, and says what is not JSON; what passes is
walked once more, token by token, for the lines.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from json.decoder import scanstring  # pyright: ignore[reportAttributeAccessIssue]  # not in the stubs
from pathlib import Path
from typing import Any, TypeAlias

from scenes.errors import SceneFileError
from scenes.files import brief, read_start
from scenes.json_entry import parsed_json, shown

MAX_BYTES = 1 << 24
Numbers: TypeAlias = tuple[float, ...]
_TOKEN = re.compile(r'[ \t\n\r]*([\[\]{},:"]|[^\[\]{},:"\s]+)')


@dataclass(frozen=True)
class Located:
    """A value, the words that lead to it, and where it is."""

    path: Path  # of the file
    line: int  # counted from 1
    name: str  # such as "objects 2, material"; "file" for all of it
    value: Any  # dict[str, Located], list[Located], str, float, int, bool or None

    def error(self, expected: str, found: str | None = None) -> SceneFileError:
        """The error for this value: `found` is what it is, unless given."""
        return SceneFileError(self.path, f"line {self.line}, {self.name}", expected, found or self.shown())

    def shown(self) -> str:
        """The value as JSON on one line, cut to what fits in a message."""
        return shown(plain(self))

    def keys(self, known: Sequence[str]) -> dict[str, Located]:
        """The values of an object, none of whose keys may be any but `known`; null counts as absent."""
        if not isinstance(self.value, dict):
            raise self.error("an object")
        for key, value in self.value.items():
            if key not in known:
                raise SceneFileError(
                    self.path,
                    f"line {value.line}, {self.name}",
                    f"one of {', '.join(known)}",
                    brief(key) or "an empty key",
                )
        return {key: value for key, value in self.value.items() if value.value is not None}

    def need(self, key: str) -> Located:
        """The value under `key` of an object."""
        if not isinstance(self.value, dict):
            raise self.error("an object")
        if key not in self.value or self.value[key].value is None:
            raise self.error(f"the key {key}", brief(", ".join(self.value)) or "an empty object")
        return self.value[key]

    def items(self) -> list[Located]:
        """The values of a list."""
        if not isinstance(self.value, list):
            raise self.error("a list")
        return self.value

    def number(self, least: float = -math.inf, most: float = math.inf, above: bool = False) -> float:
        """A finite number from `least`, or with `above` strictly above it, to `most`."""
        value = self.value
        number = math.nan if isinstance(value, bool) or not isinstance(value, int | float) else _float(value)
        if not (math.isfinite(number) and (number > least if above else number >= least) and number <= most):
            raise self.error(_range(least, most, above))
        return number

    def whole(self, least: int, most: int) -> int:
        """A whole number."""
        if not isinstance(self.value, int) or isinstance(self.value, bool) or not least <= self.value <= most:
            raise self.error(f"a whole number from {least} to {most}")
        return self.value

    def text(self) -> str:
        """A string."""
        if not isinstance(self.value, str):
            raise self.error("a string")
        return self.value

    def flag(self) -> bool:
        """True or false."""
        if not isinstance(self.value, bool):
            raise self.error("true or false")
        return self.value

    def choice(self, known: Sequence[str]) -> str:
        """One of the strings `known`."""
        if not isinstance(self.value, str) or self.value not in known:
            raise self.error(f"one of {', '.join(known)}")
        return self.value

    def numbers(self, count: int, least: float = -math.inf, most: float = math.inf) -> Numbers:
        """`count` finite numbers, from `least` to `most`."""
        if not isinstance(self.value, list) or len(self.value) != count:
            raise self.error(f"{count} numbers")
        return tuple(item.number(least, most) for item in self.value)


def read_located(path: str | os.PathLike[str]) -> Located:
    """What a JSON file says; `SceneFileError` with the line if it is not JSON, or says a key of an object twice."""
    read_start(path, 1)
    path = Path(path)
    if path.stat().st_size > MAX_BYTES:
        raise SceneFileError(path, "file", f"at most {MAX_BYTES} bytes", str(path.stat().st_size))
    try:
        text = path.read_bytes().decode("utf-8")
        parsed_json(text, strict=True)
        return _Reader(path, text).value("file")
    except json.JSONDecodeError as error:
        raise SceneFileError(path, f"line {error.lineno}", "JSON", error.msg.lower()) from error
    except UnicodeDecodeError as error:
        raise SceneFileError(path, "file", "JSON", f"bytes that are no text, from byte {error.start} on") from error
    except ValueError as error:
        raise SceneFileError(path, "file", "JSON", brief(str(error), 120)) from error


def plain(located: Located) -> Any:
    """The value without lines, as the json module gives it."""
    if isinstance(located.value, dict):
        return {key: plain(value) for key, value in located.value.items()}
    return [plain(value) for value in located.value] if isinstance(located.value, list) else located.value


class _Reader:
    """Walks a text that is known to be JSON."""

    def __init__(self, path: Path, text: str) -> None:
        self._path, self._text, self._at = path, text, 0
        self._line, self._counted = 1, 0  # line of the place `counted`

    def value(self, name: str) -> Located:
        token, line = self._next()
        if token == "{":
            return Located(self._path, line, name, dict(self._members(name)))
        if token == "[":
            return Located(self._path, line, name, list(self._elements(name)))
        return Located(self._path, line, name, self._string() if token == '"' else json.loads(token))

    def _members(self, name: str) -> Iterator[tuple[str, Located]]:
        seen: set[str] = set()
        token, line = self._next()
        while token != "}":
            if token == ",":
                token, line = self._next()
            key = self._string()
            if key in seen:
                raise SceneFileError(self._path, f"line {line}, {name}", "each key once", f"{brief(key)} twice")
            seen.add(key)
            self._next()  # the colon
            found = self.value(_joined(name, key))
            yield key, Located(found.path, line, found.name, found.value)
            token, line = self._next()

    def _elements(self, name: str) -> Iterator[Located]:
        index = 0
        while self._peek() != "]":
            if self._peek() == ",":
                self._next()
            yield self.value(f"{name} {index}")
            index += 1
        self._next()

    def _string(self) -> str:
        text, self._at = scanstring(self._text, self._at, True)
        return text

    def _peek(self) -> str:
        match = _TOKEN.match(self._text, self._at)
        assert match is not None  # it is JSON
        return match[1]

    def _next(self) -> tuple[str, int]:
        match = _TOKEN.match(self._text, self._at)
        assert match is not None  # it is JSON
        self._at = match.end()
        self._line += self._text.count("\n", self._counted, match.start(1))
        self._counted = match.start(1)
        return match[1], self._line


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number beyond float64
        return math.inf


def _joined(name: str, key: str) -> str:
    return brief(key) if name == "file" else f"{name}, {brief(key)}"


def _range(least: float, most: float, above: bool) -> str:
    if least == -math.inf and most == math.inf:
        return "a finite number"
    low = f"above {least:g}" if above else f"from {least:g}"
    if most == math.inf:
        return f"a finite number {low}" if above else f"a finite number {low} on"
    return f"a number {low} to {most:g}"

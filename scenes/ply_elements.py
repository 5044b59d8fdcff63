"""The .ply container: a text header, then one table a named element, as ascii or as bytes.

    ply
    format binary_little_endian 1.0         or binary_big_endian, ascii
    comment antialiased 1
    element vertex 1000                     a table of 1000 rows ...
    property float x                        ... with these columns, packed without padding
    property half y
    end_header
    <rows of the first element, rows of the second, ...>

plyfile writes our files, but does not read them: it has no 16-bit floats, parses ascii value by value, and takes memory
by the header's word. What the columns mean is said in `scenes/ply.py` and `scenes/compressed_ply.py`.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.lib.recfunctions import unstructured_to_structured
from numpy.typing import NDArray

from scenes.errors import SceneFileError
from scenes.files import brief, read_start

MAX_HEADER = 1 << 20  # bytes; real headers have under 4 KB
BYTE_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
TYPES = {
    **{"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4"},
    **{"int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4"},
    **{"half": "f2", "float": "f4", "double": "f8", "float16": "f2", "float32": "f4", "float64": "f8"},
}


@dataclass
class PlyElement:
    """One table of the file: its name, its rows and its columns in file order, as numpy types without a byte order."""

    name: str
    count: int
    properties: dict[str, str]
    has_list: bool = False  # rows differ in length


@dataclass(frozen=True)
class PlyHeader:
    """What the text at the start of a .ply says."""

    path: str
    byte_order: str  # "<" or ">"; "" for ascii
    elements: list[PlyElement]
    comments: list[str]
    start: int  # the first byte after the header

    def element(self, name: str) -> PlyElement | None:
        """The element called `name`, if there is one."""
        return next((element for element in self.elements if element.name == name), None)


def read_header(path: str | os.PathLike[str]) -> PlyHeader:
    """The header of a .ply, checked line by line."""
    lines, start = _header_lines(path)
    parser = _HeaderParser(os.fspath(path))
    for number, line in enumerate(lines[1:], start=2):
        parser.take(number, line)
    if parser.byte_order is None:
        raise SceneFileError(path, "header", "a format line", "none")
    return PlyHeader(parser.path, parser.byte_order, parser.elements, parser.comments, start)


def _header_lines(path: str | os.PathLike[str]) -> tuple[list[str], int]:
    """The lines before `end_header`, and the first byte after it. Line ends are those of the first line."""
    start = read_start(path, MAX_HEADER)
    first = re.match(rb"ply[ \t]*(\r\n|\n|\r)", start)
    if first is None:
        raise SceneFileError(
            path, "line 1", "the word ply", brief(start[:64].decode("latin-1").partition("\n")[0]) or "an empty line"
        )
    newline = first.group(1)
    end = start.find(newline + b"end_header" + newline)
    if end < 0:
        raise SceneFileError(path, "header", f"a line end_header within {MAX_HEADER} bytes", "none")
    return start[:end].decode("latin-1").split(newline.decode()), end + len(b"end_header") + 2 * len(newline)


class _HeaderParser:
    """Takes the lines after the first, one by one."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.byte_order: str | None = None
        self.elements: list[PlyElement] = []
        self.comments: list[str] = []

    def take(self, number: int, line: str) -> None:
        words = line.split()
        keyword = words[0] if words else ""
        if keyword == "comment":
            self.comments.append(line[len("comment") :].strip())
        elif keyword == "format":
            self._take_format(number, words)
        elif keyword == "element":
            self._take_element(number, words)
        elif keyword == "property":
            self._take_property(number, words)
        elif keyword not in ("", "obj_info"):
            self._fail(number, "comment, element, property or end_header", line)

    def _take_format(self, number: int, words: list[str]) -> None:
        if len(words) != 3 or words[1] not in BYTE_ORDERS:
            self._fail(number, f"format {', '.join(BYTE_ORDERS)} and a version", " ".join(words))
        self.byte_order = BYTE_ORDERS[words[1]]

    def _take_element(self, number: int, words: list[str]) -> None:
        if len(words) != 3 or not re.fullmatch(r"[0-9]{1,18}", words[2]):
            self._fail(number, "element NAME COUNT", " ".join(words))
        self.elements.append(PlyElement(words[1], int(words[2]), {}))

    def _take_property(self, number: int, words: list[str]) -> None:
        if not self.elements:
            self._fail(number, "an element before its properties", " ".join(words))
        element = self.elements[-1]
        if words[1:2] == ["list"]:
            element.has_list = True
            return
        if len(words) != 3 or words[1] not in TYPES:
            self._fail(number, f"property TYPE NAME with a type of {', '.join(TYPES)}", " ".join(words))
        if words[2] in element.properties:
            self._fail(number, "each property once", f"{words[2]} again")
        element.properties[words[2]] = TYPES[words[1]]

    def _fail(self, number: int, expected: str, found: str) -> NoReturn:
        raise SceneFileError(self.path, f"line {number}", expected, brief(found) or "an empty line")


def read_element(header: PlyHeader, name: str) -> NDArray[np.void]:
    """The rows of element `name` as a structured array [count]: mapped from the file, or float64 columns if ascii.

    Memory is taken only after the file's length has been compared with what the header claims.
    """
    position = next(i for i, element in enumerate(header.elements) if element.name == name)
    before, element = header.elements[:position], header.elements[position]
    if element.has_list:
        raise SceneFileError(header.path, f"element {name}", "no list properties", "one")
    if not element.count:
        return np.empty(0, _row_dtype(header, element))
    return _read_binary(header, before, element) if header.byte_order else _read_ascii(header, before, element)


def element_blocks(header: PlyHeader, name: str, rows: int) -> Iterator[tuple[slice, NDArray[np.void]]]:
    """The rows of element `name`, at most `rows` at a time, and which they are; checked at once, as by `read_element`.

    Unlike what is mapped, a block that has been used takes no memory any more.
    """
    return _blocks(header, name, read_element(header, name), rows)


def _blocks(
    header: PlyHeader, name: str, table: NDArray[np.void], rows: int
) -> Iterator[tuple[slice, NDArray[np.void]]]:
    if not isinstance(table, np.memmap):
        for start in range(0, len(table), rows):
            part = slice(start, min(start + rows, len(table)))
            yield part, table[part]
        return
    with Path(header.path).open("rb") as source:
        source.seek(table.offset)
        for start in range(0, len(table), rows):
            part = slice(start, min(start + rows, len(table)))
            block = np.fromfile(source, table.dtype, part.stop - start)
            if len(block) < part.stop - start:
                raise SceneFileError(header.path, f"element {name}", f"{len(table)} rows", str(start + len(block)))
            yield part, block


def _read_binary(header: PlyHeader, before: list[PlyElement], element: PlyElement) -> NDArray[np.void]:
    lists = [other.name for other in before if other.has_list]
    if lists:
        raise SceneFileError(header.path, f"element {element.name}", "no lists before it", f"element {lists[0]}")
    dtype = _row_dtype(header, element)
    offset = header.start + sum(other.count * _row_dtype(header, other).itemsize for other in before)
    found = max(Path(header.path).stat().st_size - offset, 0)
    if found < element.count * dtype.itemsize:
        expected = f"{element.count * dtype.itemsize} bytes ({element.count} rows of {dtype.itemsize})"
        raise SceneFileError(header.path, f"element {element.name}", expected, str(found))
    return np.memmap(header.path, dtype, "r", offset, (element.count,))


def _row_dtype(header: PlyHeader, element: PlyElement) -> np.dtype[np.void]:
    return np.dtype([(name, header.byte_order + kind) for name, kind in element.properties.items()])


def _read_ascii(header: PlyHeader, before: list[PlyElement], element: PlyElement) -> NDArray[np.void]:
    skip = sum(other.count for other in before)
    least = skip + 2 * len(element.properties) * element.count - 1  # a digit and a separator for every value
    found = Path(header.path).stat().st_size - header.start
    if found < least:
        expected = f"at least {least} bytes ({element.count} rows of {len(element.properties)} numbers)"
        raise SceneFileError(header.path, f"element {element.name}", expected, str(found))
    table = _ascii_table(header, skip, element)
    return unstructured_to_structured(table, np.dtype([(name, "f8") for name in element.properties]))


def _ascii_table(header: PlyHeader, skip: int, element: PlyElement) -> NDArray[np.float64]:
    """[count, properties] after `skip` lines."""
    with Path(header.path).open(encoding="latin-1") as lines, warnings.catch_warnings():
        lines.seek(header.start)
        warnings.simplefilter("ignore", UserWarning)  # about blank lines; too few rows is an error below
        try:
            table = np.loadtxt(lines, comments=None, skiprows=skip, max_rows=element.count, ndmin=2)
        except ValueError as error:
            raise _bad_row(header, skip, element, str(error)) from error
    if len(table) < element.count:
        raise SceneFileError(header.path, f"element {element.name}", f"{element.count} rows", str(len(table)))
    if table.shape[1] != len(element.properties):
        raise _bad_row(header, skip, element, f"{table.shape[1]}")
    return table


def _bad_row(header: PlyHeader, skip: int, element: PlyElement, otherwise: str) -> SceneFileError:
    """The error for the first row that is not the right count of numbers; `otherwise` if all look well."""
    found = otherwise
    with Path(header.path).open(encoding="latin-1") as lines:
        lines.seek(header.start)
        rows = (line.split() for line in islice(lines, skip, None) if line.strip())
        for number, words in enumerate(islice(rows, element.count)):
            wrong = next((word for word in words if not _is_number(word)), None)
            if wrong is not None or len(words) != len(element.properties):
                found = f"{len(words) if wrong is None else brief(wrong)} in row {number}"
                break
    return SceneFileError(header.path, f"element {element.name}", f"{len(element.properties)} numbers a row", found)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True

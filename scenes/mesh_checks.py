"""What is wrong with a mesh file, said before a library reads it: the line, the count or the length that does not fit.

.obj          text; v x y z [r g b], vt u v, f a/b/c ... counted from 1, or from the last backwards with a minus
.ply          see `scenes/ply_elements.py`; element vertex with x y z, element face with a list of vertices
.stl          text (solid ... endsolid), or 80 bytes, uint32 n, and n times 50 bytes
.glb          "glTF", uint32 version, uint32 length of the file, then chunks of which the first is JSON
.gltf         that JSON, beside its buffers
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scenes.errors import SceneFileError
from scenes.files import brief, read_start
from scenes.gltf_sizes import check_sizes
from scenes.json_entry import parsed_json, read_json, shown
from scenes.ply_elements import PlyElement, read_header

STL_HEADER, STL_FACET = 84, 50  # bytes
GLB_HEADER = 20  # bytes, with the length and the kind of the first chunk
GAUSSIAN_PROPERTIES = ("f_dc_0", "packed_position")
TRIANGLES = (4, 5)  # glTF's modes of lists and strips of them
GLTF_UNREAD = ("KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_mesh_quantization")
GLTF_LEFT_OUT = {"KHR_texture_transform": "texture transforms", "EXT_mesh_gpu_instancing": "GPU instances"}


def utf8(content: bytes) -> bytes:
    """Text as UTF-8, which trimesh expects; what is not is taken for Latin-1."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1").encode("utf-8")
    return content


# OBJ


def check_obj(path: Path) -> bytes:
    """The text of an .obj, faces counted from 1; an error if a number is not finite or a face's vertex not there."""
    return _ObjCheck(path).run()


class _ObjCheck:
    """Goes through the lines of an .obj once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.counts = {"v": 0, "vt": 0, "vn": 0}
        self.faces = 0
        self.highest = {"v": (0, ""), "vt": (0, ""), "vn": (0, "")}  # index of a face, and its place
        self.rewritten = False

    def run(self) -> bytes:
        lines = []
        for number, line in _obj_lines(self.path):
            words = line.split()
            keyword = words[0] if words else ""
            if keyword in self.counts:
                self._numbers(number, keyword, words[1:])
            elif keyword == "f":
                line = self._face(number, line, words[1:])
            lines.append(line)
        self._whole()
        return utf8("\n".join(lines).encode("latin-1") if self.rewritten else self.path.read_bytes())

    def _numbers(self, number: int, keyword: str, words: list[str]) -> None:
        least = 2 if keyword == "vt" else 3
        if len(words) < least or not all(_finite(word) for word in words):
            if keyword == "vt" and len(words) == 1 and _finite(words[0]):
                least = 1  # a one-dimensional texture
            else:
                expected = f"{keyword} and {least} finite numbers"
                raise SceneFileError(self.path, f"line {number}", expected, brief(" ".join([keyword, *words])))
        self.counts[keyword] += 1

    def _face(self, number: int, line: str, words: list[str]) -> str:
        if self._plain_face(number, line, len(words)):
            return line
        corners = [self._corner(number, line, word) for word in words]
        if len(corners) < 3:
            raise SceneFileError(self.path, f"line {number}", "f and at least 3 vertices", brief(line.strip()))
        self.faces += 1
        return f"f {' '.join(corners)}" if "-" in line else line

    def _plain_face(self, number: int, line: str, corners: int) -> bool:
        """Takes a face of a, a/b or a/b/c above 0, as nearly all are, three times as fast as corner by corner."""
        values = line.replace("/", " ").split()[1:]
        each = len(values) // max(corners, 1)
        uniform = line.count("/") == (each - 1) * corners and len(values) == each * corners
        if corners < 3 or each > 3 or not uniform or not all(map(str.isdecimal, values)):
            return False
        indices = list(map(int, values))
        if min(indices) < 1:
            return False
        for place, kind in zip(range(each), ("v", "vt", "vn"), strict=False):
            highest = max(indices[place::each])
            if highest > self.highest[kind][0]:
                self.highest[kind] = (highest, f"line {number}")
        self.faces += 1
        return True

    def _corner(self, number: int, line: str, word: str) -> str:
        """One `vertex/texture/normal` of a face, counted from 1."""
        parts = word.split("/")
        for place, (kind, text) in enumerate(zip(("v", "vt", "vn"), parts, strict=False)):
            if not text and place:
                continue
            index = _integer(text)
            if index is not None and index < 0:  # backwards from the last one so far
                index += self.counts[kind] + 1
                self.rewritten = True
            if index is None or index <= 0 or len(parts) > 3:
                expected = "f and vertices as a, a/b, a//c or a/b/c, counted from 1"
                raise SceneFileError(self.path, f"line {number}", expected, brief(line.strip()))
            if index > self.highest[kind][0]:
                self.highest[kind] = (index, f"line {number}")
            parts[place] = str(index)
        return "/".join(parts)

    def _whole(self) -> None:
        """Checks that need the whole file: a face may be of vertices that come later."""
        if not self.faces:
            found = (
                f"a point cloud of {self.counts['v']:,} vertices" if self.counts["v"] else "neither vertices nor faces"
            )
            raise SceneFileError(self.path, "file", "a mesh with faces", found)
        for kind, (index, place) in self.highest.items():
            if index > self.counts[kind]:
                raise SceneFileError(
                    self.path, place, f"at most {self.counts[kind]}, as there are {kind} lines", str(index)
                )


def _obj_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines with their numbers; those that end in a backslash go on in the next."""
    read_start(path, 1)
    held, first = "", 1
    with path.open(encoding="latin-1") as file:
        for number, line in enumerate(file, 1):
            if not held:
                first = number
            line = line.rstrip("\r\n")
            if line.endswith("\\"):
                held += line[:-1] + " "
                continue
            yield first, held + line
            held = ""
    if held:
        yield first, held


def _finite(word: str) -> bool:
    try:
        return math.isfinite(float(word))
    except ValueError:
        return False


def _integer(word: str) -> int | None:
    try:
        return int(word)
    except ValueError:
        return None


# PLY


def check_ply(path: Path) -> bytes:
    """The content of a .ply; an error if it holds points or Gaussians, or cannot hold what its header says."""
    header = read_header(path)
    vertex, face = header.element("vertex"), header.element("face")
    if vertex is None:
        raise SceneFileError(path, "header", "element vertex", "none")
    if any(name in vertex.properties for name in GAUSSIAN_PROPERTIES):
        raise SceneFileError(path, "header", "a mesh with faces", f"{vertex.count:,} Gaussians")
    missing = [name for name in "xyz" if name not in vertex.properties]
    if missing:
        raise SceneFileError(path, "element vertex", "properties x, y, z", f"no {', '.join(missing)}")
    if (face is None or not face.count) and header.element("tristrips") is None:
        found = f"a point cloud of {vertex.count:,} vertices" if vertex.count else "neither vertices nor faces"
        raise SceneFileError(path, "header", "a mesh with faces", found)
    if face is not None and not face.has_list:
        raise SceneFileError(path, "element face", "a list of vertices", "none")
    least = sum(_least_bytes(element, bool(header.byte_order)) for element in header.elements)
    found = path.stat().st_size - header.start
    if found < least - 1:  # the last line of a text may do without its end
        raise SceneFileError(path, "file", f"at least {least} bytes after the header", str(found))
    content = path.read_bytes()
    comments = content[: header.start].decode("ascii", "replace").replace("\ufffd", "?")  # trimesh wants UTF-8
    return comments.encode("ascii") + content[header.start :]


def _least_bytes(element: PlyElement, binary: bool) -> int:
    """The fewest bytes its rows can take: a face has at least a count and three vertices."""
    if binary:
        row = sum(int(kind[1]) for kind in element.properties.values())
        return element.count * (row + (4 if element.name == "face" else int(element.has_list)))
    words = len(element.properties) + (4 if element.name == "face" else int(element.has_list))
    return 2 * words * element.count


# STL


def check_stl(path: Path) -> bytes:
    """The content of an .stl; an error if it is neither whole text nor of the length its count asks for."""
    start = read_start(path, STL_HEADER)
    size = path.stat().st_size
    expected = STL_HEADER + STL_FACET * struct.unpack("<I", start[-4:])[0] if len(start) == STL_HEADER else None
    if size == expected:
        if size == STL_HEADER:
            raise SceneFileError(path, "file", "a mesh with faces", "0 facets")
        return path.read_bytes()
    if start.lstrip()[:5].lower() == b"solid":
        _check_stl_text(path)
        return utf8(path.read_bytes())
    if expected is None:
        raise SceneFileError(path, "file", f"at least {STL_HEADER} bytes or the word solid", f"{size} bytes")
    facets = (expected - STL_HEADER) // STL_FACET
    raise SceneFileError(path, "file", f"{expected} bytes ({facets:,} facets of {STL_FACET})", str(size))


def _check_stl_text(path: Path) -> None:
    words = ("facet", "vertex", "endfacet", "endsolid")
    counts = dict.fromkeys(words, 0)
    with path.open(encoding="latin-1") as file:
        for number, line in enumerate(file, 1):
            parts = line.split()
            keyword = parts[0].lower() if parts else ""
            if keyword in counts:
                counts[keyword] += 1
            if keyword == "vertex" and (len(parts) != 4 or not all(_finite(word) for word in parts[1:])):
                raise SceneFileError(path, f"line {number}", "vertex and 3 finite numbers", brief(line.strip()))
    if not counts["facet"]:
        raise SceneFileError(path, "file", "a mesh with faces", "0 facets")
    if counts["vertex"] != 3 * counts["facet"] or counts["endfacet"] != counts["facet"] or not counts["endsolid"]:
        expected = f"{counts['facet']:,} whole facets and endsolid"
        found = ", ".join(f"{counts[word]:,} {word}" for word in words[1:])
        raise SceneFileError(path, "file", expected, found)


# glTF


def check_gltf(path: Path, binary: bool) -> tuple[str, ...]:
    """An error if a .glb or .gltf is cut short or needs what is not read; notes about what will be left out."""
    content = _glb_json(path) if binary else read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("asset"), dict):
        raise SceneFileError(path, "file", "a glTF object with an asset", shown(content))
    if not content.get("meshes"):
        raise SceneFileError(path, "file", "a mesh with faces", "no meshes")
    check_sizes(path, content)
    unread = [name for name in _names(content, "extensionsRequired") if name in GLTF_UNREAD]
    if unread:
        raise SceneFileError(path, "extensionsRequired", "an uncompressed mesh", ", ".join(unread))
    used = _names(content, "extensionsUsed")
    notes = [f"left out: {words}" for name, words in GLTF_LEFT_OUT.items() if name in used]
    others = sum(mode not in TRIANGLES for mode in _modes(content))
    if others:
        notes.append(f"left out: {others:,} parts that are points, lines or fans")
    return tuple(notes)


def _modes(content: dict[str, Any]) -> Iterator[Any]:
    """How each part of each mesh is drawn."""
    for mesh in content["meshes"] if isinstance(content["meshes"], list) else []:
        parts = mesh.get("primitives") if isinstance(mesh, dict) else None
        for part in parts if isinstance(parts, list) else []:
            yield part.get("mode", TRIANGLES[0]) if isinstance(part, dict) else TRIANGLES[0]


def _names(content: dict[str, Any], key: str) -> list[str]:
    names = content.get(key, [])
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _glb_json(path: Path) -> Any:
    start = read_start(path, GLB_HEADER)
    if len(start) < GLB_HEADER or start[:4] != b"glTF":
        raise SceneFileError(path, "file", "the header of a .glb", f"{len(start)} bytes of something else")
    version, length, chunk = struct.unpack("<4x3I4x", start)
    size = path.stat().st_size
    if version != 2:
        raise SceneFileError(path, "header", "version 2", str(version))
    if length > size or GLB_HEADER + chunk > length:
        raise SceneFileError(path, "header", f"{max(length, GLB_HEADER + chunk)} bytes", str(size))
    with path.open("rb") as file:
        text = file.read(GLB_HEADER + chunk)[GLB_HEADER:]
    try:
        return parsed_json(text.decode("utf-8"))
    except ValueError as error:
        raise SceneFileError(path, "first chunk", "JSON", brief(str(error))) from error

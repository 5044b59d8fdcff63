"""Good files of every format, and ways to spoil them, for the table of bad files."""

from __future__ import annotations

import io
import json
import struct
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import trimesh
from cli_samples import sample_cameras, sample_gaussians, sample_neural
from kilo_damage import parts
from kilo_surface_samples import tiny
from ksplat_samples import pack_ksplat

from scenes.camera_files import write_cameras
from scenes.kilo import pack_kilo
from scenes.kilo_container import build
from scenes.kilo_surface import write_surface
from scenes.save import SaveOptions, save_scene

Spoil = Callable[[bytes], bytes]
RING = '{"a": ' * 5000 + "1" + "}" * 5000
SCENE_FILE = {"objects": [{"kind": "sphere"}], "camera": {"eye": [0, -4, 0], "target": [0, 0, 0]}}


class Row(NamedTuple):
    """One bad file."""

    file: str
    wrong: str
    spoil: Spoil
    said: str  # after the name of the file


@cache
def good(name: str) -> bytes:
    """The content of a file of this name that is as it should be."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        _write(path)
        return path.read_bytes()


def _write(path: Path) -> None:
    made = MAKERS.get(path.name)
    if made is not None:
        made(path)
    elif path.suffix == ".kilo":
        path.write_bytes(pack_kilo(sample_neural(), chunks=[1, 1]))
    elif path.suffix == ".ksplat":
        path.write_bytes(pack_ksplat([sample_gaussians()], 1))
    else:
        save_scene(path, sample_gaussians(), SaveOptions())


def _ball(path: Path) -> None:
    trimesh.creation.icosphere(1).export(path)


MAKERS: dict[str, Callable[[Path], object]] = {
    "surface.kilo": lambda path: write_surface(path, tiny()),
    "old.spz": lambda path: save_scene(path, sample_gaussians(), SaveOptions(spz_version=3)),
    "mesh.obj": _ball,
    "mesh.ply": _ball,
    "mesh.stl": _ball,
    "mesh.glb": _ball,
    "cameras.json": lambda path: write_cameras(path, sample_cameras()),
    "room.json": lambda path: path.write_text(json.dumps(SCENE_FILE)),
}


def cut(count: int) -> Spoil:
    """The last `count` bytes are missing."""
    return lambda data: data[:-count]


def first(count: int) -> Spoil:
    """Only the first `count` bytes are there."""
    return lambda data: data[:count]


def more(count: int) -> Spoil:
    """`count` bytes too many at the end."""
    return lambda data: data + bytes(count)


def put(at: int, kind: str, *values: float) -> Spoil:
    """Numbers, as `struct` has them, written over what is there."""

    def spoil(data: bytes) -> bytes:
        changed = bytearray(data)
        struct.pack_into(kind, changed, at % len(data), *values)
        return bytes(changed)

    return spoil


def flip(at: int) -> Spoil:
    """One bit is wrong."""
    return lambda data: put(at, "<B", data[at] ^ 1)(data)


def swap(old: str, new: str) -> Spoil:
    """A word of the header or of a text is another one."""

    def spoil(data: bytes) -> bytes:
        assert old.encode() in data
        return data.replace(old.encode(), new.encode(), 1)

    return spoil


def text(content: str) -> Spoil:
    """Something else altogether."""
    return lambda data: content.encode()


def ply_value(row: int, name: str, value: float) -> Spoil:
    """A number in all rows from `row` on of a binary .ply of floats."""

    def spoil(data: bytes) -> bytes:
        end = data.index(b"end_header\n") + len(b"end_header\n")
        names = [line.split()[-1].decode() for line in data[:end].splitlines() if line.startswith(b"property float")]
        table = np.frombuffer(data[end:], "<f4").reshape(-1, len(names)).copy()
        table[row:, names.index(name)] = value
        return data[:end] + table.tobytes()

    return spoil


def entry(name: str, change: Spoil | None) -> Spoil:
    """An entry of a zip is changed, or missing."""

    def spoil(data: bytes) -> bytes:
        made = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(made, "w") as new:
            for each in old.namelist():
                content = old.read(each)
                if each == name and change is None:
                    continue
                new.writestr(each, change(content) if each == name and change else content)
        return made.getvalue()

    return spoil


def keyed(*keys: str | int, value: Any) -> Spoil:
    """A value in JSON is another one; None takes it away."""

    def spoil(data: bytes) -> bytes:
        document = json.loads(data)
        inner = document
        for key in keys[:-1]:
            inner = inner[key]
        if value is None:
            del inner[keys[-1]]
        else:
            inner[keys[-1]] = value
        return json.dumps(document).encode()

    return spoil


def glb_json(change: Spoil) -> Spoil:
    """The JSON of a .glb is changed."""

    def spoil(data: bytes) -> bytes:
        (length,) = struct.unpack_from("<I", data, 12)
        changed = change(data[20 : 20 + length])
        changed += b" " * (-len(changed) % 4)
        rest = data[20 + length :]
        head = struct.pack("<4sIIII", b"glTF", 2, 20 + len(changed) + len(rest), len(changed), 0x4E4F534A)
        return head + changed + rest

    return spoil


def manifest(change: Callable[[dict[str, Any]], object]) -> Spoil:
    """The manifest of a .kilo is changed, and its checksum with it."""

    def spoil(data: bytes) -> bytes:
        document, streams = parts(data)
        change(document)
        return build(document, streams)

    return spoil

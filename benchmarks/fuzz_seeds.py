"""Files of Gaussians that fuzzing begins with: small, whole, of every version and variant that is read.

Where the real scenes are at hand, their first Gaussians are among them.
"""

from __future__ import annotations

import base64
import gzip
import json
import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import plyfile

from benchmarks.fuzz_layers import files_made, zipped
from scenes.gaussians import Gaussians
from scenes.kilo import pack_kilo
from scenes.kilo_surface import pack_surface
from scenes.load import load_scene
from scenes.save import SaveOptions, save_scene
from tests.format_samples import sample
from tests.kilo_scenes import random_scene
from tests.kilo_surface_samples import sample as sample_surface
from tests.kilo_surface_samples import tiny
from tests.ksplat_samples import pack_ksplat
from tests.test_load import compressed
from tests.test_sog import parts_of, version_1
from tests.test_spz import half_spz

Files = Mapping[str, bytes]

FIXTURES = Path(__file__).resolve().parents[1] / "tests" / "fixtures" / "formats"
REAL = ("playbot-31k.ply", "hamburger.ply", "guitar.compressed.ply", "angel-kneeling.sog")
COUNT = 120  # Gaussians; quick to read, and more than one row, palette entry and lane
SCENE = "scene"  # the name of files that are told by what is in them


def gaussian_seeds(data: Path | None) -> dict[str, list[Files]]:
    """Seeds by format; `data` is the folder of the real scenes, None if there is none."""
    scenes = [sample(COUNT, 3, antialiased=True), sample(COUNT, 1, 5), *_real(data)]
    flat = [replace(scene, sh=scene.sh[:, :1].copy()) for scene in scenes]
    gltf = _gltf(scenes[1])
    return {
        "ply": [*_saved(scenes, ".ply"), *_plys(scenes[1])],
        "compressed.ply": [*_saved(scenes, ".compressed.ply"), *_named("sample.compressed.ply"), *_random_compressed()],
        "splat": _saved(flat, ".splat"),
        "spz 1-3": [*_saved(scenes, ".spz", 3), *_named("v3.spz"), *_old_spz()],
        "spz 4": [*_saved(scenes, ".spz", 4), *_named("v4.spz"), *_framed_spz(scenes[1])],
        "ksplat": [{SCENE: pack_ksplat([s.select(slice(60)), s.select(slice(60, None))], level)} for s, level in
                   zip([*scenes, *scenes], (0, 1, 2, 1, 2, 0), strict=False)],
        "sog": [*_saved(scenes, ".sog"), *_named("sample.sog"), _zip_of(version_1(2)), _zip_of(version_1(1), "a/")],
        "sog folder": [parts_of(FIXTURES / "sample.sog"), version_1(1), *map(_unzipped, _saved(scenes[1:2], ".sog"))],
        "streamed sog": [_levels(scenes)],
        "glb": [*_saved(scenes[1:], ".glb"), *_named("sample.glb")],
        "gltf": gltf,
        "kilo": [{SCENE: data} for data in _kilos()],
        "kilo surface": [{SCENE: data} for data in _surfaces()],
    }  # fmt: skip


def _real(data: Path | None) -> list[Gaussians]:
    names = [data / "gaussians" / name for name in REAL] if data else []
    return [load_scene(name).gaussians.select(slice(COUNT)) for name in names]


def _saved(scenes: Sequence[Gaussians], suffix: str, version: int = 4) -> list[Files]:
    made = [
        files_made(lambda folder, scene=scene: save_scene(folder / f"a{suffix}", scene, SaveOptions(version)))
        for scene in scenes
    ]
    return [{SCENE: files[f"a{suffix}"]} for files in made]


def _scene(content: bytes) -> Files:
    return {SCENE: content}


def _named(name: str) -> list[Files]:
    return [{SCENE: (FIXTURES / name).read_bytes()}]


# .ply


def _plys(scene: Gaussians) -> list[Files]:
    """Text, big-endian, halves and doubles, discs, rows before and lists after, in as many files."""
    table = plyfile.PlyData.read(_stream(_saved([scene], ".ply")[0][SCENE]))["vertex"].data[:40]
    names = table.dtype.names or ()
    doubled = table.astype([(name, "f8" if index % 2 else "u1") for index, name in enumerate(names)])
    disc = np.asarray(table[[name for name in names if name != "scale_2"]].tolist())
    disc = np.array([tuple(row) for row in disc], [(name, "f4") for name in names if name != "scale_2"])
    camera = np.array([(1, 2.5)], [("a", "i2"), ("b", "f8")])
    lists = np.array([([1, 2, 3],)], [("vertex_indices", "O")])
    before = [
        plyfile.PlyElement.describe(camera, "camera"),
        _element(table),
        plyfile.PlyElement.describe(lists, "face"),
    ]
    written = [
        _ply([_element(table)], text=True),
        _ply([_element(table)], byte_order=">"),
        _ply([_element(doubled)]),
        _ply([_element(disc)], text=True),
        _ply(before),
        _halves(table),
    ]
    return [*map(_scene, written)]


def _element(table: Any) -> plyfile.PlyElement:
    return plyfile.PlyElement.describe(np.ascontiguousarray(table), "vertex")


def _ply(elements: list[plyfile.PlyElement], text: bool = False, byte_order: str = "<") -> bytes:
    made = files_made(lambda f: plyfile.PlyData(elements, text=text, byte_order=byte_order).write(str(f / "a")))
    return made["a"]


def _halves(table: Any) -> bytes:
    names = table.dtype.names
    lines = ["ply", "format binary_little_endian 1.0", "comment antialiased 1", f"element vertex {len(table)}"]
    lines += [*(f"property half {name}" for name in names), "end_header", ""]
    return "\n".join(lines).encode() + table.astype([(name, "<f2") for name in names]).tobytes()


def _stream(content: bytes) -> Any:
    import io

    return io.BytesIO(content)


def _random_compressed() -> list[Files]:
    large = [_ply(compressed(300, sh, colours=bool(sh))) for sh in (0, 9)]
    return [_scene(content) for content in (*large, _ply(compressed(20, 9), text=True))]


# .spz


def _old_spz() -> list[Files]:
    frame = struct.pack("<III", 0xADBE0003, 4, 6)
    plain = [half_spz(1), half_spz(2, 3), half_spz(3, 4), half_spz(3, 1, flags=3, tail=frame)]
    return [{SCENE: gzip.compress(content, mtime=0)} for content in plain]


def _framed_spz(scene: Gaussians) -> list[Files]:
    """Version 4 with an extension between header and table."""
    content = _saved([scene], ".spz", 4)[0][SCENE]
    record = struct.pack("<III", 0xADBE0003, 4, 2)
    table = struct.unpack_from("<I", content, 16)[0]
    head = bytearray(content[:32])
    head[14] |= 2
    struct.pack_into("<I", head, 16, table + len(record))
    return [{SCENE: bytes(head) + record + content[32:]}]


# .sog


def _zip_of(parts: Files, folder: str = "") -> Files:
    return {SCENE: zipped([(folder + name, content, zipfile.ZIP_STORED) for name, content in parts.items()])}


def _unzipped(files: Files) -> dict[str, bytes]:
    with zipfile.ZipFile(_stream(files[SCENE])) as file:
        return {name: file.read(name) for name in file.namelist()}


def _levels(scenes: Sequence[Gaussians]) -> Files:
    """Two levels, one scene in a folder and one in a zip, and an environment."""
    coarse, fine, around = (_saved([scene.select(slice(count))], ".sog")[0] for scene, count in
                            zip((*scenes, scenes[0]), (30, 60, 20), strict=False))  # fmt: skip
    box = {"min": [-1, -1, -1], "max": [1, 1, 1]}
    leaves = [
        {
            "bound": box,
            "lods": {"0": {"file": 1, "offset": 0, "count": 40}, "1": {"file": 0, "offset": 0, "count": 20}},
        },
        {"bound": box, "lods": {"0": {"file": 1, "offset": 40, "count": 20}}},
    ]
    meta = {
        "version": 1,
        "count": 90,
        "lodLevels": 2,
        "environment": "env.sog",
        "filenames": ["1_0/meta.json", "0_0.sog"],
        "tree": {"bound": box, "children": leaves},
    }
    parts = {f"1_0/{name}": content for name, content in _unzipped(coarse).items()}
    return {"lod-meta.json": json.dumps(meta).encode(), "0_0.sog": fine[SCENE], "env.sog": around[SCENE], **parts}


# .gltf


def _gltf(scene: Gaussians) -> list[Files]:
    """With its bytes in it, and beside it; nodes in one another, and quantised attributes."""
    content = _saved([scene], ".glb")[0][SCENE]
    size = struct.unpack_from("<I", content, 12)[0]
    binary = content[28 + size :]
    inside, beside = json.loads(content[20 : 20 + size]), json.loads(content[20 : 20 + size])
    inside["buffers"][0]["uri"] = "data:application/octet-stream;base64," + base64.b64encode(binary).decode()
    beside["buffers"][0]["uri"] = "some%20numbers.bin"
    beside["nodes"][0] |= {"translation": [1, 2, 3], "rotation": [0, 0, 0.6, 0.8], "scale": [2, 2, 2]}
    beside["nodes"].append({"children": [0], "matrix": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 5, 6, 7, 1]})
    beside["scenes"][0]["nodes"] = [len(beside["nodes"]) - 1]
    return [
        {SCENE: json.dumps(inside).encode()},
        {SCENE: json.dumps(beside).encode(), "some numbers.bin": binary},
    ]


# .kilo


def _kilos() -> list[bytes]:
    tiers = np.arange(60) % 2
    return [
        pack_kilo(random_scene(count=60, networks=2, code=2, degree=0), chunks=[1, 1], tiers=tiers),
        pack_kilo(random_scene(count=200, networks=3, modulation=(2, 1, 1))),
        pack_kilo(random_scene(count=80, networks=2, code=0, on_grid=False, stepped=False)),
    ]


def _surfaces() -> list[bytes]:
    return [pack_surface(tiny()), pack_surface(sample_surface("no overlap", stepped=False), chunks=[12, 12]),
            pack_surface(sample_surface("modulated", uneven=True))]  # fmt: skip

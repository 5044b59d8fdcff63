"""One scene as a file of every format that is read."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from ksplat_samples import pack_ksplat

from scenes.gaussians import Gaussians
from scenes.gltf_writer import write_glb
from scenes.save import SaveOptions, save_scene
from scenes.sog_writer import write_sog


def _saved(suffix: str, spz_version: int = 4) -> Callable[[Path, Gaussians], Path]:
    def write(stem: Path, scene: Gaussians) -> Path:
        path = stem.with_name(stem.name + suffix)
        save_scene(path, scene, SaveOptions(spz_version))
        return path

    return write


def _ksplat(level: int) -> Callable[[Path, Gaussians], Path]:
    def write(stem: Path, scene: Gaussians) -> Path:
        path = stem.with_name(f"{stem.name}.ksplat")
        path.write_bytes(pack_ksplat([replace(scene, sh=scene.sh[:, :9])], level))  # it has at most two bands
        return path

    return write


def write_gltf(stem: Path, scene: Gaussians) -> Path:
    """A .gltf with its bytes in a .bin beside it."""
    glb = stem.with_name(f"{stem.name}.glb")
    write_glb(glb, scene)
    content = glb.read_bytes()
    glb.unlink()
    length = int.from_bytes(content[12:16], "little")
    document = json.loads(content[20 : 20 + length])
    document["buffers"][0]["uri"] = f"{stem.name}.bin"
    stem.with_name(f"{stem.name}.bin").write_bytes(content[28 + length :])
    path = stem.with_name(f"{stem.name}.gltf")
    path.write_text(json.dumps(document))
    return path


def write_folder(folder: Path, scene: Gaussians) -> Path:
    """A .sog in parts."""
    whole = folder.with_name(f"{folder.name}-whole.sog")
    write_sog(whole, scene)
    with zipfile.ZipFile(whole) as file:
        file.extractall(folder)
    whole.unlink()
    return folder


def write_levels(folder: Path, scene: Gaussians, coarse: slice = slice(0, None, 2)) -> Path:
    """A lod-meta.json of two levels: all of `scene`, and of the coarser one some."""
    folder.mkdir()
    levels = [scene, scene.select(coarse)]
    for level, part in enumerate(levels):
        write_folder(folder / f"{level}_0", part)
    runs = {str(level): {"file": level, "offset": 0, "count": len(part)} for level, part in enumerate(levels)}
    bound = {"min": [-9, -9, -9], "max": [9, 9, 9]}
    names = [f"{level}_0/meta.json" for level in range(2)]
    meta = {"lodLevels": 2, "environment": None, "filenames": names, "tree": {"bound": bound, "lods": runs}}
    (folder / "lod-meta.json").write_text(json.dumps(meta))
    return folder


# By name: what writes it, given a path without suffix.
WRITTEN: Mapping[str, Callable[[Path, Gaussians], Path]] = {
    "ply": _saved(".ply"),
    "compressed.ply": _saved(".compressed.ply"),
    "splat": _saved(".splat"),
    "spz 3": _saved(".spz", spz_version=3),
    "spz 4": _saved(".spz", spz_version=4),
    "ksplat 0": _ksplat(0),
    "ksplat 1": _ksplat(1),
    "ksplat 2": _ksplat(2),
    "sog": _saved(".sog"),
    "sog folder": write_folder,
    "streamed sog": write_levels,
    "glb": _saved(".glb"),
    "gltf": write_gltf,
}

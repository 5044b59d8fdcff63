"""Gaussians into a file of the format its name asks for."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from scenes.compressed_ply_writer import write_compressed_ply
from scenes.errors import KilofieldError
from scenes.gaussians import Gaussians
from scenes.gltf_writer import write_glb
from scenes.ply import write_ply
from scenes.sog_writer import write_sog
from scenes.splat import write_splat
from scenes.spz_writer import write_spz


@dataclass(frozen=True)
class SaveOptions:
    """What some formats leave to whoever writes them."""

    spz_version: int = 4  # 3 or 4
    sh_bits: tuple[int, int] = (8, 8)  # of .spz: SH band 1, bands above


@dataclass(frozen=True)
class Writer:
    """How a format is written, and what it has no room for."""

    write: Callable[[Path, Gaussians, SaveOptions], None]
    highest_sh: int = 3
    keeps_filter: bool = True  # whether a scene was trained with the mip filter


WRITERS: Mapping[str, Writer] = {
    ".compressed.ply": Writer(lambda path, scene, _: write_compressed_ply(path, scene)),
    ".ply": Writer(lambda path, scene, _: write_ply(path, scene)),
    ".splat": Writer(lambda path, scene, _: write_splat(path, scene), highest_sh=0, keeps_filter=False),
    ".spz": Writer(lambda path, scene, options: write_spz(path, scene, options.spz_version, options.sh_bits)),
    ".sog": Writer(lambda path, scene, _: write_sog(path, scene)),
    ".glb": Writer(lambda path, scene, _: write_glb(path, scene), keeps_filter=False),
}  # the longer suffix before the one it ends in


def suffix_of(path: str | os.PathLike[str]) -> str:
    """The suffix that names the format of an output; `KilofieldError` if none is written under that name."""
    name = Path(path).name.lower()
    found = next((suffix for suffix in WRITERS if name.endswith(suffix) and len(name) > len(suffix)), None)
    if found is None:
        raise KilofieldError(f"{path}: expected an output named *{', *'.join(sorted(WRITERS))}")
    return found


def save_scene(path: Path, gaussians: Gaussians, options: SaveOptions | None = None) -> list[str]:
    """Writes `gaussians` in the format of the suffix of `path`; returns what that leaves out, a sentence each."""
    suffix = suffix_of(path)
    writer = WRITERS[suffix]
    if not len(gaussians):
        raise KilofieldError(f"{path}: expected at least one Gaussian to write, found none")
    writer.write(path, gaussians, options or SaveOptions())
    lost = []
    if gaussians.sh_degree > writer.highest_sh:
        lost.append(f"{suffix} has no room for SH above degree {writer.highest_sh}: they were left out")
    if gaussians.antialiased and not writer.keeps_filter:
        lost.append(f"{suffix} has no word for the mip filter the scene was trained with: viewers may show it too soft")
    return lost

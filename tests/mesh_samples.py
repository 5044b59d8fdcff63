"""Small meshes, and what reading a file says about it."""

from __future__ import annotations

from pathlib import Path

import pytest
import trimesh

from scenes.errors import SceneFileError
from scenes.meshes import read_mesh

TETRAHEDRON = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"


def save(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def message(path: Path) -> str:
    with pytest.raises(SceneFileError) as caught:
        read_mesh(path)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{path}: ")


def ball(subdivisions: int = 2) -> trimesh.Trimesh:
    return trimesh.creation.icosphere(subdivisions=subdivisions)


def exported(made: trimesh.Trimesh | trimesh.Scene, kind: str, **more: str) -> bytes:
    content: object = made.export(file_type=kind, **more)
    if isinstance(content, str):
        return content.encode()
    assert isinstance(content, bytes)
    return content

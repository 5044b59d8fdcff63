"""`kilofield surface` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trimesh
from PIL import Image

from fitting.kiloneus import options as options_module
from fitting.kiloneus.options import Effort
from tests.cli_samples import kilofield

TINY = Effort(4, 16, 8, 2, 1, 2, 96, 64, 2e-3)


@pytest.fixture
def ball(tmp_path: Path) -> Path:
    trimesh.creation.icosphere(3, 0.8).export(tmp_path / "ball.obj")
    return tmp_path / "ball.obj"


def test_a_mesh_becomes_a_file(ball: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(options_module.EFFORTS, "draft", TINY)
    monkeypatch.setattr("fitting.kiloneus.fit.LOOK_EVERY", 0.0)
    target, preview, figures = (tmp_path / name for name in ("ball.kilo", "ball.png", "ball.json"))
    result = kilofield("surface", ball, target, "--preset", "draft", "--preview", preview, "--json", figures)
    assert result.exit_code == 0, result.output
    found = json.loads(figures.read_text())
    assert found["bytes"] == target.stat().st_size
    assert found["views"] is None
    assert found["fidelity"]["normal"] < 5
    assert "of the diagonal" in result.output
    with Image.open(preview) as picture:
        assert len(set(picture.convert("RGB").getdata())) > 50
    again = kilofield("surface", ball, target, "--preset", "draft")
    assert again.exit_code == 1
    assert "exists" in again.output


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.obj", "", "empty.obj"),
        ("nan.obj", "v 0 0 0\nv 1 0 nan\nv 0 1 0\nf 1 2 3\n", "nan.obj"),
        ("points.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\n", "points.obj"),
        ("mesh.txt", "v 0 0 0\n", "mesh.txt"),
    ],
)
def test_bad_meshes_are_refused_in_one_line(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    result = kilofield("surface", tmp_path / name, tmp_path / "out.kilo")
    assert result.exit_code == 1
    assert message in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert not (tmp_path / "out.kilo").exists()


def test_a_folder_without_cameras(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    result = kilofield("surface", tmp_path, tmp_path / "out.kilo")
    assert result.exit_code == 1
    assert "expected" in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_wrong_options(ball: Path, tmp_path: Path) -> None:
    for option, value, message in (
        ("--cells", "3", "--cells: expected 4 to 64, found 3"),
        ("--preset", "fast", "--preset: expected one of draft, balanced, best, found fast"),
        ("--side", "2", "--side: expected 16 to 4,096, found 2"),
    ):
        result = kilofield("surface", ball, tmp_path / "out.kilo", option, value)
        assert result.exit_code == 1
        assert message in result.output


def test_a_checkpoint_is_not_overwritten(ball: Path, tmp_path: Path) -> None:
    (tmp_path / "out.kilo.checkpoint").write_bytes(b"x")
    result = kilofield("surface", ball, tmp_path / "out.kilo")
    assert result.exit_code == 1
    assert "--resume continues it, --force starts afresh" in result.output

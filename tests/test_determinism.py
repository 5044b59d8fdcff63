"""The same input gives the same bytes, whatever is written: in processes whose sets and dicts are hashed otherwise."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WRITTEN = {
    *("a.ply", "a.compressed.ply", "a.splat", "a.spz", "old.spz", "a.sog", "a.glb"),
    *("a.kilo", "photos.kilo", "ball.kilo"),
    *("b.ply", "b.glb", "b.obj", "b.mtl", "b.png"),
    *("pictures/0.png", "pictures/5.png", "lit.png", "lit.exr"),
}


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "the-other")]
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.repeated_outputs", str(folder)],
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone},
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for folder, seed, zone in zip(folders, ("1", "2"), ("UTC", "Asia/Tokyo"), strict=True)
    ]
    for process in started:
        _, said = process.communicate(timeout=600)
        assert process.returncode == 0, said
    contents = [
        {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in folders
    ]
    assert set(contents[0]) >= WRITTEN
    assert set(contents[0]) == set(contents[1])
    assert [name for name, content in contents[0].items() if content != contents[1][name]] == []
    assert not [name for name, content in contents[0].items() if str(tmp_path).encode() in content]

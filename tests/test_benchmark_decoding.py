"""The benchmark of decoding: what it reports of a packed .ply."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.decoding import main
from scenes.ply import write_ply
from tests.gaussian_samples import random_gaussians


def test_a_ply_is_packed_and_timed(tmp_path: Path) -> None:
    write_ply(tmp_path / "a.ply", random_gaussians(400, seed=0))
    main([str(tmp_path / "a.ply"), "--sh", "0", "--repeats", "1", "--out", str(tmp_path)])
    report = json.loads((tmp_path / "decoding.json").read_text())
    (found,) = report["files"]
    assert report["machine"]["cores"] >= 1
    assert (found["file"], found["gaussians"], found["sh_degree"]) == ("a-sh0.kilo", 400, 0)
    parts = found["range_decoding"] + found["octree"] + found["networks"]
    assert 0 < parts < found["whole"]
    assert abs(found["rate"] * found["whole"] - 400) < 8  # seconds are rounded

"""The scaling benchmark: copies side by side, the exponent of growth, a time limit that ends children too."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks import scaling
from benchmarks.compression import Usage
from benchmarks.scaling import Encoding, Row, growth, table, tiled, timed_within
from scenes.errors import KilofieldError
from scenes.load import load_scene
from scenes.ply import write_ply
from tests.test_canonical import random_gaussians


def rows(*seconds: float | None) -> list[Row]:
    return [
        Row(f"s{i}", 1000 * 4**i, 10, {"draft": Encoding(s, 2 * 10**9 if s else None, 5000 if s else None, {"a": 1.5})})
        for i, s in enumerate(seconds)
    ]


def test_copies_stand_side_by_side() -> None:
    scene = random_gaussians(500)
    three = tiled(scene, 3)
    width = np.ptp(np.quantile(scene.positions[:, 0], (0.01, 0.99)))
    for i in range(3):
        part = three.select(np.arange(500 * i, 500 * (i + 1)))
        shift = part.positions - scene.positions
        assert shift == pytest.approx(np.tile([1.2 * width * i, 0, 0], (500, 1)), abs=1e-5)
        assert np.array_equal(part.sh, scene.sh)


def test_growth_is_the_exponent() -> None:
    assert growth(rows(1, 4, 16), "draft") == pytest.approx(1)
    assert growth(rows(3, 6, 12), "draft") == pytest.approx(0.5)
    assert growth(rows(3, 6, None), "draft") == pytest.approx(0.5)
    assert growth(rows(3, None), "draft") is None


def test_table_says_what_took_too_long() -> None:
    text = table(rows(3, 6, None), 900)
    assert "6 s, 2.00 GB, 5 KB" in text
    assert "over 900 s" in text
    assert "seconds ~ Gaussians^0.50" in text
    assert "s0: a 1.5 s" in text


def test_a_limit_ends_a_command_and_its_children(tmp_path: Path) -> None:
    late = tmp_path / "late"
    child = f"import time, pathlib; time.sleep(2.5); pathlib.Path({str(late)!r}).touch()"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    start = time.monotonic()
    assert timed_within([sys.executable, "-c", parent], 0.5) is None
    assert time.monotonic() - start < 2
    time.sleep(max(3.2 - (time.monotonic() - start), 0))
    assert not late.exists()


def test_what_ends_in_time_is_measured() -> None:
    usage = timed_within([sys.executable, "-c", "x = bytearray(200_000_000)"], 60)
    assert usage is not None
    assert usage.peak_bytes > 200_000_000
    with pytest.raises(subprocess.CalledProcessError):
        timed_within([sys.executable, "-c", "raise SystemExit(3)"], 60)


def test_both_programs_get_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gaussians").mkdir()
    write_ply(tmp_path / "gaussians" / "thing.ply", random_gaussians(50))
    seen = []

    def run(command: list[str], limit: float) -> Usage | None:
        source = next(Path(part) for part in command if part.endswith(".ply"))
        seen.append((source, len(load_scene(source).gaussians)))
        if "compress" not in command:
            return None if limit < 10 else pytest.fail("the peer's limit")
        Path(command[command.index("compress") + 2]).write_bytes(b"x" * 77)
        Path(command[-1]).write_text('{"stages": {"merging": 2.5}, "psnr": 31.5}')
        return Usage(4.0, 123)

    monkeypatch.setattr(scaling, "timed_within", run)
    wanted = scaling._parser().parse_args(["--data", str(tmp_path), "--limit", "9"])
    wanted.peer = tmp_path / "splat-transform"
    row = scaling.measure("thing*2", wanted)
    assert (row.gaussians, len(set(seen)), seen[0][1]) == (100, 1, 100)
    assert row.encodings["draft"] == Encoding(4.0, 123, 77, {"merging": 2.5}, 31.5)
    assert row.encodings["sog"] == Encoding(None, None, None)
    with pytest.raises(KilofieldError, match=r"--scenes: expected a name or name\*copies, found thing\*x"):
        scaling.measure("thing*x", wanted)

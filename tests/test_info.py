"""`kilofield info` of a .kilo: chunks, tiers, streams, checksums, what it requires and what made it."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
from cli_samples import kilofield

from scenes.kilo import pack_kilo, read_kilo, write_kilo
from scenes.kilo_surface import write_surface
from tests.kilo_damage import parts, streams_of
from tests.kilo_scenes import random_scene
from tests.kilo_surface_samples import sample

TOOL = {"name": "test", "fidelity": {"normal_999": 0.123456789}, "steps": [1, 2]}


def test_chunks_and_tiers_add_up(tmp_path: Path) -> None:
    scene, path = random_scene(count=200, networks=4, modulation=(2, 2, 2)), tmp_path / "a.kilo"
    write_kilo(path, scene, chunks=[1, 3], tiers=np.arange(200) % 3, tool=TOOL)
    found = json.loads(kilofield("info", path, "--json", "-").stdout)
    data, streams = path.read_bytes(), streams_of(parts(path.read_bytes())[0])
    assert [part["clusters"] for part in found["parts"]] == [[0, 1], [1, 3]]
    assert sum(part["gaussians"] for part in found["parts"]) == found["gaussians"] == 200
    assert [tier["gaussians"] for tier in found["tiers"]] == [67, 67, 66]
    assert (
        sum(part["bytes"] for part in found["parts"]) == sum(s["stored"] for s in streams) - found["streams"]["outputs"]
    )
    assert sum(tier["bytes"] for part in found["parts"] for tier in part["tiers"]) == sum(
        tier["bytes"] for tier in found["tiers"]
    )
    assert sum(found["streams"].values()) == len(data)
    assert (found["version"], found["requires"], found["tool"]) == (1, ["modulation"], TOOL)
    assert found["checksums"] == len(streams) + 1
    stored = int.from_bytes(data[8:12], "little")
    assert found["checksum"] == f"{zlib.crc32(data[:16] + data[20 : 20 + stored]):08x}"
    tiers = [tier for chunk in parts(data)[0]["chunks"] for tier in chunk["tiers"]]
    assert found["codecs"]["positions"] == sorted({tier["positions"]["codec"] for tier in tiers})
    assert found["bank"]["quantised"]


def test_as_much_of_the_file_as_is_said_shows_a_tier(tmp_path: Path) -> None:
    scene, path, cut = random_scene(count=200, networks=4), tmp_path / "a.kilo", tmp_path / "cut.kilo"
    write_kilo(path, scene, chunks=[1, 3], tiers=np.arange(200) % 3)
    tiers = json.loads(kilofield("info", path, "--json", "-").stdout)["tiers"]
    seen = 0
    for level, tier in enumerate(tiers):
        cut.write_bytes(path.read_bytes()[: tier["ends"]])
        seen += tier["gaussians"]
        found = json.loads(kilofield("info", cut, "--salvage", "--json", "-").stdout)
        assert found["gaussians"] == seen == len(read_kilo(path, tiers=range(level + 1)))
        cut.write_bytes(path.read_bytes()[: tier["ends"] - 1])
        assert (
            json.loads(kilofield("info", cut, "--salvage", "--json", "-").stdout or '{"gaussians": 0}')["gaussians"]
            < seen
        )
    assert tiers[-1]["ends"] == path.stat().st_size


def test_what_is_printed(tmp_path: Path) -> None:
    path = tmp_path / "a.kilo"
    write_kilo(path, random_scene(count=200, networks=4), chunks=[1, 3], tiers=np.arange(200) % 2, tool=TOOL)
    text = " ".join(kilofield("info", path).stdout.split())
    assert "4 in 2 chunks of " in text
    assert "tiers 2 of 100, 100 Gaussians, to be seen from the first " in text
    assert "positions on a grid of 0.0041" in text
    assert "(octree, zstd), " in text
    assert "file version 1; 16 checksums, " in text
    assert "made by name test, fidelity (normal 999 0.1235), steps [1, 2]" in text
    path.write_bytes(pack_kilo(random_scene(on_grid=False, stepped=False, modulation=(2, 2, 2))))
    text = " ".join(kilofield("info", path).stdout.split())
    assert "positions half floats" in text
    assert "half-float weights each" in text
    assert "file version 1; requires modulation; 6 checksums, " in text
    assert "tiers" not in text


def test_chunks_of_a_surface(tmp_path: Path) -> None:
    path = tmp_path / "a.kilo"
    write_surface(path, sample(), chunks=[20, 4], tool=TOOL)
    found = json.loads(kilofield("info", path, "--json", "-").stdout)
    assert [part["cells"] for part in found["parts"]] == [[0, 20], [20, 4]]
    names = ("coordinates", "geometry", "appearance")
    assert sum(part["bytes"] for part in found["parts"]) == sum(found["streams"][name] for name in names)
    assert sum(found["streams"].values()) == path.stat().st_size
    text = " ".join(kilofield("info", path).stdout.split())
    assert "checksums, " in text
    assert "made by name test, fidelity (normal 999 0.1235)" in text

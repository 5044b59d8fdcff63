"""Of two made-up files, every byte and some bits flipped: all of it is seen, and its place named."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks.flipped_bytes import (
    Tally,
    areas_of,
    drawn_bits,
    drawn_bytes,
    every_byte,
    made_gaussians,
    made_surface,
    table,
    try_flips,
)

GAUSSIANS = made_gaussians(60, 2, [1, 1], 2)
SURFACE = made_surface(4, 2)


@pytest.mark.parametrize("data", [GAUSSIANS, SURFACE], ids=["gaussians", "surface"])
def test_flips_are_seen_and_their_places_named(data: bytes, tmp_path: Path) -> None:
    stops = [stop for stop, _ in areas_of(data, tmp_path)]
    edges = [(at, 1) for stop in stops for at in (stop - 1, stop) if at < len(data)]
    header = [(at, 1 << bit) for at in range(20) for bit in range(8)]
    flips = header + edges + drawn_bytes(len(data), 300, 0) + drawn_bits(len(data), 300, 1)
    tally = try_flips(data, flips, tmp_path)
    assert (tally.unseen, tally.blamed, tally.slow) == ([], [], [])
    assert tally.detected == tally.flips == len(flips)
    assert len(tally.places) > 10
    assert json.loads(json.dumps(asdict(tally)))["places"] == tally.places


def test_areas_cover_a_file(tmp_path: Path) -> None:
    for data in (GAUSSIANS, SURFACE):
        areas = areas_of(data, tmp_path)
        assert [stop for stop, _ in areas] == sorted(stop for stop, _ in areas)
        assert areas[-1][0] == len(data)


def test_what_is_not_seen_is_counted(tmp_path: Path) -> None:
    """A change that is none is taken for one that nobody sees."""
    tally = try_flips(GAUSSIANS, [(0, 0), (len(GAUSSIANS) - 1, 1)], tmp_path)
    assert (tally.flips, tally.detected, tally.unseen) == (2, 1, [(0, 0)])
    assert isinstance(tally, Tally)
    row = {"file": "a", "bytes": 5, "way": "bits", "flips": 2, "detected": 1, "longest": 0.0123}
    assert table([row]).splitlines()[-1] == "| a | 5 | bits | 2 | 1 (50 %) | 12 ms |"


def test_flips_change_something() -> None:
    ways = (drawn_bytes(9, 500, 0), drawn_bits(9, 500, 0), every_byte(9, 0))
    assert all(0 <= at < 9 and 0 < change < 256 for flips in ways for at, change in flips)
    assert all({at for at, _ in flips} == set(range(9)) for flips in ways)
    assert all(change.bit_count() == 1 for _, change in (*ways[1], *ways[2][9:]))
    assert len(ways[2]) == 18

"""A damaged or truncated .kilo opens as far as its chunks and tiers are whole, and says what is missing."""

from __future__ import annotations

import io
import json
import random
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_samples import kilofield

from scenes.content import ReadOptions
from scenes.errors import SceneFileError
from scenes.kilo import canonical_order, open_kilo, pack_kilo, read_kilo, salvage_kilo
from scenes.kilo_container import MEMORY, build, open_source
from scenes.kilo_reader import salvage_gaussians
from scenes.kilo_salvage import Damage, Lost, names_of
from scenes.kilo_surface import pack_surface, salvage_surface
from scenes.neural_gaussians import NeuralGaussians
from scenes.open_scene import open_scene
from scenes.surface import NeuralSurface
from tests.kilo_damage import mutate_manifest, mutate_streams, parts, put, streams_of
from tests.kilo_scenes import random_scene
from tests.kilo_surface_samples import assert_same, part_of, sample

SCENE = random_scene(count=300, networks=4)
TIERS = np.random.default_rng(0).integers(0, 3, 300)
WHOLE = pack_kilo(SCENE, chunks=[1, 2, 1], tiers=TIERS)
MANIFEST, _ = parts(WHOLE)
START = -(-(20 + int.from_bytes(WHOLE[8:12], "little")) // 4) * 4
ORDERED, ORDERED_TIERS = canonical_order(SCENE, TIERS), np.sort(TIERS + 3 * SCENE.clusters) % 3
CHUNK_OF = np.array([0, 1, 1, 2])  # of each cluster

SURFACE = sample()
SIZES = [10, 8, 6]
WHOLE_SURFACE = pack_surface(SURFACE, chunks=SIZES)


def salvaged(tmp_path: Path, data: bytes) -> tuple[NeuralGaussians, Damage]:
    damage = Damage()
    (tmp_path / "a.kilo").write_bytes(data)
    return salvage_kilo(tmp_path / "a.kilo", damage), damage


def salvaged_surface(tmp_path: Path, data: bytes) -> tuple[NeuralSurface, Damage]:
    damage = Damage()
    (tmp_path / "a.kilo").write_bytes(data)
    return salvage_surface(tmp_path / "a.kilo", damage), damage


def message(salvage: Callable[[], object]) -> str:
    with pytest.raises(SceneFileError) as error:
        salvage()
    return str(error.value)


def whole_parts(manifest: Any, ok: Callable[[dict[str, Any]], bool]) -> dict[int, list[int]]:
    """The chunks and tiers all of whose streams are `ok`, found the slow way."""
    found = {}
    for c, chunk in enumerate(manifest["chunks"]):
        tiers = [t for t, tier in enumerate(chunk["tiers"]) if ok(tier["positions"]) and ok(tier["codes"])]
        if ok(chunk["boxes"]) and ok(chunk["weights"]) and ok(chunk["steps"]) and tiers:
            found[c] = tiers
    return found


def assert_holds(found: NeuralGaussians, kept: dict[int, list[int]]) -> None:
    """The clusters of the chunks `kept`, and of their Gaussians those of some tiers, in order."""
    clusters = np.flatnonzero(np.isin(CHUNK_OF, list(kept)))
    chunk = CHUNK_OF[ORDERED.clusters]
    mine = np.array([c in kept and t in kept[c] for c, t in zip(chunk, ORDERED_TIERS, strict=True)])
    assert np.array_equal(found.positions, ORDERED.positions[mine])
    assert np.array_equal(found.codes, ORDERED.codes[mine])
    assert np.array_equal(found.counts, np.bincount(ORDERED.clusters[mine], minlength=4)[clusters])
    assert np.array_equal(found.boxes, ORDERED.boxes[clusters])
    assert np.array_equal(found.bank.weights, ORDERED.bank.weights[clusters])


def test_a_file_cut_anywhere_opens_as_far_as_it_goes(tmp_path: Path) -> None:
    edges = {START + end for s in streams_of(MANIFEST) for end in (s["offset"], s["offset"] + s["stored"])}
    seen = set()
    for length in sorted({*range(START, len(WHOLE), 61), *edges, *(edge - 1 for edge in edges)}):
        kept = whole_parts(MANIFEST, lambda s, end=length: START + s["offset"] + s["stored"] <= end)
        if not kept:
            assert "salvaged" in message(lambda end=length: salvaged(tmp_path, WHOLE[:end]))
            continue
        found, damage = salvaged(tmp_path, WHOLE[:length])
        assert_holds(found, kept)
        assert (damage.kept, damage.count) == (len(found), 300)
        assert bool(damage.notes()) == (length < len(WHOLE))
        seen.add(len(found))
    assert len(seen) > 6


def test_a_damaged_stream_costs_its_part_alone(tmp_path: Path) -> None:
    for stream in streams_of(MANIFEST["chunks"]):
        data = bytearray(WHOLE)
        data[START + stream["offset"] + stream["stored"] // 2] ^= 4
        kept = whole_parts(MANIFEST, lambda s, bad=stream: s["offset"] != bad["offset"])
        found, damage = salvaged(tmp_path, bytes(data))
        assert_holds(found, kept)
        assert len(damage.errors) == len(damage.lost) == 1
        assert not damage.lost[0].cut


def test_a_whole_file_is_read_as_ever(tmp_path: Path) -> None:
    found, damage = salvaged(tmp_path, WHOLE)
    assert_holds(found, {0: [0, 1, 2], 1: [0, 1, 2], 2: [0, 1, 2]})
    assert (damage.notes(), damage.errors) == ((), [])
    surface, damage = salvaged_surface(tmp_path, WHOLE_SURFACE)
    assert_same(surface, SURFACE)
    assert (damage.notes(), damage.errors) == ((), [])


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    chunks = MANIFEST["chunks"]
    data = bytearray(WHOLE[: START + chunks[1]["tiers"][1]["positions"]["offset"] + 2])
    data[START + chunks[2]["boxes"]["offset"]] ^= 1
    found, damage = salvaged(tmp_path, bytes(data))
    missing = len(WHOLE) - len(data)
    assert damage.notes() == (
        f"salvaged {len(found)} of 300 Gaussians",
        f"cut short: {missing:,} of {len(WHOLE):,} bytes are missing",
        "left out, not in the file: tier 2 of chunks 0 and 1, tier 1 of chunk 1",
        "left out, damaged: chunk 2",
    )
    places = [error.place for error in damage.errors]
    assert places[:2] == ["chunk 0 tier 2 positions", "chunk 0 tier 2 codes"]
    assert "chunk 2 boxes" in places
    assert "chunk 2 tier 1 codes" in places


def test_parts_are_named_in_few_words() -> None:
    lost = [Lost("", chunk, True) for chunk in (1, 3, 4, 6, 7, 8)] + [Lost("tier 1", 2, True)]
    assert names_of(lost) == "chunks 1, 3, 4 and 6 to 8, tier 1 of chunk 2"
    assert names_of(lost[:1]) == "chunk 1"
    assert names_of([]) == ""


def test_bytes_outside_of_streams_cost_nothing_and_are_told(tmp_path: Path) -> None:
    at = next(START + s["offset"] + s["stored"] for s in streams_of(MANIFEST) if s["stored"] % 4)
    data = bytearray(WHOLE + b"more")
    data[at] = 7
    found, damage = salvaged(tmp_path, bytes(data))
    assert_holds(found, {0: [0, 1, 2], 1: [0, 1, 2], 2: [0, 1, 2]})
    padding, behind = damage.notes()
    assert padding.startswith(f"byte {at}: expected zeros up to a multiple of 4, found 07")
    assert behind == f"file: expected {len(WHOLE)} bytes, found {len(WHOLE) + 4}"
    assert len(damage.errors) == 2


def test_without_what_all_is_read_with_nothing_is_salvaged(tmp_path: Path) -> None:
    path, data = tmp_path / "a.kilo", bytearray(WHOLE)
    data[START + MANIFEST["outputs"]["offset"]] ^= 1
    text = message(lambda: salvaged(tmp_path, bytes(data)))
    assert text.startswith(f"{path}: outputs: expected checksum {MANIFEST['outputs']['crc']:08x}, found ")
    assert text.endswith(", damaged; without it nothing is salvaged")
    text = message(lambda: salvaged(tmp_path, WHOLE[:100]))
    stored = 20 + int.from_bytes(WHOLE[8:12], "little")
    ending = "found 100, cut short; without it nothing is salvaged"
    assert text == f"{path}: manifest: expected a file of {stored} bytes or more, {ending}"
    with pytest.raises(SceneFileError, match="100, cut short; without it nothing is salvaged"):
        open_scene(path, options=ReadOptions(salvage=True))
    first = min(tier["codes"]["offset"] for chunk in MANIFEST["chunks"] for tier in chunk["tiers"])
    text = message(lambda: salvaged(tmp_path, WHOLE[: START + first]))
    assert text == f"{path}: chunks: expected one that is whole, found none of 3; nothing is salvaged"


def test_an_error_says_what_salvaging_would_bring(tmp_path: Path) -> None:
    path = tmp_path / "a.kilo"
    path.write_bytes(WHOLE[:-1])
    last = canonical_order(SCENE, TIERS)
    kept = 300 - int((ORDERED_TIERS[CHUNK_OF[last.clusters] == 2] == 2).sum())
    text = message(lambda: open_kilo(path, ReadOptions()))
    assert text.endswith(f"{len(WHOLE) - 1}, cut short (--salvage reads {kept} of 300 Gaussians)")
    scene, notes = open_kilo(path, ReadOptions(salvage=True))
    assert (len(scene), len(notes)) == (kept, 3)
    path.write_bytes(pack_kilo(SCENE)[:-1])  # one chunk, one tier
    assert "--salvage" not in message(lambda: open_kilo(path, ReadOptions()))
    path.write_bytes(WHOLE + b"more")
    assert message(lambda: open_kilo(path, ReadOptions())).endswith(" (--salvage reads 300 of 300 Gaussians)")
    path.write_bytes(WHOLE)
    assert "at most 299 Gaussians (--max-gaussians), found 300" in message(
        lambda: open_kilo(path, ReadOptions(max_gaussians=299, salvage=True))
    )


def grey(surface: NeuralSurface, rows: slice) -> NeuralSurface:
    assert surface.appearance is not None
    weights = surface.appearance.weights.copy()
    weights[rows] = 0
    return replace(surface, appearance=replace(surface.appearance, weights=weights), appearance_coding=None)


def test_a_surface_loses_the_cells_of_damaged_chunks_and_elsewhere_only_colour(tmp_path: Path) -> None:
    manifest, _ = parts(WHOLE_SURFACE)
    start = -(-(20 + int.from_bytes(WHOLE_SURFACE[8:12], "little")) // 4) * 4
    rows = np.split(np.arange(24), np.cumsum(SIZES)[:-1])
    for c, chunk in enumerate(manifest["chunks"]):
        for name in ("coordinates", "geometry", "appearance"):
            data = bytearray(WHOLE_SURFACE)
            data[start + chunk[name]["offset"]] ^= 16
            found, damage = salvaged_surface(tmp_path, bytes(data))
            if name == "appearance":
                assert_same(found, grey(SURFACE, slice(rows[c][0], rows[c][-1] + 1)))
                share, what = f"24 of 24 cells, {SIZES[c]} of them without colour", f"the colour of chunk {c}"
            else:
                assert_same(found, part_of(SURFACE, np.concatenate(rows[:c] + rows[c + 1 :])))
                share, what = f"{24 - SIZES[c]} of 24 cells", f"chunk {c}"
            assert damage.notes() == (f"salvaged {share}", f"left out, damaged: {what}")
            assert [error.place for error in damage.errors] == [f"chunk {c} {name}"]


def test_cells_without_colour_are_grey(tmp_path: Path) -> None:
    manifest, _ = parts(WHOLE_SURFACE)
    start = -(-(20 + int.from_bytes(WHOLE_SURFACE[8:12], "little")) // 4) * 4
    cut = start + manifest["chunks"][2]["appearance"]["offset"]
    found, _ = salvaged_surface(tmp_path, WHOLE_SURFACE[:cut])
    middles = (SURFACE.grid.origin + SURFACE.grid.edge * (SURFACE.cells + 0.5)).astype(np.float32)
    along = np.tile(np.array([[0, 0, 1]], np.float32), (24, 1))
    colours = found.colour(middles, along, along)
    assert np.all(colours[18:] == 0.5)
    assert not np.any(np.all(colours[:18] == 0.5, axis=1))
    assert np.array_equal(colours[:18], SURFACE.colour(middles, along, along)[:18])


def test_a_surface_without_any_whole_colour_has_none(tmp_path: Path) -> None:
    manifest, _ = parts(WHOLE_SURFACE)
    start = -(-(20 + int.from_bytes(WHOLE_SURFACE[8:12], "little")) // 4) * 4
    data = bytearray(WHOLE_SURFACE)
    data[start + manifest["appearance"]["steps"]["offset"]] ^= 1
    found, damage = salvaged_surface(tmp_path, bytes(data))
    assert_same(found, replace(SURFACE, appearance=None, appearance_coding=None))
    assert damage.notes() == (
        "salvaged 24 of 24 cells, 24 of them without colour",
        "left out, damaged: the colour of chunks 0 to 2",
    )
    data[start + manifest["geometry"]["mean"]["offset"]] ^= 1
    text = message(lambda: salvaged_surface(tmp_path, bytes(data)))
    assert ": geometry mean: expected checksum " in text
    assert text.endswith(", damaged; without it nothing is salvaged")


def test_a_surface_cut_anywhere_opens_as_far_as_it_goes(tmp_path: Path) -> None:
    manifest, _ = parts(WHOLE_SURFACE)
    start = -(-(20 + int.from_bytes(WHOLE_SURFACE[8:12], "little")) // 4) * 4
    places = np.cumsum([0, *SIZES])
    for length in range(start, len(WHOLE_SURFACE), 97):
        whole = [
            [start + chunk[name]["offset"] + chunk[name]["stored"] <= length for name in ("geometry", "appearance")]
            for chunk in manifest["chunks"]
        ]
        cells = sum(size for size, (shape, _) in zip(SIZES, whole, strict=True) if shape)
        if not cells:
            assert "salvaged" in message(lambda end=length: salvaged_surface(tmp_path, WHOLE_SURFACE[:end]))
            continue
        found, damage = salvaged_surface(tmp_path, WHOLE_SURFACE[:length])
        coloured = int(places[sum(colour for _, colour in whole)])
        assert (len(found), damage.kept, damage.grey) == (cells, cells, cells - coloured)
        assert np.array_equal(found.geometry.weights, SURFACE.geometry.weights[:cells])


@pytest.mark.filterwarnings("error")
def test_mutations_do_no_harm_to_who_salvages() -> None:
    """What is salvaged is finite, or `SceneFileError`, in little memory."""
    manifest, streams = parts(pack_kilo(random_scene(count=40, networks=2, code=2, degree=0), chunks=[1, 1]))
    text = json.dumps(manifest)
    rng, rejected, read = random.Random(2), 0, 0
    tracemalloc.start()
    for _ in range(300):
        manifest, mutated = json.loads(text), streams
        if rng.random() < 0.5:
            mutate_manifest(manifest, rng)
        else:
            mutated = mutate_streams(manifest, streams, rng)
        data = build(manifest, mutated)
        damage = Damage()
        try:
            scene = salvage_gaussians(_source(data[: rng.randrange(len(data))] if rng.random() < 0.3 else data), damage)
        except SceneFileError:
            rejected += 1
        else:
            assert np.isfinite(scene.positions).all()
            assert np.isfinite(scene.bank.weights).all()
            assert len(scene) == damage.kept <= damage.count
            read += 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rejected > 60
    assert read > 60
    assert peak < 64e6


def _source(data: bytes) -> Any:
    return open_source(io.BytesIO(data), MEMORY)


def test_streams_that_are_not_there_take_no_memory(tmp_path: Path) -> None:
    """A small file that claims a chunk of 2^40 bytes behind its end."""
    manifest, streams = parts(WHOLE)
    last = manifest["chunks"][2]["tiers"][2]["codes"]
    put("stored", 1 << 40)(last)
    found, damage = salvaged(tmp_path, build(manifest, streams))
    assert damage.lost == [Lost("tier 2", 2, True)]
    assert damage.errors[0].found == f"{len(streams[-1])}, cut short"
    assert len(found) == damage.kept < 300


def test_commands_say_what_was_salvaged(tmp_path: Path) -> None:
    path, out = tmp_path / "a.kilo", tmp_path / "out.ply"
    path.write_bytes(WHOLE[:-1])
    refused = kilofield("convert", path, out)
    assert refused.exit_code == 1
    assert "cut short (--salvage reads " in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    done = kilofield("convert", path, out, "--salvage")
    assert done.exit_code == 0
    scene, notes = open_kilo(path, ReadOptions(salvage=True))
    assert done.stderr.splitlines() == [f"{path}: {note}" for note in notes]
    assert f"{len(scene)} Gaussians" in done.stdout
    path.write_bytes(WHOLE_SURFACE[:-1])
    shown = kilofield("info", path, "--salvage")
    assert shown.exit_code == 0
    assert f"{path}: salvaged 24 of 24 cells, 6 of them without colour" in shown.stderr
    assert open_scene(path, options=ReadOptions(salvage=True)).notes[0].startswith("salvaged 24 of 24 cells")


def test_the_hint_is_what_salvaging_brings(tmp_path: Path) -> None:
    """It looks at checksums alone; the reader decodes."""
    path, rng = tmp_path / "a.kilo", random.Random(3)
    for whole in (WHOLE, WHOLE_SURFACE):
        for _ in range(25):
            data = bytearray(whole[: rng.randrange(len(whole) // 2, len(whole))])
            data[rng.randrange(len(data) // 4, len(data))] ^= 1
            path.write_bytes(data)
            text = message(lambda: open_scene(path))
            damage = Damage()
            try:
                salvage_surface(path, damage) if whole is WHOLE_SURFACE else salvage_kilo(path, damage)
            except SceneFileError:
                assert "--salvage" not in text
            else:
                assert text.endswith(f" (--salvage reads {damage.share})")


def test_the_selection_of_a_whole_file_is_the_same_as_ever(tmp_path: Path) -> None:
    """What is cut off behind tier 0 of all chunks is what `tiers=[0]` reads."""
    end = START + max(c["tiers"][0]["codes"]["offset"] + c["tiers"][0]["codes"]["stored"] for c in MANIFEST["chunks"])
    found, _ = salvaged(tmp_path, WHOLE[:end])
    (tmp_path / "whole.kilo").write_bytes(WHOLE)
    expected = read_kilo(tmp_path / "whole.kilo", tiers=[0])
    assert np.array_equal(found.positions, expected.positions)
    assert np.array_equal(found.codes, expected.codes)
    assert np.array_equal(found.counts, expected.counts)
    assert np.array_equal(found.boxes, expected.boxes)

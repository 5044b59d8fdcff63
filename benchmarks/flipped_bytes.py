"""One changed byte, or one changed bit, in a .kilo: is it seen, is its place named, and how long does that take?

    python -m benchmarks.flipped_bytes [FILE.kilo ...]

Opens a copy of each file as the commands do, once for each of 10,000 places drawn at random with another byte there,
and once for each of 10,000 with one bit turned. Of two made-up files, Gaussians and a surface, every byte is tried in
both ways. A reader has to raise `SceneFileError` about the place that was changed: a stream by its name, padding by its
first byte, or the header and manifest, which share a checksum. What it reads as if nothing was wrong, what it blames
something else for, and what takes over a second of the processor is counted and shown; any other error ends the run.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import add_folders, machine_facts
from commands.console import progress
from scenes.atomic import replacing
from scenes.bank import BankShape, MlpBank
from scenes.errors import SceneFileError
from scenes.kilo import pack_kilo
from scenes.kilo_container import open_source, read_json_manifest
from scenes.kilo_manifest import parse_manifest
from scenes.kilo_pack import columns_of_weights
from scenes.kilo_surface import coded_weights, pack_surface
from scenes.kilo_surface_manifest import parse_surface
from scenes.neural_gaussians import AttributeLayout, NeuralGaussians, PositionGrid
from scenes.octree import morton_codes
from scenes.open_scene import open_scene
from scenes.surface import CellGrid, NeuralSurface, WeightCoding

PLACES = 10_000
HANGING = 1.0  # seconds of the processor
FRONT = frozenset({"header", "manifest", "file"})  # places in messages about what lies before the data
Flip = tuple[int, int]  # place, and what the byte there is combined with by exclusive or


@dataclass
class Tally:
    """What became of some flips in one file."""

    flips: int = 0
    detected: int = 0  # `SceneFileError` about the right place
    unseen: list[Flip] = field(default_factory=list)
    blamed: list[tuple[Flip, str]] = field(default_factory=list)  # something else
    slow: list[tuple[Flip, float]] = field(default_factory=list)  # seconds
    longest: float = 0.0  # seconds
    places: dict[str, int] = field(default_factory=dict)  # what was damaged, and how often


def try_flips(data: bytes, flips: Iterable[Flip], folder: Path) -> Tally:
    """Opens `data` with each of `flips` in turn, as a file in `folder`."""
    path, areas, tally = folder / "flipped.kilo", areas_of(data, folder), Tally()
    for at, change in flips:
        damaged = bytearray(data)
        damaged[at] ^= change
        path.write_bytes(damaged)
        expected = next(name for stop, name in areas if at < stop)
        start = time.process_time()
        _try(path, (at, change), expected, tally)
        seconds = time.process_time() - start
        tally.flips += 1
        tally.places[expected] = tally.places.get(expected, 0) + 1
        tally.longest = max(tally.longest, seconds)
        if seconds > HANGING:
            tally.slow.append(((at, change), seconds))
    return tally


def _try(path: Path, flip: Flip, expected: str, tally: Tally) -> None:
    try:
        open_scene(path)
    except SceneFileError as error:
        if error.place == expected or (expected == "manifest" and error.place in FRONT):
            tally.detected += 1
        else:
            tally.blamed.append((flip, error.place))
    else:
        tally.unseen.append(flip)


def areas_of(data: bytes, folder: Path) -> list[tuple[int, str]]:
    """Where each part of a whole file ends, and what a message about it calls it; in order."""
    path = folder / "whole.kilo"
    path.write_bytes(data)
    with path.open("rb") as file:
        source = open_source(file, str(path))
        document, end = read_json_manifest(source)
        parse = parse_surface if document["kind"] == "surface" else parse_manifest
        manifest = parse(source, document, end)
    areas = [(end, "manifest")]
    for name, stream in sorted(manifest.streams(), key=lambda item: (item[1].offset, item[1].stop)):
        begin = manifest.start + stream.offset
        areas += [(begin, f"byte {areas[-1][0]}"), (begin + stream.stored, name)]
    return areas


def drawn_bytes(size: int, count: int, seed: int) -> list[Flip]:
    """`count` places of a file, any other byte at each."""
    rng = np.random.default_rng(seed)
    return list(zip(rng.integers(0, size, count).tolist(), rng.integers(1, 256, count).tolist(), strict=True))


def drawn_bits(size: int, count: int, seed: int) -> list[Flip]:
    """`count` places of a file, one bit of each."""
    rng = np.random.default_rng(seed)
    return [
        (at, 1 << bit)
        for at, bit in zip(rng.integers(0, size, count).tolist(), rng.integers(0, 8, count).tolist(), strict=True)
    ]


def every_byte(size: int, seed: int) -> list[Flip]:
    """All of them in order, any other byte at each, and then one bit of each."""
    rng = np.random.default_rng(seed)
    changes = [*rng.integers(1, 256, size).tolist(), *(1 << rng.integers(0, 8, size)).tolist()]
    return list(zip([*range(size), *range(size)], changes, strict=True))


def made_gaussians(count: int, networks: int, chunks: Sequence[int], tiers: int) -> bytes:
    """A file of random Gaussians on a grid, in chunks and tiers."""
    rng = np.random.default_rng(0)
    shape = BankShape((1.0, 2.5), 8, 16, 1, AttributeLayout(1).outputs, linear=True)
    grid = PositionGrid((-1.0, -2.0, -3.0), 0.0041, 9)
    cells = np.clip(rng.normal(256, 40, (count, 3)), 0, 511).astype(np.uint32)
    cells = cells[np.argsort(morton_codes(cells), kind="stable")]
    steps = np.full((networks, len(shape.blocks())), 0.01, np.float32)
    integers = np.clip(np.rint(rng.laplace(0, 12, (networks, shape.parameters))), -127, 127).astype(np.float32)
    scene = NeuralGaussians(
        positions=grid.positions(cells),
        codes=np.rint(rng.laplace(0, 3, (count, 8))).astype(np.int16),
        counts=np.bincount(np.arange(count) * networks // count, minlength=networks),
        boxes=rng.uniform(0.5, 1.5, (networks, 2, 3)).astype(np.float32),
        bank=MlpBank(shape, integers * steps[:, columns_of_weights(shape)]),
        output_offset=np.zeros(shape.outputs, np.float32),
        output_scale=rng.uniform(0.5, 1.5, shape.outputs).astype(np.float32),
        sh_degree=1,
        grid=grid,
        weight_steps=steps,
    )
    return pack_kilo(scene, chunks=list(chunks), tiers=np.arange(count) % tiers, tool={"name": "flipped_bytes"})


def made_surface(side: int, chunks: int) -> bytes:
    """A file of random networks in the cells of a shell, in chunks."""
    every = np.array(list(product(range(side), repeat=3)))
    middle = np.abs(np.linalg.norm(every - (side - 1) / 2, axis=1) - side / 3)
    cells = every[middle < 0.6]
    cells = cells[np.argsort(morton_codes(cells))]
    rng = np.random.default_rng(0)
    banks, codings = [], []
    for code, outputs, end in ((0, 1, "none"), (6, 3, "tanh")):
        shape = BankShape((), code, 8, 1, outputs, linear=False, activation="sine", output_activation=end)
        mean = rng.normal(0, 0.3, shape.parameters).astype(np.float32)
        coding = WeightCoding(mean, rng.uniform(0.002, 0.01, len(shape.blocks())).astype(np.float32))
        integers = np.rint(rng.laplace(0, 10, (len(cells), shape.parameters))).astype(np.int64)
        banks.append(MlpBank(shape, coded_weights(integers, coding, shape)))
        codings.append(coding)
    surface = NeuralSurface(CellGrid((-1, -1, -1), 2 / side, (side, side, side)), cells, 0.2, *banks, *codings)
    sizes = [len(part) for part in np.array_split(cells, chunks)]
    return pack_surface(surface, chunks=sizes, tool={"name": "flipped_bytes"})


def run(files: Sequence[Path], places: int) -> list[dict[str, Any]]:
    """The figures of every file and way of flipping."""
    small = {"gaussians, made up": made_gaussians(60, 2, [1, 1], 2), "surface, made up": made_surface(4, 2)}
    work = [(name, data, "every byte, and a bit of it", every_byte(len(data), 0)) for name, data in small.items()]
    for seed, path in enumerate(files):
        data = path.read_bytes()
        work.append((path.name, data, "bytes", drawn_bytes(len(data), places, 2 * seed)))
        work.append((path.name, data, "bits", drawn_bits(len(data), places, 2 * seed + 1)))
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder, progress("flipped bytes", quiet=False) as step:
        for done, (name, data, way, flips) in enumerate(work):
            step(done / len(work), f"{name}: {way}")
            tally = try_flips(data, flips, Path(folder))
            found.append({"file": name, "bytes": len(data), "way": way, **asdict(tally)})
    return found


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The figures as Markdown."""
    lines = [
        "| file | bytes | flipped | times | detected, place named | longest, processor |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        share = f"{row['detected']:,} ({100 * row['detected'] / row['flips']:.4g} %)"
        longest = f"{1000 * row['longest']:.0f} ms"
        cells = (row["file"], f"{row['bytes']:,}", row["way"], f"{row['flips']:,}", share, longest)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE.kilo")
    parser.add_argument("--places", type=int, default=PLACES, help="of each file")
    add_folders(parser)
    wanted = parser.parse_args()
    rows = run(wanted.files, wanted.places)
    print(table(rows))
    with replacing(wanted.out / "flipped-bytes.json") as temporary:
        temporary.write_text(json.dumps({"rows": rows, "machine": machine_facts("none")}, indent=1) + "\n")


if __name__ == "__main__":
    main()

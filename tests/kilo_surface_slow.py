"""A slow reader of .kilo files of surfaces in plain Python, written from docs/kilo-format.md alone.

It shares no code with the program, and checks little: it is for files known to be good.
"""

from __future__ import annotations

import math
import struct
from itertools import product
from typing import Any

from tests.kilo_slow import Bank, opened, read_array

Cell = tuple[int, ...]


def single(x: float) -> float:
    """Rounded to single precision."""
    return struct.unpack("<f", struct.pack("<f", x))[0]


class Surface:
    def __init__(self, data: bytes) -> None:
        self.manifest, self._data = opened(data)
        assert self.manifest["kind"] == "surface"
        assert set(self.manifest.get("requires", [])) <= {"modulation"}
        self.banks = {n: Bank(self.manifest[n]) for n in ("geometry", "appearance") if self.manifest.get(n)}
        self.networks: dict[str, dict[Cell, list[float]]] = {name: {} for name in self.banks}
        bits = 1
        while 2**bits < max(self.manifest["grid"]["size"]):
            bits += 1
        for chunk in self.manifest["chunks"]:
            numbers = read_array(self._data, chunk["coordinates"], bits=bits)
            cells = [tuple(numbers[i : i + 3]) for i in range(0, len(numbers), 3)]
            assert len(cells) == chunk["cells"][1]
            for name in self.banks:
                self.networks[name] |= zip(cells, self._weights(name, chunk), strict=True)

    def _weights(self, name: str, chunk: dict[str, Any]) -> list[list[float]]:
        """The weights of a chunk's networks."""
        entry, block_of = self.manifest[name], self.banks[name].block_of
        p = len(block_of)
        tables = read_array(self._data, entry["tables"]) if entry.get("tables") else block_of
        weights = read_array(self._data, chunk[name], tables)
        if entry.get("steps"):
            steps = read_array(self._data, entry["steps"])
            mean = read_array(self._data, entry["mean"]) if entry.get("mean") else [0.0] * p
            steps = steps if len(steps) == p else [steps[block] for block in block_of]
            weights = [single(mean[i % p] + single(w * steps[i % p])) for i, w in enumerate(weights)]
        return [weights[i : i + p] for i in range(0, len(weights), p)]

    def distance(self, point: list[float]) -> float | None:
        """Signed, world units; none where there is no cell."""
        y = self._blended("geometry", point, [])
        return None if y is None else self.manifest["grid"]["edge"] * y[0]

    def colour(self, point: list[float], normal: list[float], direction: list[float]) -> list[float]:
        """Red, green, blue; grey where there is none."""
        if "appearance" not in self.banks:
            return [0.5] * 3
        code = normal + direction if self.manifest["appearance"]["code"] else []
        y = self._blended("appearance", point, code)
        return [0.5] * 3 if y is None else [0.5 + 0.5 * v for v in y]

    def _blended(self, name: str, point: list[float], code: list[float]) -> list[float] | None:
        grid, overlap = self.manifest["grid"], self.manifest["overlap"]
        place = [(x - o) / grid["edge"] for x, o in zip(point, grid["origin"], strict=True)]
        cell = [math.floor(x) for x in place]
        if tuple(cell) not in self.networks[name]:
            return None
        offset = [2 * (x - c) - 1 for x, c in zip(place, cell, strict=True)]
        side = [-1 if x < 0 else 1 for x in offset]
        share = [0.0] * 3
        if overlap > 0:
            ts = [max(abs(x) - (1 - overlap), 0) / (2 * overlap) for x in offset]
            share = [3 * t**2 - 2 * t**3 for t in ts]
        total, weights = [0.0] * self.manifest[name]["outputs"], 0.0
        for corner in product((0, 1), repeat=3):
            weight = math.prod(s if beyond else 1 - s for s, beyond in zip(share, corner, strict=True))
            neighbour = tuple(c + s * beyond for c, s, beyond in zip(cell, side, corner, strict=True))
            if weight > 0 and neighbour in self.networks[name]:
                local = [(x - 2 * s * b) / (1 + overlap) for x, s, b in zip(offset, side, corner, strict=True)]
                y = self.banks[name].outputs(self.networks[name][neighbour], local, code)
                total = [a + weight * b for a, b in zip(total, y, strict=True)]
                weights += weight
        return [a / weights for a in total]

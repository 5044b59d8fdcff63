"""A slow reader of .kilo files in plain Python, written from docs/kilo-format.md alone: the twin of `scenes.kilo`.

It shares no code with the program, and checks little: it is for files known to be good.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from typing import Any


def read(data: bytes) -> dict[str, Any]:
    """Positions, attributes [N][D] and clusters of all Gaussians, in file order (chunk, tier, cluster)."""
    return _Scene(*opened(data)).gaussians()


def opened(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The manifest, and the bytes from where the data starts."""
    magic, version, stored, length, crc = struct.unpack_from("<4s4I", data)
    assert (magic, version) == (b"KILO", 1)
    body = data[20 : 20 + stored]
    assert crc == zlib.crc32(data[:16] + body)
    manifest = json.loads(body if stored == length else zlib.decompress(body))
    start = (20 + stored + 3) // 4 * 4
    return manifest, data[start:]


class Bits:
    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data, self.at = data, 8 * at

    def take(self, count: int) -> int:
        value = 0
        for _ in range(count):
            value = 2 * value + (self.data[self.at // 8] >> (7 - self.at % 8) & 1)
            self.at += 1
        return value

    def golomb(self, k: int) -> int:
        z = 0
        while self.take(1) == 0:
            z += 1
        return 2 ** (z + k) + self.take(z + k) - 2**k

    def signed(self, k: int) -> int:
        v = self.golomb(k)
        return v // 2 if v % 2 == 0 else -(v + 1) // 2


class Rans:
    def __init__(self, data: bytes) -> None:
        self.p, self.lanes = data[0] & 15, 1 << (data[0] >> 4)
        bits = Bits(data, 3)
        self.tables = [self._table(bits) for _ in range(data[1] + 256 * data[2])]
        at = (bits.at + 7) // 8
        self.states = list(struct.unpack_from(f"<{self.lanes}I", data, at))
        self.words = list(struct.iter_unpack("<H", data[at + 4 * self.lanes :]))
        self.count = self.used = 0

    def _table(self, bits: Bits) -> tuple[int, list[int], list[int]]:
        """Minimum, starts and frequencies."""
        span = bits.golomb(1)
        if span == 0:
            return 0, [], []
        minimum, m, k = bits.signed(2), bits.take(3), bits.take(2)
        codes: list[int] = []
        last = 0
        while len(codes) < span:
            codes.append(last + bits.signed(k))
            if codes[-1] > 0:
                last = codes[-1]
            else:
                codes += [0] * bits.golomb(0)
        exponents = [max((code >> m) - 1, 0) for code in codes]
        weights = [(code - e * 2**m) * 2**e for code, e in zip(codes, exponents, strict=True)]
        free, total = 2**self.p - sum(code > 0 for code in codes), sum(weights)
        starts, frequencies, w, r = [], [], 0, 0
        for weight in weights:
            starts.append(w * free // total + r)
            w, r = w + weight, r + (weight > 0)
            frequencies.append(w * free // total + r - starts[-1] if weight else 0)
        return minimum, starts, frequencies

    def next(self, table: int) -> int:
        minimum, starts, frequencies = self.tables[table]
        lane = self.count % self.lanes
        x = self.states[lane]
        slot = x & (2**self.p - 1)
        s = next(i for i, (a, f) in enumerate(zip(starts, frequencies, strict=True)) if a <= slot < a + f)
        x = frequencies[s] * (x >> self.p) + slot - starts[s]
        if x < 2**16:
            x = x << 16 | self.words[self.used][0]
            self.used += 1
        self.states[lane] = x
        self.count += 1
        return minimum + s

    def done(self) -> None:
        assert self.used == len(self.words)
        assert set(self.states) == {2**16}


def octree(data: bytes, b: int, n: int) -> list[tuple[int, int, int]]:
    (size,) = struct.unpack_from("<I", data)
    rans, plain = Rans(data[4 : 4 + size]), Bits(data[4 + size :])
    assert len(rans.tables) == 85
    nodes, leaves = [(0, 0)], []  # code, children of the parent
    for level in range(b):
        q, width = max(len(nodes) - 1, 0), 3 * (b - level)
        flags = [rans.next(16 * q // n * 5 + min(parents, 4)) for _, parents in nodes]
        split = [code for (code, _), flag in zip(nodes, flags, strict=True) if flag == 0]
        for (code, _), flag in zip(nodes, flags, strict=True):
            if flag == 1:
                leaves.append(code * 2**width + plain.take(width))
        nodes = []
        for code in split:
            occupancy = rans.next(80 + 4 * q // n)
            nodes += [(8 * code + j, occupancy.bit_count()) for j in range(8) if occupancy >> j & 1]
    leaves = sorted(leaves + [code for code, _ in nodes])
    repeated = [leaf for leaf in leaves for _ in range(1 + rans.next(84))]
    rans.done()
    return [tuple(sum((m >> 3 * i + axis & 1) << i for i in range(b)) for axis in range(3)) for m in repeated]  # type: ignore[misc]


def read_array(data: bytes, stream: dict[str, Any], tables: list[int] | None = None, bits: int = 0) -> list[Any]:
    """The numbers of a stream, flat."""
    data = data[stream["offset"] : stream["offset"] + stream["stored"]]
    assert zlib.crc32(data) == stream["crc"]
    if stream["codec"] == "rans":
        assert tables is not None
        rans = Rans(data)
        values = [rans.next(t) for _ in range(stream["shape"][0]) for t in tables]
        rans.done()
        return values
    if stream["codec"] == "octree":
        return [x for cell in octree(data, bits, stream["shape"][0]) for x in cell]
    if stream["codec"] == "zstd":
        import zstandard

        data = zstandard.ZstdDecompressor().decompress(data, max_output_size=stream["raw"])
    letter = {"int8": "b", "int16": "h", "uint32": "I", "float16": "e", "float32": "f"}[stream["dtype"]]
    return [x for (x,) in struct.iter_unpack("<" + letter, data)]


class Bank:
    """The shape of networks, and what they say of a point."""

    def __init__(self, bank: dict[str, Any]) -> None:
        self.bank, self.sides = bank, bank.get("modulation", [])
        frequencies, c, w, h, d = (bank[k] for k in ("frequencies", "code", "width", "layers", "outputs"))
        self.blocks: list[tuple[int, int]] = []
        fan_in = 3 + 6 * len(frequencies) + c
        for _ in range(h):
            self.blocks += [(fan_in, w), (1, w)] + ([(math.prod(self.sides), 2)] if self.sides else [])
            fan_in = w
        self.blocks += [(w, d)] if h else []
        self.blocks += [(1, d)] + ([(c, d)] if bank["linear"] else [])
        self.block_of = [b for b, (rows, columns) in enumerate(self.blocks) for _ in range(rows * columns)]

    def outputs(self, weights: list[float], local: list[float], code: list[float]) -> list[float]:
        """y of one network."""
        matrices, at = [], 0
        for rows, columns in self.blocks:
            matrices.append([weights[at + r * columns : at + (r + 1) * columns] for r in range(rows)])
            at += rows * columns
        hidden = list(local)
        for f in self.bank["frequencies"]:
            hidden += [math.sin(f * x) for x in local] + [math.cos(f * x) for x in local]
        hidden += code
        h, rest = self.bank["layers"], matrices
        for _ in range(h):
            z = _add(_times(hidden, rest.pop(0)), rest.pop(0)[0])
            if self.sides:
                z = _modulated(z, rest.pop(0), self.sides, local)
            hidden = [_activation(x, self.bank["activation"]) for x in z]
        y = [0.0] * self.bank["outputs"]
        if h:
            y = _times(hidden, rest.pop(0))
        y = _add(y, rest.pop(0)[0])
        if self.bank["linear"]:
            y = _add(y, _times(code, rest.pop(0)))
        return [math.tanh(x) for x in y] if self.bank["output_activation"] == "tanh" else y


class _Scene:
    def __init__(self, manifest: dict[str, Any], data: bytes) -> None:
        self.manifest, self.data, self.bank = manifest, data, Bank(manifest["bank"])
        assert manifest["kind"] == "gaussians"
        assert manifest.get("requires", []) == (["modulation"] if self.bank.sides else [])

    def array(self, stream: dict[str, Any], tables: list[int] | None = None) -> list[Any]:
        return read_array(self.data, stream, tables, self.manifest["grid"]["bits"] if self.manifest.get("grid") else 0)

    def gaussians(self) -> dict[str, Any]:
        self.outputs = self.array(self.manifest["outputs"])
        found: dict[str, Any] = {"positions": [], "attributes": [], "clusters": []}
        for chunk in self.manifest["chunks"]:
            boxes, networks = self.array(chunk["boxes"]), self._networks(chunk)
            for tier in chunk["tiers"]:
                self._tier(chunk, tier, boxes, networks, found)
        return found

    def _networks(self, chunk: dict[str, Any]) -> list[list[float]]:
        block_of = self.bank.block_of
        weights = self.array(chunk["weights"], block_of)
        p, networks = len(block_of), chunk["clusters"][1]
        if chunk.get("steps"):
            steps, blocks = self.array(chunk["steps"]), len(self.bank.blocks)
            weights = [w * steps[i // p * blocks + block_of[i % p]] for i, w in enumerate(weights)]
        return [weights[k * p : (k + 1) * p] for k in range(networks)]

    def _tier(self, chunk: Any, tier: Any, boxes: list[float], networks: list[list[float]], found: Any) -> None:
        c = self.bank.bank["code"]
        numbers = self.array(tier["positions"])
        if grid := self.manifest.get("grid"):
            numbers = [grid["origin"][i % 3] + grid["step"] * cell for i, cell in enumerate(numbers)]
        codes = self.array(tier["codes"], list(range(c))) if c else []
        i = 0
        for k, count in enumerate(tier["counts"]):
            for _ in range(count):
                position, box = numbers[3 * i : 3 * i + 3], boxes[6 * k : 6 * k + 6]
                local = [(position[a] - box[a]) / box[3 + a] for a in range(3)]
                found["positions"].append(position)
                found["attributes"].append(self._attributes(networks[k], local, codes[c * i : c * i + c]))
                found["clusters"].append(chunk["clusters"][0] + k)
                i += 1

    def _attributes(self, weights: list[float], local: list[float], code: list[float]) -> list[float]:
        y = self.bank.outputs(weights, local, code)
        d = len(y)
        return [self.outputs[j] + self.outputs[d + j] * y[j] for j in range(d)]


def _times(row: list[float], matrix: list[list[float]]) -> list[float]:
    return [sum(x * line[j] for x, line in zip(row, matrix, strict=True)) for j in range(len(matrix[0]))]


def _add(a: list[float], b: list[float]) -> list[float]:
    return [x + y for x, y in zip(a, b, strict=True)]


def _modulated(z: list[float], grid: list[list[float]], sides: list[int], local: list[float]) -> list[float]:
    mean = sum(z) / len(z)
    variance = sum((x - mean) ** 2 for x in z) / len(z)
    g = b = 0.0
    for i, (point_g, point_b) in enumerate(grid):
        ks = (i // (sides[1] * sides[2]), i // sides[2] % sides[1], i % sides[2])
        places = [(min(max(x, -1), 1) + 1) / 2 * (s - 1) for x, s in zip(local, sides, strict=True)]
        hats = [max(1 - abs(x - k), 0) for x, k in zip(places, ks, strict=True)]
        g, b = g + math.prod(hats) * point_g, b + math.prod(hats) * point_b
    return [(1 + 10 * g) * (x - mean) / math.sqrt(variance + 1e-5) + 10 * b for x in z]


def _activation(x: float, name: str) -> float:
    return {
        "tanh": math.tanh,
        "relu": lambda v: max(v, 0.0),
        "softplus": lambda v: math.log1p(math.exp(v)) if v < 30 else v,
        "sine": lambda v: math.sin(3 * v),
    }[name](x)

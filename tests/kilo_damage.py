"""Ways to damage a .kilo: its manifest changed, its streams changed and their checksums mended."""

from __future__ import annotations

import json
import random
import struct
import zlib
from typing import Any


def parts(data: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """The manifest and the streams in file order."""
    _, _, stored, length, _ = struct.unpack_from("<4s4I", data)
    body = data[20 : 20 + stored]
    manifest = json.loads(body if stored == length else zlib.decompress(body))
    start = -(-(20 + stored) // 4) * 4
    streams = sorted(streams_of(manifest), key=lambda s: (s["offset"], s["stored"]))
    return manifest, [data[start + s["offset"] : start + s["offset"] + s["stored"]] for s in streams]


def streams_of(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        return [value] if "crc" in value else [s for v in value.values() for s in streams_of(v)]
    return [s for v in value for s in streams_of(v)] if isinstance(value, list) else []


def put(path: str, value: Any):
    """A change of the manifest that puts `value` at a dotted path."""

    def change(manifest: Any) -> None:
        *way, last = [int(key) if key.isdigit() else key for key in path.split(".")]
        for key in way:
            manifest = manifest[key]
        manifest[last] = value

    return change


def _mutated_value(value: Any, rng: random.Random) -> Any:
    choices = [None, True, -1, 0, 1, 2, 7, 10**6, 2**31, 2**53, 10**30, 1.5, 1e300, "", "raw", "zstd", "rans", "octree"]
    choices += ["float16", "float32", "int8", [], {}, [value], [value, value]]
    if type(value) in (int, float):
        choices += [value + 1, value - 1, value * 2, -value, value + 4]
    return rng.choice(choices)


def mutate_manifest(manifest: Any, rng: random.Random) -> None:
    """Changes one value somewhere."""
    node = manifest
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = rng.choice(keys)
        inner = node[key]
        if not isinstance(inner, (dict, list)) or not inner or rng.random() < 0.05:
            node[key] = _mutated_value(inner, rng)
            return
        node = inner


def mutate_streams(manifest: Any, streams: list[bytes], rng: random.Random) -> list[bytes]:
    """Changes a few bytes of a stream and mends its CRC, or swaps codecs, so that the decoders see the damage."""
    stream = rng.choice([s for s in streams_of(manifest) if s["stored"]])
    index = sorted(streams_of(manifest), key=lambda s: (s["offset"], s["stored"])).index(stream)
    data = bytearray(streams[index])
    for _ in range(rng.choice([1, 1, 3])):
        at = rng.randrange(min(len(data), rng.choice([8, 64, len(data)])))
        data[at] = rng.choice([data[at] ^ 1 << rng.randrange(8), rng.randrange(256), 0, 255])
    stream["crc"] = zlib.crc32(data)
    if rng.random() < 0.1:
        stream["codec"] = rng.choice(["raw", "zstd", "rans", "octree"])
    return [*streams[:index], bytes(data), *streams[index + 1 :]]

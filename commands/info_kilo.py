"""What `kilofield info` says about a .kilo of either kind, and about the Gaussians in one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scenes.neural_gaussians import NeuralGaussians
from scenes.sizes import readable_bytes

if TYPE_CHECKING:
    from scenes.kilo_container import Source
    from scenes.kilo_manifest import Chunk, Manifest, Tier
    from scenes.kilo_node import Streams
    from scenes.kilo_streams import Stream

Figures = dict[str, Any]


def gaussians_figures(path: Path, scene: NeuralGaussians, whole: bool) -> Figures:
    """What --json adds about a .kilo of Gaussians; a file that was salvaged is not `whole`."""
    from scenes.kilo_container import open_source, opened, read_json_manifest
    from scenes.kilo_manifest import parse_manifest

    with opened(path) as content:
        source = open_source(content, str(path))
        json, end = read_json_manifest(source)
        manifest = parse_manifest(source, json, end, whole=whole)
        found = container_figures(source, json, manifest.start, manifest.streams())
    bank = asdict(scene.bank.shape) | {
        "parameters": scene.bank.shape.parameters,
        "quantised": scene.weight_steps is not None,
    }
    return found | {
        "clusters": len(scene.counts),
        "grid": None if scene.grid is None else asdict(scene.grid),
        "bank": bank,
        "tiers": _tiers(manifest),
        "parts": [_part(chunk, entry["bounds"]) for chunk, entry in zip(manifest.chunks, json["chunks"], strict=True)],
    }


def container_figures(source: Source, json: Figures, start: int, streams: Streams) -> Figures:
    """What --json writes about any .kilo whose data starts at `start`.

    `checksum` is the one of the manifest, which has those of all streams: files with the same have the same content.
    """
    from scenes.kilo_container import VERSION, checksum_of_manifest

    stored, codecs = Counter[str](), dict[str, set[str]]()
    for place, stream in streams:
        name = place.rpartition(" ")[2]
        stored[name] += stream.stored
        codecs.setdefault(name, set()).add(stream.codec)
    whole = start + max(stream.stop for _, stream in streams)
    return {
        "version": VERSION,
        "requires": json.get("requires") or [],
        "checksum": f"{checksum_of_manifest(source):08x}",
        "checksums": len(streams) + 1,
        "chunks": len(json["chunks"]),
        "streams": dict(stored.most_common()) | {"manifest": whole - stored.total()},
        "codecs": {name: sorted(codecs[name]) for name, _ in stored.most_common()},
        "tool": json.get("tool"),
    }


def _part(chunk: Chunk, bounds: Any) -> Figures:
    """A chunk as --json has it."""
    tiers = [{"gaussians": sum(tier.counts), "bytes": _stored(_streams_of(tier))} for tier in chunk.tiers]
    base = _stored((chunk.boxes, chunk.weights, chunk.steps))
    return {
        "clusters": [chunk.first, chunk.clusters],
        "gaussians": sum(tier["gaussians"] for tier in tiers),
        "bytes": base + sum(tier["bytes"] for tier in tiers),
        "bounds": bounds,
        "tiers": tiers,
    }


def _tiers(manifest: Manifest) -> list[Figures]:
    """The tiers of all chunks; `ends` is how much of the file has to be there to see the first tiers up to each."""
    ends = manifest.start + max(_stops((c.boxes, c.weights, c.steps) for c in manifest.chunks), default=0)
    found = []
    for level in range(max(len(chunk.tiers) for chunk in manifest.chunks)):
        tiers = [chunk.tiers[level] for chunk in manifest.chunks if level < len(chunk.tiers)]
        ends = max(ends, manifest.start + max(_stops(map(_streams_of, tiers))))
        size = sum(_stored(_streams_of(tier)) for tier in tiers)
        found.append({"gaussians": sum(sum(tier.counts) for tier in tiers), "bytes": size, "ends": ends})
    return found


def _streams_of(tier: Tier) -> tuple[Stream | None, ...]:
    return tier.positions, tier.codes


def _stored(streams: Iterable[Stream | None]) -> int:
    return sum(stream.stored for stream in streams if stream is not None)


def _stops(parts: Iterable[Iterable[Stream | None]]) -> list[int]:
    return [stream.stop for streams in parts for stream in streams if stream is not None]


def gaussians_facts(found: Figures) -> dict[str, str]:
    """The figures of a .kilo of Gaussians as they are printed."""
    bank, grid = found["bank"], found["grid"]
    hidden = f"{bank['layers']} x {bank['width']} {bank['activation']}" if bank["layers"] else "no hidden layer"
    linear = ", linear path" if bank["linear"] else ""
    modulated = ", modulated" if bank["modulation"] else ""
    weights = "integer weights" if bank["quantised"] else "half-float weights"
    return {
        "clusters": f"{found['clusters']:,} in {_chunks(found['parts'])}",
        **({"tiers": _tiers_in_words(found["tiers"])} if len(found["tiers"]) > 1 else {}),
        "positions": f"on a grid of {grid['step']:.3g}" if grid else "half floats",
        "networks": f"code {bank['code']}, {len(bank['frequencies'])} frequencies, {hidden}{modulated}{linear}, "
        f"{bank['outputs']} outputs; {bank['parameters']:,} {weights} each",
        **container_facts(found),
    }


def _chunks(parts: Sequence[Figures]) -> str:
    if len(parts) == 1:
        return "1 chunk"
    counts, sizes = [part["gaussians"] for part in parts], [part["bytes"] for part in parts]
    least, most = readable_bytes(min(sizes)), readable_bytes(max(sizes))
    return f"{len(parts):,} chunks of {min(counts):,} to {max(counts):,} Gaussians, {least} to {most}"


def _tiers_in_words(tiers: Sequence[Figures]) -> str:
    counts = ", ".join(f"{tier['gaussians']:,}" for tier in tiers)
    ends = ", ".join(readable_bytes(tier["ends"]) for tier in tiers)
    return f"{len(tiers)} of {counts} Gaussians, to be seen from the first {ends} of the file"


def container_facts(found: Figures) -> dict[str, str]:
    """The figures of any .kilo as they are printed."""
    sizes = [
        f"{name} {readable_bytes(size)}{_codec(found['codecs'].get(name))}" for name, size in found["streams"].items()
    ]
    requires = f"; requires {', '.join(found['requires'])}" if found["requires"] else ""
    facts = {
        "streams": ", ".join(sizes),
        "file": f"version {found['version']}{requires}; {found['checksums']:,} checksums, "
        f"{found['checksum']} stands for all of them",
    }
    return facts | ({"made by": _in_words(found["tool"])} if isinstance(found["tool"], dict) else {})


def _codec(codecs: Sequence[str] | None) -> str:
    return f" ({', '.join(codecs)})" if codecs and codecs != ["raw"] else ""


def _in_words(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {_value(value)}" for name, value in values.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return f"({_in_words(value)})"
    return f"{value:.4g}" if isinstance(value, float) else str(value)

"""Put the figures of `results/` into README.md, between its markers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import ablation, format_tables
from benchmarks.gpu import gpu_rows
from benchmarks.peer_sog import Curve, read_peers
from benchmarks.rate_distortion import rate_table
from benchmarks.rendering import STAGES, medians
from benchmarks.surface_tables import captures_table, drawn_table, faces_table, spot_table
from scenes.atomic import replacing

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
MARKERS = re.compile(r"(<!-- figures: (?P<name>[\w-]+) -->\n)(.*?)(<!-- end of figures -->)", re.DOTALL)
HEADER = (
    "scene",
    "preset",
    "bytes",
    "fewer",
    "PSNR",
    "worst view",
    "on white",
    "other cameras",
    "object alone",
    "uncut",
    "SSIM",
    "decimate + SOG at that PSNR",
    "minutes",
    "peak memory",
)
PAGES = ROOT / "README.md", ROOT / "docs" / "kiloneus.md"
NOTHING_YET = "No figures yet.\n"


def main() -> None:
    """Rewrite the tables in README.md and the docs."""
    results = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("compression-*.json"))]
    peers = read_peers()
    fit_speed = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("rasterizer-*.json"))]
    flights = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("fly-*.json"))]
    rendering = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("rendering*.json"))]
    gpus = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("gpu-*.json"))]
    tables = {
        "compression": compression_table(results, {name: scene.curve for name, scene in peers.items()}),
        "rate-distortion": rate_table(results, peers) or NOTHING_YET,
        "speed": speed_table(fit_speed, flights),
        "rendering": rendering_table(rendering),
        "gpu": gpu_tables(gpus),
        "ablation": ablation.table(_entries("ablation", "rows")) or NOTHING_YET,
        "decoding": decoding_table(_entries("decoding", "files")),
        "scaling": scaling_table(_entries("scaling", "rows"), _limit()),
        "surfaces": spot_table(_entries("surfaces", "spot")) or NOTHING_YET,
        "surfaces-photographs": captures_table(_entries("surfaces", "captures")) or NOTHING_YET,
        "surface-faces": faces_table(_entries("surface-faces", "rows")) or NOTHING_YET,
        "surface-captures": drawn_table(sorted(RESULTS.glob("surface-captures*.json"))) or NOTHING_YET,
        "formats": format_tables.agreement_table(_entries("formats", "agreement")) or NOTHING_YET,
        "formats-speed": format_tables.speed_table(_entries("formats", "speed")) or NOTHING_YET,
        "photographs": photographs_table(
            [json.loads(p.read_text()) for p in sorted(RESULTS.glob("photographs*.json"))]
        ),
    }
    for page in PAGES:
        text = filled(page.read_text(), tables)
        with replacing(page) as path:
            path.write_text(text)


def _entries(name: str, key: str) -> list[dict[str, Any]]:
    """The list under `key` in a result; none where there is no such result."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()).get(key, []) if path.exists() else []


def filled(text: str, tables: Mapping[str, str]) -> str:
    """`text` with `tables` between the markers that name them; an unknown name is a `KeyError`."""
    return MARKERS.sub(lambda match: match[1] + "\n" + tables[match["name"]] + "\n" + match[4], text)


def compression_table(results: Sequence[Mapping[str, Any]], curves: Mapping[str, Curve]) -> str:
    """A Markdown table, one row a result, largest saving first within each scene."""
    if not results:
        return NOTHING_YET
    ordered = sorted(results, key=lambda r: (r["scene"], r["preset"], r["bytes"]))
    rows = [_row(result, curves.get(result["scene"], ())) for result in ordered]
    return "\n".join(_line(cells) for cells in (HEADER, ("---",) * len(HEADER), *rows)) + "\n"


def speed_table(rasterizers: Sequence[Mapping[str, Any]], flights: Sequence[Mapping[str, Any]]) -> str:
    """A Markdown table of milliseconds: the fit's rasteriser by backend, and frames of flythroughs."""
    rows = [
        (
            f"fit: forward + backward, {result['gaussians']:,} Gaussians, {'x'.join(map(str, result['size']))}, {name}",
            f"{times['forward']:.1f} + {times['backward']:.1f} ms",
            result["machine"]["processor"] if result["device"] == "cpu" else result["device"],
        )
        for result in rasterizers
        for name, times in result["milliseconds"].items()
    ]
    rows += [
        (
            f"fly: {scene['name']}, {scene['gaussians']:,} Gaussians, {'x'.join(map(str, flight['size']))}",
            f"{scene['summary']['total']['median']:.0f} ms",
            flight["device"]["renderer"],
        )
        for flight in flights
        for scene in flight["scenes"]
    ]
    header = ("what", "median", "on")
    return "\n".join(_line(cells) for cells in (header, ("---",) * len(header), *rows)) + "\n"


def rendering_table(runs: Sequence[Mapping[str, Any]]) -> str:
    """A Markdown table of frame times beside other renderers, by median: `benchmarks.rendering`."""
    if not runs:
        return NOTHING_YET
    rows = [
        (
            f"{scene['scene']}, {scene['gaussians']:,}, {'x'.join(map(str, run['size']))}",
            "Kilofield" if name == "ours" else run["peer"]["name"] if name == "peer" else name,
            *cells,
            str(scene["renderers"]["ours"]["facts"]["renderer"]),
        )
        for run in runs
        for scene in run["scenes"]
        for name, cells in medians(scene).items()
    ]
    header = ("scene", "renderer", *(f"{stage} ms" for stage in STAGES), "times ours", "PSNR to ours", "on")
    return "\n".join(_line(cells) for cells in (header, ("---",) * len(header), *rows)) + "\n"


def gpu_tables(runs: Sequence[Mapping[str, Any]]) -> str:
    """A Markdown table of each GPU that was measured: `benchmarks.gpu`."""
    if not runs:
        return NOTHING_YET
    header = ("device", "scene", "what", "median ms", "frames/s", "video memory")
    rows = [(run["device"], *cells) for run in runs for cells in gpu_rows(run)]
    return "\n".join(_line(cells) for cells in (header, ("---",) * len(header), *rows)) + "\n"


def decoding_table(files: Sequence[Mapping[str, Any]]) -> str:
    """A Markdown table of Gaussians a second from file to arrays: `benchmarks.decoding`."""
    rows = [
        (
            str(file["file"]),
            f"{file['gaussians']:,}",
            str(file["sh_degree"]),
            f"{file['bytes'] / 1e6:.2f} MB",
            f"{file['whole'] * 1000:.0f} ms",
            f"{file['rate'] / 1e6:.2f} M",
        )
        for file in files
    ]
    return _table(("file", "Gaussians", "SH", "size", "file to arrays", "Gaussians a second"), rows)


def _limit() -> float:
    """Seconds the other program was given for a scene."""
    path = RESULTS / "scaling.json"
    return json.loads(path.read_text())["limit_seconds"] if path.exists() else 0.0


def scaling_table(scenes: Sequence[Mapping[str, Any]], limit: float) -> str:
    """A Markdown table of encoding times against the number of Gaussians: `benchmarks.scaling`."""
    rows = [
        (
            scene["scene"],
            f"{scene['gaussians']:,}",
            name,
            f"over {limit:.0f} s" if run["seconds"] is None else f"{run['seconds']:.0f} s",
            "-" if run["peak_bytes"] is None else f"{run['peak_bytes'] / 1e9:.1f} GB",
            "-" if run["bytes"] is None else f"{run['bytes'] / 1000:,.0f} KB",
        )
        for scene in scenes
        for name, run in scene["encodings"].items()
    ]
    return _table(("scene", "Gaussians", "encoder", "time", "peak memory", "size"), rows)


def photographs_table(results: Sequence[Mapping[str, Any]]) -> str:
    """A Markdown table of tuning on photographs and on renders, judged on photographs: `benchmarks.photographs`."""
    names = {"source": "the .ply", "renders": "tuned on its renders", "photographs": "tuned on photographs"}
    rows = [
        (
            f"{result['capture']}, {result['preset']}",
            label,
            f"{result[key]['bytes'] / 1000:,.0f} KB",
            *(f"{result[key][shade]['psnr']:.2f} dB" for shade in ("black", "white")),
            f"{result[key]['black']['object_psnr']:.2f} dB",
        )
        for result in results
        for key, label in names.items()
    ]
    return _table(("capture", "what", "size", "PSNR, black", "PSNR, white", "object alone"), rows)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(_line(cells) for cells in (header, ("---",) * len(header), *rows)) + "\n" if rows else NOTHING_YET


def peer_bytes(curve: Curve, decibels: float) -> float | None:
    """What the peer needs for that PSNR: log bytes interpolated between its measured points; None outside them."""
    sizes, quality = np.array(sorted(curve), np.float64).reshape(-1, 2).T
    if not len(sizes) or not quality[0] <= decibels <= quality[-1]:
        return None
    return float(np.exp(np.interp(decibels, quality, np.log(sizes))))


def _row(result: Mapping[str, Any], curve: Curve) -> tuple[str, ...]:
    peer = peer_bytes(curve, result["psnr"])
    size = result["quality"] or f"{result['max_mb']:g} MB"
    views = [view for view in result.get("psnr_views") or () if view is not None]
    worst = min(views) if views else None
    return (
        result["scene"],
        f"{result['preset']}, {size}",
        f"{result['bytes'] / 1000:.0f} KB",
        f"{result['source_bytes'] / result['bytes']:.0f}x",
        f"{result['psnr']:.1f} dB",
        *(_decibels(value) for value in (worst, *map(result.get, ("psnr_white", "psnr_turned", "psnr_object")))),
        f"{result['psnr_whole']:.1f} dB",
        f"{result['ssim']:.3f}",
        f"{peer / 1000:.0f} KB" if peer else "-",
        f"{result['seconds'] / 60:.1f}",
        f"{result['peak_bytes'] / 1e9:.1f} GB",
    )


def _decibels(value: float | None) -> str:
    """With one decimal; - for what older results do not have."""
    return "-" if value is None else f"{value:.1f} dB"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()

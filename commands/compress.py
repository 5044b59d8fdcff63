"""`kilofield compress`: a trained scene into a .kilo."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from commands.arguments import at_least, output_file
from commands.checkpoints import check_checkpoint, going_on_told, interruption
from commands.compress_board import watching
from commands.console import Screen, note_dropped, readable_time
from commands.errors import Interrupted, TargetMissedError
from commands.options import Reading
from commands.preview import Preview
from commands.reading import tell
from renderer.metrics import json_number
from scenes.errors import KilofieldError
from scenes.sizes import readable_bytes

if TYPE_CHECKING:
    from fitting.neuralgs.options import CompressOptions, CompressResult

# Where the bytes of a .kilo are, as people call it; `KiloReport` says what belongs to each.
PURPOSES = {
    "weights": "network weights",
    "tables": "tables of the range coder",
    "manifest": "header and manifest",
    "other": "boxes, steps, padding",
}


def options(
    preset: str,
    quality: str | None,
    max_mb: float | None,
    target_psnr: float | None,
    images: Path | None,
    device: str,
    seed: int,
    resume: bool,
    reading: Reading,
    chunk_gaussians: int | None = None,
    jobs: int | None = None,
) -> CompressOptions:
    """The options of the command line, checked."""
    from fitting.neuralgs.options import CompressOptions

    at_least("--seed", seed, 0)
    limit = max_bytes(max_mb)
    if limit is not None and preset == "paper":
        raise KilofieldError("--max-mb: expected another preset; paper's size follows from its networks and pruning")
    if images is not None and not images.exists():
        raise KilofieldError(f"{images}: expected a capture, found nothing at this path")
    if target_psnr is not None and quality is not None:
        raise KilofieldError("--target-psnr: expected no --quality beside it, found both")
    quality = "medium" if quality is None else quality
    return CompressOptions(
        preset,  # pyright: ignore[reportArgumentType]
        quality,  # pyright: ignore[reportArgumentType]
        limit,
        images,
        device,  # pyright: ignore[reportArgumentType]
        seed,
        resume,
        target_psnr,
        chunk_gaussians=chunk_gaussians,
        jobs=jobs,
        reading=reading.options,
    )


def run(
    source: Path, target: Path, options: CompressOptions, preview: Path | None, force: bool, screen: Screen
) -> None:
    """Compress `source` into `target`, and print what came of it."""
    output_file(target, force, ".kilo", [source])
    check_checkpoint(target, options.resume, force)
    pictures = None if preview is None else Preview(preview, force or options.resume, [source])
    from fitting.neuralgs.compress import compress

    try:
        with going_on_told(target), watching(f"compress {source.name}", options.target_psnr, screen.quiet) as show:
            result = compress(source, target, options, show, pictures)
    except KeyboardInterrupt as interrupt:
        raise Interrupted(interruption(target, str(interrupt))) from None
    note_dropped(source, result.dropped, result.source_gaussians)
    tell(source, result.left_out)
    _print(result, "the photographs" if options.images else "the source", screen)
    screen.figures(figures(source, result))
    if result.target_psnr is not None and result.psnr < result.target_psnr:
        raise TargetMissedError(_missed(result))


def max_bytes(megabytes: float | None) -> int | None:
    """The bytes of --max-mb."""
    if megabytes is None:
        return None
    if not 0 < megabytes < 1e6:
        raise KilofieldError(f"--max-mb: expected a size above 0 MB, found {megabytes:g}")
    return round(megabytes * 1e6)


def figures(source: Path, result: CompressResult) -> dict[str, object]:
    """What --json writes: the fields of `CompressResult`, the source, the ratio and what the bytes were spent on."""
    trials, looks = (
        [{**asdict(x), "psnr": json_number(x.psnr)} for x in each] for each in (result.trials, result.looks)
    )
    found = {"source": str(source), **result.as_dict(), "psnr": json_number(result.psnr)}
    return found | {"spent": [asdict(s) for s in spent(result)], "trials": trials, "looks": looks}


@dataclass(frozen=True)
class Spent:
    """What one purpose takes of a file."""

    purpose: str
    bytes: int
    percent: float
    bits_per_gaussian: float


def spent(result: CompressResult) -> list[Spent]:
    """All bytes of the file by purpose, most first."""
    bits = 8 / max(result.gaussians, 1)
    most_first = sorted(result.streams.items(), key=lambda stream: -stream[1])
    return [Spent(name, size, 100 * size / result.bytes, bits * size) for name, size in most_first]


def _missed(result: CompressResult) -> str:
    return (
        f"{result.path}: --target-psnr: expected {result.target_psnr:.2f} dB, found {result.psnr:.2f} dB at best; "
        "that file was written"
    )


def _print(result: CompressResult, judged_by: str, screen: Screen) -> None:
    ratio = result.source_bytes / result.bytes
    kept = 100 * result.gaussians / result.source_gaussians
    screen.facts(
        str(result.path),
        {
            "bytes": f"{readable_bytes(result.bytes)}, {ratio:.1f}x fewer than {readable_bytes(result.source_bytes)}",
            "Gaussians": f"{result.gaussians:,} of {result.source_gaussians:,} ({kept:.1f} %), "
            f"{result.code} numbers each beside the position",
            "networks": f"{result.networks:,}, {result.network_weights:,} weights each",
            "quality": f"PSNR {result.psnr:.2f} dB, SSIM {result.ssim:.4f} against {judged_by}, in views not fitted to",
            "time": f"{readable_time(result.seconds)} (preset {result.preset}, seed {result.seed})",
            "stages": _stages(result),
            "notes": "; ".join(result.notes),
        },
    )
    _print_spent(result, screen)
    if result.trials:
        rows = [[t.name, f"{t.steps:,}", readable_bytes(t.bytes), f"{t.psnr:.2f} dB"] for t in result.trials]
        screen.table("tried", ["fit", "steps", "bytes", "PSNR"], rows, [])


def _stages(result: CompressResult) -> str:
    return ", ".join(f"{stage} {readable_time(seconds)}" for stage, seconds in result.stages.items())


def _print_spent(result: CompressResult, screen: Screen) -> None:
    rows = [
        [PURPOSES.get(s.purpose, s.purpose), f"{s.bytes:,}", f"{s.percent:.1f}", f"{s.bits_per_gaussian:.2f}"]
        for s in spent(result)
        if s.bytes
    ]
    total = ["all", f"{result.bytes:,}", "100.0", f"{8 * result.bytes / max(result.gaussians, 1):.2f}"]
    screen.table("spent on", ["", "bytes", "%", "bits a Gaussian"], rows, total)

"""`kilofield compress`: a trained scene into a .kilo."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from commands.arguments import at_least, output_file
from commands.console import Screen, note, note_dropped, progress, readable_time
from commands.errors import Interrupted, TargetMissedError
from renderer.metrics import json_number
from scenes.errors import KilofieldError
from scenes.sizes import readable_bytes

if TYPE_CHECKING:
    from fitting.neuralgs.options import CompressOptions, CompressResult, Progress, Trial


def options(
    preset: str,
    quality: str | None,
    max_mb: float | None,
    target_psnr: float | None,
    images: Path | None,
    device: str,
    seed: int,
    resume: bool,
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
    return CompressOptions(preset, quality, limit, images, device, seed, resume, target_psnr)  # pyright: ignore[reportArgumentType]


def run(source: Path, target: Path, options: CompressOptions, force: bool, screen: Screen) -> None:
    """Compress `source` into `target`, and print what came of it."""
    output_file(target, force, ".kilo", [source])
    _check_checkpoint(checkpoint_of(target), options.resume, force)
    from fitting.neuralgs.compress import compress

    try:
        with progress(f"compress {source.name}", screen.quiet) as step:

            def show(now: Progress) -> None:
                step(now.done, f"{now.stage} · {now.detail}" if now.detail else now.stage)
                if now.trial is not None and not screen.quiet:
                    note(_line(now.trial))

            result = compress(source, target, options, show)
    except KeyboardInterrupt:
        raise Interrupted(_interruption(checkpoint_of(target), options.target_psnr)) from None
    note_dropped(source, result.dropped, result.source_gaussians)
    _print(result, "the photographs" if options.images else "the source", screen)
    screen.figures(figures(source, result))
    if result.target_psnr is not None and result.psnr < result.target_psnr:
        raise TargetMissedError(_missed(result))


def checkpoint_of(target: Path) -> Path:
    """Where an interrupted run that writes `target` can be continued from."""
    return target.with_name(target.name + ".checkpoint")


def max_bytes(megabytes: float | None) -> int | None:
    """The bytes of --max-mb."""
    if megabytes is None:
        return None
    if not 0 < megabytes < 1e6:
        raise KilofieldError(f"--max-mb: expected a size above 0 MB, found {megabytes:g}")
    return round(megabytes * 1e6)


def figures(source: Path, result: CompressResult) -> dict[str, object]:
    """What --json writes: the fields of `CompressResult`, the source and the ratio."""
    trials = [{**asdict(t), "psnr": json_number(t.psnr)} for t in result.trials]
    return {"source": str(source), **result.as_dict(), "psnr": json_number(result.psnr), "trials": trials}


def _check_checkpoint(checkpoint: Path, resume: bool, force: bool) -> None:
    if checkpoint.exists() and not resume and not force:
        raise KilofieldError(f"{checkpoint}: left by an interrupted run; --resume continues it, --force starts afresh")
    if resume and not checkpoint.exists():
        note(f"{checkpoint}: nothing to resume, starting from the beginning")


def _interruption(checkpoint: Path, target_psnr: float | None) -> str:
    if target_psnr is not None:
        return "interrupted; nothing was written, and --target-psnr starts from the beginning"
    if checkpoint.exists():
        return f"interrupted; the same command with --resume continues from {checkpoint}"
    return "interrupted before the first checkpoint; nothing was written"


def _line(trial: Trial) -> str:
    return f"{trial.name}: {readable_bytes(trial.bytes)}, {trial.psnr:.2f} dB after {trial.steps:,} steps"


def _missed(result: CompressResult) -> str:
    return (
        f"{result.path}: --target-psnr: expected {result.target_psnr:.2f} dB, found {result.psnr:.2f} dB at best; "
        "that file was written"
    )


def _print(result: CompressResult, judged_by: str, screen: Screen) -> None:
    ratio = result.source_bytes / result.bytes
    screen.facts(
        str(result.path),
        {
            "bytes": f"{readable_bytes(result.bytes)}, {ratio:.1f}x fewer than {readable_bytes(result.source_bytes)}",
            "Gaussians": f"{result.gaussians:,} of {result.source_gaussians:,}",
            "quality": f"PSNR {result.psnr:.2f} dB, SSIM {result.ssim:.4f} against {judged_by}, in views not fitted to",
            "time": f"{readable_time(result.seconds)} (preset {result.preset}, seed {result.seed})",
            "notes": "; ".join(result.notes),
            "streams": ", ".join(f"{name} {readable_bytes(size)}" for name, size in result.streams.items()),
        },
    )
    if result.trials:
        rows = [[t.name, f"{t.steps:,}", readable_bytes(t.bytes), f"{t.psnr:.2f} dB"] for t in result.trials]
        screen.table("tried", ["fit", "steps", "bytes", "PSNR"], rows, [])

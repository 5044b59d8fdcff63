"""What must be the same for the checkpoint of a compression to serve; see `fitting/checkpoint.py`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from fitting.checkpoint import Checkpoint, checksum
from fitting.neuralgs.options import DEFAULT_RECIPE, CompressOptions


def fingerprint(sources: Sequence[Path], options: CompressOptions, device: str) -> str:
    """The files of the source, every option that matters, device and program."""
    sizes = f"{options.quality} {options.max_bytes} {options.images}"
    sizes += f" {options.recipe}" if options.recipe != DEFAULT_RECIPE else ""
    sizes += f" {options.target_psnr} dB" if options.target_psnr is not None else ""
    sizes += f" level {options.reading.lod}" if options.reading.lod else ""
    sizes += " salvaged" if options.reading.salvage else ""
    sizes += f" chunks of {options.chunk_size}" if not options.whole else ""
    made = f"{options.preset} {sizes} {device} {metadata.version('kilofield')}"
    return f"{' '.join(map(checksum, sources))} {made} seed {options.seed}"


def checkpoint_beside(target: Path, sources: Sequence[Path], options: CompressOptions, device: str) -> Checkpoint:
    """The checkpoint of compressing the scene in the files `sources` to `target`."""
    return Checkpoint(target.with_name(target.name + ".checkpoint"), fingerprint(sources, options, device))

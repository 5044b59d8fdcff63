"""The whole job: a scene in, a .kilo out."""

from __future__ import annotations

from pathlib import Path

import torch

from fitting.devices import chosen_device
from fitting.neuralgs.checkpoint import checkpoint_beside
from fitting.neuralgs.compress_chunks import Chunks, fit_in_chunks
from fitting.neuralgs.looks import show
from fitting.neuralgs.lossless import VISUALLY_LOSSLESS
from fitting.neuralgs.options import (
    EFFORTS,
    CompressOptions,
    CompressResult,
    Look,
    PreviewCallback,
    Progress,
    ProgressCallback,
)
from fitting.neuralgs.reporter import Reporter
from fitting.neuralgs.run import Asked, maker_of
from fitting.neuralgs.whole import fit_whole
from fitting.tensors import GaussianTensors
from scenes.errors import KilofieldError
from scenes.kilo import write_kilo
from scenes.load import load_scene

__all__ = ["CompressOptions", "CompressResult", "Progress", "compress"]


def compress(
    source: Path,
    target: Path,
    options: CompressOptions,
    progress: ProgressCallback | None = None,
    preview: PreviewCallback | None = None,
) -> CompressResult:
    """Compresses the scene in `source` to the .kilo file `target`, replacing it only when all is done.

    `preview` is called at every look with pictures of a few held-out views, and at the end with those of the file.
    Raises `KilofieldError` for what the user can mend. The same input, options and device give the same bytes.
    """
    if not target.parent.is_dir():
        raise KilofieldError(f"{target}: cannot write: no such folder {target.parent}")
    torch.set_num_threads(1)  # small tensors: more threads only wait for each other, and one gives the same sums always
    say = Reporter(progress, preview)
    say("reading", 0.0)
    file = load_scene(source, options=options.reading)
    device = chosen_device(options.device)
    effort = EFFORTS["lossless" if options.quality == "lossless" else options.preset].changed(options.recipe)
    checkpoint = checkpoint_beside(target, (file.path, *file.others), options, device.type)
    in_chunks = not options.whole and len(file.gaussians) > options.chunk_size
    asked = Asked(source, target, options, effort, device, checkpoint, say)
    fitted = (fit_in_chunks if in_chunks else fit_whole)(asked, file.gaussians)
    neural = fitted.neural
    say("writing", 0.995)
    report = write_kilo(target, neural, tool=maker_of(options), chunks=fitted.chunks)
    checkpoint.remove()
    Chunks.of(target).remove()
    written = Look("", None, effort.steps, say.seconds, report.total, fitted.psnr, fitted.ssim)
    if preview is not None:
        show(written, GaussianTensors.of(neural.decode(), device), fitted.held_out, neural.antialiased, say)
    say("done", 1.0, look=written)
    return CompressResult(
        path=target,
        bytes=report.total,
        source_bytes=file.bytes,
        gaussians=len(neural),
        source_gaussians=len(file.gaussians),
        dropped=file.dropped,
        left_out=file.notes,
        psnr=fitted.psnr,
        ssim=fitted.ssim,
        seconds=say.seconds,
        streams={name: int(n) for name, n in vars(report).items() if name != "total"},
        preset=options.preset,
        seed=options.seed,
        networks=len(neural.bank),
        network_weights=neural.bank.shape.parameters,
        code=neural.bank.shape.code,
        stages=say.stages,
        notes=tuple(n for n in (*fitted.notes, checkpoint.trouble, _shortfall(options, fitted.psnr)) if n),
        target_psnr=options.target_psnr,
        trials=fitted.trials,
        looks=tuple(say.looks),
    )


def _shortfall(options: CompressOptions, psnr: float) -> str:
    if options.quality != "lossless" or psnr >= VISUALLY_LOSSLESS:
        return ""
    return f"lossless: expected {VISUALLY_LOSSLESS:g} dB, found {psnr:.2f} dB at best"

"""The run behind `kilofield surface`: from a mesh, or from photographs, to a .kilo of kind `surface`.

mesh        -> distances of the mesh ----------.
                                               +-> cells distilled -> (coloured by the photographs) -> rounded -> .kilo
photographs -> NeuS trained: the teacher ------'
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from fitting.checkpoint import Checkpoint, checksum
from fitting.devices import chosen_device
from fitting.kiloneus.fidelity import fidelity
from fitting.kiloneus.fit import PreviewCallback, Say, SurfaceFit, colour_psnr, rounded
from fitting.kiloneus.mesh_teacher import MeshTeacher
from fitting.kiloneus.options import ProgressCallback, SurfaceOptions, SurfaceResult, ViewQuality
from fitting.kiloneus.photographs import PhotographFit
from fitting.kiloneus.teacher import Teacher
from scenes.cores import available_cores
from scenes.errors import KilofieldError
from scenes.kilo_surface import write_surface
from scenes.meshes import read_mesh
from scenes.photo_sets import holds_photographs, read_photographs
from scenes.surface import NeuralSurface

FITTED, ROUNDED = 0.9, 0.95  # where stages end, of the whole run


def fit_surface(
    source: Path,
    target: Path,
    options: SurfaceOptions,
    progress: ProgressCallback | None = None,
    preview: PreviewCallback | None = None,
    taught: Callable[[Teacher], None] | None = None,
) -> SurfaceResult:
    """Learns what is in `source` and writes the .kilo `target`, replacing it only when all is done.

    `source` is a mesh file, or photographs as `read_photographs` takes them. `preview` is called now and then with the
    surface as it is, `taught` at the end with what the cells have learnt from. Raises `KilofieldError` for what the
    user can mend. The same input, options and number of cores give the same bytes.
    """
    if not target.parent.is_dir():
        raise KilofieldError(f"{target}: cannot write: no such folder {target.parent}")
    chosen_device(options.device)  # one that is missing is told before anything is read
    torch.set_num_threads(available_cores())
    run = _Run(source, target, options, Say(progress), preview)
    run.say("reading", 0.0)
    result = run.of_photographs() if holds_photographs(source) else run.of_mesh()
    if taught is not None:
        taught(run.teacher)
    return result


class _Run:
    """One call of `fit_surface`. `teacher` is there when it is done."""

    teacher: Teacher

    def __init__(
        self, source: Path, target: Path, options: SurfaceOptions, say: Say, preview: PreviewCallback | None
    ) -> None:
        self.source, self.target, self.options, self.say, self.preview = source, target, options, say, preview

    def of_mesh(self) -> SurfaceResult:
        """Of a mesh file."""
        mesh = read_mesh(self.source)
        checkpoint, known = self._checkpoint(checksum(self.source))
        teacher = MeshTeacher(mesh)
        with checkpoint.guarding():
            fit = SurfaceFit(
                teacher, teacher.bounds, self.options, checkpoint, known, self.say, self.preview, (0.02, FITTED)
            )
            found = fit.fit()
            self.say("rounding", FITTED)
            written = rounded(found, self.options.effort.noise, self.options.seed)
        return self._finish(teacher, found.surface, written, checkpoint, mesh.notes, None)

    def of_photographs(self) -> SurfaceResult:
        """Of posed photographs."""
        photographs = read_photographs(self.source)
        names = "".join(str(photograph.path) for photograph in photographs.photographs)
        checkpoint, known = self._checkpoint(f"{len(photographs.photographs)} photographs {hash_of(names)}")
        with checkpoint.guarding():
            fit = PhotographFit(photographs, self.options, checkpoint, known, self.say, self.preview, FITTED)
            found = fit.fit()
            self.say("rounding", FITTED)
            written = rounded(found, self.options.effort.noise, self.options.seed)
            quality = fit.judged(written)
        return self._finish(fit.teacher, found.surface, written, checkpoint, photographs.notes, quality)

    def _checkpoint(self, mark: str) -> tuple[Checkpoint, dict[str, Any]]:
        options = self.options
        made = f"{options.preset} {options.cells} {options.steps} {options.choices} {metadata.version('kilofield')}"
        path = self.target.with_name(self.target.name + ".checkpoint")
        checkpoint = Checkpoint(path, f"{mark} surface {made} seed {options.seed}")
        return checkpoint, (checkpoint.load() if options.resume else None) or {}

    def _finish(
        self,
        teacher: Teacher,
        before: NeuralSurface,
        after: NeuralSurface,
        checkpoint: Checkpoint,
        notes: tuple[str, ...],
        quality: ViewQuality | None,
    ) -> SurfaceResult:
        """Judges, writes and reports."""
        self.teacher = teacher
        self.say("judging", ROUNDED)
        seed = self.options.seed
        was, now = fidelity(before, teacher, seed), fidelity(after, teacher, seed)
        colours = [colour_psnr(surface, teacher, seed) for surface in (before, after)]
        self.say("writing", 0.99)
        tool = {"name": "kilofield", "version": metadata.version("kilofield"), "preset": self.options.preset}
        report = write_surface(self.target, after, tool={**tool, "seed": seed, "fidelity": asdict(now)})
        checkpoint.remove()
        self.say("done", 1.0)
        return SurfaceResult(
            path=self.target,
            bytes=report.total,
            source_bytes=_size(self.source),
            cells=len(after),
            grid=after.grid.size,
            edge=after.grid.edge,
            geometry_weights=after.geometry.shape.parameters,
            appearance_weights=0 if after.appearance is None else after.appearance.shape.parameters,
            fidelity=now,
            before_rounding=was,
            colour_psnr=colours[1],
            colour_psnr_before=colours[0],
            views=quality,
            streams={name: int(n) for name, n in vars(report).items() if name != "total"},
            seconds=time.monotonic() - self.say.started,
            stages=self.say.stages,
            preset=self.options.preset,
            seed=seed,
            notes=tuple(note for note in (*notes, checkpoint.trouble) if note),
        )


def _size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def hash_of(text: str) -> str:
    """CRC-32 of a text, as it stands in a fingerprint."""
    return f"{zlib.crc32(text.encode()):08x}"

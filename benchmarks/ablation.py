"""What each part of the recipe is worth: the same scene and the same bytes, one change at a time.

    .venv/bin/python -m benchmarks.ablation --scenes hamburger playbot-31k guitar --steps 1000

Every row is a fit of its own, judged on the evaluation cameras (480x320, black background), which no fit sees. Each
lands in `results/ablation.json` at once, and a run goes on where another ended. Fits are short, and which views are
drawn moves them by up to 0.3 dB.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.compression import Scene, readable_source
from benchmarks.judging import judge, render
from benchmarks.machine import add_folders, machine_facts
from fitting.checkpoint import Checkpoint
from fitting.neuralgs.fit import fit_ours
from fitting.neuralgs.job import Job, prepare
from fitting.neuralgs.options import DEFAULT_RECIPE, EFFORTS, CompressOptions, Recipe
from fitting.neuralgs.paper import fit_paper
from fitting.neuralgs.reporter import Reporter
from fitting.neuralgs.run import Run
from renderer.context import create_context, device_facts
from renderer.metrics import json_number
from scenes.atomic import replacing
from scenes.camera_files import read_cameras
from scenes.cameras import Camera
from scenes.errors import KilofieldError
from scenes.gaussians import Gaussians
from scenes.kilo import unpack_kilo
from scenes.kilo_writer import encode_kilo
from scenes.load import load_scene

BUDGETS = {"hamburger": 45_000, "playbot-31k": 105_000, "guitar": 75_000}  # bytes: what `balanced` is judged at
WIDE = 64  # of networks that have to do without codes
WIDE_BYTES = {0: 5_800, 1: 6_400, 2: 7_400, 3: 8_700}  # of one of them with two layers, by SH degree


@dataclass(frozen=True)
class Change:
    """A row of the table."""

    name: str
    recipe: Recipe = DEFAULT_RECIPE
    preset: str = "balanced"


class Judged:
    """A scene as it is, from the cameras it is judged on."""

    def __init__(self, name: str, gaussians: Gaussians, cameras: Sequence[Camera]) -> None:
        self.name, self.cameras = name, cameras
        self.pictures = render(gaussians, cameras)


def changes(steps: int, budget: int, sh_degree: int) -> list[Change]:
    """All rows for one scene, the recipe as it is first."""
    base = Recipe(steps=steps)
    alone = max(round(0.5 * budget / WIDE_BYTES[sh_degree]), 1)
    paper, full = EFFORTS["paper"].steps, EFFORTS["balanced"].steps
    return [
        Change("as it is", base),
        Change("pruned, not merged", replace(base, start="prune")),
        Change(
            f"no codes: as many networks of 2x{WIDE} as fit",
            replace(base, codes=False, networks=alone, layers=2, width=WIDE),
        ),
        *(Change(f"{k} cluster{'s' * (k > 1)}", replace(base, networks=k)) for k in (1, 8, 32)),
        Change("no position beside the code", replace(base, position_input=False)),
        Change("linear path alone", replace(base, layers=0)),
        Change("two hidden layers of 32", replace(base, layers=2, width=32)),
        Change("no rate term", replace(base, rate=False)),
        Change("a quarter of the steps", replace(base, steps=steps // 4)),
        Change("four times the steps", replace(base, steps=4 * steps)),
        Change("all steps of balanced", replace(base, steps=full)),
        Change("all steps of balanced, linear path alone", replace(base, steps=full, layers=0)),
        Change("with frequency loss", replace(base, frequency_weight=0.01)),
        Change("frequencies by FreSh", replace(base, fresh=True)),
        Change("with CAM", replace(base, modulation=4)),
        Change("preset paper (its own size)", Recipe(steps=paper), "paper"),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit every row that the results lack."""
    wanted = _parser().parse_args(arguments)
    path = wanted.out / "ablation.json"
    wanted.out.mkdir(parents=True, exist_ok=True)
    known = json.loads(path.read_text())["rows"] if path.exists() else []
    for scene in wanted.scenes:
        with readable_source(Scene(scene), wanted.data, None) as source:
            gaussians = load_scene(source).gaussians
            budget = wanted.budget or BUDGETS[scene]
            every = changes(wanted.steps, budget, gaussians.sh_degree)
            rows = [change for change in every if not _done(_find(known, scene, change.name), change, wanted.seed)]
            judged = Judged(scene, gaussians, read_cameras(wanted.data / "cameras" / f"{scene}.json"))
            for preset in dict.fromkeys(change.preset for change in rows):
                job = job_of(source, gaussians, preset, wanted.seed)
                for change in (change for change in rows if change.preset == preset):
                    others = [row for row in known if (row["scene"], row["change"]) != (scene, change.name)]
                    known = [*others, measure(judged, job, change, budget, wanted.seed)]
                    _write(path, known)
                    print(json.dumps(known[-1]), flush=True)
    print(table(known))


def job_of(source: Path, gaussians: Gaussians, preset: str, seed: int) -> Job:
    """The scene with its views, the same for all rows of a preset."""
    torch.set_num_threads(1)
    return prepare(
        source,
        gaussians,
        EFFORTS[preset],
        images=None,
        seed=seed,
        device=torch.device("cpu"),
        progress=lambda _, __: None,
    )


def measure(judged: Judged, job: Job, change: Change, budget: int, seed: int) -> dict[str, Any]:
    """Fits one row and judges it."""
    started = time.monotonic()
    paper = change.preset == "paper"  # its size follows from its networks
    options = CompressOptions("paper" if paper else "balanced", "medium", None if paper else budget, seed=seed)
    options = replace(options, recipe=change.recipe)
    nowhere = Checkpoint(Path(), "", kept=False)
    run = Run(job, options, EFFORTS[change.preset].changed(change.recipe), nowhere, None, Reporter(None))
    neural = fit_paper(run) if paper else fit_ours(run)
    content, report = encode_kilo(neural, tool=run.maker)
    score = judge(judged.pictures, render(unpack_kilo(content), judged.cameras))
    return {
        "scene": judged.name,
        "change": change.name,
        "budget": options.max_bytes,
        "bytes": report.total,
        "psnr": json_number(score.psnr),
        "ssim": score.ssim,
        "gaussians": len(neural),
        "networks": len(neural.bank),
        "steps": change.recipe.steps,
        "seconds": time.monotonic() - started,
        "seed": seed,
    }


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: dB against the recipe as it is, and bytes, of each scene; empty without rows."""
    if not rows:
        return ""
    scenes = list(dict.fromkeys(row["scene"] for row in rows))
    names = list(dict.fromkeys(row["change"] for row in rows))
    lines = ["| change | " + " | ".join(scenes) + " |", "| --- |" + " --- |" * len(scenes)]
    for name in names:
        cells = [_cell(_find(rows, scene, name), _find(rows, scene, names[0])) for scene in scenes]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(row: Mapping[str, Any] | None, base: Mapping[str, Any] | None) -> str:
    if row is None:
        return "-"
    size = f"{row['bytes'] / 1000:.1f} KB"
    if base is None or row is base:
        return f"{row['psnr']:.2f} dB, {size}"
    return f"{row['psnr'] - base['psnr']:+.2f} dB, {size}"


def _find(rows: Sequence[Mapping[str, Any]], scene: str, name: str) -> Mapping[str, Any] | None:
    return next((row for row in rows if row["scene"] == scene and row["change"] == name), None)


def _done(row: Mapping[str, Any] | None, change: Change, seed: int) -> bool:
    """Whether `row` is what a fit of `change` would find again."""
    return row is not None and (row["steps"], row["seed"]) == (change.recipe.steps, seed)


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    machine = machine_facts(str(device_facts(create_context())["renderer"]))
    with replacing(path) as temporary:
        temporary.write_text(json.dumps({"benchmark": "ablation", "rows": rows, "machine": machine}, indent=2) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.ablation", description=__doc__)
    parser.add_argument("--scenes", nargs="+", default=list(BUDGETS))
    parser.add_argument("--steps", type=int, default=1000, help="of fine-tuning, as it is")
    parser.add_argument("--budget", type=int, help="bytes, in place of the scene's own")
    parser.add_argument("--seed", type=int, default=0)
    add_folders(parser)
    return parser


if __name__ == "__main__":
    try:
        main()
    except KilofieldError as error:
        sys.exit(str(error))

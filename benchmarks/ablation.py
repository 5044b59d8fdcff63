"""What each part of the recipe is worth: the same scene and the same bytes, one change at a time.

    .venv/bin/python -m benchmarks.ablation --scenes hamburger playbot-31k guitar --steps 2000

Every row is a fit of its own, judged on the evaluation cameras (480x320, black background), which no fit sees. Each
lands in `results/ablation.json` at once, and a run goes on where another ended. Fits are short: gains under 0.1 dB are
chance.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.compression import Scene, readable_source
from benchmarks.judging import judge, render
from benchmarks.machine import add_folders, machine_facts
from fitting.neuralgs.compress import compress
from fitting.neuralgs.options import EFFORTS, CompressOptions, Recipe
from renderer.context import create_context, device_facts
from renderer.metrics import json_number
from scenes.atomic import replacing
from scenes.camera_files import read_cameras
from scenes.errors import KilofieldError
from scenes.load import load_scene

BUDGETS = {"hamburger": 45_000, "playbot-31k": 105_000, "guitar": 75_000}  # bytes: what `balanced` is judged at
WIDE = 64  # of networks that have to do without codes
WIDE_BYTES = {0: 5_800, 1: 6_400, 2: 7_400, 3: 8_700}  # of one of them with two layers, by SH degree


@dataclass(frozen=True)
class Change:
    """A row of the table."""

    name: str
    recipe: Recipe = Recipe()  # noqa: RUF009 - frozen
    preset: str = "balanced"


def changes(steps: int, budget: int, sh_degree: int) -> list[Change]:
    """All rows for one scene, the recipe as it is first."""
    base = Recipe(steps=steps)
    alone = max(round(0.5 * budget / WIDE_BYTES[sh_degree]), 1)
    paper = EFFORTS["paper"].steps
    return [
        Change("as it is", base),
        Change("pruned, not merged", replace(base, start="prune")),
        Change(
            f"no codes: {alone} networks of 2x{WIDE} alone",
            replace(base, codes=False, networks=alone, layers=2, width=WIDE),
        ),
        *(Change(f"{k} cluster{'s' * (k > 1)}", replace(base, networks=k)) for k in (1, 8, 32)),
        Change("no position beside the code", replace(base, position_input=False)),
        Change("linear path alone", replace(base, layers=0)),
        Change("two hidden layers of 32", replace(base, layers=2, width=32)),
        Change("no rate term", replace(base, rate=False)),
        Change("a quarter of the steps", replace(base, steps=steps // 4)),
        Change("four times the steps", replace(base, steps=4 * steps)),
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
            degree = load_scene(source).gaussians.sh_degree
            budget = wanted.budget or BUDGETS[scene]
            for change in changes(wanted.steps, budget, degree):
                if (wanted.only and not any(o in change.name for o in wanted.only)) or _find(known, scene, change.name):
                    continue
                known = [*known, measure(scene, source, change, budget, wanted)]
                _write(path, known)
                print(json.dumps(known[-1]), flush=True)
    print(table(known))


def measure(scene: str, source: Path, change: Change, budget: int, wanted: argparse.Namespace) -> dict[str, Any]:
    """Fits one row and judges it."""
    with tempfile.TemporaryDirectory() as folder:
        target, started = Path(folder) / "scene.kilo", time.monotonic()
        size = None if change.preset == "paper" else budget
        options = CompressOptions(preset=change.preset, max_bytes=size, recipe=change.recipe, seed=wanted.seed)  # type: ignore[arg-type]
        result = compress(source, target, options)
        seconds = time.monotonic() - started
        cameras = read_cameras(wanted.data / "cameras" / f"{scene}.json")
        score = judge(*(render(load_scene(p).scene, cameras) for p in (source, target)))
    return {
        "scene": scene,
        "change": change.name,
        "budget": size,
        "bytes": result.bytes,
        "psnr": json_number(score.psnr),
        "ssim": score.ssim,
        "gaussians": result.gaussians,
        "networks": result.networks,
        "streams": result.streams,
        "steps": change.recipe.steps,
        "seconds": seconds,
        "seed": wanted.seed,
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


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    machine = machine_facts(str(device_facts(create_context())["renderer"]))
    with replacing(path) as temporary:
        temporary.write_text(json.dumps({"benchmark": "ablation", "rows": rows, "machine": machine}, indent=2) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.ablation", description=__doc__)
    parser.add_argument("--scenes", nargs="+", default=list(BUDGETS))
    parser.add_argument("--steps", type=int, default=2000, help="of fine-tuning, as it is")
    parser.add_argument("--budget", type=int, help="bytes, in place of the scene's own")
    parser.add_argument("--only", nargs="+", help="rows whose name contains one of these")
    parser.add_argument("--seed", type=int, default=0)
    add_folders(parser)
    return parser


if __name__ == "__main__":
    try:
        main()
    except KilofieldError as error:
        sys.exit(str(error))

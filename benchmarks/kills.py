"""Kills commands at random moments, in real processes, and says what is left: `python -m benchmarks.kills`.

Each fit is killed (SIGKILL) ten times, other commands four times: anywhere, while the output is written, and while the
checkpoint is. The output must be the old file or the new one at any time, the last run must end in the bytes of a run
that was not killed, and nothing else may be left. Writes `benchmarks/results/kills.json`; the exit code is 1 where any
of that is not so.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.killing import Campaign, Moment, campaign
from benchmarks.machine import add_folders, machine_facts
from renderer.context import create_context, device_facts
from scenes.load import load_scene
from scenes.ply import write_ply

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 2.0  # between checkpoints
GAUSSIANS = 2000  # of a real scene
FIT = ["anywhere", "checkpoint", "anywhere", "anywhere", "output"] * 2
OTHER = ["anywhere", "output"] * 2
PICTURES = ["--size", "320x180"]


@dataclass(frozen=True)
class Command:
    """What is killed; {in} is the folder of the inputs, {out} that of the outputs."""

    name: str
    arguments: Sequence[str]
    outputs: Sequence[str]
    causes: Sequence[str]


COMMANDS = (
    Command(
        "compress", ["compress", "{in}/scene.ply", "{out}/o.kilo", "--preset", "draft", "--resume"], ["o.kilo"], FIT
    ),
    Command(
        "surface", ["surface", "{in}/ball.obj", "{out}/o.kilo", "--preset", "draft", "--resume"], ["o.kilo"], FIT[:5]
    ),
    Command("convert to .spz", ["convert", "{in}/scene.ply", "{out}/o.spz"], ["o.spz"], OTHER),
    Command("convert to .sog", ["convert", "{in}/scene.ply", "{out}/o.sog"], ["o.sog"], OTHER),
    Command("mesh", ["mesh", "{in}/ball.kilo", "{out}/o.glb", "--resolution", "96"], ["o.glb"], OTHER),
    Command(
        "render",
        ["render", "{in}/scene.ply", "--cameras", "{in}/cameras.json", *PICTURES, "--out", "{out}"],
        ["a.png", "b.png"],
        OTHER,
    ),
    Command("fly", ["fly", "{in}/scene.ply", "--frames", "24", *PICTURES, "--out", "{out}/o.mp4"], ["o.mp4"], OTHER),
)


def run(arguments: Sequence[str | Path], moment: Moment | None) -> tuple[int, float]:
    """A `benchmarks.killing.Runner` of processes."""
    environment = os.environ | {"KILOFIELD_CHECKPOINT_SECONDS": str(SECONDS), "OMP_NUM_THREADS": "1"}
    stale = set() if moment is None else moment.temporaries()
    start = time.monotonic()
    command = [sys.executable, "-m", "cli", *map(str, arguments)]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            if moment is not None and _is_due(moment, time.monotonic() - start, stale):
                process.kill()
                break
            time.sleep(0.002)
        code = process.wait()
    return code, time.monotonic() - start


def _is_due(moment: Moment, seconds: float, stale: set[str]) -> bool:
    if moment.cause == "anywhere":
        return seconds >= moment.seconds
    late_enough = moment.cause == "output" or seconds >= moment.seconds
    return late_enough and bool(moment.temporaries() - stale)


def killed(command: Command, inputs: Path) -> Campaign:
    """The campaign of one command."""
    with tempfile.TemporaryDirectory() as folder:
        folders = {"in": str(inputs), "out": folder}
        arguments = [argument.format(**folders) for argument in command.arguments]
        outputs = [Path(folder) / name for name in command.outputs]
        return campaign(run, [*arguments, "--force", "--quiet"], outputs, command.causes)


def make_inputs(folder: Path, data: Path) -> None:
    """A part of a real scene, cameras, a ball and its surface."""
    import trimesh

    from scenes.camera_files import write_cameras
    from scenes.cameras import look_at
    from scenes.extent import scene_extent

    scene = load_scene(data / "gaussians" / "hamburger.ply").gaussians
    scene = scene.select(np.linspace(0, len(scene) - 1, GAUSSIANS).astype(np.int64))
    write_ply(folder / "scene.ply", scene)
    extent = scene_extent(scene)
    eye = extent.centre + 3 * extent.radius * np.array([1.0, -0.3, 0.2])
    cameras = [look_at(eye * (1 + 0.1 * i), extent.centre, extent.up, 0.8, name) for i, name in enumerate("ab")]
    write_cameras(folder / "cameras.json", cameras)
    trimesh.creation.icosphere(3, 0.8).export(folder / "ball.obj")
    code, _ = run(["surface", folder / "ball.obj", folder / "ball.kilo", "--preset", "draft", "--quiet"], None)
    if code:
        raise RuntimeError(f"the surface of the inputs: exit code {code}")


def row(command: Command, found: Campaign) -> dict[str, Any]:
    """What the file of results has of one command."""
    unsaved = [kill.unsaved for kill in found.kills if kill.unsaved is not None]
    return {
        "command": command.name,
        "seconds": round(found.seconds, 1),
        "kills": [{**asdict(kill), "seconds": round(kill.seconds, 2)} for kill in found.kills],
        "runs_that_ended_before_they_were_killed": found.finished,
        "equal_in_the_end": found.equal,
        "whole_at_any_time": {kill.left for kill in found.kills} <= {"old", "new", "some new"},
        "left_over": found.leftovers,
        # A run that goes on has to prepare once more before it writes the next one
        "most_seconds_since_the_last_checkpoint": max(unsaved, default=None),
    }


def write(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """What has been found so far."""
    found = {
        "machine": machine_facts(device_facts(create_context())["renderer"]),
        "seconds_between_checkpoints": SECONDS,
        "gaussians": GAUSSIANS,
        "commands": rows,
    }
    path.write_text(json.dumps(found, indent=2) + "\n")


def main() -> int:
    """Writes the results; 1 where something was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_folders(parser)
    parser.add_argument("--only", help="one command, such as compress; nothing is written")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        make_inputs(Path(folder), options.data)
        for command in COMMANDS:
            if options.only in (None, command.name):
                rows.append(row(command, killed(command, Path(folder))))
                print(json.dumps(rows[-1]), flush=True)
                if options.only is None:
                    write(rows, options.out / "kills.json")
    good = all(r["equal_in_the_end"] and r["whole_at_any_time"] and not r["left_over"] for r in rows)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

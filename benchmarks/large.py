"""A scene of four million Gaussians, tiled from a real one: read, compressed in chunks, checked and flown through.

    playbot-125k, 32 times -> .ply -> kilofield info, compress --preset draft -> .kilo -> info, verify, compare, fly
                                   -> kilofield fly, of the .ply itself

Each command is a process of its own. Its peak memory is that of all its processes together: their resident memory,
added up ten times a second, so that what they share counts more than once. Figures land in large.json after every
command; those of commands that are not `--only` measured again stay there.

Example: `.venv/bin/python -m benchmarks.large --work /var/tmp`
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import measured as starter
from benchmarks.compression import ROOT, Scene, readable_source
from benchmarks.machine import add_folders, machine_facts
from benchmarks.tiling import Tiling
from scenes.atomic import replacing
from scenes.camera_files import write_cameras
from scenes.load import load_scene

TILES = 32
STOPS = 16  # views among the tiles, to judge by
FRAMES = 24  # of a flight
SIZE = "640x360"
POLL = 0.1  # seconds between two looks at the memory
NAMES = ("info of the .ply", "compress", "info of the .kilo", "verify", "compare", "fly the .kilo", "fly the .ply")
LIMIT = 12e9  # bytes that any of it may take


@dataclass(frozen=True)
class Cost:
    """What a command took."""

    seconds: float
    peak_bytes: int  # resident, of all its processes together
    largest_bytes: int  # of the largest process


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the scene, run every command, and write large.json after each."""
    wanted = _parser().parse_args(arguments)
    wanted.out.mkdir(parents=True, exist_ok=True)
    wanted.work.mkdir(parents=True, exist_ok=True)
    source = wanted.work / f"{wanted.scene}-{wanted.tiles}-tiles.ply"
    tiling = _make(source, wanted)
    figures: dict[str, Any] = {
        "benchmark": "large",
        "scene": wanted.scene,
        "tiles": wanted.tiles,
        "gaussians": wanted.tiles * len(tiling.gaussians),
        "source_bytes": source.stat().st_size,
        "limit_bytes": LIMIT,
    }
    path = wanted.out / "large.json"
    found = json.loads(path.read_text())["commands"] if wanted.only and path.exists() else {}
    all_commands = commands(source, wanted)
    for name in wanted.only or all_commands:
        found[name] = _measured_command(name, all_commands[name], wanted.work)
        in_order = {name: found[name] for name in all_commands if name in found}
        peak = max(command["peak_bytes"] for command in in_order.values())
        figures |= {"peak_bytes": peak, "commands": in_order, "machine": machine_facts("")}
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(figures, indent=2) + "\n")
        print(f"{name}: {found[name]['seconds']:,.0f} s, {found[name]['peak_bytes'] / 1e9:.2f} GB", flush=True)
    print(table(figures))


def _make(source: Path, wanted: argparse.Namespace) -> Tiling:
    """The scene, unless it is there already, and the cameras."""
    with readable_source(Scene(wanted.scene), wanted.data, None) as tile:
        tiling = Tiling(load_scene(tile).gaussians, wanted.tiles)
    if not source.exists():
        start = time.perf_counter()
        tiling.write(source)
        print(f"{source}: written in {time.perf_counter() - start:.0f} s", flush=True)
    write_cameras(wanted.work / "walk.json", tiling.walk(STOPS))
    write_cameras(wanted.work / "aisle.json", tiling.aisle(FRAMES))
    return tiling


def _measured_command(name: str, command: Sequence[str], work: Path) -> dict[str, Any]:
    report = work / f"{name}.json"
    cost = measured(["--json", str(report), "--force", "--quiet"], command)
    return {"command": _shown(command), **asdict(cost), **facts_of(name, json.loads(report.read_text()))}


def commands(source: Path, wanted: argparse.Namespace) -> dict[str, list[str]]:
    """The commands to measure, by name, in order."""
    kilo, flights = source.with_suffix(".kilo"), wanted.work / "flights"
    more = ["--jobs", str(wanted.jobs)] if wanted.jobs else []
    flight = ["--path", str(wanted.work / "aisle.json"), "--frames", str(FRAMES), "--size", SIZE, "--warmup", "0"]
    all_commands = [
        ["info", str(source)],
        ["compress", str(source), str(kilo), "--preset", "draft", *more],
        ["info", str(kilo)],
        ["verify", str(kilo)],
        ["compare", str(source), str(kilo), "--cameras", str(wanted.work / "walk.json"), "--size", SIZE],
        ["fly", str(kilo), *flight, "--out", str(flights / "kilo")],
        ["fly", str(source), *flight, "--out", str(flights / "ply")],
    ]
    return dict(zip(NAMES, all_commands, strict=True))


def measured(options: Sequence[str], command: Sequence[str]) -> Cost:
    """Runs a command of ours and watches the memory of its whole session. A failure ends the benchmark."""
    start = time.perf_counter()
    program = [sys.executable, starter.__file__, sys.executable, "-m", "cli", *command, *options]
    process = subprocess.Popen(program, cwd=ROOT, start_new_session=True, stdout=subprocess.PIPE, encoding="utf-8")
    peaks = [0]
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(POLL):
            peaks[0] = max(peaks[0], session_memory(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        figures, _ = process.communicate()
    finally:
        ended.set()
        watcher.join()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    largest = json.loads(figures)["peak_bytes"]
    return Cost(time.perf_counter() - start, max(peaks[0], largest), largest)


def session_memory(session: int) -> int:
    """Bytes of resident memory of all processes of a session, as Linux has them now."""
    pages = 0
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):  # it has ended
                after_the_name = (folder / "stat").read_text().rpartition(")")[2].split()
                if int(after_the_name[3]) == session:  # proc(5): session is field 6, rss field 24
                    pages += int(after_the_name[21])
    return pages * os.sysconf("SC_PAGE_SIZE")


def facts_of(name: str, report: dict[str, Any]) -> dict[str, Any]:
    """What is worth keeping of a command's own figures."""
    if name == "compress":
        kept = ("bytes", "ratio", "gaussians", "networks", "psnr", "ssim", "stages", "notes")
        return {key: report[key] for key in kept}
    if name == "compare":
        return {"views": STOPS, "psnr": report["mean"]["psnr"], "ssim": report["mean"]["ssim"]}
    if name.startswith("fly"):
        scene = report["scenes"][0]
        kept = ("gaussians", "video_memory", "working_memory", "read_ms", "load_ms", "first_frame_ms")
        return {"frames": FRAMES, "size": SIZE, **{key: scene[key] for key in kept}, "ms": scene["summary"]["total"]}
    return {}


def table(figures: dict[str, Any]) -> str:
    """Text: a line for each command."""
    lines = [f"{'command':<22}{'seconds':>9}{'memory':>10}  {'':<40}"]
    for name, found in figures["commands"].items():
        more = [f"{found['bytes'] / 1e6:.2f} MB"] if "bytes" in found else []
        more += [f"{found['psnr']:.2f} dB"] if "psnr" in found else []
        lines.append(f"{name:<22}{found['seconds']:>9,.0f}{found['peak_bytes'] / 1e9:>7.2f} GB  {', '.join(more)}")
    return "\n".join(lines)


def _shown(command: Sequence[str]) -> str:
    """The command without the folders of this machine."""
    return " ".join(["kilofield", *(Path(word).name if word.startswith("/") else word for word in command)])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.large", description=__doc__)
    parser.add_argument("--scene", default="playbot-125k", help="a file of the data folder")
    parser.add_argument("--tiles", type=int, default=TILES)
    parser.add_argument("--jobs", type=int, help="chunks at once; the program's own choice if not given")
    parser.add_argument("--only", nargs="+", choices=NAMES, metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--work", type=Path, required=True, help="folder for the scene and what is made of it; kept")
    add_folders(parser)
    return parser


if __name__ == "__main__":
    main()

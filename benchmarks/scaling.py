"""How the time and memory of `compress` grow with the scene, beside splat-transform's SOG on the same files.

    scene.ply [side by side with itself] -> kilofield compress -> .kilo: seconds by stage, peak memory, bytes
                                         -> splat-transform -> .sog: seconds or `over N s`, peak memory, bytes

A scene of the data folder may be followed by `*2`: two of it side by side, for the sizes between. Figures land in
scaling.json after every scene. Example: `.venv/bin/python -m benchmarks.scaling --peer splat-transform`
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks import peer_sog
from benchmarks.compression import ROOT, Scene, Usage, readable_source
from benchmarks.machine import add_folders, machine_facts
from scenes.atomic import replacing
from scenes.errors import KilofieldError
from scenes.gaussians import Gaussians
from scenes.load import load_scene
from scenes.ply import write_ply

SCENES = ("playbot-31k", "playbot-31k*2", "playbot-125k", "playbot-125k*2", "playbot-500k")
GAP = 1.2  # widths of a scene from one copy to the next
POLL = 0.05  # seconds between two looks at whether a command has ended


@dataclass(frozen=True)
class Encoding:
    """What one program made of one file."""

    seconds: float | None  # None: not done within the limit
    peak_bytes: int | None  # resident memory
    bytes: int | None
    stages: dict[str, float] | None = None  # seconds, of ours
    psnr: float | None = None  # dB in views not fitted to, of ours


@dataclass(frozen=True)
class Row:
    """One scene by all programs."""

    scene: str
    gaussians: int
    source_bytes: int
    encodings: dict[str, Encoding]  # by preset, and `sog`


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure scene after scene, write scaling.json after each, and print a table of all."""
    wanted = _parser().parse_args(arguments)
    wanted.out.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    for scene in wanted.scenes:
        rows.append(measure(scene, wanted))
        figures = {
            "benchmark": "scaling",
            "rows": [asdict(row) for row in rows],
            "growth": {name: growth(rows, name) for name in rows[0].encodings},
            "limit_seconds": wanted.limit,
            "tool": peer_sog.tool_version(wanted.peer) if wanted.peer else None,
            "machine": machine_facts(""),
        }
        with replacing(wanted.out / "scaling.json") as path:
            path.write_text(json.dumps(figures, indent=2) + "\n")
        print(f"{scene}: done", flush=True)
    print(table(rows, wanted.limit))


def measure(scene: str, wanted: argparse.Namespace) -> Row:
    """One scene through `compress` with every preset, and through the peer if there is one."""
    name, copies = _copies(scene)
    with readable_source(Scene(name), wanted.data, wanted.peer) as source, tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        gaussians = load_scene(source).gaussians
        if copies > 1:
            source = folder / "tiled.ply"
            gaussians = tiled(gaussians, copies)
            write_ply(source, gaussians)
        encodings = {preset: _ours(source, folder, preset) for preset in wanted.presets}
        if wanted.peer:
            encodings["sog"] = _peer(source, folder, wanted.peer, wanted.limit)
        return Row(scene, len(gaussians), source.stat().st_size, encodings)


def tiled(gaussians: Gaussians, copies: int) -> Gaussians:
    """That many copies side by side."""
    step = GAP * float(np.subtract(*np.quantile(gaussians.positions[:, 0], (0.99, 0.01))))
    everyone = gaussians.select(np.tile(np.arange(len(gaussians)), copies))
    place = np.repeat(np.arange(copies), len(gaussians)).astype(np.float32)
    shift = place[:, None] * np.array([step, 0, 0], np.float32)
    return replace(everyone, positions=everyone.positions + shift)


def growth(rows: Sequence[Row], name: str) -> float | None:
    """The exponent p of seconds ~ Gaussians^p, by least squares over what ended in time; None of fewer than two."""
    done = [(row.gaussians, seconds) for row in rows if (seconds := row.encodings[name].seconds) is not None]
    if len({count for count, _ in done}) < 2:
        return None
    counts, seconds = np.log(np.array(done, np.float64)).T
    return float(np.polyfit(counts, seconds, 1)[0])


def table(rows: Sequence[Row], limit: float) -> str:
    """Text: seconds, peak memory and bytes by scene and program; the seconds of our stages below."""
    names = list(rows[0].encodings)
    lines = [f"{'scene':<18}{'Gaussians':>10}" + "".join(f"{name:>34}" for name in names)]
    for row in rows:
        cells = "".join(f"{_cell(row.encodings[name], limit):>34}" for name in names)
        lines.append(f"{row.scene:<18}{row.gaussians:>10,}{cells}")
    for name in names:
        power = growth(rows, name)
        lines.append(f"{name}: seconds ~ Gaussians^{power:.2f}" if power is not None else f"{name}: too few to tell")
        for row in rows:
            stages = row.encodings[name].stages or {}
            lines += [f"  {row.scene}: " + ", ".join(f"{s} {t:.1f} s" for s, t in stages.items())] if stages else []
    return "\n".join(lines)


def timed_within(command: Sequence[str], limit: float) -> Usage | None:
    """What `command` cost; after `limit` seconds it and its children are ended: None. A failure ends the benchmark."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    while True:
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        seconds = time.perf_counter() - start
        if ended:
            break
        if seconds > limit:
            os.killpg(process.pid, signal.SIGKILL)
            os.wait4(process.pid, 0)
            process.returncode = -signal.SIGKILL
            return None
        time.sleep(POLL)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Usage(seconds, usage.ru_maxrss * 1024)


def _ours(source: Path, folder: Path, preset: str) -> Encoding:
    kilo, report = folder / f"{preset}.kilo", folder / f"{preset}.json"
    command = [sys.executable, "-m", "cli", "compress", str(source), str(kilo), "--preset", preset, "--quiet"]
    usage = timed_within([*command, "--json", str(report)], float("inf"))
    assert usage is not None  # without a limit
    found = json.loads(report.read_text())
    return Encoding(usage.seconds, usage.peak_bytes, kilo.stat().st_size, found["stages"], found["psnr"])


def _peer(source: Path, folder: Path, tool: Path, limit: float) -> Encoding:
    sog = folder / "peer.sog"
    usage = timed_within(peer_sog.encode_command(tool, source, sog, 100), limit)
    return Encoding(usage.seconds, usage.peak_bytes, sog.stat().st_size) if usage else Encoding(None, None, None)


def _cell(encoding: Encoding, limit: float) -> str:
    if encoding.seconds is None or encoding.peak_bytes is None or encoding.bytes is None:
        return f"over {limit:,.0f} s"
    return f"{encoding.seconds:,.0f} s, {encoding.peak_bytes / 1e9:.2f} GB, {encoding.bytes / 1e3:,.0f} KB"


def _copies(scene: str) -> tuple[str, int]:
    """Of `name*2`, the name and the 2."""
    name, _, copies = scene.partition("*")
    if copies and not (copies.isdecimal() and int(copies) > 0):
        raise KilofieldError(f"--scenes: expected a name or name*copies, found {scene}")
    return name, int(copies or 1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.scaling", description=__doc__)
    parser.add_argument("--scenes", nargs="+", default=SCENES, help="files of the data folder; NAME*2: two of it")
    parser.add_argument("--presets", nargs="+", default=["draft"])
    parser.add_argument("--peer", type=peer_sog.program, metavar="SPLAT_TRANSFORM", help="measure its SOG too")
    parser.add_argument("--limit", type=float, default=600, help="seconds the peer gets for a scene")
    add_folders(parser)
    return parser


if __name__ == "__main__":
    try:
        main()
    except KilofieldError as error:
        sys.exit(str(error))

"""Every file format against splat-transform: what both read, what is lost, how long it takes and in how much memory.

    python -m benchmarks.formats --tool path/to/splat-transform

Agreement: of each real scene a file in every format, written once by splat-transform and once here, is read by both;
the largest difference in each attribute is given in steps of the format. Loss: what this program wrote against the
source, in steps, where the format has room for the value; and the PSNR of pictures of what each program wrote against
pictures of the source. Speed: conversions of a million Gaussians, a process each, by both in turn.
https://github.com/playcanvas/splat-transform is `@playcanvas/splat-transform` in the npm registry.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import plyfile
from numpy.typing import NDArray

from benchmarks.judging import judge, render
from benchmarks.machine import add_folders, machine_facts
from benchmarks.measured import measured
from renderer.context import create_context
from scenes.atomic import replacing
from scenes.camera_files import read_cameras
from scenes.content import sigmoid
from scenes.gaussians import SH_C0, Gaussians
from scenes.load import load_scene
from scenes.merging import merged
from scenes.ordering import morton_order
from scenes.ply import write_ply
from scenes.quaternions import unit_quaternions
from scenes.save import SaveOptions, save_scene
from scenes.sog_files import ZipFiles, read_meta
from scenes.spz import read_spz_header
from tests.ksplat_samples import pack_ksplat

Doubles = NDArray[np.float64]
Attributes = dict[str, NDArray[np.floating]]

NAMES = ("positions", "log_scales", "rotations", "opacity", "colour", "sh")
SCENES = {
    "hamburger": "ply",
    "donut": "ply",
    "playbot-31k": "ply",
    "playbot-125k": "ply",
    "guitar": "compressed.ply",
    "angel-kneeling": "sog",
}
TIMED = ("compressed.ply", "spz 3", "spz 4", "sog", "glb", "splat")
FORMATS = ("compressed.ply", "spz 3", "spz 4", "sog", "glb", "splat", "ksplat 0", "ksplat 1", "ksplat 2")
UNREAD = ("glb",)  # by the other program: its own are compared with the source
UNWRITTEN = ("splat", "ksplat 0", "ksplat 1", "ksplat 2")  # by the other program
ROOM: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "spz": {"log_scales": (-10, 255 / 16 - 10), "colour": (-0.5 / 0.15, 0.5 / 0.15), "sh": (-127 / 128, 127 / 128)},
    "splat": {"colour": (-0.5 / SH_C0, 0.5 / SH_C0)},
    "compressed.ply": {"log_scales": (-20, 20), "sh": (-4, 4)},
    "ksplat": {"log_scales": (np.log(2.0**-24), np.log(65504))},  # half floats: below them is 0, without a logarithm
}
KSPLAT_SIDE = 5.0  # world units
CLOUD = 1_000_000  # Gaussians
LARGEST_LOGIT = np.float32(20)  # 2e-9 from an opacity of 0 or 1
EXACT = 2.0**-20  # the step of float32 numbers of order 1


def attributes(scene: Gaussians) -> Attributes:
    """The numbers to compare; opacities after the sigmoid, quaternions with their largest number positive."""
    unit = unit_quaternions(scene.rotations)
    largest = np.take_along_axis(unit, np.abs(unit).argmax(axis=1)[:, None], axis=1)
    return {
        "positions": scene.positions,
        "log_scales": scene.log_scales,
        "rotations": unit * np.sign(largest),
        "opacity": sigmoid(scene.opacity_logits)[:, None],
        "colour": scene.sh[:, 0],
        "sh": scene.sh[:, 1:].reshape(len(scene), -1),
    }


def apart(found: Gaussians, source: Gaussians, kind: str, steps: Mapping[str, Any]) -> dict[str, float]:
    """The largest difference in each attribute, in `steps`; the same rotation as q and -q is the same.

    Of the values that the format has room for; and the share of those it has not, where there are any.
    """
    mine, other = attributes(found), attributes(source)
    turned = np.sign((mine["rotations"] * other["rotations"]).sum(axis=1, keepdims=True))
    other["rotations"] = other["rotations"] * turned
    row: dict[str, float] = {}
    for name in NAMES:
        low, high = ROOM.get(kind.split()[0], {}).get(name, (-np.inf, np.inf))
        inside = np.logical_and.reduce([(low <= side[name]) & (side[name] <= high) for side in (mine, other)])
        row[name] = float((np.abs(mine[name] - other[name]) / steps[name])[inside].max(initial=0))
        if not inside.all():
            row[f"{name} without room"] = float(1 - inside.mean())
    return row


def steps_of(path: Path, kind: str, scene: Gaussians) -> dict[str, Any]:
    """The step of each attribute in a file that holds `scene`, broadcast to its arrays."""
    exact = {name: np.maximum(np.abs(values), 1) * EXACT for name, values in attributes(scene).items()}
    bytes_ = {"opacity": 1 / 255, "colour": 1 / 255 / SH_C0}
    if kind.startswith("spz"):
        bits = read_spz_header(path).fractional_bits
        own = {"positions": 2.0**-bits, "log_scales": 1 / 16, "rotations": 0.5**0.5 / 511, "sh": 1 / 128}
        return exact | bytes_ | own | {"colour": 1 / 255 / 0.15}
    if kind == "splat":
        return exact | bytes_ | {"rotations": 1 / 128}
    if kind.startswith("ksplat"):
        half = {"log_scales": 2.0**-10, "rotations": 2.0**-11, "positions": KSPLAT_SIDE / 2 / 32767, "sh": 2.0**-11}
        return exact | bytes_ | ({} if kind == "ksplat 0" else half) | ({"sh": 3 / 255} if kind == "ksplat 2" else {})
    if kind == "compressed.ply":
        return exact | bytes_ | {"rotations": 2**0.5 / 1023, "sh": 8 / 256} | _chunk_steps(path, len(scene))
    return exact | bytes_ | {"rotations": 2**0.5 / 255} | _sog_steps(path, scene) if kind == "sog" else exact


def _chunk_steps(path: Path, count: int) -> dict[str, Doubles]:
    """[N, 3] each: 10 or 11 bits, or 8, over the range of the chunk of each Gaussian."""
    chunks = plyfile.PlyData.read(path)["chunk"].data
    index = np.arange(count) // 256

    def size(names: str, extra: str = "") -> Doubles:
        columns = [chunks[f"max_{extra}{n}"].astype(np.float64) - chunks[f"min_{extra}{n}"] for n in names]
        return np.maximum(np.stack(columns, axis=1)[index], 1e-4)  # what others take for a range of nothing

    fine = np.array([2047, 1023, 2047])
    return {
        "positions": size("xyz") / fine,
        "log_scales": size("xyz", "scale_") / fine,
        "colour": size("rgb") / 255 / SH_C0,
    }


def _sog_steps(path: Path, scene: Gaussians) -> dict[str, Any]:
    """16 bits of a logarithm; the wider of the two gaps beside a level."""
    meta = read_meta(ZipFiles(path)).values
    logs = np.subtract(meta["means"]["maxs"], meta["means"]["mins"]) / 65535
    steps: dict[str, Any] = {"positions": np.maximum(logs * (1 + np.abs(scene.positions)), 1e-7)}
    for name, key in (("log_scales", "scales"), ("colour", "sh0"), ("sh", "shN")):
        if key in meta:
            steps[name] = _gaps(np.array(meta[key]["codebook"], np.float32), attributes(scene)[name])
    return steps


def _gaps(levels: NDArray[np.float32], values: NDArray[np.floating]) -> Doubles:
    levels = np.unique(levels)
    at = np.clip(np.searchsorted(levels, values), 0, len(levels) - 1)
    gaps = np.diff(levels.astype(np.float64), prepend=levels[0] - EXACT, append=levels[-1] + EXACT)
    return np.maximum(np.maximum(gaps[at], gaps[np.minimum(at + 1, len(levels))]), EXACT)


@dataclass(frozen=True)
class Tools:
    """The two programs, and where their files go."""

    tool: Path
    folder: Path

    def theirs(self, *arguments: str | Path) -> dict[str, float]:
        """Runs splat-transform; see `measured`."""
        return measured([str(self.tool), "-q", "-g", "cpu", "-w", *map(str, arguments)])

    def ours(self, *arguments: str | Path) -> dict[str, float]:
        """Runs `kilofield convert`; see `measured`."""
        return measured([sys.executable, "-m", "cli", "convert", "--quiet", "--force", *map(str, arguments)])

    def read_by_them(self, path: Path) -> Gaussians:
        """All that splat-transform reads in a file, by way of a .ply.

        Its opacities of 0 and 1 have infinite logits, and `load_scene` leaves out the invisible: they are made finite.
        """
        back = self.folder / "back.ply"
        self.theirs(path, back)
        content = plyfile.PlyData.read(back, mmap=False)  # pyright: ignore[reportArgumentType]  # it takes a flag
        logits = content["vertex"]["opacity"]
        np.clip(logits, -LARGEST_LOGIT, LARGEST_LOGIT, out=logits)
        content.write(back)
        return load_scene(back).gaussians


def agreement(tools: Tools, name: str, source: Path, cameras: Path, pictures: bool) -> list[dict[str, Any]]:
    """The rows of one scene."""
    scene = load_scene(source).gaussians
    views = read_cameras(cameras)
    wanted = render(scene, views) if pictures else []
    plain = tools.folder / "source.ply"
    write_ply(plain, scene)
    rows = []
    for kind in FORMATS:
        for writer in ("kilofield", "splat-transform"):
            if writer == "splat-transform" and (kind in UNWRITTEN or (kind == "sog" and scene.sh_degree)):
                continue  # its palette of SH takes hours without a GPU
            path = tools.folder / f"{writer}.{kind.split()[0]}"
            _write(tools, writer, kind, plain, scene, path)
            found = load_scene(path).gaussians
            steps = steps_of(path, kind, found)
            compared = scene if kind in UNREAD else tools.read_by_them(path)
            row: dict[str, Any] = {"scene": name, "format": kind, "written by": writer, "bytes": path.stat().st_size}
            row["read by both, steps apart"] = apart(found, compared, kind, steps)
            if writer == "kilofield" and not kind.startswith("ksplat"):
                row["lost, steps"] = apart(found, _in_file_order(scene, kind), kind, steps)
            if pictures:
                row["psnr"] = min(judge(wanted, render(found, views)).psnr, 999.0)
            rows.append(row)
            print(_line(row), flush=True)
    return rows


def _write(tools: Tools, writer: str, kind: str, plain: Path, scene: Gaussians, path: Path) -> None:
    version = int(kind[-1]) if kind.startswith("spz") else 4
    if writer == "splat-transform":
        tools.theirs(plain, *(["--spz-version", str(version)] if kind.startswith("spz") else []), path)
    elif kind.startswith("ksplat"):
        path.write_bytes(pack_ksplat([_in_file_order(scene, kind)], int(kind[-1]), side=KSPLAT_SIDE))
    else:
        save_scene(path, scene, SaveOptions(spz_version=version))


def _in_file_order(scene: Gaussians, kind: str) -> Gaussians:
    """`scene` as this program orders it in a file."""
    if kind == "splat":
        volume = scene.log_scales.astype(np.float64).sum(axis=1)
        order = np.argsort(-(volume + np.log(np.maximum(sigmoid(scene.opacity_logits), 1e-30))), kind="stable")
        return replace(scene.select(order), sh=scene.sh[order, :1])
    if kind in ("sog", "compressed.ply") or kind.startswith("ksplat"):
        return scene.select(morton_order(scene.positions))
    return scene


def _line(row: Mapping[str, Any]) -> str:
    both = max(row["read by both, steps apart"][name] for name in NAMES)
    text = f"{row['scene']:15} {row['format']:15} by {row['written by']:16} {row['bytes']:>10,}"
    text += f"  both read: {both:.3f} steps"
    if "lost, steps" in row:
        text += f"  lost: {max(row['lost, steps'][name] for name in NAMES):.2f} steps"
    return text + (f"  {row['psnr']:.1f} dB" if "psnr" in row else "")


def cloud(data: Path, sh_degree: int) -> Gaussians:
    """A million Gaussians: copies of a real scene beside each other."""
    scene = load_scene(data / "gaussians" / "playbot-500k.sog").gaussians
    width = np.ptp(scene.positions[:, 0])
    places = [np.array([i * width, 0, 0], np.float32) for i in range(-(-CLOUD // len(scene)))]
    whole = merged([replace(scene, positions=scene.positions + place) for place in places]).select(slice(CLOUD))
    return replace(whole, sh=np.ascontiguousarray(whole.sh[:, : (sh_degree + 1) ** 2]))


def speed(tools: Tools, data: Path, kind: str) -> dict[str, Any]:
    """Conversions of a million Gaussians from a .ply and back, by both programs in turn."""
    scene = cloud(data, 0 if kind == "sog" else 2)
    plain, back = tools.folder / "cloud.ply", tools.folder / "cloud.back.ply"
    write_ply(plain, scene)
    row: dict[str, Any] = {
        "format": kind,
        "gaussians": len(scene),
        "sh_degree": scene.sh_degree,
        "decoded_bytes": sum(
            getattr(scene, n).nbytes for n in ("positions", "log_scales", "rotations", "opacity_logits", "sh")
        ),
    }
    path = tools.folder / f"cloud.{kind.split()[0]}"
    option = ["--spz-version", kind[-1]] if kind.startswith("spz") else []
    row["kilofield writes"] = tools.ours(plain, path, *option)
    if kind not in UNWRITTEN:
        row["splat-transform writes"] = tools.theirs(plain, *option, path)
    row["kilofield reads"] = tools.ours(path, back)
    if kind not in UNREAD:
        row["splat-transform reads"] = tools.theirs(path, back)
    print(_speed_line(row), flush=True)
    path.unlink()
    return row


def _speed_line(row: Mapping[str, Any]) -> str:
    parts = [
        f"{key} {value['seconds']:.1f} s ({value['processor_seconds']:.1f} s of processor), "
        f"{value['peak_bytes'] / row['decoded_bytes']:.1f}x memory"
        for key, value in row.items()
        if isinstance(value, dict)
    ]
    return f"{row['format']:15} " + "; ".join(parts)


PARTS: Mapping[str, Callable[..., Any]] = {"agreement": agreement, "speed": speed}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tool", type=Path, required=True, help="the program splat-transform")
    parser.add_argument("--scene", choices=SCENES, action="append", help="only this one; may be repeated")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part")
    parser.add_argument("--format", choices=TIMED, action="append", help="time only this one; may be repeated")
    parser.add_argument("--no-pictures", action="store_true", help="draw nothing")
    add_folders(parser)
    options = parser.parse_args()
    out: Path = options.out / "formats.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    result = json.loads(out.read_text()) if out.exists() else {}
    said = subprocess.run([options.tool, "--version"], capture_output=True, text=True, check=True)
    version = (said.stdout + said.stderr).strip()  # 2.7 says it on stderr
    result |= {"tool": version, "machine": machine_facts(create_context().info["GL_RENDERER"])}
    with tempfile.TemporaryDirectory() as folder:
        tools = Tools(options.tool.resolve(), Path(folder))
        if "agreement" in (options.part or PARTS):
            for name in options.scene or SCENES:
                source = options.data / "gaussians" / f"{name}.{SCENES[name]}"
                cameras = options.data / "cameras" / f"{name}.json"
                rows = agreement(tools, name, source, cameras, not options.no_pictures)
                result["agreement"] = [r for r in result.get("agreement", []) if r["scene"] != name] + rows
                _save(out, result)
        if "speed" in (options.part or PARTS):
            for kind in options.format or TIMED:
                row = speed(tools, options.data, kind)
                result["speed"] = [r for r in result.get("speed", []) if r["format"] != kind] + [row]
                _save(out, result)


def _save(out: Path, result: Mapping[str, Any]) -> None:
    with replacing(out) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()

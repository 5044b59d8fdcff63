"""What splat-transform makes of a scene: its commands, and the cache of its figures, `peers.json`.

    scene.ply -> splat-transform [-F share%] -> .sog, .spz or .compressed.ply -> splat-transform -> back.ply

https://github.com/playcanvas/splat-transform is `@playcanvas/splat-transform` in the npm registry; it decimates by
merging pairs of Gaussians. `benchmarks.compression` runs and judges these; here nothing is drawn.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from scenes.atomic import replacing
from scenes.errors import KilofieldError, SceneFileError

PEERS = Path(__file__).resolve().parent / "peers.json"
JUDGED = "against the original's render on the evaluation cameras, 480x320, black background"
PERCENTS = (100, 50, 25, 12, 6)
CODECS = ("sog", "spz", "compressed.ply")

Curve = Sequence[tuple[float, float]]  # bytes, dB


@dataclass(frozen=True)
class Variant:
    """One way to write a scene."""

    codec: str  # the suffix of the file: one of CODECS
    percent: int = 100  # of the Gaussians kept

    @property
    def name(self) -> str:
        """Such as `25 % + sog`."""
        return self.codec if self.percent == 100 else f"{self.percent} % + {self.codec}"


@dataclass(frozen=True)
class PeerPoint:
    """The figures of one variant; None: not measured, in figures older than this form."""

    codec: str
    percent: int
    bytes: int
    psnr: float | None  # dB, the mean of the views'; None also for identical pictures, whose PSNR has no number
    ssim: float | None = None
    psnr_views: tuple[float | None, ...] | None = None  # dB, one a camera
    encode_seconds: float | None = None  # of the whole command, starting Node and reading the .ply included
    decode_seconds: float | None = None  # back to a .ply, likewise
    encode_peak_bytes: int | None = None  # resident memory

    @property
    def variant(self) -> Variant:
        """What was written."""
        return Variant(self.codec, self.percent)


@dataclass(frozen=True)
class PeerScene:
    """All figures of one scene by one version of the tool."""

    tool: str
    source_bytes: int | None
    points: tuple[PeerPoint, ...] = ()
    machine: Mapping[str, object] | None = None

    def without(self, wanted: Sequence[Variant]) -> list[Variant]:
        """Those of `wanted` that are not here yet."""
        known = {point.variant for point in self.points}
        return [variant for variant in wanted if variant not in known]

    def with_point(self, point: PeerPoint, machine: Mapping[str, object]) -> PeerScene:
        """This with `point` in the place of one of the same variant."""
        others = [p for p in self.points if p.variant != point.variant]
        ordered = sorted([*others, point], key=lambda p: (CODECS.index(p.codec), -p.percent))
        return replace(self, points=tuple(ordered), machine=machine)

    @property
    def sog(self) -> tuple[PeerPoint, ...]:
        """Decimate + SOG, the rate-distortion curve: the points whose PSNR is a number, fewest bytes first."""
        points = [point for point in self.points if point.codec == "sog" and point.psnr is not None]
        return tuple(sorted(points, key=lambda point: point.bytes))

    @property
    def curve(self) -> Curve:
        """Bytes and dB of `sog`."""
        return [(point.bytes, point.psnr) for point in self.sog if point.psnr is not None]


def variants(codecs: Sequence[str] = CODECS, percents: Sequence[int] = PERCENTS) -> list[Variant]:
    """SOG at every share, the others whole."""
    sog = [Variant("sog", percent) for percent in percents] if "sog" in codecs else []
    return [*sog, *(Variant(codec) for codec in codecs if codec != "sog")]


def encode_command(tool: Path, source: Path, target: Path, percent: int) -> list[str]:
    """Writes `source`, decimated to that share of its Gaussians, as what the suffix of `target` says; on the CPU."""
    decimate = [] if percent == 100 else ["-F", f"{percent}%"]
    return [*_start(tool), str(source), *decimate, str(target)]


def decode_command(tool: Path, source: Path, target: Path) -> list[str]:
    """Writes what is in `source` as the .ply `target`."""
    return [*_start(tool), str(source), str(target)]


def program(text: str) -> Path:
    """Where the program of that name or path is; `KilofieldError` if there is none."""
    found = shutil.which(text)
    if not found:
        raise KilofieldError(f"{text}: expected the splat-transform program, found none")
    return Path(found).absolute()


def tool_version(tool: Path) -> str:
    """What it says it is, such as `splat-transform v2.7.1 (b42b60c)`; `KilofieldError` if it cannot be run."""
    try:
        done = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise KilofieldError(f"{tool}: expected the splat-transform program, found none that runs: {error}") from error
    return done.stdout.strip()


def read_peers(path: Path = PEERS) -> dict[str, PeerScene]:
    """The cached figures by scene; none if there is no such file, `SceneFileError` if it has another form."""
    if not path.exists():
        return {}
    try:
        return {name: _scene(entry) for name, entry in json.loads(path.read_text())["scenes"].items()}
    except (ValueError, KeyError, TypeError) as error:
        raise SceneFileError(path, "figures", "what peer_sog.py writes", f"{type(error).__name__}: {error}") from error


def write_peers(scenes: Mapping[str, PeerScene], path: Path = PEERS) -> None:
    """Replace the cache."""
    entries = {name: asdict(scene) for name, scene in scenes.items()}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps({"judged": JUDGED, "scenes": entries}, indent=2) + "\n")


def _start(tool: Path) -> list[str]:
    return [str(tool), "--quiet", "--overwrite", "--gpu", "cpu"]


def _scene(entry: Mapping[str, Any]) -> PeerScene:
    return PeerScene(entry["tool"], entry["source_bytes"], tuple(map(_point, entry["points"])), entry["machine"])


def _point(entry: Mapping[str, Any]) -> PeerPoint:
    views = entry["psnr_views"]
    return PeerPoint(**{**entry, "psnr_views": None if views is None else tuple(views)})

"""What the panel says about a scene: names and values, ready to show."""

from __future__ import annotations

from scenes.gaussians import sh_count
from scenes.load import SceneFile
from scenes.neural_gaussians import NeuralGaussians

PLAIN_NUMBERS = 14  # float32 a Gaussian in INRIA's .ply beside SH: position, normal, opacity, scale, rotation
UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "KB"))


def scene_facts(file: SceneFile, video_memory: int) -> list[tuple[str, str]]:
    """Rows of name and value; `video_memory` is in bytes."""
    scene = file.scene
    rows = [("Format", f".{file.format}"), ("Gaussians", f"{len(scene):,}, SH degree {scene.sh_degree}")]
    if file.dropped:
        rows.append(("Left out", f"{file.dropped:,} that cannot be drawn"))
    if isinstance(scene, NeuralGaussians):
        rows += _bank_facts(scene)
    rows.append(("File", short_bytes(file.bytes)))
    if file.format != "ply":
        plain = 4 * len(scene) * (PLAIN_NUMBERS + 3 * sh_count(scene.sh_degree))
        rows.append(("As .ply", f"{short_bytes(plain)}, {plain / max(file.bytes, 1):.1f} times the file"))
    return [*rows, ("Video memory", short_bytes(video_memory))]


def _bank_facts(scene: NeuralGaussians) -> list[tuple[str, str]]:
    shape = scene.bank.shape
    hidden = f"{shape.layers} x {shape.width} {shape.activation}" if shape.layers else "no hidden layer"
    path = " + linear path" if shape.linear else ""
    return [
        ("Clusters", f"{len(scene.counts):,}, of {shape.parameters:,} weights"),
        ("Network", f"{hidden}{path}"),
        ("Code", f"{shape.code} numbers a Gaussian" if shape.code else "none, position alone"),
    ]


def short_bytes(count: int) -> str:
    """A size to three figures: `532 bytes`, `81.2 KB`, `4.71 MB`; 1 KB is 1000 bytes."""
    if count < 1000:
        return f"{count} bytes"
    scaled, unit = next((count / size, unit) for size, unit in UNITS if count >= 0.9995 * size)
    decimals = 2 if scaled < 9.995 else 1 if scaled < 99.95 else 0
    return f"{scaled:.{decimals}f} {unit}"

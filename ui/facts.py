"""What the panel says about a scene: names and values, ready to show."""

from __future__ import annotations

from scenes.load import SceneFile
from scenes.neural_gaussians import NeuralGaussians
from scenes.sizes import plain_bytes, readable_bytes


def scene_facts(file: SceneFile, video_memory: int) -> list[tuple[str, str]]:
    """Rows of name and value; `video_memory` is in bytes."""
    scene = file.scene
    rows = [("Format", f".{file.format}"), ("Gaussians", f"{len(scene):,}, SH degree {scene.sh_degree}")]
    if file.dropped:
        rows.append(("Left out", f"{file.dropped:,} that cannot be drawn"))
    if isinstance(scene, NeuralGaussians):
        rows += _bank_facts(scene)
    rows.append(("File", readable_bytes(file.bytes)))
    if file.format != "ply":
        plain = plain_bytes(len(scene), scene.sh_degree)
        rows.append(("As .ply", f"{readable_bytes(plain)}, {plain / max(file.bytes, 1):.1f} times the file"))
    return [*rows, ("Video memory", readable_bytes(video_memory))]


def _bank_facts(scene: NeuralGaussians) -> list[tuple[str, str]]:
    shape = scene.bank.shape
    hidden = f"{shape.layers} x {shape.width} {shape.activation}" if shape.layers else "no hidden layer"
    path = " + linear path" if shape.linear else ""
    return [
        ("Clusters", f"{len(scene.counts):,}, of {shape.parameters:,} weights"),
        ("Network", f"{hidden}{path}"),
        ("Code", f"{shape.code} numbers a Gaussian" if shape.code else "none, position alone"),
    ]

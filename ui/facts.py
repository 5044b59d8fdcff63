"""What the panel says about a scene: names and values, ready to show."""

from __future__ import annotations

from scenes.bank import BankShape
from scenes.load import SceneFile
from scenes.neural_gaussians import NeuralGaussians
from scenes.open_scene import SurfaceFile
from scenes.scene_file_write import KINDS
from scenes.sizes import plain_bytes, readable_bytes
from scenes.stage import Stage, StageFile
from scenes.surface import NeuralSurface


def scene_facts(file: SceneFile | SurfaceFile | StageFile, video_memory: int) -> list[tuple[str, str]]:
    """Rows of name and value; `video_memory` is in bytes."""
    if isinstance(file, StageFile):
        rows = [
            ("Format", ".json, a scene to be lit"),
            *_stage_facts(file.stage),
            *_left_out(file),
            ("Files", readable_bytes(file.bytes)),
        ]
        return [*rows, ("Video memory", readable_bytes(video_memory))]
    if isinstance(file, SurfaceFile):
        rows = [("Format", ".kilo, a surface"), *_surface_facts(file.surface), *_left_out(file)]
        return [*rows, ("File", readable_bytes(file.bytes)), ("Video memory", readable_bytes(video_memory))]
    scene = file.scene
    name = f".{file.format}" if " " not in file.format else file.format.replace("sog", "SOG")
    rows = [("Format", name), ("Gaussians", f"{len(scene):,}, SH degree {scene.sh_degree}")]
    rows += _left_out(file)
    if isinstance(scene, NeuralGaussians):
        rows += _bank_facts(scene)
    rows.append(("File", readable_bytes(file.bytes)))
    if file.format != "ply":
        plain = plain_bytes(len(scene), scene.sh_degree)
        rows.append(("As .ply", f"{readable_bytes(plain)}, {plain / max(file.bytes, 1):.1f} times the file"))
    return [*rows, ("Video memory", readable_bytes(video_memory))]


def left_out_words(file: SceneFile | SurfaceFile | StageFile) -> list[str]:
    """What is not shown of a file, or of those a scene file names, one sentence each."""
    if isinstance(file, StageFile):
        stage = file.stage
        named = [(path, _dropped_words(other)) for path, other in stage.gaussians.items()]
        return [f"{path.name}: {words}" for path, found in (*named, *stage.notes.items()) for words in found]
    return [*(_dropped_words(file) if isinstance(file, SceneFile) else ()), *file.notes]


def _dropped_words(file: SceneFile) -> tuple[str, ...]:
    return (f"{file.dropped:,} Gaussians left out: they cannot be drawn",) if file.dropped else ()


def _left_out(file: SceneFile | SurfaceFile | StageFile) -> list[tuple[str, str]]:
    return [("Left out" if i == 0 else "", words) for i, words in enumerate(left_out_words(file))]


def _stage_facts(stage: Stage) -> list[tuple[str, str]]:
    scene = stage.scene
    kinds = [KINDS[type(thing)] for thing in scene.objects]
    counted = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds)) or "none"
    lights = f"{KINDS[type(scene.environment)]} and {len(scene.lights)} others"
    return [("Objects", counted), ("Light", lights)]


def _surface_facts(surface: NeuralSurface) -> list[tuple[str, str]]:
    grid, size = surface.grid, " x ".join(map(str, surface.grid.size))
    appearance = surface.appearance
    return [
        ("Cells", f"{len(surface):,} of {size}"),
        ("Cell edge", f"{grid.edge:.4g}, overlap {100 * surface.overlap:.0f} %"),
        ("Geometry", _network_words(surface.geometry.shape)),
        ("Colour", "none: lit from the camera" if appearance is None else _network_words(appearance.shape)),
    ]


def _network_words(shape: BankShape) -> str:
    return f"{shape.layers} x {shape.width} {shape.activation}, {shape.parameters:,} weights a cell"


def _bank_facts(scene: NeuralGaussians) -> list[tuple[str, str]]:
    shape = scene.bank.shape
    hidden = f"{shape.layers} x {shape.width} {shape.activation}" if shape.layers else "no hidden layer"
    path = " + linear path" if shape.linear else ""
    return [
        ("Clusters", f"{len(scene.counts):,}, of {shape.parameters:,} weights"),
        ("Network", f"{hidden}{path}"),
        ("Code", f"{shape.code} numbers a Gaussian" if shape.code else "none, position alone"),
    ]

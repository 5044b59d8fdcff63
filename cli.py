"""The command line `kilofield`: what each command is called, takes and says of itself.

The bodies are in `commands/`, imported when their command runs, so that `--help` is quick and `kilofield view` never
loads torch.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from commands.errors import OneLineErrors
from commands.options import (
    Background,
    Denoise,
    Force,
    Json,
    Lod,
    MaxGaussians,
    Near,
    Quiet,
    Reading,
    Resume,
    Salvage,
    Samples,
    Scene,
    Size,
    Together,
    View,
)

app = typer.Typer(
    name="kilofield",
    cls=OneLineErrors,
    help="Compress trained 3D Gaussian scenes into codes and tiny neural networks, and look at them.\n\n"
    "Start with `kilofield demo`, or with a scene of yours: `kilofield compress garden.ply garden.kilo`, then "
    "`kilofield view garden.kilo`. Each command has its own `--help` with an example.\n\n"
    "Exit codes: 0 done, 1 an error told in one line, 3 written but short of --target-psnr, 70 a bug in kilofield, "
    "130 interrupted, 141 nobody reads the output. "
    "1 KB is 1000 bytes.",
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    add_completion=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kilofield {version('kilofield')}")
        raise typer.Exit


@app.callback()
def kilofield(
    show_version: Annotated[
        bool, typer.Option("--version", metavar=" ", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """The group itself does nothing; its help is given above."""


@app.command()
def compress(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A trained scene of any readable format (see convert).")],
    target: Annotated[Path, typer.Argument(metavar="OUT.kilo", help="The file to make.")],
    preset: Annotated[
        str,
        typer.Option(
            metavar="PRESET",
            help="Effort: draft (a first look), balanced, best (patience or a GPU), "
            "or paper (NeuralGS as published, to compare with).",
        ),
    ] = "balanced",
    quality: Annotated[
        str | None,
        typer.Option(
            metavar="QUALITY",
            help="Size against fidelity: small, medium, high, or lossless (to the eye: all Gaussians kept, 50 dB).",
            show_default="medium",
        ),
    ] = None,
    max_mb: Annotated[
        float | None,
        typer.Option("--max-mb", metavar="MB", help="Stay under this many megabytes (1,000,000 bytes), not --quality."),
    ] = None,
    target_psnr: Annotated[
        float | None,
        typer.Option(
            metavar="DB",
            help="As few bytes as reach this PSNR in views not fitted to, not --quality or --max-mb. Takes two to "
            "three times as long. Where it cannot be reached, the best is written and the exit code is 3.",
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="CAPTURE",
            help="Fit to the photographs of this capture (a folder with transforms.json) and not to renders of IN.",
        ),
    ] = None,
    preview: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png",
            help="Show how it is getting on: original, now and difference in three views not fitted to, replaced again "
            "and again. Open it in a picture viewer that reloads files.",
        ),
    ] = None,
    device: Annotated[str, typer.Option(metavar="DEVICE", help="auto, cpu or cuda.")] = "auto",
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes on the CPU.")] = 0,
    chunk_gaussians: Annotated[
        int | None,
        typer.Option(
            "--chunk-gaussians",
            metavar="N",
            help="Fit a scene of more in chunks of at most N, one by one: memory stays the same however large it is.",
            show_default="500,000",
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Chunks fitted at once, each in a process that takes about a gigabyte.",
            show_default="one a core, at most 4",
        ),
    ] = None,
    max_gaussians: MaxGaussians = None,
    lod: Lod = 0,
    salvage: Salvage = False,
    resume: Resume = False,
    force: Force = False,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Compress a trained scene into a .kilo.

    Merges Gaussians, encodes them as short codes that small networks decode, and tunes everything by looking at renders
    of the original from many cameras. OUT.kilo appears only when it is finished. Ctrl-C while it tunes loses no step:
    it writes a checkpoint, and the same command with --resume goes on from there (after a crash, from half a minute
    before it, or what KILOFIELD_CHECKPOINT_SECONDS says). Lossless, which tunes nothing, has none and starts again.

    Of a scene fitted in chunks, those that are finished wait in the folder OUT.kilo.chunks, and --resume goes on with
    the others. What --images, --target-psnr, lossless and the preset paper make is fitted as a whole, of any size.

    In a terminal a table shows bytes, PSNR and SSIM as they change, judged in views that are not fitted to; --preview
    shows pictures of these. The report at the end says what the bytes were spent on and which stage took how long;
    --json has the same figures, and every row of the table.

    Example: `kilofield compress garden.ply garden.kilo --quality high`
    """
    from commands.compress import options, run
    from commands.console import Screen

    reading = Reading(max_gaussians, lod, salvage)
    chosen = options(preset, quality, max_mb, target_psnr, images, device, seed, resume, reading, chunk_gaussians, jobs)
    run(source, target, chosen, preview, force, Screen(quiet, json, force))


@app.command()
def surface(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="IN",
            help="A mesh (.obj, .ply, .stl, .glb, .gltf), or a folder of photographs with cameras: transforms.json, "
            "cameras_sphere.npz with masks, or a COLMAP model.",
        ),
    ],
    target: Annotated[Path, typer.Argument(metavar="OUT.kilo", help="The file to make.")],
    preset: Annotated[
        str, typer.Option(metavar="PRESET", help="Effort: draft (a first look), balanced, or best (patience or a GPU).")
    ] = "balanced",
    cells: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Cells along the longest axis, 4 to 64. Twice as many: finer detail, four times the bytes.",
            show_default="by preset: 16, 24 or 32; photographs: 20, 32 or 48",
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Photographs: steps of the teacher.", show_default="by preset: 600, 2,500 or 15,000"
        ),
    ] = None,
    side: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS",
            help="Photographs are averaged down to this longest side.",
            show_default="by preset: 200, 300 or 800",
        ),
    ] = None,
    preview: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Show how it is getting on: colour, normals and cells, again and again."),
    ] = None,
    face_loss: Annotated[
        float,
        typer.Option(
            "--face-loss",
            metavar="WEIGHT",
            help="Also ask neighbouring cells to agree on the faces between them. They are blended there anyway.",
        ),
    ] = 0.0,
    device: Annotated[
        str, typer.Option(metavar="DEVICE", help="What photographs are learnt on: auto, cpu or cuda.")
    ] = "auto",
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes on the same number of cores.")] = 0,
    resume: Resume = False,
    force: Force = False,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Learn a surface: a signed distance field and its colour in thousands of small cells, each with its own networks.

    Photographs first teach one large field (NeuS on a hash grid), from which the cells learn; the photographs then
    colour them, by a least-squares solve through rays as they are drawn. A mesh is its own teacher. The cells share
    what they can: a hidden layer is learnt once for all, and every cell has its own output layer, solved for exactly.
    Near a face the networks of both sides are blended, so there are no seams. Weights are rounded to integers as coarse
    as the preset allows.

    The report says how far the surface in OUT.kilo is from its teacher, before and after rounding (distances in units
    of the scene, angles between normals in degrees), and for photographs the PSNR of those kept to judge by: a test set
    (transforms_test.json), or every eighth.

    OUT.kilo appears only when it is finished. Ctrl-C writes a checkpoint, and the same command with --resume goes on.

    Example: `kilofield surface spot.obj spot.kilo --preview spot.png`
    """
    from commands.console import Screen
    from commands.surface import options, run

    run(
        source,
        target,
        options(preset, cells, steps, side, face_loss, device, seed, resume),
        preview,
        force,
        Screen(quiet, json, force),
    )


@app.command()
def mesh(
    source: Annotated[Path, typer.Argument(metavar="IN.kilo", help="A neural surface, as `kilofield surface` makes.")],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="The mesh to make: .ply (to measure), .glb (for browsers, games and Blender) or .obj (text).",
        ),
    ],
    resolution: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Cubes along the longest side of the surface's cells, up to 2048. Twice as many: four times the faces "
            "and the time.",
        ),
    ] = 512,
    faces: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="At most this many triangles, fewest where the surface is flat.",
            show_default="all; with --texture 40,000",
        ),
    ] = None,
    texture: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS",
            help="Colours in a square picture of this side, not at vertices: detail that few triangles cannot hold. "
            "For .glb, inside it, and .obj, as a .mtl and a .png beside it.",
        ),
    ] = None,
    largest: Annotated[
        bool, typer.Option("--largest", metavar=" ", help="Only the largest connected part; no crumbs floating about.")
    ] = False,
    salvage: Salvage = False,
    force: Force = False,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Turn a neural surface into a triangle mesh for other programs.

    Cubes that the surface passes through are cut into triangles (marching cubes), whose corners are then moved onto the
    surface itself. Normals are the field's own, colours those seen head-on. Places and axes are those of the capture;
    no unit is changed. A surface that is closed gives a watertight mesh; where it leaves its cells the mesh has open
    edges, and the report says how many.

    Example: `kilofield mesh spot.kilo spot.glb --faces 20000 --texture 2048`
    """
    from commands.console import Screen
    from commands.mesh import options, run

    run(source, target, options(resolution, faces, texture, largest), salvage, force, Screen(quiet, json, force))


@app.command()
def convert(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="IN... OUT",
            help="Scenes to read, merged if several, and then the file to make: .ply, .compressed.ply, .splat, .spz, "
            ".sog or .glb.",
        ),
    ],
    sh: Annotated[int | None, typer.Option(metavar="DEGREE", help="Drop SH bands above this, 0 to 3.")] = None,
    box: Annotated[
        str | None, typer.Option(metavar="x,y,z,X,Y,Z", help="Keep what has its middle between these two corners.")
    ] = None,
    sphere: Annotated[
        str | None, typer.Option(metavar="x,y,z,R", help="Keep what has its middle in this sphere.")
    ] = None,
    drop_floaters: Annotated[
        bool,
        typer.Option(
            "--drop-floaters",
            metavar=" ",
            help="Drop what stands alone: with an eighth of the Gaussians near it that the median one has.",
        ),
    ] = False,
    up: Annotated[
        str | None,
        typer.Option(
            metavar="AXIS",
            help="Turn the scene so that this axis is up: z, or -y:z to say which is up now.",
            show_default="as it is",
        ),
    ] = None,
    rotate: Annotated[
        str | None, typer.Option(metavar="x,y,z", help="Turn by degrees about x, then y, then z.")
    ] = None,
    scale: Annotated[float, typer.Option(metavar="FACTOR", help="Scale about the origin.")] = 1.0,
    translate: Annotated[
        str | None, typer.Option(metavar="x,y,z", help="Shift, after all turning and scaling.")
    ] = None,
    morton: Annotated[
        bool, typer.Option("--morton", metavar=" ", help="Order by place (.sog and .compressed.ply always are).")
    ] = False,
    spz_version: Annotated[int, typer.Option(metavar="N", help="Of an .spz: 3 (gzip) or 4 (zstd).")] = 4,
    sh_bits: Annotated[
        str,
        typer.Option(
            metavar="A,B", help="Of an .spz: bits of SH band 1 and of those above; 5,4, as others have it, is smaller."
        ),
    ] = "8,8",
    max_gaussians: MaxGaussians = None,
    lod: Lod = 0,
    salvage: Salvage = False,
    force: Force = False,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Turn any readable scenes into a file for other programs.

    Reads .ply, .compressed.ply, .splat, .spz, .ksplat, .sog (zip, folder, lod-meta.json), .glb, .gltf and .kilo, told
    apart by what is in them. Gaussians that are NaN, infinite or without a rotation are dropped and counted. The format
    of the output is that of its name; what it has no room for is said.

    Edits are done in this order: merge, --box, --sphere, --drop-floaters, --up, --rotate, --scale, --translate, --sh,
    --morton; view dependence turns along.

    Example: `kilofield convert garden.kilo garden.spz --sh 1 --up -y:z`
    """
    from commands.console import Screen
    from commands.convert import ConvertOptions, run

    options = ConvertOptions(box, sphere, drop_floaters, up, rotate, scale, translate, sh, morton, spz_version, sh_bits)
    run(files, options, Reading(max_gaussians, lod, salvage), force, Screen(quiet, json, force))


@app.command()
def info(
    file: Scene,
    max_gaussians: MaxGaussians = None,
    lod: Lod = 0,
    salvage: Salvage = False,
    json: Json = None,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Say what a scene file holds.

    Format, number of Gaussians, SH degree, bounds in world units and bytes, and the ratio to the same Gaussians as a
    .ply. Of a .kilo also its networks, chunks and tiers (how much of the file has to be there to see each tier), the
    bytes and codec of each stream, version, what a reader has to know, a checksum that stands for all of it, and what
    made it. Of a neural surface its cells, networks and streams. --json has every chunk.

    Example: `kilofield info garden.kilo`
    """
    from commands.console import Screen
    from commands.info import run

    run(file, Reading(max_gaussians, lod, salvage), Screen(quiet, json, force))


@app.command()
def verify(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE|FOLDER...",
            help="Scenes and meshes of any readable format; of a folder all that are named like one, also in folders "
            "below.",
        ),
    ],
    max_gaussians: MaxGaussians = None,
    json: Json = None,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Check that files are whole, from their first byte to their last.

    A .kilo has a checksum of every stream of bytes in it, so no changed byte goes unseen. All streams are checked and
    decoded, all values looked at, and every damaged place is named, not only the first: which chunk, which tier, which
    stream. If part of it is whole, it is said how much the other commands would read with --salvage.

    Other formats are read in full, all levels of detail of a lod-meta.json too. Most have no checksums: a changed byte
    that leaves such a file readable is seen by nobody. Gaussians that cannot be drawn (NaN, infinite) are counted, but
    are no damage.

    The exit code is 0 when all files are whole and 1 when one is not, with a line for each thing that is wrong; --json
    has the same.

    Example: `kilofield verify garden.kilo backups/`
    """
    from commands.console import Screen
    from commands.verify import run

    run(files, Reading(max_gaussians), Screen(quiet, json, force))


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="The reference scene, usually the original .ply.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="The scene to judge, usually a .kilo.")],
    cameras: Annotated[
        Path | None,
        typer.Option(
            metavar="CAMS.json",
            help="Cameras: this program's JSON, INRIA's cameras.json or a transforms.json. Without: an orbit of eight.",
        ),
    ] = None,
    size: Size = "640x360",
    background: Background = "black",
    near: Near = None,
    report: Annotated[
        Path | None, typer.Option(metavar="OUT.html", help="One page with pictures, differences and plots.")
    ] = None,
    max_gaussians: MaxGaussians = None,
    lod: Lod = 0,
    salvage: Salvage = False,
    force: Force = False,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Measure how alike two scenes look.

    Renders both through the same cameras and prints PSNR (dB; inf for identical pictures), SSIM (1 for identical), and
    LPIPS when its weights are on this machine; for each camera and as means. Pictures are clipped to [0, 1].

    Example: `kilofield compare garden.ply garden.kilo --report garden.html`
    """
    from commands.compare import run
    from commands.console import Screen

    run(a, b, Reading(max_gaussians, lod, salvage), cameras, size, background, near, report, Screen(quiet, json, force))


@app.command()
def render(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="A scene of any readable format (see convert), or .json to be path-traced; two with --together.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR|PICTURE", help="Folder for the pictures, made if missing; of a .json a picture, .png or .exr."
        ),
    ],
    cameras: Annotated[
        Path | None,
        typer.Option(
            metavar="CAMS.json",
            help="This program's JSON, INRIA's cameras.json or a transforms.json. A .json scene has its own camera.",
        ),
    ] = None,
    size: Size = "640x360",
    spp: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Of a .json: paths a pixel. Four times as many: half the noise.", show_default="64"
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of a .json: other paths, other noise.", show_default="0")] = None,
    denoise: Denoise = False,
    together: Together = False,
    view: View = "colour",
    samples: Samples = 1,
    background: Background = "black",
    near: Near = None,
    max_gaussians: MaxGaussians = None,
    lod: Lod = 0,
    salvage: Salvage = False,
    force: Force = False,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Render one PNG for each camera of a file, named after the camera or numbered; or path-trace a scene file.

    A .json (see docs/scene-format.md) holds surfaces, plain shapes, Gaussians, materials, lights and a camera. A .png
    is tone-mapped as the file says; an .exr has the light itself. --together draws Gaussians and a surface in one
    picture, each hiding what is behind it.

    Example: `kilofield render garden.kilo --cameras cameras.json --size 1280x720 --out pictures`

    Path-traced: `kilofield render still-life.json --spp 256 --size 1280x720 --out still-life.png`
    """
    from commands.console import Screen
    from commands.render import Pictures, run
    from commands.render_scene import PathOptions

    pictures = Pictures(cameras, size, background, near, view, samples)
    paths, reading = PathOptions(spp, seed, denoise), Reading(max_gaussians, lod, salvage)
    run(files, together, reading, pictures, paths, out, Screen(quiet, json, force))


@app.command()
def fly(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="Scenes of any readable format (see convert), or .json to be lit; several to compare.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR|VIDEO.mp4",
            help="A folder of PNG frames, or a video; of several files, a folder or a video each, named after them. "
            "Without: frames are drawn and timed, and not kept.",
        ),
    ] = None,
    path: Annotated[
        str,
        typer.Option(
            metavar="PRESET|PATH.json",
            help="orbit, ellipse, spiral, dolly; a saved camera path; or the cameras of a file, one after the other. "
            "Presets go around the first file.",
        ),
    ] = "orbit",
    size: Size = "640x360",
    frames: Annotated[int, typer.Option(help="Frames to make of each file.")] = 120,
    warmup: Annotated[int, typer.Option(help="Frames rendered first and not counted in the times.")] = 10,
    together: Together = False,
    spp: Annotated[
        int | None,
        typer.Option(metavar="N", help="Of a .json: paths a pixel.", show_default="instant light, with --denoise"),
    ] = None,
    denoise: Denoise = False,
    view: View = "colour",
    samples: Samples = 1,
    pipeline: Annotated[
        str,
        typer.Option(metavar="PIPELINE", help="How Gaussians are blended: quads, tiles, or auto, the faster one here."),
    ] = "auto",
    residency: Annotated[
        str,
        typer.Option(
            metavar="RESIDENCY",
            help="A .kilo is decoded once when it is loaded, or resident: compressed in video memory, and what is seen "
            "decoded in every frame.",
        ),
    ] = "decoded",
    fps: Annotated[float, typer.Option(help="Frames a second of the video.")] = 30.0,
    background: Background = "black",
    near: Near = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw the time of every frame, by stage, as a picture.")
    ] = None,
    max_gaussians: MaxGaussians = None,
    lod: Lod = 0,
    salvage: Salvage = False,
    force: Force = False,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Fly a camera through scenes; make frames or videos, and time every frame.

    A .json (see docs/scene-format.md) has instant light: one path a pixel, scattered once, filtered; --spp traces
    paths, scattered as often as the file says. --together draws Gaussians and a surface in one picture.

    Several files are drawn in turn, frame 1 of each, then frame 2 of each, so that their times compare. A frame's time
    is from the camera to the finished picture, without saving it. The JSON has every frame, and what it ran on.

    Example: `kilofield fly garden.kilo --path spiral --size 1280x720 --frames 240 --out garden.mp4`

    Compare: `kilofield fly garden.ply garden.kilo --size 1920x1080 --warmup 10 --json times.json --plot times.png`
    """
    from commands.console import Screen
    from commands.fly import Flight, run

    flight = Flight(path, size, frames, warmup, fps, background, near, view, pipeline, residency, plot, samples)
    flight = replace(flight, spp=spp, denoise=denoise, together=together)
    run(files, Reading(max_gaussians, lod, salvage), flight, out, Screen(quiet, json, force))


@app.command()
def view(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE...", help="Scenes of any readable format (see convert); none to open one there."),
    ] = None,
    together: Together = False,
    max_gaussians: MaxGaussians = None,
    lod: Lod = 0,
    salvage: Salvage = False,
    quiet: Quiet = False,
) -> None:
    """Open scenes in a window: orbit or fly through them. Two are compared. ? lists every key.

    Example: `kilofield view garden.ply garden.kilo`
    """
    from commands.view import run

    run(files or [], together, Reading(max_gaussians, lod, salvage), quiet)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for what it makes.")] = Path("demo-out"),
    quick: Annotated[
        bool, typer.Option("--quick", metavar=" ", help="A smaller scene and less effort, for a first look.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Make a sample scene, compress it, compare the two and film it.

    Example: `kilofield demo --quick`
    """
    from commands.demo import run

    run(out, quick, quiet)


def main() -> None:
    """The entry point of the console script."""
    app()


if __name__ == "__main__":
    main()

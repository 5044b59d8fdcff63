"""The shader library, and every shader compiled and run within two seconds on the software rasteriser."""

from __future__ import annotations

import os

os.environ["MESA_SHADER_CACHE_DISABLE"] = "true"  # before the first context of the session: compile times must be real

import time
from collections.abc import Callable
from pathlib import Path

import moderngl
import numpy as np
import pytest
from gaussian_samples import cameras, random_gaussians, random_neural
from path_samples import cornell
from resident_scenes import storable
from surface_samples import random_surface

from renderer import context as context_module
from renderer import gaussian_renderer
from renderer.compare_screen import CompareScreen
from renderer.context import create_context, is_software
from renderer.decode import decode
from renderer.gaussian_renderer import GaussianRenderer
from renderer.layouts import GEOMETRY, RECORD, STRUCTS, Field, Struct, layouts_glsl
from renderer.path_display import PathDisplay
from renderer.path_layouts import PATH, PATH_BINDINGS
from renderer.path_surface import PathSurface
from renderer.path_tracer import PathTracer
from renderer.picture_difference import PictureDifference
from renderer.prefix_sum import PrefixSum
from renderer.radix_sort import RadixSort
from renderer.scene_settings import SceneSettings
from renderer.shader_library import STAGES, ShaderError, assemble, compile_compute, shader_names
from renderer.stage_renderer import StageRenderer
from renderer.stage_settings import StageSettings
from renderer.surface_renderer import SurfaceRenderer
from renderer.surface_settings import MarchSettings, SurfaceSettings
from renderer.together import TogetherRenderer
from scenes.bank import BankShape
from scenes.errors import KilofieldError
from scenes.load import SceneFile
from scenes.scene_file import GaussianScene, SceneDescription
from scenes.stage import Stage

LIMIT = 2.0  # seconds


@pytest.fixture(scope="module")
def context() -> moderngl.Context:
    return create_context()


def draw_a_frame(context: moderngl.Context) -> None:
    renderer = GaussianRenderer(context)
    renderer.load(random_gaussians(300, 0))
    target = context.simple_framebuffer((64, 48))
    renderer.draw(cameras()[0], target)
    target.read()


def draw_a_frame_on_the_gpu(context: moderngl.Context) -> None:
    """With a budget so small that the guard has to cut."""
    renderer = GaussianRenderer(context, "quads", sort="gpu")
    renderer.overdraw_budget = 1e5
    renderer.load(random_gaussians(300, 0))
    renderer.render(cameras()[0], 640, 480)


def draw_tiles(context: moderngl.Context) -> None:
    renderer = GaussianRenderer(context, "tiles")
    renderer.load(random_gaussians(300, 0))
    renderer.render(cameras()[0], 64, 48)


def draw_a_frame_without_compute(context: moderngl.Context) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gaussian_renderer, "has_compute", lambda _: False)
        renderer = GaussianRenderer(context)
        renderer.load(random_gaussians(300, 0))
        renderer.render(cameras()[0], 64, 48)


def decode_wide(context: moderngl.Context) -> None:
    shape = BankShape((1.0, 2.0, 4.0), 16, 128, 4, 55, activation="softplus", output_activation="tanh")
    decode(context, random_neural(shape, 3, 200, 3, 0))


def decode_small(context: moderngl.Context) -> None:
    decode(context, random_neural(BankShape((1.0, 2.0), 8, 32, 2, 10, activation="tanh"), 3, 200, 0, 0))


def decode_every_frame(context: moderngl.Context) -> None:
    shape = BankShape((1.0, 2.0, 4.0), 16, 64, 2, 55, activation="softplus", output_activation="tanh")
    renderer = GaussianRenderer(context, residency="resident")
    renderer.load(storable(random_neural(shape, 3, 200, 3, 0), on_grid=True, stepped=True))
    renderer.render(cameras()[0], 64, 48)


def sort_and_sum(context: moderngl.Context) -> None:
    keys = context.buffer(np.arange(3000, dtype=np.uint32))
    sorter, summer = RadixSort(context), PrefixSum(context)
    for thing in (sorter, summer):
        thing.reserve(3000)
    sorter.sort_drawn(keys, 3000)
    summer.run(sorter.keys, sorter.count)
    sorter.release()
    summer.release()


def compare_two_pictures(context: moderngl.Context) -> None:
    screen, difference = CompareScreen(context), PictureDifference(context)
    screen.paint((64, 48), lambda target: target.clear(0.1), lambda target: target.clear(0.2))
    target = context.simple_framebuffer((64, 48))
    screen.draw(target, "difference")
    difference.start(*screen.pictures)
    while difference.step(0.01) is None:
        pass
    target.read()


def trace_a_surface(context: moderngl.Context) -> None:
    renderer = SurfaceRenderer(context, random_surface())
    for view in ("colour", "cells", "slice"):
        renderer.render(cameras()[0], 64, 48, SurfaceSettings(view=view))


def trace_paths(context: moderngl.Context) -> None:
    tracer = PathTracer(context, cornell())
    tracer.render(cameras()[0], 16, 12, 1)
    PathDisplay(context).draw(tracer.texture, context.simple_framebuffer((16, 12)), "agx")


def draw_before_paths(context: moderngl.Context) -> None:
    scene = SceneDescription((GaussianScene(Path("a.ply")),))
    file = SceneFile(Path("a.ply"), "ply", random_gaussians(300, 0), 0, 0)
    renderer = StageRenderer(context, Stage(scene, gaussians={Path("a.ply"): file}))
    renderer.draw(cameras()[0], context.simple_framebuffer((16, 12)), StageSettings(denoise=True))


def trace_paths_through_a_surface(context: moderngl.Context) -> None:
    surface = PathSurface(context, random_surface(), MarchSettings())
    paths = np.zeros(64, PATH.dtype)
    paths["alive"], paths["met"] = 1, 1
    paths["direction"][:, 2] = 1
    context.buffer(paths.tobytes()).bind_to_storage_buffer(PATH_BINDINGS["PATHS"])

    def one_group(shader: moderngl.ComputeShader) -> None:
        shader.run(1)

    surface.trace(64, one_group, 0, np.eye(3, 4), False)
    surface.look(64, one_group, 0, np.eye(3, 4), True)


def draw_both(pipeline: str, sort: str) -> Callable[[moderngl.Context], None]:
    def run(context: moderngl.Context) -> None:
        gaussians = GaussianRenderer(context, pipeline, sort=sort)
        gaussians.load(random_gaussians(300, 0))
        together = TogetherRenderer(gaussians, SurfaceRenderer(context, random_surface()))
        together.render(cameras()[0], 64, 48, SceneSettings())

    run.__name__ = f"draw_both_{pipeline}_{sort}"
    return run


BOTH = [draw_both(pipeline, sort) for pipeline, sort in (("quads", "cpu"), ("quads", "gpu"), ("tiles", "cpu"))]

# what compiles and runs each shader
RUNS: dict[str, list[Callable[[moderngl.Context], None]]] = {
    "gaussian_project.comp": [draw_a_frame],
    "gaussian_quads.vert": [draw_a_frame_on_the_gpu],
    "gaussian_triangles.vert": [draw_a_frame],
    "gaussian_quads.frag": [draw_a_frame],
    "gaussian_draw.comp": [draw_a_frame_on_the_gpu],
    **{f"guard_{name}.comp": [draw_a_frame_on_the_gpu] for name in ("begin", "cost", "cut")},
    **{f"tile_{name}.comp": [draw_tiles] for name in ("count", "limit", "plan", "emit", "ranges", "blend")},
    "gaussian_feedback.vert": [draw_a_frame_without_compute],
    "gaussian_instances.vert": [draw_a_frame_without_compute],
    "screen_triangle.vert": [draw_a_frame],
    "screen_composite.frag": [draw_a_frame],
    "gaussian_decode.comp": [decode_wide, decode_small],
    **{f"resident_{name}.comp": [decode_every_frame] for name in ("cull", "project")},
    **{f"prefix_{name}.comp": [sort_and_sum] for name in ("plan", "rows", "reduce", "apply")},
    **{f"sort_{name}.comp": [sort_and_sum] for name in ("histogram", "scatter")},
    **{f"surface_{name}.comp": [trace_a_surface] for name in ("trace", "normal", "shade", "view", "slice")},
    "together_over.comp": BOTH,
    **{f"path_{name}.comp": [trace_paths] for name in ("begin", "meet", "shade", "block", "add")},
    **{f"path_{name}.comp": [trace_paths_through_a_surface] for name in ("march", "surface_normal", "surface_colour")},
    "path_display.frag": [trace_paths],
    "stage_front.frag": [draw_before_paths],
    "stage_denoise.comp": [draw_before_paths],
    **{f"compare_{name}.frag": [compare_two_pictures] for name in ("screen", "blur", "ssim", "sum")},
}


@pytest.mark.parametrize(
    "run", dict.fromkeys(run for runs in RUNS.values() for run in runs), ids=lambda run: run.__name__
)
def test_compiles_and_runs_in_time(run: Callable[[moderngl.Context], None], context: moderngl.Context) -> None:
    start = time.process_time()  # of all threads: llvmpipe's count, other programs do not
    run(context)
    context.finish()
    assert time.process_time() - start < LIMIT


def test_every_shader_is_run_and_every_chunk_used() -> None:
    stages = {name for name in shader_names() if name.endswith(STAGES)}
    assert stages == set(RUNS)
    generated = {"bank.glsl": "", "surface_views.glsl": "", "path_constants.glsl": ""}
    used = {file for name in stages for file in assemble(name, chunks=generated).files}
    assert {name for name in shader_names() if name.endswith(".glsl")} <= used


def test_ci_draws_in_software(context: moderngl.Context) -> None:
    if not os.environ.get("CI"):
        pytest.skip("only CI must be on the software rasteriser")
    assert is_software(context), context.info["GL_RENDERER"]


def test_no_opengl_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object, **__: object) -> None:
        raise Exception("libEGL.so not loaded")

    monkeypatch.setattr(context_module.moderngl, "create_context", none)
    with pytest.raises(KilofieldError) as caught:
        create_context()
    assert str(caught.value) == (
        "OpenGL: expected version 4.1 without a window, found none (libEGL.so not loaded); "
        "on Debian or Ubuntu: apt-get install libegl1 libgl1-mesa-dri libglx-mesa0 libgl1"
    )


def test_messages_name_file_and_line(context: moderngl.Context) -> None:
    chunks = {"outer.comp": '#version 430\n#include "inner.glsl"\nlayout(local_size_x = 1) in;\nvoid main() {}\n'}
    broken = chunks | {"inner.glsl": "float fine;\nfloat broken = undeclared_name;\n"}
    with pytest.raises(ShaderError, match=r"inner\.glsl:2\b.*undeclared_name"):
        compile_compute(context, "outer.comp", chunks=broken)
    after = chunks | {"inner.glsl": "float fine;\n"}
    after["outer.comp"] = after["outer.comp"].replace("void main() {}", "void main() { undeclared_name; }")
    with pytest.raises(ShaderError, match=r"outer\.comp:4\b.*undeclared_name"):
        compile_compute(context, "outer.comp", chunks=after)


def test_includes_are_put_in_once_and_defines_follow_the_version() -> None:
    chunks = {
        "a.comp": '#version 430\n#include "b.glsl"\n#include "c.glsl"\n',
        "b.glsl": '#include "c.glsl"\nint b;',
        "c.glsl": "int c;",
    }
    source = assemble("a.comp", {"N": 3}, chunks)
    assert source.files == ["a.comp", "b.glsl", "c.glsl"]
    assert source.text.splitlines()[:2] == ["#version 430", "#define N 3"]
    assert source.text.count("int c;") == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '#version 430\n\n#include "nowhere.glsl"\n',
            "a.comp:3: expected a file of shaders/ or a generated chunk, found 'nowhere.glsl'",
        ),
        ("#version 430\n#include <b>\n", "a.comp:2: expected #include \"name\", found '#include <b>'"),
        ("void main() {}\n", "a.comp:1: expected #version, found 'void main() {}'"),
    ],
)
def test_what_is_wrong_with_a_source(text: str, message: str) -> None:
    with pytest.raises(ShaderError) as caught:
        assemble("a.comp", chunks={"a.comp": text})
    assert str(caught.value) == message


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda s: s.name)
def test_numpy_and_glsl_agree_on_structs(struct: Struct, context: moderngl.Context) -> None:
    """A shader writes its own element number into the first float of element 2; numpy must find it there."""
    first = struct.fields[0]
    member = f"{first.name}{'.x' if 'vec' in first.glsl else ''}"
    source = f"""#version 430
#include "layouts.glsl"
layout(local_size_x = 1) in;
layout(std430, binding = 0) buffer Elements {{ {struct.name} elements[]; }};
void main() {{ elements[2].{member} = 7; }}
"""
    shader = compile_compute(context, "probe.comp", chunks={"probe.comp": source})
    buffer = context.buffer(np.zeros(4, struct.dtype))
    buffer.bind_to_storage_buffer(0)
    shader.run()
    found = np.frombuffer(buffer.read(), struct.dtype)[first.name].reshape(4, -1)[:, 0]
    np.testing.assert_array_equal(found, [0, 0, 7, 0])


def test_structs_without_natural_alignment_are_refused() -> None:
    with pytest.raises(ValueError, match=r"S\.b: expected a multiple of 16, found offset 4"):
        Struct("S", (Field("a", "float", ""), Field("b", "vec4", "")))
    with pytest.raises(ValueError, match="S: expected a size that is a multiple of 8, found 12"):
        Struct("S", (Field("a", "vec2", ""), Field("b", "float", "")))


def test_layout_sizes_are_what_the_limits_are_computed_from() -> None:
    assert (GEOMETRY.bytes, RECORD.bytes) == (32, 32)
    assert "struct Record {" in layouts_glsl()

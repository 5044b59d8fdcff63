"""The front end of scenes of which only the compressed form is in video memory: the visible part is decoded each frame.

A small pass lists the jobs a frame can show (`shaders/resident_cull.comp`), and an indirect dispatch decodes, projects
and shades them into the frame's records (`shaders/resident_project.comp`). What is in the buffers is in
`renderer/resident_scene.py`.
"""

from __future__ import annotations

import moderngl
import numpy as np

from renderer.bank_glsl import SHARED_BYTES, bank_defines, bank_glsl, bank_uniforms, loop_iterations
from renderer.context import is_software
from renderer.decode import LLVMPIPE_LOOPS
from renderer.gpu_gaussians import max_gaussians, radii_and_areas
from renderer.layouts import BINDINGS, GROUP
from renderer.projection import FrameBuffers, copies, frame_uniforms
from renderer.resident_culling import cull_uniforms
from renderer.resident_lanes import PRECISION
from renderer.resident_scene import (
    CODE_TABLES,
    FIRST_TABLE,
    LANE,
    NEXT_TABLE,
    ResidentScene,
    network_places,
    pack,
)
from renderer.settings import RenderSettings
from renderer.shader_library import compile_compute, set_uniforms
from scenes.bank import BankShape
from scenes.cameras import Camera
from scenes.errors import KilofieldError
from scenes.gaussians import sh_count
from scenes.neural_gaussians import NeuralGaussians

DISPATCH_ROW = 32768  # workgroups in x; a dispatch is allowed at least 65,535 in each direction
SHADELESS = ("depth", "alpha", "overdraw", "normal")  # views that need no spherical harmonics
FIRST_HARMONIC = 7  # output of the networks


class Resident:
    """A compressed scene in video memory.

    `positions` [N, 3], `radii` and `areas` [N] stay on the CPU as in `GpuGaussians`; the order of the Gaussians is that
    of `ResidentScene`, which is the order of a .kilo of one tier.
    """

    residency = "resident"

    def __init__(self, context: moderngl.Context, scene: NeuralGaussians | ResidentScene) -> None:
        """Uploads `scene`, packed here if it is not. Raises `KilofieldError` when the device cannot bind it."""
        packed = scene if isinstance(scene, ResidentScene) else pack_for(context, scene)
        self.positions = packed.scene.positions
        if len(self) > max_gaussians(context):
            raise KilofieldError(
                f"scene: expected at most {max_gaussians(context):,} Gaussians on this device, found {len(self):,}"
            )
        self._context = context
        self.radii, self.areas = radii_and_areas(packed.log_scales)
        self.sh_degree, self.antialiased = packed.scene.sh_degree, packed.scene.antialiased
        self.jobs = len(packed.jobs)  # the parts that are decoded or left out together
        jobs = np.append(packed.jobs, np.zeros(1, packed.jobs.dtype))  # never empty
        self._buffers = {
            name: _upload(context, name, array)
            for name, array in (
                ("STREAM", packed.stream),
                ("TABLES", packed.tables),
                ("NETWORKS", packed.networks),
                ("JOBS", jobs),
                ("VISIBLE", np.zeros(4 + len(jobs), np.uint32)),
            )
        }
        self._cull, self._project = resident_shaders(context, packed)

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def bytes(self) -> int:
        """Video memory of everything that lives as long as the scene."""
        return sum(buffer.size for buffer in self._buffers.values())

    def visible_jobs(self) -> int:
        """How many of them the latest frame has decoded; waits for it, so not within a frame."""
        return int(np.frombuffer(self._buffers["VISIBLE"].read(16), np.uint32)[3])

    def run(self, frame: FrameBuffers, camera: Camera, width: int, height: int, settings: RenderSettings) -> None:
        """Fills `frame`, which it begins; the records of Gaussian i are i and, of a second copy, N + i."""
        frame.begin(copies(camera) * len(self))
        self._buffers["VISIBLE"].write(np.array([0, 0, 1, 0], np.uint32))  # groups in x, y, z; jobs listed
        for name, buffer in self._buffers.items():
            buffer.bind_to_storage_buffer(BINDINGS[name])
        shared = {"gaussians": len(self), "copies": copies(camera), **cull_uniforms(camera, width, height, settings)}
        set_uniforms(self._cull, job_count=self.jobs, splat_scale=settings.scale, **shared)
        self._cull.run(min(self.jobs, DISPATCH_ROW), -(-self.jobs // DISPATCH_ROW))
        self._context.memory_barrier(moderngl.SHADER_STORAGE_BARRIER_BIT | moderngl.COMMAND_BARRIER_BIT)
        uniforms = frame_uniforms(self, camera, width, height, settings)
        outputs = FIRST_HARMONIC
        if settings.view not in SHADELESS:
            outputs += 3 * sh_count(uniforms["sh_degree"])
        set_uniforms(self._project, outputs=outputs, **shared, **uniforms)
        self._project.run_indirect(self._buffers["VISIBLE"])
        self._context.memory_barrier(moderngl.SHADER_STORAGE_BARRIER_BIT)

    def release(self) -> None:
        """Frees everything."""
        for thing in (*self._buffers.values(), self._cull, self._project):
            thing.release()


def pack_for(context: moderngl.Context, scene: NeuralGaussians) -> ResidentScene:
    """`scene` packed for the device; what `Resident` does first, for threads that may only ask the context's name."""
    return pack(scene, lane_size(scene.bank.shape, is_software(context)))


def lane_size(shape: BankShape, software: bool) -> int:
    """Gaussians of a lane: `LANE`, or as many as llvmpipe does not leave half way.

    Raises `KilofieldError` for a network of which that is none.
    """
    if not software:
        return LANE
    search = PRECISION + 2
    gaussian = loop_iterations(shape) + (shape.code + 1) * search + 32
    lane = min((LLVMPIPE_LOOPS - shape.parameters // GROUP - 64) // gaussian, LANE)
    if lane < 1:
        raise KilofieldError(
            f"bank: expected a network of fewer loop iterations, found {shape.layers} layers of {shape.width}"
        )
    return lane


def resident_shaders(
    context: moderngl.Context, packed: ResidentScene
) -> tuple[moderngl.ComputeShader, moderngl.ComputeShader]:
    """The shaders that cull jobs, and that decode and project them, their constant uniforms set."""
    defines, chunks = resident_glsl(packed)
    cull = compile_compute(context, "resident_cull.comp", defines, chunks)
    project = compile_compute(context, "resident_project.comp", defines, chunks)
    set_uniforms(project, **scene_uniforms(packed))
    return cull, project


def scene_uniforms(packed: ResidentScene) -> dict[str, object]:
    """What `shaders/resident_gaussian.glsl` has to know of a scene."""
    scene = packed.scene
    transform = np.stack([scene.output_offset, scene.output_scale], axis=1)  # [D, 2]
    return {
        **bank_uniforms(scene.bank.shape),
        "position_words": packed.position_words,
        "grid_origin": scene.grid.origin if scene.grid else (0.0, 0.0, 0.0),
        "grid_step": scene.grid.step if scene.grid else 0.0,
        "output_transform": [tuple(pair) for pair in transform.tolist()],
        "lane_size": packed.lane,
    }


def resident_glsl(packed: ResidentScene) -> tuple[dict[str, int], dict[str, str]]:
    """Defines and generated chunks of the shaders that read `packed`."""
    shape = packed.scene.bank.shape
    stepped = packed.scene.weight_steps is not None
    places = network_places(shape, stepped)
    defines = bank_defines(shape) | {
        "BANK_RESIDENT": 1,
        "BANK_SHARED": int(4 * (shape.parameters + 3 + GROUP) <= SHARED_BYTES),  # beside the sum of a frame's cost
        "RESIDENT_STEPS": int(stepped),
        "RESIDENT_HALVES": int(packed.scene.grid is None),
        "NETWORK_STEPS": places.steps,
        "NETWORK_BOX": places.box,
        "NETWORK_WORDS": places.words,
        "TABLE_PRECISION": PRECISION,
        "FIRST_TABLE": FIRST_TABLE,
        "NEXT_TABLE": NEXT_TABLE,
        "CODE_TABLES": CODE_TABLES,
        "DISPATCH_ROW": DISPATCH_ROW,
    }
    # A sum and not a loop: it is evaluated for every weight, and llvmpipe counts the rounds of loops
    blocks = " + ".join(f"int(i >= {block.offset})" for block in shape.blocks()[1:]) or "0"
    return defines, {"bank.glsl": bank_glsl(shape) + f"int bank_block(int i) {{ return {blocks}; }}\n"}


def _upload(context: moderngl.Context, name: str, array: np.ndarray) -> moderngl.Buffer:
    limit = int(context.info["GL_MAX_SHADER_STORAGE_BLOCK_SIZE"])
    if array.nbytes > limit:
        raise KilofieldError(f"{name.lower()}: expected at most {limit:,} bytes on this device, found {array.nbytes:,}")
    return context.buffer(np.ascontiguousarray(array))

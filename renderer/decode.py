"""Decodes neural Gaussians on the device, into the same buffers plain Gaussians have.

The twin is `NeuralGaussians.decode`. Gaussians are sorted by cluster, so the work is cut into jobs that each lie within
one cluster: a workgroup reads its network's weights once.
"""

from __future__ import annotations

from itertools import pairwise

import moderngl
import numpy as np
from numpy.typing import NDArray

from renderer.bank_glsl import bank_defines, bank_glsl, bank_uniforms, loop_iterations
from renderer.gpu_gaussians import GpuGaussians
from renderer.layouts import BINDINGS, DECODE_JOB, GEOMETRY, GROUP
from renderer.packed_geometry import harmonic_words, unpack_log_scales
from renderer.shader_library import compile_compute, set_uniforms
from scenes.bank import BankShape
from scenes.errors import KilofieldError
from scenes.gaussians import sh_count
from scenes.neural_gaussians import NeuralGaussians

JOB_ROUNDS = 8  # Gaussians each thread decodes with the weights its workgroup has read
LLVMPIPE_LOOPS = 65535  # iterations after which llvmpipe leaves every loop of a thread, without a word
MAX_GROUPS = 65535  # workgroups OpenGL guarantees one dispatch


def decode_shader(context: moderngl.Context, shape: BankShape) -> moderngl.ComputeShader:
    """The shader that decodes a bank of `shape`, its loop bounds set."""
    shader = compile_compute(
        context, "gaussian_decode.comp", defines=bank_defines(shape), chunks={"bank.glsl": bank_glsl(shape)}
    )
    set_uniforms(shader, **bank_uniforms(shape))
    return shader


def job_size(shape: BankShape) -> int:
    """Gaussians of one job. Raises `KilofieldError` for a network llvmpipe would leave half way."""
    rounds = LLVMPIPE_LOOPS // (loop_iterations(shape) + 2 * shape.outputs)
    if not rounds:
        raise KilofieldError(
            f"bank: expected a network of fewer loop iterations, found {shape.layers} layers of {shape.width}"
        )
    return GROUP * min(rounds, JOB_ROUNDS)


def decode_jobs(counts: NDArray[np.int64], first: int, stop: int, size: int) -> NDArray[np.void]:
    """Jobs, of `DECODE_JOB`, of up to `size` Gaussians each, from Gaussian `first` up to `stop`.

    `counts` [K] are the Gaussians of each cluster.
    """
    ends = np.cumsum(counts)
    cuts = np.unique(np.clip(np.concatenate([[first, stop], ends]), first, stop))
    starts = [np.arange(a, b, size) for a, b in pairwise(cuts)]
    jobs = np.zeros(sum(map(len, starts)), DECODE_JOB.dtype)
    if len(jobs):
        jobs["first"] = np.concatenate(starts)
        jobs["network"] = np.searchsorted(ends, jobs["first"], side="right")
        jobs["count"] = np.diff(np.append(jobs["first"], stop).astype(np.int64))
    return jobs


def decode(context: moderngl.Context, scene: NeuralGaussians) -> GpuGaussians:
    """Decodes the whole scene once. Raises `KilofieldError` when the device cannot bind it."""
    if not len(scene):
        return GpuGaussians(context, scene.positions, scene.sh_degree, scene.antialiased)
    decoder = Decoder(context, scene)
    decoder.run()
    decoder.release()
    gpu = decoder.gaussians
    decoded = np.frombuffer(gpu.geometry.read(), GEOMETRY.dtype, len(scene))
    gpu.set_log_scales(unpack_log_scales(decoded))
    return gpu


class Decoder:
    """The networks and codes of a scene that is not empty, in video memory, and `gaussians` to decode them into."""

    def __init__(self, context: moderngl.Context, scene: NeuralGaussians) -> None:
        self._context = context
        self.gaussians = GpuGaussians(context, scene.positions, scene.sh_degree, scene.antialiased)
        geometry = np.zeros(len(scene), GEOMETRY.dtype)
        geometry["position_cluster"][:, :3] = np.ascontiguousarray(scene.positions, np.float32).view(np.uint32)
        self.gaussians.geometry.write(geometry)
        self._shader = decode_shader(context, scene.bank.shape)
        self._inputs = _upload_inputs(context, scene)
        transform = np.stack([scene.output_offset, scene.output_scale], axis=1)  # [D, 2]
        words = harmonic_words(sh_count(scene.sh_degree))
        set_uniforms(self._shader, output_transform=[tuple(pair) for pair in transform.tolist()], harmonic_words=words)
        size = job_size(scene.bank.shape)
        jobs = {
            first: decode_jobs(scene.counts, first, first + count, size) for first, count in self.gaussians.chunks()
        }
        self._jobs = {first: (context.buffer(some), len(some)) for first, some in jobs.items()}

    def run(self) -> None:
        """Decodes every Gaussian; all but `radii` and `areas` of `gaussians` are then known."""
        for name, buffer in self._inputs.items():
            buffer.bind_to_storage_buffer(BINDINGS[name])
        for first, _ in self.gaussians.chunks():
            buffer, count = self._jobs[first]
            buffer.bind_to_storage_buffer(BINDINGS["JOBS"])
            for first_job in range(0, count, MAX_GROUPS):
                set_uniforms(self._shader, first=first, first_job=first_job)
                self._shader.run(min(MAX_GROUPS, count - first_job))
        self._context.memory_barrier(moderngl.SHADER_STORAGE_BARRIER_BIT | moderngl.BUFFER_UPDATE_BARRIER_BIT)

    def release(self) -> None:
        """Frees the networks and codes; the Gaussians stay."""
        for thing in (*self._inputs.values(), *(buffer for buffer, _ in self._jobs.values()), self._shader):
            thing.release()


def _upload_inputs(context: moderngl.Context, scene: NeuralGaussians) -> dict[str, moderngl.Buffer]:
    boxes = np.zeros((len(scene.counts), 2, 4), np.float32)
    boxes[..., :3] = scene.boxes
    codes = scene.codes.astype("<i2").tobytes() + b"\0\0\0\0"  # never empty, and whole words
    inputs = {
        "WEIGHTS": np.ascontiguousarray(scene.bank.weights).tobytes(),
        "BOXES": boxes.tobytes(),
        "CODES": codes[: len(codes) // 4 * 4],
    }
    limit = int(context.info["GL_MAX_SHADER_STORAGE_BLOCK_SIZE"])
    buffers = {}
    for name, data in inputs.items():
        if len(data) > limit:
            raise KilofieldError(
                f"{name.lower()}: expected at most {limit:,} bytes on this device, found {len(data):,}"
            )
        buffers[name] = context.buffer(data)
    return buffers

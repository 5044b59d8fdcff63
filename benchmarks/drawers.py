"""Renderers behind one face: this program's, limacv's OpenGL viewer and gsplat draw one scene from given cameras.

    frame(camera)    milliseconds {preparation, sort, draw, total}; the total ends when the device has finished
    picture(camera)  uint8 [H, W, 3] over black, row 0 the top

limacv/GaussianSplattingViewer is run from a checkout of it, unchanged: its `OpenGLRenderer` gets a framebuffer without
a window, its `Camera` our cameras, and the scene as the arrays its own loader would have made (that one reads SH of
degree 3 only). What its main loop does for a moved camera is what is timed here: pose, sort, draw.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

import moderngl
import numpy as np
from numpy.typing import NDArray

from renderer.context import create_context, device_facts
from renderer.gaussian_renderer import GaussianRenderer
from renderer.images import to_8_bit
from scenes.cameras import Camera
from scenes.gaussians import Gaussians
from scenes.neural_gaussians import NeuralGaussians

Times = dict[str, float]  # milliseconds
Pixels = NDArray[np.uint8]  # [H, W, 3]
DRAWING = ("blend", "composite")  # the stages of ours that make pixels
PEER_ALL_HARMONICS = 4  # `render_mod` of the peer: what its menu calls "SH:0~3", less its offset of 3


class Drawer(Protocol):
    """One renderer with one scene loaded."""

    facts: dict[str, Any]  # what draws, ready for JSON

    def frame(self, camera: Camera) -> Times: ...

    def picture(self, camera: Camera) -> Pixels: ...


class OurDrawer:
    """`GaussianRenderer` into an 8-bit framebuffer, as a window would have it.

    With `sharing`, the scene and the renderer are another drawer's, and only the pipeline differs.
    """

    def __init__(
        self,
        scene: Gaussians | NeuralGaussians,
        size: tuple[int, int],
        pipeline: str = "auto",
        residency: str = "decoded",
        context: moderngl.Context | None = None,
        sharing: OurDrawer | None = None,
    ) -> None:
        self.context = sharing.context if sharing else context or create_context()
        self.pipeline = pipeline
        self._owns_renderer = sharing is None
        self.renderer, self.load_ms = (sharing.renderer, sharing.load_ms) if sharing else self._load(scene, residency)
        self._texture, self._target = _target(self.context, size)
        self.facts = device_facts(self.context) | {"pipeline": pipeline, "residency": residency}

    def _load(self, scene: Gaussians | NeuralGaussians, residency: str) -> tuple[GaussianRenderer, float]:
        renderer = GaussianRenderer(self.context, self.pipeline, residency)
        start = perf_counter()
        renderer.load(scene)
        self.context.finish()
        return renderer, 1e3 * (perf_counter() - start)

    def frame(self, camera: Camera) -> Times:
        """The total of a frame that waits only at its end, and the stages of another that waits after each."""
        total, _ = self._timed(camera, synchronised=False)
        whole, stages = self._timed(camera, synchronised=True)
        before = {name: ms for name, ms in stages.items() if name not in ("total", *DRAWING)}
        sort = before.pop("sort", 0.0)
        preparation = sum(before.values())
        return {"preparation": preparation, "sort": sort, "draw": whole - preparation - sort, "total": total}

    def _timed(self, camera: Camera, synchronised: bool) -> tuple[float, Times]:
        self.renderer.pipeline = self.pipeline
        self.renderer.times.synchronised = synchronised
        start = perf_counter()
        self.renderer.draw(camera, self._target)
        self.context.finish()
        return 1e3 * (perf_counter() - start), self.renderer.times.ms()

    def picture(self, camera: Camera) -> Pixels:
        """Drawn and read back; the renderer then has room for all that this camera sees, as later frames need it."""
        self.renderer.pipeline = self.pipeline
        return to_8_bit(self.renderer.render(camera, *self._texture.size))

    def release(self) -> None:
        """Frees the picture, and the scene unless it is shared; the context stays."""
        if self._owns_renderer:
            self.renderer.release()
        for thing in (self._target, self._texture):
            thing.release()


class PeerDrawer:
    """The OpenGL renderer of a checkout of limacv/GaussianSplattingViewer."""

    def __init__(self, checkout: Path, gaussians: Gaussians, size: tuple[int, int]) -> None:
        os.environ.setdefault("PYOPENGL_PLATFORM", "egl")  # before PyOpenGL is imported: whose context is current
        self._context = create_context()
        self.facts = device_facts(self._context) | {"checkout": checkout.name}
        if self.facts["software"]:
            # There it would sort on the CPU, as it does where CUDA is missing. Not importing torch makes sure of it.
            sys.modules.update(dict.fromkeys(("torch", "cupy")))  # type: ignore[arg-type] - None: not to be imported
        self._size = size
        self._texture, self._target = _target(self._context, size)
        with _inside(checkout):
            self._gl, self._util = importlib.import_module("OpenGL.GL"), importlib.import_module("util")
            module = importlib.import_module("renderer_ogl")
            self._renderer = module.OpenGLRenderer(*size)
        self.facts["sort"] = module._sort_gaussian.__name__
        self._renderer.update_gaussian_data(_peer_data(gaussians))
        self._renderer.set_scale_modifier(1.0)
        self._renderer.set_render_mod(PEER_ALL_HARMONICS)
        self._renderer.set_render_reso(*size)

    def frame(self, camera: Camera) -> Times:
        """What its main loop does when the camera has moved and "auto sort" is on."""
        view = self._camera(camera)
        self._target.use()
        start = perf_counter()
        self._gl.glClearColor(0, 0, 0, 1.0)
        self._gl.glClear(self._gl.GL_COLOR_BUFFER_BIT)
        self._renderer.update_camera_pose(view)
        self._renderer.update_camera_intrin(view)
        prepared = perf_counter()
        self._renderer.sort_and_update(view)
        ordered = perf_counter()
        self._renderer.draw()
        self._gl.glFinish()
        stop = perf_counter()
        times = {"preparation": prepared - start, "sort": ordered - prepared, "draw": stop - ordered}
        return {name: 1e3 * seconds for name, seconds in (times | {"total": stop - start}).items()}

    def picture(self, camera: Camera) -> Pixels:
        """Drawn and read back."""
        self.frame(camera)
        return _read(self._texture)

    def _camera(self, camera: Camera) -> Any:
        """Its camera at the place of ours; it knows square pixels and a centred principal point only."""
        if camera.projection != "pinhole" or camera.pixel_aspect != 1 or camera.centre != (0.5, 0.5):
            raise ValueError(f"camera {camera.name!r}: expected a centred pinhole with square pixels")
        width, height = self._size
        view = self._util.Camera(height, width)
        _, down, forward = camera.camera_from_world[:3, :3]
        view.position = camera.position.astype(np.float32)
        view.target = (camera.position + forward).astype(np.float32)
        view.up = (-down).astype(np.float32)
        view.fovy = camera.fov_y
        return view


class GsplatDrawer:
    """gsplat's CUDA rasteriser (https://docs.gsplat.studio, 1.x), as `fitting/raster_gsplat.py` calls it.

    It does not time its stages from outside, so only the total is given. Raises `ImportError` without gsplat or without
    a GPU that torch can use.
    """

    def __init__(self, gaussians: Gaussians, size: tuple[int, int], device: str = "cuda") -> None:
        import torch

        self._on_gpu = device == "cuda"
        if self._on_gpu and not torch.cuda.is_available():
            raise ImportError("torch finds no CUDA device")
        import gsplat  # pyright: ignore[reportMissingImports] - optional, CUDA only
        from gsplat.cuda._backend import _C  # pyright: ignore[reportMissingImports] - compiles now what is not yet

        if _C is None:
            raise ImportError("gsplat found no CUDA compiler for its kernels")

        self._torch, self._size = torch, size
        self._rasterization = gsplat.rasterization
        self._device = torch.device(device)
        name = torch.cuda.get_device_name() if self._on_gpu else device
        self.facts = {"device": name, "gsplat": gsplat.__version__}
        scene = {
            "means": gaussians.positions,
            "quats": gaussians.rotations,
            "scales": np.exp(gaussians.log_scales),
            "opacities": 1 / (1 + np.exp(-gaussians.opacity_logits)),
            "colors": gaussians.sh,
        }
        self._scene = {name: torch.as_tensor(np.ascontiguousarray(v), device=self._device) for name, v in scene.items()}
        self._degree, self._mode = gaussians.sh_degree, "antialiased" if gaussians.antialiased else "classic"

    def frame(self, camera: Camera) -> Times:
        """From the camera to the finished picture in video memory."""
        start = perf_counter()
        self._draw(camera)
        if self._on_gpu:
            self._torch.cuda.synchronize()
        return {"total": 1e3 * (perf_counter() - start)}

    def picture(self, camera: Camera) -> Pixels:
        """Drawn and read back."""
        return np.rint(255 * self._draw(camera).clamp(0, 1).cpu().numpy()).astype(np.uint8)

    def _draw(self, camera: Camera) -> Any:
        torch, (width, height) = self._torch, self._size
        fx, fy, cx, cy = camera.intrinsics(width, height)
        pose = torch.as_tensor(camera.camera_from_world, dtype=torch.float32, device=self._device)
        intrinsics = torch.tensor([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], dtype=torch.float32, device=self._device)
        with torch.no_grad():
            pictures, _, _ = self._rasterization(
                **self._scene,
                viewmats=pose[None],
                Ks=intrinsics[None],
                width=width,
                height=height,
                near_plane=camera.near,
                sh_degree=self._degree,
                packed=False,
                backgrounds=torch.zeros(1, 3, device=self._device),
                rasterize_mode=self._mode,
            )
        return pictures[0]


def _target(context: moderngl.Context, size: tuple[int, int]) -> tuple[moderngl.Texture, moderngl.Framebuffer]:
    texture = context.texture(size, 4, dtype="f1")
    return texture, context.framebuffer([texture])


def _read(texture: moderngl.Texture) -> Pixels:
    width, height = texture.size
    return np.frombuffer(texture.read(), np.uint8).reshape(height, width, 4)[::-1, :, :3].copy()


@contextmanager
def _inside(checkout: Path) -> Iterator[None]:
    """Imports and relative file names as if the program had been started in `checkout`."""
    before = Path.cwd()
    os.chdir(checkout)
    sys.path.insert(0, str(checkout.resolve()))
    try:
        yield
    finally:
        os.chdir(before)


def _peer_data(gaussians: Gaussians) -> Any:
    """Its arrays: linear scales, opacities, unit quaternions w, x, y, z, and SH with the colours innermost."""
    rotations = gaussians.rotations / np.linalg.norm(gaussians.rotations, axis=1, keepdims=True)
    return importlib.import_module("util_gau").GaussianData(
        gaussians.positions.astype(np.float32),
        rotations.astype(np.float32),
        np.exp(gaussians.log_scales).astype(np.float32),
        (1 / (1 + np.exp(-gaussians.opacity_logits))).astype(np.float32)[:, None],
        gaussians.sh.reshape(len(gaussians), -1).astype(np.float32),
    )

"""ImGuizmo over the picture: handles that move, turn and scale a thing."""

from __future__ import annotations

import numpy as np
from imgui_bundle import imgui, imguizmo
from numpy.typing import NDArray

from scenes.cameras import Camera
from ui.screen import Rect

gizmo = imguizmo.im_guizmo

Doubles = NDArray[np.float64]

OPERATIONS = {"move": gizmo.OPERATION.translate, "turn": gizmo.OPERATION.rotate, "scale": gizmo.OPERATION.scale}
SIZE = 0.15  # of the picture
NEAR_FAR = 1e-3, 1e4  # times the distance to what is held


def manipulated(
    pen: imgui.ImDrawList, camera: Camera, rect: Rect, world: Doubles, operation: str, own_axes: bool
) -> Doubles | None:
    """One frame of the handles of `operation` at the frame `world` [4, 4]; another one when it was changed.

    Not for equirectangular cameras, for lines there are curved.
    """
    gizmo.begin_frame()
    gizmo.set_drawlist(pen)
    gizmo.set_rect(rect.x, rect.y, rect.width, rect.height)
    gizmo.set_gizmo_size_clip_space(SIZE)
    gizmo.set_orthographic(camera.projection == "orthographic")
    view, projection = view_matrix(camera), projection_matrix(camera, rect, world[:3, 3])
    mode = gizmo.MODE.local if own_axes or operation == "scale" else gizmo.MODE.world
    held = _columns(world)
    changed = gizmo.manipulate(_columns(view), _columns(projection), OPERATIONS[operation], mode, held)
    return np.array(held.values, np.float64).reshape(4, 4).T if changed else None


def is_over() -> bool:
    """The cursor is on a handle, as of the last frame."""
    return bool(gizmo.is_over())


def is_held() -> bool:
    """A handle is being dragged."""
    return bool(gizmo.is_using())


def view_matrix(camera: Camera) -> Doubles:
    """[4, 4] of OpenGL: y up, looking towards -z."""
    return np.diag([1.0, -1.0, -1.0, 1.0]) @ camera.camera_from_world


def projection_matrix(camera: Camera, rect: Rect, point: Doubles) -> Doubles:
    """[4, 4] of OpenGL, of a pinhole or orthographic camera; near and far are around `point` [3]."""
    width, height = rect.width, rect.height
    fx, fy, cx, cy = camera.intrinsics(max(round(width), 1), max(round(height), 1))
    distance = max(float(np.linalg.norm(point - camera.position)), 1e-6)
    near, far = (times * distance for times in NEAR_FAR)
    aside, above = 2 * cx / width - 1, 1 - 2 * cy / height
    matrix = np.zeros((4, 4))
    matrix[0, 0], matrix[1, 1] = 2 * fx / width, 2 * fy / height
    if camera.projection == "orthographic":
        matrix[2, 2], matrix[2, 3] = -2 / (far - near), -(far + near) / (far - near)
        matrix[0, 3], matrix[1, 3], matrix[3, 3] = aside, above, 1
    else:
        matrix[2, 2], matrix[2, 3] = -(far + near) / (far - near), -2 * far * near / (far - near)
        matrix[0, 2], matrix[1, 2], matrix[3, 2] = -aside, -above, -1
    return matrix


def _columns(matrix: Doubles) -> gizmo.Matrix16:
    return gizmo.Matrix16(matrix.T.ravel().tolist())

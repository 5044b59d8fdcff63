"""Pictures gsplat's CUDA rasteriser made, with the Gaussians and the camera they were made from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scenes.cameras import Camera
from scenes.gaussians import Gaussians

NAMES = ("tiny", "basic")
WIDTH, HEIGHT = 123, 82


@dataclass(frozen=True)
class Oracle:
    gaussians: Gaussians
    camera: Camera
    image: NDArray[np.float32]  # [82, 123, 4] RGB over black and alpha


def read_oracle(data: Path, name: str) -> Oracle:
    arrays = read_safetensors(data / "oracles" / f"{name}_case.safetensors")
    attributes = (arrays["means"], arrays["scales"], arrays["quats"], arrays["opacities"], arrays["coeffs"])
    gaussians = Gaussians(*attributes)
    pose = np.eye(4)
    pose[:3, 3] = -0.123, -0.456, 8
    fov_y = 2 * np.arctan(HEIGHT / WIDTH)  # 90 degrees horizontally, square pixels
    return Oracle(gaussians, Camera(pose, fov_y), arrays["out_img"])


def read_safetensors(path: Path) -> dict[str, NDArray[np.float32]]:
    """The float32 arrays of a .safetensors file: u64 length, JSON header, data."""
    raw = path.read_bytes()
    start = 8 + int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:start])
    arrays = {}
    for name, entry in header.items():
        assert entry["dtype"] == "F32"
        first, last = entry["data_offsets"]
        arrays[name] = np.frombuffer(raw[start + first : start + last], "<f4").reshape(entry["shape"])
    return arrays

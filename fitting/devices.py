"""Which device a fit runs on."""

from __future__ import annotations

from typing import Literal

import torch

from scenes.errors import KilofieldError

Device = Literal["auto", "cpu", "cuda"]


def chosen_device(name: str) -> torch.device:
    """The device of `name`; `auto` is a CUDA GPU where torch can use one."""
    if name == "cuda" and not torch.cuda.is_available():
        raise KilofieldError("--device: expected a CUDA GPU, found none that torch can use")
    return torch.device("cuda" if name == "cuda" or (name == "auto" and torch.cuda.is_available()) else "cpu")

"""Which device a fit runs on."""

from __future__ import annotations

import logging
from typing import Literal

import torch

from scenes.errors import KilofieldError

LOGGER = logging.getLogger("kilofield.device")
Device = Literal["auto", "cpu", "cuda"]


def chosen_device(name: str) -> torch.device:
    """The device of `name`; `auto` is a CUDA GPU where torch can use one."""
    if name == "cuda" and not torch.cuda.is_available():
        raise KilofieldError("--device: expected a CUDA GPU, found none that torch can use")
    chosen = torch.device("cuda" if name == "cuda" or (name == "auto" and torch.cuda.is_available()) else "cpu")
    LOGGER.info(
        "torch %s on %s", torch.__version__, torch.cuda.get_device_name() if chosen.type == "cuda" else "the CPU"
    )
    return chosen

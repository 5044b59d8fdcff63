"""LPIPS with AlexNet (Zhang et al. 2018, "The unreasonable effectiveness of deep features as a perceptual metric").

Its weights are never downloaded here: `missing` says what this machine lacks, without importing torch.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scenes.errors import KilofieldError

ALEXNET = "alexnet-owt-7be5be79.pth"  # torchvision's name for the ImageNet weights


def missing() -> str:
    """What LPIPS lacks on this machine, or an empty text."""
    for package in ("torch", "torchvision", "lpips"):
        if find_spec(package) is None:
            return f"the package {package} is not installed"
    if not (checkpoints() / ALEXNET).is_file():
        return f"{ALEXNET} is not in {checkpoints()}"
    return ""


def checkpoints() -> Path:
    """The folder torch keeps downloaded weights in (https://docs.pytorch.org/docs/stable/hub.html)."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("TORCH_HOME") or Path(cache) / "torch") / "hub" / "checkpoints"


def lpips_metric() -> Callable[[NDArray[np.floating], NDArray[np.floating]], float]:
    """A function of two images [H, W, 3] in [0, 1]. Raises `KilofieldError` that says why there is none here."""
    why = missing()
    if why:
        raise KilofieldError(why)
    try:
        import lpips  # pyright: ignore[reportMissingImports] - an extra
        import torch

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # lpips calls torchvision as it was called before 0.13
            network = lpips.LPIPS(net="alex", verbose=False).eval()
    except (ImportError, OSError, RuntimeError) as error:  # a torchvision of another torch is a RuntimeError
        raise KilofieldError(f"lpips does not load ({error})") from error

    def distance(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
        pair = [torch.from_numpy(np.ascontiguousarray(x, np.float32)).permute(2, 0, 1)[None] for x in (a, b)]
        with torch.no_grad():
            return float(network(*pair, normalize=True))  # normalize: the images are in [0, 1], not [-1, 1]

    return distance

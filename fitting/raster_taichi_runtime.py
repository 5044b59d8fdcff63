"""Starts taichi at its first use, on the device of the tensors, without its banners."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable
from typing import Any

import torch

os.environ.setdefault("ENABLE_TAICHI_HEADER_PRINT", "0")  # read when taichi is imported

import taichi as ti

_started = ""  # the device taichi runs on; it knows one at a time


def start(device: torch.device) -> None:
    """Starts taichi on `device` unless it runs there already. Kernels compile again after a change of device."""
    global _started
    if _started == device.type:
        return
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.redirect_stdout(io.StringIO()):
        ti.init(
            arch={"cpu": ti.cpu, "cuda": ti.cuda}[device.type],
            enable_fallback=False,
            cpu_max_num_threads=threads,
            make_cpu_multithreading_loop=False,  # it gives a thread no less than 512 tiles
            fast_math=True,
            offline_cache=False,
            log_level=ti.ERROR,
        )
    _started = device.type


def launch(kernel: Callable[..., Any], first: torch.Tensor, *arguments: object) -> None:
    """Runs `kernel` where its first argument lies (CUDA's device 0 at most).

    On CUDA it takes turns with torch, whose stream taichi does not share.
    """
    start(first.device)
    if first.is_cuda:
        torch.cuda.synchronize(first.device)
    kernel(first, *arguments)
    if first.is_cuda:
        ti.sync()

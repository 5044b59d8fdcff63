"""OpenGL contexts without a window."""

from __future__ import annotations

import logging
from typing import Any

import moderngl

from scenes.errors import KilofieldError

LOGGER = logging.getLogger("kilofield.opengl")
DRAWS_WITH = "OpenGL: %(GL_RENDERER)s, %(GL_VENDOR)s, %(GL_VERSION)s"
COMPUTE_VERSION = 430  # compute shaders and storage buffers
REQUIRED_VERSION = 410  # all a Mac has
MESA_PACKAGES = "libegl1 libgl1-mesa-dri libglx-mesa0 libgl1"  # Debian and Ubuntu
WAYS: tuple[dict[str, Any], ...] = ({"backend": "egl"}, {})  # {}: GLX, WGL or CGL
SOFTWARE_RENDERERS = ("llvmpipe", "softpipe", "swrast", "swiftshader", "software")


def create_context() -> moderngl.Context:
    """A headless OpenGL context through EGL, or on the platform's own way where there is no EGL; 4.1 at least.

    Raises `KilofieldError` that says what to install when there is no OpenGL, or one that is too old.
    """
    failures = []
    for version in (COMPUTE_VERSION, REQUIRED_VERSION):
        for settings in WAYS:
            try:
                return _told(moderngl.create_context(version, True, **settings))
            # glcontext and moderngl raise plain Exception for a missing library, driver, display or version
            except Exception as error:
                failures.append(str(error).strip().splitlines()[0] if str(error) else type(error).__name__)
    raise KilofieldError(
        f"OpenGL: expected version 4.1 without a window, found none ({'; '.join(dict.fromkeys(failures))}); "
        f"on Debian or Ubuntu: apt-get install {MESA_PACKAGES}"
    )


def _told(context: moderngl.Context) -> moderngl.Context:
    LOGGER.info(DRAWS_WITH, context.info)
    return context


def has_compute(context: moderngl.Context) -> bool:
    """True where there are compute shaders and storage buffers."""
    return context.version_code >= COMPUTE_VERSION


def is_software(context: moderngl.Context) -> bool:
    """True when the pixels are drawn by the CPU."""
    name = str(context.info["GL_RENDERER"]).lower()
    return any(software in name for software in SOFTWARE_RENDERERS)


def device_facts(context: moderngl.Context) -> dict[str, Any]:
    """What draws: `renderer`, `vendor`, `version`, `software`; ready for JSON."""
    return {
        "renderer": context.info["GL_RENDERER"],
        "vendor": context.info["GL_VENDOR"],
        "version": context.info["GL_VERSION"],
        "software": is_software(context),
    }

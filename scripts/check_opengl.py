"""Can this machine draw without a window? Prints the renderer's name, or why not and exits with 1."""

from __future__ import annotations

import sys

import moderngl


def main() -> int:
    """An EGL context of OpenGL 4.1 or later, made and dropped."""
    try:
        context = moderngl.create_context(standalone=True, require=410, **{"backend": "egl"})
    except Exception as error:  # whatever the driver raises is the answer
        print(str(error).splitlines()[0] if str(error) else type(error).__name__)
        return 1
    print(f"{context.info['GL_RENDERER']}, version {context.version_code / 100:.1f}")
    context.release()
    return 0


if __name__ == "__main__":
    sys.exit(main())

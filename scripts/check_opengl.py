"""Can this machine draw without a window? Prints the renderer's name; or why not, and exits with 1."""

from __future__ import annotations

import sys

from renderer.context import create_context, device_facts
from scenes.errors import KilofieldError


def main() -> int:
    """A context of the version the program needs, made and dropped."""
    try:
        context = create_context()
    except KilofieldError as error:
        print(error)
        return 1
    print(device_facts(context)["renderer"])
    context.release()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What cells are distilled from: anything that knows the distance, its gradient and the colour at any point."""

from __future__ import annotations

from typing import Protocol

from scenes.gaussians import Floats


class Teacher(Protocol):
    """A surface to learn. Points are in world units, arrays of one row a point."""

    @property
    def bounds(self) -> Floats:
        """[2, 3] lowest and highest corner of a box around the surface."""
        ...

    @property
    def coloured(self) -> bool:
        """Whether `colour` means something."""
        ...

    @property
    def view_dependent(self) -> bool:
        """Whether the colour depends on the direction."""
        ...

    def distance(self, points: Floats) -> tuple[Floats, Floats]:
        """Signed distances [N], negative inside, and unit gradients [N, 3] at `points` [N, 3]."""
        ...

    def colour(self, points: Floats, normals: Floats, directions: Floats) -> Floats:
        """RGB [N, 3] in [0, 1] of the surface near `points`, seen along `directions`; all [N, 3]."""
        ...

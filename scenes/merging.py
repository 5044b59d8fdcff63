"""Several sets of Gaussians as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scenes.gaussians import Floats, Gaussians, sh_count


def merged(parts: Sequence[Gaussians]) -> Gaussians:
    """The Gaussians of all `parts` in order; SH of the highest degree among them, 0 where a part has fewer bands.

    It counts as trained with the mip filter if most of its Gaussians were.
    """
    if len(parts) == 1:
        return parts[0]
    degree = max(part.sh_degree for part in parts)
    filtered = sum(len(part) for part in parts if part.antialiased)
    return Gaussians(
        positions=np.concatenate([part.positions for part in parts]),
        log_scales=np.concatenate([part.log_scales for part in parts]),
        rotations=np.concatenate([part.rotations for part in parts]),
        opacity_logits=np.concatenate([part.opacity_logits for part in parts]),
        sh=np.concatenate([sh_of_degree(part.sh, degree) for part in parts]),
        antialiased=2 * filtered > sum(len(part) for part in parts),
    )


def sh_of_degree(sh: Floats, degree: int) -> Floats:
    """SH [N, (degree + 1)^2, 3]: the first bands of `sh` [N, K, 3], and 0 in those it does not have."""
    wanted = sh_count(degree)
    if wanted <= sh.shape[1]:
        return np.ascontiguousarray(sh[:, :wanted])
    return np.concatenate([sh, np.zeros((len(sh), wanted - sh.shape[1], 3), np.float32)], axis=1)

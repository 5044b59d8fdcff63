"""What merging does to millions of pairs of Gaussians. A covariance is its xx, xy, xz, yy, yz, zz."""

from __future__ import annotations

import numpy as np
from numba import njit

FAINTEST, MAX_OPACITY = 1e-4, 0.996  # of what is merged
LEAST = 1e-300  # keeps quotients finite where an area is zero

# "numpy": division by zero gives infinity; Python's exception would cost a branch each
kernel = njit(nogil=True, cache=True, error_model="numpy")


@kernel
def neighbour_pairs(near):
    """All pairs of one of [N] with one of its neighbours near [N, k], every pair once."""
    count, k = near.shape
    first, second = np.empty(count * k, np.int64), np.empty(count * k, np.int64)
    pairs = 0
    for i in range(count):
        for j in near[i]:
            listed = j == i
            if j < i:  # then j has listed it, if i is a neighbour of j's too
                for back in near[j]:
                    listed |= back == i
            if not listed:
                first[pairs], second[pairs] = min(i, j), max(i, j)
                pairs += 1
    return first[:pairs].copy(), second[:pairs].copy()


@kernel
def _determinant(xx, xy, xz, yy, yz, zz):
    return xx * (yy * zz - yz * yz) - xy * (xy * zz - yz * xz) + xz * (xy * yz - yy * xz)


@kernel
def _area(xx, xy, xz, yy, yz, zz):
    """The root of the product of the two largest eigenvalues.

    The largest comes from the trigonometric solution of the characteristic polynomial (Smith 1961), which is not exact
    enough for the second one of a needle. But its products with the other two have a sum and a product without loss.
    """
    mean = (xx + yy + zz) / 3
    a, b, c = xx - mean, yy - mean, zz - mean
    spread = np.sqrt((a * a + b * b + c * c + 2 * (xy * xy + xz * xz + yz * yz)) / 6)
    largest = mean
    if spread > 0:
        half = 0.5 * _determinant(a / spread, xy / spread, xz / spread, b / spread, yz / spread, c / spread)
        largest = mean + 2 * spread * np.cos(np.arccos(min(max(half, -1.0), 1.0)) / 3)
    if not largest > 0:
        return np.sqrt(LEAST)
    determinant = max(_determinant(xx, xy, xz, yy, yz, zz), 0.0)
    minors = xx * yy - xy * xy + xx * zz - xz * xz + yy * zz - yz * yz
    total = minors - determinant / largest
    return np.sqrt(max(0.5 * (total + np.sqrt(max(total * total - 4 * largest * determinant, 0.0))), LEAST))


@kernel
def areas(covariance):
    """[N] the cross-sections of Gaussians: products of their two largest standard deviations."""
    out = np.empty(len(covariance))
    for i in range(len(covariance)):
        c = covariance[i]
        out[i] = _area(c[0], c[1], c[2], c[3], c[4], c[5])
    return out


@kernel
def _joint(share, offset, a, b, blur, out):
    """The covariance of two Gaussians as one, blurred; `share` is the first one's."""
    between = share * (1 - share)
    i = 0
    for row in range(3):
        for column in range(row, 3):
            out[i] = share * a[i] + (1 - share) * b[i] + between * offset[row] * offset[column]
            if row == column:
                out[i] += blur
            i += 1


@kernel
def pair_costs(first, second, mass, mean, covariance, sh, blur, tone):
    """[P] Runnalls' bound with covariances blurred by `blur`, and the colour lost in units of 1 / tone."""
    log_det = np.empty(len(mass))
    seen = np.zeros(len(mass), np.bool_)
    joint, offset = np.empty(6), np.empty(3)
    cost = np.empty(len(first))
    for p in range(len(first)):
        i, j = first[p], second[p]
        for g in (i, j):
            if not seen[g]:
                c = covariance[g]
                log_det[g] = np.log(_determinant(c[0] + blur, c[1], c[2], c[3] + blur, c[4], c[5] + blur))
                seen[g] = True
        a, b = mass[i], mass[j]
        for axis in range(3):
            offset[axis] = mean[i, axis] - mean[j, axis]
        _joint(a / (a + b), offset, covariance[i], covariance[j], blur, joint)
        together = np.log(_determinant(joint[0], joint[1], joint[2], joint[3], joint[4], joint[5]))
        colour = 0.0
        for channel in range(3):
            colour += (tone * (np.float64(sh[i, channel]) - sh[j, channel])) ** 2
        cost[p] = 0.5 * ((a + b) * together - a * log_det[i] - b * log_det[j] + a * b / (a + b) * colour)
    return cost


@kernel
def disjoint(first, second, count, merges):
    """[P] which pairs to take: greedily the first `merges` that share no member; members are under `count`."""
    used = np.zeros(count, np.bool_)
    chosen = np.zeros(len(first), np.bool_)
    for i in range(len(first)):
        if merges == 0:
            break
        if not used[first[i]] and not used[second[i]]:
            used[first[i]] = used[second[i]] = True
            chosen[i] = True
            merges -= 1
    return chosen


@kernel
def merge_into_first(first, second, mass, mean, covariance, opacity, area, sh):
    """Moment matching, in place. Opacity keeps what is seen: opacity times area, of the parts that show."""
    offset, joint = np.empty(3), np.empty(6)
    for p in range(len(first)):
        i, j = first[p], second[p]
        total = mass[i] + mass[j]
        share = mass[i] / total
        # Pixels per unit of what could show
        exposure = share * mass[i] / max(opacity[i] * area[i], LEAST)
        exposure += (1 - share) * mass[j] / max(opacity[j] * area[j], LEAST)
        for axis in range(3):
            offset[axis] = mean[i, axis] - mean[j, axis]
            mean[i, axis] = share * mean[i, axis] + (1 - share) * mean[j, axis]
        _joint(share, offset, covariance[i], covariance[j], 0.0, joint)
        covariance[i] = joint
        for k in range(sh.shape[1]):
            sh[i, k] = share * sh[i, k] + (1 - share) * sh[j, k]
        mass[i] = total
        area[i] = _area(joint[0], joint[1], joint[2], joint[3], joint[4], joint[5])
        opacity[i] = min(max(total / (exposure * area[i]), FAINTEST), MAX_OPACITY)

"""The per-Gaussian half of the CPU rasteriser: 3D Gaussian to 2D record, and its gradient.

EWA splatting as in the original 3DGS (arXiv 2308.04079, section 4): covariance in the picture J W Sigma W^T J^T with
0.3 pixels of dilation, SH colour in the direction from the camera. Gradients by hand.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from fitting import raster_rules
from fitting.raster_rules import CX, CY, FX, FY, HEIGHT, HIGH_X, HIGH_Y, LOW_X, LOW_Y, NEAR, WIDTH

f32 = np.float32
DILATION, LARGEST_LOG_SCALE = f32(raster_rules.DILATION), f32(raster_rules.LARGEST_LOG_SCALE)

# A record [12] is a Gaussian in the picture
RECORD = 12
MEAN_X, MEAN_Y = 0, 1  # pixels
CONIC_A, CONIC_B, CONIC_C = 2, 3, 4  # 1 / pixels^2
OPACITY, RED, GREEN, BLUE = 5, 6, 7, 8
HALF_WIDTH, HALF_HEIGHT = 9, 10  # pixels: of the rectangle outside of which alpha is under 1/255
REACH = 11  # squared radius of that ellipse in standard deviations

# "numpy": division by zero gives infinity; Python's exception would be a branch that stops the vectoriser
kernel = njit(nogil=True, fastmath=True, cache=True, error_model="numpy")

SH_C0 = f32(0.28209479177387814)
SH_C1 = f32(0.4886025119029199)
A0, A1, A2, A3, A4 = (
    f32(c)
    for c in (1.0925484305920792, -1.0925484305920792, 0.31539156525252005, -1.0925484305920792, 0.5462742152960396)
)
B0, B1, B2, B3, B4, B5, B6 = (
    f32(c)
    for c in (
        -0.5900435899266435,
        2.890611442640554,
        -0.4570457994644658,
        0.3731763325901154,
        -0.4570457994644658,
        1.445305721320277,
        -0.5900435899266435,
    )
)


@kernel
def sh_basis(x, y, z, count, basis):
    """The first `count` real SH of a unit direction, with the signs of 3DGS."""
    basis[0] = SH_C0
    if count > 1:
        basis[1], basis[2], basis[3] = -SH_C1 * y, SH_C1 * z, -SH_C1 * x
    if count > 4:
        xx, yy, zz = x * x, y * y, z * z
        basis[4], basis[5], basis[7] = A0 * x * y, A1 * y * z, A3 * x * z
        basis[6] = A2 * (f32(2) * zz - xx - yy)
        basis[8] = A4 * (xx - yy)
        if count > 9:
            basis[9] = B0 * y * (f32(3) * xx - yy)
            basis[10] = B1 * x * y * z
            basis[11] = B2 * y * (f32(4) * zz - xx - yy)
            basis[12] = B3 * z * (f32(2) * zz - f32(3) * xx - f32(3) * yy)
            basis[13] = B4 * x * (f32(4) * zz - xx - yy)
            basis[14] = B5 * z * (xx - yy)
            basis[15] = B6 * x * (xx - f32(3) * yy)


@kernel
def _sh_slope(x, y, z, count, v):
    """The gradient in (x, y, z) of sum over k of v[k] * basis_k, the polynomials taken as they stand."""
    if count == 1:
        return f32(0), f32(0), f32(0)
    gx, gy, gz = -SH_C1 * v[3], -SH_C1 * v[1], SH_C1 * v[2]
    if count > 4:
        two, four = f32(2), f32(4)
        gx += A0 * y * v[4] + A3 * z * v[7] - two * A2 * x * v[6] + two * A4 * x * v[8]
        gy += A0 * x * v[4] + A1 * z * v[5] - two * A2 * y * v[6] - two * A4 * y * v[8]
        gz += A1 * y * v[5] + four * A2 * z * v[6] + A3 * x * v[7]
    if count > 9:
        two, three, four, six, eight = f32(2), f32(3), f32(4), f32(6), f32(8)
        xx, yy, zz, xy, xz, yz = x * x, y * y, z * z, x * y, x * z, y * z
        gx += six * B0 * xy * v[9] + B1 * yz * v[10] - two * B2 * xy * v[11] - six * B3 * xz * v[12]
        gx += B4 * (four * zz - three * xx - yy) * v[13] + two * B5 * xz * v[14] + three * B6 * (xx - yy) * v[15]
        gy += three * B0 * (xx - yy) * v[9] + B1 * xz * v[10] + B2 * (four * zz - xx - three * yy) * v[11]
        gy += -six * B3 * yz * v[12] - two * B4 * xy * v[13] - two * B5 * yz * v[14] - six * B6 * xy * v[15]
        gz += B1 * xy * v[10] + eight * B2 * yz * v[11] + three * B3 * (two * zz - xx - yy) * v[12]
        gz += eight * B4 * xz * v[13] + B5 * (xx - yy) * v[14]
    return gx, gy, gz


@kernel
def _to_camera(position, view, point):
    for i in range(3):
        point[i] = (
            view[3 * i] * position[0] + view[3 * i + 1] * position[1] + view[3 * i + 2] * position[2] + view[9 + i]
        )


@kernel
def _rotation(quaternion, out):
    """The rotation matrix [3, 3] of a quaternion of any length; returns 1 / length."""
    inverse = f32(1) / np.sqrt(
        quaternion[0] ** 2 + quaternion[1] ** 2 + quaternion[2] ** 2 + quaternion[3] ** 2 + f32(1e-30)
    )
    w, x, y, z = quaternion[0] * inverse, quaternion[1] * inverse, quaternion[2] * inverse, quaternion[3] * inverse
    one, two = f32(1), f32(2)
    out[0, 0], out[0, 1], out[0, 2] = one - two * (y * y + z * z), two * (x * y - w * z), two * (x * z + w * y)
    out[1, 0], out[1, 1], out[1, 2] = two * (x * y + w * z), one - two * (x * x + z * z), two * (y * z - w * x)
    out[2, 0], out[2, 1], out[2, 2] = two * (x * z - w * y), two * (y * z + w * x), one - two * (x * x + y * y)
    return inverse


@kernel
def _clamped_slopes(point, view):
    """x / z and y / z, kept inside the widened picture."""
    u = min(max(point[0] / point[2], view[LOW_X]), view[HIGH_X])
    v = min(max(point[1] / point[2], view[LOW_Y]), view[HIGH_Y])
    return u, v


@kernel
def _picture_axes(point, view, rotation, t, v):
    """t [2, 3] = J W; v [2, 3] = J W R: the Gaussian's axes in the picture, before their scales."""
    u_x, u_y = _clamped_slopes(point, view)
    fx_z, fy_z = view[FX] / point[2], view[FY] / point[2]
    for j in range(3):
        t[0, j] = fx_z * (view[j] - u_x * view[6 + j])
        t[1, j] = fy_z * (view[3 + j] - u_y * view[6 + j])
    for i in range(2):
        for j in range(3):
            v[i, j] = t[i, 0] * rotation[0, j] + t[i, 1] * rotation[1, j] + t[i, 2] * rotation[2, j]


@kernel
def _covariance(v, scales):
    """The three numbers of V diag(s)^2 V^T."""
    xx, xy, yy = f32(0), f32(0), f32(0)
    for j in range(3):
        a, b = v[0, j] * scales[j], v[1, j] * scales[j]
        xx += a * a
        xy += a * b
        yy += b * b
    return xx, xy, yy


@kernel
def _compensation(xx, xy, yy):
    """The mip filter's opacity factor sqrt(det before dilation / det after)."""
    before = max(xx * yy - xy * xy, f32(0))
    return np.sqrt(before / ((xx + DILATION) * (yy + DILATION) - xy * xy))


@kernel
def _direction(position, view, out):
    """Unit direction from the camera to the Gaussian; returns 1 / distance."""
    for i in range(3):
        out[i] = position[i] - view[12 + i]
    inverse = f32(1) / np.sqrt(out[0] * out[0] + out[1] * out[1] + out[2] * out[2] + f32(1e-30))
    for i in range(3):
        out[i] *= inverse
    return inverse


@kernel
def project(first, last, positions, log_scales, rotations, logits, sh, view, antialiased, records, depths):
    """Records of the Gaussians in [first, last); depth 0 marks one that cannot be seen, or not in this picture."""
    middle_x, middle_y = f32(0.5) * view[WIDTH], f32(0.5) * view[HEIGHT]
    rotation = np.empty((3, 3), np.float32)
    point, scales, direction = np.empty(3, np.float32), np.empty(3, np.float32), np.empty(3, np.float32)
    t, v = np.empty((2, 3), np.float32), np.empty((2, 3), np.float32)
    basis = np.zeros(16, np.float32)
    coefficients = sh.shape[1]
    for g in range(first, last):
        depths[g] = 0
        _to_camera(positions[g], view, point)
        if point[2] <= view[NEAR]:
            continue
        _rotation(rotations[g], rotation)
        for j in range(3):
            scales[j] = np.exp(min(log_scales[g, j], LARGEST_LOG_SCALE))
        _picture_axes(point, view, rotation, t, v)
        xx, xy, yy = _covariance(v, scales)
        opacity = f32(1) / (f32(1) + np.exp(-logits[g]))
        if antialiased:
            opacity *= _compensation(xx, xy, yy)
        xx += DILATION
        yy += DILATION
        det = xx * yy - xy * xy
        if not (det > 0) or opacity * f32(255) <= f32(1):
            continue
        reach = f32(2) * np.log(f32(255) * opacity)
        half_width, half_height = np.sqrt(reach * xx), np.sqrt(reach * yy)
        mean_x, mean_y = view[FX] * point[0] / point[2] + view[CX], view[FY] * point[1] / point[2] + view[CY]
        if not (abs(mean_x - middle_x) <= middle_x + half_width and abs(mean_y - middle_y) <= middle_y + half_height):
            continue
        record = records[g]
        record[MEAN_X], record[MEAN_Y] = mean_x, mean_y
        record[CONIC_A], record[CONIC_B], record[CONIC_C], record[OPACITY] = yy / det, -xy / det, xx / det, opacity
        record[HALF_WIDTH], record[HALF_HEIGHT], record[REACH] = half_width, half_height, reach
        _direction(positions[g], view, direction)
        sh_basis(direction[0], direction[1], direction[2], coefficients, basis)
        for channel in range(3):
            colour = f32(0.5)
            for k in range(coefficients):
                colour += basis[k] * sh[g, k, channel]
            record[RED + channel] = max(colour, f32(0))
        depths[g] = point[2]


@kernel
def _rotation_backward(quaternion, inverse, d, out):
    """Gradient of the unnormalised quaternion from that of its rotation matrix d [3, 3]."""
    w, x, y, z = quaternion[0] * inverse, quaternion[1] * inverse, quaternion[2] * inverse, quaternion[3] * inverse
    two, four = f32(2), f32(4)
    gw = two * (x * (d[2, 1] - d[1, 2]) + y * (d[0, 2] - d[2, 0]) + z * (d[1, 0] - d[0, 1]))
    gx = two * (y * (d[0, 1] + d[1, 0]) + z * (d[0, 2] + d[2, 0]) + w * (d[2, 1] - d[1, 2])) - four * x * (
        d[1, 1] + d[2, 2]
    )
    gy = two * (x * (d[0, 1] + d[1, 0]) + z * (d[1, 2] + d[2, 1]) + w * (d[0, 2] - d[2, 0])) - four * y * (
        d[0, 0] + d[2, 2]
    )
    gz = two * (x * (d[0, 2] + d[2, 0]) + y * (d[1, 2] + d[2, 1]) + w * (d[1, 0] - d[0, 1])) - four * z * (
        d[0, 0] + d[1, 1]
    )
    along = gw * w + gx * x + gy * y + gz * z
    out[0], out[1] = (gw - along * w) * inverse, (gx - along * x) * inverse
    out[2], out[3] = (gy - along * y) * inverse, (gz - along * z) * inverse


@kernel
def _colour_backward(g, sums, record, positions, sh, view, basis, along, direction, grad_positions, grad_sh):
    """SH gradient, and the position's through the viewing direction."""
    coefficients = sh.shape[1]
    inverse = _direction(positions[g], view, direction)
    sh_basis(direction[0], direction[1], direction[2], coefficients, basis)
    along[:] = 0
    for channel in range(3):
        if record[RED + channel] <= 0:  # clamped at black
            continue
        for k in range(coefficients):
            grad_sh[g, k, channel] = basis[k] * sums[channel]
            along[k] += sh[g, k, channel] * sums[channel]
    gx, gy, gz = _sh_slope(direction[0], direction[1], direction[2], coefficients, along)
    radial = gx * direction[0] + gy * direction[1] + gz * direction[2]
    grad_positions[g, 0] += (gx - radial * direction[0]) * inverse
    grad_positions[g, 1] += (gy - radial * direction[1]) * inverse
    grad_positions[g, 2] += (gz - radial * direction[2]) * inverse


@kernel
def _conic_backward(record, sums):
    """Gradient of the dilated 2D covariance (xx, xy, yy of the symmetric matrix) from the sums over pixels."""
    ka, kb, kc = record[CONIC_A], record[CONIC_B], record[CONIC_C]
    da, db, dc = f32(-0.5) * sums[6], f32(-0.5) * sums[7], f32(-0.5) * sums[8]
    # dCov = -K dK K with K the conic
    p, q, r, s = ka * da + kb * db, ka * db + kb * dc, kb * da + kc * db, kb * db + kc * dc
    return -(p * ka + q * kb), -(p * kb + q * kc), -(r * kb + s * kc)


@kernel
def _point_backward(point, view, t, d_t, sums, record, out):
    """Gradient of the camera-space point from the Jacobian's and the mean's."""
    fx, fy, z = view[FX], view[FY], point[2]
    u_x, u_y = _clamped_slopes(point, view)
    mean_x = record[CONIC_A] * sums[4] + record[CONIC_B] * sums[5]
    mean_y = record[CONIC_B] * sums[4] + record[CONIC_C] * sums[5]
    scale = f32(0)
    slope_x, slope_y = f32(0), f32(0)
    for j in range(3):
        scale += d_t[0, j] * t[0, j] + d_t[1, j] * t[1, j]
        slope_x -= d_t[0, j] * view[6 + j] * fx / z
        slope_y -= d_t[1, j] * view[6 + j] * fy / z
    true_x, true_y = point[0] / z, point[1] / z
    if u_x != true_x:
        slope_x = f32(0)
    if u_y != true_y:
        slope_y = f32(0)
    slope_x += mean_x * fx
    slope_y += mean_y * fy
    out[0], out[1] = slope_x / z, slope_y / z
    out[2] = -(scale + slope_x * true_x + slope_y * true_y) / z


@kernel
def project_backward(
    first, last, firsts, pair_slots, slots, records,
    positions, log_scales, rotations, logits, sh, view, antialiased,
    grad_positions, grad_log_scales, grad_rotations, grad_logits, grad_sh,
):  # fmt: skip
    """Gathers the slots of the Gaussians in [first, last) that have any, and carries them back to their attributes."""
    rotation, d_rotation = np.empty((3, 3), np.float32), np.empty((3, 3), np.float32)
    point, scales, direction, d_point = (
        np.empty(3, np.float32),
        np.empty(3, np.float32),
        np.empty(3, np.float32),
        np.empty(3, np.float32),
    )
    t, v, d_t, d_v = (
        np.empty((2, 3), np.float32),
        np.empty((2, 3), np.float32),
        np.empty((2, 3), np.float32),
        np.empty((2, 3), np.float32),
    )
    basis, along, sums = np.zeros(16, np.float32), np.zeros(16, np.float32), np.empty(9, np.float32)
    for g in range(first, last):
        if firsts[g] == firsts[g + 1]:
            continue
        sums[:] = 0
        for pair in range(firsts[g], firsts[g + 1]):
            for k in range(9):
                sums[k] += slots[pair_slots[pair], k]
        record = records[g]
        _to_camera(positions[g], view, point)
        inverse = _rotation(rotations[g], rotation)
        for j in range(3):
            scales[j] = np.exp(min(log_scales[g, j], LARGEST_LOG_SCALE))
        _picture_axes(point, view, rotation, t, v)
        xx, xy, yy = _covariance(v, scales)
        d_xx, d_xy, d_yy = _conic_backward(record, sums)
        d_opacity = sums[3] / record[OPACITY]
        if antialiased:
            factor = _compensation(xx, xy, yy)
            det = max(xx * yy - xy * xy, f32(1e-12))
            d_factor = f32(0.5) * factor * sums[3] / max(factor, f32(1e-6))
            d_xx += d_factor * (yy / det - record[CONIC_A])
            d_xy += d_factor * (-xy / det - record[CONIC_B])
            d_yy += d_factor * (xx / det - record[CONIC_C])
            d_opacity *= factor
        opacity = f32(1) / (f32(1) + np.exp(-logits[g]))
        grad_logits[g] = d_opacity * opacity * (f32(1) - opacity)
        for j in range(3):
            square = scales[j] * scales[j]
            d_v[0, j] = f32(2) * (d_xx * v[0, j] + d_xy * v[1, j]) * square
            d_v[1, j] = f32(2) * (d_xy * v[0, j] + d_yy * v[1, j]) * square
            grad_log_scales[g, j] = d_v[0, j] * v[0, j] + d_v[1, j] * v[1, j]
        for a in range(3):
            for b in range(3):
                d_rotation[a, b] = t[0, a] * d_v[0, b] + t[1, a] * d_v[1, b]
            d_t[0, a] = d_v[0, 0] * rotation[a, 0] + d_v[0, 1] * rotation[a, 1] + d_v[0, 2] * rotation[a, 2]
            d_t[1, a] = d_v[1, 0] * rotation[a, 0] + d_v[1, 1] * rotation[a, 1] + d_v[1, 2] * rotation[a, 2]
        _rotation_backward(rotations[g], inverse, d_rotation, grad_rotations[g])
        _point_backward(point, view, t, d_t, sums, record, d_point)
        for a in range(3):
            grad_positions[g, a] = view[a] * d_point[0] + view[3 + a] * d_point[1] + view[6 + a] * d_point[2]
        _colour_backward(g, sums, record, positions, sh, view, basis, along, direction, grad_positions, grad_sh)

"""Taichi kernels from Gaussians to 2D Gaussians and back: EWA projection, spherical harmonics, lists of tiles.

A record [11] is a Gaussian on the image plane: mean x, y (px); the conic a, b, c (1/px^2); opacity; red, green, blue;
half height of the rectangle outside of which alpha is under 1/255 (px); the squared radius of that ellipse in sigmas.
The view is the array [24] of `view_array`. The kernels that blend are in `raster_taichi_blend.py`.

No `from __future__ import annotations` here: taichi reads the kernels' annotations as objects.
"""
# pyright: basic, reportInvalidTypeForm=false, reportGeneralTypeIssues=false, reportOptionalCall=false, reportIndexIssue=false

from fitting.raster_rules import CX, CY, DILATION, FX, FY, HIGH_X, HIGH_Y, LOW_X, LOW_Y, NEAR
from fitting.raster_taichi_runtime import ti

RECORD = 11
WIDTH = 16  # pixels of a tile's row

f32, i32 = ti.f32, ti.i32
Matrix2x2, Matrix2x3, Matrix3x3 = ti.types.matrix(2, 2, f32), ti.types.matrix(2, 3, f32), ti.types.matrix(3, 3, f32)
Vector2, Vector3, Vector4 = ti.types.vector(2, f32), ti.types.vector(3, f32), ti.types.vector(4, f32)
Floats1, Floats2, Floats3 = (ti.types.ndarray(dtype=f32, ndim=n) for n in (1, 2, 3))
Ints1 = ti.types.ndarray(dtype=i32, ndim=1)


@ti.func
def _row3(array: ti.template(), i):
    return Vector3(array[i, 0], array[i, 1], array[i, 2])


@ti.func
def _view_rotation(view: ti.template()):
    return Matrix3x3([[view[0], view[1], view[2]], [view[3], view[4], view[5]], [view[6], view[7], view[8]]])


@ti.func
def _to_camera(position, view: ti.template()):
    return _view_rotation(view) @ position + Vector3(view[9], view[10], view[11])


@ti.func
def _quaternion(rotations: ti.template(), i):
    """The unit quaternion and 1 / its length before."""
    q = Vector4(rotations[i, 0], rotations[i, 1], rotations[i, 2], rotations[i, 3])
    inverse = 1.0 / ti.sqrt(q.dot(q) + 1e-30)
    return q * inverse, inverse


@ti.func
def _rotation(q):
    w, x, y, z = q[0], q[1], q[2], q[3]
    return Matrix3x3(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


@ti.func
def _slopes(point, view: ti.template()):
    """x / z and y / z, kept inside the widened picture."""
    slope_x = ti.min(ti.max(point[0] / point[2], view[LOW_X]), view[HIGH_X])
    return slope_x, ti.min(ti.max(point[1] / point[2], view[LOW_Y]), view[HIGH_Y])


@ti.func
def _jacobian(point, view: ti.template()):
    """[2, 3] derivatives of the pixel by the camera-space point."""
    slope_x, slope_y = _slopes(point, view)
    fx_z, fy_z = view[FX] / point[2], view[FY] / point[2]
    return Matrix2x3([[fx_z, 0.0, -fx_z * slope_x], [0.0, fy_z, -fy_z * slope_y]])


@ti.func
def _covariance(axes, scales):
    """[2, 2] V diag(s)^2 V^T, before dilation."""
    scaled = axes
    for i, j in ti.static(ti.ndrange(2, 3)):
        scaled[i, j] = axes[i, j] * scales[j]
    return scaled @ scaled.transpose()


@ti.func
def _determinant(covariance):
    return covariance[0, 0] * covariance[1, 1] - covariance[0, 1] * covariance[1, 0]


@ti.func
def _dilated(covariance):
    return covariance + Matrix2x2([[DILATION, 0.0], [0.0, DILATION]])


@ti.func
def _direction(position, view: ti.template()):
    """Unit direction from the camera to the Gaussian, and 1 / distance."""
    offset = position - Vector3(view[12], view[13], view[14])
    inverse = 1.0 / ti.sqrt(offset.dot(offset) + 1e-30)
    return offset * inverse, inverse


@ti.func
def _sh_basis(direction, count: ti.template()):
    """The first `count` real SH of a unit direction, with the signs of 3DGS."""
    x, y, z = direction[0], direction[1], direction[2]
    xx, yy, zz = x * x, y * y, z * z
    basis = ti.Vector.zero(f32, count)
    basis[0] = 0.28209479177387814
    if ti.static(count > 1):
        basis[1], basis[2], basis[3] = -0.4886025119029199 * y, 0.4886025119029199 * z, -0.4886025119029199 * x
    if ti.static(count > 4):
        basis[4] = 1.0925484305920792 * x * y
        basis[5] = -1.0925484305920792 * y * z
        basis[6] = 0.31539156525252005 * (2 * zz - xx - yy)
        basis[7] = -1.0925484305920792 * x * z
        basis[8] = 0.5462742152960396 * (xx - yy)
    if ti.static(count > 9):
        basis[9] = -0.5900435899266435 * y * (3 * xx - yy)
        basis[10] = 2.890611442640554 * x * y * z
        basis[11] = -0.4570457994644658 * y * (4 * zz - xx - yy)
        basis[12] = 0.3731763325901154 * z * (2 * zz - 3 * xx - 3 * yy)
        basis[13] = -0.4570457994644658 * x * (4 * zz - xx - yy)
        basis[14] = 1.445305721320277 * z * (xx - yy)
        basis[15] = -0.5900435899266435 * x * (xx - 3 * yy)
    return basis


@ti.func
def _sh_slope(direction, v, count: ti.template()):
    """The gradient in x, y, z of the sum over k of v[k] * basis_k, the polynomials taken as they stand."""
    x, y, z = direction[0], direction[1], direction[2]
    xx, yy, zz, xy, xz, yz = x * x, y * y, z * z, x * y, x * z, y * z
    slope = Vector3(0.0, 0.0, 0.0)
    if ti.static(count > 1):
        slope += -0.4886025119029199 * Vector3(v[3], v[1], -v[2])
    if ti.static(count > 4):
        slope += 1.0925484305920792 * v[4] * Vector3(y, x, 0.0)
        slope += -1.0925484305920792 * v[5] * Vector3(0.0, z, y)
        slope += 0.31539156525252005 * v[6] * Vector3(-2 * x, -2 * y, 4 * z)
        slope += -1.0925484305920792 * v[7] * Vector3(z, 0.0, x)
        slope += 0.5462742152960396 * v[8] * Vector3(2 * x, -2 * y, 0.0)
    if ti.static(count > 9):
        slope += -0.5900435899266435 * v[9] * Vector3(6 * xy, 3 * (xx - yy), 0.0)
        slope += 2.890611442640554 * v[10] * Vector3(yz, xz, xy)
        slope += -0.4570457994644658 * v[11] * Vector3(-2 * xy, 4 * zz - xx - 3 * yy, 8 * yz)
        slope += 0.3731763325901154 * v[12] * Vector3(-6 * xz, -6 * yz, 6 * zz - 3 * xx - 3 * yy)
        slope += -0.4570457994644658 * v[13] * Vector3(4 * zz - 3 * xx - yy, -2 * xy, 8 * xz)
        slope += 1.445305721320277 * v[14] * Vector3(2 * xz, -2 * yz, xx - yy)
        slope += -0.5900435899266435 * v[15] * Vector3(3 * (xx - yy), -6 * xy, 0.0)
    return slope


@ti.func
def _span(centre, reach, size, count):
    """First and one past the last of `count` cells of `size` px that [centre - reach, centre + reach] touches."""
    first = ti.max(0, ti.cast(ti.floor((centre - reach) / size), i32))
    return first, ti.min(count, ti.cast(ti.floor((centre + reach) / size), i32) + 1)


@ti.func
def _tile_columns(records: ti.template(), i, tile_y, height: ti.template(), tiles_x):
    """The tile columns the ellipse touches within one row of tiles, first and one past the last.

    Within a band of rows an ellipse is widest at its rightmost (leftmost) point when that lies in the band, else at
    the band's nearer edge.
    """
    a, b, c = records[i, 2], records[i, 3], records[i, 4]  # a dx^2 + 2 b dx dy + c dy^2 <= reach
    half_height, reach = records[i, 9], records[i, 10]
    first_row = tile_y * height + 0.5 - records[i, 1]
    top, bottom = ti.max(first_row, -half_height), ti.min(first_row + (height - 1), half_height)
    rightmost = -b * ti.sqrt(reach / (c * (a * c - b * b)))
    edges = Vector2(0.0, 0.0)
    for side in ti.static(range(2)):
        sign = 2.0 * side - 1.0
        dy = ti.min(ti.max(sign * rightmost, top), bottom)
        root = ti.sqrt(ti.max(b * b * dy * dy - a * (c * dy * dy - reach), 0.0))
        edges[side] = records[i, 0] + (-b * dy + sign * root) / a
    first = ti.max(0, ti.cast(ti.floor(edges[0] / WIDTH), i32))
    last = ti.min(tiles_x, ti.cast(ti.floor(edges[1] / WIDTH), i32) + 1)
    if top > bottom:
        last = first
    return first, last


@ti.kernel
def project(
    positions: Floats2,
    log_scales: Floats2,
    rotations: Floats2,
    logits: Floats1,
    sh: Floats3,
    view: Floats1,
    antialiased: i32,
    records: Floats2,
    depths: Floats1,
    count: ti.template(),
):
    """Records of all Gaussians; an infinite depth marks one that cannot be seen. `count` is sh.shape[1]."""
    for i in range(positions.shape[0]):
        depths[i] = float("inf")
        position = _row3(positions, i)
        point = _to_camera(position, view)
        if point[2] > view[NEAR]:
            rotation = _rotation(_quaternion(rotations, i)[0])
            axes = _jacobian(point, view) @ _view_rotation(view) @ rotation
            sharp = _covariance(axes, ti.exp(_row3(log_scales, i)))
            wide = _dilated(sharp)
            determinant = _determinant(wide)
            opacity = 1.0 / (1.0 + ti.exp(-logits[i]))
            if antialiased:
                opacity *= ti.sqrt(ti.max(_determinant(sharp), 0.0) / determinant)
            if opacity * 255.0 > 1.0:
                reach = 2.0 * ti.log(255.0 * opacity)
                basis = _sh_basis(_direction(position, view)[0], count)
                records[i, 0] = view[FX] * point[0] / point[2] + view[CX]
                records[i, 1] = view[FY] * point[1] / point[2] + view[CY]
                records[i, 2] = wide[1, 1] / determinant
                records[i, 3] = -wide[0, 1] / determinant
                records[i, 4] = wide[0, 0] / determinant
                records[i, 5] = opacity
                for channel in ti.static(range(3)):
                    colour = 0.5
                    for k in ti.static(range(count)):
                        colour += basis[k] * sh[i, k, channel]
                    records[i, 6 + channel] = ti.max(colour, 0.0)
                records[i, 9] = ti.sqrt(reach * wide[1, 1])
                records[i, 10] = reach
                depths[i] = point[2]


@ti.kernel
def count_pairs(order: Ints1, records: Floats2, tiles_x: i32, tiles_y: i32, counts: Ints1, height: ti.template()):
    """counts[v + 1] = the tiles (WIDTH x `height` px) the v-th Gaussian of `order` touches."""
    for v in range(order.shape[0]):
        i = order[v]
        total = 0
        row, last_row = _span(records[i, 1], records[i, 9], height, tiles_y)
        for tile_y in range(row, last_row):
            first, last = _tile_columns(records, i, tile_y, height, tiles_x)
            total += ti.max(last - first, 0)
        counts[v + 1] = total


@ti.kernel
def list_pairs(
    order: Ints1,
    records: Floats2,
    tiles_x: i32,
    tiles_y: i32,
    firsts: Ints1,
    pair_tiles: Ints1,
    pair_ids: Ints1,
    height: ti.template(),
):
    """The tile and the Gaussian of every pair, nearest Gaussian first; those of v start at firsts[v]."""
    for v in range(order.shape[0]):
        i = order[v]
        pair = firsts[v]
        row, last_row = _span(records[i, 1], records[i, 9], height, tiles_y)
        for tile_y in range(row, last_row):
            first, last = _tile_columns(records, i, tile_y, height, tiles_x)
            for tile_x in range(first, last):
                pair_tiles[pair] = tile_y * tiles_x + tile_x
                pair_ids[pair] = i
                pair += 1


@ti.func
def _quaternion_backward(q, inverse, d):
    """Gradient of the unnormalised quaternion from that of its rotation matrix, d [3, 3]; q is the unit one."""
    w, x, y, z = q[0], q[1], q[2], q[3]
    skew = Vector3(d[2, 1] - d[1, 2], d[0, 2] - d[2, 0], d[1, 0] - d[0, 1])
    yz, xz, xy = d[1, 2] + d[2, 1], d[0, 2] + d[2, 0], d[0, 1] + d[1, 0]
    grad = 2.0 * Vector4(
        x * skew[0] + y * skew[1] + z * skew[2],
        w * skew[0] + y * xy + z * xz - 2 * x * (d[1, 1] + d[2, 2]),
        w * skew[1] + x * xy + z * yz - 2 * y * (d[0, 0] + d[2, 2]),
        w * skew[2] + x * xz + y * yz - 2 * z * (d[0, 0] + d[1, 1]),
    )
    return (grad - grad.dot(q) * q) * inverse


@ti.func
def _point_backward(point, view: ti.template(), jacobian, d_jacobian, d_mean):
    """Gradient of the camera-space point through the pixel's position and through the Jacobian."""
    z = point[2]
    slope_x, slope_y = _slopes(point, view)
    true_x, true_y = point[0] / z, point[1] / z
    d_slope = Vector2(d_mean[0] * view[FX], d_mean[1] * view[FY])
    d_z = 0.0
    for i, j in ti.static(ti.ndrange(2, 3)):
        d_z -= d_jacobian[i, j] * jacobian[i, j]
    if slope_x == true_x:  # a clamped slope is a constant
        d_slope[0] -= d_jacobian[0, 2] * jacobian[0, 0]
    if slope_y == true_y:
        d_slope[1] -= d_jacobian[1, 2] * jacobian[1, 1]
    return Vector3(d_slope[0], d_slope[1], d_z - d_slope[0] * true_x - d_slope[1] * true_y) / z


@ti.func
def _compensation_backward(sharp, conic):
    """The mip filter's opacity factor, and the gradient [2, 2] of its logarithm by the covariance."""
    determinant = _determinant(sharp)
    factor = ti.sqrt(ti.max(determinant, 0.0) / _determinant(_dilated(sharp)))
    slope = Matrix2x2([[0.0, 0.0], [0.0, 0.0]])
    if determinant > 0.0:
        inverse = Matrix2x2([[sharp[1, 1], -sharp[0, 1]], [-sharp[0, 1], sharp[0, 0]]]) / determinant
        slope = 0.5 * (inverse - conic)
    return factor, slope


@ti.func
def _colour_backward(
    i,
    sums,
    records: ti.template(),
    position,
    sh: ti.template(),
    view: ti.template(),
    grad_sh: ti.template(),
    count: ti.template(),
):
    """Writes the gradient of the SH; returns that of the position through the viewing direction."""
    direction, nearness = _direction(position, view)
    basis = _sh_basis(direction, count)
    along = ti.Vector.zero(f32, count)
    for channel in ti.static(range(3)):
        if records[i, 6 + channel] > 0.0:  # else clamped at black
            for k in ti.static(range(count)):
                grad_sh[i, k, channel] = basis[k] * sums[channel]
                along[k] += sh[i, k, channel] * sums[channel]
    slope = _sh_slope(direction, along, count)
    return (slope - slope.dot(direction) * direction) * nearness


@ti.kernel
def project_backward(
    order: Ints1,
    firsts: Ints1,
    slots: Floats2,
    records: Floats2,
    positions: Floats2,
    log_scales: Floats2,
    rotations: Floats2,
    logits: Floats1,
    sh: Floats3,
    view: Floats1,
    antialiased: i32,
    grad_positions: Floats2,
    grad_log_scales: Floats2,
    grad_rotations: Floats2,
    grad_logits: Floats1,
    grad_sh: Floats3,
    count: ti.template(),
):
    """Sums every visible Gaussian's slots (see `blend_backward`) and carries them back to its attributes."""
    for v in range(order.shape[0]):
        i = order[v]
        sums = ti.Vector.zero(f32, 9)
        for pair in range(firsts[v], firsts[v + 1]):
            for k in ti.static(range(9)):
                sums[k] += slots[pair, k]
        if ti.abs(sums).max() == 0.0:  # hidden behind others
            continue
        position = _row3(positions, i)
        point = _to_camera(position, view)
        q, inverse = _quaternion(rotations, i)
        rotation = _rotation(q)
        scales = ti.exp(_row3(log_scales, i))
        jacobian = _jacobian(point, view)
        flat = jacobian @ _view_rotation(view)
        axes = flat @ rotation

        conic = Matrix2x2([[records[i, 2], records[i, 3]], [records[i, 3], records[i, 4]]])
        d_conic = -0.5 * Matrix2x2([[sums[6], sums[7]], [sums[7], sums[8]]])
        d_covariance = -(conic @ d_conic @ conic)
        d_opacity = sums[3] / records[i, 5]
        if antialiased:
            factor, d_factor = _compensation_backward(_covariance(axes, scales), conic)
            d_opacity *= factor
            d_covariance += sums[3] * d_factor
        opacity = 1.0 / (1.0 + ti.exp(-logits[i]))
        grad_logits[i] = d_opacity * opacity * (1.0 - opacity)

        d_axes = 2.0 * (d_covariance @ axes)
        for j in ti.static(range(3)):
            square = scales[j] * scales[j]
            d_axes[0, j] *= square
            d_axes[1, j] *= square
            grad_log_scales[i, j] = d_axes[0, j] * axes[0, j] + d_axes[1, j] * axes[1, j]
        d_q = _quaternion_backward(q, inverse, flat.transpose() @ d_axes)
        for j in ti.static(range(4)):
            grad_rotations[i, j] = d_q[j]

        d_jacobian = d_axes @ rotation.transpose() @ _view_rotation(view).transpose()
        d_mean = conic @ Vector2(sums[4], sums[5])
        d_point = _point_backward(point, view, jacobian, d_jacobian, d_mean)
        d_position = _view_rotation(view).transpose() @ d_point

        d_position += _colour_backward(i, sums, records, position, sh, view, grad_sh, count)
        for j in ti.static(range(3)):
            grad_positions[i, j] = d_position[j]

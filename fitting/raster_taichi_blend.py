"""Taichi kernels that blend: from records in tiles to pixels, and from the picture's gradient back to records.

One thread goes through the Gaussians of one tile, nearest first, and each touches the 16 pixels of a row at once: a row
is one vector, which LLVM turns into vector instructions. Tiles are 16 rows high on the CPU and one row on CUDA, where
many small ones are wanted. A tile's state (its transmittances, its gradient so far) is rows of `state`, plane by plane.
What a tile has to say about a Gaussian goes into their pair's own slot, so nothing is added atomically and a result
does not depend on the order of threads.

No `from __future__ import annotations` here: taichi reads the kernels' annotations as objects.
"""
# pyright: basic, reportInvalidTypeForm=false, reportGeneralTypeIssues=false, reportOptionalCall=false

from fitting.raster_rules import ALPHA_MAX, ALPHA_MIN, CHECK_EVERY, EXP, POWER_MIN, T_MIN
from fitting.raster_taichi_project import WIDTH, Floats1, Floats2, Floats3, Ints1, f32, i32
from fitting.raster_taichi_runtime import ti

Row = ti.types.vector(WIDTH, f32)
Rows = ti.types.ndarray(dtype=Row, ndim=2)  # [tiles, planes * height]


@ti.func
def _exp(x):
    y = x * (1 / 32)
    e = EXP[0] + y * (EXP[1] + y * (EXP[2] + y * (EXP[3] + y * (EXP[4] + y * EXP[5]))))
    for _ in ti.static(range(5)):
        e = e * e
    return e


@ti.func
def _larger(a, b):
    """One instruction, where ti.max takes three to look after NaN."""
    return ti.select(a > b, a, b)


@ti.func
def _smaller(a, b):
    return ti.select(a < b, a, b)


@ti.func
def _columns():
    return Row([float(x) for x in range(WIDTH)])


@ti.func
def _alpha(records: ti.template(), i, dx, dy):
    """[16] alpha of a row, neither capped nor skipped."""
    power = (-0.5 * records[i, 2] * dx - records[i, 3] * dy) * dx - 0.5 * records[i, 4] * dy * dy
    return records[i, 5] * _exp(_larger(power, POWER_MIN))


@ti.func
def _step(transmittance, full):
    """Weights [16] of a row and its transmittance after; a pixel that has stopped keeps its own, negated."""
    alpha = _smaller(full, ALPHA_MAX)
    seen = alpha >= ALPHA_MIN
    after = transmittance - transmittance * alpha
    going_on = ti.select(seen, after, -1.0) >= T_MIN
    stopped = ti.select(seen, -ti.abs(transmittance), transmittance)
    return ti.select(going_on, alpha, 0.0), ti.select(going_on, after, stopped)


@ti.func
def _rows(records: ti.template(), i, mean_y, height: ti.template()):
    """The rows of the tile that the ellipse touches, first and one past the last."""
    first = ti.max(0, ti.cast(ti.ceil(mean_y - records[i, 9]), i32))
    return first, ti.min(height, ti.cast(ti.floor(mean_y + records[i, 9]), i32) + 1)


@ti.func
def _start(state: ti.template(), tile, x0, y0, width, height, rows: ti.template()):
    """Transmittance 1 in the picture and stopped outside of it."""
    for y in range(rows):
        inside = ti.select(y0 + y < height, width - x0, 0)
        state[tile, y] = ti.select(_columns() < ti.cast(inside, f32), 1.0, -1.0)


@ti.func
def _anyone_alive(state: ti.template(), tile, rows: ti.template()):
    best = state[tile, 0]
    for y in range(1, rows):
        best = _larger(best, state[tile, y])
    return best.max() > 0.0


@ti.kernel
def blend(
    starts: Ints1,
    ids: Ints1,
    records: Floats2,
    red: f32,
    green: f32,
    blue: f32,
    state: Rows,  # [tiles, 4 rows]: transmittance, red, green, blue
    stops: Ints1,
    image: Floats3,
    rows: ti.template(),
):
    """The picture over the background red, green, blue; stops[tile] = one past the last pair a tile looked at."""
    height, width = image.shape[0], image.shape[1]
    tiles_x = (width + WIDTH - 1) // WIDTH
    ti.loop_config(block_dim=ti.static(1 if rows > 1 else 64))
    for tile in range(stops.shape[0]):
        x0, y0 = tile % tiles_x * WIDTH, tile // tiles_x * rows
        _start(state, tile, x0, y0, width, height, rows)
        for y in range(rows, 4 * rows):
            state[tile, y] = Row(0.0)
        stop = starts[tile + 1]
        for pair in range(starts[tile], starts[tile + 1]):
            if (pair - starts[tile]) % CHECK_EVERY == 0 and not _anyone_alive(state, tile, rows):
                stop = pair
                break
            i = ids[pair]
            dx = _columns() - (records[i, 0] - x0 - 0.5)
            mean_y = records[i, 1] - y0 - 0.5
            r, g, b = records[i, 6], records[i, 7], records[i, 8]
            first, last = _rows(records, i, mean_y, rows)
            for y in range(first, last):
                before = state[tile, y]
                alpha, after = _step(before, _alpha(records, i, dx, y - mean_y))
                weight = alpha * before
                state[tile, y] = after
                old_r, old_g, old_b = state[tile, rows + y], state[tile, 2 * rows + y], state[tile, 3 * rows + y]
                state[tile, rows + y] = old_r + weight * r
                state[tile, 2 * rows + y] = old_g + weight * g
                state[tile, 3 * rows + y] = old_b + weight * b
        stops[tile] = stop
        for y in range(ti.min(rows, height - y0)):
            for x in range(ti.min(WIDTH, width - x0)):
                left = ti.abs(state[tile, y][x])
                image[y0 + y, x0 + x, 0] = state[tile, rows + y][x] + left * red
                image[y0 + y, x0 + x, 1] = state[tile, 2 * rows + y][x] + left * green
                image[y0 + y, x0 + x, 2] = state[tile, 3 * rows + y][x] + left * blue


@ti.kernel
def blend_weights(
    starts: Ints1,
    ids: Ints1,
    pairs: Ints1,
    records: Floats2,
    width: i32,
    height: i32,
    state: Rows,  # [tiles, rows]: transmittance
    weights: Floats1,
    rows: ti.template(),
):
    """weights[pairs[slot]] = the sum of alpha times transmittance over the pixels of a pair."""
    tiles_x = (width + WIDTH - 1) // WIDTH
    ti.loop_config(block_dim=ti.static(1 if rows > 1 else 64))
    for tile in range(starts.shape[0] - 1):
        x0, y0 = tile % tiles_x * WIDTH, tile // tiles_x * rows
        _start(state, tile, x0, y0, width, height, rows)
        for slot in range(starts[tile], starts[tile + 1]):
            i = ids[slot]
            dx = _columns() - (records[i, 0] - x0 - 0.5)
            mean_y = records[i, 1] - y0 - 0.5
            total = 0.0
            first, last = _rows(records, i, mean_y, rows)
            for y in range(first, last):
                before = state[tile, y]
                alpha, after = _step(before, _alpha(records, i, dx, y - mean_y))
                state[tile, y] = after
                total += (alpha * before).sum()
            weights[pairs[slot]] = total


@ti.func
def _start_backward(state: ti.template(), tile, x0, y0, image: ti.template(), grad: ti.template(), rows: ti.template()):
    """G = image . gradient, and the gradient itself; 0 outside the picture."""
    for y in range(rows, 5 * rows):
        state[tile, y] = Row(0.0)
    for y in range(ti.min(rows, image.shape[0] - y0)):
        for x in range(ti.min(WIDTH, image.shape[1] - x0)):
            total = 0.0
            for channel in ti.static(range(3)):
                g = grad[y0 + y, x0 + x, channel]
                total += g * image[y0 + y, x0 + x, channel]
                state[tile, (2 + channel) * rows + y][x] = g
            state[tile, rows + y][x] = total


@ti.kernel
def blend_backward(
    starts: Ints1,
    stops: Ints1,
    ids: Ints1,
    pairs: Ints1,
    records: Floats2,
    image: Floats3,
    grad: Floats3,
    state: Rows,  # [tiles, 5 rows + 6]: transmittance, G - S, gradient 3; six rows of sums
    slots: Floats2,
    rows: ti.template(),
):
    """Front to back again: dL/dalpha_i = T_i c_i.g - (G - S_i) / (1 - alpha_i), S_i the sum of w c.g up to i.

    slots[pairs[slot]] are the nine sums of a pair; those behind a finished tile are left as they are (zero).
    """
    height, width = image.shape[0], image.shape[1]
    tiles_x = (width + WIDTH - 1) // WIDTH
    ti.loop_config(block_dim=ti.static(1 if rows > 1 else 64))
    for tile in range(stops.shape[0]):
        x0, y0 = tile % tiles_x * WIDTH, tile // tiles_x * rows
        sums = 5 * rows
        _start(state, tile, x0, y0, width, height, rows)
        _start_backward(state, tile, x0, y0, image, grad, rows)
        for slot in range(starts[tile], stops[tile]):
            i = ids[slot]
            dx = _columns() - (records[i, 0] - x0 - 0.5)
            mean_y = records[i, 1] - y0 - 0.5
            r, g, b = records[i, 6], records[i, 7], records[i, 8]
            for k in range(6):
                state[tile, sums + k] = Row(0.0)
            first, last = _rows(records, i, mean_y, rows)
            for y in range(first, last):
                dy = y - mean_y
                full = _alpha(records, i, dx, dy)
                before = state[tile, y]
                alpha, after = _step(before, full)
                g_r, g_g, g_b = state[tile, 2 * rows + y], state[tile, 3 * rows + y], state[tile, 4 * rows + y]
                along = r * g_r + g * g_g + b * g_b
                weight = alpha * before
                rest = state[tile, rows + y] - weight * along
                dp = (before * along - rest / (1.0 - alpha)) * ti.select(full > ALPHA_MAX, 0.0, alpha)
                state[tile, y] = after
                state[tile, rows + y] = rest
                sum_r, sum_g, sum_b = state[tile, sums], state[tile, sums + 1], state[tile, sums + 2]
                sum_1, sum_y, sum_yy = state[tile, sums + 3], state[tile, sums + 4], state[tile, sums + 5]
                state[tile, sums] = sum_r + weight * g_r
                state[tile, sums + 1] = sum_g + weight * g_g
                state[tile, sums + 2] = sum_b + weight * g_b
                state[tile, sums + 3] = sum_1 + dp
                state[tile, sums + 4] = sum_y + dp * dy
                state[tile, sums + 5] = sum_yy + dp * (dy * dy)
            pair = pairs[slot]
            for k in ti.static(range(3)):
                slots[pair, k] = state[tile, sums + k].sum()
            dp, dp_dy = state[tile, sums + 3], state[tile, sums + 4]
            slots[pair, 3] = dp.sum()
            slots[pair, 4] = (dp * dx).sum()
            slots[pair, 5] = dp_dy.sum()
            slots[pair, 6] = (dp * dx * dx).sum()
            slots[pair, 7] = (dp_dy * dx).sum()
            slots[pair, 8] = state[tile, sums + 5].sum()

"""Convolutions with the images of a batch side by side.

Images are laid out anew, so many at a time: (channels, rows, phases, columns, images), with the
zeros of the padding around them. Windows are `stride` columns apart; the columns are dealt into as
many phases, so that the numbers which all windows of a row, in all the images, have at one place
lie in one piece. A row of results is then a weighted sum of such pieces, with neither gaps nor
copies, and a processor computes many of its numbers at once.
"""

from typing import Any

import numpy as np

from ..loops.compile import loop, part_of_loops

Array = np.ndarray[Any, Any]
Pair = tuple[int, int]

IMAGES = 64  # side by side, at most
LANES = 16  # the number of images is rounded up to a multiple of it

APART = 16  # numbers between rows of sums: those of a power of two evict each other from the cache
PIECE = 448  # numbers of a row worked on at a time, so that eight rows of them stay in the cache

_IMAGES = "Array(float32, 4, 'A', readonly=True, aligned=False)"
_GEOMETRY = ", ".join(["UniTuple(int64, 2)"] * 4)


@part_of_loops()
def whole_blocks(count: int) -> int:
    """The count rounded up to a multiple of four."""
    return (count + 3) // 4 * 4


@part_of_loops(fastmath={"contract", "reassoc"})
def weighted_sums(
    weights: Array, depth: int, numbers: Array, begins: Array, sums: Array, count: int
) -> None:
    """sumsᵢⱼ = Σₖ weightsᵢₖ · numbers[beginsₖ + j] for k < depth and j < count.

    The rows of `weights` and `sums` are whole blocks of four. Four terms are added to four sums at
    a time: sixteen multiply-adds for eight numbers read and four written.
    """
    whole = depth // 4 * 4
    for at in range(0, count, PIECE):
        end = min(at + PIECE, count)
        length = end - at
        for i in range(0, len(weights), 4):
            w0, w1, w2, w3 = weights[i], weights[i + 1], weights[i + 2], weights[i + 3]
            s0, s1 = sums[i][at:end], sums[i + 1][at:end]
            s2, s3 = sums[i + 2][at:end], sums[i + 3][at:end]
            for j in range(length):
                s0[j] = s1[j] = s2[j] = s3[j] = 0
            for k in range(0, whole, 4):
                x0, x1 = numbers[begins[k] + at :][:length], numbers[begins[k + 1] + at :][:length]
                x2 = numbers[begins[k + 2] + at :][:length]
                x3 = numbers[begins[k + 3] + at :][:length]
                p0, p1, p2, p3 = w0[k], w0[k + 1], w0[k + 2], w0[k + 3]
                q0, q1, q2, q3 = w1[k], w1[k + 1], w1[k + 2], w1[k + 3]
                r0, r1, r2, r3 = w2[k], w2[k + 1], w2[k + 2], w2[k + 3]
                t0, t1, t2, t3 = w3[k], w3[k + 1], w3[k + 2], w3[k + 3]
                for j in range(length):
                    a, b, c, d = x0[j], x1[j], x2[j], x3[j]
                    s0[j] += p0 * a + p1 * b + p2 * c + p3 * d
                    s1[j] += q0 * a + q1 * b + q2 * c + q3 * d
                    s2[j] += r0 * a + r1 * b + r2 * c + r3 * d
                    s3[j] += t0 * a + t1 * b + t2 * c + t3 * d
            for k in range(whole, depth):
                x0 = numbers[begins[k] + at :][:length]
                p, q, r, t = w0[k], w1[k], w2[k], w3[k]
                for j in range(length):
                    a = x0[j]
                    s0[j] += p * a
                    s1[j] += q * a
                    s2[j] += r * a
                    s3[j] += t * a


@part_of_loops(fastmath={"contract", "reassoc"})
def sums_of_products(rows: Array, numbers: Array, begins: Array, sums: Array) -> None:
    """sumsᵢₖ += Σⱼ rowsᵢⱼ · numbers[beginsₖ + j].

    Four rows with four pieces at a time. `sums` is of whole blocks; what stands in it beyond the
    rows and pieces there are is of no meaning.
    """
    last_row, last = len(rows) - 1, begins.size - 1
    count = rows.shape[1]
    zero = sums.dtype.type(0)
    for i in range(0, len(rows), 4):
        x0, x1 = rows[i], rows[min(i + 1, last_row)]
        x2, x3 = rows[min(i + 2, last_row)], rows[min(i + 3, last_row)]
        for k in range(0, begins.size, 4):
            y0 = numbers[begins[k] :][:count]
            y1 = numbers[begins[min(k + 1, last)] :][:count]
            y2 = numbers[begins[min(k + 2, last)] :][:count]
            y3 = numbers[begins[min(k + 3, last)] :][:count]
            p0 = p1 = p2 = p3 = q0 = q1 = q2 = q3 = zero
            r0 = r1 = r2 = r3 = t0 = t1 = t2 = t3 = zero
            for j in range(count):
                a, b, c, d = x0[j], x1[j], x2[j], x3[j]
                p0 += a * y0[j]
                p1 += a * y1[j]
                p2 += a * y2[j]
                p3 += a * y3[j]
                q0 += b * y0[j]
                q1 += b * y1[j]
                q2 += b * y2[j]
                q3 += b * y3[j]
                r0 += c * y0[j]
                r1 += c * y1[j]
                r2 += c * y2[j]
                r3 += c * y3[j]
                t0 += d * y0[j]
                t1 += d * y1[j]
                t2 += d * y2[j]
                t3 += d * y3[j]
            add_four(sums[i], k, p0, p1, p2, p3)
            add_four(sums[i + 1], k, q0, q1, q2, q3)
            add_four(sums[i + 2], k, r0, r1, r2, r3)
            add_four(sums[i + 3], k, t0, t1, t2, t3)


@part_of_loops()
def add_four(row: Array, k: int, a: float, b: float, c: float, d: float) -> None:
    """Add four numbers to a row from place k on."""
    row[k] += a
    row[k + 1] += b
    row[k + 2] += c
    row[k + 3] += d


@part_of_loops()
def lanes_for(images: int) -> int:
    """The room for so many images side by side."""
    return (images + LANES - 1) // LANES * LANES


@part_of_loops()
def turned_together(images: Array) -> int:
    """How many images to turn at once: few, if their numbers meet in the same part of a cache."""
    return 8 if images.strides[0] % 1024 == 0 else len(images)


@part_of_loops()
def take_row(images: Array, c: int, y: int, first: int, step: int, row: Array) -> None:
    """row[i, n] = number `first + i · step` of row y in channel c of image n; 0 beyond them."""
    count, together = len(images), turned_together(images)
    inside = min(len(row), (images.shape[3] - first + step - 1) // step)
    for begin in range(0, count, together):
        end = min(begin + together, count)
        for i in range(inside):
            given = images[begin:end, c, y, first + i * step]
            piece = row[i, begin:end]
            for n in range(end - begin):
                piece[n] = given[n]
    row[:inside, count:] = 0
    row[inside:] = 0


@part_of_loops()
def give_row(row: Array, lanes: int, images: Array, c: int, y: int, first: int, step: int) -> None:
    """What `take_row` does, the other way: from a row of `lanes` numbers a place into images."""
    count, together = len(images), turned_together(images)
    for begin in range(0, count, together):
        end = min(begin + together, count)
        for i, x in enumerate(range(first, images.shape[3], step)):
            piece = row[i * lanes + begin : i * lanes + end]
            target = images[begin:end, c, y, x]
            for n in range(end - begin):
                target[n] = piece[n]


@part_of_loops()
def lay_out(images: Array, top: int, left: int, rows: int, columns: int, phases: int) -> Array:
    """(images, channels, height, width) as (channels, rows, phases, columns, images)."""
    count, channels, height, _ = images.shape
    laid = np.empty((channels, rows, phases, columns, lanes_for(count)), images.dtype)
    for c in range(channels):
        for row in range(rows):
            if row < top or row >= top + height:
                laid[c, row] = 0
                continue
            for phase in range(phases):
                x = (phase - left) % phases
                column = (x + left) // phases
                laid[c, row, phase, :column] = 0
                take_row(images, c, row - top, x, phases, laid[c, row, phase, column:])
    return laid


@part_of_loops()
def lay_out_for_windows(
    images: Array, counts: Pair, kernel: Pair, stride: Pair, start: Pair, dilation: Pair
) -> tuple[Array, Array]:
    """Images laid out, and where in them the first window has each of its places."""
    rows = (counts[0] - 1) * stride[0] + (kernel[0] - 1) * dilation[0] + 1
    columns = counts[1] + (kernel[1] - 1) * dilation[1] // stride[1]
    laid = lay_out(images, start[0], start[1], rows, columns, stride[1])
    channels, _, phases, _, lanes = laid.shape
    begins = np.empty(channels * kernel[0] * kernel[1], np.int64)
    k = 0
    for c in range(channels):
        for i in range(kernel[0]):
            for j in range(kernel[1]):
                column, phase = divmod(j * dilation[1], phases)
                row = c * rows + i * dilation[0]
                begins[k] = ((row * phases + phase) * columns + column) * lanes
                k += 1
    return laid, begins


@loop(f"void({_IMAGES}, const float32[:, ::1], {_GEOMETRY}, Array(float32, 4, 'A'))")
def conv2d(
    images: Array, filters: Array, kernel: Pair, stride: Pair, start: Pair, dilation: Pair,
    out: Array,
) -> None:  # fmt: skip
    """out = Σ of the numbers under each window, times those of a filter, a row of `filters`."""
    height, width = out.shape[2:]
    depth = filters.shape[1]
    weights = np.zeros((whole_blocks(len(filters)), depth), filters.dtype)
    weights[: len(filters)] = filters
    for begin in range(0, len(images), IMAGES):
        part, result = images[begin : begin + IMAGES], out[begin : begin + IMAGES]
        counts = (height, width)
        laid, begins = lay_out_for_windows(part, counts, kernel, stride, start, dilation)
        lanes = laid.shape[4]
        sums = np.empty((len(weights), width * lanes + APART), laid.dtype)
        numbers, step = laid.reshape(-1), stride[0] * laid[0, 0].size
        for y in range(height):
            weighted_sums(weights, depth, numbers[y * step :], begins, sums, width * lanes)
            for f in range(len(filters)):
                give_row(sums[f], lanes, result, f, y, 0, 1)


@loop(f"void({_IMAGES}, {_IMAGES}, {_GEOMETRY}, float32[:, ::1])")
def conv2d_weight(
    grad: Array, images: Array, kernel: Pair, stride: Pair, start: Pair, dilation: Pair,
    out: Array,
) -> None:  # fmt: skip
    """out = Σ of `grad` times the numbers under the windows, a row for each filter."""
    _, filters, height, width = grad.shape
    sums = np.zeros((whole_blocks(filters), whole_blocks(out.shape[1])), out.dtype)
    for begin in range(0, len(images), IMAGES):
        part = images[begin : begin + IMAGES]
        counts = (height, width)
        laid, begins = lay_out_for_windows(part, counts, kernel, stride, start, dilation)
        numbers, step = laid.reshape(-1), stride[0] * laid[0, 0].size
        given = grad[begin : begin + IMAGES]
        rows = np.empty((filters, width, laid.shape[4]), out.dtype)
        flat = rows.reshape(filters, -1)
        for y in range(height):
            for f in range(filters):
                take_row(given, f, y, 0, 1, rows[f])
            sums_of_products(flat, numbers[y * step :], begins, sums)
    out[:] = sums[:filters, : out.shape[1]]


@part_of_loops()
def filters_of_phase(
    filters: Array, kernel: Pair, stride: Pair, dilation: Pair, phase: Pair, laid: Array,
    weights: Array, begins: Array,
) -> int:  # fmt: skip
    """The places in windows that fall on one phase of the images, and where their `grad` lies.

    Fills in a row of weights for each channel, and returns how many there are in it.
    """
    _, rows, _, columns, lanes = laid.shape
    channels = filters.shape[1] // (kernel[0] * kernel[1])
    most_up = (kernel[0] - 1) * dilation[0] // stride[0]
    most_back = (kernel[1] - 1) * dilation[1] // stride[1]
    depth = 0
    for f in range(len(filters)):
        for i in range(kernel[0]):
            up, across = divmod(i * dilation[0], stride[0])
            if across != phase[0]:
                continue
            for j in range(kernel[1]):
                back, along = divmod(j * dilation[1], stride[1])
                if along != phase[1]:
                    continue
                begins[depth] = ((f * rows + most_up - up) * columns + most_back - back) * lanes
                for c in range(channels):
                    weights[c, depth] = filters[f, (c * kernel[0] + i) * kernel[1] + j]
                depth += 1
    return depth


@loop(f"void({_IMAGES}, const float32[:, ::1], {_GEOMETRY}, Array(float32, 4, 'A'))")
def conv2d_input(
    grad: Array, filters: Array, kernel: Pair, stride: Pair, start: Pair, dilation: Pair,
    out: Array,
) -> None:  # fmt: skip
    """out = Σ of `grad` of each window that a number is under, times the weight it has there."""
    channels, height, width = out.shape[1:]
    up = (kernel[0] - 1) * dilation[0] // stride[0]
    back = (kernel[1] - 1) * dilation[1] // stride[1]
    rows = up + (height - 1 + start[0]) // stride[0] + 1
    columns = back + (width - 1 + start[1]) // stride[1] + 1
    phases, depth = stride[0] * stride[1], len(filters) * kernel[0] * kernel[1]
    weights = np.zeros((phases, whole_blocks(channels), depth), filters.dtype)
    begins, depths = np.empty((phases, depth), np.int64), np.empty(phases, np.int64)
    for begin in range(0, len(grad), IMAGES):
        result = out[begin : begin + IMAGES]
        laid = lay_out(grad[begin : begin + IMAGES], up, back, rows, columns, 1)
        lanes, numbers = laid.shape[4], laid.reshape(-1)
        for n in range(phases):
            phase = divmod(n, stride[1])
            depths[n] = filters_of_phase(
                filters, kernel, stride, dilation, phase, laid, weights[n], begins[n]
            )
        sums = np.empty((weights.shape[1], columns * lanes + APART), laid.dtype)
        for y in range(height):
            row, down = divmod(y + start[0], stride[0])
            for across in range(stride[1]):
                x = (across - start[1]) % stride[1]
                column = (x + start[1]) // stride[1]
                first = numbers[(row * columns + column) * lanes :]
                count = (width - x + stride[1] - 1) // stride[1] * lanes
                n = down * stride[1] + across
                weighted_sums(weights[n], depths[n], first, begins[n], sums, count)
                for c in range(channels):
                    give_row(sums[c], lanes, result, c, y, x, stride[1])

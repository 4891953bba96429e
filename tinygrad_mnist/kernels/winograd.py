"""Convolutions of 3×3 windows by Winograd's algorithm: 16 products where 36 would be.

Four results, a tile of 2×2, are Aᵀ [(G w Gᵀ) ⊙ (Bᵀ x B)] A for the 4×4 numbers x under them and a
filter w: sums and differences before and after, and between them 16 products of matrices, channels
by tiles. Source: Lavin and Gray, "Fast algorithms for convolutional neural networks" (2016).

Sums and differences are taken of whole rows of numbers: so many images as make a block stand side
by side, zeros between them, and lie in four planes, those of even and odd rows and columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from . import blas_threads, dispatch

if TYPE_CHECKING:
    from .simd import LANES, add_product, in_turn, load, spread, store

dispatch.images.uses_vectors(globals())

Array = np.ndarray[Any, Any]
Pair = tuple[int, int]

LEAST: Final = 128
SMALLEST: Final = 10
"""Channels and filters, and rows of results, from which on it was measured to be the fastest."""
TILES: Final = 250
"""About how many make a block: what is made of them stays in the cache."""
MULTIPLE: Final = 16
"""No register holds more numbers."""

_IMAGES = "Array(float32, 4, 'C', readonly=True, aligned=False)"
_PARTS = "float32[:, :, ::1]"
_part = dispatch.images.part(fastmath={"contract"})


class Grid:
    """How images of a batch and their tiles lie side by side."""

    def __init__(self, images: tuple[int, ...], padding: Pair, sizes: Any) -> None:
        """For images of a shape, zeros around them, and results of these sizes."""
        batch, _, _, width = images
        self.padding = padding
        self.rows: int = (sizes[0] + 1) // 2
        self.period = (width + padding[1] + 1) // 2
        """Tiles from one image to the next: zeros to the left of it follow those before."""
        self.images = min(batch, max(1, TILES // (self.rows * self.period)))
        self.tiles = self.room(self.images)

    def length(self, images: int) -> int:
        """Tiles in a row of so many images, and one for the last columns."""
        return images * self.period + 1

    def room(self, images: int) -> int:
        """Tiles of so many images, in whole registers."""
        return -(-self.rows * self.length(images) // MULTIPLE) * MULTIPLE


def suits(weight: Any, sizes: Any, stride: Pair, padding: Any, dilation: Pair, groups: int) -> bool:
    """Whether a convolution that gives these sizes is one that is fast this way."""
    return bool(
        weight[2:] == (3, 3)
        and groups == 1
        and stride == dilation == (1, 1)
        and min(weight[:2]) >= LEAST
        and min(sizes) >= SMALLEST
        and all(before == after <= 2 for before, after in padding)
    )


def convolve(
    images: Array, weight: Array, padding: Pair, sizes: Pair, turned: bool
) -> Array | None:
    """Σ of the numbers under each window, times the weights of each filter: (batch, …, *sizes).

    `turned`: filters are turned by 180°, and go from what they made to what that was made of. None
    where there are infinities or NaN: a tile would spread them to results without part in them.
    """
    grid = Grid(images.shape, padding, sizes)
    images, weight = np.ascontiguousarray(images), np.ascontiguousarray(weight)
    filters, channels = weight.shape[:2][::-1] if turned else weight.shape[:2]
    transformed = np.empty((16, filters, channels), np.float32)
    _transform_filters(weight, turned, transformed)
    out = np.empty((len(images), filters, *sizes), np.float32)
    laid = np.empty(16 * channels * grid.tiles, np.float32)
    products = np.empty(16 * filters * grid.tiles, np.float32)
    for begin in range(0, len(images), grid.images):
        part = images[begin : begin + grid.images]
        count, length, tiles = len(part), grid.length(len(part)), grid.room(len(part))
        given = laid[: 16 * channels * tiles].reshape(16, channels, tiles)
        made = products[: 16 * filters * tiles].reshape(16, filters, tiles)
        _transform_images(part, padding, grid.period, length, given)
        blas_threads.matmul(transformed, given, made)
        if not _results_of(made, grid.period, length, out[begin : begin + count]):
            return None
    return out


def convolve_weight(grad: Array, images: Array, padding: Pair) -> Array | None:
    """The gradient of 3×3 filters: Σ of the gradients of windows, times the numbers under them."""
    grid = Grid(images.shape, padding, grad.shape[2:])
    images, grad = np.ascontiguousarray(images), np.ascontiguousarray(grad)
    filters, channels = grad.shape[1], images.shape[1]
    laid = np.empty(16 * channels * grid.tiles, np.float32)
    turned = np.empty_like(laid)
    spread = np.empty(16 * filters * grid.tiles, np.float32)
    sums, products = np.zeros((2, 16, filters, channels), np.float32)
    for begin in range(0, len(images), grid.images):
        part = images[begin : begin + grid.images]
        length, tiles = grid.length(len(part)), grid.room(len(part))
        given = laid[: 16 * channels * tiles].reshape(16, channels, tiles)
        gradients = spread[: 16 * filters * tiles].reshape(16, filters, tiles)
        _transform_images(part, padding, grid.period, length, given)
        _transform_gradients(grad[begin : begin + len(part)], grid.period, length, gradients)
        standing = turned[: given.size].reshape(16, tiles, channels)
        np.copyto(standing, given.transpose(0, 2, 1))
        blas_threads.matmul(gradients, standing, products)
        sums += products
    out = np.empty((filters, channels, 3, 3), np.float32)
    return out if _filters_of(sums, out) else None


@dispatch.images.loop(f"void({_IMAGES}, boolean, {_PARTS})")
def _transform_filters(weight: Array, turned: bool, out: Array) -> None:
    """out = G w Gᵀ; of filters that are `turned`, a row for each channel."""
    half = np.float32(0.5)
    rows, made = np.empty((4, 3), weight.dtype), np.empty((16, out.shape[2]), weight.dtype)
    for n in range(out.shape[1]):
        for m in range(out.shape[2]):
            window = weight[m, n, ::-1, ::-1] if turned else weight[n, m]
            for j in range(3):
                p, q, r = window[0, j], window[1, j], window[2, j]
                ends, middle = (p + r) * half, q * half
                rows[0, j], rows[1, j], rows[2, j], rows[3, j] = p, ends + middle, ends - middle, r
            for i in range(4):
                p, q, r = rows[i, 0], rows[i, 1], rows[i, 2]
                ends, middle = (p + r) * half, q * half
                made[4 * i, m], made[4 * i + 1, m] = p, ends + middle
                made[4 * i + 2, m], made[4 * i + 3, m] = ends - middle, r
        for k in range(16):
            out[k, n] = made[k]


@_part
def lay_in_planes(
    images: Array, c: int, padding: Pair, period: int, length: int, planes: Array
) -> None:
    """Channel `c` of images side by side, in planes of even and odd rows and columns."""
    for n in range(images.shape[0]):
        for y in range(images.shape[2]):
            row, across = y + padding[0], 2 * n * period + padding[1]
            given = images[n, c, y]
            for phase in range(2):
                first = (across + phase) // 2 + row // 2 * length
                count = (given.size - phase + 1) // 2
                to = planes[row % 2 * 2 + (across + phase) % 2, first : first + count]
                for j in range(count):
                    to[j] = given[2 * j + phase]


@_part
def four(x: Array, a: int, b: int, shift: int, out: Array, rows: tuple[int, int, int, int]) -> None:
    """Rows x_a − c, x_b + c, c − x_b and x_b − d of `out`: c and d are x_a and x_b, shifted."""
    minus = spread(np.float32(-1))
    for t in range(0, out.shape[1], LANES):
        even, odd = load(x, a, t), load(x, b, t)
        c, d = load(x, a, t + shift), load(x, b, t + shift)
        store(out, rows[0], t, add_product(even, c, minus))
        store(out, rows[1], t, add_product(odd, c, spread(np.float32(1))))
        store(out, rows[2], t, add_product(c, odd, minus))
        store(out, rows[3], t, add_product(odd, d, minus))


@dispatch.images.loop(f"void({_IMAGES}, UniTuple(int64, 2), int64, int64, {_PARTS})")
def _transform_images(images: Array, padding: Pair, period: int, length: int, out: Array) -> None:
    """out = Bᵀ x B of each tile."""
    _, channels, tiles = out.shape
    planes = np.zeros((4, tiles + length + 2 * MULTIPLE), images.dtype)
    down = np.zeros((8, tiles + MULTIPLE), images.dtype)
    parts = out.reshape(16 * channels, tiles)
    for c in range(channels):
        lay_in_planes(images, c, padding, period, length, planes)
        for q in range(2):
            four(planes, q, 2 + q, length, down, (q, 2 + q, 4 + q, 6 + q))
        for i in range(4):
            n = 4 * i * channels + c
            rows = n, n + channels, n + 2 * channels, n + 3 * channels
            four(down, 2 * i, 2 * i + 1, 1, parts, rows)


@dispatch.images.loop(f"boolean({_PARTS}, int64, int64, Array(float32, 4, 'C'))")
def _results_of(products: Array, period: int, length: int, out: Array) -> bool:
    """out = Aᵀ m A of each tile; whether all are finite."""
    _, filters, tiles = products.shape
    parts = products.reshape(16 * filters, tiles)
    down = np.empty((8, tiles), out.dtype)
    across = np.zeros((4, tiles + MULTIPLE), out.dtype)
    finite: Any = np.float32(0)
    for f in range(filters):
        for j in range(4):
            n, step = j * filters + f, 4 * filters
            two(parts, (n, n + step, n + 2 * step, n + 3 * step), down, j, 4 + j)
        for i in range(2):
            two(down, (4 * i, 4 * i + 1, 4 * i + 2, 4 * i + 3), across, 2 * i, 2 * i + 1)
        for n in range(out.shape[0]):
            for y in range(out.shape[2]):
                begin = y // 2 * length + n * period
                put_row(across, y % 2 * 2, begin, out[n, f], y)
        finite += nothing_of(across.reshape(across.size))
    return bool(finite == 0)


@_part
def two(x: Array, rows: tuple[int, int, int, int], out: Array, p: int, q: int) -> None:
    """Rows a + b + c and b − c − d of `out`."""
    one, minus = spread(np.float32(1)), spread(np.float32(-1))
    for t in range(0, x.shape[1], LANES):
        b, c = load(x, rows[1], t), load(x, rows[2], t)
        a, d = load(x, rows[0], t), load(x, rows[3], t)
        store(out, p, t, add_product(add_product(a, b, one), c, one))
        store(out, q, t, add_product(add_product(b, c, minus), d, minus))


@_part
def put_row(x: Array, i: int, begin: int, image: Array, y: int) -> None:
    """Row y of an image: numbers of rows i and i + 1 of x in turn. Later rows may change."""
    height, width = image.shape
    if (height - 1 - y) * width < LANES:
        row, even, odd = image[y], x[i, begin:], x[i + 1, begin:]
        for j in range(width):
            row[j] = odd[j // 2] if j % 2 else even[j // 2]
        return
    for j in range(0, width, 2 * LANES):
        t = begin + j // 2
        first, second = in_turn(load(x, i, t), load(x, i + 1, t))
        store(image, y, j, first)
        if j + LANES < width:
            store(image, y, j + LANES, second)


@dispatch.images.part(fastmath={"reassoc", "contract"})
def nothing_of(row: Array) -> Any:
    """0, or NaN where a number is not finite."""
    total = np.float32(0)
    for j in range(row.size):
        total += row[j] * np.float32(0)
    return total


@dispatch.images.loop(f"void({_IMAGES}, int64, int64, {_PARTS})")
def _transform_gradients(grad: Array, period: int, length: int, out: Array) -> None:
    """out = A g Aᵀ of each tile."""
    _, filters, tiles = out.shape
    planes = np.zeros((4, tiles + length), grad.dtype)
    down = np.empty((8, tiles), grad.dtype)
    parts = out.reshape(16 * filters, tiles)
    for f in range(filters):
        lay_in_planes(grad, f, (0, 0), period, length, planes)
        for q in range(2):
            spread_of(planes, q, 2 + q, down, (q, 2 + q, 4 + q, 6 + q))
        for i in range(4):
            n = 4 * i * filters + f
            rows = n, n + filters, n + 2 * filters, n + 3 * filters
            spread_of(down, 2 * i, 2 * i + 1, parts, rows)


@_part
def spread_of(x: Array, a: int, b: int, out: Array, rows: tuple[int, int, int, int]) -> None:
    """Rows x_a, x_a + x_b, x_a − x_b and −x_b of `out`."""
    zero, minus = spread(np.float32(0)), spread(np.float32(-1))
    for t in range(0, out.shape[1], LANES):
        first, second = load(x, a, t), load(x, b, t)
        store(out, rows[0], t, first)
        store(out, rows[1], t, add_product(first, second, spread(np.float32(1))))
        store(out, rows[2], t, add_product(first, second, minus))
        store(out, rows[3], t, add_product(zero, second, minus))


@dispatch.images.loop(f"boolean({_PARTS}, Array(float32, 4, 'C'))")
def _filters_of(sums: Array, out: Array) -> bool:
    """out = Gᵀ s G of each filter; whether all are finite."""
    half = np.float32(0.5)
    rows = np.empty((3, 4), out.dtype)
    for f in range(out.shape[0]):
        for c in range(out.shape[1]):
            for j in range(4):
                p, q, r, s = sums[j, f, c], sums[4 + j, f, c], sums[8 + j, f, c], sums[12 + j, f, c]
                both = (q + r) * half
                rows[0, j], rows[1, j], rows[2, j] = p + both, (q - r) * half, both + s
            for i in range(3):
                p, q, r, s = rows[i, 0], rows[i, 1], rows[i, 2], rows[i, 3]
                both = (q + r) * half
                out[f, c, i, 0], out[f, c, i, 1] = p + both, (q - r) * half
                out[f, c, i, 2] = both + s
    return bool(nothing_of(out.reshape(out.size)) == 0)

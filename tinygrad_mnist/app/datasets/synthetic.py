"""Digits drawn by the program itself, for machines that hold no MNIST and cannot fetch it.

Each image starts from a stroke skeleton, whose points are jittered and moved by a random affine
map; ink is dropped along the strokes and spread, and noise is added. Random numbers meet only
operations that IEEE 754 rounds exactly (+, -, *, /) and no BLAS, so that a seed gives the same
images on every machine.

The distortions are chosen so that a logistic model, which can only weigh pixels, ends near 92 %
after the tutorial's two epochs, as it does on MNIST, and convolutional nets at 96 to 99 %.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .digits import Digits, from_pixels

if TYPE_CHECKING:
    from tinygrad_mnist.dtypes import Array

Stroke = list[tuple[float, float]]
"""Points (x, y) that the pen passes through, in a box from 0 to 1 whose y axis points down."""

SAMPLES = 48
"""Samples along a whole skeleton: enough that neighbours lie within a pixel of each other."""
SIDE = 28
SIZES = (50_000, 10_000, 10_000)
_BATCH = 2_000
"""Images drawn at a time: their arrays stay in the processor's cache."""

# What varies from image to image, each drawn uniformly from a range.
_JITTER = (-0.075, 0.075)  # of each skeleton point, in skeleton heights
_SIZE = (15.0, 21.0)  # width and height, pixels
_SLANT = (-0.38, 0.38)  # to the right, of the height
_TILT = (-0.23, 0.23)  # downwards, of the width
_SHIFT = (-1.6, 1.6)  # right and down, pixels
_FLOW = (2.0, 5.0)  # more ink, thicker strokes
_SHADE = (180.0, 255.0)  # of the full ink
_NOISE = (0.0, 35.0)  # largest change of a pixel

_SKELETONS = {
    0: (
        "5008 2422 1852 2884 5292 7678 8246 7216 5008",
        "6010 3418 2050 2686 5090 7466 7830 6210 4414",
    ),
    1: (
        "5606 5236 5064 4694",
        "3226 5408 5450 5492",
        "3424 5208 5250 5292 / 3092 5292 7492",
    ),
    2: (
        "2228 3410 6208 7628 6254 4074 2092 / 2092 5090 8290",
        "2422 4808 7220 6846 4674 2688 2274 3872 6088 8486",
    ),
    3: (
        "2416 4808 7220 6640 4248 / 4248 7056 7876 5492 2284",
        "2410 5010 7410 / 7410 6026 4642 / 4642 7050 7674 5292 2282",
    ),
    4: (
        "2808 2432 2054 4456 8052 / 7012 6650 6294",
        "6206 4034 1864 5066 8664 / 6406 6450 6494",
    ),
    5: (
        "7810 5410 3210 / 3210 3028 2846 / 2846 5640 7858 6884 4292 2082",
        "7612 4414 3232 4246 6856 7280 4692 2282",
    ),
    6: (
        "6608 4226 2654 2882 5292 7478 7056 4850 2866",
        "4406 3036 2470 4292 6884 7264 5256 2874",
    ),
    7: (
        "1812 5010 8010 / 8010 6238 4866 4094",
        "2022 2412 5012 8012 / 8012 6044 4694 / 3454 5452 7450",
    ),
    8: (
        "7018 4608 2824 4242 6456 7476 5092 2678 3656 6040 7018",
        "5008 3020 3642 5248 7038 7018 5008 / 5248 2662 3086 5492 7680 7458 5248",
    ),
    9: (
        "7030 5410 3018 2640 4650 7030 / 7218 6854 6094",
        "7224 5008 2824 3446 6042 7224 7260 5886 3090",
    ),
}
"""Per digit, the ways in which people write it: strokes of points, x and y in hundredths."""

SKELETONS: dict[int, list[list[Stroke]]] = {
    digit: [
        [
            [(int(p[:2]) / 100, int(p[2:]) / 100) for p in stroke.split()]
            for stroke in way.split("/")
        ]
        for way in ways
    ]
    for digit, ways in _SKELETONS.items()
}


def generate(seed: int = 0) -> Digits[Array]:
    """Training, validation and test digits, fixed by the seed.

    Args:
        seed: any integer; a negative one counts from 2**64, as `manual_seed` reads it.

    Returns:
        50,000, 10,000 and 10,000 pairs of float32 (n, 784) and int64 (n,).
    """
    streams = np.random.SeedSequence(seed % 2**64).spawn(len(SIZES))
    parts = [_draw(size, stream) for size, stream in zip(SIZES, streams, strict=True)]
    return from_pixels(parts, "synthetic", f"synthetic digits (seed {seed})")


def draw(count: int, seed: int = 0) -> tuple[Array, Array]:
    """A few digits, fixed by count and seed.

    Returns:
        Images, uint8 (count, 28, 28), from 0 for paper to 255 for ink; labels, uint8 (count,).

    >>> images, labels = draw(3, seed=0)
    >>> images.shape, images.dtype, labels.shape
    ((3, 28, 28), dtype('uint8'), (3,))
    """
    return _draw(count, np.random.SeedSequence(seed % 2**64))


def _draw(count: int, seed: np.random.SeedSequence) -> tuple[Array, Array]:
    random = np.random.Generator(np.random.PCG64(seed))
    labels = random.integers(0, 10, count, dtype=np.uint8)
    images = np.empty((count, SIDE, SIDE), np.uint8)
    for start in range(0, count, _BATCH):
        batch = slice(start, start + _BATCH)
        images[batch] = _ink(_pen_paths(labels[batch], random), random)
    return images, labels


def _uniform(
    random: np.random.Generator, span: tuple[float, float], shape: tuple[int, ...]
) -> Array:
    """Written out, for `Generator.uniform` may round once where a processor fuses its steps."""
    low, high = span
    return low + (high - low) * random.random(shape)


def _pen_paths(labels: Array, random: np.random.Generator) -> Array:
    """Where the pen went: float64 (2, count, SAMPLES), x and y in pixels."""
    paths = np.empty((2, len(labels), SAMPLES))
    style = random.integers(0, 2**16, len(labels))
    for digit, skeletons in SKELETONS.items():
        for number, skeleton in enumerate(skeletons):
            chosen = (labels == digit) & (style % len(skeletons) == number)
            paths[:, chosen] = _shaky_strokes(skeleton, int(chosen.sum()), random)
    centred = paths - paths.mean(axis=2, keepdims=True)
    return _affine(centred, random) + SIDE / 2


def _shaky_strokes(skeleton: list[Stroke], count: int, random: np.random.Generator) -> Array:
    points = control_points(skeleton)
    shaken = points.T[:, None] + _uniform(random, _JITTER, (2, count, len(points)))
    paths = np.zeros((2, count, SAMPLES))
    for number, weights in enumerate(sampling_matrix(skeleton).T):
        paths += shaken[:, :, number, None] * weights
    return paths


def _affine(paths: Array, random: np.random.Generator) -> Array:
    """The paths stretched, slanted, tilted and shifted, each image by its own random map."""
    count = paths.shape[1]
    width, height = _uniform(random, _SIZE, (2, count, 1))
    slant = _uniform(random, _SLANT, (count, 1))
    tilt = _uniform(random, _TILT, (count, 1))
    right, down = _uniform(random, _SHIFT, (2, count, 1))
    x, y = paths
    return np.stack([width * (x - slant * y) + right, height * (y + tilt * x) + down])


def _ink(paths: Array, random: np.random.Generator) -> Array:
    """uint8 images (count, 28, 28): ink along the paths, spread, at most full, and noise."""
    count = paths.shape[1]

    flow, shade, noise = (
        _uniform(random, span, (count, 1, 1)).astype(np.float32) for span in (_FLOW, _SHADE, _NOISE)
    )
    ink = np.minimum(_spread(_drop(paths)) * flow, 1.0) * shade
    ink += noise * (2 * random.random(ink.shape, dtype=np.float32) - 1)
    pixels: Array = np.clip(ink, 0, 255).astype(np.uint8)
    return pixels


def _drop(paths: Array) -> Array:
    """One drop of ink at each sample, shared among the four nearest pixels: (count, 28, 28)."""
    count = paths.shape[1]
    x, y = np.clip(paths, 1.0, SIDE - 2.001)
    column, row = x.astype(np.int64), y.astype(np.int64)
    right, below = x - column, y - row
    pixel = np.arange(count)[:, None] * SIDE**2 + row * SIDE + column
    ink = np.zeros(count * SIDE**2)
    for offset, amount in (
        (0, (1 - below) * (1 - right)),
        (1, (1 - below) * right),
        (SIDE, below * (1 - right)),
        (SIDE + 1, below * right),
    ):
        ink += np.bincount((pixel + offset).ravel(), amount.ravel(), ink.size)
    return ink.reshape(count, SIDE, SIDE).astype(np.float32)


def _spread(ink: Array) -> Array:
    """Blurred by the binomial weights 1/4, 1/2, 1/4, down and across."""
    for axis in (1, 2):
        ink = ink / 2 + (np.roll(ink, 1, axis) + np.roll(ink, -1, axis)) / 4
    return ink


# From the few points of a skeleton to many. A Catmull-Rom spline is linear in its points, so one
# fixed matrix samples it however the points are moved.


def control_points(skeleton: list[Stroke]) -> Array:
    """All points of a skeleton, stroke after stroke: float64, shape (points, 2)."""
    return np.array([point for stroke in skeleton for point in stroke])


def sampling_matrix(skeleton: list[Stroke]) -> Array:
    """float64 (SAMPLES, points): times the control points, it samples the strokes evenly."""
    lengths = [_length(stroke) for stroke in skeleton]
    ends = np.cumsum(lengths) / sum(lengths)
    counts = np.diff(np.rint(ends * SAMPLES).astype(int), prepend=0)
    matrix = np.zeros((SAMPLES, sum(len(stroke) for stroke in skeleton)))
    row, column = 0, 0
    for stroke, count in zip(skeleton, counts, strict=True):
        matrix[row : row + count, column : column + len(stroke)] = _spline(stroke, count)
        row += count
        column += len(stroke)
    return matrix


def _length(stroke: Stroke) -> float:
    return float(_steps(stroke).sum())


def _steps(stroke: Stroke) -> Array:
    """From each point to the next, the straight distance."""
    x, y = np.diff(np.array(stroke), axis=0).T
    steps: Array = np.sqrt(x * x + y * y)
    return steps


def _spline(stroke: Stroke, count: int) -> Array:
    """Rows of Catmull-Rom weights at `count` places, evenly spread over the stroke's length.

    Source: Catmull and Rom, "A class of local interpolating splines" (1974), tension 1/2.
    """
    steps = _steps(stroke)
    knots = np.concatenate([[0.0], np.cumsum(steps)])
    places = (np.arange(count) + 0.5) / count * knots[-1]
    segment = np.searchsorted(knots, places, side="right") - 1
    t = (places - knots[segment]) / steps[segment]
    weights = (
        (-t + 2 * t * t - t * t * t) / 2,
        (2 - 5 * t * t + 3 * t * t * t) / 2,
        (t + 4 * t * t - 3 * t * t * t) / 2,
        (-t * t + t * t * t) / 2,
    )
    matrix = np.zeros((count, len(stroke)))
    for offset, weight in zip((-1, 0, 1, 2), weights, strict=True):
        neighbour = np.clip(segment + offset, 0, len(stroke) - 1)
        np.add.at(matrix, (np.arange(count), neighbour), weight)
    return matrix

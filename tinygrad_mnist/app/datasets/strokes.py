"""The skeletons of the ten digits: the path a pen takes, before any distortion.

A skeleton is a list of strokes, a stroke a list of points (x, y) that the pen passes through, in a
box from 0 to 1 whose y axis points down, as an image's rows do. `sampling_matrix` turns those few
points into many: a Catmull-Rom spline is linear in its points, so one fixed matrix samples it
however the points are moved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tinygrad_mnist.dtypes import Array

Point = tuple[float, float]
Stroke = list[Point]

SAMPLES = 48
"""Samples along a whole skeleton: enough that neighbours lie within a pixel of each other."""

SKELETONS: dict[int, list[list[Stroke]]] = {
    0: [
        [[(0.50, 0.08), (0.24, 0.22), (0.18, 0.52), (0.28, 0.84), (0.52, 0.92),
          (0.76, 0.78), (0.82, 0.46), (0.72, 0.16), (0.50, 0.08)]],
        [[(0.60, 0.10), (0.34, 0.18), (0.20, 0.50), (0.26, 0.86), (0.50, 0.90),
          (0.74, 0.66), (0.78, 0.30), (0.62, 0.10), (0.44, 0.14)]],
    ],
    1: [
        [[(0.56, 0.06), (0.52, 0.36), (0.50, 0.64), (0.46, 0.94)]],
        [[(0.32, 0.26), (0.54, 0.08), (0.54, 0.50), (0.54, 0.92)]],
        [[(0.34, 0.24), (0.52, 0.08), (0.52, 0.50), (0.52, 0.92)],
         [(0.30, 0.92), (0.52, 0.92), (0.74, 0.92)]],
    ],
    2: [
        [[(0.22, 0.28), (0.34, 0.10), (0.62, 0.08), (0.76, 0.28), (0.62, 0.54),
          (0.40, 0.74), (0.20, 0.92)],
         [(0.20, 0.92), (0.50, 0.90), (0.82, 0.90)]],
        [[(0.24, 0.22), (0.48, 0.08), (0.72, 0.20), (0.68, 0.46), (0.46, 0.74),
          (0.26, 0.88), (0.22, 0.74), (0.38, 0.72), (0.60, 0.88), (0.84, 0.86)]],
    ],
    3: [
        [[(0.24, 0.16), (0.48, 0.08), (0.72, 0.20), (0.66, 0.40), (0.42, 0.48)],
         [(0.42, 0.48), (0.70, 0.56), (0.78, 0.76), (0.54, 0.92), (0.22, 0.84)]],
        [[(0.24, 0.10), (0.50, 0.10), (0.74, 0.10)],
         [(0.74, 0.10), (0.60, 0.26), (0.46, 0.42)],
         [(0.46, 0.42), (0.70, 0.50), (0.76, 0.74), (0.52, 0.92), (0.22, 0.82)]],
    ],
    4: [
        [[(0.28, 0.08), (0.24, 0.32), (0.20, 0.54), (0.44, 0.56), (0.80, 0.52)],
         [(0.70, 0.12), (0.66, 0.50), (0.62, 0.94)]],
        [[(0.62, 0.06), (0.40, 0.34), (0.18, 0.64), (0.50, 0.66), (0.86, 0.64)],
         [(0.64, 0.06), (0.64, 0.50), (0.64, 0.94)]],
    ],
    5: [
        [[(0.78, 0.10), (0.54, 0.10), (0.32, 0.10)],
         [(0.32, 0.10), (0.30, 0.28), (0.28, 0.46)],
         [(0.28, 0.46), (0.56, 0.40), (0.78, 0.58), (0.68, 0.84), (0.42, 0.92),
          (0.20, 0.82)]],
        [[(0.76, 0.12), (0.44, 0.14), (0.32, 0.32), (0.42, 0.46), (0.68, 0.56),
          (0.72, 0.80), (0.46, 0.92), (0.22, 0.82)]],
    ],
    6: [
        [[(0.66, 0.08), (0.42, 0.26), (0.26, 0.54), (0.28, 0.82), (0.52, 0.92),
          (0.74, 0.78), (0.70, 0.56), (0.48, 0.50), (0.28, 0.66)]],
        [[(0.44, 0.06), (0.30, 0.36), (0.24, 0.70), (0.42, 0.92), (0.68, 0.84),
          (0.72, 0.64), (0.52, 0.56), (0.28, 0.74)]],
    ],
    7: [
        [[(0.18, 0.12), (0.50, 0.10), (0.80, 0.10)],
         [(0.80, 0.10), (0.62, 0.38), (0.48, 0.66), (0.40, 0.94)]],
        [[(0.20, 0.22), (0.24, 0.12), (0.50, 0.12), (0.80, 0.12)],
         [(0.80, 0.12), (0.60, 0.44), (0.46, 0.94)],
         [(0.34, 0.54), (0.54, 0.52), (0.74, 0.50)]],
    ],
    8: [
        [[(0.70, 0.18), (0.46, 0.08), (0.28, 0.24), (0.42, 0.42), (0.64, 0.56),
          (0.74, 0.76), (0.50, 0.92), (0.26, 0.78), (0.36, 0.56), (0.60, 0.40),
          (0.70, 0.18)]],
        [[(0.50, 0.08), (0.30, 0.20), (0.36, 0.42), (0.52, 0.48), (0.70, 0.38),
          (0.70, 0.18), (0.50, 0.08)],
         [(0.52, 0.48), (0.26, 0.62), (0.30, 0.86), (0.54, 0.92), (0.76, 0.80),
          (0.74, 0.58), (0.52, 0.48)]],
    ],
    9: [
        [[(0.70, 0.30), (0.54, 0.10), (0.30, 0.18), (0.26, 0.40), (0.46, 0.50),
          (0.70, 0.30)],
         [(0.72, 0.18), (0.68, 0.54), (0.60, 0.94)]],
        [[(0.72, 0.24), (0.50, 0.08), (0.28, 0.24), (0.34, 0.46), (0.60, 0.42),
          (0.72, 0.24), (0.72, 0.60), (0.58, 0.86), (0.30, 0.90)]],
    ],
}  # fmt: skip
"""Per digit, the ways in which people write it."""


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

"""What is computed: a model from the same first weights on the same batches, for every contestant.

A job's name says all of it: `logistic-64` is the model at batch 64, `mlp-w512-64` the network 512
wide, `mlp-d8-64` with 8 hidden layers, `cnn-64x100` an epoch of 100 steps. NumPy alone is needed,
and the digits: no contestant has a part in how the work is set.
"""

from __future__ import annotations

import gzip
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

MODELS = ("logistic", "mlp", "cnn", "transformer")
BATCHES = (1, 16, 64, 256, 1024, 4096)
PIXELS, CLASSES, HIDDEN, CHANNELS = 784, 10, 128, 16
CHARACTERS, LENGTH, WIDTH, HEADS, LAYERS = 65, 64, 64, 4, 2
"""Of the transformer."""

_NAME = re.compile(r"(?P<model>[a-z]+)(-w(?P<width>\d+))?(-d(?P<depth>\d+))?"
                   r"-(?P<batch>\d+)(x(?P<steps>\d+))?")  # fmt: skip
_STEPS = {1: 200, 16: 100, 64: 50, 256: 20, 1024: 6, 4096: 2}
_RATES = {"logistic": 0.5, "mlp": 0.1, "cnn": 0.1, "transformer": 0.1}
_MOST = 100_000
_SMALL_BATCH = 16
"""Below it a rate ten times as small."""


@dataclass(frozen=True, eq=False)
class Job:
    """A model, its first weights by name, and the batches of an epoch."""

    name: str
    model: str
    lr: float
    momentum: float
    weights: dict[str, Array]
    x: Array
    """Pixels (steps, batch, 784), or the transformer's characters (steps, batch, length)."""
    y: Array
    """Labels (steps, batch), or the characters that follow (steps, batch, length)."""

    @property
    def steps(self) -> int:
        """How many steps an epoch has."""
        return len(self.x)

    @property
    def batch(self) -> int:
        """How many examples a step sees."""
        return self.x.shape[1]

    def as_float64(self) -> Job:
        """The same job in double precision."""
        weights = {name: array.astype(np.float64) for name, array in self.weights.items()}
        x = self.x if self.x.dtype.kind == "i" else self.x.astype(np.float64)
        return replace(self, weights=weights, x=x)

    def save(self, path: Path) -> None:
        """Write it to a file of NumPy's, from which another process loads it."""
        settings = np.array([self.lr, self.momentum])
        named = {f"weight:{name}": array for name, array in self.weights.items()}
        np.savez(path, name=self.name, settings=settings, x=self.x, y=self.y, **named)

    @classmethod
    def load(cls, path: Path) -> Job:
        """The job of a file that `save` wrote."""
        with np.load(path) as file:
            lr, momentum = map(float, file["settings"])
            name = str(file["name"])
            prefix = "weight:"
            weights = {k.removeprefix(prefix): file[k] for k in file if k.startswith(prefix)}
            model = name.split("-")[0]
            return cls(name, model, lr, momentum, weights, file["x"], file["y"])


def check(name: str) -> re.Match[str]:
    """The parts of a job's name.

    Raises:
        ValueError: no job has that name; the message says how names are made.
    """
    found = _NAME.fullmatch(name)
    numbers = [int(part) for part in found.groups()[1:] if part and part.isdigit()] if found else []
    if not found or found["model"] not in MODELS or not 0 < min(numbers) <= max(numbers) <= _MOST:
        raise ValueError(f"no job is named {name!r}; expected MODEL[-wWIDTH][-dDEPTH]-BATCH"
                         f"[xSTEPS], MODEL one of {', '.join(MODELS)}, numbers from 1 to "
                         f"{_MOST:,}")  # fmt: skip
    return found


def make(name: str, pixels: Array, labels: Array, seed: int = 0) -> Job:
    """The job of a name, on the first of the digits given; the seed draws its first weights.

    Raises:
        ValueError: no job has that name; the message says how names are made.
    """
    found = check(name)
    model, batch = found["model"], int(found["batch"])
    steps = int(found["steps"] or next((s for b, s in _STEPS.items() if b >= batch), 2))
    if model in ("cnn", "transformer") and not found["steps"]:
        steps = min(steps, 8)
    lr = _RATES[model] / (10 if batch < _SMALL_BATCH else 1)
    momentum = 0.9 if model == "cnn" else 0.0
    rng = np.random.default_rng(seed)
    weights = dict(_weights(model, int(found["width"] or HIDDEN), int(found["depth"] or 1), rng))
    if model == "transformer":
        x, y = _characters(steps, batch, rng)
    else:
        chosen = np.arange(steps * batch) % len(pixels)
        x = pixels[chosen].reshape(steps, batch, PIXELS).astype(np.float32)
        y = labels[chosen].reshape(steps, batch).astype(np.int64)
    return Job(name, model, lr, momentum, weights, x, y)


def _uniform(rng: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> Array:
    """As PyTorch's layers begin: uniform within 1/√(fan in)."""
    return rng.uniform(-1, 1, shape).astype(np.float32) / np.float32(fan_in**0.5)


def _weights(
    model: str, width: int, depth: int, rng: np.random.Generator
) -> Iterator[tuple[str, Array]]:
    if model == "logistic":
        yield "weights", _uniform(rng, (PIXELS, CLASSES), PIXELS)
        yield "bias", np.zeros(CLASSES, np.float32)
    elif model == "mlp":
        sizes = [PIXELS, *[width] * depth, CLASSES]
        for n, (before, after) in enumerate(itertools.pairwise(sizes)):
            yield f"{n}.weight", _uniform(rng, (after, before), before)
            yield f"{n}.bias", _uniform(rng, (after,), before)
    elif model == "cnn":
        channels = [1, CHANNELS, CHANNELS, CLASSES]
        for n, (before, after) in enumerate(itertools.pairwise(channels)):
            yield f"{n}.weight", _uniform(rng, (after, before, 3, 3), 9 * before)
            yield f"{n}.bias", _uniform(rng, (after,), 9 * before)
    else:
        yield from _transformer_weights(rng)


def _transformer_weights(rng: np.random.Generator) -> Iterator[tuple[str, Array]]:
    yield "token", rng.normal(0, 0.02, (CHARACTERS, WIDTH)).astype(np.float32)
    yield "place", rng.normal(0, 0.02, (LENGTH, WIDTH)).astype(np.float32)
    norms = [f"{layer}.norm{n}" for layer in range(LAYERS) for n in (1, 2)] + ["norm"]
    for name in norms:
        yield f"{name}.weight", np.ones(WIDTH, np.float32)
        yield f"{name}.bias", np.zeros(WIDTH, np.float32)
    linear = {"qkv": (WIDTH, 3 * WIDTH), "out": (WIDTH, WIDTH), "up": (WIDTH, 4 * WIDTH),
              "down": (4 * WIDTH, WIDTH)}  # fmt: skip
    shapes = {f"{layer}.{name}": s for layer in range(LAYERS) for name, s in linear.items()}
    for name, (before, after) in {**shapes, "head": (WIDTH, CHARACTERS)}.items():
        yield f"{name}.weight", _uniform(rng, (after, before), before)
        yield f"{name}.bias", np.zeros(after, np.float32)


def _characters(steps: int, batch: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Text of a made-up language: each character has four that like to follow it."""
    liked = rng.integers(0, CHARACTERS, (CHARACTERS, 4))
    text = np.zeros((steps, batch, LENGTH + 1), np.int64)
    text[..., 0] = rng.integers(0, CHARACTERS, (steps, batch))
    for n in range(LENGTH):
        text[..., n + 1] = liked[text[..., n], rng.integers(0, 4, (steps, batch))]
    return np.ascontiguousarray(text[..., :-1]), np.ascontiguousarray(text[..., 1:])


def read_digits(folder: Path, part: str = "train") -> tuple[Array, Array]:
    """Pixels float32 (n, 784) in [0, 1) and labels int64 (n,) of MNIST's published files."""
    images, labels = (next(folder.glob(f"{part}-{kind}-idx?-ubyte*"))
                      for kind in ("images", "labels"))  # fmt: skip
    pixels = np.frombuffer(_bytes(images), np.uint8, offset=16).reshape(-1, PIXELS)
    classes = np.frombuffer(_bytes(labels), np.uint8, offset=8)
    return pixels.astype(np.float32) / 256, classes.astype(np.int64)


def _bytes(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()

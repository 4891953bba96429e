"""What every data set here hands back: three splits of digits, and where they came from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

if TYPE_CHECKING:
    from tinygrad_mnist.dtypes import Array

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, eq=False)
class Digits(Generic[T]):
    """Three pairs (images, labels), of NumPy arrays or of tensors; unpacks in that order.

    Images: float32, shape (n, 784), pixel / 256. Labels: int64, shape (n,), 0 to 9.
    `source` is "mnist" for verified MNIST alone and "synthetic" for drawn digits; `description`
    says it for people, with the place.

    >>> import numpy as np
    >>> pair = np.zeros((1, 784), np.float32), np.zeros(1, np.int64)
    >>> digits = Digits(pair, pair, pair, source="mnist", description="MNIST from here")
    >>> (x_train, y_train), (x_valid, y_valid), (x_test, y_test) = digits
    >>> digits
    Digits(source='mnist', description='MNIST from here')
    """

    train: tuple[T, T] = field(repr=False)
    valid: tuple[T, T] = field(repr=False)
    test: tuple[T, T] = field(repr=False)
    source: str
    description: str

    def __iter__(self) -> Iterator[tuple[T, T]]:
        return iter((self.train, self.valid, self.test))

    def map(self, function: Callable[[T], U]) -> Digits[U]:
        """The same digits with `function` applied to each of the six arrays."""
        train, valid, test = ((function(x), function(y)) for x, y in self)
        return Digits(train, valid, test, self.source, self.description)


def from_pixels(parts: list[tuple[Array, Array]], source: str, description: str) -> Digits[Array]:
    """Digits from three pairs of uint8 arrays: images of 784 pixels each, and labels."""
    train, valid, test = ((_images(pixels), labels.astype(np.int64)) for pixels, labels in parts)
    return Digits(train, valid, test, source, description)


def _images(pixels: Array) -> Array:
    images = pixels.reshape(-1, 784).astype(np.float32)
    images /= 256
    return images

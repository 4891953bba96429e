"""The Tensor methods that fill a tensor with random numbers, such as `uniform_` and `normal_`.

Each returns the tensor. A leaf that requires a gradient refuses with PyTorch's RuntimeError while
gradients are recorded; to what a non-leaf held before flows a gradient of 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from tinygrad_mnist._tensor.in_place import check_inplace
from tinygrad_mnist.engine.record import TensorBase, wrap
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops import drawing
from tinygrad_mnist.ops import random_filling as filling
from tinygrad_mnist.ops.generator import Generator
from tinygrad_mnist.ops.random_arguments import mismatch, read_float, read_int

__all__ = [
    "bernoulli_",
    "cauchy_",
    "exponential_",
    "geometric_",
    "log_normal_",
    "normal_",
    "random_",
    "uniform_",
]

Array = np.ndarray[Any, Any]


def _filled(target: Tensor, name: str, fill: Callable[..., None], **parameters: Any) -> Tensor:
    recorded = check_inplace(target)
    array = target._array
    if array.size and any(
        step == 0 and length > 1 for step, length in zip(array.strides, array.shape, strict=True)
    ):
        raise RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a "
            "single memory location. Please clone() the tensor before performing the operation."
        )
    drawing.refill(name, target, partial(fill, **parameters), recorded)
    return target


def _bounds(name: str, bounds: Sequence[Any], named: dict[str, Any]) -> dict[str, Any]:
    """`from` and `to`, which Python cannot name as parameters, from either kind of argument."""
    given = dict(zip(("from", "to"), bounds, strict=False))
    if len(bounds) > 2:
        raise TypeError(
            f"{name}() takes from 0 to 2 positional arguments but {len(bounds)} were given"
        )
    for key in named:
        if key not in ("from", "to"):
            raise TypeError(f"{name}() got an unexpected keyword argument '{key}'")
        if key in given:
            raise TypeError(f"{name}() got multiple values for argument '{key}'")
    return given | named


def uniform_(
    self: Tensor, *bounds: float, generator: Generator | None = None, **named: float
) -> Tensor:
    """Fill with numbers from [from, to); the bounds are 0 and 1 unless given, in this order.

    Raises RuntimeError where from > to or a bound is out of the type's range.

    >>> import tinygrad_mnist as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.empty(2).uniform_(-1, 1)
    tensor([-0.0075,  0.5364])
    """
    given = _bounds("uniform_", bounds, named)
    low = read_float("uniform_", "from", 1, given.get("from", 0.0))
    high = read_float("uniform_", "to", 2, given.get("to", 1.0))
    return _filled(self, "uniform", filling.uniform, low=low, high=high, generator=generator)


_RANDOM = ("", "int from, int to", "int to")


def random_(
    self: Tensor, *bounds: int | None, generator: Generator | None = None, **named: int | None
) -> Tensor:
    """Fill with whole numbers from 0 or `from` up to `to` - 1.

    Called as random_(), random_(to) or random_(from, to). Without `to`, that is random_() or
    random_(from, None), up to the largest number of the type, for floats without gaps below it.
    Raises RuntimeError for an empty or too wide range.
    """
    given = _bounds("random_", bounds, named)
    if not given:
        return _filled(self, "random", filling.whole_range, generator=generator)
    if len(given) == 1 and bounds:
        given = {"to": given["from"]}
    if "to" not in given:
        raise mismatch("random_", bounds, named, _RANDOM)
    low = read_int("random_", "from", 1, given.get("from", 0))
    unbounded = given["to"] is None and "from" in given
    high = None if unbounded else read_int("random_", "to", len(given), given["to"])
    name = "random_from_to" if "from" in given else "random_to"
    return _filled(self, name, filling.integers, low=low, high=high, generator=generator)


def normal_(
    self: Tensor, mean: float = 0, std: float = 1, *, generator: Generator | None = None
) -> Tensor:
    """Fill with normal numbers. Raises RuntimeError where std < 0.

    >>> import tinygrad_mnist as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.empty(2).normal_(mean=10)
    tensor([11.5410,  9.7066])
    """
    mean = read_float("normal_", "mean", 1, mean)
    std = read_float("normal_", "std", 2, std)
    return _filled(self, "normal", filling.normal, mean=mean, std=std, generator=generator)


def log_normal_(
    self: Tensor, mean: float = 1, std: float = 2, *, generator: Generator | None = None
) -> Tensor:
    """Fill with eˣ for normal x. Raises RuntimeError where std <= 0."""
    mean = read_float("log_normal_", "mean", 1, mean)
    std = read_float("log_normal_", "std", 2, std)
    return _filled(self, "log_normal", filling.log_normal, mean=mean, std=std, generator=generator)


def exponential_(self: Tensor, lambd: float = 1, *, generator: Generator | None = None) -> Tensor:
    """Fill with numbers of density λ e^(-λx), λ = lambd. Raises RuntimeError where λ <= 0."""
    rate = read_float("exponential_", "lambd", 1, lambd)
    return _filled(self, "exponential", filling.exponential, rate=rate, generator=generator)


def cauchy_(
    self: Tensor, median: float = 0, sigma: float = 1, *, generator: Generator | None = None
) -> Tensor:
    """Fill with numbers of the Cauchy distribution. Raises RuntimeError where sigma <= 0."""
    median = read_float("cauchy_", "median", 1, median)
    sigma = read_float("cauchy_", "sigma", 2, sigma)
    return _filled(self, "cauchy", filling.cauchy, median=median, sigma=sigma, generator=generator)


def geometric_(self: Tensor, p: float, *, generator: Generator | None = None) -> Tensor:
    """Fill with numbers of trials up to the first success of probability p, 0 < p < 1."""
    p = read_float("geometric_", "p", 1, p)
    return _filled(self, "geometric", filling.geometric, p=p, generator=generator)


def bernoulli_(
    self: Tensor, p: float | Tensor = 0.5, *, generator: Generator | None = None
) -> Tensor:
    """Fill with 1 with probability p, else 0; a tensor `p` gives each element its own.

    Raises RuntimeError for p outside [0, 1].
    """
    name, chance = chances(p, self._array.shape)
    return _filled(self, name, filling.bernoulli, p=chance, generator=generator)


def chances(p: float | Tensor, shape: tuple[int, ...]) -> tuple[str, float | Array]:
    """The name of the operation that draws 1 with probability p, and p as it takes it."""
    if isinstance(p, TensorBase):
        return "bernoulli_each", wrap(p._array).expand(shape)._array
    return "bernoulli", read_float("bernoulli_", "p", 1, p)

"""Arrays filled with random numbers, after PyTorch's checks of type and parameters.

Each function draws from `generator`, or from the default one when that is None.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.kernels import distributions, selection
from tinygrad_mnist.kernels.mersenne import Stream

from .generator import Generator, default_generator

Array = np.ndarray[Any, Any]

_LOWEST = -(2**63)
_CALLER = 7  # frames from a warning about bounds up to whoever called `random_` or `randint`


@contextlib.contextmanager
def stream_of(generator: Generator | None) -> Iterator[Stream]:
    """The stream of a generator, nobody else's for the time; TypeError for another object."""
    source = default_generator if generator is None else generator
    if not isinstance(source, Generator):
        raise TypeError(
            f"argument 'generator' must be torch.Generator, not {type(generator).__name__}"
        )
    with source._stream.lock:
        yield source._stream


def uniform(array: Array, low: float, high: float, generator: Generator | None) -> None:
    """Numbers from [low, high)."""
    kind = _floating(array, "check_uniform_bounds")
    largest = float(np.finfo(array.dtype).max)
    for name, bound in (("from", low), ("to", high)):
        if not -largest <= bound <= largest:
            raise RuntimeError(f"{name} is out of bounds for {kind.cpp_name}")
    if low > high:
        raise RuntimeError(
            f"uniform_ expects to return a [from, to) range, but found from={low:g} > to={high:g}"
        )
    if high - low > largest:
        raise RuntimeError(
            f"uniform_ expects to-from <= std::numeric_limits<{kind.legacy_name}>::max(), but "
            f"found to={high:g} and from={low:g} which result in to-from to exceed the limit"
        )
    with stream_of(generator) as stream:
        distributions.uniform(stream, array, low, high)


def normal(array: Array, mean: float, std: float, generator: Generator | None) -> None:
    """Numbers of the normal distribution."""
    if not std >= 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std:g}")
    if array.size:
        _floating(array, "normal_kernel_cpu")
    with stream_of(generator) as stream:
        distributions.normal(stream, array, mean, std)


def log_normal(array: Array, mean: float, std: float, generator: Generator | None) -> None:
    """Numbers whose logarithm is normally distributed."""
    if not std > 0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std:g}")
    if array.size:
        _floating(array, "log_normal_cpu")
    with stream_of(generator) as stream:
        distributions.log_normal(stream, array, mean, std)


def exponential(array: Array, rate: float, generator: Generator | None) -> None:
    """Numbers of the exponential distribution."""
    if not rate > 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={rate:g}")
    if array.size:
        _continuous(array, "Exponential", dtypes.from_numpy_dtype(array.dtype).legacy_name)
    with stream_of(generator) as stream:
        distributions.exponential(stream, array, rate)


def cauchy(array: Array, median: float, sigma: float, generator: Generator | None) -> None:
    """Numbers of the Cauchy distribution."""
    if not sigma > 0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma:g}")
    if array.size:
        _continuous(array, "Cauchy", _type_in_c(array))
    with stream_of(generator) as stream:
        distributions.cauchy(stream, array, median, sigma)


def geometric(array: Array, p: float, generator: Generator | None) -> None:
    """Numbers of trials up to the first success."""
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p:g}")
    if array.size and array.dtype.kind == "b":
        raise NotImplementedError("\"geometric_cpu\" not implemented for 'Bool'")
    with stream_of(generator) as stream:
        distributions.geometric(stream, array, p)


def bernoulli(array: Array, p: float | Array, generator: Generator | None) -> None:
    """1 with probability p, else 0; an array `p` gives each element its own and is broadcast."""
    if not isinstance(p, np.ndarray):
        if not 0 <= p <= 1:
            raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p:g}")
        with stream_of(generator) as stream:
            distributions.bernoulli(stream, array, p)
        return
    if not array.size:
        return
    _floating(p, "bernoulli_tensor_cpu_p_")
    if not ((p >= 0) & (p <= 1)).all():
        raise RuntimeError(
            "Expected p_in >= 0 && p_in <= 1 to be true, but got false.  (Could this error message "
            "be improved?  If so, please report an enhancement request to PyTorch.)"
        )
    with stream_of(generator) as stream:
        distributions.bernoulli(stream, array, np.broadcast_to(p, array.shape))


def whole_range(array: Array, generator: Generator | None) -> None:
    """Whole numbers from 0 to the largest that the type holds, for floats without gaps below it."""
    with stream_of(generator) as stream:
        distributions.whole_range(stream, array)


def integers(array: Array, low: int, high: int | None, generator: Generator | None) -> None:
    """Whole numbers from [low, high), or from low to the largest of the type when high is None."""
    if high is not None and low >= high:
        raise RuntimeError(
            f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}"
        )
    if high is None and low == _LOWEST:
        count = 2**64
        low = 0
        if array.size and array.dtype not in (np.int64, np.float32, np.float64):
            raise RuntimeError(
                "random_full_64_bits_range_kernel_cpu handles only int64, double, float and "
                "bfloat16"
            )
    else:
        low, last = _closed_range(array.dtype, low, high)
        count = last - low + 1
    with stream_of(generator) as stream:
        distributions.integers(stream, array, low, count)


def permutation(array: Array, generator: Generator | None) -> None:
    """0, 1, …, n - 1 in random order, for an array of shape (n,)."""
    with stream_of(generator) as stream:
        array[...] = selection.permutation(stream, array.size)


def _closed_range(dtype: np.dtype[Any], low: int, high: int | None) -> tuple[int, int]:
    """The first and the last of the numbers to draw, all of which `dtype` must hold."""
    if dtype.kind == "f":
        low, last = _closed_float_range(dtype, low, high)
    else:
        last = _limits(dtype)[1] if high is None else high - 1
    _check_bounds(dtype, low, last)
    return low, last


def _closed_float_range(dtype: np.dtype[Any], low: int, high: int | None) -> tuple[int, int]:
    """The range moved inwards so that no number of it is rounded to one outside."""
    digits = np.finfo(dtype).nmant + 1
    first = low
    after = _rounded(dtype, low + 1)
    if after < low:
        first = after + (1 << ((abs(low + 1)).bit_length() - digits))
    if high is None:
        if first >= 1 << digits:
            raise RuntimeError(
                "random_ expects 'from' casted to dtype to be less than or equal to 'to_inc' "
                f"casted to dtype, but got from={first} > to_inc={1 << digits}"
            )
        return first, 1 << digits
    end = high
    before = _rounded(dtype, high - 1)
    if before >= high:
        end = before - (1 << ((abs(high - 1)).bit_length() - digits))
    if first >= end:
        raise RuntimeError(
            "random_ expects 'from' casted to dtype to be less than 'to' casted to dtype, "
            f"but got from={first} >= to={end}"
        )
    return first, end - 1


def _rounded(dtype: np.dtype[Any], number: int) -> int:
    """`number` as `dtype` holds it; 2**63 becomes -2**63, as in C on x86."""
    rounded = int(dtype.type(number))
    return rounded if rounded < 2**63 else _LOWEST


def _check_bounds(dtype: np.dtype[Any], low: int, last: int) -> None:
    kind = dtypes.from_numpy_dtype(dtype)
    for name, bound in (("from", low), ("to - 1", last)):
        if dtype.kind == "f":
            digits = np.finfo(dtype).nmant + 1
            if abs(bound) > 1 << digits:
                warnings.warn(
                    f"{name} is out of bounds [-(2^{digits}), 2^{digits}]. Due to precision "
                    f"limitations {kind.cpp_name} can support discrete uniform distribution only "
                    "within this range. This warning will become an error in version 1.7 release, "
                    "please fix the code in advance",
                    UserWarning,
                    stacklevel=_CALLER,
                )
        elif not _limits(dtype)[0] <= bound <= _limits(dtype)[1]:
            raise RuntimeError(f"{name} is out of bounds for {kind.cpp_name}")


def _limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    if dtype.kind == "b":
        return 0, 1
    limits = np.iinfo(dtype)
    return int(limits.min), int(limits.max)


def _floating(array: Array, kernel: str) -> dtypes.dtype:
    """The array's type; NotImplementedError in PyTorch's words where it is not a float's."""
    kind = dtypes.from_numpy_dtype(array.dtype)
    if not kind.is_floating_point:
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{kind.legacy_name}'")
    return kind


def _continuous(array: Array, name: str, given: str) -> None:
    if array.dtype.kind != "f":
        raise RuntimeError(
            f"{name} distribution is a continuous probability distribution. "
            f"dtype must be a floating point but you specified {given}"
        )


def _type_in_c(array: Array) -> str:
    kind = dtypes.from_numpy_dtype(array.dtype)
    return "long int" if kind is dtypes.int64 else kind.cpp_name
